//! Takes records out of a batch, as compaction does: offsets, timestamps and sequence numbers stay.

use std::borrow::Cow;

use super::header::{CRC_AT, CRC_COVERS_FROM, LENGTH_PREFIX_BYTES};
use super::rewrite::put;
use super::{BatchReader, HEADER_BYTES, Record};
use crate::Result;

/// The batch with the records that `keep` wants: as it is if that is all of them, `None` if none is left,
/// unless the batch must stay.
///
/// # Errors
/// [`crate::Error::CorruptBatch`] if the batch is damaged.
pub(crate) fn retain_records<'a>(
    reader: &BatchReader<'_>,
    batch: &'a [u8],
    must_stay: bool,
    keep: impl Fn(&Record<'_>) -> bool,
) -> Result<Option<Cow<'a, [u8]>>> {
    let mut records = Vec::new();
    let mut count = 0i32;
    let mut max_timestamp_ms = -1i64;
    for record in reader.iter_raw() {
        let (record, raw) = record?;
        if keep(&record) {
            records.extend_from_slice(raw);
            count += 1;
            max_timestamp_ms = max_timestamp_ms.max(record.timestamp_ms);
        }
    }
    if count == reader.header().record_count && (count > 0 || must_stay) {
        return Ok(Some(Cow::Borrowed(batch)));
    }
    if count == 0 && !must_stay {
        return Ok(None);
    }
    let mut kept = batch.get(..HEADER_BYTES).unwrap_or_default().to_vec();
    kept.extend_from_slice(&reader.header().compression()?.compress(&records)?);
    let length = (kept.len() - LENGTH_PREFIX_BYTES) as i32;
    put(&mut kept, 8, &length.to_be_bytes());
    put(&mut kept, 35, &max_timestamp_ms.to_be_bytes());
    put(&mut kept, 57, &count.to_be_bytes());
    let crc = crc_fast::crc32_iscsi(kept.get(CRC_COVERS_FROM..).unwrap_or_default());
    put(&mut kept, CRC_AT, &crc.to_be_bytes());
    Ok(Some(Cow::Owned(kept)))
}

//! Changes a whole batch's timestamps or compression, as topics may ask for.

use super::header::{CRC_AT, CRC_COVERS_FROM, LENGTH_PREFIX_BYTES, TIMESTAMP_TYPE_BIT};
use super::{BatchHeader, Compression, HEADER_BYTES};
use crate::Result;
use crate::buffers::Buffer;
use crate::incoming::Incoming;

/// What is to be changed of a batch.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rewrite {
    /// The time of the append, which all its records get; the producer's time stays without it.
    pub(crate) append_time_ms: Option<i64>,
    /// The codec of its records; the producer's stays without it.
    pub(crate) compression: Option<Compression>,
    /// That codec's level; its own without it.
    pub(crate) level: Option<i32>,
}

/// The batch with its changes and a new CRC; as it is if there are none.
///
/// # Errors
/// [`crate::Error::CorruptBatch`] if the records cannot be decompressed.
pub(crate) fn rewrite<'a>(header: &BatchHeader, batch: Incoming<'a>, changes: Rewrite) -> Result<Incoming<'a>> {
    let found = header.compression()?;
    let recompressed = changes.compression.filter(|codec| *codec != found);
    if changes.append_time_ms.is_none() && recompressed.is_none() && !header.is_log_append_time() {
        return Ok(batch);
    }
    let mut batch = batch.into_owned();
    let mut attributes = header.attributes & !TIMESTAMP_TYPE_BIT;
    if let Some(now_ms) = changes.append_time_ms {
        attributes |= TIMESTAMP_TYPE_BIT;
        put(&mut batch, 35, &now_ms.to_be_bytes());
    }
    if let Some(codec) = recompressed {
        let records = found.decompress(batch.get(HEADER_BYTES..).unwrap_or_default())?;
        let compressed = codec.compress_at(changes.level, &records)?;
        let header = batch.get(..HEADER_BYTES).unwrap_or_default();
        batch = Buffer::from([header, &compressed].concat());
        attributes = attributes & !found.attributes() | codec.attributes();
        let length = (batch.len() - LENGTH_PREFIX_BYTES) as i32;
        put(&mut batch, 8, &length.to_be_bytes());
    }
    put(&mut batch, 21, &attributes.to_be_bytes());
    let crc = crc_fast::crc32_iscsi(batch.get(CRC_COVERS_FROM..).unwrap_or_default());
    put(&mut batch, CRC_AT, &crc.to_be_bytes());
    Ok(Incoming::Owned(batch))
}

pub(super) fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + field.len()) {
        place.copy_from_slice(field);
    }
}

//! The 61 bytes in front of every record batch.
//!
//! ```text
//!  0 base offset          i64    23 last offset delta  i32
//!  8 batch length         i32    27 base timestamp     i64
//! 12 leader epoch         i32    35 max timestamp      i64
//! 16 magic (2)            i8     43 producer id        i64
//! 17 CRC-32C of 21..      u32    51 producer epoch     i16
//! 21 attributes           i16    53 base sequence      i32
//!                                57 record count       i32
//! ```

use super::Compression;
use super::rewrite::put;
use crate::{Error, Result};

/// The size of the header.
pub const HEADER_BYTES: usize = 61;
/// The producer id of a batch whose producer is not idempotent.
pub const NO_PRODUCER_ID: i64 = -1;

/// The bytes before `batch length` starts to count: base offset and the length itself.
pub(super) const LENGTH_PREFIX_BYTES: usize = 12;
const LEADER_EPOCH_AT: usize = 12;
pub(super) const CRC_AT: usize = 17;
pub(super) const CRC_COVERS_FROM: usize = 21;

pub(super) const TIMESTAMP_TYPE_BIT: i16 = 1 << 3;
pub(super) const TRANSACTIONAL_BIT: i16 = 1 << 4;
pub(super) const CONTROL_BIT: i16 = 1 << 5;

/// A record batch's header, decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// The offset of the first record.
    pub base_offset: i64,
    /// The whole batch's size in bytes, header included.
    pub size_bytes: usize,
    /// The epoch of the partition's leader when the batch was appended.
    pub leader_epoch: i32,
    /// CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// Compression, timestamp type, transactional and control bits.
    pub attributes: i16,
    /// The last record's offset less the base offset. After compaction it may exceed `record_count - 1`.
    pub last_offset_delta: i32,
    /// The timestamp that the records' deltas count from, in ms.
    pub base_timestamp_ms: i64,
    /// The greatest timestamp among the records, in ms.
    pub max_timestamp_ms: i64,
    /// The producer's id, [`NO_PRODUCER_ID`] if it has none.
    pub producer_id: i64,
    /// The producer's epoch, -1 without a producer id.
    pub producer_epoch: i16,
    /// The sequence number of the first record, -1 without a producer id.
    pub base_sequence: i32,
    /// The number of records.
    pub record_count: i32,
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

impl BatchHeader {
    /// Decodes the header at the front of `bytes`, without looking at the records.
    ///
    /// # Errors
    /// [`Error::CorruptBatch`] if it is cut off, of another magic, or its length is impossible.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        Self::parse_fields(bytes).ok_or_else(|| Error::corrupt("the header is cut off"))?.checked()
    }

    fn parse_fields(bytes: &[u8]) -> Option<(Self, i8)> {
        let header = Self {
            base_offset: i64::from_be_bytes(field(bytes, 0)?),
            size_bytes: usize::try_from(i32::from_be_bytes(field(bytes, 8)?))
                .unwrap_or(0)
                .saturating_add(LENGTH_PREFIX_BYTES),
            leader_epoch: i32::from_be_bytes(field(bytes, 12)?),
            crc: u32::from_be_bytes(field(bytes, CRC_AT)?),
            attributes: i16::from_be_bytes(field(bytes, 21)?),
            last_offset_delta: i32::from_be_bytes(field(bytes, 23)?),
            base_timestamp_ms: i64::from_be_bytes(field(bytes, 27)?),
            max_timestamp_ms: i64::from_be_bytes(field(bytes, 35)?),
            producer_id: i64::from_be_bytes(field(bytes, 43)?),
            producer_epoch: i16::from_be_bytes(field(bytes, 51)?),
            base_sequence: i32::from_be_bytes(field(bytes, 53)?),
            record_count: i32::from_be_bytes(field(bytes, 57)?),
        };
        Some((header, i8::from_be_bytes(field(bytes, 16)?)))
    }

    /// The offset of the last record.
    #[must_use]
    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// The offset that follows the batch.
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// How the records are compressed.
    ///
    /// # Errors
    /// [`Error::CorruptBatch`] if the attributes name an unknown codec.
    pub fn compression(&self) -> Result<Compression> {
        Compression::from_attributes(self.attributes)
    }

    /// Whether the timestamps are the time of the append rather than the producer's.
    #[must_use]
    pub fn is_log_append_time(&self) -> bool {
        self.attributes & TIMESTAMP_TYPE_BIT != 0
    }

    /// Whether the batch belongs to a transaction.
    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_BIT != 0
    }

    /// Whether the batch holds a transaction marker instead of data.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL_BIT != 0
    }
}

trait Checked {
    fn checked(self) -> Result<BatchHeader>;
}

impl Checked for (BatchHeader, i8) {
    fn checked(self) -> Result<BatchHeader> {
        let (header, magic) = self;
        if magic != 2 {
            return Err(Error::corrupt(format!("magic is {magic}, expected 2")));
        }
        if header.size_bytes < HEADER_BYTES {
            return Err(Error::corrupt(format!(
                "its length is {} bytes, the header alone has {HEADER_BYTES}",
                header.size_bytes
            )));
        }
        if header.last_offset_delta < 0 || header.record_count < 0 {
            return Err(Error::corrupt("a count is negative"));
        }
        Ok(header)
    }
}

/// Splits the first whole batch off `bytes`; `Ok(None)` if `bytes` ends inside it.
///
/// # Errors
/// [`Error::CorruptBatch`] as [`BatchHeader::parse`] does.
pub fn split_batch(bytes: &[u8]) -> Result<Option<(BatchHeader, &[u8], &[u8])>> {
    if bytes.len() < HEADER_BYTES {
        return Ok(None);
    }
    let header = BatchHeader::parse(bytes)?;
    Ok(bytes.split_at_checked(header.size_bytes).map(|(batch, rest)| (header, batch, rest)))
}

/// Gives a batch its place in the partition; the CRC does not cover these bytes.
pub fn set_base_offset(batch: &mut [u8], base_offset: i64) {
    if let Some(place) = batch.first_chunk_mut::<8>() {
        *place = base_offset.to_be_bytes();
    }
}

/// The same, with the epoch of the leader, which has always been this one.
pub(crate) fn set_place(batch: &mut [u8], base_offset: i64) {
    const LEADER_EPOCH: i32 = 0;
    set_base_offset(batch, base_offset);
    put(batch, LEADER_EPOCH_AT, &LEADER_EPOCH.to_be_bytes());
}

/// Whether the batch's bytes match its CRC.
pub(crate) fn crc_matches(header: &BatchHeader, batch: &[u8]) -> bool {
    batch.get(CRC_COVERS_FROM..).is_some_and(|covered| crc_fast::crc32_iscsi(covered) == header.crc)
}

//! Transaction markers: control batches of one record.

use super::header::{CONTROL_BIT, TRANSACTIONAL_BIT};
use super::{BatchBuilder, BatchReader};
use crate::Result;

/// How a transaction ended in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlType {
    /// Its records are to be skipped by `read_committed` readers.
    Abort,
    /// Its records count.
    Commit,
}

/// The marker that ends the transaction of this producer in one partition (KIP-98).
///
/// # Errors
/// None in practice: the batch is not compressed.
pub fn control_batch(kind: ControlType, producer_id: i64, producer_epoch: i16, timestamp_ms: i64) -> Result<Vec<u8>> {
    let kind: i16 = if kind == ControlType::Commit { 1 } else { 0 };
    let mut key = 0i16.to_be_bytes().to_vec();
    key.extend_from_slice(&kind.to_be_bytes());
    let mut value = 0i16.to_be_bytes().to_vec();
    value.extend_from_slice(&0i32.to_be_bytes());
    let mut builder = BatchBuilder::new()
        .with_producer(producer_id, producer_epoch, -1)
        .with_attributes(TRANSACTIONAL_BIT | CONTROL_BIT);
    builder.push(timestamp_ms, Some(&key), Some(&value));
    builder.finish()
}

impl ControlType {
    /// What a control batch says; `None` for a kind that later versions of the protocol add.
    ///
    /// # Errors
    /// [`crate::Error::CorruptBatch`] if the batch is damaged.
    pub fn of(batch: &[u8]) -> Result<Option<Self>> {
        let reader = BatchReader::new(batch)?;
        let Some(record) = reader.iter().next().transpose()? else { return Ok(None) };
        Ok(match record.key {
            Some([_, _, 0, 0]) => Some(Self::Abort),
            Some([_, _, 0, 1]) => Some(Self::Commit),
            _ => None,
        })
    }
}

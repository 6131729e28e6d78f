//! What is refused before it reaches the log.

use kafka_protocol::ResponseError;
use millstream_log::TopicInfo;
use millstream_log::record::{BatchHeader, BatchReader, Compression};

use crate::broker::LEADER_EPOCH;
use crate::code::code_of;

/// `max.message.bytes`.
const BATCH_BYTES_MAX: usize = 1_048_588;
/// Where the magic byte is, in every format of batches.
const MAGIC_AT: usize = 16;
/// Where the epoch of the leader is; the CRC does not cover it.
const LEADER_EPOCH_AT: std::ops::Range<usize> = 12..16;
const ZSTD_SINCE: i16 = 7;

/// Why a batch was not appended.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) code: i16,
    pub(super) message: Option<String>,
    /// The records that are to blame, by their place in the batch.
    pub(super) records: Vec<(i32, &'static str)>,
}

impl From<ResponseError> for Refused {
    fn from(error: ResponseError) -> Self {
        Self { code: error.code(), message: None, records: Vec::new() }
    }
}

impl From<millstream_log::Error> for Refused {
    fn from(error: millstream_log::Error) -> Self {
        Self { code: code_of(&error), message: Some(error.to_string()), records: Vec::new() }
    }
}

fn refuse(error: ResponseError, message: impl Into<String>) -> Result<(), Refused> {
    Err(Refused { code: error.code(), message: Some(message.into()), records: Vec::new() })
}

/// Refuses what the topic does not take. The log itself checks the CRC.
pub(super) fn check(topic: &TopicInfo, batch: &[u8], version: i16) -> Result<(), Refused> {
    if batch.get(MAGIC_AT).is_some_and(|magic| *magic < 2) {
        let message = "batches of magic 0 and 1 are not taken; they end with Kafka 0.11";
        return refuse(ResponseError::UnsupportedForMessageFormat, message);
    }
    let header = BatchHeader::parse(batch)?;
    if header.size_bytes < batch.len() {
        return refuse(ResponseError::InvalidRecord, "a partition takes one record batch a request");
    }
    if header.size_bytes > BATCH_BYTES_MAX {
        let message = format!("the batch has {} bytes, max.message.bytes is {BATCH_BYTES_MAX}", header.size_bytes);
        return refuse(ResponseError::MessageTooLarge, message);
    }
    if header.compression()? == Compression::Zstd && version < ZSTD_SINCE {
        return refuse(ResponseError::UnsupportedCompressionType, "zstd needs version 7 of Produce");
    }
    Ok(())
}

/// Compaction keeps records by their keys, so each must have one.
fn check_keys(batch: &[u8]) -> Result<(), Refused> {
    let mut records = Vec::new();
    for (index, record) in (0..).zip(BatchReader::new(batch)?.iter()) {
        if record?.key.is_none() {
            records.push((index, "a compacted topic cannot take a record without a key"));
        }
    }
    if records.is_empty() {
        return Ok(());
    }
    let message = Some("a compacted topic cannot take records without keys".to_owned());
    Err(Refused { code: ResponseError::InvalidRecord.code(), message, records })
}

/// The batch with the epoch of its leader, which producers leave open.
pub(super) fn with_leader_epoch(batch: &[u8]) -> Vec<u8> {
    let mut batch = batch.to_vec();
    if let Some(place) = batch.get_mut(LEADER_EPOCH_AT) {
        place.copy_from_slice(&LEADER_EPOCH.to_be_bytes());
    }
    batch
}

//! What is refused before it reaches the log.

use kafka_protocol::ResponseError;
use millstream_log::Error;
use millstream_log::record::{BatchHeader, Compression};

use crate::broker::LEADER_EPOCH;
use crate::code::code_of;

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
    pub(super) records: Vec<(i32, String)>,
}

impl From<ResponseError> for Refused {
    fn from(error: ResponseError) -> Self {
        Self { code: error.code(), message: None, records: Vec::new() }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let (code, message) = (code_of(&error), Some(error.to_string()));
        let Error::InvalidRecords { records, reason, .. } = error else {
            return Self { code, message, records: Vec::new() };
        };
        Self { code, message, records: records.into_iter().map(|index| (index, reason.clone())).collect() }
    }
}

fn refuse(error: ResponseError, message: impl Into<String>) -> Result<(), Refused> {
    Err(Refused { code: error.code(), message: Some(message.into()), records: Vec::new() })
}

/// Refuses what cannot be appended as it is. The CRC and the settings of the topic are checked by the log.
pub(super) fn check(batch: &[u8], version: i16) -> Result<(), Refused> {
    if batch.get(MAGIC_AT).is_some_and(|magic| *magic < 2) {
        let message = "batches of magic 0 and 1 are not taken; they end with Kafka 0.11";
        return refuse(ResponseError::UnsupportedForMessageFormat, message);
    }
    let header = BatchHeader::parse(batch)?;
    if header.size_bytes < batch.len() {
        return refuse(ResponseError::InvalidRecord, "a partition takes one record batch a request");
    }
    if header.compression()? == Compression::Zstd && version < ZSTD_SINCE {
        return refuse(ResponseError::UnsupportedCompressionType, "zstd needs version 7 of Produce");
    }
    Ok(())
}

/// The batch with the epoch of its leader, which producers leave open.
pub(super) fn with_leader_epoch(batch: &[u8]) -> Vec<u8> {
    let mut batch = batch.to_vec();
    if let Some(place) = batch.get_mut(LEADER_EPOCH_AT) {
        place.copy_from_slice(&LEADER_EPOCH.to_be_bytes());
    }
    batch
}

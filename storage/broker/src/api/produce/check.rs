//! What is refused before it reaches the log.

use kafka_protocol::ResponseError;
use millstream_log::Error;
use millstream_log::record::{BatchHeader, Compression};

use crate::code::code_of;

/// Where the magic byte is, in every format of batches.
const MAGIC_AT: usize = 16;
/// Where it says how many bytes follow.
const LENGTH_AT: std::ops::Range<usize> = 8..12;
const ZSTD_SINCE: i16 = 7;

/// Why a batch was not appended.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) code: i16,
    pub(super) message: Option<String>,
    /// The records that are to blame, by their place in the batch, and why.
    pub(super) records: Vec<i32>,
    pub(super) reason: String,
}

impl Refused {
    fn new(code: i16, message: Option<String>) -> Self {
        Self { code, message, records: Vec::new(), reason: String::new() }
    }

    /// Whether the batch is sound but not what the partition takes: such an answer says where the log begins. The epoch
    /// of a transactional producer is for the coordinator to judge.
    pub(super) fn is_of_log(&self, has_transactional_id: bool) -> bool {
        let errors = [
            ResponseError::OutOfOrderSequenceNumber,
            ResponseError::DuplicateSequenceNumber,
            ResponseError::InvalidTimestamp,
        ];
        let is_epoch = self.code == ResponseError::InvalidProducerEpoch.code() && !has_transactional_id;
        is_epoch || !self.records.is_empty() || errors.iter().any(|error| error.code() == self.code)
    }
}

impl From<ResponseError> for Refused {
    fn from(error: ResponseError) -> Self {
        Self::new(error.code(), None)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let code = code_of(&error);
        match error {
            // The code says it all, as in Kafka.
            Error::UnknownTopic(_) | Error::UnknownPartition(_) => Self::new(code, None),
            Error::InvalidRecords { ref records, ref reason, .. } => {
                let (records, reason) = (records.clone(), reason.clone());
                Self { records, reason, ..Self::new(code, Some(error.to_string())) }
            }
            error => Self::new(code, Some(error.to_string())),
        }
    }
}

fn refuse<T>(error: ResponseError, message: impl Into<String>) -> Result<T, Refused> {
    Err(Refused::new(error.code(), Some(message.into())))
}

/// How many bytes the batch says it has.
fn size(batch: &[u8]) -> Option<usize> {
    let length = batch.get(LENGTH_AT)?.first_chunk::<4>()?;
    usize::try_from(i32::from_be_bytes(*length)).ok()?.checked_add(LENGTH_AT.end)
}

/// Refuses what cannot be appended as it is. The CRC and the settings of the topic are checked by the log.
pub(super) fn check(batch: &[u8], version: i16) -> Result<BatchHeader, Refused> {
    if batch.get(MAGIC_AT).is_some_and(|magic| *magic < 2) {
        let message = "batches of magic 0 and 1 are not taken; they end with Kafka 0.11";
        return refuse(ResponseError::InvalidRecord, message);
    }
    let is_whole = size(batch).is_some_and(|size| size <= batch.len());
    if !is_whole {
        return refuse(ResponseError::InvalidRecord, "a partition takes one whole record batch a request");
    }
    let header = BatchHeader::parse(batch)?;
    if header.size_bytes < batch.len() {
        return refuse(ResponseError::InvalidRecord, "a partition takes one record batch a request");
    }
    if header.compression()? == Compression::Zstd && version < ZSTD_SINCE {
        return refuse(ResponseError::UnsupportedCompressionType, "zstd needs version 7 of Produce");
    }
    Ok(header)
}

//! The log's errors as the protocol's error codes, in the one place where they meet.

use kafka_protocol::ResponseError;
use millstream_log::Error;

/// No error.
pub(crate) const NONE: i16 = 0;

/// The code by which a client knows what to do about an error of the log.
pub(crate) fn code_of(error: &Error) -> i16 {
    let code = match error {
        Error::UnknownTopic(_) | Error::UnknownPartition(_) => ResponseError::UnknownTopicOrPartition,
        Error::TopicExists(_) => ResponseError::TopicAlreadyExists,
        Error::InvalidTopic { .. } => ResponseError::InvalidTopicException,
        Error::NotDeletable { .. } => ResponseError::PolicyViolation,
        Error::OffsetOutOfRange { .. } => ResponseError::OffsetOutOfRange,
        Error::UnknownSetting(_) | Error::InvalidSetting { .. } => ResponseError::InvalidConfig,
        Error::InvalidPartitions { .. } => ResponseError::InvalidPartitions,
        Error::BatchTooLarge { .. } => ResponseError::MessageTooLarge,
        Error::InvalidRecords { is_timestamp: true, .. } => ResponseError::InvalidTimestamp,
        Error::InvalidRecords { .. } => ResponseError::InvalidRecord,
        Error::InvalidTransactionTimeout { .. } => ResponseError::InvalidTransactionTimeout,
        Error::InvalidTransactionState { .. } | Error::NotInTransaction { .. } => ResponseError::InvalidTxnState,
        Error::DuplicateSequence { .. } => ResponseError::DuplicateSequenceNumber,
        Error::CorruptBatch(_) => ResponseError::CorruptMessage,
        Error::Fenced { .. } => ResponseError::InvalidProducerEpoch,
        Error::OutOfOrderSequence { .. } => ResponseError::OutOfOrderSequenceNumber,
        Error::Damaged { .. } | Error::Locked { .. } | Error::Io { .. } | Error::Stopped(_) => {
            ResponseError::KafkaStorageError
        }
        _ => ResponseError::UnknownServerError,
    };
    code.code()
}

//! What librdkafka says, in the log's words.

use std::path::PathBuf;
use std::sync::Arc;

use millstream_log::Error;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// An error of the cluster or of the way to it, while something was tried.
pub(crate) fn cluster(action: &'static str, cluster: &str, error: KafkaError) -> Error {
    let source = Arc::new(std::io::Error::other(error));
    Error::Io { action, path: PathBuf::from(cluster), source }
}

/// Whether the error says that there is no such topic or partition.
pub(crate) fn is_unknown_topic(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
        )
    )
}

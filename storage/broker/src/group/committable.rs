//! What offsets may be committed in the name of a group.

use std::collections::BTreeSet;

use kafka_protocol::ResponseError;
use millstream_log::TopicPartition;

/// The partitions for which a client may commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Committable {
    Everything,
    /// Of other partitions its epoch is stale.
    Only(BTreeSet<TopicPartition>),
}

impl Committable {
    /// Whether an offset of this partition may be committed.
    pub(crate) fn check(&self, partition: &TopicPartition) -> Result<(), ResponseError> {
        match self {
            Self::Only(partitions) if !partitions.contains(partition) => Err(ResponseError::StaleMemberEpoch),
            _ => Ok(()),
        }
    }
}

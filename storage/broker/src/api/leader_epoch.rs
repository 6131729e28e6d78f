//! `OffsetForLeaderEpoch`: where the records of a leader end. There is one leader, and it never changes.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use kafka_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use millstream_log::{Log, TopicPartition};

use crate::broker::LEADER_EPOCH;
use crate::call::Call;
use crate::code::code_of;

/// Whether there is such a partition, and its leader is as new as the client believes (-1 if it does not care).
pub(super) fn check_epoch(log: &dyn Log, partition: &TopicPartition, epoch: i32) -> Result<(), ResponseError> {
    if log.offsets(partition).is_err() {
        Err(ResponseError::UnknownTopicOrPartition)
    } else if epoch > LEADER_EPOCH {
        Err(ResponseError::UnknownLeaderEpoch)
    } else {
        Ok(())
    }
}

pub(super) fn answer(call: &Call, request: OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let name: Arc<str> = topic.topic.as_str().into();
        let end = |asked: &OffsetForLeaderPartition| {
            let response =
                EpochEndOffset::default().with_partition(asked.partition).with_end_offset(-1).with_leader_epoch(-1);
            let log = &call.broker.log;
            let partition = TopicPartition::new(Arc::clone(&name), asked.partition);
            if let Err(error) = check_epoch(&**log, &partition, asked.current_leader_epoch) {
                return response.with_error_code(error.code());
            }
            match log.partition_offsets(&partition) {
                // Of a leader that never was nothing is known.
                Ok(_) if asked.leader_epoch != LEADER_EPOCH => response,
                Ok(offsets) => response.with_leader_epoch(LEADER_EPOCH).with_end_offset(offsets.high_watermark),
                Err(error) => response.with_error_code(code_of(&error)),
            }
        };
        let partitions = topic.partitions.iter().map(end).collect();
        OffsetForLeaderTopicResult::default().with_topic(topic.topic).with_partitions(partitions)
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}

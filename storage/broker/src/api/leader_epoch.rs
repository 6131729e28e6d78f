//! `OffsetForLeaderEpoch`: where the records of a leader end. There is one leader, and it never changes.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use kafka_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use millstream_log::TopicPartition;

use crate::broker::LEADER_EPOCH;
use crate::call::Call;
use crate::code::code_of;

pub(super) fn answer(call: &Call, request: OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let name: Arc<str> = topic.topic.as_str().into();
        let end = |asked: &OffsetForLeaderPartition| {
            let response =
                EpochEndOffset::default().with_partition(asked.partition).with_end_offset(-1).with_leader_epoch(-1);
            if asked.current_leader_epoch > LEADER_EPOCH {
                return response.with_error_code(ResponseError::UnknownLeaderEpoch.code());
            }
            match call.broker.log.partition_offsets(&TopicPartition::new(Arc::clone(&name), asked.partition)) {
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

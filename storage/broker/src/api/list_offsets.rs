//! `ListOffsets`: the offset of a time, or of the beginning or the end.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use millstream_log::{EmbeddedLog, Isolation, Result, TimedOffset, TopicPartition};
use tokio::task::block_in_place;

use super::leader_epoch::check_epoch;
use crate::broker::LEADER_EPOCH;
use crate::call::Call;
use crate::code::code_of;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

/// An offset, and the timestamp of its record if one was looked for.
type Found = (i64, i64);
const NOTHING: Found = (-1, -1);

pub(super) fn answer(call: &Call, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let isolation = isolation(request.isolation_level);
    let topics = request.topics.into_iter().map(|topic| {
        let name: Arc<str> = topic.name.as_str().into();
        let partition = |asked: ListOffsetsPartition| {
            let partition = TopicPartition::new(Arc::clone(&name), asked.partition_index);
            let response = ListOffsetsPartitionResponse::default().with_partition_index(asked.partition_index);
            if asked.timestamp < LATEST_TIERED {
                // A kind of offset that later versions add.
                return response.with_error_code(ResponseError::UnsupportedVersion.code());
            }
            if let Err(error) = check_epoch(&*call.broker.log, &partition, asked.current_leader_epoch) {
                return response.with_error_code(error.code());
            }
            match block_in_place(|| find(&call.broker.log, &partition, asked.timestamp, isolation)) {
                Ok((offset, timestamp)) => {
                    let epoch = if offset < 0 { -1 } else { LEADER_EPOCH };
                    let response = response.with_offset(offset).with_timestamp(timestamp);
                    if call.version >= 4 { response.with_leader_epoch(epoch) } else { response }
                }
                Err(error) => response.with_error_code(code_of(&error)),
            }
        };
        ListOffsetsTopicResponse::default()
            .with_name(topic.name.clone())
            .with_partitions(topic.partitions.into_iter().map(partition).collect())
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

/// How a request says which records it wants to see.
pub(super) fn isolation(level: i8) -> Isolation {
    if level == 0 { Isolation::ReadUncommitted } else { Isolation::ReadCommitted }
}

fn find(log: &EmbeddedLog, partition: &TopicPartition, timestamp: i64, isolation: Isolation) -> Result<Found> {
    let offsets = log.partition_offsets(partition)?;
    let timed = |found: Option<TimedOffset>| found.map_or(NOTHING, |found| (found.offset, found.timestamp_ms));
    match timestamp {
        EARLIEST | EARLIEST_LOCAL => Ok((offsets.log_start, -1)),
        LATEST_TIERED => Ok(NOTHING),
        LATEST if isolation == Isolation::ReadCommitted => Ok((offsets.last_stable, -1)),
        LATEST => Ok((offsets.high_watermark, -1)),
        MAX_TIMESTAMP => Ok(timed(log.offset_of_greatest_time(partition, isolation)?)),
        timestamp => Ok(timed(log.offset_for_time(partition, timestamp, isolation)?)),
    }
}

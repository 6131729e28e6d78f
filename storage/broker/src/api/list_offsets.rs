//! `ListOffsets`: the offset of a time, or of the beginning or the end.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use millstream_log::record::BatchReader;
use millstream_log::{Isolation, Log, Result, TopicPartition};

use crate::broker::LEADER_EPOCH;
use crate::call::Call;
use crate::code::code_of;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

const SCAN_BYTES: usize = 1 << 20;

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
            if asked.current_leader_epoch > LEADER_EPOCH {
                return response.with_error_code(ResponseError::UnknownLeaderEpoch.code());
            }
            match find(&*call.broker.log, &partition, asked.timestamp, isolation) {
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

fn find(log: &dyn Log, partition: &TopicPartition, timestamp: i64, isolation: Isolation) -> Result<Found> {
    let (start, stable) = log.offsets(partition)?;
    match timestamp {
        EARLIEST | EARLIEST_LOCAL => Ok((start, -1)),
        LATEST_TIERED => Ok(NOTHING),
        LATEST if isolation == Isolation::ReadCommitted => Ok((stable, -1)),
        LATEST => Ok((log.fetch(partition, stable, 1, isolation)?.high_watermark, -1)),
        MAX_TIMESTAMP => newest(log, partition, isolation),
        timestamp => first_since(log, partition, timestamp, isolation),
    }
}

/// The first record whose timestamp is not before `timestamp`.
fn first_since(log: &dyn Log, partition: &TopicPartition, timestamp: i64, isolation: Isolation) -> Result<Found> {
    scan(log, partition, isolation, |batch| {
        if batch.header().max_timestamp_ms < timestamp {
            return Ok(None);
        }
        for record in batch.iter() {
            let record = record?;
            if record.timestamp_ms >= timestamp {
                return Ok(Some((record.offset, record.timestamp_ms)));
            }
        }
        Ok(None)
    })
    .map(|found| found.unwrap_or(NOTHING))
}

/// The first record with the greatest timestamp.
fn newest(log: &dyn Log, partition: &TopicPartition, isolation: Isolation) -> Result<Found> {
    let mut newest = NOTHING;
    scan(log, partition, isolation, |batch| {
        if batch.header().max_timestamp_ms <= newest.1 {
            return Ok(None);
        }
        for record in batch.iter() {
            let record = record?;
            if record.timestamp_ms > newest.1 {
                newest = (record.offset, record.timestamp_ms);
            }
        }
        Ok(None::<()>)
    })?;
    Ok(newest)
}

/// Hands batches to `visit` until it has found something.
fn scan<T>(
    log: &dyn Log,
    partition: &TopicPartition,
    isolation: Isolation,
    mut visit: impl FnMut(&BatchReader<'_>) -> Result<Option<T>>,
) -> Result<Option<T>> {
    let (mut offset, _) = log.offsets(partition)?;
    loop {
        let fetched = log.fetch(partition, offset, SCAN_BYTES, isolation)?;
        for batch in fetched.batches() {
            if let Some(found) = visit(&batch?)? {
                return Ok(Some(found));
            }
        }
        if fetched.next_offset <= offset {
            return Ok(None);
        }
        offset = fetched.next_offset;
    }
}

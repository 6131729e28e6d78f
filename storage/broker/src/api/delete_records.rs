//! `DeleteRecords`: giving up the beginning of partitions.

use std::sync::Arc;

use kafka_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use millstream_log::{Log, TopicPartition};
use tokio::task::block_in_place;

use crate::call::Call;
use crate::code::code_of;

/// All that there is.
const UP_TO_THE_END: i64 = -1;

pub(super) fn answer(call: &Call, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let name: Arc<str> = topic.name.as_str().into();
        let partitions = topic.partitions.iter().map(|asked| {
            let partition = TopicPartition::new(Arc::clone(&name), asked.partition_index);
            let result = DeleteRecordsPartitionResult::default().with_partition_index(asked.partition_index);
            match block_in_place(|| delete(call, &partition, asked.offset)) {
                Ok(low_watermark) => result.with_low_watermark(low_watermark),
                Err(code) => result.with_error_code(code).with_low_watermark(-1),
            }
        });
        let partitions = partitions.collect();
        DeleteRecordsTopicResult::default().with_name(topic.name).with_partitions(partitions)
    });
    DeleteRecordsResponse::default().with_topics(topics.collect())
}

fn delete(call: &Call, partition: &TopicPartition, offset: i64) -> Result<i64, i16> {
    let log = &call.broker.log;
    let deleted = log.partition_offsets(partition).and_then(|offsets| {
        let before = if offset == UP_TO_THE_END { offsets.high_watermark } else { offset };
        log.delete_records(partition, before)?;
        Ok(log.partition_offsets(partition)?.log_start)
    });
    deleted.map_err(|error| code_of(&error))
}

//! The processing log: a stream of what went wrong with single records.

use millstream_exec::Context;
use millstream_log::record::BatchBuilder;
use millstream_log::{Log, TopicPartition, TopicSpec};
use millstream_sql::Value;

use crate::Result;

/// The topic, as ksqlDB names it.
pub(crate) const TOPIC: &str = "default_ksql_processing_log";
/// The statement that makes the stream.
pub(crate) const STATEMENT: &str = "CREATE STREAM KSQL_PROCESSING_LOG (QUERY STRING, WHAT STRING, REASON STRING, \
     PARTITION_NUMBER INT, OFFSET_NUMBER BIGINT, FAILED BIGINT) \
     WITH (KAFKA_TOPIC='default_ksql_processing_log', VALUE_FORMAT='JSON', KEY_FORMAT='NONE')";

/// Writes entries of the processing log.
#[derive(Debug, Clone)]
pub(crate) struct ProcessingLog {
    partition: TopicPartition,
}

impl ProcessingLog {
    /// Makes the topic if it is not there.
    pub(crate) fn open(log: &dyn Log) -> Result<Self> {
        if log.topic(TOPIC)?.is_none() {
            log.create_topic(&TopicSpec::new(TOPIC, 1))?;
        }
        Ok(Self { partition: TopicPartition::new(TOPIC, 0) })
    }

    /// The errors of an epoch: the first ones whole, and how many there were.
    pub(crate) fn batch(
        &self,
        query: &str,
        context: &Context,
        now_ms: i64,
    ) -> Result<Option<(TopicPartition, Vec<u8>)>> {
        if context.error_count == 0 {
            return Ok(None);
        }
        let mut batch = BatchBuilder::new();
        let left_out = context.error_count - context.errors.len() as u64;
        for (at, error) in context.errors.iter().enumerate() {
            // The last entry also stands for those that were not kept.
            let failed = if at + 1 == context.errors.len() { 1 + left_out } else { 1 };
            let number = |number: Option<i64>| number.map_or(Value::Null, Value::Integer);
            let entry = Value::Struct(vec![
                ("QUERY".to_owned(), Value::String(query.to_owned())),
                ("WHAT".to_owned(), Value::String(error.what.clone())),
                ("REASON".to_owned(), Value::String(error.reason.clone())),
                ("PARTITION_NUMBER".to_owned(), number(error.place.map(|(partition, _)| partition.into()))),
                ("OFFSET_NUMBER".to_owned(), number(error.place.map(|(_, offset)| offset))),
                ("FAILED".to_owned(), Value::Integer(failed as i64)),
            ]);
            batch.push(now_ms, None, Some(entry.to_string().as_bytes()));
        }
        Ok(Some((self.partition.clone(), batch.finish()?)))
    }
}

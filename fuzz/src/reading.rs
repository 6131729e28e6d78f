//! Reads all that a log has, and checks that a reader comes to its end.

use millstream_log::record::{BatchReader, ControlType};
use millstream_log::{EmbeddedLog, Isolation, Log, Result, TopicPartition};

/// Every record of every partition, by every way to look it up. Damage is an answer, standing still is not.
pub fn read_everything(log: &EmbeddedLog) {
    let topics = log.topics().unwrap_or_default();
    for partition in topics.iter().flat_map(|topic| topic.topic_partitions()) {
        for isolation in [Isolation::ReadCommitted, Isolation::ReadUncommitted] {
            let _ = read(log, &partition, isolation);
            for timestamp_ms in [i64::MIN, 0, 1_000, i64::MAX] {
                let _ = log.offset_for_time(&partition, timestamp_ms, isolation);
            }
            let _ = log.offset_of_greatest_time(&partition, isolation);
        }
        let _ = log.partition_offsets(&partition);
        let _ = log.producers(&partition);
    }
    let _ = log.transactions();
    for group in log.groups() {
        let _ = log.group_offsets(&group);
    }
}

/// The number of records that a reader of this isolation sees.
pub fn read(log: &EmbeddedLog, partition: &TopicPartition, isolation: Isolation) -> Result<usize> {
    let (mut offset, _) = log.offsets(partition)?;
    let mut records = 0;
    loop {
        let fetched = log.fetch(partition, offset, 1 << 10, isolation)?;
        for batch in fetched.all_batches() {
            let (header, batch) = batch?;
            if header.is_control() {
                let _ = ControlType::of(batch);
            }
        }
        for batch in fetched.batches() {
            records += walk(&batch?)?;
        }
        if fetched.next_offset == offset {
            return Ok(records);
        }
        assert!(fetched.next_offset > offset, "a reader at {offset} is sent back to {}", fetched.next_offset);
        offset = fetched.next_offset;
    }
}

/// Looks at every field of a batch's records and returns how many there are.
pub fn walk(batch: &BatchReader<'_>) -> Result<usize> {
    let mut records = 0;
    for record in batch.iter() {
        for header in record?.headers() {
            header?;
        }
        records += 1;
    }
    Ok(records)
}

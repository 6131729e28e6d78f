//! What a batch must be like to be appended, and what its topic makes of it.

use crate::incoming::Incoming;
use crate::record::{BatchHeader, BatchReader, Rewrite, crc_matches, rewrite};
use crate::{Error, Result, TopicConfig, TopicPartition};

/// Refuses batches that could not be read back.
pub(super) fn check_batch(header: &BatchHeader, batch: &[u8]) -> Result<()> {
    if header.is_control() {
        return Err(Error::corrupt("it is a transaction marker, which only the log itself writes"));
    }
    if header.record_count == 0 || header.last_offset_delta != header.record_count - 1 {
        return Err(Error::corrupt("its count of records does not fit its offsets"));
    }
    header.compression()?;
    if !batch.get(..header.size_bytes).is_some_and(|whole| crc_matches(header, whole)) {
        return Err(Error::corrupt("its CRC does not match"));
    }
    Ok(())
}

/// Refuses a producer's batch that breaks a rule of its topic: its size, the age of its records, and keys where the
/// topic is compacted. What the engine writes as a unit is not held to them, since nobody could send it in smaller parts.
pub(super) fn check_records(
    header: &BatchHeader,
    batch: &[u8],
    to: &TopicPartition,
    config: &TopicConfig,
    now_ms: i64,
) -> Result<()> {
    let found = batch.len() as u64;
    if found > config.max_message_bytes {
        return Err(Error::BatchTooLarge { partition: to.clone(), found, max: config.max_message_bytes });
    }
    let has_bounds = config.timestamp_before_max_ms < i64::MAX || config.timestamp_after_max_ms < i64::MAX;
    let checks_time = has_bounds && !config.log_append_time;
    if !checks_time && !config.is_compacted() {
        return Ok(());
    }
    let (mut keyless, mut untimely) = (Vec::new(), Vec::new());
    for (at, record) in BatchReader::of_checked(*header, batch)?.iter().enumerate() {
        let record = record?;
        if config.is_compacted() && record.key.is_none() {
            keyless.push(at as i32);
        }
        let age_ms = now_ms.saturating_sub(record.timestamp_ms);
        let ahead_ms = record.timestamp_ms.saturating_sub(now_ms);
        if checks_time && (age_ms > config.timestamp_before_max_ms || ahead_ms > config.timestamp_after_max_ms) {
            untimely.push(at as i32);
        }
    }
    let refused = |records: Vec<i32>, is_timestamp, reason: &str| {
        Err(Error::InvalidRecords { partition: to.clone(), records, is_timestamp, reason: reason.to_owned() })
    };
    if !keyless.is_empty() {
        return refused(keyless, false, "the topic is compacted, so every record needs a key");
    }
    if !untimely.is_empty() {
        let bounds = "message.timestamp.before.max.ms and message.timestamp.after.max.ms";
        return refused(untimely, true, &format!("they are older or newer than {bounds} of the topic allow"));
    }
    Ok(())
}

/// The batch as its topic stores it.
pub(super) fn convert<'a>(
    header: &BatchHeader,
    batch: Incoming<'a>,
    config: &TopicConfig,
    now_ms: i64,
) -> Result<Incoming<'a>> {
    let append_time_ms = config.log_append_time.then_some(now_ms);
    rewrite(
        header,
        batch,
        Rewrite { append_time_ms, compression: config.compression, level: config.compression_level() },
    )
}

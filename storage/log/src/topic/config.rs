//! What can be set of a topic.

use std::collections::BTreeMap;

use crate::record::Compression;

/// `cleanup.policy`: what becomes of old records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CleanupPolicy {
    /// Old segments are deleted, by time and size.
    #[default]
    Delete,
    /// Of each key only the newest record is kept.
    Compact,
    /// Both.
    CompactAndDelete,
    /// Neither: everything is kept.
    Keep,
}

/// A topic's settings, by Kafka's names; [`super::TopicSetting::all`] reads and writes them as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicConfig {
    /// `cleanup.policy`.
    pub cleanup_policy: CleanupPolicy,
    /// `retention.ms`: older segments are deleted; -1 keeps them for ever.
    pub retention_ms: i64,
    /// `retention.bytes` of a partition; -1 is no limit.
    pub retention_bytes: i64,
    /// `segment.bytes`: when a partition starts its next file.
    pub segment_bytes: u64,
    /// `segment.ms`: how far apart in time the records of one file may be.
    pub segment_ms: i64,
    /// `segment.jitter.ms`: by how much less that may be.
    pub segment_jitter_ms: i64,
    /// `delete.retention.ms`: how long compaction keeps tombstones.
    pub delete_retention_ms: i64,
    /// `min.compaction.lag.ms`: younger records are not compacted.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`: older records are compacted however few they are.
    pub max_compaction_lag_ms: i64,
    /// `min.cleanable.dirty.ratio` in millionths: what part of the bytes must wait for compaction.
    pub min_cleanable_dirty_ppm: u32,
    /// `max.message.bytes`: a larger batch is refused.
    pub max_message_bytes: u64,
    /// `message.timestamp.type` is `LogAppendTime`: records get the time of their append.
    pub log_append_time: bool,
    /// `message.timestamp.before.max.ms`: how old a record may be when it comes.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far ahead of the clock a record may be when it comes.
    pub timestamp_after_max_ms: i64,
    /// `flush.messages`: so many batches may be acknowledged before they are on disk; 1 is none.
    pub flush_messages: i64,
    /// `flush.ms`: an acknowledged batch may wait so long for the disk; 0 is not at all.
    pub flush_ms: i64,
    /// `compression.type`; `None` keeps the producer's.
    pub compression: Option<Compression>,
    /// `compression.gzip.level` where `compression` is gzip; -1 is the codec's own.
    pub gzip_level: i32,
    /// `compression.zstd.level` where `compression` is zstd.
    pub zstd_level: i32,
    /// What was set, as it was given; [`TopicConfig::set`] fills it. Of settings without an effect it is the only place.
    pub given: BTreeMap<&'static str, String>,
}

const DAY_MS: i64 = 24 * 3_600_000;

impl Default for TopicConfig {
    fn default() -> Self {
        Self {
            cleanup_policy: CleanupPolicy::Delete,
            retention_ms: 7 * DAY_MS,
            retention_bytes: -1,
            segment_bytes: 1 << 30,
            segment_ms: 7 * DAY_MS,
            segment_jitter_ms: 0,
            delete_retention_ms: DAY_MS,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            min_cleanable_dirty_ppm: 500_000,
            max_message_bytes: 1_048_588,
            log_append_time: false,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: i64::MAX,
            flush_messages: 1,
            flush_ms: 0,
            compression: None,
            gzip_level: -1,
            zstd_level: 3,
            given: BTreeMap::new(),
        }
    }
}

impl TopicConfig {
    /// Whether `cleanup.policy` contains `compact`.
    #[must_use]
    pub fn is_compacted(&self) -> bool {
        matches!(self.cleanup_policy, CleanupPolicy::Compact | CleanupPolicy::CompactAndDelete)
    }

    /// Whether `cleanup.policy` contains `delete`.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        matches!(self.cleanup_policy, CleanupPolicy::Delete | CleanupPolicy::CompactAndDelete)
    }

    /// The level of the codec that batches are compressed anew with, where it has some.
    pub(crate) fn compression_level(&self) -> Option<i32> {
        match self.compression {
            Some(Compression::Gzip) => Some(self.gzip_level).filter(|level| *level > 0),
            Some(Compression::Zstd) => Some(self.zstd_level),
            _ => None,
        }
    }

    /// Whether batches may be acknowledged before they are on disk.
    #[must_use]
    pub fn is_relaxed(&self) -> bool {
        self.flush_messages > 1 || self.flush_ms > 0
    }

    /// After how long a partition starts its next file, where `random` is another number for each file. What is never sealed is
    /// never compacted.
    pub(crate) fn roll_ms(&self, random: u64) -> i64 {
        let jitter_ms = self.segment_jitter_ms.min(self.segment_ms).unsigned_abs();
        let by_age = self.segment_ms - random.checked_rem(jitter_ms).map_or(0, |ms| ms as i64);
        if self.is_compacted() { by_age.min(self.max_compaction_lag_ms) } else { by_age }
    }
}

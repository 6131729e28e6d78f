//! Topics and what they are made of.

mod config;
mod setting;

use std::fmt;
use std::sync::Arc;

use crate::group::OFFSETS_TOPIC;
use crate::{Error, Result};

pub use config::{CleanupPolicy, TopicConfig};
pub use setting::{SettingType, TopicSetting};

/// A topic's name makes the name of a folder.
pub(crate) const NAME_BYTES_MAX: usize = 249;

/// Where the log keeps transactional producers.
pub(crate) const STATE_TOPIC: &str = "__transaction_state";
/// The topics in which the log keeps its own records.
pub(crate) const INTERNAL_TOPICS: [&str; 2] = [OFFSETS_TOPIC, STATE_TOPIC];
/// A topic cannot have more partitions.
pub(crate) const PARTITIONS_MAX: i32 = 10_000;

/// One partition of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's number, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// The partition `partition` of `topic`.
    #[must_use]
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// What a new topic is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// Its number of partitions.
    pub partitions: i32,
    /// Its settings.
    pub config: TopicConfig,
}

impl TopicSpec {
    /// A topic with default settings.
    #[must_use]
    pub fn new(name: impl Into<String>, partitions: i32) -> Self {
        Self { name: name.into(), partitions, config: TopicConfig::default() }
    }

    /// The same topic with compaction instead of retention.
    #[must_use]
    pub fn compacted(mut self) -> Self {
        self.config.cleanup_policy = CleanupPolicy::Compact;
        self.kept_for_ever().in_small_segments()
    }

    /// The same topic in segments that are soon full: the last one is never compacted or deleted.
    #[must_use]
    pub fn in_small_segments(mut self) -> Self {
        self.config.segment_bytes = 16 << 20;
        self
    }

    /// The same topic with its records kept for ever. Where no file is deleted by its age, none need be started by it: a history
    /// of many years would lie in thousands of files.
    #[must_use]
    pub fn kept_for_ever(mut self) -> Self {
        self.config.retention_ms = -1;
        self.config.segment_ms = i64::MAX;
        self
    }

    /// Whether there can be such a topic.
    ///
    /// # Errors
    /// [`Error::InvalidTopic`], [`Error::InvalidSetting`].
    pub fn check(&self) -> Result<()> {
        let refuse = |reason: String| Err(Error::InvalidTopic { topic: self.name.clone(), reason });
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if self.name.is_empty() || self.name.len() > NAME_BYTES_MAX || self.name == "." || self.name == ".." {
            return refuse("a topic's name has 1 to 249 characters and is not \".\" or \"..\"".to_owned());
        }
        if let Some(bad) = self.name.chars().find(|&c| !legal(c)) {
            return refuse(format!("its name contains {bad:?}; letters, digits, '.', '_' and '-' are allowed"));
        }
        if !(1..=PARTITIONS_MAX).contains(&self.partitions) {
            let reason = format!("it cannot have {} partitions; 1 to {PARTITIONS_MAX} are allowed", self.partitions);
            return refuse(reason);
        }
        Ok(())
    }
}

/// A topic as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Its name.
    pub name: Arc<str>,
    /// Its number of partitions.
    pub partitions: i32,
    /// Its settings.
    pub config: TopicConfig,
}

impl TopicInfo {
    /// Whether the log keeps its own records in it.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        INTERNAL_TOPICS.contains(&&*self.name)
    }

    /// Its partitions in order.
    pub fn topic_partitions(&self) -> impl Iterator<Item = TopicPartition> + '_ {
        (0..self.partitions).map(|partition| TopicPartition::new(Arc::clone(&self.name), partition))
    }
}

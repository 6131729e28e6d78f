//! Topics that are there: their identity and size, changes of them, and what is to be done from time to time.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use super::api::check_public;
use super::topics::partitions_dir;
use super::{EmbeddedLog, LogOptions};
use crate::topic::PARTITIONS_MAX;
use crate::{Error, Log, Result, TopicConfig, TopicInfo, TopicPartition};

impl EmbeddedLog {
    /// Where the log lies.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.inner.options.dir
    }

    /// How it was opened.
    #[must_use]
    pub fn options(&self) -> &LogOptions {
        &self.inner.options
    }

    /// What tells the log of this data directory from all others: a UUID in base 64, as Kafka's clusters have.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        &self.inner.cluster_id
    }

    /// What tells a topic from all others of this log, also from one of the same name that was deleted before it was
    /// created; `None` if there is no such topic.
    #[must_use]
    pub fn topic_number(&self, name: &str) -> Option<u32> {
        self.inner.topics.read().unwrap_or_else(PoisonError::into_inner).number(name)
    }

    /// The name of the topic that has this number; `None` if none has it.
    #[must_use]
    pub fn topic_of_number(&self, number: u32) -> Option<Arc<str>> {
        self.inner.topics.read().unwrap_or_else(PoisonError::into_inner).of_number(number)
    }

    /// How much the segments of a partition hold.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`], [`Error::UnknownPartition`].
    pub fn partition_bytes(&self, partition: &TopicPartition) -> Result<u64> {
        Ok(self.inner.partition(partition)?.size_bytes())
    }

    /// Changes a topic's settings, durably; they hold for what is appended from then on, and for retention and
    /// compaction of all there is. If `change` fails, nothing is changed.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`], what `change` returns, or the disk's.
    pub fn alter_topic(&self, name: &str, change: impl FnOnce(&mut TopicConfig) -> Result<()>) -> Result<TopicInfo> {
        check_public(name)?;
        let inner = &self.inner;
        inner.gate.check()?;
        let mut topics = inner.topics.write().unwrap_or_else(PoisonError::into_inner);
        let mut info = topics.info(name).cloned().ok_or_else(|| Error::UnknownTopic(name.to_owned()))?;
        change(&mut info.config)?;
        info.config.check()?;
        topics.configure(name, info.config.clone());
        let written = topics.write(&*inner.options.io, &inner.options.dir);
        // Whether the old or the new settings are on disk is not known then.
        written.inspect_err(|error| inner.gate.fail(error))?;
        Ok(info)
    }

    /// Gives a topic more partitions, durably. Records stay where they are: those of one key may be in two
    /// partitions from then on.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`], [`Error::InvalidPartitions`] if that is no more than it has, or the disk's.
    pub fn create_partitions(&self, name: &str, count: i32) -> Result<TopicInfo> {
        check_public(name)?;
        let inner = &self.inner;
        inner.gate.check()?;
        let (io, dir) = (&*inner.options.io, &inner.options.dir);
        let mut topics = inner.topics.write().unwrap_or_else(PoisonError::into_inner);
        let before = topics.info(name).ok_or_else(|| Error::UnknownTopic(name.to_owned()))?.partitions;
        let refuse = |reason| Err(Error::InvalidPartitions { topic: name.to_owned(), asked: count, reason });
        if count <= before {
            return refuse(format!("it has {before}, and partitions can only be added"));
        }
        if count > PARTITIONS_MAX {
            return refuse(format!("{PARTITIONS_MAX} are the most"));
        }
        let added = topics.add_partitions(dir, name, count - before);
        let made = added.iter().try_for_each(|partition| {
            io.remove_dir(&partition.dir).map_err(Error::io("clear", &partition.dir))?;
            io.create_dir(&partition.dir).map_err(Error::io("create", &partition.dir))
        });
        let root = partitions_dir(dir);
        let made = made.and_then(|()| io.sync_dir(&root).map_err(Error::io("sync", &root)));
        if let Err(error) = made {
            topics.shrink(name, before);
            return Err(error);
        }
        topics.write(io, dir).inspect_err(|error| inner.gate.fail(error))?;
        drop(topics);
        self.topic(name)?.ok_or_else(|| Error::UnknownTopic(name.to_owned()))
    }

    /// Calls `callback` with the failure that stops the log ([`Error::Stopped`]), on the thread that meets it, or at once
    /// if it has stopped. It must be short and leave the log alone, some of whose locks may be held. Whoever writes is told
    /// by each ticket; this is for those who look after the program.
    pub fn on_stop(&self, callback: impl FnOnce(Error) + Send + 'static) {
        self.inner.gate.on_failure(callback);
    }

    /// Does what is due by the clock: aborts overdue transactions, syncs what was acknowledged before it was on
    /// disk, deletes and compacts old segments. The log's threads do it by themselves; with [`super::Flusher::Inline`] somebody must call it.
    ///
    /// # Errors
    /// The disk's.
    pub fn keep_house(&self) -> Result<()> {
        self.inner.keep_house()
    }
}

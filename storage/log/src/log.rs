//! The interface of a log, embedded or a cluster.

use std::sync::Arc;

use crate::{Fetched, GroupOffset, Isolation, Result, Ticket, TopicInfo, TopicPartition, TopicSpec, Watch};

/// A transactional producer, as [`crate::EmbeddedLog::init_producer`] made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Producer {
    /// Its id, which its batches carry.
    pub id: i64,
    /// Its epoch: of two producers with one id the greater epoch wins.
    pub epoch: i16,
}

/// Batches for any number of partitions, and the source offsets they were computed from, to be
/// written all or not at all.
#[derive(Debug, Clone, Default)]
pub struct WriteBatch {
    /// The record batches, in the order of their appending.
    pub batches: Vec<(TopicPartition, Vec<u8>)>,
    /// Whose offsets move, and to where.
    pub offsets: Vec<GroupOffset>,
}

/// A partitioned, durable log.
///
/// # Contract
/// - *Never blocks on others*: a fetch returns what is there, an append returns a ticket; it waits only while very
///   much is on its way to the disk, so that a slow disk slows down who writes and memory stays bounded. A fetch from which
///   nothing came says so by its next offset; what comes later wakes the watchers.
/// - *Order*: within a partition, records are read in the order of their appends, offsets only grow.
/// - *Durability*: after a ticket's success the records survive a crash; readers see no record that
///   might not.
/// - *Atomicity*: of [`Log::write`] a reader of isolation `ReadCommitted` and a crash see all or nothing.
/// - *Wake-up*: a watcher is called after each growth of what `ReadCommitted` readers see, with no
///   bound on how many growths one call stands for.
pub trait Log: Send + Sync {
    /// Creates a topic.
    ///
    /// # Errors
    /// [`crate::Error::TopicExists`], [`crate::Error::InvalidTopic`], or the disk's.
    fn create_topic(&self, spec: &TopicSpec) -> Result<TopicInfo>;

    /// Deletes a topic with its records and the offsets of groups that read it.
    ///
    /// # Errors
    /// [`crate::Error::UnknownTopic`], or the disk's.
    fn delete_topic(&self, name: &str) -> Result<()>;

    /// All topics by name, internal ones included.
    ///
    /// # Errors
    /// The disk's.
    fn topics(&self) -> Result<Vec<TopicInfo>>;

    /// One topic, `None` if there is none of this name.
    ///
    /// # Errors
    /// The disk's.
    fn topic(&self, name: &str) -> Result<Option<TopicInfo>>;

    /// Whole batches from the one that holds `offset` on: at least one if there is any, else no more
    /// than `bytes_max`. Nothing if `offset` is the end.
    ///
    /// # Errors
    /// [`crate::Error::OffsetOutOfRange`], [`crate::Error::UnknownTopic`], [`crate::Error::Damaged`], or the disk's.
    fn fetch(&self, from: &TopicPartition, offset: i64, bytes_max: usize, isolation: Isolation) -> Result<Fetched>;

    /// Appends one record batch; the ticket gives the offset of its first record.
    ///
    /// # Errors
    /// [`crate::Error::CorruptBatch`], [`crate::Error::UnknownTopic`], [`crate::Error::Stopped`], or the disk's.
    fn append(&self, to: &TopicPartition, batch: Vec<u8>) -> Result<Ticket<i64>>;

    /// Writes several batches and moves group offsets, atomically.
    ///
    /// # Errors
    /// As [`Log::append`]; then nothing of it will be seen.
    fn write(&self, batch: WriteBatch) -> Result<Ticket>;

    /// A group's committed offset: the next one it is to read.
    ///
    /// # Errors
    /// The disk's.
    fn group_offset(&self, group: &str, partition: &TopicPartition) -> Result<Option<i64>>;

    /// Forgets all offsets of a group.
    ///
    /// # Errors
    /// The disk's.
    fn delete_group(&self, group: &str) -> Result<()>;

    /// The first offset there is and the last stable offset.
    ///
    /// # Errors
    /// [`crate::Error::UnknownTopic`], [`crate::Error::UnknownPartition`].
    fn offsets(&self, partition: &TopicPartition) -> Result<(i64, i64)>;

    /// Gives up the records before an offset: nobody needs them any more. Until the next checkpoint a crash may
    /// bring them back.
    ///
    /// # Errors
    /// [`crate::Error::OffsetOutOfRange`] if the partition does not reach that far,
    /// [`crate::Error::NotDeletable`], [`crate::Error::UnknownTopic`].
    fn delete_records(&self, partition: &TopicPartition, before: i64) -> Result<()>;

    /// Calls `callback` after the partition has grown, until the result is dropped. The callback must
    /// be short and must not call the log.
    ///
    /// # Errors
    /// [`crate::Error::UnknownTopic`], [`crate::Error::UnknownPartition`].
    fn watch(&self, partition: &TopicPartition, callback: Arc<dyn Fn() + Send + Sync>) -> Result<Watch>;

    /// The wall clock in ms.
    fn now_ms(&self) -> i64;
}

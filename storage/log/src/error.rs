//! What can go wrong in the log, and what the user can do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{TopicPartition, TransactionState};

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the log.
///
/// It is `Clone` because one failed fsync fails everybody who waited for it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No topic has this name.
    #[error("topic \"{0}\" does not exist\nhelp: `SHOW TOPICS` lists the topics there are")]
    UnknownTopic(String),
    /// A topic of this name is there already.
    #[error("topic \"{0}\" exists already")]
    TopicExists(String),
    /// The name, the number of partitions or a configuration value cannot be used.
    #[error("topic \"{topic}\" cannot be created: {reason}")]
    InvalidTopic {
        /// The topic's name as given.
        topic: String,
        /// What is wrong with it and what would be right.
        reason: String,
    },
    /// No topic has a setting of this name.
    #[error("topics have no setting \"{0}\"\nhelp: the settings are Kafka's, such as retention.ms or cleanup.policy")]
    UnknownSetting(String),
    /// A setting of a topic cannot have this value.
    #[error("topic setting {name} cannot be \"{value}\": {reason}")]
    InvalidSetting {
        /// The setting's name.
        name: String,
        /// The value as given.
        value: String,
        /// What would be right.
        reason: String,
    },
    /// A topic cannot have so many partitions.
    #[error("topic \"{topic}\" cannot have {asked} partitions: {reason}")]
    InvalidPartitions {
        /// The topic.
        topic: String,
        /// The number asked for.
        asked: i32,
        /// What is wrong with it.
        reason: String,
    },
    /// A batch is larger than its topic allows.
    #[error(
        "a batch of {found} bytes is too large for {partition}, which takes {max}\nhelp: send smaller batches, or raise max.message.bytes of the topic"
    )]
    BatchTooLarge {
        /// Where it was to go.
        partition: TopicPartition,
        /// Its size in bytes.
        found: u64,
        /// What the topic allows.
        max: u64,
    },
    /// Records of a batch break a rule of their topic; nothing of the batch is appended.
    #[error("records of a batch cannot go to {partition}: {reason}")]
    InvalidRecords {
        /// Where they were to go.
        partition: TopicPartition,
        /// Which records of the batch, from 0.
        records: Vec<i32>,
        /// Whether it is their time that is wrong.
        is_timestamp: bool,
        /// The rule.
        reason: String,
    },
    /// The topic has no such partition.
    #[error("topic \"{}\" has no partition {}", .0.topic, .0.partition)]
    UnknownPartition(TopicPartition),
    /// The offset lies before the first or after the last record.
    #[error("offset {offset} of {partition} is out of range: it has offsets {start} to {end}")]
    OffsetOutOfRange {
        /// Where it was looked for.
        partition: TopicPartition,
        /// The offset asked for.
        offset: i64,
        /// The first offset there is.
        start: i64,
        /// The offset the next record will get.
        end: i64,
    },
    /// Records are to be deleted of a topic whose `cleanup.policy` is without `delete`.
    #[error("records of {partition} are not deleted on request: the cleanup.policy of its topic is without delete")]
    NotDeletable {
        /// Where they were to be deleted.
        partition: TopicPartition,
    },
    /// Bytes handed in or read are no valid record batch.
    #[error("not a valid record batch: {0}")]
    CorruptBatch(String),
    /// A file of the log is damaged.
    #[error(
        "{} is damaged at byte {position}: {reason}\nhelp: restore the file from a backup; \
         nothing was changed or cut", path.display()
    )]
    Damaged {
        /// The damaged file.
        path: PathBuf,
        /// Where in the file.
        position: u64,
        /// What is wrong there.
        reason: String,
    },
    /// The file is damaged that says which data directory this is. Nothing else depends on it.
    #[error(
        "{} is damaged: {reason}\nhelp: restore the file from a backup, or delete it: the directory gets a new cluster id; \
         restart Kafka clients that were connected, since some go to one cluster only", path.display()
    )]
    DamagedClusterId {
        /// The damaged file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process has the data directory open.
    #[error(
        "data directory {} is in use by {owner}\n\
         help: stop that process, or choose another directory with --data", dir.display()
    )]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// The owner, as it wrote itself into the lock file.
        owner: String,
    },
    /// The operating system refused a file operation.
    #[error("cannot {action} {}: {source}\nhelp: {}", path.display(), what_to_do(source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's reason.
        source: Arc<io::Error>,
    },
    /// An earlier write or fsync failed, so nothing more is acknowledged until the log is reopened.
    #[error(
        "the log has stopped after an earlier failure: {0}\nhelp: mend the cause, then restart; recovery keeps all that was acknowledged"
    )]
    Stopped(Box<Error>),
    /// A newer producer of the same transactional id has taken over.
    #[error("producer {id} epoch {epoch} is fenced: a newer one uses the same transactional id")]
    Fenced {
        /// The producer's id.
        id: i64,
        /// Its epoch.
        epoch: i16,
    },
    /// `transaction.timeout.ms` is out of bounds.
    #[error("transaction.timeout.ms cannot be {found}: 1 to {max} are allowed")]
    InvalidTransactionTimeout {
        /// What was asked for.
        found: i64,
        /// `transaction.max.timeout.ms`.
        max: i64,
    },
    /// A transaction that has ended cannot end in another way.
    #[error("the transaction of \"{transactional_id}\" cannot be {action}: its state is {state:?}")]
    InvalidTransactionState {
        /// Whose transaction.
        transactional_id: String,
        /// What was asked for.
        action: &'static str,
        /// What it is.
        state: TransactionState,
    },
    /// A batch came for a partition that was not added to the producer's transaction: the one it belongs to has ended.
    #[error("{partition} was not added to the transaction of \"{transactional_id}\"")]
    NotInTransaction {
        /// Whose transaction.
        transactional_id: String,
        /// Where the batch was to go.
        partition: TopicPartition,
    },
    /// A batch of an idempotent producer is not the next one.
    #[error("producer {id} sent sequence {found} to {partition}, expected {expected}")]
    OutOfOrderSequence {
        /// The producer's id.
        id: i64,
        /// Where it wrote to.
        partition: TopicPartition,
        /// The sequence that came.
        found: i32,
        /// The sequence that was due.
        expected: i32,
    },
    /// A batch of an idempotent producer came long ago: it is none of the last five.
    #[error("producer {id} sent sequence {found} to {partition} again: it was appended long ago, {expected} is due")]
    DuplicateSequence {
        /// The producer's id.
        id: i64,
        /// Where it wrote to.
        partition: TopicPartition,
        /// The sequence that came.
        found: i32,
        /// The sequence that was due.
        expected: i32,
    },
}

/// How to get the operating system to agree.
fn what_to_do(source: &io::Error) -> &'static str {
    use io::ErrorKind::{NotADirectory, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match source.kind() {
        StorageFull | QuotaExceeded => "make room on the disk; nothing that was acknowledged is lost",
        PermissionDenied => "give this user the right to write there, or choose another directory with --data",
        ReadOnlyFilesystem => "choose a directory on a file system that can be written, with --data",
        NotADirectory | io::ErrorKind::AlreadyExists => {
            "a file stands where a folder must be; choose another directory with --data"
        }
        _ => "see that the disk works and that the data directory can be written, or choose another one with --data",
    }
}

/// What the user can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Name something that exists, or choose another name.
    Request,
    /// The data handed in is wrong.
    Data,
    /// The environment: disk space, permissions, another process.
    Environment,
    /// A file was damaged from outside.
    Damage,
}

impl Error {
    /// Sorts the error by what to do next.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownTopic(_)
            | Self::TopicExists(_)
            | Self::InvalidTopic { .. }
            | Self::UnknownSetting(_)
            | Self::InvalidSetting { .. }
            | Self::InvalidPartitions { .. }
            | Self::UnknownPartition(_)
            | Self::Fenced { .. }
            | Self::InvalidTransactionTimeout { .. }
            | Self::InvalidTransactionState { .. }
            | Self::NotInTransaction { .. }
            | Self::NotDeletable { .. }
            | Self::OffsetOutOfRange { .. } => ErrorKind::Request,
            Self::CorruptBatch(_)
            | Self::BatchTooLarge { .. }
            | Self::InvalidRecords { .. }
            | Self::OutOfOrderSequence { .. }
            | Self::DuplicateSequence { .. } => ErrorKind::Data,
            Self::Locked { .. } | Self::Io { .. } => ErrorKind::Environment,
            Self::Damaged { .. } | Self::DamagedClusterId { .. } => ErrorKind::Damage,
            Self::Stopped(cause) => cause.kind(),
        }
    }

    pub(crate) fn corrupt(reason: impl Into<String>) -> Self {
        Self::CorruptBatch(reason.into())
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source: Arc::new(source) }
    }

    pub(crate) fn damaged(path: &Path, position: u64, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), position, reason: reason.into() }
    }
}

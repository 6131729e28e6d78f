//! A partitioned, durable log in one process, in Kafka's own record format.
//!
//! It is: topics of partitions, each a sequence of record batches kept verbatim; one journal that
//! makes any number of appends durable by one fsync; transactions; consumer groups' offsets;
//! notifications for readers at the tail. It is not: a network server, and it knows neither SQL
//! nor Arrow.
//!
//! ```
//! use millstream_log::record::BatchBuilder;
//! use millstream_log::{EmbeddedLog, Isolation, Log, LogOptions, TopicPartition, TopicSpec};
//!
//! let log = EmbeddedLog::open(LogOptions::in_memory()).unwrap();
//! log.create_topic(&TopicSpec::new("greetings", 1)).unwrap();
//! let partition = TopicPartition::new("greetings", 0);
//!
//! let mut batch = BatchBuilder::new();
//! batch.push(0, None, Some(b"hello"));
//! let appended = log.append(&partition, batch.finish().unwrap()).unwrap();
//! assert_eq!(appended.wait().unwrap(), 0); // on disk, at offset 0
//!
//! let fetched = log.fetch(&partition, 0, 1 << 20, Isolation::ReadCommitted).unwrap();
//! let reader = fetched.batches().next().unwrap().unwrap();
//! assert_eq!(reader.iter().next().unwrap().unwrap().value, Some(b"hello".as_slice()));
//! ```

mod buffers;
mod checkpoint;
mod codec;
mod embedded;
mod error;
mod extent;
mod fetch;
mod gate;
mod group;
mod incoming;
mod io;
mod journal;
mod log;
mod murmur;
mod partition;
mod producer_state;
mod range;
pub mod record;
mod segment;
mod signal;
mod sync_time;
mod ticket;
mod topic;
mod watch;

pub use embedded::{Appended, EmbeddedLog, Flusher, LogOptions, TransactionInfo, TransactionState, TransactionVersion};
pub use error::{Error, ErrorKind, Result};
pub use extent::Extent;
pub use fetch::{AbortedTransaction, Fetched, Isolation};
pub use group::{CommittedOffset, ENGINE_PREFIX, GroupOffset, OverdueOffset};
pub use io::{Disk, File, Io, Memory};
pub use log::{Log, Producer, WriteBatch};
pub use murmur::partition_for_key;
pub use partition::{PartitionOffsets, TimedOffset};
pub use producer_state::ProducerInfo;
pub use range::read_all;
pub use ticket::{Promise, Ticket};
pub use topic::{CleanupPolicy, SettingType, TopicConfig, TopicInfo, TopicPartition, TopicSetting, TopicSpec};
pub use watch::Watch;

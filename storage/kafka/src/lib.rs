//! [`millstream_log::Log`] over an Apache Kafka cluster, by librdkafka.
//!
//! It is: topics, fetches, appends, atomic writes as Kafka transactions, group offsets and notifications
//! over somebody else's brokers, with the same contract as the embedded log. It is not: a broker, nor yet
//! the placement of tasks on several machines.
//!
//! Kafka's clients hand out records, not batches: what is fetched is put into batches again, with its
//! own offsets. Everything that waits for the network waits on a thread of the log's own.
#![cfg(feature = "librdkafka")]

mod admin;
mod error;
mod log;
mod reader;
mod writer;

pub use log::KafkaLog;

//! The embedded log through its public interface, on disk, in memory and through crashes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod basics;
mod compaction;
mod crash;
mod crash_under_load;
mod earlier_versions;
mod enqueue;
mod idempotence;
mod locate;
mod settings;
mod times;
mod transaction_versions;
mod transactions;

use std::sync::Arc;

use millstream_log::record::BatchBuilder;
use millstream_log::{EmbeddedLog, Flusher, Io, Isolation, Log, LogOptions, TopicPartition};

fn options(io: impl Io + 'static) -> LogOptions {
    LogOptions { io: Arc::new(io), ..LogOptions::in_memory() }
}

fn batch<T: AsRef<str>>(values: &[T]) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for value in values {
        builder.push(1_000, None, Some(value.as_ref().as_bytes()));
    }
    builder.finish().unwrap()
}

/// Every value of a partition that a reader of this isolation sees, with its offset.
fn read(log: &EmbeddedLog, partition: &TopicPartition, isolation: Isolation) -> Vec<(i64, String)> {
    let (mut offset, end) = log.offsets(partition).unwrap();
    let mut values = Vec::new();
    while isolation == Isolation::ReadUncommitted || offset < end {
        let fetched = log.fetch(partition, offset, 300, isolation).unwrap();
        for batch in fetched.batches() {
            for record in batch.unwrap().iter() {
                let record = record.unwrap();
                if record.offset >= offset {
                    values.push((record.offset, String::from_utf8_lossy(record.value.unwrap()).into_owned()));
                }
            }
        }
        if fetched.next_offset == offset {
            break;
        }
        offset = fetched.next_offset;
    }
    values
}

fn threaded(dir: &std::path::Path) -> LogOptions {
    let options = LogOptions::on_disk(dir);
    assert_eq!(options.flusher, Flusher::Thread);
    options
}

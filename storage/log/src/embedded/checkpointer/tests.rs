//! What a power failure finds while a checkpoint is on its way, and after it.

use std::sync::Arc;

use crate::record::BatchBuilder;
use crate::{EmbeddedLog, Isolation, Log, LogOptions, Memory, TopicPartition, TopicSpec};

const JOURNALED_BYTES_MAX: usize = 150;
const SMALL: usize = 10;
const LARGE: usize = 2 * JOURNALED_BYTES_MAX;
const RETENTION_MS: i64 = 1_000_000;

/// How far a checkpoint has come.
#[derive(Clone, Copy, PartialEq)]
enum Checkpoint {
    Captured,
    Complete,
}

fn open(disk: &Memory) -> EmbeddedLog {
    let io = Arc::new(disk.clone());
    EmbeddedLog::open(LogOptions { io, journaled_bytes_max: JOURNALED_BYTES_MAX, ..LogOptions::in_memory() }).unwrap()
}

fn partition() -> TopicPartition {
    TopicPartition::new("t", 0)
}

fn append(log: &EmbeddedLog, value_bytes: usize) {
    let mut batch = BatchBuilder::new();
    batch.push(log.now_ms(), None, Some(&vec![b'x'; value_bytes]));
    log.append(&partition(), batch.finish().unwrap()).unwrap().wait().unwrap();
}

/// Appends, takes a checkpoint after so much time, appends again, and lets the power fail twice, the second time after a
/// recovery: how long each record is that is there afterwards.
fn fail(before: &[usize], wait_ms: i64, checkpoint: Checkpoint, after: &[usize]) -> Vec<usize> {
    let disk = Memory::with_crashes();
    let log = open(&disk);
    let mut spec = TopicSpec::new("t", 1);
    spec.config.retention_ms = RETENTION_MS;
    log.create_topic(&spec).unwrap();
    before.iter().for_each(|bytes| append(&log, *bytes));
    disk.advance_clock(wait_ms);
    let mut writer = log.inner.queue.writer(&log.inner.gate);
    let next = log.inner.create_journal(writer.number() + 1).unwrap();
    let capture = log.inner.capture(&mut writer, next).unwrap();
    drop(writer);
    match checkpoint {
        Checkpoint::Complete => drop(log.inner.complete(capture).unwrap()),
        Checkpoint::Captured => std::mem::forget(capture),
    }
    after.iter().for_each(|bytes| append(&log, *bytes));
    let image = disk.crash(|_| 0);
    std::mem::forget(log);
    let recovered = open(&image);
    let image = image.crash(|_| 0);
    std::mem::forget(recovered);
    let log = open(&image);
    let start = log.offsets(&partition()).unwrap().0;
    let fetched = log.fetch(&partition(), start, 1 << 20, Isolation::ReadCommitted).unwrap();
    let values = fetched.batches().flat_map(|batch| {
        let batch = batch.unwrap();
        batch.iter().map(|record| record.unwrap().value.unwrap().len()).collect::<Vec<_>>()
    });
    values.collect()
}

/// The checkpoint has yet to sync the name of the segment that the journal is to refer to.
#[test]
fn a_large_batch_behind_small_ones_is_not_acknowledged_before_its_segment_has_a_name() {
    for checkpoint in [Checkpoint::Captured, Checkpoint::Complete] {
        assert_eq!(fail(&[SMALL], 0, checkpoint, &[LARGE, SMALL]), [SMALL, LARGE, SMALL]);
    }
}

/// Retention has begun a segment, which the last checkpoint on disk may know or not.
#[test]
fn batches_in_the_segment_that_follows_expired_ones_are_found_there() {
    for checkpoint in [Checkpoint::Captured, Checkpoint::Complete] {
        for after in [&[LARGE][..], &[SMALL, LARGE], &[SMALL, LARGE, SMALL]] {
            assert_eq!(fail(&[SMALL, LARGE], 2 * RETENTION_MS, checkpoint, after), after);
        }
    }
}

//! Idempotent producers: what is sent again is stored once, also across restarts and power failures.

use millstream_log::record::BatchBuilder;
use millstream_log::{EmbeddedLog, Error, Isolation, Log, LogOptions, Memory, Producer, TopicPartition, TopicSpec};

use super::{options, read};

fn numbered(producer: Producer, sequence: i32) -> Vec<u8> {
    let mut builder = BatchBuilder::new().with_producer(producer.id, producer.epoch, sequence);
    builder.push(0, None, Some(sequence.to_string().as_bytes()));
    builder.finish().unwrap()
}

fn send(log: &EmbeddedLog, producer: Producer, sequence: i32) -> Result<i64, Error> {
    log.append(&TopicPartition::new("t", 0), numbered(producer, sequence))?.wait()
}

fn small(disk: &Memory) -> LogOptions {
    LogOptions { journal_bytes_max: 900, ..options(disk.clone()) }
}

#[test]
fn the_last_five_batches_are_known_after_a_clean_stop_and_a_power_failure() {
    for clean in [true, false] {
        let disk = Memory::with_crashes();
        let log = EmbeddedLog::open(small(&disk)).unwrap();
        log.create_topic(&TopicSpec::new("t", 1).kept_for_ever()).unwrap();
        let producer = log.init_idempotent_producer().unwrap();
        for sequence in 0..23 {
            assert_eq!(send(&log, producer, sequence).unwrap(), i64::from(sequence));
        }
        let disk = if clean {
            drop(log);
            disk
        } else {
            std::mem::forget(log);
            disk.crash(|_| 0)
        };
        let log = EmbeddedLog::open(small(&disk)).unwrap();
        for sequence in 18..23 {
            assert_eq!(send(&log, producer, sequence).unwrap(), i64::from(sequence));
        }
        assert!(matches!(send(&log, producer, 17), Err(Error::DuplicateSequence { expected: 23, .. })));
        assert!(matches!(send(&log, producer, 24), Err(Error::OutOfOrderSequence { expected: 23, .. })));
        assert_eq!(send(&log, producer, 23).unwrap(), 23);
        assert_eq!(read(&log, &TopicPartition::new("t", 0), Isolation::ReadCommitted).len(), 24);
        assert_ne!(log.init_idempotent_producer().unwrap().id, producer.id);
    }
}

/// A producer that sends again whatever was not acknowledged, over power failures at every operation.
#[test]
fn a_retry_after_a_power_failure_is_stored_once() {
    const BATCHES: i32 = 40;
    let run = |disk: &Memory, from: i32, producer: Option<Producer>| -> (i32, Option<Producer>) {
        let (mut acknowledged, mut known) = (from, producer);
        let Ok(log) = EmbeddedLog::open(small(disk)) else { return (from, producer) };
        if log.topic("t").unwrap().is_none() && log.create_topic(&TopicSpec::new("t", 1).kept_for_ever()).is_err() {
            return (from, producer);
        }
        let Some(producer) = producer.or_else(|| log.init_idempotent_producer().ok()) else { return (from, None) };
        known.get_or_insert(producer);
        for sequence in from..BATCHES {
            match send(&log, producer, sequence) {
                Ok(offset) => assert_eq!(offset, i64::from(sequence)),
                Err(Error::OutOfOrderSequence { .. } | Error::DuplicateSequence { .. }) => panic!("at {sequence}"),
                Err(_) => break,
            }
            acknowledged = sequence + 1;
        }
        std::mem::forget(log);
        (acknowledged, known)
    };
    let operations = {
        let disk = Memory::with_crashes();
        assert_eq!(run(&disk, 0, None).0, BATCHES);
        disk.operations()
    };
    for operation in (0..operations).step_by(3) {
        for keep in [0, 1] {
            let disk = Memory::with_crashes();
            disk.fail_after(operation);
            let (acknowledged, producer) = run(&disk, 0, None);
            let image = disk.crash(|possibilities| if keep == 0 { 0 } else { possibilities - 1 });
            assert_eq!(run(&image, acknowledged, producer).0, BATCHES, "operation {operation}");
            let log = EmbeddedLog::open(small(&image)).unwrap();
            let values: Vec<_> = read(&log, &TopicPartition::new("t", 0), Isolation::ReadCommitted)
                .into_iter()
                .map(|(_, v)| v)
                .collect();
            assert_eq!(values, (0..BATCHES).map(|i| i.to_string()).collect::<Vec<_>>(), "operation {operation}");
        }
    }
}

#[test]
fn a_producer_that_was_idle_for_long_may_start_anywhere() {
    let disk = Memory::new();
    let mut log = EmbeddedLog::open(small(&disk)).unwrap();
    log.create_topic(&TopicSpec::new("t", 1).kept_for_ever()).unwrap();
    let producer = log.init_idempotent_producer().unwrap();
    send(&log, producer, 5).unwrap();
    assert!(send(&log, producer, 9).is_err());
    disk.advance_clock(25 * 3_600_000);
    // A clean stop writes a checkpoint, which is when producers expire.
    drop(log);
    log = EmbeddedLog::open(small(&disk)).unwrap();
    assert!(log.producers(&TopicPartition::new("t", 0)).unwrap().is_empty());
    send(&log, producer, 9).unwrap();
}

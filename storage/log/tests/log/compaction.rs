//! Compaction keeps the newest record of each key, whatever happens meanwhile.

use std::collections::BTreeMap;

use millstream_log::record::{BatchBuilder, Compression};
use millstream_log::{EmbeddedLog, Error, Isolation, Log, LogOptions, Memory, TopicPartition, TopicSpec};
use proptest::prelude::*;

use super::crash::Seeded;
use super::options;

type Table = BTreeMap<String, String>;

fn small(disk: &Memory) -> LogOptions {
    LogOptions { journal_bytes_max: 3_000, ..options(disk.clone()) }
}

fn spec() -> TopicSpec {
    let mut spec = TopicSpec::new("c", 1).compacted();
    spec.config.segment_bytes = 700;
    spec
}

fn partition() -> TopicPartition {
    TopicPartition::new("c", 0)
}

/// All records that readers see: offset, key, value.
fn records(log: &EmbeddedLog) -> Vec<(i64, String, Option<String>)> {
    let (mut offset, end) = log.offsets(&partition()).unwrap();
    let mut all = Vec::new();
    while offset < end {
        let fetched = log.fetch(&partition(), offset, 300, Isolation::ReadCommitted).unwrap();
        for batch in fetched.batches() {
            for record in batch.unwrap().iter() {
                let record = record.unwrap();
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                all.push((record.offset, text(record.key.unwrap()), record.value.map(text)));
            }
        }
        assert!(fetched.next_offset > offset, "a reader would stand still at {offset}");
        offset = fetched.next_offset;
    }
    all
}

fn table(records: impl IntoIterator<Item = (i64, String, Option<String>)>) -> Table {
    let mut table = Table::new();
    for (_, key, value) in records {
        match value {
            Some(value) => table.insert(key, value),
            None => table.remove(&key),
        };
    }
    table
}

#[derive(Debug, Clone)]
enum Step {
    /// A batch of these keys, `None` values being tombstones.
    Append(Vec<(u8, bool)>, Compression),
    /// A transaction of one batch.
    Transaction(Vec<u8>, bool),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let compression = prop_oneof![Just(Compression::None), Just(Compression::Lz4), Just(Compression::Zstd)];
    prop_oneof![
        20 => (prop::collection::vec((0u8..12, prop::bool::weighted(0.8)), 1..8), compression)
            .prop_map(|(records, compression)| Step::Append(records, compression)),
        3 => (prop::collection::vec(0u8..12, 1..5), any::<bool>())
            .prop_map(|(keys, commit)| Step::Transaction(keys, commit)),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_reader_from_the_beginning_ends_with_the_same_table(steps in prop::collection::vec(step(), 1..250)) {
        let disk = Memory::new();
        let mut log = EmbeddedLog::open(small(&disk)).unwrap();
        log.create_topic(&spec()).unwrap();
        let mut expected = Table::new();
        let mut offsets = BTreeMap::new();
        for (number, step) in steps.into_iter().enumerate() {
            let value = |at: usize| format!("{number}.{at} {}", "x".repeat(number % 50));
            match step {
                Step::Append(records, compression) => {
                    let mut batch = BatchBuilder::new().with_compression(compression);
                    for (at, (key, live)) in records.iter().enumerate() {
                        let (key, value) = (format!("k{key}"), value(at));
                        batch.push(number as i64, Some(key.as_bytes()), live.then_some(value.as_bytes()));
                        if *live { expected.insert(key, value) } else { expected.remove(&key) };
                    }
                    let base = log.append(&partition(), batch.finish().unwrap()).unwrap().wait().unwrap();
                    for at in 0..records.len() {
                        offsets.insert(value(at), base + at as i64);
                    }
                }
                Step::Transaction(keys, commit) => {
                    let producer = log.init_producer("p").unwrap();
                    let mut batch = BatchBuilder::new().with_producer(producer.id, producer.epoch, 0).transactional();
                    for (at, key) in keys.iter().enumerate() {
                        let (key, value) = (format!("k{key}"), value(at));
                        batch.push(number as i64, Some(key.as_bytes()), Some(value.as_bytes()));
                        if commit {
                            expected.insert(key, value);
                        }
                    }
                    let base = log.append(&partition(), batch.finish().unwrap()).unwrap().wait().unwrap();
                    for at in 0..keys.len() {
                        offsets.insert(value(at), base + at as i64);
                    }
                    log.end_transaction(producer, commit, &[]).unwrap().wait().unwrap();
                }
                Step::Reopen => {
                    drop(log);
                    log = EmbeddedLog::open(small(&disk)).unwrap();
                }
            }
        }
        let records = records(&log);
        prop_assert!(records.windows(2).all(|pair| pair[0].0 < pair[1].0), "offsets must grow");
        for (offset, _, value) in &records {
            if let Some(value) = value {
                prop_assert_eq!(offsets.get(value), Some(offset), "a record has moved");
            }
        }
        prop_assert_eq!(table(records), expected);
    }
}

fn put(log: &EmbeddedLog, number: usize) -> Result<i64, Error> {
    let mut batch = BatchBuilder::new();
    batch.push(0, Some(format!("k{}", number % 7).as_bytes()), Some(number.to_string().as_bytes()));
    log.append(&partition(), batch.finish()?)?.wait()
}

#[test]
fn what_has_a_newer_record_goes_away() {
    let disk = Memory::new();
    let log = EmbeddedLog::open(small(&disk)).unwrap();
    log.create_topic(&spec()).unwrap();
    for number in 0..5_000 {
        put(&log, number).unwrap();
    }
    let kept = records(&log).len();
    assert!(kept < 200, "{kept} of 5000 records are left for 7 keys");
    drop(log);
    let reopened = records(&EmbeddedLog::open(small(&disk)).unwrap());
    assert_eq!(reopened.len(), kept);
    assert_eq!(table(reopened).len(), 7);
}

#[test]
fn tombstones_go_once_they_have_been_seen_for_long_enough() {
    let log = EmbeddedLog::open(small(&Memory::new())).unwrap();
    let mut spec = spec();
    spec.config.delete_retention_ms = -7_200_000;
    log.create_topic(&spec).unwrap();
    let mut batch = BatchBuilder::new();
    batch.push(0, Some(b"gone"), None);
    log.append(&partition(), batch.finish().unwrap()).unwrap();
    for number in 0..5_000 {
        put(&log, number).unwrap();
    }
    assert!(records(&log).iter().all(|(_, key, _)| key != "gone"), "the tombstone is still there");
}

#[test]
fn a_power_failure_while_compacting_loses_nothing() {
    const WRITES: usize = 400;
    let write = |disk: &Memory| {
        let run = || -> Result<usize, (usize, Error)> {
            let log = EmbeddedLog::open(small(disk)).map_err(|error| (0, error))?;
            log.create_topic(&spec()).map_err(|error| (0, error))?;
            for number in 0..WRITES {
                put(&log, number).map_err(|error| (number, error))?;
            }
            std::mem::forget(log);
            Ok(WRITES)
        };
        run().unwrap_or_else(|(acknowledged, _)| acknowledged)
    };
    let operations = {
        let disk = Memory::with_crashes();
        assert_eq!(write(&disk), WRITES);
        disk.operations()
    };
    for operation in (0..operations).step_by(5) {
        let disk = Memory::with_crashes();
        disk.fail_after(operation);
        let acknowledged = write(&disk);
        let mut random = Seeded(operation);
        for variant in 0..4 {
            let image = match variant {
                0 => disk.crash(|_| 0),
                1 => disk.crash(|possibilities| possibilities - 1),
                _ => disk.crash(|possibilities| random.below(possibilities)),
            };
            let what = format!("operation {operation}, variant {variant}");
            let log = EmbeddedLog::open(small(&image)).unwrap_or_else(|error| panic!("{what}: {error}"));
            if log.topic("c").unwrap().is_none() {
                assert_eq!(acknowledged, 0, "{what}");
                continue;
            }
            let all = records(&log);
            let last = all.last().map_or(0, |(offset, _, _)| offset + 1);
            assert!(last >= acknowledged as i64, "{what}: {last} of {acknowledged}");
            let expected: Table = (0..last).map(|number| (format!("k{}", number % 7), number.to_string())).collect();
            assert_eq!(table(all), expected, "{what}");
        }
    }
}

/// Whatever becomes of their topic's policy meanwhile.
#[test]
fn records_that_are_given_up_go_with_the_next_checkpoint() {
    for policy in ["delete", ""] {
        let disk = Memory::new();
        let log = EmbeddedLog::open(small(&disk)).unwrap();
        let mut spec = TopicSpec::new("c", 1).kept_for_ever();
        spec.config.segment_bytes = 700;
        log.create_topic(&spec).unwrap();
        for number in 0..500 {
            put(&log, number).unwrap();
        }
        let segments =
            |disk: &Memory| disk.files().iter().filter(|(path, _)| path.to_string_lossy().contains("/c-0.")).count();
        let before = segments(&disk);
        log.delete_records(&partition(), 400).unwrap();
        assert!(matches!(log.delete_records(&partition(), 501), Err(Error::OffsetOutOfRange { .. })));
        log.alter_topic("c", |config| config.set("cleanup.policy", policy)).unwrap();
        assert_eq!(log.offsets(&partition()).unwrap(), (400, 500));
        drop(log);
        let log = EmbeddedLog::open(small(&disk)).unwrap();
        assert_eq!(log.offsets(&partition()).unwrap(), (400, 500));
        assert_eq!(records(&log).first().map(|(offset, _, _)| *offset), Some(400));
        assert!(segments(&disk) < before / 3, "{} of {before} segments are left", segments(&disk));
        let deleted = log.delete_records(&partition(), 450);
        assert_eq!(matches!(deleted, Err(Error::NotDeletable { .. })), policy.is_empty(), "{deleted:?}");
    }
}

#[test]
fn what_was_aborted_and_the_markers_of_transactions_go_away() {
    let disk = Memory::new();
    let log = EmbeddedLog::open(small(&disk)).unwrap();
    let mut spec = spec();
    spec.config.delete_retention_ms = 0;
    log.create_topic(&spec).unwrap();
    let producer = log.init_producer("p").unwrap();
    let transaction = |sequence: i32, commit: bool| {
        let mut batch = BatchBuilder::new().with_producer(producer.id, producer.epoch, sequence).transactional();
        batch.push(0, Some(b"k"), Some(if commit { b"good" } else { b"gone" }));
        log.append(&partition(), batch.finish().unwrap()).unwrap();
        log.end_transaction(producer, commit, &[]).unwrap();
    };
    (0..100).for_each(|number| transaction(number, number % 2 == 0));
    (0..1_000).for_each(|number| _ = put(&log, number).unwrap());
    // Markers stay as long as tombstones do.
    disk.advance_clock(1_000);
    (0..4_000).for_each(|number| _ = put(&log, number).unwrap());
    let fetched = log.fetch(&partition(), 0, 1 << 20, Isolation::ReadCommitted).unwrap();
    assert!(fetched.aborted.is_empty(), "{} aborted transactions are remembered", fetched.aborted.len());
    let of_producer =
        |batch: &millstream_log::record::BatchHeader| batch.producer_id == producer.id && batch.record_count > 0;
    let left = fetched.all_batches().filter(|batch| of_producer(&batch.as_ref().unwrap().0)).count();
    assert!(left < 10, "{left} batches of transactions are left");
    let all = records(&log);
    assert!(all.iter().all(|(_, _, value)| value.as_deref() != Some("gone")));
    assert_eq!(all.iter().filter(|(_, key, _)| key == "k").count(), 1);
}

/// Appends one record of this moment.
fn put_now(log: &EmbeddedLog, key: &str, value: Option<&[u8]>) {
    let mut batch = BatchBuilder::new();
    batch.push(log.now_ms(), Some(key.as_bytes()), value);
    log.append(&partition(), batch.finish().unwrap()).unwrap().wait().unwrap();
}

#[test]
fn a_topic_of_a_few_records_is_compacted_soon() {
    let disk = Memory::new();
    let log = EmbeddedLog::open(options(disk.clone())).unwrap();
    let mut spec = TopicSpec::new("c", 1);
    for (name, value) in [("cleanup.policy", "compact"), ("segment.ms", "100"), ("min.cleanable.dirty.ratio", "0.01")] {
        spec.config.set(name, value).unwrap();
    }
    log.create_topic(&spec).unwrap();
    log.keep_house().unwrap();
    for value in 0..6 {
        put_now(&log, "k", Some(&[b'0' + value]));
        disk.advance_clock(200);
    }
    assert_eq!(records(&log).len(), 6);
    disk.advance_clock(15_000);
    log.keep_house().unwrap();
    // What is in the last segment is not compacted.
    assert_eq!(records(&log).iter().map(|(offset, ..)| *offset).collect::<Vec<_>>(), [4, 5]);
    // Where nothing is to be done, nothing is written.
    let written = disk.operations();
    disk.advance_clock(15_000);
    log.keep_house().unwrap();
    assert_eq!(disk.operations(), written);
}

#[test]
fn tombstones_go_when_delete_retention_ms_is_over() {
    let disk = Memory::new();
    let log = EmbeddedLog::open(options(disk.clone())).unwrap();
    let mut spec = TopicSpec::new("c", 1);
    for (name, value) in [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0"),
        ("delete.retention.ms", "60000"),
    ] {
        spec.config.set(name, value).unwrap();
    }
    log.create_topic(&spec).unwrap();
    let compact_after = |ms: i64| {
        // Each of them ends the segment before it.
        for _ in 0..2 {
            disk.advance_clock(ms / 2);
            put_now(&log, "other", Some(b"value"));
        }
        disk.advance_clock(15_000);
        log.keep_house().unwrap();
        records(&log).iter().any(|(_, key, value)| key == "k" && value.is_none())
    };
    put_now(&log, "k", Some(b"value"));
    put_now(&log, "k", None);
    assert!(compact_after(1_000), "a reader has time to see it");
    assert!(compact_after(30_000));
    assert!(!compact_after(30_000), "it is gone");
}

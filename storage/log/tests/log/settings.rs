//! What the settings of a topic do.

use millstream_log::record::{BatchBuilder, BatchHeader, Compression};
use millstream_log::{
    EmbeddedLog, Error, Flusher, Isolation, Log, LogOptions, Memory, TopicConfig, TopicPartition, TopicSetting,
    TopicSpec,
};

use super::{batch, options, read};

const HOUR_MS: i64 = 3_600_000;

fn partition() -> TopicPartition {
    TopicPartition::new("t", 0)
}

fn open(disk: &Memory, settings: &[(&str, &str)]) -> EmbeddedLog {
    let log = EmbeddedLog::open(options(disk.clone())).unwrap();
    let mut spec = TopicSpec::new("t", 1).kept_for_ever();
    for (name, value) in settings {
        spec.config.set(name, value).unwrap();
    }
    log.create_topic(&spec).unwrap();
    log
}

fn at(timestamp_ms: i64, key: Option<&str>) -> Vec<u8> {
    let mut batch = BatchBuilder::new();
    batch.push(timestamp_ms, key.map(str::as_bytes), Some(b"value"));
    batch.finish().unwrap()
}

fn append(log: &EmbeddedLog, batch: Vec<u8>) -> Result<i64, Error> {
    log.append(&partition(), batch)?.wait()
}

fn headers(log: &EmbeddedLog) -> Vec<BatchHeader> {
    let fetched = log.fetch(&partition(), 0, 1 << 20, Isolation::ReadCommitted).unwrap();
    fetched.all_batches().map(|batch| batch.unwrap().0).collect()
}

#[test]
fn settings_and_partitions_are_altered_durably_whenever_the_power_fails() {
    let alter = |disk: &Memory| -> Result<usize, (usize, Error)> {
        let log = EmbeddedLog::open(options(disk.clone())).map_err(|error| (0, error))?;
        log.create_topic(&TopicSpec::new("t", 1).kept_for_ever()).map_err(|error| (0, error))?;
        log.alter_topic("t", |config| config.set("segment.ms", "77")).map_err(|error| (1, error))?;
        log.create_partitions("t", 3).map_err(|error| (2, error))?;
        log.append(&TopicPartition::new("t", 2), batch(&["there"])).and_then(|t| t.wait()).map_err(|e| (3, e))?;
        log.alter_topic("t", |config| config.reset("segment.ms")).map_err(|error| (4, error))?;
        std::mem::forget(log);
        Ok(5)
    };
    let disk = Memory::with_crashes();
    alter(&disk).unwrap();
    for operation in 0..disk.operations() {
        for keep in [false, true] {
            let disk = Memory::with_crashes();
            disk.fail_after(operation);
            let done = alter(&disk).unwrap_or_else(|(done, _)| done);
            let image = disk.crash(|possibilities| if keep { possibilities - 1 } else { 0 });
            let log = EmbeddedLog::open(options(image)).unwrap();
            let Some(topic) = log.topic("t").unwrap() else {
                assert_eq!(done, 0, "operation {operation}");
                continue;
            };
            // What was said to be done is; what was being done may be.
            let segment_ms = topic.config.segment_ms;
            let created = TopicSpec::new("t", 1).kept_for_ever().config.segment_ms;
            let default = TopicConfig::default().segment_ms;
            match done {
                0 => assert_eq!(segment_ms, created),
                1 => assert!([77, created].contains(&segment_ms), "operation {operation}"),
                4 => assert!([77, default].contains(&segment_ms), "operation {operation}"),
                5 => assert_eq!(segment_ms, default),
                _ => assert_eq!(segment_ms, 77, "operation {operation}"),
            }
            assert!(done < 3 || topic.partitions == 3, "operation {operation}");
            if done >= 4 {
                assert_eq!(read(&log, &TopicPartition::new("t", 2), Isolation::ReadCommitted).len(), 1);
            }
            assert!(matches!(log.create_partitions("t", 1), Err(Error::InvalidPartitions { .. })));
        }
    }
}

#[test]
fn a_change_that_is_refused_changes_nothing() {
    let log = open(&Memory::new(), &[]);
    let refused = log.alter_topic("t", |config| {
        config.set("retention.ms", "5")?;
        config.set("segment.bytes", "0")
    });
    assert!(matches!(refused, Err(Error::InvalidSetting { .. })));
    assert_eq!(log.topic("t").unwrap().unwrap().config, TopicSpec::new("t", 1).kept_for_ever().config);
    assert!(matches!(log.alter_topic("u", |_| Ok(())), Err(Error::UnknownTopic(_))));
}

#[test]
fn producers_are_held_to_their_topics_rules() {
    let disk = Memory::new();
    let log = open(
        &disk,
        &[
            ("max.message.bytes", "200"),
            ("cleanup.policy", "compact"),
            ("message.timestamp.before.max.ms", "3600000"),
            ("message.timestamp.after.max.ms", "60000"),
        ],
    );
    let now_ms = log.now_ms();
    append(&log, at(now_ms, Some("k"))).unwrap();
    assert!(matches!(append(&log, batch(&["x".repeat(300)])), Err(Error::BatchTooLarge { max: 200, .. })));
    let keyless = append(&log, at(now_ms, None)).unwrap_err();
    assert!(matches!(&keyless, Error::InvalidRecords { records, is_timestamp: false, .. } if records == &[0]));
    for wrong in [now_ms - 2 * HOUR_MS, now_ms + HOUR_MS] {
        let refused = append(&log, at(wrong, Some("k"))).unwrap_err();
        assert!(matches!(refused, Error::InvalidRecords { is_timestamp: true, .. }), "{refused}");
    }
    assert_eq!(log.offsets(&partition()).unwrap(), (0, 1));
}

#[test]
fn log_append_time_and_compression_are_the_topics() {
    let disk = Memory::new();
    let log = open(&disk, &[("message.timestamp.type", "LogAppendTime"), ("compression.type", "zstd")]);
    append(&log, at(5, None)).unwrap();
    let header = headers(&log)[0];
    assert!(header.is_log_append_time());
    assert_eq!(header.compression().unwrap(), Compression::Zstd);
    let fetched = log.fetch(&partition(), 0, 1 << 20, Isolation::ReadCommitted).unwrap();
    let reader = millstream_log::record::BatchReader::new(&fetched.bytes).unwrap();
    let record = reader.iter().next().unwrap().unwrap();
    assert!((log.now_ms() - record.timestamp_ms).abs() < 60_000);
    assert_eq!(record.value, Some(b"value".as_slice()));
}

fn segments(disk: &Memory) -> usize {
    disk.files()
        .iter()
        .filter(|(path, _)| path.to_string_lossy().ends_with(".log") && path.to_string_lossy().contains("/t-0."))
        .count()
}

#[test]
fn a_segment_ends_by_time_and_old_ones_are_deleted_even_where_nothing_is_written() {
    let disk = Memory::new();
    let log = open(&disk, &[("segment.ms", "3600000"), ("retention.ms", "7200000")]);
    let now_ms = log.now_ms();
    append(&log, at(now_ms, None)).unwrap();
    append(&log, at(now_ms + HOUR_MS / 2, None)).unwrap();
    assert_eq!(segments(&disk), 1);
    append(&log, at(now_ms + HOUR_MS, None)).unwrap();
    assert_eq!(segments(&disk), 2);
    disk.advance_clock(2 * HOUR_MS + HOUR_MS / 2 + 1);
    log.keep_house().unwrap();
    assert_eq!(log.offsets(&partition()).unwrap(), (2, 3));
    disk.advance_clock(3 * HOUR_MS);
    log.keep_house().unwrap();
    assert_eq!(log.offsets(&partition()).unwrap(), (3, 3));
    // What is deleted leaves its offsets behind, also after a restart.
    drop(log);
    let log = EmbeddedLog::open(options(disk.clone())).unwrap();
    assert_eq!(append(&log, at(now_ms, None)).unwrap(), 3);
}

#[test]
fn segment_jitter_ms_lets_files_end_sooner() {
    let ends = |jitter_ms: &str| {
        let disk = Memory::new();
        let log = open(&disk, &[("segment.ms", "3600000"), ("segment.jitter.ms", jitter_ms)]);
        let minute = |minute: i64| log.now_ms() + minute * 60_000;
        (0..600).for_each(|number| _ = append(&log, at(minute(number), None)).unwrap());
        segments(&disk)
    };
    assert_eq!(ends("0"), 10);
    // Between an hour and nothing, half an hour on average.
    assert!((13..40).contains(&ends("3600000")), "{}", ends("3600000"));
}

#[test]
fn compression_levels_are_those_of_the_topic() {
    let stored = |codec: &str, level: &str| {
        let disk = Memory::new();
        let log = open(&disk, &[("compression.type", codec), (format!("compression.{codec}.level").as_str(), level)]);
        let mut batch = BatchBuilder::new();
        for number in 0..2_000_i64 {
            batch.push(1, None, Some(format!("record {} of {}", number * 7919 % 5003, number % 13).as_bytes()));
        }
        append(&log, batch.finish().unwrap()).unwrap();
        headers(&log)[0].size_bytes
    };
    assert!(stored("gzip", "9") < stored("gzip", "1"));
    assert!(stored("zstd", "19") < stored("zstd", "1"));
}

#[test]
fn lags_that_contradict_each_other_are_refused() {
    let log = open(&Memory::new(), &[("max.compaction.lag.ms", "1000")]);
    let altered = log.alter_topic("t", |config| config.set("min.compaction.lag.ms", "1001"));
    assert!(matches!(altered, Err(Error::InvalidSetting { .. })));
    let mut spec = TopicSpec::new("u", 1);
    spec.config.set("min.compaction.lag.ms", "2").unwrap();
    spec.config.set("max.compaction.lag.ms", "1").unwrap();
    assert!(matches!(log.create_topic(&spec), Err(Error::InvalidSetting { .. })));
}

#[test]
fn a_setting_stays_set_to_its_default_after_a_restart() {
    let disk = Memory::new();
    drop(open(&disk, &[("cleanup.policy", "delete")]));
    let log = EmbeddedLog::open(options(disk)).unwrap();
    let config = log.topic("t").unwrap().unwrap().config;
    assert!(TopicSetting::find("cleanup.policy").unwrap().is_set(&config));
    assert!(!TopicSetting::find("compression.type").unwrap().is_set(&config));
}

#[test]
fn a_compacted_topic_may_delete_too_and_leaves_the_young_alone() {
    let disk = Memory::new();
    let opened = || EmbeddedLog::open(LogOptions { journal_bytes_max: 2_000, ..options(disk.clone()) }).unwrap();
    let log = opened();
    let mut spec = TopicSpec::new("t", 1);
    for (name, value) in [
        ("cleanup.policy", "compact,delete"),
        ("segment.bytes", "500"),
        ("retention.ms", "36000000"),
        ("min.compaction.lag.ms", "3600000"),
    ] {
        spec.config.set(name, value).unwrap();
    }
    log.create_topic(&spec).unwrap();
    for _ in 0..300 {
        append(&log, at(log.now_ms(), Some("k"))).unwrap();
    }
    assert_eq!(read(&log, &partition(), Isolation::ReadCommitted).len(), 300);
    disk.advance_clock(2 * HOUR_MS);
    for _ in 0..60 {
        append(&log, at(log.now_ms(), Some("k"))).unwrap();
    }
    log.keep_house().unwrap();
    let left = read(&log, &partition(), Isolation::ReadCommitted).len();
    assert!((60..150).contains(&left), "{left}");
    disk.advance_clock(11 * HOUR_MS);
    log.keep_house().unwrap();
    assert_eq!(log.offsets(&partition()).unwrap(), (360, 360));
}

#[test]
fn what_may_wait_for_the_disk_is_lost_at_most_up_to_its_bound() {
    for (setting, value, kept) in [("flush.messages", "10", 20), ("flush.ms", "1000", 0)] {
        let disk = Memory::with_crashes();
        let log = open(&disk, &[(setting, value)]);
        for _ in 0..25 {
            append(&log, at(1, None)).unwrap();
        }
        assert_eq!(log.offsets(&partition()).unwrap(), (0, 25));
        let count = |image: Memory| {
            let log = EmbeddedLog::open(options(image)).unwrap();
            read(&log, &partition(), Isolation::ReadCommitted).len()
        };
        assert_eq!(count(disk.crash(|_| 0)), kept, "{setting}");
        // A process that ends, without a power failure, loses nothing.
        assert_eq!(count(disk.crash(|possibilities| possibilities - 1)), 25, "{setting}");
        disk.advance_clock(1_001);
        append(&log, at(1, None)).unwrap();
        log.keep_house().unwrap();
        assert_eq!(count(disk.crash(|_| 0)), 26, "{setting}");
        // A batch of another topic takes everything before it along.
        append(&log, at(1, None)).unwrap();
        log.create_topic(&TopicSpec::new("strict", 1)).unwrap();
        log.append(&TopicPartition::new("strict", 0), batch(&["x"])).unwrap().wait().unwrap();
        assert_eq!(count(disk.crash(|_| 0)), 27, "{setting}");
        std::mem::forget(log);
    }
}

#[test]
fn the_journals_thread_syncs_by_the_clock() {
    let disk = Memory::with_crashes();
    let log = EmbeddedLog::open(LogOptions { flusher: Flusher::Thread, ..options(disk.clone()) }).unwrap();
    let mut spec = TopicSpec::new("t", 1).kept_for_ever();
    spec.config.set("flush.ms", "20").unwrap();
    log.create_topic(&spec).unwrap();
    append(&log, at(1, None)).unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let there = EmbeddedLog::open(options(disk.crash(|_| 0))).unwrap();
        if read(&there, &partition(), Isolation::ReadCommitted).len() == 1 {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "it was never synced");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// `UPDATE_GOLDEN=1` writes the table of docs/configuration.md anew.
#[test]
fn the_documentation_lists_every_setting() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut table = "| setting | default | meaning |\n| --- | --- | --- |\n".to_owned();
    for setting in TopicSetting::all() {
        let default = match setting.default_value() {
            value if value == i64::MAX.to_string() => "no limit".to_owned(),
            value if value.is_empty() => "none".to_owned(),
            value => format!("`{value}`"),
        };
        table += &format!("| `{}` | {default} | {} |\n", setting.name, setting.effect);
    }
    let (before, rest) = text.split_once("<!-- topic settings -->\n").unwrap();
    let (found, after) = rest.split_once("<!-- end -->\n").unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let marked = format!("{before}<!-- topic settings -->\n{table}<!-- end -->\n{after}");
        std::fs::write(&path, marked).unwrap();
        return;
    }
    assert_eq!(found, table, "run this test with UPDATE_GOLDEN=1");
}

//! Power failures at every write, sync and rename, and bits that flip.

use millstream_log::{
    EmbeddedLog, Error, Flusher, GroupOffset, Io, Isolation, Log, LogOptions, Memory, TopicPartition, TopicSpec,
    WriteBatch,
};

use super::{batch, options, read};

/// SplitMix64: enough randomness to choose what survives, and a seed repeats it.
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
    }
}

/// Journals and segments of a few batches, of which every other one is only referred to by the journal.
fn small(disk: &Memory) -> LogOptions {
    LogOptions { journal_bytes_max: 1_500, journaled_bytes_max: JOURNALED_BYTES_MAX, ..options(disk.clone()) }
}

const JOURNALED_BYTES_MAX: usize = 150;

fn spec(name: &str) -> TopicSpec {
    let mut spec = TopicSpec::new(name, 1).kept_for_ever();
    spec.config.segment_bytes = 700;
    spec
}

/// Writes the same sequence number to two partitions and the group's offset, atomically, until the disk
/// fails; returns how many were acknowledged.
fn write_until_failure(disk: &Memory) -> usize {
    let run = || -> Result<usize, (usize, Error)> {
        let log = EmbeddedLog::open(small(disk)).map_err(|error| (0, error))?;
        for topic in ["a", "b"] {
            log.create_topic(&spec(topic)).map_err(|error| (0, error))?;
        }
        for i in 0..40 {
            let value = format!("{i} {}", "x".repeat(i % 2 * JOURNALED_BYTES_MAX + i));
            let batches = ["a", "b"].map(|topic| (TopicPartition::new(topic, 0), batch(&[&value]))).to_vec();
            let partition = TopicPartition::new("a", 0);
            let offsets = vec![GroupOffset::new("g", partition, i as i64 + 1)];
            let ticket = log.write(WriteBatch { batches, offsets }).map_err(|error| (i, error))?;
            ticket.wait().map_err(|error| (i, error))?;
        }
        // No clean shutdown: the crash must find the log as it is.
        std::mem::forget(log);
        Ok(40)
    };
    run().unwrap_or_else(|(acknowledged, _)| acknowledged)
}

#[test]
fn after_a_power_failure_at_any_operation_all_that_was_acknowledged_is_there_and_whole() {
    fail_at_any_operation(Memory::with_crashes);
    fail_at_any_operation(|| Memory::with_crashes().with_direct());
}

fn fail_at_any_operation(new_disk: impl Fn() -> Memory) {
    let operations = {
        let disk = new_disk();
        assert_eq!(write_until_failure(&disk), 40);
        disk.operations()
    };
    for operation in 0..operations {
        for variant in 0..4 {
            let disk = new_disk();
            disk.fail_after(operation);
            let acknowledged = write_until_failure(&disk);
            let mut random = Seeded(operation * 31 + variant);
            let image = match variant {
                0 => disk.crash(|_| 0),
                1 => disk.crash(|possibilities| possibilities - 1),
                _ => disk.crash(|possibilities| random.below(possibilities)),
            };
            check(&image, acknowledged, &format!("operation {operation}, variant {variant}"));
        }
    }
}

fn check(image: &Memory, acknowledged: usize, what: &str) {
    let log = EmbeddedLog::open(small(image)).unwrap_or_else(|error| panic!("{what}: {error}"));
    let partition = |topic: &str| TopicPartition::new(topic, 0);
    let topics: Vec<_> = log.topics().unwrap().into_iter().filter(|topic| !topic.is_internal()).collect();
    if topics.len() < 2 {
        assert_eq!(acknowledged, 0, "{what}: topics are lost");
        return;
    }
    let a = read(&log, &partition("a"), Isolation::ReadCommitted);
    let b = read(&log, &partition("b"), Isolation::ReadCommitted);
    assert_eq!(a, b, "{what}: a write is torn");
    assert!(a.len() >= acknowledged, "{what}: {} of {acknowledged} acknowledged writes are there", a.len());
    for (i, (offset, value)) in a.iter().enumerate() {
        assert_eq!(*offset, i as i64, "{what}");
        assert!(value.starts_with(&format!("{i} ")), "{what}: {value}");
    }
    let offset = log.group_offset("g", &partition("a")).unwrap().unwrap_or(0);
    assert_eq!(offset, a.len() as i64, "{what}: the offsets do not fit the records");
    // The log goes on, and a second crash finds what the first recovery served.
    log.append(&partition("a"), batch(&["more"])).unwrap().wait().unwrap();
}

#[test]
fn a_flipped_bit_is_reported_or_harmless_but_never_served() {
    flip_any_bit(&Memory::new());
    flip_any_bit(&Memory::new().with_direct());
}

fn flip_any_bit(disk: &Memory) {
    let written = write_until_failure(disk);
    let partition = TopicPartition::new("a", 0);
    let expected = {
        let log = EmbeddedLog::open(small(&disk.deep_clone())).unwrap();
        read(&log, &partition, Isolation::ReadCommitted)
    };
    assert_eq!(expected.len(), written);
    let mut served = 0;
    let mut refused = 0;
    for (path, length) in disk.files() {
        for position in (0..length).step_by(3) {
            let damaged = disk.deep_clone();
            damaged.flip(&path, position, 1 << (position % 8));
            let Ok(log) = EmbeddedLog::open(small(&damaged)) else {
                refused += 1;
                // What is refused is left as it is: once the bit is right again nothing is missing.
                if refused % 7 == 0 {
                    damaged.flip(&path, position, 1 << (position % 8));
                    let log = EmbeddedLog::open(small(&damaged))
                        .unwrap_or_else(|error| panic!("{} byte {position}: {error}", path.display()));
                    assert_eq!(read(&log, &partition, Isolation::ReadCommitted), expected);
                }
                continue;
            };
            let Ok((mut offset, end)) = log.offsets(&partition) else {
                panic!("the topic is lost: {}", path.display())
            };
            let mut count = 0;
            while offset < end {
                match log.fetch(&partition, offset, 300, Isolation::ReadCommitted) {
                    Ok(fetched) => {
                        for batch in fetched.batches() {
                            let reader = batch.unwrap();
                            for record in reader.iter() {
                                let record = record.unwrap();
                                let value = String::from_utf8_lossy(record.value.unwrap()).into_owned();
                                assert_eq!((record.offset, value), expected[record.offset as usize]);
                                count += 1;
                            }
                        }
                        offset = fetched.next_offset;
                    }
                    Err(Error::Damaged { .. }) => break,
                    Err(other) => panic!("{}: byte {position}: {other}", path.display()),
                }
            }
            // The last frame of the newest journal cannot be told from a torn one.
            let is_journal = path.extension().is_some_and(|extension| extension == "journal");
            if offset >= end {
                assert!(
                    count + usize::from(is_journal) >= written,
                    "{} byte {position}: {count} of {written} records",
                    path.display()
                );
            }
            served += 1;
        }
    }
    assert!(served > 100 && refused > 100, "{served} served, {refused} refused");
}

/// With the log's own threads: segments are synced in slices while journals are retired, and whichever sync
/// fails, no checkpoint may take an acknowledged record's journal away.
#[test]
fn a_sync_that_fails_on_any_thread_loses_nothing_acknowledged() {
    for journaled_bytes_max in [usize::MAX, 60_050, 1_000] {
        fail_once_on_any_thread(journaled_bytes_max);
    }
}

fn fail_once_on_any_thread(journaled_bytes_max: usize) {
    let partition = TopicPartition::new("a", 0);
    let mut stopped = 0;
    for operation in (20..300).step_by(9) {
        let disk = if operation % 2 == 0 { Memory::with_crashes() } else { Memory::with_crashes().with_direct() };
        let options = || LogOptions {
            flusher: Flusher::Thread,
            journal_bytes_max: 300_000,
            journaled_bytes_max,
            ..options(disk.clone())
        };
        let log = EmbeddedLog::open(options()).unwrap();
        log.create_topic(&TopicSpec::new("a", 1).kept_for_ever()).unwrap();
        // Only one: what goes on after it is what may do harm.
        disk.fail_once_after(operation);
        let mut acknowledged = 0;
        for number in 0..60 {
            let value = format!("{number} {}", "x".repeat(60_000 - number % 2 * 1_000));
            let written = log.append(&partition, batch(&[value])).and_then(|ticket| ticket.wait());
            if written.is_err() {
                stopped += 1;
                break;
            }
            acknowledged += 1;
        }
        // Let what was on its way come to its end before the power goes.
        drop(log);
        let log = EmbeddedLog::open(small(&disk.crash(|_| 0))).unwrap();
        let there = read(&log, &partition, Isolation::ReadCommitted).len();
        assert!(there >= acknowledged, "operation {operation}: {there} of {acknowledged} records are left");
    }
    assert!(stopped > 20, "only {stopped} failures hit");
}

/// What the journal refers to is found where it was, also if the topic's segments are of another size by now; and if it is
/// not there, that is damage.
#[test]
fn batches_that_the_journal_refers_to_are_found_by_a_recovery() {
    let disk = Memory::with_crashes();
    let partition = TopicPartition::new("a", 0);
    let options = || LogOptions { journal_bytes_max: 1 << 20, ..small(&disk) };
    let log = EmbeddedLog::open(options()).unwrap();
    log.create_topic(&spec("a")).unwrap();
    for (round, segment_bytes) in [700, 5_000, 300, 1_000].into_iter().enumerate() {
        log.alter_topic("a", |config| {
            config.segment_bytes = segment_bytes;
            Ok(())
        })
        .unwrap();
        for i in 0..10 {
            let value = format!("{round} {i} {}", "x".repeat(i % 3 * JOURNALED_BYTES_MAX));
            log.append(&partition, batch(&[value])).unwrap().wait().unwrap();
        }
    }
    let written = read(&log, &partition, Isolation::ReadCommitted);
    assert_eq!(written.len(), 40);
    std::mem::forget(log);
    let crashed = disk.crash(|_| 0);
    let segments: Vec<_> =
        crashed.files().into_iter().filter(|(path, _)| path.to_string_lossy().contains("/a-0.")).collect();
    for (path, length) in &segments {
        for cut in [0, length / 2, length - 1] {
            let damaged = crashed.deep_clone();
            damaged.open(path).unwrap().set_len(cut as u64).unwrap();
            match EmbeddedLog::open(small(&damaged)) {
                // What was cut off is in the journal.
                Ok(log) => assert_eq!(read(&log, &partition, Isolation::ReadCommitted), written),
                Err(error) => assert!(matches!(error, Error::Damaged { .. }), "{error}"),
            }
        }
    }
    // Twice: a recovery that a crash cuts short changes nothing that the next one needs.
    for operation in 0.. {
        let disk = crashed.deep_clone().crash(|_| 0);
        disk.fail_after(operation);
        let opened = EmbeddedLog::open(small(&disk)).map(std::mem::forget);
        let log = EmbeddedLog::open(small(&disk.crash(|possibilities| possibilities - 1))).unwrap();
        assert_eq!(read(&log, &partition, Isolation::ReadCommitted), written, "operation {operation}");
        if opened.is_ok() {
            break;
        }
    }
}

#[test]
fn a_full_disk_stops_acknowledgements_until_the_log_is_reopened() {
    let disk = Memory::with_crashes();
    let partition = TopicPartition::new("a", 0);
    let log = EmbeddedLog::open(small(&disk)).unwrap();
    log.create_topic(&spec("a")).unwrap();
    let (told, stopped) = std::sync::mpsc::channel();
    let tell = |told: std::sync::mpsc::Sender<Error>| move |error| told.send(error).unwrap();
    log.on_stop(tell(told.clone()));
    log.append(&partition, batch(&["kept"])).unwrap().wait().unwrap();
    assert!(stopped.try_recv().is_err());
    disk.fail_after(0);
    assert!(log.append(&partition, batch(&["refused"])).is_err());
    assert!(matches!(stopped.try_recv(), Ok(Error::Stopped(_))));
    disk.fail_after(u64::MAX);
    assert!(matches!(log.append(&partition, batch(&["still refused"])), Err(Error::Stopped(_))));
    log.on_stop(tell(told));
    assert!(matches!(stopped.try_recv(), Ok(Error::Stopped(_))), "who asks later is told at once");
    drop(log);
    let log = EmbeddedLog::open(small(&disk)).unwrap();
    assert_eq!(read(&log, &partition, Isolation::ReadCommitted), [(0, "kept".to_owned())]);
    log.append(&partition, batch(&["again"])).unwrap().wait().unwrap();
}

#[test]
fn a_segment_that_somebody_cuts_is_damage_to_its_readers() {
    let disk = Memory::new();
    let partition = TopicPartition::new("a", 0);
    let log = EmbeddedLog::open(small(&disk)).unwrap();
    log.create_topic(&spec("a")).unwrap();
    for value in ["first", "second"] {
        log.append(&partition, batch(&[value])).unwrap().wait().unwrap();
    }
    // Whoever reads finds all of it in the file.
    assert_eq!(read(&log, &partition, Isolation::ReadCommitted).len(), 2);
    let (path, length) = disk.files().into_iter().find(|(path, _)| path.to_string_lossy().contains("/a-0.")).unwrap();
    for cut in [length - 1, length / 2 + 10, 0] {
        disk.open(&path).unwrap().set_len(cut as u64).unwrap();
        let fetched = log.fetch(&partition, 1, 1 << 10, Isolation::ReadCommitted);
        assert!(matches!(fetched, Err(Error::Damaged { .. })), "{cut}: {fetched:?}");
    }
}

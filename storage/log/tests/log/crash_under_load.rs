//! Power failures while the log's threads write checkpoints, retire segments and compact.

use std::collections::HashMap;
use std::io::Result;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use millstream_log::record::BatchBuilder;
use millstream_log::{
    EmbeddedLog, File, Flusher, GroupOffset, Io, Isolation, Log, LogOptions, Memory, TopicPartition, TopicSpec,
    WriteBatch,
};

use super::crash::Seeded;
use super::{options, read};

const JOURNALED_BYTES_MAX: usize = 1_000;
const KEYS: usize = 5;
const TOPICS: [&str; 3] = ["kept", "short", "compacted"];

/// A disk in memory that takes its time to make names and checkpoints durable, so that much happens meanwhile.
#[derive(Debug)]
struct Slow(Memory);

impl Io for Slow {
    fn open(&self, path: &Path) -> Result<Arc<dyn File>> {
        self.0.open(path)
    }

    fn open_direct(&self, path: &Path) -> Result<Option<Arc<dyn File>>> {
        self.0.open_direct(path)
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        self.0.read(path)
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        self.0.list(dir)
    }

    fn create_dir(&self, dir: &Path) -> Result<()> {
        self.0.create_dir(dir)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.0.remove(path)
    }

    fn remove_dir(&self, dir: &Path) -> Result<()> {
        self.0.remove_dir(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        thread::sleep(Duration::from_micros(300));
        self.0.rename(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        thread::sleep(Duration::from_micros(300));
        self.0.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> Result<std::result::Result<Box<dyn Send + Sync>, String>> {
        self.0.lock(path)
    }

    fn now_ms(&self) -> i64 {
        self.0.now_ms()
    }

    fn random(&self) -> u128 {
        self.0.random()
    }
}

fn busy(disk: &Memory) -> LogOptions {
    LogOptions {
        flusher: Flusher::Thread,
        journal_bytes_max: 20_000,
        journaled_bytes_max: JOURNALED_BYTES_MAX,
        retention_check_interval_ms: 1,
        compaction_check_interval_ms: 1,
        ..options(Slow(disk.clone()))
    }
}

fn create(log: &EmbeddedLog) {
    for name in TOPICS {
        let mut spec = TopicSpec::new(name, 1).kept_for_ever();
        spec.config.segment_bytes = 6_000;
        if name == "short" {
            spec.config.retention_ms = 500;
        }
        if name == "compacted" {
            spec = spec.compacted();
        }
        log.create_topic(&spec).unwrap();
    }
}

/// A batch of one record, small or large.
fn batch(log: &EmbeddedLog, number: usize, random: &mut Seeded) -> Vec<u8> {
    let bytes = if random.below(2) == 0 { random.below(100) } else { JOURNALED_BYTES_MAX + random.below(2_000) };
    let mut batch = BatchBuilder::new();
    let value = format!("{number} {}", "x".repeat(bytes));
    batch.push(log.now_ms(), Some(format!("k{}", number % KEYS).as_bytes()), Some(value.as_bytes()));
    batch.finish().unwrap()
}

fn number_of(value: &str) -> usize {
    value.split_once(' ').unwrap().0.parse().unwrap()
}

/// Writes until it is told to stop; `acknowledged` counts what each topic has, of which the offsets are kept too.
fn write(log: &EmbeddedLog, acknowledged: &AtomicUsize, stop: &AtomicBool, seed: u64) {
    let mut random = Seeded(seed);
    for number in 0.. {
        if stop.load(Ordering::Acquire) {
            return;
        }
        if random.below(20) == 0 {
            let segment_bytes = 1_500 + random.below(20_000) as u64;
            log.alter_topic(TOPICS[random.below(3)], |config| {
                config.segment_bytes = segment_bytes;
                Ok(())
            })
            .unwrap();
        }
        if random.below(60) == 0 {
            let temporary = TopicPartition::new("temporary", 0);
            log.create_topic(&TopicSpec::new("temporary", 1)).unwrap();
            for _ in 0..random.below(4) {
                drop(log.append(&temporary, batch(log, 0, &mut random)).unwrap());
            }
            log.delete_topic("temporary").unwrap();
        }
        let batches = TOPICS.map(|topic| (TopicPartition::new(topic, 0), batch(log, number, &mut random))).to_vec();
        let offsets = vec![GroupOffset::new("g", TopicPartition::new("kept", 0), number as i64 + 1)];
        log.write(WriteBatch { batches, offsets }).unwrap().wait().unwrap();
        acknowledged.store(number + 1, Ordering::Release);
    }
}

fn check(image: &Memory, acknowledged: usize, what: &str) {
    let log = EmbeddedLog::open(LogOptions { flusher: Flusher::Inline, ..options(image.clone()) })
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let values = |topic: &str| read(&log, &TopicPartition::new(topic, 0), Isolation::ReadCommitted);
    let kept = values("kept");
    assert!(kept.len() >= acknowledged, "{what}: {} of {acknowledged} are there", kept.len());
    assert!(kept.iter().enumerate().all(|(at, (offset, value))| *offset == at as i64 && number_of(value) == at));
    let offset = log.group_offset("g", &TopicPartition::new("kept", 0)).unwrap().unwrap_or(0);
    assert_eq!(offset, kept.len() as i64, "{what}");
    let (start, end) = log.offsets(&TopicPartition::new("short", 0)).unwrap();
    let short: Vec<_> = values("short").into_iter().map(|(offset, _)| offset).collect();
    let expected: Vec<_> = (start..end).collect();
    assert_eq!((short, end), (expected, kept.len() as i64), "{what}");
    let mut newest = HashMap::new();
    for (offset, value) in values("compacted") {
        assert_eq!(offset, number_of(&value) as i64, "{what}");
        newest.insert(number_of(&value) % KEYS, number_of(&value));
    }
    for number in kept.len().saturating_sub(KEYS)..kept.len() {
        assert_eq!(newest.get(&(number % KEYS)), Some(&number), "{what}");
    }
}

#[test]
fn a_power_failure_during_any_work_of_the_threads_loses_nothing_acknowledged() {
    let seeds = std::env::var("SEEDS").map_or(20, |seeds| seeds.parse().unwrap());
    for seed in 0..seeds {
        let disk = if seed % 2 == 0 { Memory::with_crashes() } else { Memory::with_crashes().with_direct() };
        let log = Arc::new(EmbeddedLog::open(busy(&disk)).unwrap());
        create(&log);
        let (acknowledged, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let writer = {
            let (log, acknowledged, stop) = (Arc::clone(&log), Arc::clone(&acknowledged), Arc::clone(&stop));
            thread::spawn(move || write(&log, &acknowledged, &stop, seed))
        };
        let mut random = Seeded(seed ^ 0x5eed);
        let images = Mutex::new(Vec::new());
        for _ in 0..8 {
            thread::sleep(Duration::from_micros(random.below(20_000) as u64));
            disk.advance_clock(random.below(3) as i64 * 400);
            let before = acknowledged.load(Ordering::Acquire);
            let choose = random.below(3);
            // Journals come before segments in the order of their names, so what they refer to is there.
            let image = disk.crash(|possibilities| match choose {
                0 => 0,
                1 => possibilities - 1,
                _ => random.below(possibilities),
            });
            images.lock().unwrap().push((image, before));
        }
        stop.store(true, Ordering::Release);
        writer.join().unwrap();
        drop(log);
        for (at, (image, before)) in images.into_inner().unwrap().into_iter().enumerate() {
            check(&image, before, &format!("seed {seed}, image {at}"));
            // Also what a second failure leaves right after the recovery.
            check(&image.crash(|_| 0), before, &format!("seed {seed}, image {at}, again"));
        }
    }
}

//! A data directory with one file of arbitrary bytes. It is refused, or it becomes a log that works: one that can be
//! read to its end, appended to, and opened again.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use millstream_log::record::{BatchBuilder, Compression};
use millstream_log::{
    EmbeddedLog, GroupOffset, Io, Log, LogOptions, Memory, Result, TopicPartition, TopicSpec, TransactionVersion,
};

use crate::reading::read_everything;
use crate::repair;

/// The first byte chooses the file, the second says whether checksums are made to fit.
pub fn run(bytes: &[u8]) {
    let [choice, mode, content @ ..] = bytes else { return };
    let files = files();
    let (disk, path) = &files[usize::from(*choice) % files.len()];
    let mut content = content.to_vec();
    if mode & 1 == 1 {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("journal") => repair::journal(&mut content),
            Some("log") => repair::batches(&mut content),
            _ => repair::sealed(&mut content),
        }
    }
    let disk = disk.deep_clone();
    replace(&disk, path, &content).expect("a disk in memory does not fail");
    let Ok(log) = EmbeddedLog::open(options(&disk)) else { return };
    use_log(&log);
    drop(log);
    let again = EmbeddedLog::open(options(&disk));
    assert!(again.is_ok(), "what could be opened once cannot be opened again: {again:?}");
}

/// Every input that is a file as the log has written it.
pub fn seeds() -> Vec<Vec<u8>> {
    let input = |(choice, (disk, path)): (usize, &(Memory, PathBuf))| {
        let content = disk.read(path).expect("a disk in memory does not fail").expect("the file is there");
        [&[choice as u8, 1], content.as_slice()].concat()
    };
    files().iter().enumerate().map(input).filter(|seed| seed.len() > 2).collect()
}

fn options(disk: &Memory) -> LogOptions {
    LogOptions {
        io: Arc::new(disk.clone()),
        journal_bytes_max: 4 << 10,
        ..LogOptions::in_memory()
    }
}

fn replace(disk: &Memory, path: &Path, content: &[u8]) -> std::io::Result<()> {
    let file = disk.open(path)?;
    file.set_len(0)?;
    file.write_at(content, 0)
}

/// Every file of a directory that a crash has left and of one that was closed, with the directory that it is in.
fn files() -> &'static [(Memory, PathBuf)] {
    static FILES: OnceLock<Vec<(Memory, PathBuf)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let disk = Memory::new();
        let log = EmbeddedLog::open(options(&disk)).expect("an empty folder can be opened");
        fill(&log).expect("a disk in memory does not fail");
        let crashed = disk.deep_clone();
        drop(log);
        let files_of = |disk: Memory| disk.files().into_iter().map(move |(path, _)| (disk.clone(), path));
        files_of(crashed).chain(files_of(disk)).filter(|(_, path)| !path.ends_with("lock")).collect()
    })
}

/// Some of everything: segments, compaction, groups, producers, a transaction of each outcome.
fn fill(log: &EmbeddedLog) -> Result<()> {
    let (plain, compacted) = (TopicPartition::new("plain", 0), TopicPartition::new("compacted", 0));
    log.create_topic(&TopicSpec::new("plain", 1))?;
    let mut spec = TopicSpec::new("compacted", 1).compacted();
    spec.config.set("segment.bytes", "200")?;
    spec.config.set("min.cleanable.dirty.ratio", "0")?;
    log.create_topic(&spec)?;
    for round in 0..4 {
        log.append(&compacted, batch(BatchBuilder::new(), round)?)?.wait()?;
    }
    log.keep_house()?;
    let producer = log.init_idempotent_producer()?;
    let idempotent =
        BatchBuilder::new().with_compression(Compression::Lz4).with_producer(producer.id, producer.epoch, 0);
    log.append(&plain, batch(idempotent, 1)?)?.wait()?;
    let offset = GroupOffset::new("group", plain.clone(), 1);
    for commit in [Some(false), Some(true), None] {
        let producer = log.init_producer("transaction")?;
        log.add_partitions(producer, std::slice::from_ref(&plain))?.wait()?;
        let builder = BatchBuilder::new().with_producer(producer.id, producer.epoch, 0).transactional();
        log.append_by(&plain, batch(builder, 2)?, TransactionVersion::One)?.ticket.wait()?;
        if let Some(commit) = commit {
            log.end_transaction(producer, commit, std::slice::from_ref(&offset))?.wait()?;
        }
    }
    Ok(())
}

fn batch(mut builder: BatchBuilder, round: i64) -> Result<Vec<u8>> {
    builder.push(1_000 + round, Some(b"key"), Some(b"value"));
    builder.push(2_000 + round, Some(b"other"), None);
    builder.finish()
}

fn use_log(log: &EmbeddedLog) {
    read_everything(log);
    let _ = log.keep_house();
    let spec = TopicSpec::new("fresh", 1);
    // There may be one already: the registry of topics is among the files.
    if log.create_topic(&spec).is_ok() {
        let fresh = TopicPartition::new("fresh", 0);
        let appended = batch(BatchBuilder::new(), 0).and_then(|batch| log.append(&fresh, batch)?.wait());
        assert_eq!(appended.ok(), Some(0), "a log that could be opened takes no records");
        assert_eq!(crate::reading::read(log, &fresh, millstream_log::Isolation::ReadCommitted).ok(), Some(2));
    }
    for partition in log.topics().unwrap_or_default().iter().flat_map(|topic| topic.topic_partitions()) {
        let _ = batch(BatchBuilder::new(), 3).and_then(|batch| log.append(&partition, batch)?.wait());
    }
    read_everything(log);
}

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use millstream_log::{
    Disk, EmbeddedLog, Error, GroupOffset, Io, Isolation, Log, LogOptions, Memory, TopicPartition, TopicSpec,
    WriteBatch,
};

use super::{batch, options, read, threaded};

#[test]
fn records_groups_and_topics_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let partition = TopicPartition::new("t", 1);
    {
        let log = EmbeddedLog::open(threaded(dir.path())).unwrap();
        log.create_topic(&TopicSpec::new("t", 2).kept_for_ever()).unwrap();
        log.append(&partition, batch(&["a", "b"])).unwrap().wait().unwrap();
        let offset = GroupOffset::new("g", partition.clone(), 2);
        let batches = vec![(partition.clone(), batch(&["c"]))];
        log.write(WriteBatch { batches, offsets: vec![offset] }).unwrap().wait().unwrap();
    }
    let log = EmbeddedLog::open(threaded(dir.path())).unwrap();
    let values: Vec<_> = read(&log, &partition, Isolation::ReadCommitted);
    assert_eq!(values, [(0, "a".to_owned()), (1, "b".to_owned()), (2, "c".to_owned())]);
    assert_eq!(log.group_offset("g", &partition).unwrap(), Some(2));
    log.delete_topic("t").unwrap();
    assert_eq!(log.group_offset("g", &partition).unwrap(), None);
    assert!(matches!(log.append(&partition, batch(&["d"])), Err(Error::UnknownTopic(_))));
}

/// How much more the segments of a data directory take of the disk than they hold.
#[cfg(target_os = "linux")]
fn slack_bytes(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;

    let folders = std::fs::read_dir(dir.join("topics")).unwrap();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    let metadata = files.map(|file| file.unwrap().metadata().unwrap());
    metadata.map(|metadata| (metadata.blocks() * 512).saturating_sub(metadata.len())).sum()
}

#[cfg(target_os = "linux")]
#[test]
fn segments_that_nothing_is_appended_to_take_no_more_of_the_disk_than_they_hold() {
    const MIB: u64 = 1 << 20;
    let dir = tempfile::tempdir().unwrap();
    let after_crash = tempfile::tempdir().unwrap();
    let partition = TopicPartition::new("t", 0);
    {
        let log = EmbeddedLog::open(threaded(dir.path())).unwrap();
        let mut spec = TopicSpec::new("t", 1).kept_for_ever();
        spec.config.segment_bytes = 5 * MIB;
        log.create_topic(&spec).unwrap();
        for value in ["a", "b", "c"] {
            for _ in 0..24 {
                log.append(&partition, batch(&[value.repeat(MIB as usize / 8)])).unwrap().wait().unwrap();
            }
            assert!(slack_bytes(dir.path()) <= 4 * MIB + MIB / 2, "{}", slack_bytes(dir.path()));
        }
        let copied =
            std::process::Command::new("cp").arg("-r").arg(dir.path().join(".")).arg(after_crash.path()).status();
        assert!(copied.unwrap().success());
    }
    assert!(slack_bytes(dir.path()) < MIB / 4, "{}", slack_bytes(dir.path()));
    // What is replayed is written like what is appended.
    let log = EmbeddedLog::open(threaded(after_crash.path())).unwrap();
    assert_eq!(log.offsets(&partition).unwrap(), (0, 72));
    assert!(slack_bytes(after_crash.path()) <= 4 * MIB + MIB / 2, "{}", slack_bytes(after_crash.path()));
    drop(log);
    assert!(slack_bytes(after_crash.path()) < MIB / 4, "{}", slack_bytes(after_crash.path()));
    // Space of a crashed process is given back by the next one.
    let segment = std::fs::read_dir(dir.path().join("topics")).unwrap().map(|folder| folder.unwrap().path());
    let segment = segment.map(|folder| folder.join("00000000000000000039.log")).find(|path| path.exists()).unwrap();
    let length = segment.metadata().unwrap().len();
    Disk::new().open(&segment).unwrap().reserve(length..length + 4 * MIB);
    drop(EmbeddedLog::open(threaded(dir.path())).unwrap());
    assert!(slack_bytes(dir.path()) < MIB / 4, "{}", slack_bytes(dir.path()));
}

#[test]
fn a_file_that_was_cut_while_the_log_ran_is_not_lengthened() {
    let disk = Memory::new();
    let partition = TopicPartition::new("t", 0);
    let log = EmbeddedLog::open(options(disk.clone())).unwrap();
    let mut spec = TopicSpec::new("t", 1).kept_for_ever();
    spec.config.segment_bytes = 500;
    log.create_topic(&spec).unwrap();
    log.append(&partition, batch(&["a".repeat(300)])).unwrap().wait().unwrap();
    let folder = &disk.list(Path::new("/log/topics")).unwrap();
    let folder = folder.iter().find(|name| name.starts_with("t-0.")).unwrap();
    let segment = Path::new("/log/topics").join(folder).join("00000000000000000000.log");
    // What was gathered is written before its length is told.
    log.fetch(&partition, 0, 1, Isolation::ReadCommitted).unwrap();
    disk.open(&segment).unwrap().set_len(200).unwrap();
    log.append(&partition, batch(&["b".repeat(300)])).unwrap().wait().unwrap();
    assert_eq!(disk.list(segment.parent().unwrap()).unwrap().len(), 2);
    assert_eq!(disk.open(&segment).unwrap().len().unwrap(), 200);
    let error = log.fetch(&partition, 0, 1, Isolation::ReadCommitted).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}

#[test]
fn a_second_process_is_told_who_owns_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let _log = EmbeddedLog::open(threaded(dir.path())).unwrap();
    let error = EmbeddedLog::open(threaded(dir.path())).unwrap_err();
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
}

#[test]
fn a_fetch_inside_a_batch_returns_the_whole_batch_and_at_least_one() {
    let log = EmbeddedLog::open(LogOptions::in_memory()).unwrap();
    log.create_topic(&TopicSpec::new("t", 1).kept_for_ever()).unwrap();
    let partition = TopicPartition::new("t", 0);
    let large = "x".repeat(10_000);
    for _ in 0..3 {
        log.append(&partition, batch(&["a", &large])).unwrap();
    }
    let fetched = log.fetch(&partition, 3, 1, Isolation::ReadCommitted).unwrap();
    let offsets: Vec<_> = fetched.all_batches().map(|batch| batch.unwrap().0.base_offset).collect();
    assert_eq!(offsets, [2]);
    let error = log.fetch(&partition, 7, 1, Isolation::ReadCommitted).unwrap_err();
    assert!(error.to_string().contains("it has offsets 0 to 6"), "{error}");
}

#[test]
fn a_fetch_returns_as_many_batches_as_may_come_wherever_it_begins() {
    let log = EmbeddedLog::open(LogOptions::in_memory()).unwrap();
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    let partition = TopicPartition::new("t", 0);
    // Far more than one entry of the index.
    for number in 0..200 {
        let batch = batch(&[format!("record {number:03}")]);
        log.append(&partition, batch).unwrap().wait().unwrap();
    }
    let size = log.fetch(&partition, 0, 1, Isolation::ReadCommitted).unwrap().bytes.len();
    for offset in 0..200 {
        for (bytes_max, expected) in [(0, 1), (1, 1), (size * 3 - 1, 2), (size * 3, 3), (size * 60 + 1, 60)] {
            let fetched = log.fetch(&partition, offset, bytes_max, Isolation::ReadCommitted).unwrap();
            let first = fetched.batches().next().unwrap().unwrap().iter().next().unwrap().unwrap().offset;
            let expected = expected.min(200 - offset as usize);
            assert_eq!((first, fetched.bytes.len()), (offset, size * expected), "{bytes_max} bytes from {offset}");
        }
    }
}

#[test]
fn a_partition_of_many_segments_reads_as_one() {
    let log = EmbeddedLog::open(LogOptions::in_memory()).unwrap();
    let mut spec = TopicSpec::new("t", 1);
    spec.config.segment_bytes = 500;
    log.create_topic(&spec).unwrap();
    let partition = TopicPartition::new("t", 0);
    let values: Vec<String> = (0..200).map(|i| format!("value {i}")).collect();
    for value in &values {
        log.append(&partition, batch(&[value])).unwrap();
    }
    let found: Vec<String> = read(&log, &partition, Isolation::ReadCommitted).into_iter().map(|(_, v)| v).collect();
    assert_eq!(found, values);
}

#[test]
fn damaged_batches_are_refused() {
    let log = EmbeddedLog::open(LogOptions::in_memory()).unwrap();
    log.create_topic(&TopicSpec::new("t", 1).kept_for_ever()).unwrap();
    let partition = TopicPartition::new("t", 0);
    let good = batch(&["a"]);
    for position in 8..good.len() {
        let mut bad = good.clone();
        bad[position] ^= 1;
        // The leader epoch is the broker's to set and not covered by the CRC.
        if !(12..16).contains(&position) {
            assert!(log.append(&partition, bad).is_err(), "byte {position}");
        }
    }
    assert!(log.append(&partition, good[..20].to_vec()).is_err());
}

#[test]
fn a_reader_at_the_tail_is_woken() {
    let dir = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(threaded(dir.path())).unwrap();
    log.create_topic(&TopicSpec::new("t", 1).kept_for_ever()).unwrap();
    let partition = TopicPartition::new("t", 0);
    let woken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&woken);
    let watch = log.watch(&partition, Arc::new(move || _ = counter.fetch_add(1, Ordering::SeqCst))).unwrap();
    log.append(&partition, batch(&["a"])).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while woken.load(Ordering::SeqCst) == 0 {
        assert!(Instant::now() < deadline, "nobody woke the reader");
        std::thread::yield_now();
    }
    assert_eq!(read(&log, &partition, Isolation::ReadCommitted).len(), 1);
    drop(watch);
    log.append(&partition, batch(&["b"])).unwrap().wait().unwrap();
    assert_eq!(woken.load(Ordering::SeqCst), 1);
}

#[test]
fn old_segments_are_deleted_when_a_journal_is_retired() {
    let mut options = LogOptions::in_memory();
    options.journal_bytes_max = 2_000;
    let log = EmbeddedLog::open(options).unwrap();
    let mut spec = TopicSpec::new("t", 1);
    spec.config.segment_bytes = 500;
    spec.config.retention_bytes = 1_000;
    log.create_topic(&spec).unwrap();
    let partition = TopicPartition::new("t", 0);
    for i in 0..200 {
        log.append(&partition, batch(&[format!("value {i}")])).unwrap();
    }
    let (start, end) = log.offsets(&partition).unwrap();
    assert!(start > 100 && end == 200, "{start}..{end}");
    assert_eq!(read(&log, &partition, Isolation::ReadCommitted).len() as i64, end - start);
}

#[test]
fn appends_wait_for_a_slow_disk_instead_of_filling_memory() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::with_sync_delay(Duration::from_millis(30));
    let log = EmbeddedLog::open(LogOptions { io: Arc::new(disk), queue_bytes_max: 100_000, ..threaded(dir.path()) });
    let log = log.unwrap();
    log.create_topic(&TopicSpec::new("t", 1).kept_for_ever()).unwrap();
    let partition = TopicPartition::new("t", 0);
    let value = "x".repeat(20_000);
    let mut tickets = std::collections::VecDeque::new();
    for _ in 0..60 {
        tickets.push_back(log.append(&partition, batch(&[&value])).unwrap());
        tickets.retain(|ticket| ticket.poll().is_none());
        assert!(tickets.len() <= 14, "{} batches wait for the disk", tickets.len());
    }
    // A callback on the journal's own thread may append: it must not wait for itself.
    let log = Arc::new(log);
    let (done, appended) = std::sync::mpsc::channel();
    let again = Arc::clone(&log);
    let last = log.append(&partition, batch(&[&value])).unwrap();
    for _ in 0..6 {
        log.append(&partition, batch(&[&value])).unwrap();
    }
    last.on_complete(move |_| {
        let all: Vec<_> =
            (0..8).map(|_| again.append(&TopicPartition::new("t", 0), batch(&["y".repeat(20_000)])).unwrap()).collect();
        done.send(all).unwrap();
    });
    for ticket in appended.recv_timeout(Duration::from_secs(20)).unwrap() {
        ticket.wait().unwrap();
    }
    assert_eq!(read(&log, &partition, Isolation::ReadCommitted).len(), 75);
}

#[test]
fn the_number_of_a_topic_is_its_own_for_ever() {
    let disk = Memory::new();
    let log = EmbeddedLog::open(options(disk.clone())).unwrap();
    let number = |log: &EmbeddedLog, name: &str| log.topic_number(name);
    log.create_topic(&TopicSpec::new("a", 1)).unwrap();
    log.create_topic(&TopicSpec::new("b", 1)).unwrap();
    let (a, b) = (number(&log, "a"), number(&log, "b"));
    assert!(a.is_some() && b.is_some() && a != b);
    log.create_partitions("a", 3).unwrap();
    log.delete_topic("b").unwrap();
    assert_eq!((number(&log, "a"), number(&log, "b")), (a, None));
    drop(log);
    let log = EmbeddedLog::open(options(disk)).unwrap();
    log.create_topic(&TopicSpec::new("b", 1)).unwrap();
    assert_eq!(number(&log, "a"), a);
    assert!(![a, b, None].contains(&number(&log, "b")));
}

#[test]
fn a_partition_tells_its_size() {
    let log = EmbeddedLog::open(options(Memory::new())).unwrap();
    log.create_topic(&TopicSpec::new("t", 2)).unwrap();
    let bytes = batch(&["a", "b"]);
    let size = bytes.len() as u64;
    log.append(&TopicPartition::new("t", 1), bytes).unwrap().wait().unwrap();
    let sizes = [0, 1].map(|index| log.partition_bytes(&TopicPartition::new("t", index)).unwrap());
    assert_eq!(sizes, [0, size]);
}

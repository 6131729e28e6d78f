//! Opening a data directory, after a clean stop or a crash.
//!
//! Each partition is opened as of the checkpoint, whose files are known to be synced; then the
//! journals since then are replayed over it. What a segment holds beyond the checkpoint counts only
//! if a journal has it too, or says that it was synced; the rest is cut off in the end.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::checkpointer::Checkpointer;
use super::cluster_id;
use super::compaction::Compactor;
use super::coordinator::Coordinator;
use super::queue::JournalQueue;
use super::topics::{Topics, partitions_dir};
use super::{Inner, LogOptions};
use crate::checkpoint::Checkpoint;
use crate::gate::Gate;
use crate::group::{GroupOffsets, OFFSETS_TOPIC};
use crate::journal::{JournalWriter, journal_numbers, journal_path, replay};
use crate::record::BatchReader;
use crate::sync_time::SyncTime;
use crate::topic::INTERNAL_TOPICS;
use crate::{Error, Io, Isolation, Result, TopicPartition, TopicSpec};

const FETCH_BYTES: usize = 1 << 20;

pub(super) fn open(options: LogOptions) -> Result<Inner> {
    let io = Arc::clone(&options.io);
    let dir = options.dir.clone();
    io.create_dir(&dir).map_err(Error::io("create", &dir))?;
    let lock_path = dir.join("lock");
    let lock = io.lock(&lock_path).map_err(Error::io("lock", &lock_path))?;
    let lock = lock.map_err(|owner| Error::Locked { dir: dir.clone(), owner })?;

    let journals = dir.join("journal");
    let last_journal = match Topics::read(&*io, &dir)? {
        None => initialise(&*io, &options)?,
        Some(_) => journal_numbers(&*io, &journals)?.last().copied().unwrap_or(0),
    };
    let topics = Topics::read(&*io, &dir)?.unwrap_or_default();
    restore_partitions(&*io, &options, &topics)?;

    let writer = JournalWriter::create(&*io, &journals, last_journal + 1)?;
    let inner = Inner {
        cluster_id: cluster_id::read_or_make(&*io, &dir)?,
        options,
        unit: RwLock::default(),
        topics: RwLock::new(topics),
        coordinator: Mutex::default(),
        groups: Mutex::default(),
        queue: JournalQueue::new(writer),
        checkpointer: Checkpointer::default(),
        compactor: Compactor::default(),
        gate: Arc::new(Gate::default()),
        sync_time: SyncTime::default(),
        buffers: Arc::default(),
        _lock: Box::new(lock),
    };
    // The names of the folders must be as durable as what is in them.
    for folder in [partitions_dir(&inner.options.dir), inner.options.dir.clone()] {
        io.sync_dir(&folder).map_err(Error::io("sync", &folder))?;
    }
    // Everything replayed is synced and the journals it came from are retired before anybody reads.
    inner.checkpoint_now()?;
    *super::locked(&inner.groups) = read_groups(&inner)?;
    *super::locked(&inner.coordinator) = Coordinator::read(&inner)?;
    inner.abort_unknown_transactions()?;
    Ok(inner)
}

/// Makes an empty data directory: the registry last, since it is what tells that the rest is there.
fn initialise(io: &dyn Io, options: &LogOptions) -> Result<u64> {
    let dir = &options.dir;
    for folder in [partitions_dir(dir), dir.join("journal")] {
        let found = io.list(&folder).map_err(Error::io("list", &folder))?;
        if folder == partitions_dir(dir) && !found.is_empty() {
            let reason = "the registry of topics (topics.meta) is missing although there are partitions";
            return Err(Error::damaged(&folder, 0, reason));
        }
        io.create_dir(&folder).map_err(Error::io("create", &folder))?;
    }
    Checkpoint::default().write(io, &dir.join("checkpoint"))?;
    let mut topics = Topics::default();
    for internal in INTERNAL_TOPICS {
        topics.insert(dir, &TopicSpec::new(internal, 1).compacted());
    }
    topics.write(io, dir)?;
    Ok(0)
}

fn restore_partitions(io: &dyn Io, options: &LogOptions, topics: &Topics) -> Result<()> {
    let checkpoint_path = options.dir.join("checkpoint");
    let mut checkpoint = Checkpoint::read(io, &checkpoint_path)?
        .ok_or_else(|| Error::damaged(&checkpoint_path, 0, "the checkpoint is missing"))?;
    // Nothing is cut before it is known that the journals can make up for it.
    let journals = journals_since(io, options, checkpoint.journal)?;
    remove_orphans(io, options, topics)?;
    for partition in topics.partitions() {
        partition.restore(io, checkpoint.partitions.remove(&partition.id))?;
    }
    for number in journals {
        replay(io, &options.dir.join("journal"), number, |entry| match topics.partition_by_id(entry.partition) {
            Some(partition) => partition.replay(io, entry),
            None => Ok(()), // The topic was deleted after the frame was written.
        })?;
    }
    topics.partitions().try_for_each(|partition| partition.cut(io))
}

/// The numbers of the journals from this one on, each of them there and undamaged.
fn journals_since(io: &dyn Io, options: &LogOptions, first: u64) -> Result<Vec<u64>> {
    let dir = options.dir.join("journal");
    let mut found = Vec::new();
    let mut last: Option<(u64, u64)> = None;
    for number in journal_numbers(io, &dir)? {
        if number < first {
            continue;
        }
        let expected = last.map_or(first, |(number, _)| number + 1);
        // The very first checkpoint names journal 0, which there never was.
        if number != expected && first > 0 {
            let reason = format!("journal {expected} before it is missing");
            return Err(Error::damaged(&journal_path(&dir, number), 0, reason));
        }
        let extent = replay(io, &dir, number, |_| Ok(()))?;
        // Only the newest journal that was written to can end in the middle of a frame.
        if let (Some((last, size_bytes)), Some(before)) = (last, extent.before)
            && size_bytes != before
        {
            let reason = format!("its readable frames end here, it had {before} bytes when it was retired");
            return Err(Error::damaged(&journal_path(&dir, last), size_bytes, reason));
        }
        last = Some((number, extent.size_bytes));
        found.push(number);
    }
    if found.is_empty() && first > 0 {
        return Err(Error::damaged(&journal_path(&dir, first), 0, "the journal is missing"));
    }
    Ok(found)
}

/// Removes the folders of partitions whose creation or deletion the crash cut short.
fn remove_orphans(io: &dyn Io, options: &LogOptions, topics: &Topics) -> Result<()> {
    let root = partitions_dir(&options.dir);
    for name in io.list(&root).map_err(Error::io("list", &root))? {
        let dir = root.join(name);
        if !topics.partitions().any(|partition| partition.dir == dir) {
            io.remove_dir(&dir).map_err(Error::io("remove", &dir))?;
        }
    }
    Ok(())
}

fn read_groups(inner: &Inner) -> Result<GroupOffsets> {
    let mut groups = GroupOffsets::default();
    let topics = inner.topics.read().unwrap_or_else(PoisonError::into_inner);
    let partition = topics.partition(&TopicPartition::new(OFFSETS_TOPIC, 0))?;
    let mut offset = partition.offsets().0;
    // Beyond the first open transaction, too: what is pending must be known.
    loop {
        let fetched = partition.fetch(&inner.buffers, offset, FETCH_BYTES, Isolation::ReadUncommitted)?;
        for batch in fetched.all_batches() {
            let (header, batch) = batch?;
            groups.replay(&header, batch)?;
        }
        if fetched.next_offset == offset {
            break;
        }
        offset = fetched.next_offset;
    }
    drop(topics);
    // A crash may have come between the deletion of a topic and that of its readers' offsets.
    let topics = inner.topics.read().unwrap_or_else(PoisonError::into_inner);
    groups.retain(|partition| topics.partition(partition).is_ok());
    drop(topics);
    Ok(groups)
}

impl Inner {
    /// Reads an internal topic of one partition from beginning to end.
    pub(super) fn for_each_batch(
        &self,
        topic: &str,
        mut visit: impl FnMut(&BatchReader<'_>) -> Result<()>,
    ) -> Result<()> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        let partition = topics.partition(&TopicPartition::new(topic, 0))?;
        let (mut offset, end) = partition.offsets();
        while offset < end {
            let fetched = partition.fetch(&self.buffers, offset, FETCH_BYTES, Isolation::ReadCommitted)?;
            for batch in fetched.batches() {
                visit(&batch?)?;
            }
            offset = fetched.next_offset;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::journal::{Content, Entry, Extent, recycle_before};
    use crate::record::BatchBuilder;
    use crate::{EmbeddedLog, Log, Memory};

    fn dir() -> PathBuf {
        PathBuf::from("/log/journal")
    }

    fn options(io: &Memory) -> LogOptions {
        LogOptions { io: Arc::new(io.clone()), ..LogOptions::in_memory() }
    }

    fn whole(partition: u32, batch: &[u8]) -> Entry<'_> {
        Entry { partition, starts_segment: false, content: Content::Batch(batch) }
    }

    /// Journals 1 and 2, the first of two frames and the second of one.
    fn two_journals(io: &Memory) -> JournalWriter {
        let mut writer = JournalWriter::create(io, &dir(), 1).unwrap();
        writer.write([whole(7, &b"first"[..])].into_iter(), true).unwrap();
        writer.sync().unwrap();
        writer.write([whole(7, &b"second"[..])].into_iter(), true).unwrap();
        writer.sync().unwrap();
        writer.retire_for(JournalWriter::create(io, &dir(), 2).unwrap()).unwrap();
        writer.write([whole(7, &b"third"[..])].into_iter(), true).unwrap();
        writer.sync().unwrap();
        writer
    }

    fn entries(io: &Memory, number: u64) -> (Vec<String>, Extent) {
        let mut entries = Vec::new();
        let extent = replay(io, &dir(), number, |entry| {
            let Content::Batch(content) = entry.content else { panic!("{entry:?}") };
            entries.push(String::from_utf8_lossy(content).into_owned());
            Ok(())
        });
        (entries, extent.unwrap())
    }

    fn last_byte(io: &Memory, path: &Path) -> usize {
        io.read(path).unwrap().unwrap().len() - 1
    }

    #[test]
    fn a_retired_journal_that_is_shorter_than_it_was_is_damage() {
        let io = Memory::new();
        two_journals(&io);
        assert_eq!(journals_since(&io, &options(&io), 1).unwrap(), [1, 2]);
        let path = journal_path(&dir(), 1);
        io.flip(&path, last_byte(&io, &path), 1);
        assert!(matches!(journals_since(&io, &options(&io), 1), Err(Error::Damaged { .. })));
    }

    #[test]
    fn the_newest_journal_may_end_in_a_torn_frame() {
        let io = Memory::new();
        two_journals(&io);
        let path = journal_path(&dir(), 2);
        io.flip(&path, last_byte(&io, &path), 1);
        assert_eq!(journals_since(&io, &options(&io), 1).unwrap(), [1, 2]);
        assert_eq!(entries(&io, 2).0, Vec::<String>::new());
    }

    #[test]
    fn a_missing_journal_is_damage() {
        let io = Memory::new();
        two_journals(&io);
        io.remove(&journal_path(&dir(), 1)).unwrap();
        assert!(matches!(journals_since(&io, &options(&io), 1), Err(Error::Damaged { .. })));
        assert!(matches!(journals_since(&io, &options(&io), 3), Err(Error::Damaged { .. })));
    }

    #[test]
    fn frames_of_a_files_earlier_life_do_not_count() {
        let io = Memory::new();
        let mut writer = two_journals(&io);
        recycle_before(&io, &dir(), 2, 1 << 20).unwrap();
        writer.retire_for(JournalWriter::create(&io, &dir(), 3).unwrap()).unwrap();
        assert_eq!(entries(&io, 3).0, Vec::<String>::new());
        assert!(io.read(&journal_path(&dir(), 3)).unwrap().is_some_and(|content| !content.is_empty()));
        writer.write([whole(7, &b"fourth"[..])].into_iter(), true).unwrap();
        assert_eq!(entries(&io, 3).0, ["fourth"]);
        assert_eq!(journals_since(&io, &options(&io), 2).unwrap(), [2, 3]);
        // A torn frame over old ones is the end, too.
        io.flip(&journal_path(&dir(), 3), 45, 1);
        assert_eq!(entries(&io, 3), (Vec::new(), Extent { size_bytes: 0, before: None }));
    }

    #[test]
    fn an_entry_that_is_not_one_batch_is_damage() {
        for (cut, extra) in [(0, 1), (1, 0)] {
            let io = Memory::new();
            let log = EmbeddedLog::open(options(&io)).unwrap();
            log.create_topic(&TopicSpec::new("t", 1)).unwrap();
            let io = io.deep_clone();
            let next = journal_numbers(&io, &dir()).unwrap().last().unwrap() + 1;
            let mut batch = BatchBuilder::new();
            batch.push(0, None, Some(b"value"));
            let mut batch = batch.finish().unwrap();
            batch.truncate(batch.len() - cut);
            batch.resize(batch.len() + extra, 0);
            let mut writer = JournalWriter::create(&io, &dir(), next).unwrap();
            // The internal topics have the partitions 0 and 1.
            writer.write([whole(2, &batch[..])].into_iter(), true).unwrap();
            let refused = EmbeddedLog::open(options(&io));
            assert!(matches!(&refused, Err(Error::Damaged { .. })), "{refused:?}");
        }
    }

    #[test]
    fn a_journal_that_has_grown_too_long_is_no_spare() {
        let io = Memory::new();
        two_journals(&io);
        recycle_before(&io, &dir(), 2, 10).unwrap();
        assert_eq!(io.list(&dir()).unwrap(), ["00000000000000000002.journal"]);
    }
}

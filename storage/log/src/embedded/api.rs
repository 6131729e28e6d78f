//! The embedded log's side of the [`Log`] interface.

use std::borrow::Cow;
use std::sync::{Arc, PoisonError};

use super::admit::{check_batch, check_records, convert};
use super::coordinator::DEFAULT_TIMEOUT_MS;
use super::{EmbeddedLog, Inner, locked};
use crate::group::{OFFSETS_TOPIC, offsets_batch};
use crate::incoming::Incoming;
use crate::partition::{Partition, Placement};
use crate::record::BatchHeader;
use crate::topic::INTERNAL_TOPICS;
use crate::{
    Error, Extent, Fetched, GroupOffset, Isolation, Log, PartitionOffsets, Producer, ProducerInfo, Result, Ticket,
    TimedOffset, TopicInfo, TopicPartition, TopicSpec, TransactionInfo, TransactionVersion, Watch, WriteBatch,
};

/// An append that is on its way to the disk.
#[derive(Debug)]
pub struct Appended {
    /// Completes with the offset of the first record.
    pub ticket: Ticket<i64>,
    /// The time that the records got, if the topic gives them one (`message.timestamp.type`).
    pub append_time_ms: Option<i64>,
}

/// A batch that was placed.
pub(super) struct InQueue {
    pub(super) base_offset: i64,
    /// What must be durable for it to be.
    pub(super) sequence: u64,
    /// Whether it had not been appended before.
    is_new: bool,
}

impl Inner {
    pub(super) fn partition(&self, name: &TopicPartition) -> Result<Arc<Partition>> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.partition(name).map(Arc::clone)
    }

    /// How large a batch is to go into the journal whole: where syncs are long, all are, since one is waited for then
    /// instead of two.
    fn journaled_bytes_max(&self) -> usize {
        if self.sync_time.is_short() { self.options.journaled_bytes_max } else { usize::MAX }
    }

    /// Puts a batch into its segment and the queue; the caller holds `unit`.
    pub(super) fn place<'a>(&self, to: &TopicPartition, batch: impl Into<Incoming<'a>>) -> Result<InQueue> {
        self.place_silently(to, batch).inspect(|_| self.queue.wake_thread())
    }

    /// The same, without telling the journal's thread.
    fn place_silently<'a>(&self, to: &TopicPartition, batch: impl Into<Incoming<'a>>) -> Result<InQueue> {
        self.gate.check()?;
        let partition = self.partition(to)?;
        let (io, journaled_bytes_max) = (&*self.options.io, self.journaled_bytes_max());
        let in_queue = |placement| match placement {
            Placement::New(placed) => {
                InQueue { base_offset: placed.base_offset, sequence: self.queue.push(&partition, placed), is_new: true }
            }
            Placement::Duplicate(base_offset) => {
                InQueue { base_offset, sequence: self.queue.sequence(), is_new: false }
            }
        };
        let placed = partition.append(io, journaled_bytes_max, batch.into(), in_queue);
        if let Err(error @ Error::Io { .. }) = &placed {
            // A partial write may lie in the segment: nothing may follow it before a recovery.
            self.gate.fail(error);
        }
        placed
    }

    pub(super) fn place_offsets(&self, offsets: &[GroupOffset]) -> Result<()> {
        if offsets.is_empty() {
            return Ok(());
        }
        let now_ms = self.options.io.now_ms();
        let batch = offsets_batch(offsets, now_ms)?;
        let mut groups = locked(&self.groups);
        self.place(&TopicPartition::new(OFFSETS_TOPIC, 0), batch)?;
        for offset in offsets {
            groups.set(offset, now_ms);
        }
        Ok(())
    }

    /// Appends a batch without telling the journal's thread.
    fn append_batch(&self, to: &TopicPartition, batch: Incoming<'_>, version: TransactionVersion) -> Result<Appended> {
        let header = BatchHeader::parse(&batch)?;
        let partition = self.partition(to)?;
        let config = partition.config();
        let now_ms = self.options.io.now_ms();
        if header.is_transactional() {
            // Before anything is said of the records, as in Kafka: refused ones leave a transaction open, too.
            let _unit = self.unit.read().unwrap_or_else(PoisonError::into_inner);
            drop(self.join_transaction(&header, &partition, version)?);
        }
        check_batch(&header, &batch)?;
        check_records(&header, &batch, to, &config, now_ms)?;
        let batch = match batch {
            // The one copy, which a batch that only goes into its segment does without.
            Incoming::Borrowed(borrowed)
                if !Partition::is_for_segment(&config, &header, self.journaled_bytes_max()) =>
            {
                Incoming::Owned(self.buffers.copy(borrowed))
            }
            batch => batch,
        };
        let batch = convert(&header, batch, &config, now_ms)?;
        self.wait_for_room();
        let _unit = self.unit.read().unwrap_or_else(PoisonError::into_inner);
        // Once more, and held until the batch is placed, or the transaction could end between the two.
        let join = || self.join_transaction(&header, &partition, version);
        let _coordinator = header.is_transactional().then(join).transpose()?;
        let placed = self.place_silently(to, batch)?;
        let ticket = Ticket::new(Arc::clone(&self.gate), placed.sequence, placed.base_offset);
        Ok(Appended { ticket, append_time_ms: (config.log_append_time && placed.is_new).then_some(now_ms) })
    }
}

/// Refuses a group's name that its record cannot hold.
fn check_group(group: &str) -> Result<()> {
    if group.len() > i16::MAX as usize {
        let reason = format!("a group's name has at most {} bytes, this one {}", i16::MAX, group.len());
        return Err(Error::InvalidTopic { topic: OFFSETS_TOPIC.to_owned(), reason });
    }
    Ok(())
}

/// Refuses to touch the topics that the log keeps for itself.
pub(super) fn check_public(topic: &str) -> Result<()> {
    if INTERNAL_TOPICS.contains(&topic) {
        let reason = "the log keeps it for itself".to_owned();
        return Err(Error::InvalidTopic { topic: topic.to_owned(), reason });
    }
    Ok(())
}

/// Positions, as Kafka's ListOffsets has them.
impl EmbeddedLog {
    /// The first offset, the last stable one, and the high watermark.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`], [`Error::UnknownPartition`].
    pub fn partition_offsets(&self, partition: &TopicPartition) -> Result<PartitionOffsets> {
        Ok(self.inner.partition(partition)?.all_offsets())
    }

    /// Finds what [`Log::fetch`] would read, and leaves it where it is: for who sends it on as it is. Nobody has looked
    /// at the records, which the CRCs of their batches are for.
    ///
    /// # Errors
    /// As [`Log::fetch`].
    pub fn locate(
        &self,
        from: &TopicPartition,
        offset: i64,
        bytes_max: usize,
        isolation: Isolation,
    ) -> Result<Fetched<Option<Extent>>> {
        self.inner.partition(from)?.locate(offset, bytes_max, isolation)
    }

    /// The first record, in the order of offsets, whose time is `timestamp_ms` or later; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`], [`Error::UnknownPartition`], [`Error::Damaged`], or the disk's.
    pub fn offset_for_time(
        &self,
        partition: &TopicPartition,
        timestamp_ms: i64,
        isolation: Isolation,
    ) -> Result<Option<TimedOffset>> {
        self.inner.partition(partition)?.offset_for_time(timestamp_ms, isolation)
    }

    /// The first record of the greatest time; `None` if there is no record.
    ///
    /// # Errors
    /// As [`EmbeddedLog::offset_for_time`].
    pub fn offset_of_greatest_time(
        &self,
        partition: &TopicPartition,
        isolation: Isolation,
    ) -> Result<Option<TimedOffset>> {
        self.inner.partition(partition)?.offset_of_greatest_time(isolation)
    }
}

/// Transactions of producers outside, which only the log's own broker side has: a client of a cluster has
/// no producer ids to hand out.
impl EmbeddedLog {
    /// Makes a producer for a transactional id, fencing earlier ones and aborting what they left open. Its
    /// transactions may be open for a minute.
    ///
    /// # Errors
    /// The disk's.
    pub fn init_producer(&self, transactional_id: &str) -> Result<Producer> {
        self.init_transactional_producer(transactional_id, DEFAULT_TIMEOUT_MS, None)
    }

    /// The same with another `transaction.timeout.ms`. A producer that says who it is, as `current`, gets the next
    /// epoch only if nobody else has taken over meanwhile (KIP-360).
    ///
    /// # Errors
    /// [`Error::InvalidTransactionTimeout`], [`Error::Fenced`], or the disk's.
    pub fn init_transactional_producer(
        &self,
        transactional_id: &str,
        timeout_ms: i64,
        current: Option<Producer>,
    ) -> Result<Producer> {
        self.inner.make_producer(transactional_id, timeout_ms, current)
    }

    /// Adds partitions to the producer's transaction, which begins by that. An append of a transactional batch adds
    /// its partition by itself.
    ///
    /// # Errors
    /// [`Error::Fenced`], [`Error::UnknownTopic`], [`Error::UnknownPartition`], or the disk's.
    pub fn add_partitions(&self, producer: Producer, partitions: &[TopicPartition]) -> Result<Ticket> {
        partitions.iter().try_for_each(|partition| check_public(&partition.topic))?;
        self.inner.add_partitions(producer, partitions)
    }

    /// Appends a batch as [`Log::append`] does, which is version 2; in version 1 only to a partition that was added to
    /// the producer's transaction before.
    ///
    /// # Errors
    /// As [`Log::append`], and [`Error::NotInTransaction`].
    pub fn append_by<'a>(
        &self,
        to: &TopicPartition,
        batch: impl Into<Cow<'a, [u8]>>,
        version: TransactionVersion,
    ) -> Result<Appended> {
        let appended = self.enqueue(to, batch, version)?;
        self.inner.queue.wake_thread();
        self.inner.flush_if_inline()?;
        Ok(appended)
    }

    /// Appends a batch as [`EmbeddedLog::append_by`] does, but leaves it to the caller to call [`EmbeddedLog::flush`] soon:
    /// for who may have more to append, which then goes to the disk together.
    ///
    /// # Errors
    /// As [`EmbeddedLog::append_by`].
    pub fn enqueue<'a>(
        &self,
        to: &TopicPartition,
        batch: impl Into<Cow<'a, [u8]>>,
        version: TransactionVersion,
    ) -> Result<Appended> {
        check_public(&to.topic)?;
        let appended = self.inner.append_batch(to, batch.into().into(), version)?;
        if !self.inner.has_little() {
            self.inner.queue.wake_thread();
        }
        Ok(appended)
    }

    /// Sends what was enqueued to the disk. If that takes a moment, as little does on a fast disk, this thread does it
    /// and waits for it, else the journal's thread does. Whatever becomes of it, the tickets say.
    pub fn flush(&self) {
        // A failure has stopped the log, which the tickets say, too.
        let _ = self.inner.flush_soon();
    }

    /// Whether an append would not have to wait because too much is on its way to the disk.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.inner.queue.has_room(self.inner.options.queue_bytes_max)
    }

    /// Announces that offsets of groups will be added to the producer's transaction, which begins by that.
    ///
    /// # Errors
    /// [`Error::Fenced`], or the disk's.
    pub fn announce_offsets(&self, producer: Producer) -> Result<Ticket> {
        self.inner.add_offsets(producer, &[], TransactionVersion::One)
    }

    /// Adds offsets of groups to the producer's transaction: they count once it is committed, and until it ends
    /// [`EmbeddedLog::is_group_offset_pending`] says so. In version 1 they must have been announced.
    ///
    /// # Errors
    /// [`Error::Fenced`], [`Error::NotInTransaction`], or the disk's.
    pub fn add_offsets(
        &self,
        producer: Producer,
        offsets: &[GroupOffset],
        version: TransactionVersion,
    ) -> Result<Ticket> {
        offsets.iter().try_for_each(|offset| check_group(&offset.group))?;
        self.inner.add_offsets(producer, offsets, version)
    }

    /// Whether an open transaction is about to move a group's offset in a partition.
    #[must_use]
    pub fn is_group_offset_pending(&self, group: &str, partition: &TopicPartition) -> bool {
        locked(&self.inner.groups).is_pending(group, partition)
    }

    /// Every transactional id with its state, by name.
    #[must_use]
    pub fn transactions(&self) -> Vec<TransactionInfo> {
        locked(&self.inner.coordinator).all().cloned().collect()
    }

    /// What all transactional ids take in memory, with the partitions of their transactions.
    #[must_use]
    pub fn transactions_bytes(&self) -> usize {
        locked(&self.inner.coordinator).bytes()
    }

    /// A transactional id with its state; `None` if nobody has used it, or not for long.
    #[must_use]
    pub fn transaction(&self, transactional_id: &str) -> Option<TransactionInfo> {
        locked(&self.inner.coordinator).get(transactional_id).cloned()
    }

    /// The transactional id that a producer has, or had before its last one.
    #[must_use]
    pub fn transaction_of(&self, producer_id: i64) -> Option<TransactionInfo> {
        locked(&self.inner.coordinator).of(producer_id).cloned()
    }

    /// Makes an idempotent producer without transactions: its batches, numbered from 0 on in each partition, may
    /// be sent again and are stored once.
    ///
    /// # Errors
    /// The disk's.
    pub fn init_idempotent_producer(&self) -> Result<Producer> {
        self.inner.make_idempotent_producer()
    }

    /// The producers that a partition knows, by id.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`], [`Error::UnknownPartition`].
    pub fn producers(&self, partition: &TopicPartition) -> Result<Vec<ProducerInfo>> {
        Ok(self.inner.partition(partition)?.producers())
    }

    /// Ends the producer's transaction: the batches it appended, marked transactional, what was added to it, and
    /// `offsets` count or do not. Whoever knows the producer's id and epoch may end it, also after a restart of the
    /// log. To be asked again is no error.
    ///
    /// # Errors
    /// [`Error::Fenced`], [`Error::InvalidTransactionState`] if it has ended in the other way, or the disk's.
    pub fn end_transaction(&self, producer: Producer, commit: bool, offsets: &[GroupOffset]) -> Result<Ticket> {
        offsets.iter().try_for_each(|offset| check_group(&offset.group))?;
        Ok(self.inner.end(producer, commit, offsets, TransactionVersion::One)?.0)
    }

    /// The same in version 2, which gives the producer its next epoch, or a new id when there are no more epochs. The
    /// end that was asked for last may be asked for again; there must be a transaction to commit, but not to abort.
    ///
    /// # Errors
    /// As [`EmbeddedLog::end_transaction`].
    pub fn end_transaction_and_bump(&self, producer: Producer, commit: bool) -> Result<(Ticket, Producer)> {
        self.inner.end(producer, commit, &[], TransactionVersion::Two)
    }
}

impl Log for EmbeddedLog {
    fn create_topic(&self, spec: &TopicSpec) -> Result<TopicInfo> {
        spec.check()?;
        spec.config.check()?;
        let inner = &self.inner;
        inner.gate.check()?;
        let mut topics = inner.topics.write().unwrap_or_else(PoisonError::into_inner);
        if topics.info(&spec.name).is_some() {
            return Err(Error::TopicExists(spec.name.clone()));
        }
        let dir = &inner.options.dir;
        let io = &*inner.options.io;
        let info = topics.insert(dir, spec);
        let created = (|| {
            for partition in info.topic_partitions() {
                let partition = topics.partition(&partition)?;
                io.remove_dir(&partition.dir).map_err(Error::io("clear", &partition.dir))?;
                io.create_dir(&partition.dir).map_err(Error::io("create", &partition.dir))?;
            }
            let root = super::topics::partitions_dir(dir);
            io.sync_dir(&root).map_err(Error::io("sync", &root))?;
            topics.write(io, dir)
        })();
        if let Err(error) = created {
            topics.remove(&spec.name);
            return Err(error);
        }
        Ok(info)
    }

    fn delete_topic(&self, name: &str) -> Result<()> {
        let inner = &self.inner;
        inner.gate.check()?;
        check_public(name)?;
        let partitions = {
            // No append may be on its way into the folders that are removed.
            let _unit = inner.unit.write().unwrap_or_else(PoisonError::into_inner);
            let mut topics = inner.topics.write().unwrap_or_else(PoisonError::into_inner);
            let partitions = topics.remove(name).ok_or_else(|| Error::UnknownTopic(name.to_owned()))?;
            let written = topics.write(&*inner.options.io, &inner.options.dir);
            written.inspect_err(|error| inner.gate.fail(error))?;
            locked(&inner.coordinator).forget_topic(name);
            partitions
        };
        // Nobody finds them any more, so appends to others need not wait for the files to go.
        partitions.iter().try_for_each(|partition| partition.delete(&*inner.options.io))?;
        let readers = locked(&inner.groups).readers_of(name);
        inner.forget(readers)
    }

    fn topics(&self) -> Result<Vec<TopicInfo>> {
        let topics = self.inner.topics.read().unwrap_or_else(PoisonError::into_inner);
        Ok(topics.infos().cloned().collect())
    }

    fn topic(&self, name: &str) -> Result<Option<TopicInfo>> {
        let topics = self.inner.topics.read().unwrap_or_else(PoisonError::into_inner);
        Ok(topics.info(name).cloned())
    }

    fn fetch(&self, from: &TopicPartition, offset: i64, bytes_max: usize, isolation: Isolation) -> Result<Fetched> {
        self.inner.partition(from)?.fetch(&self.inner.buffers, offset, bytes_max, isolation)
    }

    fn append(&self, to: &TopicPartition, batch: Vec<u8>) -> Result<Ticket<i64>> {
        Ok(self.append_by(to, batch, TransactionVersion::Two)?.ticket)
    }

    fn write(&self, batch: WriteBatch) -> Result<Ticket> {
        let inner = &self.inner;
        inner.wait_for_room();
        let unit = inner.unit.read().unwrap_or_else(PoisonError::into_inner);
        // Nothing may fail half-way, so everything that can be refused is refused first.
        let mut batches = Vec::with_capacity(batch.batches.len());
        for (partition, bytes) in batch.batches {
            check_public(&partition.topic)?;
            let config = inner.partition(&partition)?.config();
            let header = BatchHeader::parse(&bytes)?;
            check_batch(&header, &bytes)?;
            if header.is_transactional() {
                return Err(Error::corrupt("an atomic write takes no transactional batch"));
            }
            let bytes = convert(&header, bytes.into(), &config, inner.options.io.now_ms())?;
            batches.push((partition, bytes));
        }
        for offset in &batch.offsets {
            check_group(&offset.group)?;
        }
        for (partition, bytes) in batches {
            inner.place(&partition, bytes).inspect_err(|error| inner.gate.fail(error))?;
        }
        inner.place_offsets(&batch.offsets).inspect_err(|error| inner.gate.fail(error))?;
        let ticket = inner.ticket(inner.queue.sequence());
        drop(unit);
        inner.flush_if_inline()?;
        Ok(ticket)
    }

    fn group_offset(&self, group: &str, partition: &TopicPartition) -> Result<Option<i64>> {
        Ok(locked(&self.inner.groups).get(group, partition))
    }

    fn delete_group(&self, group: &str) -> Result<()> {
        let partitions = locked(&self.inner.groups).partitions(group);
        let readers: Vec<_> = partitions.into_iter().map(|partition| (group.to_owned(), partition)).collect();
        self.inner.forget(readers)
    }

    fn offsets(&self, partition: &TopicPartition) -> Result<(i64, i64)> {
        Ok(self.inner.partition(partition)?.offsets())
    }

    fn delete_records(&self, partition: &TopicPartition, before: i64) -> Result<()> {
        check_public(&partition.topic)?;
        self.inner.partition(partition)?.delete_records(before)
    }

    fn watch(&self, partition: &TopicPartition, callback: Arc<dyn Fn() + Send + Sync>) -> Result<Watch> {
        Ok(self.inner.partition(partition)?.watchers.add(callback))
    }

    fn now_ms(&self) -> i64 {
        self.inner.options.io.now_ms()
    }
}

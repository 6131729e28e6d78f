//! What is known of each transactional id, and how `__transaction_state` keeps it.
//!
//! ```text
//! value   version i16 (2) | producer id i64 | epoch i16 | last producer id i64 | last epoch i16 | timeout ms i64
//!         | state i16 | started ms i64 | changed ms i64 | partitions i32 | (topic | partition i32)*
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::PoisonError;

use super::Inner;
use super::producer_ids::ProducerIds;
use crate::codec::{Decoder, Encode};
use crate::topic::STATE_TOPIC;
use crate::{Error, Producer, Result, TopicPartition};

const VALUE_VERSION: i16 = 2;
/// Before, the last producer had the same id as the one of now.
const LAST_ID_SINCE: i16 = 2;
/// From this epoch on a producer gets a new id instead of the next epoch, which its last marker may have.
const EPOCH_MAX: i16 = i16::MAX - 1;
/// What a transactional id and a partition of its transaction take beside their names, with room to spare.
const INFO_BYTES: usize = 512;
const PARTITION_BYTES: usize = 64;
/// No producer.
pub(super) const NOBODY: Producer = Producer { id: -1, epoch: -1 };
/// `transaction.timeout.ms` of a producer that does not say.
pub(super) const DEFAULT_TIMEOUT_MS: i64 = 60_000;

/// What a transactional id is doing. There is no preparing: the end of a transaction is one frame of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionState {
    /// Its producer has done nothing yet.
    Empty,
    /// A transaction is open.
    Ongoing,
    /// The last one was committed.
    CompleteCommit,
    /// The last one was aborted.
    CompleteAbort,
}

impl TransactionState {
    const ALL: [Self; 4] = [Self::Empty, Self::Ongoing, Self::CompleteCommit, Self::CompleteAbort];

    pub(super) fn ended(commit: bool) -> Self {
        if commit { Self::CompleteCommit } else { Self::CompleteAbort }
    }
}

/// A transactional id and its transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionInfo {
    /// The id as its producers give it.
    pub transactional_id: String,
    /// The producer that may use it now.
    pub producer: Producer,
    /// What it is doing.
    pub state: TransactionState,
    /// `transaction.timeout.ms`: the log aborts its transaction after so long.
    pub timeout_ms: i64,
    /// When its transaction began, by the log's clock; of the last one if none is open.
    pub started_ms: i64,
    /// The partitions of the open transaction.
    pub partitions: BTreeSet<TopicPartition>,
    /// Who it was before, and may say so: it has not got the answer that made it the one of now. [`NOBODY`] if the
    /// one of now has taken over from a stranger.
    pub(super) last: Producer,
    pub(super) changed_ms: i64,
}

impl TransactionInfo {
    /// Whether this is the id of its producer, or of the one before, which may not have got the answer that says so.
    #[must_use]
    pub fn is_of(&self, producer_id: i64) -> bool {
        [self.producer.id, self.last.id].contains(&producer_id)
    }

    /// What an id and partitions of its transaction take in memory: its name is there four times.
    #[must_use]
    pub fn bytes_of<'a>(transactional_id: &str, partitions: impl IntoIterator<Item = &'a TopicPartition>) -> usize {
        let partitions = partitions.into_iter().map(|partition| PARTITION_BYTES + partition.topic.len());
        INFO_BYTES + 4 * transactional_id.len() + partitions.sum::<usize>()
    }

    fn bytes(&self) -> usize {
        Self::bytes_of(&self.transactional_id, &self.partitions)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_i16(VALUE_VERSION);
        out.put_i64(self.producer.id);
        out.put_i16(self.producer.epoch);
        out.put_i64(self.last.id);
        out.put_i16(self.last.epoch);
        out.put_i64(self.timeout_ms);
        out.put_i16(TransactionState::ALL.iter().position(|state| *state == self.state).unwrap_or(0) as i16);
        out.put_i64(self.started_ms);
        out.put_i64(self.changed_ms);
        out.put_i32(self.partitions.len() as i32);
        for partition in &self.partitions {
            out.put_string(&partition.topic);
            out.put_i32(partition.partition);
        }
        out
    }

    fn decode(transactional_id: String, value: &[u8], now_ms: i64) -> Result<Self> {
        let mut from = Decoder::new(value);
        let version = from.i16()?;
        let producer = Producer { id: from.i64()?, epoch: from.i16()? };
        let mut info = Self::new(transactional_id, producer, DEFAULT_TIMEOUT_MS, now_ms);
        if version == 0 {
            return Ok(info);
        }
        let last_id = if version >= LAST_ID_SINCE { from.i64()? } else { producer.id };
        info.last = Producer { id: last_id, epoch: from.i16()? };
        info.timeout_ms = from.i64()?;
        let state = usize::try_from(from.i16()?).ok().and_then(|at| TransactionState::ALL.get(at));
        info.state = *state.ok_or_else(|| Error::corrupt("a transaction's state is unknown"))?;
        info.started_ms = from.i64()?;
        info.changed_ms = from.i64()?;
        for _ in 0..from.count()? {
            let topic = from.string()?;
            info.partitions.insert(TopicPartition::new(topic, from.i32()?));
        }
        Ok(info)
    }

    pub(super) fn new(transactional_id: String, producer: Producer, timeout_ms: i64, now_ms: i64) -> Self {
        Self {
            transactional_id,
            producer,
            state: TransactionState::Empty,
            timeout_ms,
            started_ms: now_ms,
            partitions: BTreeSet::new(),
            last: NOBODY,
            changed_ms: now_ms,
        }
    }
}

/// All transactional ids.
#[derive(Debug, Default)]
pub(super) struct Coordinator {
    by_id: BTreeMap<String, TransactionInfo>,
    /// Whose each producer id is.
    names: HashMap<i64, String>,
    /// What they take in memory.
    bytes: usize,
    ids: ProducerIds,
}

impl Coordinator {
    pub(super) fn read(inner: &Inner) -> Result<Self> {
        let ids = ProducerIds::read(&*inner.options.io, &inner.options.dir)?;
        let mut coordinator = Self { ids, ..Self::default() };
        let topics = inner.topics.read().unwrap_or_else(PoisonError::into_inner);
        for producer in topics.partitions().flat_map(|partition| partition.producers()) {
            coordinator.ids.note(producer.producer.id);
        }
        drop(topics);
        let now_ms = inner.options.io.now_ms();
        inner.for_each_batch(STATE_TOPIC, |batch| {
            for record in batch.iter() {
                let record = record?;
                let Some(key) = record.key else { continue };
                let name = String::from_utf8_lossy(key).into_owned();
                match record.value {
                    Some(value) => coordinator.insert(TransactionInfo::decode(name, value, now_ms)?),
                    None => coordinator.remove(&name),
                }
            }
            Ok(())
        })?;
        Ok(coordinator)
    }

    pub(super) fn insert(&mut self, info: TransactionInfo) {
        self.ids.note(info.producer.id);
        let name = info.transactional_id.clone();
        self.remove(&name);
        let last = Some(info.last.id).filter(|id| *id != NOBODY.id);
        self.names.extend(last.into_iter().chain([info.producer.id]).map(|id| (id, name.clone())));
        self.bytes += info.bytes();
        self.by_id.insert(name, info);
    }

    /// What all of them take in memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn remove(&mut self, transactional_id: &str) {
        if let Some(old) = self.by_id.remove(transactional_id) {
            self.names.remove(&old.producer.id);
            self.names.remove(&old.last.id);
            self.bytes -= old.bytes();
        }
    }

    pub(super) fn get(&self, transactional_id: &str) -> Option<&TransactionInfo> {
        self.by_id.get(transactional_id)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &TransactionInfo> {
        self.by_id.values()
    }

    /// The transactional id that a producer id belongs to, or did before its last producer.
    pub(super) fn of(&self, producer_id: i64) -> Option<&TransactionInfo> {
        self.by_id.get(self.names.get(&producer_id)?)
    }

    /// The transactional id that a producer may use.
    pub(super) fn expect(&self, producer: Producer) -> Result<&TransactionInfo> {
        let found = self.of(producer.id).filter(|info| info.producer == producer);
        found.ok_or(Error::Fenced { id: producer.id, epoch: producer.epoch })
    }

    /// The same for a partition that the producer has added to its open transaction.
    pub(super) fn expect_added(&self, producer: Producer, partition: &TopicPartition) -> Result<()> {
        let info = self.expect(producer)?;
        if info.state == TransactionState::Ongoing && info.partitions.contains(partition) {
            return Ok(());
        }
        let transactional_id = info.transactional_id.clone();
        Err(Error::NotInTransaction { transactional_id, partition: partition.clone() })
    }

    /// Forgets that transactions are open in a topic that is gone.
    pub(super) fn forget_topic(&mut self, topic: &str) {
        for info in self.by_id.values_mut() {
            self.bytes -= info.bytes();
            info.partitions.retain(|partition| &*partition.topic != topic);
            self.bytes += info.bytes();
        }
    }

    pub(super) fn take_id(&mut self, inner: &Inner) -> Result<i64> {
        self.ids.take(&*inner.options.io, &inner.options.dir)
    }

    /// The next producer of a transactional id, which fences the one before.
    pub(super) fn succeed(&mut self, inner: &Inner, info: &mut TransactionInfo) -> Result<()> {
        info.last = info.producer;
        info.producer = if info.producer.epoch < EPOCH_MAX {
            Producer { id: info.producer.id, epoch: info.producer.epoch + 1 }
        } else {
            Producer { id: self.take_id(inner)?, epoch: 0 }
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> TransactionInfo {
        let mut info = TransactionInfo::new("me".to_owned(), Producer { id: 7, epoch: 0 }, 5_000, 100);
        info.last = Producer { id: 6, epoch: EPOCH_MAX };
        info.state = TransactionState::Ongoing;
        info.partitions.insert(TopicPartition::new("t", 3));
        info
    }

    #[test]
    fn what_is_kept_comes_back() {
        assert_eq!(TransactionInfo::decode("me".to_owned(), &info().encode(), 0).unwrap(), info());
    }

    /// In version 1 the last producer had an epoch but no id of its own.
    #[test]
    fn the_version_before_is_read() {
        let mut value = info().encode();
        value.splice(..2, 1i16.to_be_bytes());
        value.drain(12..20);
        let read = TransactionInfo::decode("me".to_owned(), &value, 0).unwrap();
        assert_eq!(read, TransactionInfo { last: Producer { id: 7, epoch: EPOCH_MAX }, ..info() });
    }

    #[test]
    fn a_producer_is_found_by_its_id_and_by_the_one_before() {
        let mut coordinator = Coordinator::default();
        coordinator.insert(info());
        assert!(coordinator.of(6).is_some() && coordinator.expect(Producer { id: 7, epoch: 0 }).is_ok());
        assert!(coordinator.expect(Producer { id: 6, epoch: 0 }).is_err());
        coordinator.insert(TransactionInfo { last: NOBODY, producer: Producer { id: 9, epoch: 0 }, ..info() });
        assert!(coordinator.of(6).is_none() && coordinator.of(7).is_none() && coordinator.of(NOBODY.id).is_none());
        coordinator.remove("me");
        assert!(coordinator.of(9).is_none() && coordinator.names.is_empty() && coordinator.bytes() == 0);
    }
}

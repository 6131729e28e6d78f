//! What is known of each transactional id, and how `__transaction_state` keeps it.
//!
//! ```text
//! value   version i16 (1) | producer id i64 | epoch i16 | last epoch i16 | timeout ms i64 | state i16
//!         | started ms i64 | changed ms i64 | partitions i32 | (topic | partition i32)*
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::PoisonError;

use super::Inner;
use super::producer_ids::ProducerIds;
use crate::codec::{Decoder, Encode};
use crate::{Error, Producer, Result, TopicPartition};

/// The topic that remembers the transactional ids.
pub(super) const STATE_TOPIC: &str = "__transaction_state";

const VALUE_VERSION: i16 = 1;
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
    /// The epoch before, whose producer may ask for a new one.
    pub(super) last_epoch: i16,
    pub(super) changed_ms: i64,
}

impl TransactionInfo {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_i16(VALUE_VERSION);
        out.put_i64(self.producer.id);
        out.put_i16(self.producer.epoch);
        out.put_i16(self.last_epoch);
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
        info.last_epoch = from.i16()?;
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
            last_epoch: -1,
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
        if let Some(old) = self.by_id.insert(name.clone(), info.clone())
            && old.producer.id != info.producer.id
        {
            self.names.remove(&old.producer.id);
        }
        self.names.insert(info.producer.id, name);
    }

    pub(super) fn remove(&mut self, transactional_id: &str) {
        if let Some(old) = self.by_id.remove(transactional_id) {
            self.names.remove(&old.producer.id);
        }
    }

    pub(super) fn get(&self, transactional_id: &str) -> Option<&TransactionInfo> {
        self.by_id.get(transactional_id)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &TransactionInfo> {
        self.by_id.values()
    }

    /// The transactional id that a producer id belongs to.
    pub(super) fn of(&self, producer_id: i64) -> Option<&TransactionInfo> {
        self.by_id.get(self.names.get(&producer_id)?)
    }

    /// The transactional id that a producer may use.
    pub(super) fn expect(&self, producer: Producer) -> Result<&TransactionInfo> {
        let found = self.of(producer.id).filter(|info| info.producer.epoch == producer.epoch);
        found.ok_or(Error::Fenced { id: producer.id, epoch: producer.epoch })
    }

    /// Forgets that transactions are open in a topic that is gone.
    pub(super) fn forget_topic(&mut self, topic: &str) {
        for info in self.by_id.values_mut() {
            info.partitions.retain(|partition| &*partition.topic != topic);
        }
    }

    pub(super) fn take_id(&mut self, inner: &Inner) -> Result<i64> {
        self.ids.take(&*inner.options.io, &inner.options.dir)
    }

    /// The next producer of a transactional id, which fences the one before.
    pub(super) fn succeed(&mut self, inner: &Inner, info: &mut TransactionInfo) -> Result<()> {
        info.last_epoch = info.producer.epoch;
        info.producer = match info.producer.epoch.checked_add(1) {
            Some(epoch) => Producer { id: info.producer.id, epoch },
            None => {
                info.last_epoch = -1;
                Producer { id: self.take_id(inner)?, epoch: 0 }
            }
        };
        Ok(())
    }
}

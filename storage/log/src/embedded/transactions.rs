//! Transactional producers: their ids and epochs, and where their transactions are open.

use std::collections::{BTreeSet, HashMap};
use std::sync::PoisonError;

use super::producer_ids::ProducerIds;
use super::{Inner, locked};
use crate::codec::{Decoder, Encode};
use crate::record::{BatchBuilder, ControlType, control_batch};
use crate::{Error, GroupOffset, Producer, Result, Ticket, TopicPartition};

/// The topic that remembers which transactional id has which producer id and epoch.
pub(super) const STATE_TOPIC: &str = "__transaction_state";

const VALUE_VERSION: i16 = 0;

/// Who may write transactions, and where they are doing so.
#[derive(Debug, Default)]
pub(super) struct Coordinator {
    producers: HashMap<String, Producer>,
    epochs: HashMap<i64, i16>,
    /// The partitions with an open transaction, by producer id.
    open: HashMap<i64, BTreeSet<TopicPartition>>,
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
        inner.for_each_batch(STATE_TOPIC, |batch| {
            for record in batch.iter() {
                let record = record?;
                let (Some(key), Some(value)) = (record.key, record.value) else { continue };
                let mut value = Decoder::new(value);
                value.i16()?;
                let producer = Producer { id: value.i64()?, epoch: value.i16()? };
                coordinator.insert(String::from_utf8_lossy(key).into_owned(), producer);
            }
            Ok(())
        })?;
        Ok(coordinator)
    }

    fn insert(&mut self, transactional_id: String, producer: Producer) {
        self.ids.note(producer.id);
        self.epochs.insert(producer.id, producer.epoch);
        self.producers.insert(transactional_id, producer);
    }

    /// Notes that a transactional batch was appended.
    pub(super) fn note_append(&mut self, producer_id: i64, partition: &TopicPartition) {
        let open = self.open.entry(producer_id).or_default();
        if !open.contains(partition) {
            open.insert(partition.clone());
        }
    }

    /// Forgets that transactions are open in a topic that is gone.
    pub(super) fn forget_topic(&mut self, topic: &str) {
        for open in self.open.values_mut() {
            open.retain(|partition| &*partition.topic != topic);
        }
    }

    /// Gives the producer of this id its next epoch, so that whoever had it is fenced; `None` if nobody
    /// made it by a transactional id.
    fn bump(&mut self, inner: &Inner, producer_id: i64) -> Result<Option<(String, Producer)>> {
        let found = self.producers.iter().find(|(_, producer)| producer.id == producer_id);
        let Some((name, earlier)) = found.map(|(name, producer)| (name.clone(), *producer)) else { return Ok(None) };
        let producer = self.successor(inner, name.clone(), earlier)?;
        Ok(Some((name, producer)))
    }

    fn successor(&mut self, inner: &Inner, transactional_id: String, earlier: Producer) -> Result<Producer> {
        let producer = match earlier.epoch.checked_add(1) {
            Some(epoch) => Producer { id: earlier.id, epoch },
            None => {
                self.epochs.remove(&earlier.id);
                Producer { id: self.take_id(inner)?, epoch: 0 }
            }
        };
        self.insert(transactional_id, producer);
        Ok(producer)
    }

    fn take_id(&mut self, inner: &Inner) -> Result<i64> {
        self.ids.take(&*inner.options.io, &inner.options.dir)
    }

    pub(super) fn check_epoch(&self, producer: Producer) -> Result<()> {
        match self.epochs.get(&producer.id) {
            Some(&epoch) if epoch == producer.epoch => Ok(()),
            _ => Err(Error::Fenced { id: producer.id, epoch: producer.epoch }),
        }
    }
}

impl Inner {
    pub(super) fn make_producer(&self, transactional_id: &str) -> Result<Producer> {
        let unit = self.unit.read().unwrap_or_else(PoisonError::into_inner);
        let mut coordinator = locked(&self.coordinator);
        let producer = match coordinator.producers.get(transactional_id).copied() {
            Some(earlier) => {
                self.end_everywhere(&mut coordinator, earlier, false, &[])?;
                coordinator.successor(self, transactional_id.to_owned(), earlier)?
            }
            None => {
                let producer = Producer { id: coordinator.take_id(self)?, epoch: 0 };
                coordinator.insert(transactional_id.to_owned(), producer);
                producer
            }
        };
        // Placed under the coordinator's lock, so that the records are in the order of the epochs.
        let ticket = self.place_producer(transactional_id, producer)?;
        drop(coordinator);
        drop(unit);
        self.flush_if_inline()?;
        ticket.wait()?;
        Ok(producer)
    }

    /// Makes a producer that is idempotent but has no transactions.
    pub(super) fn make_idempotent_producer(&self) -> Result<Producer> {
        self.gate.check()?;
        let id = locked(&self.coordinator).take_id(self).inspect_err(|error| self.gate.fail(error))?;
        Ok(Producer { id, epoch: 0 })
    }

    fn place_producer(&self, transactional_id: &str, producer: Producer) -> Result<Ticket> {
        let mut value = Vec::new();
        value.put_i16(VALUE_VERSION);
        value.put_i64(producer.id);
        value.put_i16(producer.epoch);
        let mut batch = BatchBuilder::new();
        batch.push(self.options.io.now_ms(), Some(transactional_id.as_bytes()), Some(&value));
        let (_, sequence) = self.place(&TopicPartition::new(STATE_TOPIC, 0), batch.finish()?)?;
        Ok(self.ticket(sequence))
    }

    pub(super) fn end(&self, producer: Producer, commit: bool, offsets: &[GroupOffset]) -> Result<Ticket> {
        let unit = self.unit.read().unwrap_or_else(PoisonError::into_inner);
        let mut coordinator = locked(&self.coordinator);
        coordinator.check_epoch(producer)?;
        let ticket = self.end_everywhere(&mut coordinator, producer, commit, offsets)?;
        drop(coordinator);
        drop(unit);
        self.flush_if_inline()?;
        Ok(ticket)
    }

    /// Writes the markers and the offsets as one unit of the journal, whose frame is the commit point.
    /// The caller holds `unit`.
    fn end_everywhere(
        &self,
        coordinator: &mut Coordinator,
        producer: Producer,
        commit: bool,
        offsets: &[GroupOffset],
    ) -> Result<Ticket> {
        let kind = if commit { ControlType::Commit } else { ControlType::Abort };
        let marker = control_batch(kind, producer.id, producer.epoch, self.options.io.now_ms())?;
        for partition in coordinator.open.remove(&producer.id).unwrap_or_default() {
            match self.place(&partition, marker.clone()) {
                // The topic was deleted under the transaction.
                Ok(_) | Err(Error::UnknownTopic(_) | Error::UnknownPartition(_)) => {}
                // Half of the markers must not become durable without the others.
                Err(error) => {
                    self.gate.fail(&error);
                    return Err(error);
                }
            }
        }
        if commit {
            self.place_offsets(offsets).inspect_err(|error| self.gate.fail(error))?;
        }
        Ok(self.ticket(self.queue.sequence()))
    }

    /// Aborts the transactions that the last process left open, and fences their producers: one that comes
    /// back must not take the rest of a transaction for the whole.
    pub(super) fn abort_open_transactions(&self) -> Result<()> {
        let unit = self.unit.read().unwrap_or_else(PoisonError::into_inner);
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        let mut coordinator = locked(&self.coordinator);
        let mut open = Vec::new();
        for partition in topics.partitions() {
            open.extend(partition.open_producers().into_iter().map(|producer| (partition.name.clone(), producer)));
        }
        drop(topics);
        let mut producers = BTreeSet::new();
        for (partition, (id, epoch)) in open {
            // The marker has the epoch that this partition knows, which may be older than elsewhere.
            let marker = control_batch(ControlType::Abort, id, epoch, self.options.io.now_ms())?;
            self.place(&partition, marker)?;
            producers.insert(id);
        }
        for id in producers {
            if let Some((transactional_id, producer)) = coordinator.bump(self, id)? {
                self.place_producer(&transactional_id, producer)?;
            }
        }
        drop(coordinator);
        drop(unit);
        self.flush()
    }
}

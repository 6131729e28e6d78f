//! Transactions of producers: begun by what is added to them, ended by one frame of the journal.

use std::sync::{MutexGuard, PoisonError};

use super::coordinator::{Coordinator, NOBODY, TransactionInfo, TransactionState};
use super::{Inner, locked};
use crate::group::{OFFSETS_TOPIC, transactional_offsets_batch};
use crate::partition::Partition;
use crate::record::{BatchBuilder, BatchHeader, ControlType, control_batch};
use crate::topic::STATE_TOPIC;
use crate::{Error, GroupOffset, Producer, Result, Ticket, TopicPartition};

/// The version of transactions that a producer follows (`transaction.version`, KIP-890).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionVersion {
    /// Partitions are added before they are written to; what comes for one that was not is late, and is refused.
    One,
    /// A partition is added by writing to it; the producer gets the next epoch with each transaction, so what comes
    /// late is known by its epoch.
    Two,
}

/// How a transaction ends, and who its markers name.
#[derive(Debug, Clone, Copy)]
struct Ending {
    producer: Producer,
    commit: bool,
}

impl Ending {
    /// Where the producer gets another epoch by the end, its markers have that: what comes late is told by it.
    fn of(info: &TransactionInfo, commit: bool, bumps: bool) -> Self {
        let Producer { id, epoch } = info.producer;
        let epoch = if bumps { epoch.saturating_add(1) } else { epoch };
        Self { producer: Producer { id, epoch }, commit }
    }
}

impl TransactionInfo {
    fn is_ended(&self, commit: bool) -> bool {
        self.state == TransactionState::ended(commit)
    }

    /// Whether there is anything to do to end it; an error if it cannot end in this way.
    fn must_end(&self, commit: bool, has_offsets: bool, version: TransactionVersion) -> Result<bool> {
        let is_open = self.state == TransactionState::Ongoing || has_offsets;
        match version {
            _ if is_open => Ok(true),
            // By an abort a producer of version 2 gets rid of whatever may still be on its way.
            TransactionVersion::Two if !commit => Ok(true),
            TransactionVersion::One if !self.is_ended(!commit) => Ok(false),
            _ => Err(self.cannot_end(commit)),
        }
    }

    fn cannot_end(&self, commit: bool) -> Error {
        Error::InvalidTransactionState {
            transactional_id: self.transactional_id.clone(),
            action: if commit { "committed" } else { "aborted" },
            state: self.state,
        }
    }

    /// Whether its producer has the epoch after this one.
    fn follows(&self, producer: Producer) -> bool {
        self.producer.id == producer.id && self.producer.epoch.checked_sub(1) == Some(producer.epoch)
    }
}

impl Inner {
    pub(super) fn make_producer(
        &self,
        transactional_id: &str,
        timeout_ms: i64,
        current: Option<Producer>,
    ) -> Result<Producer> {
        let max = self.options.transaction_timeout_ms_max;
        if !(1..=max).contains(&timeout_ms) {
            return Err(Error::InvalidTransactionTimeout { found: timeout_ms, max });
        }
        let unit = self.unit.read().unwrap_or_else(PoisonError::into_inner);
        let mut coordinator = locked(&self.coordinator);
        let now_ms = self.options.io.now_ms();
        let found = coordinator.get(transactional_id).cloned();
        if let Some(current) = current {
            // Also one whose epoch the log has moved on by itself, when it aborted its transaction. Of an id that is not
            // known, because nobody has used it for long, there is nobody else.
            let may = |info: &TransactionInfo| [info.producer, info.last].contains(&current);
            if !found.as_ref().is_none_or(may) {
                return Err(Error::Fenced { id: current.id, epoch: current.epoch });
            }
        }
        let mut info = match found {
            Some(mut info) => {
                if info.state == TransactionState::Ongoing {
                    let ending = Ending::of(&info, false, true);
                    self.end_everywhere(&mut info, ending, &[])?;
                }
                coordinator.succeed(self, &mut info).inspect_err(|error| self.gate.fail(error))?;
                if current.is_none() {
                    // Who was there before is another one, and is not to come back.
                    info.last = NOBODY;
                }
                info
            }
            None => {
                let producer = Producer { id: coordinator.take_id(self)?, epoch: 0 };
                TransactionInfo::new(transactional_id.to_owned(), producer, timeout_ms, now_ms)
            }
        };
        (info.state, info.timeout_ms) = (TransactionState::Empty, timeout_ms);
        let producer = info.producer;
        // Placed under the coordinator's lock, so that the records are in the order of the epochs.
        let ticket = self.keep(&mut coordinator, info)?;
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

    /// Puts what has become of a transactional id on its way to the disk, and remembers it.
    fn keep(&self, coordinator: &mut Coordinator, mut info: TransactionInfo) -> Result<Ticket> {
        info.changed_ms = self.options.io.now_ms();
        let ticket = self.place_state(&info.transactional_id, Some(&info.encode()))?;
        coordinator.insert(info);
        Ok(ticket)
    }

    fn place_state(&self, transactional_id: &str, value: Option<&[u8]>) -> Result<Ticket> {
        let mut batch = BatchBuilder::new();
        batch.push(self.options.io.now_ms(), Some(transactional_id.as_bytes()), value);
        let placed = self.place(&TopicPartition::new(STATE_TOPIC, 0), batch.finish()?);
        // What belongs to it is placed already, or is to follow.
        let placed = placed.inspect_err(|error| self.gate.fail(error))?;
        Ok(self.ticket(placed.sequence))
    }

    /// Adds partitions to the producer's transaction, which begins with the first. The caller holds `unit`.
    pub(super) fn note_partitions(
        &self,
        coordinator: &mut MutexGuard<'_, Coordinator>,
        producer: Producer,
        partitions: &[TopicPartition],
    ) -> Result<Ticket> {
        let info = coordinator.expect(producer)?;
        let is_ongoing = info.state == TransactionState::Ongoing;
        if is_ongoing && partitions.iter().all(|partition| info.partitions.contains(partition)) {
            return Ok(self.ticket(self.queue.sequence()));
        }
        let mut info = info.clone();
        if !is_ongoing {
            info.state = TransactionState::Ongoing;
            info.started_ms = self.options.io.now_ms();
            info.partitions.clear();
        }
        info.partitions.extend(partitions.iter().cloned());
        self.keep(coordinator, info)
    }

    /// What a transactional batch does before it may be appended: in version 2 its partition is added to its
    /// producer's transaction by it, in version 1 that must have been done. The caller holds `unit`.
    pub(super) fn join_transaction(
        &self,
        header: &BatchHeader,
        partition: &Partition,
        version: TransactionVersion,
    ) -> Result<MutexGuard<'_, Coordinator>> {
        let producer = Producer { id: header.producer_id, epoch: header.producer_epoch };
        let mut coordinator = locked(&self.coordinator);
        coordinator.expect(producer)?;
        partition.note_attempt(header, version, self.options.io.now_ms());
        match version {
            TransactionVersion::One => coordinator.expect_added(producer, &partition.name)?,
            TransactionVersion::Two => {
                self.note_partitions(&mut coordinator, producer, std::slice::from_ref(&partition.name))?;
            }
        }
        Ok(coordinator)
    }

    pub(super) fn add_partitions(&self, producer: Producer, partitions: &[TopicPartition]) -> Result<Ticket> {
        partitions.iter().try_for_each(|partition| self.partition(partition).map(drop))?;
        let unit = self.unit.read().unwrap_or_else(PoisonError::into_inner);
        let ticket = self.note_partitions(&mut locked(&self.coordinator), producer, partitions)?;
        drop(unit);
        self.flush_if_inline()?;
        Ok(ticket)
    }

    /// Adds offsets, or with none of them announces that some will come.
    pub(super) fn add_offsets(
        &self,
        producer: Producer,
        offsets: &[GroupOffset],
        version: TransactionVersion,
    ) -> Result<Ticket> {
        let unit = self.unit.read().unwrap_or_else(PoisonError::into_inner);
        let mut coordinator = locked(&self.coordinator);
        let topic = TopicPartition::new(OFFSETS_TOPIC, 0);
        if version == TransactionVersion::One && !offsets.is_empty() {
            coordinator.expect_added(producer, &topic)?;
        }
        let mut ticket = self.note_partitions(&mut coordinator, producer, std::slice::from_ref(&topic))?;
        if !offsets.is_empty() {
            let now_ms = self.options.io.now_ms();
            let batch = transactional_offsets_batch(offsets, producer, now_ms)?;
            let mut groups = locked(&self.groups);
            ticket = self.ticket(self.place(&topic, batch)?.sequence);
            groups.set_pending(producer.id, offsets, now_ms);
        }
        drop(coordinator);
        drop(unit);
        self.flush_if_inline()?;
        Ok(ticket)
    }

    /// Ends a transaction. In version 2 its producer gets the next epoch by that, so that an end or a batch that comes
    /// late cannot do anything to the next transaction (KIP-890).
    pub(super) fn end(
        &self,
        producer: Producer,
        commit: bool,
        offsets: &[GroupOffset],
        version: TransactionVersion,
    ) -> Result<(Ticket, Producer)> {
        let unit = self.unit.read().unwrap_or_else(PoisonError::into_inner);
        let mut coordinator = locked(&self.coordinator);
        let bumps = version == TransactionVersion::Two;
        let known = coordinator.of(producer.id);
        let is_repeated = |info: &&TransactionInfo| bumps && info.last == producer && info.is_ended(commit);
        if let Some(info) = known.filter(is_repeated) {
            // The answer was lost.
            return Ok((self.ticket(self.queue.sequence()), info.producer));
        }
        let ended_otherwise = |info: &&TransactionInfo| bumps && info.follows(producer) && info.is_ended(!commit);
        if let Some(info) = known.filter(ended_otherwise) {
            return Err(info.cannot_end(commit));
        }
        let mut info = coordinator.expect(producer)?.clone();
        let mut ticket = self.ticket(self.queue.sequence());
        if info.must_end(commit, !offsets.is_empty(), version)? {
            let ending = Ending::of(&info, commit, bumps);
            self.end_everywhere(&mut info, ending, offsets)?;
            if bumps {
                coordinator.succeed(self, &mut info).inspect_err(|error| self.gate.fail(error))?;
            }
            ticket = self.keep(&mut coordinator, info.clone())?;
        }
        drop(coordinator);
        drop(unit);
        self.flush_if_inline()?;
        Ok((ticket, info.producer))
    }

    /// Places the markers and the offsets; with the state, which the caller places, they are one unit of the journal,
    /// whose frame is the commit point. The caller holds `unit`.
    fn end_everywhere(&self, info: &mut TransactionInfo, ending: Ending, offsets: &[GroupOffset]) -> Result<()> {
        let kind = if ending.commit { ControlType::Commit } else { ControlType::Abort };
        let Producer { id, epoch } = ending.producer;
        let marker = control_batch(kind, id, epoch, self.options.io.now_ms())?;
        for partition in std::mem::take(&mut info.partitions) {
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
        locked(&self.groups).end(id, ending.commit);
        if ending.commit {
            self.place_offsets(offsets).inspect_err(|error| self.gate.fail(error))?;
        }
        info.state = TransactionState::ended(ending.commit);
        Ok(())
    }

    /// Aborts the transactions that have been open for too long, fencing their producers, and forgets ids that
    /// nobody has used for long.
    pub(super) fn abort_overdue(&self) -> Result<()> {
        self.gate.check()?;
        let unit = self.unit.read().unwrap_or_else(PoisonError::into_inner);
        let mut coordinator = locked(&self.coordinator);
        let now_ms = self.options.io.now_ms();
        let is_open = |info: &&TransactionInfo| info.state == TransactionState::Ongoing;
        let overdue = coordinator.all().filter(is_open);
        let overdue: Vec<_> =
            overdue.filter(|info| now_ms.saturating_sub(info.started_ms) >= info.timeout_ms).cloned().collect();
        for mut info in overdue {
            let ending = Ending::of(&info, false, true);
            self.end_everywhere(&mut info, ending, &[])?;
            coordinator.succeed(self, &mut info).inspect_err(|error| self.gate.fail(error))?;
            self.keep(&mut coordinator, info)?;
        }
        let expired_ms = now_ms.saturating_sub(self.options.transactional_id_expiration_ms);
        let unused = coordinator.all().filter(|info| !is_open(info) && info.changed_ms <= expired_ms);
        for name in unused.map(|info| info.transactional_id.clone()).collect::<Vec<_>>() {
            self.place_state(&name, None)?;
            coordinator.remove(&name);
        }
        drop(coordinator);
        drop(unit);
        self.flush_if_inline()
    }

    /// Aborts the transactions that are open in partitions but nowhere else, as earlier versions left them, and
    /// fences their producers: one that comes back must not take the rest of a transaction for the whole.
    pub(super) fn abort_unknown_transactions(&self) -> Result<()> {
        let unit = self.unit.read().unwrap_or_else(PoisonError::into_inner);
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        let mut coordinator = locked(&self.coordinator);
        let mut unknown = Vec::new();
        for partition in topics.partitions() {
            let open = partition.open_producers().into_iter().filter(|(id, epoch)| {
                let known = coordinator.expect(Producer { id: *id, epoch: *epoch });
                !known.is_ok_and(|info| {
                    info.state == TransactionState::Ongoing && info.partitions.contains(&partition.name)
                })
            });
            unknown.extend(open.map(|producer| (partition.name.clone(), producer)));
        }
        drop(topics);
        for (partition, (id, epoch)) in unknown {
            // The marker has the epoch that this partition knows, which may be older than elsewhere.
            let marker = control_batch(ControlType::Abort, id, epoch, self.options.io.now_ms())?;
            self.place(&partition, marker)?;
            if let Some(mut info) = coordinator.of(id).cloned()
                && info.producer.epoch == epoch
            {
                coordinator.succeed(self, &mut info)?;
                self.keep(&mut coordinator, info)?;
            }
        }
        drop(coordinator);
        drop(unit);
        self.flush()
    }
}

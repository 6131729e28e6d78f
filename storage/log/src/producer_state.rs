//! What a partition knows of its producers: sequence numbers and open transactions.

mod attempts;
mod recent;

use std::collections::BTreeMap;

use crate::codec::{Decoder, Encode};
use crate::record::{BatchHeader, NO_PRODUCER_ID};
use crate::{AbortedTransaction, Error, Producer, Result, TopicPartition, TransactionVersion};

use attempts::Attempts;
use recent::{Recent, is_before};

#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    epoch: i16,
    recent: Recent,
    /// When it last wrote, by the log's clock; records may be of any age.
    last_used_ms: i64,
    /// The first offset of its open transaction.
    open_since: Option<i64>,
}

/// A partition knows so many producers. Of more, those are forgotten that have not written for longest, as if their time
/// had expired: anybody can have any number of ids.
const PRODUCERS_MAX: usize = 5_000;
/// So many are forgotten at a time, so that it need not be done for each new one.
const FORGOTTEN_PART: usize = 8;

/// How a batch of an idempotent producer relates to what it sent before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// It is the next one.
    Next,
    /// It is one of the last five, appended at this offset.
    Duplicate(i64),
}

/// A producer as a partition knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerInfo {
    /// Its id and epoch.
    pub producer: Producer,
    /// The sequence number of its last record, -1 if none is known.
    pub last_sequence: i32,
    /// When it last wrote, in ms by the log's clock.
    pub last_used_ms: i64,
    /// The first offset of its open transaction.
    pub open_since: Option<i64>,
}

/// The producers of one partition (KIP-98).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ProducerStates {
    producers: BTreeMap<i64, State>,
    aborted: Vec<AbortedTransaction>,
    attempts: Attempts,
}

impl ProducerStates {
    /// Takes note of a transactional batch that is about to be looked at, and may be refused. One of an epoch that is
    /// over says nothing of those of its successor (Kafka 4.1 lets it hold them back).
    pub(crate) fn note_attempt(&mut self, header: &BatchHeader, version: TransactionVersion, now_ms: i64) {
        let epoch = header.producer_epoch;
        let state = self.producers.get(&header.producer_id);
        let is_over = state.is_some_and(|state| epoch < state.epoch);
        let is_open = state.is_some_and(|state| epoch == state.epoch && state.open_since.is_some());
        if !is_over && !is_open && header.base_sequence >= 0 {
            self.attempts.note(header, version, now_ms);
        }
    }

    /// Decides whether a batch may be appended. A producer that is not known may start anywhere, unless it has tried
    /// to start elsewhere: what was known of it may have expired.
    pub(crate) fn check(&self, header: &BatchHeader, partition: &TopicPartition) -> Result<Check> {
        let state = self.producers.get(&header.producer_id);
        let (id, found) = (header.producer_id, header.base_sequence);
        if state.is_some_and(|state| header.producer_epoch < state.epoch) {
            return Err(Error::Fenced { id, epoch: header.producer_epoch });
        }
        if header.is_control() || found < 0 {
            return Ok(Check::Next);
        }
        let of_epoch = state.filter(|state| header.producer_epoch == state.epoch).map(|state| &state.recent);
        if let Some(base_offset) = of_epoch.and_then(|recent| recent.find(header)) {
            return Ok(Check::Duplicate(base_offset));
        }
        let out_of_order =
            |expected| Err(Error::OutOfOrderSequence { id, partition: partition.clone(), found, expected });
        let has_sent = state.is_some_and(|state| state.recent.last_sequence().is_some());
        if let Some(expected) = self.attempts.expected(header, has_sent) {
            return out_of_order(expected);
        }
        if state.is_none() {
            return Ok(Check::Next);
        }
        let expected = of_epoch.map_or(0, Recent::expected);
        if found == expected {
            Ok(Check::Next)
        } else if of_epoch.is_some() && is_before(found, expected) {
            Err(Error::DuplicateSequence { id, partition: partition.clone(), found, expected })
        } else {
            out_of_order(expected)
        }
    }

    /// Takes note of an appended batch; `commits` is what a control batch says.
    pub(crate) fn note(&mut self, header: &BatchHeader, commits: Option<bool>, now_ms: i64) {
        if header.producer_id == NO_PRODUCER_ID {
            return;
        }
        if header.is_transactional() {
            self.attempts.forget(header.producer_id);
        }
        self.make_room(header.producer_id);
        let state = self.producers.entry(header.producer_id).or_insert_with(|| State {
            epoch: header.producer_epoch,
            recent: Recent::default(),
            last_used_ms: now_ms,
            open_since: None,
        });
        if header.producer_epoch != state.epoch {
            state.epoch = header.producer_epoch;
            state.recent.clear();
        }
        state.last_used_ms = now_ms;
        if header.is_control() {
            if let (Some(first_offset), Some(false)) = (state.open_since, commits) {
                self.aborted.push(AbortedTransaction {
                    producer_id: header.producer_id,
                    first_offset,
                    last_offset: header.base_offset,
                });
            }
            state.open_since = None;
            return;
        }
        if header.base_sequence >= 0 {
            state.recent.push(header);
        }
        if header.is_transactional() && state.open_since.is_none() {
            state.open_since = Some(header.base_offset);
        }
    }

    /// Makes room for one more producer.
    fn make_room(&mut self, id: i64) {
        if self.producers.len() < PRODUCERS_MAX || self.producers.contains_key(&id) {
            return;
        }
        let closed = self.producers.iter().filter(|(_, state)| state.open_since.is_none());
        let mut times: Vec<_> = closed.map(|(id, state)| (state.last_used_ms, *id)).collect();
        let at = times.len() / FORGOTTEN_PART;
        if at < times.len() {
            let (older, newest, _) = times.select_nth_unstable(at);
            for (_, id) in older.iter().chain([&*newest]) {
                self.producers.remove(id);
            }
        }
    }

    /// Forgets the producers that have written nothing since this time, unless their transaction is open.
    pub(crate) fn expire(&mut self, before_ms: i64) {
        self.producers.retain(|_, state| state.open_since.is_some() || state.last_used_ms > before_ms);
        self.attempts.expire(before_ms);
    }

    /// All that is known of the producers, by id.
    pub(crate) fn infos(&self) -> impl Iterator<Item = ProducerInfo> + '_ {
        self.producers.iter().map(|(&id, state)| ProducerInfo {
            producer: Producer { id, epoch: state.epoch },
            last_sequence: state.recent.last_sequence().unwrap_or(-1),
            last_used_ms: state.last_used_ms,
            open_since: state.open_since,
        })
    }

    /// The first offset of the oldest open transaction.
    pub(crate) fn first_open_offset(&self) -> Option<i64> {
        self.producers.values().filter_map(|state| state.open_since).min()
    }

    /// The producers with an open transaction.
    pub(crate) fn open(&self) -> impl Iterator<Item = (i64, i16)> + '_ {
        self.producers.iter().filter(|(_, state)| state.open_since.is_some()).map(|(id, state)| (*id, state.epoch))
    }

    /// The aborted transactions that overlap a range of offsets.
    pub(crate) fn aborted_between(&self, first: i64, last: i64) -> Vec<AbortedTransaction> {
        let overlaps = |aborted: &&AbortedTransaction| aborted.first_offset <= last && aborted.last_offset >= first;
        self.aborted.iter().filter(overlaps).copied().collect()
    }

    /// Forgets aborted transactions whose records, all before this offset, are gone; whether there were any.
    pub(crate) fn forget_before(&mut self, offset: i64) -> bool {
        let before = self.aborted.len();
        self.aborted.retain(|aborted| aborted.last_offset >= offset);
        self.aborted.len() < before
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.put_i32(self.producers.len() as i32);
        for (id, state) in &self.producers {
            out.put_i64(*id);
            out.put_i16(state.epoch);
            out.put_i64(state.last_used_ms);
            out.put_i64(state.open_since.unwrap_or(-1));
            state.recent.encode(out);
        }
        out.put_i32(self.aborted.len() as i32);
        for aborted in &self.aborted {
            out.put_i64(aborted.producer_id);
            out.put_i64(aborted.first_offset);
            out.put_i64(aborted.last_offset);
        }
    }

    pub(crate) fn decode(from: &mut Decoder<'_>) -> Result<Self> {
        Self::decode_by(from, |from| {
            let (epoch, last_used_ms, open_since) = (from.i16()?, from.i64()?, from.i64()?);
            Ok(State { epoch, last_used_ms, open_since: known(open_since), recent: Recent::decode(from)? })
        })
    }

    /// Version 2 of checkpoints: of the batches only the end of the last one, and not when it came.
    pub(crate) fn decode_v2(from: &mut Decoder<'_>, now_ms: i64) -> Result<Self> {
        Self::decode_by(from, |from| {
            let (epoch, recent) = (from.i16()?, Recent::decode_last(from)?);
            Ok(State { epoch, recent, last_used_ms: now_ms, open_since: known(from.i64()?) })
        })
    }

    fn decode_by(from: &mut Decoder<'_>, state: impl Fn(&mut Decoder<'_>) -> Result<State>) -> Result<Self> {
        let mut states = Self::default();
        for _ in 0..from.count()? {
            let id = from.i64()?;
            states.producers.insert(id, state(from)?);
        }
        for _ in 0..from.count()? {
            states.aborted.push(AbortedTransaction {
                producer_id: from.i64()?,
                first_offset: from.i64()?,
                last_offset: from.i64()?,
            });
        }
        Ok(states)
    }
}

fn known(offset: i64) -> Option<i64> {
    Some(offset).filter(|&offset| offset >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BatchBuilder, ControlType, control_batch, set_base_offset};

    fn header(offset: i64, mut batch: Vec<u8>) -> BatchHeader {
        set_base_offset(&mut batch, offset);
        BatchHeader::parse(&batch).unwrap()
    }

    fn data_of(epoch: i16, offset: i64, sequence: i32) -> BatchHeader {
        let mut builder = BatchBuilder::new().with_producer(7, epoch, sequence).transactional();
        builder.push(0, None, None);
        builder.push(0, None, None);
        header(offset, builder.finish().unwrap())
    }

    fn data(offset: i64, sequence: i32) -> BatchHeader {
        data_of(0, offset, sequence)
    }

    #[test]
    fn any_of_the_last_five_batches_is_a_duplicate_an_older_one_and_a_gap_are_refused() {
        let partition = TopicPartition::new("t", 0);
        let mut states = ProducerStates::default();
        for batch in 0..7 {
            states.note(&data(10 * i64::from(batch), 2 * batch), None, 0);
        }
        for batch in 2..7 {
            let offset = 10 * i64::from(batch);
            assert_eq!(states.check(&data(99, 2 * batch), &partition).unwrap(), Check::Duplicate(offset));
        }
        for old in [0, 2, 5] {
            let refused = states.check(&data(99, old), &partition);
            assert!(matches!(refused, Err(Error::DuplicateSequence { .. })), "{refused:?}");
        }
        assert_eq!(states.check(&data(99, 14), &partition).unwrap(), Check::Next);
        assert!(matches!(states.check(&data(99, 16), &partition), Err(Error::OutOfOrderSequence { .. })));
    }

    #[test]
    fn a_new_epoch_starts_at_sequence_0_and_fences_the_old_one() {
        let partition = TopicPartition::new("t", 0);
        let mut states = ProducerStates::default();
        states.note(&data(0, i32::MAX), None, 0);
        assert_eq!(states.check(&data(2, 1), &partition).unwrap(), Check::Next);
        assert!(matches!(states.check(&data_of(1, 2, 1), &partition), Err(Error::OutOfOrderSequence { .. })));
        assert_eq!(states.check(&data_of(1, 2, 0), &partition).unwrap(), Check::Next);
        states.note(&data_of(1, 2, 0), None, 0);
        assert!(matches!(states.check(&data(4, 1), &partition), Err(Error::Fenced { .. })));
        assert_eq!(states.check(&data_of(1, 4, 0), &partition).unwrap(), Check::Duplicate(2));
    }

    #[test]
    fn what_follows_a_refused_batch_cannot_begin_its_transaction() {
        use TransactionVersion::{One, Two};
        let partition = TopicPartition::new("t", 0);
        let is_refused = |states: &ProducerStates, header: &BatchHeader| match states.check(header, &partition) {
            Ok(checked) => checked != Check::Next,
            Err(error) => matches!(error, Error::OutOfOrderSequence { .. }),
        };
        let mut states = ProducerStates::default();
        states.note_attempt(&data(0, 4), One, 0);
        assert!(!is_refused(&states, &data(0, 4)));
        states.note_attempt(&data(0, 2), One, 0);
        states.note_attempt(&data(0, 6), One, 0);
        assert!(is_refused(&states, &data(0, 4)) && !is_refused(&states, &data(0, 2)));
        // Another epoch has numbers of its own, and one that is over holds nobody back.
        states.note_attempt(&data_of(1, 0, 8), One, 0);
        assert!(!is_refused(&states, &data_of(1, 0, 8)));
        states.note(&data_of(1, 0, 8), None, 0);
        states.note_attempt(&data(0, 0), One, 0);
        assert!(!is_refused(&states, &data_of(1, 2, 10)));

        // Nobody who is away for long is waited for.
        let mut states = ProducerStates::default();
        states.note_attempt(&data(0, 2), One, 0);
        states.expire(0);
        assert!(!is_refused(&states, &data(0, 4)));

        // Who is unknown begins at 0 in version 2, and where in version 1 is not known.
        let mut states = ProducerStates::default();
        states.note_attempt(&data(0, 2), Two, 0);
        assert!(is_refused(&states, &data(0, 2)) && !is_refused(&states, &data(0, 0)));
        states.note(&data(0, 0), None, 0);
        // While the transaction is open the numbers alone say what is next.
        states.note_attempt(&data(0, 0), Two, 0);
        assert!(!is_refused(&states, &data(2, 2)));
        // After it, what was sent again is not taken for the beginning of the next one.
        states.note(&header(2, control_batch(ControlType::Commit, 7, 0, 0).unwrap()), Some(true), 0);
        states.note_attempt(&data(0, 0), One, 0);
        assert!(is_refused(&states, &data(3, 2)));
        // An end forgets it.
        states.note(&header(3, control_batch(ControlType::Commit, 7, 0, 0).unwrap()), Some(true), 0);
        assert!(!is_refused(&states, &data(4, 2)));
    }

    #[test]
    fn a_producer_is_forgotten_once_it_is_idle_and_has_no_open_transaction() {
        let mut states = ProducerStates::default();
        states.note(&data(0, 0), None, 100);
        states.expire(100);
        assert_eq!(states.infos().count(), 1);
        states.note(&header(2, control_batch(ControlType::Commit, 7, 0, 0).unwrap()), Some(true), 200);
        states.expire(199);
        assert_eq!(states.infos().count(), 1);
        states.expire(200);
        assert_eq!(states.infos().count(), 0);
    }

    #[test]
    fn an_aborted_transaction_is_remembered_until_its_records_are_gone() {
        let mut states = ProducerStates::default();
        states.note(&data(10, 0), None, 0);
        assert_eq!(states.first_open_offset(), Some(10));
        states.note(&header(12, control_batch(ControlType::Abort, 7, 0, 0).unwrap()), Some(false), 0);
        assert_eq!(states.first_open_offset(), None);
        assert_eq!(states.aborted_between(0, 100).len(), 1);
        let mut encoded = Vec::new();
        states.encode(&mut encoded);
        assert_eq!(ProducerStates::decode(&mut Decoder::new(&encoded)).unwrap(), states);
        states.forget_before(13);
        assert!(states.aborted_between(0, 100).is_empty());
    }

    #[test]
    fn of_too_many_producers_those_are_forgotten_that_wrote_first() {
        let mut states = ProducerStates::default();
        states.note(&data(0, 0), None, 0);
        for id in 1_000..20_000i64 {
            let mut builder = BatchBuilder::new().with_producer(id, 0, 0);
            builder.push(0, None, None);
            states.note(&header(id, builder.finish().unwrap()), None, id);
            assert!(states.producers.len() <= PRODUCERS_MAX);
        }
        let known: Vec<i64> = states.infos().map(|info| info.producer.id).collect();
        assert!(known.contains(&7), "its transaction is open");
        assert!((16_000..20_000).all(|id| known.contains(&id)) && !known.contains(&10_000));
    }
}

//! What a partition knows of its producers: sequence numbers and open transactions.

use std::collections::BTreeMap;

use crate::codec::{Decoder, Encode};
use crate::record::{BatchHeader, NO_PRODUCER_ID};
use crate::{AbortedTransaction, Error, Result, TopicPartition};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    epoch: i16,
    last_sequence: i32,
    last_offset: i64,
    /// The first offset of its open transaction.
    open_since: Option<i64>,
}

/// How a batch of an idempotent producer relates to what it sent before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// It is the next one.
    Next,
    /// It was appended before, with its last record at this offset.
    Duplicate(i64),
}

/// The producers of one partition (KIP-98).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ProducerStates {
    producers: BTreeMap<i64, State>,
    aborted: Vec<AbortedTransaction>,
}

impl ProducerStates {
    /// Decides whether a batch may be appended.
    pub(crate) fn check(&self, header: &BatchHeader, partition: &TopicPartition) -> Result<Check> {
        let Some(state) = self.producers.get(&header.producer_id) else { return Ok(Check::Next) };
        if header.producer_epoch < state.epoch {
            return Err(Error::Fenced { id: header.producer_id, epoch: header.producer_epoch });
        }
        if header.producer_epoch > state.epoch || header.base_sequence < 0 || state.last_sequence < 0 {
            return Ok(Check::Next);
        }
        let last_sequence = add_sequence(header.base_sequence, header.last_offset_delta);
        if last_sequence == state.last_sequence {
            return Ok(Check::Duplicate(state.last_offset));
        }
        let expected = add_sequence(state.last_sequence, 1);
        if header.base_sequence == expected {
            return Ok(Check::Next);
        }
        Err(Error::OutOfOrderSequence {
            id: header.producer_id,
            partition: partition.clone(),
            found: header.base_sequence,
            expected,
        })
    }

    /// Takes note of an appended batch; `commits` is what a control batch says.
    pub(crate) fn note(&mut self, header: &BatchHeader, commits: Option<bool>) {
        if header.producer_id == NO_PRODUCER_ID {
            return;
        }
        let state = self.producers.entry(header.producer_id).or_insert(State {
            epoch: header.producer_epoch,
            last_sequence: -1,
            last_offset: -1,
            open_since: None,
        });
        state.epoch = header.producer_epoch;
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
            state.last_sequence = add_sequence(header.base_sequence, header.last_offset_delta);
        }
        state.last_offset = header.last_offset();
        if header.is_transactional() && state.open_since.is_none() {
            state.open_since = Some(header.base_offset);
        }
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

    /// Forgets aborted transactions whose records are gone.
    pub(crate) fn forget_before(&mut self, log_start_offset: i64) {
        self.aborted.retain(|aborted| aborted.last_offset >= log_start_offset);
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.put_i32(self.producers.len() as i32);
        for (id, state) in &self.producers {
            out.put_i64(*id);
            out.put_i16(state.epoch);
            out.put_i32(state.last_sequence);
            out.put_i64(state.last_offset);
            out.put_i64(state.open_since.unwrap_or(-1));
        }
        out.put_i32(self.aborted.len() as i32);
        for aborted in &self.aborted {
            out.put_i64(aborted.producer_id);
            out.put_i64(aborted.first_offset);
            out.put_i64(aborted.last_offset);
        }
    }

    pub(crate) fn decode(from: &mut Decoder<'_>) -> Result<Self> {
        let mut states = Self::default();
        for _ in 0..from.count()? {
            let id = from.i64()?;
            let state = State {
                epoch: from.i16()?,
                last_sequence: from.i32()?,
                last_offset: from.i64()?,
                open_since: Some(from.i64()?).filter(|&offset| offset >= 0),
            };
            states.producers.insert(id, state);
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

/// Sequence numbers wrap around to 0 after `i32::MAX`.
fn add_sequence(sequence: i32, delta: i32) -> i32 {
    sequence.wrapping_add(delta) & i32::MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BatchBuilder, ControlType, control_batch, set_base_offset};

    fn header(offset: i64, mut batch: Vec<u8>) -> BatchHeader {
        set_base_offset(&mut batch, offset);
        BatchHeader::parse(&batch).unwrap()
    }

    fn data(offset: i64, sequence: i32) -> BatchHeader {
        let mut builder = BatchBuilder::new().with_producer(7, 0, sequence).transactional();
        builder.push(0, None, None);
        builder.push(0, None, None);
        header(offset, builder.finish().unwrap())
    }

    #[test]
    fn a_repeated_batch_is_a_duplicate_and_a_gap_is_refused() {
        let partition = TopicPartition::new("t", 0);
        let mut states = ProducerStates::default();
        states.note(&data(0, 0), None);
        assert_eq!(states.check(&data(2, 0), &partition).unwrap(), Check::Duplicate(1));
        assert_eq!(states.check(&data(2, 2), &partition).unwrap(), Check::Next);
        assert!(matches!(states.check(&data(2, 5), &partition), Err(Error::OutOfOrderSequence { .. })));
    }

    #[test]
    fn an_aborted_transaction_is_remembered_until_its_records_are_gone() {
        let mut states = ProducerStates::default();
        states.note(&data(10, 0), None);
        assert_eq!(states.first_open_offset(), Some(10));
        states.note(&header(12, control_batch(ControlType::Abort, 7, 0, 0).unwrap()), Some(false));
        assert_eq!(states.first_open_offset(), None);
        assert_eq!(states.aborted_between(0, 100).len(), 1);
        let mut encoded = Vec::new();
        states.encode(&mut encoded);
        assert_eq!(ProducerStates::decode(&mut Decoder::new(&encoded)).unwrap(), states);
        states.forget_before(13);
        assert!(states.aborted_between(0, 100).is_empty());
    }
}

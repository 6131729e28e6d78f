//! What producers wanted to begin their transactions in a partition with.

use std::collections::BTreeMap;

use crate::TransactionVersion;
use crate::record::BatchHeader;

/// Of more producers than that, the one is forgotten that has not tried for longest.
const PRODUCERS_MAX: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Attempt {
    epoch: i16,
    lowest_sequence: i32,
    version: TransactionVersion,
    last_ms: i64,
}

/// The batches that came for a partition in which their producer had no open transaction, by producer, until one is
/// appended. Of the batches on their way one may be refused; if the one after it were taken it could never be sent
/// again, and its records were lost (KIP-890). It is known in memory only: who comes after a restart sends all again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Attempts {
    by_producer: BTreeMap<i64, Attempt>,
}

impl Attempts {
    pub(super) fn note(&mut self, header: &BatchHeader, version: TransactionVersion, now_ms: i64) {
        self.make_room(header.producer_id);
        let (epoch, sequence) = (header.producer_epoch, header.base_sequence);
        let attempt = self.by_producer.entry(header.producer_id).or_insert(Attempt {
            epoch,
            lowest_sequence: sequence,
            version,
            last_ms: now_ms,
        });
        attempt.last_ms = now_ms;
        if epoch > attempt.epoch {
            (attempt.epoch, attempt.lowest_sequence) = (epoch, sequence);
        } else if epoch == attempt.epoch {
            attempt.lowest_sequence = attempt.lowest_sequence.min(sequence);
        }
    }

    fn make_room(&mut self, producer_id: i64) {
        if self.by_producer.len() < PRODUCERS_MAX || self.by_producer.contains_key(&producer_id) {
            return;
        }
        if let Some(oldest) = self.by_producer.iter().min_by_key(|(_, attempt)| attempt.last_ms).map(|(id, _)| *id) {
            self.by_producer.remove(&oldest);
        }
    }

    pub(super) fn forget(&mut self, producer_id: i64) {
        self.by_producer.remove(&producer_id);
    }

    /// Forgets those who have not tried since this time.
    pub(super) fn expire(&mut self, before_ms: i64) {
        self.by_producer.retain(|_, attempt| attempt.last_ms > before_ms);
    }

    /// The sequence number that a batch must have if it must not have the one that it has.
    pub(super) fn expected(&self, header: &BatchHeader, has_sent: bool) -> Option<i32> {
        let attempt = self.by_producer.get(&header.producer_id)?;
        if attempt.epoch != header.producer_epoch || !header.is_transactional() {
            return None;
        }
        // In version 2 each transaction has an epoch of its own, which begins at 0.
        let is_first = attempt.version == TransactionVersion::Two && !has_sent;
        let highest = if is_first { 0 } else { attempt.lowest_sequence };
        (header.base_sequence > highest).then_some(highest)
    }
}

//! The last batches of one producer in one partition, by their sequence numbers.

use std::collections::VecDeque;

use crate::Result;
use crate::codec::{Decoder, Encode};
use crate::record::BatchHeader;

/// A producer may have so many batches on their way, so one that it sends again is one of these.
const BATCHES_MAX: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Batch {
    base_sequence: i32,
    /// The last record's sequence number, and its offset, less the first one's.
    delta: i32,
    base_offset: i64,
}

impl Batch {
    fn last_sequence(&self) -> i32 {
        add_sequence(self.base_sequence, self.delta)
    }
}

/// The last five batches, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Recent {
    batches: VecDeque<Batch>,
}

impl Recent {
    /// The base offset that a batch got when it came before.
    pub(super) fn find(&self, header: &BatchHeader) -> Option<i64> {
        let same =
            |batch: &&Batch| batch.base_sequence == header.base_sequence && batch.delta == header.last_offset_delta;
        self.batches.iter().find(same).map(|batch| batch.base_offset)
    }

    pub(super) fn push(&mut self, header: &BatchHeader) {
        if self.batches.len() == BATCHES_MAX {
            self.batches.pop_front();
        }
        self.batches.push_back(Batch {
            base_sequence: header.base_sequence,
            delta: header.last_offset_delta,
            base_offset: header.base_offset,
        });
    }

    pub(super) fn clear(&mut self) {
        self.batches.clear();
    }

    pub(super) fn last_sequence(&self) -> Option<i32> {
        self.batches.back().map(Batch::last_sequence)
    }

    /// The sequence number that is due: 0 for a producer that has sent nothing yet.
    pub(super) fn expected(&self) -> i32 {
        self.last_sequence().map_or(0, |last| add_sequence(last, 1))
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.put_i32(self.batches.len() as i32);
        for batch in &self.batches {
            out.put_i32(batch.base_sequence);
            out.put_i32(batch.delta);
            out.put_i64(batch.base_offset);
        }
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Result<Self> {
        let mut recent = Self::default();
        for _ in 0..from.count()? {
            let batch = Batch { base_sequence: from.i32()?, delta: from.i32()?, base_offset: from.i64()? };
            recent.batches.push_back(batch);
        }
        Ok(recent)
    }

    /// What checkpoints of version 2 know: the end of the last batch, -1 being none.
    pub(super) fn decode_last(from: &mut Decoder<'_>) -> Result<Self> {
        let (base_sequence, base_offset) = (from.i32()?, from.i64()?);
        let last = Batch { base_sequence, delta: 0, base_offset };
        Ok(Self { batches: (base_sequence >= 0).then_some(last).into_iter().collect() })
    }
}

/// Sequence numbers wrap around to 0 after `i32::MAX`.
fn add_sequence(sequence: i32, delta: i32) -> i32 {
    sequence.wrapping_add(delta) & i32::MAX
}

/// Whether a sequence number comes before the one that is due, on the shorter way around.
pub(super) fn is_before(found: i32, expected: i32) -> bool {
    let ahead = found.wrapping_sub(expected) & i32::MAX;
    ahead > i32::MAX / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_wrap_around() {
        assert_eq!(add_sequence(i32::MAX, 1), 0);
        assert_eq!(add_sequence(i32::MAX - 1, 3), 1);
        assert!(is_before(i32::MAX, 0) && !is_before(0, i32::MAX));
        assert!(is_before(4, 5) && !is_before(5, 5) && !is_before(6, 5));
    }
}

//! What the broker's side asks of consumer groups' offsets beyond [`crate::Log`].

use std::collections::BTreeSet;
use std::sync::PoisonError;

use super::{EmbeddedLog, Inner, locked};
use crate::group::{GroupOffsets, OFFSETS_TOPIC, tombstones_batch, uses_batch};
use crate::{CommittedOffset, GroupOffset, OverdueOffset, Result, TopicPartition};

/// What is forgotten of offsets that expire, in one write.
const BYTES_AT_ONCE: usize = 1 << 20;
/// Of so many groups it is written down at once that they are in use.
const GROUPS_AT_ONCE: usize = 1_000;

impl EmbeddedLog {
    /// All that a group has committed, in no particular order.
    #[must_use]
    pub fn group_offsets(&self, group: &str) -> Vec<CommittedOffset> {
        locked(&self.inner.groups).of_group(group)
    }

    /// Whether a group has committed anything, or is about to by an open transaction.
    #[must_use]
    pub fn has_group(&self, group: &str) -> bool {
        locked(&self.inner.groups).has(group)
    }

    /// The groups that have committed offsets, or are about to by an open transaction.
    #[must_use]
    pub fn groups(&self) -> BTreeSet<String> {
        locked(&self.inner.groups).names()
    }

    /// What the offsets of all groups take in memory, those of open transactions included.
    #[must_use]
    pub fn group_offsets_bytes(&self) -> usize {
        locked(&self.inner.groups).bytes()
    }

    /// How much more they would take if these were committed.
    #[must_use]
    pub fn group_offsets_growth(&self, offsets: &[GroupOffset]) -> usize {
        locked(&self.inner.groups).growth(offsets)
    }

    /// What the offsets of open transactions would take in memory, with these.
    #[must_use]
    pub fn pending_offsets_bytes(&self, more: &[GroupOffset]) -> usize {
        locked(&self.inner.groups).pending_bytes_with(more)
    }

    /// Forgets a group's offsets in some partitions.
    ///
    /// # Errors
    /// The disk's.
    pub fn delete_group_offsets(&self, group: &str, partitions: &[TopicPartition]) -> Result<()> {
        let known = locked(&self.inner.groups).partitions(group);
        let readers: Vec<_> = known.into_iter().filter(|partition| partitions.contains(partition)).collect();
        self.inner.forget(readers.into_iter().map(|partition| (group.to_owned(), partition)).collect())
    }

    /// The offsets that were committed before this time. Those of the engine's queries are never among them, nor those that
    /// an open transaction is about to move.
    #[must_use]
    pub fn overdue_offsets(&self, before_ms: i64) -> Vec<OverdueOffset> {
        locked(&self.inner.groups).overdue(before_ms)
    }

    /// Forgets overdue offsets, unless they have moved meanwhile.
    ///
    /// # Errors
    /// The disk's.
    pub fn expire_offsets(&self, overdue: &[OverdueOffset], before_ms: i64) -> Result<()> {
        let mut rest = overdue;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |offset: &&OverdueOffset| {
                bytes += offset.bytes();
                bytes <= BYTES_AT_ONCE
            };
            let (some, others) = rest.split_at(rest.iter().take_while(fits).count().max(1));
            self.inner.forget_of(|groups| groups.still_overdue(some, before_ms))?;
            rest = others;
        }
        Ok(())
    }

    /// Says that groups are in use: what is known of it survives a restart.
    ///
    /// # Errors
    /// The disk's.
    pub fn note_groups_in_use(&self, groups: &[&str]) -> Result<()> {
        let inner = &self.inner;
        let now_ms = inner.options.io.now_ms();
        for some in groups.chunks(GROUPS_AT_ONCE) {
            let unit = inner.unit.read().unwrap_or_else(PoisonError::into_inner);
            let mut known = locked(&inner.groups);
            let unwritten = known.note_in_use(some, now_ms);
            if !unwritten.is_empty() {
                inner.place(&TopicPartition::new(OFFSETS_TOPIC, 0), uses_batch(unwritten, Some(now_ms), now_ms)?)?;
            }
            drop(known);
            drop(unit);
            inner.flush_if_inline()?;
        }
        Ok(())
    }
}

impl Inner {
    /// Forgets offsets, in memory and on disk.
    pub(super) fn forget(&self, readers: Vec<(String, TopicPartition)>) -> Result<()> {
        self.forget_of(|_| readers)
    }

    /// Forgets the offsets that `choose` names; none can move between.
    fn forget_of(&self, choose: impl FnOnce(&GroupOffsets) -> Vec<(String, TopicPartition)>) -> Result<()> {
        let topic = TopicPartition::new(OFFSETS_TOPIC, 0);
        let now_ms = self.options.io.now_ms();
        let unit = self.unit.read().unwrap_or_else(PoisonError::into_inner);
        let mut groups = locked(&self.groups);
        let readers = choose(&groups);
        if readers.is_empty() {
            return Ok(());
        }
        let mut sequence = self.place(&topic, tombstones_batch(&readers, now_ms)?)?.sequence;
        let is_noted = |(group, partition): &&(String, TopicPartition)| groups.forget(group, partition);
        let noted: Vec<&str> = readers.iter().filter(is_noted).map(|(group, _)| group.as_str()).collect();
        if !noted.is_empty() {
            sequence = self.place(&topic, uses_batch(noted, None, now_ms)?)?.sequence;
        }
        drop(groups);
        drop(unit);
        self.flush_if_inline()?;
        self.ticket(sequence).wait()
    }
}

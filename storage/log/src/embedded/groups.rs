//! What the broker's side asks of consumer groups' offsets beyond [`crate::Log`].

use super::{EmbeddedLog, locked};
use crate::{CommittedOffset, GroupOffset, Result, TopicPartition};

impl EmbeddedLog {
    /// All that a group has committed, in no particular order.
    #[must_use]
    pub fn group_offsets(&self, group: &str) -> Vec<CommittedOffset> {
        locked(&self.inner.groups).of_group(group)
    }

    /// Whether a group has committed anything.
    #[must_use]
    pub fn has_group_offsets(&self, group: &str) -> bool {
        locked(&self.inner.groups).has(group)
    }

    /// The groups that have committed offsets, in no particular order.
    #[must_use]
    pub fn groups_with_offsets(&self) -> Vec<String> {
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
        self.inner.forget(&readers.into_iter().map(|partition| (group.to_owned(), partition)).collect::<Vec<_>>())
    }
}

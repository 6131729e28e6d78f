//! Which offsets nobody needs any more.
//!
//! An offset is overdue when it was committed long ago, and its group is unused when nobody has been in it for as long.
//! Who is in a group is not known here: whoever knows says from time to time which groups are in use.

use std::collections::HashSet;
use std::sync::Arc;

use super::{GroupOffsets, OFFSET_BYTES, Used, record};
use crate::{Result, TopicPartition};

/// How the names of the engine's groups and topics start. The offsets of such a group are how far a query has come, and a
/// query may rest for any time: they never expire.
pub const ENGINE_PREFIX: &str = "_confluent-ksql-";

/// That a group is in use is written down at most so often, and taken for as much later after a restart.
const NOTED_EVERY_MS: i64 = 3_600_000;

/// An offset that was committed long ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverdueOffset {
    /// The group.
    pub group: Arc<str>,
    /// The partition it reads.
    pub partition: TopicPartition,
    /// Whether the group was not in use for as long.
    pub is_group_unused: bool,
}

impl OverdueOffset {
    /// What it takes to forget it.
    pub(crate) fn bytes(&self) -> usize {
        OFFSET_BYTES + self.group.len() + self.partition.topic.len()
    }
}

impl GroupOffsets {
    /// The offsets that were committed before this time and that no open transaction is about to move.
    pub(crate) fn overdue(&self, before_ms: i64) -> Vec<OverdueOffset> {
        let pending = self.all_pending();
        let mut overdue = Vec::new();
        for (name, group) in self.groups.iter().filter(|(name, _)| !name.starts_with(ENGINE_PREFIX)) {
            let is_group_unused = group.used.is_none_or(|used| used.at_ms < before_ms);
            let shared: Arc<str> = name.as_str().into();
            let old = group.offsets.iter().filter(|(_, position)| position.arrival.at_ms < before_ms);
            let old = old.filter(|(partition, _)| !pending.contains(&(name.as_str(), *partition)));
            overdue.extend(old.map(|(partition, _)| OverdueOffset {
                group: Arc::clone(&shared),
                partition: partition.clone(),
                is_group_unused,
            }));
        }
        overdue
    }

    /// Those of the overdue offsets that nobody has moved since they were found, nor is about to.
    pub(crate) fn still_overdue(&self, overdue: &[OverdueOffset], before_ms: i64) -> Vec<(String, TopicPartition)> {
        let pending = self.all_pending();
        let is_still = |offset: &&OverdueOffset| {
            let position = self.groups.get(&*offset.group).and_then(|group| group.offsets.get(&offset.partition));
            position.is_some_and(|position| position.arrival.at_ms < before_ms)
                && !pending.contains(&(&*offset.group, &offset.partition))
        };
        let still = overdue.iter().filter(is_still);
        still.map(|offset| (offset.group.to_string(), offset.partition.clone())).collect()
    }

    fn all_pending(&self) -> HashSet<(&str, &TopicPartition)> {
        let pending = self.pending.values().flatten();
        pending.map(|(offset, _)| (offset.group.as_str(), &offset.partition)).collect()
    }

    /// Takes note that groups are in use, as far as they have offsets; returns those of which it must be written down.
    pub(crate) fn note_in_use<'a>(&mut self, groups: &[&'a str], now_ms: i64) -> Vec<&'a str> {
        let mut unwritten = Vec::new();
        for &name in groups {
            let Some(group) = self.groups.get_mut(name) else { continue };
            let known = group.used.map(|used| used.noted_ms);
            let is_noted = known.is_some_and(|noted_ms| now_ms.saturating_sub(noted_ms) < NOTED_EVERY_MS);
            if !is_noted {
                unwritten.push(name);
            }
            let noted_ms = known.filter(|_| is_noted).unwrap_or(now_ms);
            group.used = Some(Used { at_ms: now_ms, noted_ms });
        }
        unwritten
    }

    /// Applies what the topic says of a group's use.
    pub(super) fn replay_use(&mut self, group: &str, value: Option<&[u8]>) -> Result<()> {
        let noted = value.map(record::decode_use).transpose()?.flatten();
        let used = |noted_ms: i64| Used { at_ms: noted_ms.saturating_add(NOTED_EVERY_MS), noted_ms };
        self.group_mut(group).used = noted.map(used);
        Ok(())
    }
}

//! Consumer groups' offsets, kept in a compacted internal topic in Kafka's own format.

mod expiry;
mod record;

use std::collections::{BTreeSet, HashMap};

use crate::record::{BatchHeader, BatchReader, ControlType};
use crate::{Result, TopicPartition};

pub use expiry::{ENGINE_PREFIX, OverdueOffset};
use record::Key;
pub(crate) use record::{offsets_batch, tombstones_batch, transactional_offsets_batch, uses_batch};

/// The topic that holds the offsets.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// One group's position in one partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupOffset {
    /// The group.
    pub group: String,
    /// The partition it reads.
    pub partition: TopicPartition,
    /// The next offset it is to read.
    pub offset: i64,
    /// The epoch of the leader that the last record was read from, -1 if that is not known.
    pub leader_epoch: i32,
    /// Whatever the group wants to keep with it.
    pub metadata: String,
}

impl GroupOffset {
    /// A position without anything kept beside it.
    #[must_use]
    pub fn new(group: impl Into<String>, partition: TopicPartition, offset: i64) -> Self {
        Self { group: group.into(), partition, offset, leader_epoch: -1, metadata: String::new() }
    }
}

/// A position that a group has committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The partition it reads.
    pub partition: TopicPartition,
    /// The next offset it is to read.
    pub offset: i64,
    /// The epoch of the leader that the last record was read from, -1 if that is not known.
    pub leader_epoch: i32,
    /// Whatever the group keeps with it.
    pub metadata: String,
}

/// All groups' offsets as of the last commit.
#[derive(Debug, Default)]
pub(crate) struct GroupOffsets {
    groups: HashMap<String, OfGroup>,
    /// By producer, what its open transaction is to commit, and when it came.
    pending: HashMap<i64, Vec<(GroupOffset, Arrival)>>,
    /// What both take in memory.
    bytes: usize,
    /// What the pending ones take of that.
    pending_bytes: usize,
    /// Counts the offsets as they stand in the topic: of two, the later one counts, whenever its transaction ends, for
    /// compaction leaves no other.
    moment: u64,
}

/// What is known of one group.
#[derive(Debug, Default)]
struct OfGroup {
    offsets: HashMap<TopicPartition, Position>,
    /// When it was last seen in use, if ever.
    used: Option<Used>,
}

/// When a group was last seen in use, in ms.
#[derive(Debug, Clone, Copy)]
struct Used {
    at_ms: i64,
    /// What the topic says of it.
    noted_ms: i64,
}

#[derive(Debug)]
struct Position {
    offset: i64,
    leader_epoch: i32,
    metadata: Box<str>,
    arrival: Arrival,
}

/// When an offset came.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    /// Its place among all offsets.
    moment: u64,
    /// By the log's clock.
    at_ms: i64,
}

/// What an offset takes beside its texts, with room to spare.
const OFFSET_BYTES: usize = 128;

/// What an offset takes in the table of its group; its partition's name may be nobody else's.
fn position_bytes(partition: &TopicPartition, metadata: &str) -> usize {
    OFFSET_BYTES + partition.topic.len() + metadata.len()
}

fn pending_bytes(offset: &GroupOffset) -> usize {
    offset.group.len() + position_bytes(&offset.partition, &offset.metadata)
}

impl GroupOffsets {
    pub(crate) fn get(&self, group: &str, partition: &TopicPartition) -> Option<i64> {
        Some(self.groups.get(group)?.offsets.get(partition)?.offset)
    }

    /// Whether a group has committed anything, or is about to by an open transaction.
    pub(crate) fn has(&self, group: &str) -> bool {
        self.groups.contains_key(group) || self.pending_of(group).next().is_some()
    }

    fn pending_of(&self, group: &str) -> impl Iterator<Item = &GroupOffset> {
        self.pending.values().flatten().map(|(offset, _)| offset).filter(move |offset| offset.group == group)
    }

    /// All that a group has committed.
    pub(crate) fn of_group(&self, group: &str) -> Vec<CommittedOffset> {
        let whole = |(partition, position): (&TopicPartition, &Position)| CommittedOffset {
            partition: partition.clone(),
            offset: position.offset,
            leader_epoch: position.leader_epoch,
            metadata: position.metadata.to_string(),
        };
        self.groups.get(group).map(|group| group.offsets.iter().map(whole).collect()).unwrap_or_default()
    }

    /// The groups that have committed anything, or are about to by an open transaction.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let pending = self.pending.values().flatten().map(|(offset, _)| &offset.group);
        self.groups.keys().chain(pending).cloned().collect()
    }

    pub(crate) fn set(&mut self, offset: &GroupOffset, now_ms: i64) {
        let arrival = self.arrive(now_ms);
        self.set_as_of(offset, arrival);
    }

    fn arrive(&mut self, at_ms: i64) -> Arrival {
        self.moment += 1;
        Arrival { moment: self.moment, at_ms }
    }

    fn group_mut(&mut self, name: &str) -> &mut OfGroup {
        if !self.groups.contains_key(name) {
            self.bytes += OFFSET_BYTES + name.len();
        }
        self.groups.entry(name.to_owned()).or_default()
    }

    /// A transaction's offset is as old as its record: what was committed after it stays.
    fn set_as_of(&mut self, offset: &GroupOffset, arrival: Arrival) {
        let group = self.group_mut(&offset.group);
        if group.offsets.get(&offset.partition).is_some_and(|known| known.arrival.moment > arrival.moment) {
            return;
        }
        let position = Position {
            offset: offset.offset,
            leader_epoch: offset.leader_epoch,
            metadata: offset.metadata.as_str().into(),
            arrival,
        };
        let old = group.offsets.insert(offset.partition.clone(), position);
        self.bytes += position_bytes(&offset.partition, &offset.metadata);
        if let Some(old) = old {
            self.bytes -= position_bytes(&offset.partition, &old.metadata);
        }
    }

    /// What all of it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What the pending ones take in memory, with these.
    pub(crate) fn pending_bytes_with(&self, more: &[GroupOffset]) -> usize {
        self.pending_bytes + more.iter().map(pending_bytes).sum::<usize>()
    }

    /// How much more it would take with these.
    pub(crate) fn growth(&self, offsets: &[GroupOffset]) -> usize {
        let grows = |offset: &GroupOffset| {
            let bytes = position_bytes(&offset.partition, &offset.metadata);
            match self.groups.get(&offset.group).map(|group| group.offsets.get(&offset.partition)) {
                Some(Some(old)) => bytes.saturating_sub(position_bytes(&offset.partition, &old.metadata)),
                Some(None) => bytes,
                None => bytes + OFFSET_BYTES + offset.group.len(),
            }
        };
        offsets.iter().map(grows).sum()
    }

    /// Every partition the group has an offset in, or is about to by an open transaction.
    pub(crate) fn partitions(&self, group: &str) -> BTreeSet<TopicPartition> {
        let committed = self.groups.get(group).into_iter().flat_map(|group| group.offsets.keys());
        committed.chain(self.pending_of(group).map(|offset| &offset.partition)).cloned().collect()
    }

    /// Every group and partition that reads the topic.
    pub(crate) fn readers_of(&self, topic: &str) -> Vec<(String, TopicPartition)> {
        let of_group = |(group, of_group): (&String, &OfGroup)| {
            let partitions = of_group.offsets.keys().filter(|partition| &*partition.topic == topic);
            partitions.map(|partition| (group.clone(), partition.clone())).collect::<Vec<_>>()
        };
        self.groups.iter().flat_map(of_group).collect()
    }

    /// Forgets an offset, and what transactions that are open now would make of it: those came before. With its last one a
    /// group is forgotten; whether the topic says when that was in use.
    pub(crate) fn forget(&mut self, group: &str, partition: &TopicPartition) -> bool {
        self.forget_offset(group, partition);
        if self.groups.get(group).is_none_or(|group| !group.offsets.is_empty()) {
            return false;
        }
        self.bytes -= OFFSET_BYTES + group.len();
        self.groups.remove(group).is_some_and(|group| group.used.is_some())
    }

    fn forget_offset(&mut self, group: &str, partition: &TopicPartition) {
        let (bytes, of_pending) = (&mut self.bytes, &mut self.pending_bytes);
        for offsets in self.pending.values_mut() {
            offsets.retain(|(offset, _)| {
                let is_kept = offset.group != group || offset.partition != *partition;
                if !is_kept {
                    *bytes -= pending_bytes(offset);
                    *of_pending -= pending_bytes(offset);
                }
                is_kept
            });
        }
        if let Some(old) = self.groups.get_mut(group).and_then(|group| group.offsets.remove(partition)) {
            self.bytes -= position_bytes(partition, &old.metadata);
        }
    }

    /// Forgets the offsets of partitions that `exists` does not know.
    pub(crate) fn retain(&mut self, exists: impl Fn(&TopicPartition) -> bool) {
        let bytes = &mut self.bytes;
        for group in self.groups.values_mut() {
            group.offsets.retain(|partition, position| {
                let is_kept = exists(partition);
                if !is_kept {
                    *bytes -= position_bytes(partition, &position.metadata);
                }
                is_kept
            });
        }
        self.groups.retain(|name, group| {
            if group.offsets.is_empty() {
                *bytes -= OFFSET_BYTES + name.len();
            }
            !group.offsets.is_empty()
        });
    }

    /// Holds offsets back until their transaction ends.
    pub(crate) fn set_pending(&mut self, producer_id: i64, offsets: &[GroupOffset], now_ms: i64) {
        for offset in offsets {
            let arrival = self.arrive(now_ms);
            self.bytes += pending_bytes(offset);
            self.pending_bytes += pending_bytes(offset);
            self.pending.entry(producer_id).or_default().push((offset.clone(), arrival));
        }
    }

    /// Whether an open transaction is to commit an offset of the group in the partition.
    pub(crate) fn is_pending(&self, group: &str, partition: &TopicPartition) -> bool {
        self.pending_of(group).any(|offset| offset.partition == *partition)
    }

    /// Ends a producer's transaction.
    pub(crate) fn end(&mut self, producer_id: i64, commit: bool) {
        let offsets = self.pending.remove(&producer_id).unwrap_or_default();
        for (offset, arrival) in offsets {
            self.bytes -= pending_bytes(&offset);
            self.pending_bytes -= pending_bytes(&offset);
            if commit {
                self.set_as_of(&offset, arrival);
            }
        }
    }

    /// Applies a batch of the offsets topic.
    pub(crate) fn replay(&mut self, header: &BatchHeader, batch: &[u8]) -> Result<()> {
        if header.is_control() {
            if let Some(kind) = ControlType::of(batch)? {
                self.end(header.producer_id, kind == ControlType::Commit);
            }
            return Ok(());
        }
        for record in BatchReader::of_checked(*header, batch)?.iter() {
            let record = record?;
            match (record.key.map(Key::decode).transpose()?, record.value) {
                (Some(Key::Offset(group, partition)), Some(value)) => {
                    let (offset, committed_ms) = record::decode_offset(group, partition, value)?;
                    if header.is_transactional() {
                        self.set_pending(header.producer_id, &[offset], committed_ms);
                    } else {
                        self.set(&offset, committed_ms);
                    }
                }
                // Its group stays until all is replayed: of what came before, compaction may have left only when it was used.
                (Some(Key::Offset(group, partition)), None) => self.forget_offset(&group, &partition),
                (Some(Key::Use(group)), value) => self.replay_use(&group, value)?,
                (Some(Key::Other) | None, _) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

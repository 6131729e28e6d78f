//! Consumer groups' offsets, kept in a compacted internal topic in Kafka's own format.

use std::collections::HashMap;

use crate::codec::{Decoder, Encode};
use crate::record::{BatchBuilder, BatchHeader, BatchReader, ControlType};
use crate::{Producer, Result, TopicPartition};

/// The topic that holds the offsets.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";

const KEY_VERSION: i16 = 1;
const VALUE_VERSION: i16 = 3;

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
    groups: HashMap<String, HashMap<TopicPartition, Position>>,
    /// By producer, what its open transaction is to commit, and when it came.
    pending: HashMap<i64, Vec<(GroupOffset, u64)>>,
    /// What both take in memory.
    bytes: usize,
    /// What the pending ones take of that.
    pending_bytes: usize,
    /// Counts the offsets as they stand in the topic: of two, the later one counts, whenever its transaction ends, for
    /// compaction leaves no other.
    moment: u64,
}

#[derive(Debug)]
struct Position {
    offset: i64,
    leader_epoch: i32,
    metadata: Box<str>,
    /// When it came.
    moment: u64,
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
        Some(self.groups.get(group)?.get(partition)?.offset)
    }

    /// Whether a group has committed anything.
    pub(crate) fn has(&self, group: &str) -> bool {
        self.groups.contains_key(group)
    }

    /// All that a group has committed.
    pub(crate) fn of_group(&self, group: &str) -> Vec<CommittedOffset> {
        let whole = |(partition, position): (&TopicPartition, &Position)| CommittedOffset {
            partition: partition.clone(),
            offset: position.offset,
            leader_epoch: position.leader_epoch,
            metadata: position.metadata.to_string(),
        };
        self.groups.get(group).map(|offsets| offsets.iter().map(whole).collect()).unwrap_or_default()
    }

    /// The groups that have committed anything.
    pub(crate) fn names(&self) -> Vec<String> {
        self.groups.keys().cloned().collect()
    }

    pub(crate) fn set(&mut self, offset: &GroupOffset) {
        self.moment += 1;
        self.set_as_of(offset, self.moment);
    }

    /// A transaction's offset is as old as its record: what was committed after it stays.
    fn set_as_of(&mut self, offset: &GroupOffset, moment: u64) {
        let group = match self.groups.get_mut(&offset.group) {
            Some(group) => group,
            None => {
                self.bytes += OFFSET_BYTES + offset.group.len();
                self.groups.entry(offset.group.clone()).or_default()
            }
        };
        if group.get(&offset.partition).is_some_and(|position| position.moment > moment) {
            return;
        }
        let position = Position {
            offset: offset.offset,
            leader_epoch: offset.leader_epoch,
            metadata: offset.metadata.as_str().into(),
            moment,
        };
        self.bytes += position_bytes(&offset.partition, &offset.metadata);
        if let Some(old) = group.insert(offset.partition.clone(), position) {
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
            match self.groups.get(&offset.group).map(|group| group.get(&offset.partition)) {
                Some(Some(old)) => bytes.saturating_sub(position_bytes(&offset.partition, &old.metadata)),
                Some(None) => bytes,
                None => bytes + OFFSET_BYTES + offset.group.len(),
            }
        };
        offsets.iter().map(grows).sum()
    }

    /// Every partition the group has an offset in.
    pub(crate) fn partitions(&self, group: &str) -> Vec<TopicPartition> {
        self.groups.get(group).map(|offsets| offsets.keys().cloned().collect()).unwrap_or_default()
    }

    /// Every group and partition that reads the topic.
    pub(crate) fn readers_of(&self, topic: &str) -> Vec<(String, TopicPartition)> {
        let of_group = |(group, offsets): (&String, &HashMap<TopicPartition, Position>)| {
            let partitions = offsets.keys().filter(|partition| &*partition.topic == topic);
            partitions.map(|partition| (group.clone(), partition.clone())).collect::<Vec<_>>()
        };
        self.groups.iter().flat_map(of_group).collect()
    }

    /// Forgets an offset, and what transactions that are open now would make of it: those came before.
    pub(crate) fn forget(&mut self, group: &str, partition: &TopicPartition) {
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
        if let Some(offsets) = self.groups.get_mut(group) {
            if let Some(old) = offsets.remove(partition) {
                self.bytes -= position_bytes(partition, &old.metadata);
            }
            if offsets.is_empty() {
                self.groups.remove(group);
                self.bytes -= OFFSET_BYTES + group.len();
            }
        }
    }

    /// Forgets the offsets of partitions that `exists` does not know.
    pub(crate) fn retain(&mut self, exists: impl Fn(&TopicPartition) -> bool) {
        let bytes = &mut self.bytes;
        for offsets in self.groups.values_mut() {
            offsets.retain(|partition, position| {
                let is_kept = exists(partition);
                if !is_kept {
                    *bytes -= position_bytes(partition, &position.metadata);
                }
                is_kept
            });
        }
        self.groups.retain(|group, offsets| {
            if offsets.is_empty() {
                *bytes -= OFFSET_BYTES + group.len();
            }
            !offsets.is_empty()
        });
    }

    /// Holds offsets back until their transaction ends.
    pub(crate) fn set_pending(&mut self, producer_id: i64, offsets: &[GroupOffset]) {
        let pending = self.pending.entry(producer_id).or_default();
        for offset in offsets {
            self.moment += 1;
            self.bytes += pending_bytes(offset);
            self.pending_bytes += pending_bytes(offset);
            pending.push((offset.clone(), self.moment));
        }
    }

    /// Whether an open transaction is to commit an offset of the group in the partition.
    pub(crate) fn is_pending(&self, group: &str, partition: &TopicPartition) -> bool {
        let moves = |offset: &GroupOffset| offset.group == group && offset.partition == *partition;
        self.pending.values().flatten().any(|(offset, _)| moves(offset))
    }

    /// Ends a producer's transaction.
    pub(crate) fn end(&mut self, producer_id: i64, commit: bool) {
        let offsets = self.pending.remove(&producer_id).unwrap_or_default();
        for (offset, moment) in offsets {
            self.bytes -= pending_bytes(&offset);
            self.pending_bytes -= pending_bytes(&offset);
            if commit {
                self.set_as_of(&offset, moment);
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
            let Some((group, partition)) = record.key.map(decode_key).transpose()?.flatten() else { continue };
            match record.value {
                Some(value) => {
                    let offset = decode_value(group, partition, value)?;
                    if header.is_transactional() {
                        self.set_pending(header.producer_id, &[offset]);
                    } else {
                        self.set(&offset);
                    }
                }
                None => self.forget(&group, &partition),
            }
        }
        Ok(())
    }
}

/// The batch that records the offsets of a transaction.
pub(crate) fn transactional_offsets_batch(offsets: &[GroupOffset], producer: Producer, now_ms: i64) -> Result<Vec<u8>> {
    let batch = BatchBuilder::new().with_producer(producer.id, producer.epoch, -1).transactional();
    with_offsets(batch, offsets, now_ms)
}

/// The batch that records these offsets.
pub(crate) fn offsets_batch(offsets: &[GroupOffset], now_ms: i64) -> Result<Vec<u8>> {
    with_offsets(BatchBuilder::new(), offsets, now_ms)
}

fn with_offsets(mut batch: BatchBuilder, offsets: &[GroupOffset], now_ms: i64) -> Result<Vec<u8>> {
    for offset in offsets {
        let mut value = Vec::new();
        value.put_i16(VALUE_VERSION);
        value.put_i64(offset.offset);
        value.put_i32(offset.leader_epoch);
        value.put_string(&offset.metadata);
        value.put_i64(now_ms);
        batch.push(now_ms, Some(&encode_key(&offset.group, &offset.partition)), Some(&value));
    }
    batch.finish()
}

/// The batch that forgets these offsets.
pub(crate) fn tombstones_batch(readers: &[(String, TopicPartition)], now_ms: i64) -> Result<Vec<u8>> {
    let mut batch = BatchBuilder::new();
    for (group, partition) in readers {
        batch.push(now_ms, Some(&encode_key(group, partition)), None);
    }
    batch.finish()
}

fn encode_key(group: &str, partition: &TopicPartition) -> Vec<u8> {
    let mut key = Vec::new();
    key.put_i16(KEY_VERSION);
    key.put_string(group);
    key.put_string(&partition.topic);
    key.put_i32(partition.partition);
    key
}

/// `None` for a key of another kind, such as group metadata.
fn decode_key(key: &[u8]) -> Result<Option<(String, TopicPartition)>> {
    let mut key = Decoder::new(key);
    if !(0..=KEY_VERSION).contains(&key.i16()?) {
        return Ok(None);
    }
    let group = key.string()?;
    let topic = key.string()?;
    Ok(Some((group, TopicPartition::new(topic, key.i32()?))))
}

fn decode_value(group: String, partition: TopicPartition, value: &[u8]) -> Result<GroupOffset> {
    let mut value = Decoder::new(value);
    let version = value.i16()?;
    let offset = GroupOffset::new(group, partition, value.i64()?);
    // Before, the value had no epoch.
    if version < VALUE_VERSION {
        return Ok(GroupOffset { metadata: value.string()?, ..offset });
    }
    Ok(GroupOffset { leader_epoch: value.i32()?, metadata: value.string()?, ..offset })
}

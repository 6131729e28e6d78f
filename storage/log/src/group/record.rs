//! The records of the offsets topic: Kafka's own keys and values.

use crate::codec::{Decoder, Encode};
use crate::record::BatchBuilder;
use crate::{GroupOffset, Producer, Result, TopicPartition};

const OFFSET_KEY_VERSION: i16 = 1;
const OFFSET_VALUE_VERSION: i16 = 3;
/// Of a group as a whole Kafka keeps who is in it, here only when it was last in use.
const GROUP_KEY_VERSION: i16 = 2;
const GROUP_VALUE_VERSION: i16 = 3;
/// Before, the value did not say since when the group is what it is.
const GROUP_TIME_SINCE: i16 = 2;
const NO_GENERATION: i32 = 0;

/// What a record is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Key {
    Offset(String, TopicPartition),
    Use(String),
    /// Something that this version does not know.
    Other,
}

impl Key {
    pub(super) fn decode(key: &[u8]) -> Result<Self> {
        let mut key = Decoder::new(key);
        match key.i16()? {
            0..=OFFSET_KEY_VERSION => {
                let (group, topic) = (key.string()?, key.string()?);
                Ok(Self::Offset(group, TopicPartition::new(topic, key.i32()?)))
            }
            GROUP_KEY_VERSION => Ok(Self::Use(key.string()?)),
            _ => Ok(Self::Other),
        }
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
        value.put_i16(OFFSET_VALUE_VERSION);
        value.put_i64(offset.offset);
        value.put_i32(offset.leader_epoch);
        value.put_string(&offset.metadata);
        value.put_i64(now_ms);
        batch.push(now_ms, Some(&offset_key(&offset.group, &offset.partition)), Some(&value));
    }
    batch.finish()
}

/// The batch that forgets these offsets.
pub(crate) fn tombstones_batch(readers: &[(String, TopicPartition)], now_ms: i64) -> Result<Vec<u8>> {
    let mut batch = BatchBuilder::new();
    for (group, partition) in readers {
        batch.push(now_ms, Some(&offset_key(group, partition)), None);
    }
    batch.finish()
}

/// The batch that says that these groups are in use, or that nothing is known of them any more.
pub(crate) fn uses_batch<'a>(
    groups: impl IntoIterator<Item = &'a str>,
    used_ms: Option<i64>,
    now_ms: i64,
) -> Result<Vec<u8>> {
    let value = used_ms.map(use_value);
    let mut batch = BatchBuilder::new();
    for group in groups {
        let mut key = Vec::new();
        key.put_i16(GROUP_KEY_VERSION);
        key.put_string(group);
        batch.push(now_ms, Some(&key), value.as_deref());
    }
    batch.finish()
}

/// To Kafka it is a group that is empty since then.
fn use_value(used_ms: i64) -> Vec<u8> {
    let mut value = Vec::new();
    value.put_i16(GROUP_VALUE_VERSION);
    value.put_string("consumer");
    value.put_i32(NO_GENERATION);
    // No protocol and no leader.
    value.put_i16(-1);
    value.put_i16(-1);
    value.put_i64(used_ms);
    // No members.
    value.put_i32(0);
    value
}

fn offset_key(group: &str, partition: &TopicPartition) -> Vec<u8> {
    let mut key = Vec::new();
    key.put_i16(OFFSET_KEY_VERSION);
    key.put_string(group);
    key.put_string(&partition.topic);
    key.put_i32(partition.partition);
    key
}

/// An offset, and when it was committed.
pub(super) fn decode_offset(group: String, partition: TopicPartition, value: &[u8]) -> Result<(GroupOffset, i64)> {
    let mut value = Decoder::new(value);
    let version = value.i16()?;
    let mut offset = GroupOffset::new(group, partition, value.i64()?);
    // Before, the value had no epoch.
    if version >= OFFSET_VALUE_VERSION {
        offset.leader_epoch = value.i32()?;
    }
    offset.metadata = value.string()?;
    Ok((offset, value.i64()?))
}

/// When a group was last in use; `None` if the value does not say it.
pub(super) fn decode_use(value: &[u8]) -> Result<Option<i64>> {
    let mut value = Decoder::new(value);
    if !(GROUP_TIME_SINCE..=GROUP_VALUE_VERSION).contains(&value.i16()?) {
        return Ok(None);
    }
    let (_protocol_type, _generation) = (value.string()?, value.i32()?);
    let (_protocol, _leader) = (value.nullable_string()?, value.nullable_string()?);
    Ok(Some(value.i64()?))
}

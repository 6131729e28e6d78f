//! The offsets of a group that a request wants to be kept, at once or with a transaction.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use kafka_protocol::messages::txn_offset_commit_request::TxnOffsetCommitRequestPartition;
use kafka_protocol::protocol::StrBytes;
use millstream_log::{GroupOffset, Log, TopicPartition};

use crate::call::Call;
use crate::code::{NONE, code_of};
use crate::group::Identity;

/// `offset.metadata.max.bytes`.
pub(super) const METADATA_BYTES_MAX: usize = 4096;
/// What is committed at once. In Kafka it is one record batch, which must fit `max.message.bytes`.
const COMMIT_BYTES_MAX: usize = 8 << 20;
/// What an offset counts there beside its texts.
const OFFSET_BYTES: usize = 64;

/// An offset as a request has it.
pub(super) struct Wanted {
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) leader_epoch: i32,
    pub(super) metadata: Option<StrBytes>,
}

impl Wanted {
    fn is_too_large(&self) -> bool {
        self.metadata.as_ref().is_some_and(|metadata| metadata.len() > METADATA_BYTES_MAX)
    }
}

/// The partitions of both requests have the same fields, but are of two types.
macro_rules! wanted_by {
    ($($asked:ty),+) => {$(
        impl From<$asked> for Wanted {
            fn from(asked: $asked) -> Self {
                Self {
                    partition: asked.partition_index,
                    offset: asked.committed_offset,
                    leader_epoch: asked.committed_leader_epoch,
                    metadata: asked.committed_metadata,
                }
            }
        }
    )+};
}
wanted_by!(OffsetCommitRequestPartition, TxnOffsetCommitRequestPartition);

/// What a request wants to be kept, by topic.
pub(super) type Topics = Vec<(TopicName, Vec<Wanted>)>;

pub(super) fn wanted<P: Into<Wanted>>(topics: impl Iterator<Item = (TopicName, Vec<P>)>) -> Topics {
    topics.map(|(name, partitions)| (name, partitions.into_iter().map(Into::into).collect())).collect()
}

/// The offsets that can be kept, and what is said of each partition.
pub(super) struct Checked {
    pub(super) offsets: Vec<GroupOffset>,
    pub(super) codes: Vec<(TopicName, Vec<(i32, i16)>)>,
}

impl Checked {
    /// Those that could be kept are not, for this reason.
    pub(super) fn fail(&mut self, code: i16) {
        let codes = self.codes.iter_mut().flat_map(|(_, codes)| codes);
        codes.filter(|(_, known)| *known == NONE).for_each(|(_, known)| *known = code);
    }
}

/// Whether these offsets of the group may be committed in the name of this member.
pub(super) fn check_member(
    call: &Call,
    group: &StrBytes,
    identity: &Identity,
    topics: &[(TopicName, Vec<Wanted>)],
) -> Result<(), ResponseError> {
    let log = &call.broker.log;
    let now_ms = log.now_ms();
    // What is refused for what it is does not count.
    let of_topic = |(name, partitions): &(TopicName, Vec<Wanted>)| {
        let name: Arc<str> = name.as_str().into();
        let partitions = partitions.iter().filter(|wanted| !wanted.is_too_large());
        let partitions = partitions.map(|wanted| TopicPartition::new(Arc::clone(&name), wanted.partition));
        partitions.filter(|partition| log.offsets(partition).is_ok()).collect::<Vec<_>>()
    };
    let partitions = topics.iter().flat_map(of_topic);
    let checked = call.broker.groups.change(|groups, _| groups.check_commit(group, identity, partitions, now_ms));
    checked.map_err(|error| match error {
        // A group that has offsets is there, only nobody is in it.
        ResponseError::GroupIdNotFound if log.has_group(group) => ResponseError::UnknownMemberId,
        error => error,
    })
}

/// Checks the offsets of a group, in whose name they may be kept or not.
pub(super) fn check(call: &Call, group: &str, allowed: Result<(), ResponseError>, topics: Topics) -> Checked {
    let allowed = allowed.and_then(|()| check_size(group, &topics));
    let mut offsets = Vec::new();
    let of_topic = |(topic, partitions): (TopicName, Vec<Wanted>)| {
        let name: Arc<str> = topic.as_str().into();
        let code = |wanted: Wanted| {
            let partition = TopicPartition::new(Arc::clone(&name), wanted.partition);
            let metadata = wanted.metadata.as_deref().unwrap_or_default();
            let code = match (call.broker.log.offsets(&partition), allowed) {
                (Err(error), _) => code_of(&error),
                (_, Err(error)) => error.code(),
                _ if wanted.is_too_large() => ResponseError::OffsetMetadataTooLarge.code(),
                _ => {
                    let (leader_epoch, metadata) = (wanted.leader_epoch, metadata.to_owned());
                    let offset = GroupOffset::new(group, partition, wanted.offset);
                    offsets.push(GroupOffset { leader_epoch, metadata, ..offset });
                    NONE
                }
            };
            (wanted.partition, code)
        };
        let codes = partitions.into_iter().map(code).collect();
        (topic, codes)
    };
    let codes = topics.into_iter().map(of_topic).collect();
    Checked { offsets, codes }
}

/// Whether they are not too much at once: each is kept with the group's name.
fn check_size(group: &str, topics: &[(TopicName, Vec<Wanted>)]) -> Result<(), ResponseError> {
    let bytes = |(name, partitions): &(TopicName, Vec<Wanted>)| {
        let metadata = partitions.iter().filter_map(|wanted| wanted.metadata.as_ref()).map(|text| text.len());
        partitions.len() * (group.len() + name.len() + OFFSET_BYTES) + metadata.sum::<usize>()
    };
    let bytes = topics.iter().map(bytes).fold(0, usize::saturating_add);
    if bytes > COMMIT_BYTES_MAX { Err(ResponseError::InvalidCommitOffsetSize) } else { Ok(()) }
}

/// Whether there is memory for these offsets. Those that are there can move in any case.
pub(super) fn check_room(call: &Call, offsets: &[GroupOffset]) -> Result<(), ResponseError> {
    let (log, max) = (&call.broker.log, call.broker.options.offsets_bytes_max);
    let growth = log.group_offsets_growth(offsets);
    if growth == 0 || log.group_offsets_bytes().saturating_add(growth) <= max {
        Ok(())
    } else {
        Err(ResponseError::InvalidCommitOffsetSize)
    }
}

/// Whether there is memory also to hold them back until their transaction ends.
pub(super) fn check_room_until_end(call: &Call, offsets: &[GroupOffset]) -> Result<(), ResponseError> {
    check_room(call, offsets)?;
    if call.broker.log.pending_offsets_bytes(offsets) <= call.broker.options.pending_offsets_bytes_max {
        Ok(())
    } else {
        Err(ResponseError::InvalidCommitOffsetSize)
    }
}

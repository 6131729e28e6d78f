//! `OffsetCommit`: how far a group has come, kept with the engine's own positions.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use millstream_log::{GroupOffset, Log, TopicPartition, WriteBatch};

use crate::broker::settled;
use crate::call::Call;
use crate::code::{NONE, code_of};
use crate::group::Identity;

/// `offset.metadata.max.bytes`.
const METADATA_BYTES_MAX: usize = 4096;

/// What is committed at once. In Kafka it is one record batch, which must fit `max.message.bytes`.
const COMMIT_BYTES_MAX: usize = 8 << 20;

/// Whether the offsets of a group in so many partitions, with so long names and metadata, are not too much: each is
/// kept with the group's name.
pub(super) fn check_size(
    group: &str,
    offsets: impl Iterator<Item = (usize, usize, usize)>,
) -> Result<(), ResponseError> {
    let bytes = offsets.map(|(partitions, name, metadata)| partitions * (group.len() + name + 64) + metadata);
    let bytes = bytes.fold(0, usize::saturating_add);
    if bytes > COMMIT_BYTES_MAX { Err(ResponseError::InvalidCommitOffsetSize) } else { Ok(()) }
}

/// Whether there is memory for these offsets. Those that are there can move in any case.
pub(super) fn check_room(call: &Call, offsets: &[GroupOffset], growth: usize) -> Result<(), ResponseError> {
    let has_room =
        || call.broker.log.group_offsets_bytes().saturating_add(growth) <= call.broker.options.offsets_bytes_max;
    if offsets.is_empty() || growth == 0 || has_room() { Ok(()) } else { Err(ResponseError::InvalidCommitOffsetSize) }
}

/// From then on members of consumer groups commit by their epoch (KIP-848).
const MEMBER_EPOCH_SINCE: i16 = 9;

/// The code of an offset that is to be kept by a member that is allowed to or not: [`NONE`] if it can be.
pub(super) fn check_offset(log: &dyn Log, allowed: Result<(), ResponseError>, offset: &GroupOffset) -> i16 {
    match (log.offsets(&offset.partition), allowed) {
        (Err(error), _) => code_of(&error),
        (_, Err(error)) => error.code(),
        _ if offset.metadata.len() > METADATA_BYTES_MAX => ResponseError::OffsetMetadataTooLarge.code(),
        _ => NONE,
    }
}

pub(super) async fn answer(call: Call, request: OffsetCommitRequest) -> OffsetCommitResponse {
    let log = &call.broker.log;
    let identity = Identity {
        member_id: request.member_id,
        instance: request.group_instance_id,
        generation: request.generation_id_or_member_epoch,
    };
    let group = request.group_id.0;
    let now_ms = log.now_ms();
    let allowed = if group.len() > i16::MAX as usize {
        Err(ResponseError::InvalidGroupId)
    } else {
        let checked = call.broker.groups.change(|groups, _| groups.check_commit(&group, &identity, now_ms));
        checked.map_err(|error| match error {
            // A client of that version does not know that members have epochs.
            ResponseError::StaleMemberEpoch if call.version < MEMBER_EPOCH_SINCE => ResponseError::UnsupportedVersion,
            error => error,
        })
    };
    let sizes = request.topics.iter().map(|topic| {
        let metadata = topic.partitions.iter().filter_map(|asked| asked.committed_metadata.as_ref());
        (topic.partitions.len(), topic.name.len(), metadata.map(|text| text.len()).sum())
    });
    let allowed = allowed.and_then(|()| check_size(&group, sizes));
    let mut offsets = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let name: Arc<str> = topic.name.as_str().into();
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in topic.partitions {
            let partition = TopicPartition::new(Arc::clone(&name), asked.partition_index);
            let metadata = asked.committed_metadata.map(|metadata| metadata.to_string()).unwrap_or_default();
            let offset = GroupOffset::new(&*group, partition, asked.committed_offset);
            let offset = GroupOffset { leader_epoch: asked.committed_leader_epoch, metadata, ..offset };
            let error_code = check_offset(&**log, allowed, &offset);
            if error_code == NONE {
                offsets.push(offset);
            }
            let part = OffsetCommitResponsePartition::default().with_partition_index(asked.partition_index);
            partitions.push(part.with_error_code(error_code));
        }
        topics.push(OffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions));
    }
    let written = match check_room(&call, &offsets, log.group_offsets_growth(&offsets)) {
        Err(error) => Err(error.code()),
        Ok(()) => match log.write(WriteBatch { batches: Vec::new(), offsets }) {
            Ok(ticket) => settled(ticket).await.map_err(|error| code_of(&error)),
            Err(error) => Err(code_of(&error)),
        },
    };
    if let Err(code) = written {
        let parts = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
        parts.filter(|part| part.error_code == NONE).for_each(|part| part.error_code = code);
    }
    OffsetCommitResponse::default().with_topics(topics)
}

//! `OffsetCommit`: how far a group has come, kept with the engine's own positions.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use millstream_log::{GroupOffset, Log, WriteBatch};

use super::group_offsets::{check, check_member, check_room, wanted};
use crate::broker::settled;
use crate::call::Call;
use crate::code::code_of;
use crate::group::Identity;
use crate::group::consumer::ConsumerGroup;

/// From then on members of consumer groups commit by their epoch (KIP-848).
const MEMBER_EPOCH_SINCE: i16 = 9;

pub(super) async fn answer(call: Call, request: OffsetCommitRequest) -> OffsetCommitResponse {
    let identity = Identity {
        member_id: request.member_id,
        instance: request.group_instance_id,
        generation: request.generation_id_or_member_epoch,
    };
    let group = request.group_id.0;
    let topics = wanted(request.topics.into_iter().map(|topic| (topic.name, topic.partitions)));
    let has_epoch =
        |group: &ConsumerGroup| group.members.get(&identity.member_id).is_some_and(|member| !member.is_classic());
    let is_newer = || call.broker.groups.look(|groups| groups.consumer_group(&group).is_some_and(has_epoch));
    let allowed = if call.version < MEMBER_EPOCH_SINCE && is_newer() {
        // A client of that version does not know that members have epochs.
        Err(ResponseError::UnsupportedVersion)
    } else {
        check_member(&call, &group, &identity, &topics).map_err(|error| match error {
            ResponseError::GroupIdNotFound if call.version < MEMBER_EPOCH_SINCE => ResponseError::IllegalGeneration,
            error => error,
        })
    };
    let mut checked = check(&call, &group, allowed, topics);
    if let Err(code) = write(&call, std::mem::take(&mut checked.offsets)).await {
        checked.fail(code);
    }
    let answered =
        |(index, code)| OffsetCommitResponsePartition::default().with_partition_index(index).with_error_code(code);
    let topics = checked.codes.into_iter().map(|(name, codes)| {
        let partitions = codes.into_iter().map(answered).collect();
        OffsetCommitResponseTopic::default().with_name(name).with_partitions(partitions)
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}

/// Keeps the offsets; a code if they cannot be.
async fn write(call: &Call, offsets: Vec<GroupOffset>) -> Result<(), i16> {
    check_room(call, &offsets).map_err(|error| error.code())?;
    match call.broker.log.write(WriteBatch { batches: Vec::new(), offsets }) {
        Ok(ticket) => settled(ticket).await.map_err(|error| code_of(&error)),
        Err(error) => Err(code_of(&error)),
    }
}

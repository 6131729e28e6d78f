//! `TxnOffsetCommit`: positions of a group that count once the transaction is committed.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use millstream_log::{Error, GroupOffset, Producer, TransactionVersion};

use super::group_offsets;
use super::transactions::check;
use crate::broker::settled;
use crate::call::Call;
use crate::code::code_of;
use crate::group::Identity;

/// Before, a producer did not say for which member of the group it writes (KIP-447).
const MEMBER_SINCE: i16 = 3;
const ABORTABLE_SINCE: i16 = 4;
/// From then on offsets need no `AddOffsetsToTxn` before (KIP-890).
const ADDS_OFFSETS_SINCE: i16 = 5;

pub(super) async fn answer(call: Call, request: TxnOffsetCommitRequest) -> TxnOffsetCommitResponse {
    let producer = Producer { id: request.producer_id.0, epoch: request.producer_epoch };
    let group = request.group_id.0;
    let identity = Identity {
        member_id: request.member_id,
        instance: request.group_instance_id,
        generation: request.generation_id,
    };
    let names_member = call.version >= MEMBER_SINCE && (identity.generation >= 0 || !identity.member_id.is_empty());
    let allowed = check(&call, &request.transactional_id, producer).map_err(|error| match error {
        // Here the epoch of a fenced producer is called invalid in every version.
        ResponseError::ProducerFenced => ResponseError::InvalidProducerEpoch,
        error => error,
    });
    let topics = group_offsets::wanted(request.topics.into_iter().map(|topic| (topic.name, topic.partitions)));
    let allowed = allowed.and_then(|()| {
        if !names_member {
            return Ok(());
        }
        group_offsets::check_member(&call, &group, &identity, &topics).map_err(|error| match error {
            // Producers know of generations only.
            ResponseError::StaleMemberEpoch | ResponseError::GroupIdNotFound => ResponseError::IllegalGeneration,
            error => error,
        })
    });
    let mut checked = group_offsets::check(&call, &group, allowed, topics);
    if let Err(code) = add(&call, producer, &checked.offsets).await {
        checked.fail(code);
    }
    let answered =
        |(index, code)| TxnOffsetCommitResponsePartition::default().with_partition_index(index).with_error_code(code);
    let topics = checked.codes.into_iter().map(|(name, codes)| {
        let partitions = codes.into_iter().map(answered).collect();
        TxnOffsetCommitResponseTopic::default().with_name(name).with_partitions(partitions)
    });
    TxnOffsetCommitResponse::default().with_topics(topics.collect())
}

/// Adds the offsets to the transaction; a code if they cannot be.
async fn add(call: &Call, producer: Producer, offsets: &[GroupOffset]) -> Result<(), i16> {
    if offsets.is_empty() {
        return Ok(());
    }
    let log = &call.broker.log;
    group_offsets::check_room_until_end(call, offsets).map_err(|error| error.code())?;
    let version = if call.version >= ADDS_OFFSETS_SINCE { TransactionVersion::Two } else { TransactionVersion::One };
    let added = match log.add_offsets(producer, offsets, version) {
        Ok(ticket) => settled(ticket).await,
        Err(error) => Err(error),
    };
    added.map_err(|error| match error {
        Error::NotInTransaction { .. } if call.version >= ABORTABLE_SINCE => ResponseError::TransactionAbortable.code(),
        error => code_of(&error),
    })
}

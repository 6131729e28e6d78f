//! `TxnOffsetCommit`: positions of a group that count once the transaction is committed.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use millstream_log::{Error, GroupOffset, Log, Producer, TopicPartition, TransactionVersion};

use super::offset_commit::{check_offset, check_room, check_size};
use super::transactions::check;
use crate::broker::settled;
use crate::call::Call;
use crate::code::{NONE, code_of};
use crate::group::Identity;

/// Before, a producer did not say for which member of the group it writes (KIP-447).
const MEMBER_SINCE: i16 = 3;
const ABORTABLE_SINCE: i16 = 4;
/// From then on offsets need no `AddOffsetsToTxn` before (KIP-890).
const ADDS_OFFSETS_SINCE: i16 = 5;

pub(super) async fn answer(call: Call, request: TxnOffsetCommitRequest) -> TxnOffsetCommitResponse {
    let log = &call.broker.log;
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
    let allowed = allowed.and_then(|()| {
        let now_ms = log.now_ms();
        if names_member {
            let checked = call.broker.groups.change(|groups, _| groups.check_commit(&group, &identity, now_ms));
            checked.map_err(|error| match error {
                // Producers know of generations only.
                ResponseError::StaleMemberEpoch => ResponseError::IllegalGeneration,
                error => error,
            })
        } else {
            Ok(())
        }
    });
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
            let part = TxnOffsetCommitResponsePartition::default().with_partition_index(asked.partition_index);
            partitions.push(part.with_error_code(error_code));
        }
        topics.push(TxnOffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions));
    }
    if let Err(code) = add(&call, producer, &offsets).await {
        let parts = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
        parts.filter(|part| part.error_code == NONE).for_each(|part| part.error_code = code);
    }
    TxnOffsetCommitResponse::default().with_topics(topics)
}

/// Adds the offsets to the transaction; a code if they cannot be.
async fn add(call: &Call, producer: Producer, offsets: &[GroupOffset]) -> Result<(), i16> {
    if offsets.is_empty() {
        return Ok(());
    }
    let log = &call.broker.log;
    // Until the transaction ends they are kept beside those that they are to replace.
    let bytes = offsets.iter().map(|offset| offset.group.len() + offset.metadata.len()).sum::<usize>();
    check_room(call, offsets, bytes + log.group_offsets_growth(offsets)).map_err(|error| error.code())?;
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

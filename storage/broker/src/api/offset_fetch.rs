//! `OffsetFetch`: how far a group has come.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse, TopicName};
use millstream_log::{GroupOffset, TopicPartition};

use super::distinct::distinct;
use crate::call::Call;
use crate::code::NONE;
use crate::text::text;

const GROUPS_SINCE: i16 = 8;
const LEADER_EPOCH_SINCE: i16 = 5;

/// Topics and their partitions.
type Asked = Vec<(TopicName, Vec<i32>)>;

pub(super) fn answer(call: &Call, request: OffsetFetchRequest) -> OffsetFetchResponse {
    if call.version >= GROUPS_SINCE {
        let groups = distinct(request.groups, |group| group.group_id.0.clone()).map(|group| {
            if let Err(error) = check_member(call, &group) {
                let failed = OffsetFetchResponseGroup::default().with_error_code(error.code());
                return failed.with_group_id(group.group_id);
            }
            let asked = group
                .topics
                .map(|topics| topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect::<Asked>());
            let topics = positions(call, &group.group_id, asked).into_iter().map(|(name, offsets)| {
                let batched = |offset| batched(call, request.require_stable, offset);
                OffsetFetchResponseTopics::default()
                    .with_name(name)
                    .with_partitions(offsets.into_iter().map(batched).collect())
            });
            let topics = topics.collect();
            OffsetFetchResponseGroup::default().with_group_id(group.group_id).with_topics(topics)
        });
        return OffsetFetchResponse::default().with_groups(groups.collect());
    }
    let asked = request
        .topics
        .map(|topics| topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect::<Asked>());
    let topics = positions(call, &request.group_id, asked).into_iter().map(|(name, offsets)| {
        OffsetFetchResponseTopic::default()
            .with_name(name)
            .with_partitions(offsets.into_iter().map(|offset| single(call, request.require_stable, offset)).collect())
    });
    OffsetFetchResponse::default().with_topics(topics.collect())
}

/// Whether a member, if it says who it is, is one of its consumer group and knows its epoch (KIP-848).
fn check_member(call: &Call, group: &OffsetFetchRequestGroup) -> Result<(), ResponseError> {
    if group.member_id.is_none() && group.member_epoch < 0 {
        return Ok(());
    }
    let member_id = group.member_id.clone().unwrap_or_default();
    call.broker.groups.look(|groups| groups.check_fetch(&group.group_id.0, &member_id, group.member_epoch))
}

/// The positions asked for, or all there are; -1 stands for none.
fn positions(call: &Call, group: &str, asked: Option<Asked>) -> Vec<(TopicName, Vec<GroupOffset>)> {
    let committed = call.broker.log.group_offsets(group);
    let Some(asked) = asked else {
        let mut topics: BTreeMap<Arc<str>, Vec<GroupOffset>> = BTreeMap::new();
        for offset in committed {
            topics.entry(Arc::clone(&offset.partition.topic)).or_default().push(offset);
        }
        return topics.into_iter().map(|(name, offsets)| (TopicName(text(&*name)), offsets)).collect();
    };
    let mut committed: HashMap<TopicPartition, GroupOffset> =
        committed.into_iter().map(|offset| (offset.partition.clone(), offset)).collect();
    let of_topic = |(topic, partitions): (TopicName, Vec<i32>)| {
        let name: Arc<str> = topic.as_str().into();
        let position = |partition| {
            let partition = TopicPartition::new(Arc::clone(&name), partition);
            committed.remove(&partition).unwrap_or_else(|| GroupOffset::new(group, partition, -1))
        };
        (topic, partitions.into_iter().map(position).collect())
    };
    asked.into_iter().map(of_topic).collect()
}

/// The offset as it may be told: one that an open transaction is about to move is not to be relied on (KIP-447).
fn told(call: &Call, require_stable: bool, offset: GroupOffset) -> (GroupOffset, i16) {
    if require_stable && call.broker.log.is_group_offset_pending(&offset.group, &offset.partition) {
        let code = ResponseError::UnstableOffsetCommit.code();
        return (GroupOffset::new(offset.group, offset.partition, -1), code);
    }
    (offset, NONE)
}

fn batched(call: &Call, require_stable: bool, offset: GroupOffset) -> OffsetFetchResponsePartitions {
    let (offset, error_code) = told(call, require_stable, offset);
    OffsetFetchResponsePartitions::default()
        .with_partition_index(offset.partition.partition)
        .with_committed_offset(offset.offset)
        .with_committed_leader_epoch(offset.leader_epoch)
        .with_metadata(Some(text(offset.metadata)))
        .with_error_code(error_code)
}

fn single(call: &Call, require_stable: bool, offset: GroupOffset) -> OffsetFetchResponsePartition {
    let (offset, error_code) = told(call, require_stable, offset);
    let response = OffsetFetchResponsePartition::default()
        .with_partition_index(offset.partition.partition)
        .with_committed_offset(offset.offset)
        .with_metadata(Some(text(offset.metadata)))
        .with_error_code(error_code);
    if call.version >= LEADER_EPOCH_SINCE {
        response.with_committed_leader_epoch(offset.leader_epoch)
    } else {
        response
    }
}

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
use millstream_log::{CommittedOffset, TopicPartition};

use super::distinct::distinct;
use crate::call::Call;
use crate::code::NONE;
use crate::text::text;

const GROUPS_SINCE: i16 = 8;
const LEADER_EPOCH_SINCE: i16 = 5;

/// Topics and their partitions.
type Asked = Vec<(TopicName, Vec<i32>)>;

pub(super) fn answer(call: &Call, request: OffsetFetchRequest) -> OffsetFetchResponse {
    let must_be_stable = request.require_stable;
    if call.version >= GROUPS_SINCE {
        let groups = distinct(request.groups, |group| group.group_id.0.clone()).map(|group| {
            if let Err(error) = check_member(call, &group) {
                let failed = OffsetFetchResponseGroup::default().with_error_code(error.code());
                return failed.with_group_id(group.group_id);
            }
            let asked = group
                .topics
                .map(|topics| topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect::<Asked>());
            let positions = positions(call, &group.group_id, asked, must_be_stable, batched);
            let topics = positions.into_iter().map(|(name, partitions)| {
                OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions)
            });
            let topics = topics.collect();
            OffsetFetchResponseGroup::default().with_group_id(group.group_id).with_topics(topics)
        });
        return OffsetFetchResponse::default().with_groups(groups.collect());
    }
    let asked = request
        .topics
        .map(|topics| topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect::<Asked>());
    let single = |position| single(call, position);
    let topics = positions(call, &request.group_id, asked, must_be_stable, single)
        .into_iter()
        .map(|(name, partitions)| OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions));
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

/// A position as it is told: -1 stands for none.
struct Position {
    partition: i32,
    offset: i64,
    leader_epoch: i32,
    metadata: String,
    error_code: i16,
}

impl Position {
    fn none(partition: i32, error_code: i16) -> Self {
        Self { partition, offset: -1, leader_epoch: -1, metadata: String::new(), error_code }
    }

    /// One that an open transaction is about to move is not to be relied on (KIP-447).
    fn unstable(partition: i32) -> Self {
        Self::none(partition, ResponseError::UnstableOffsetCommit.code())
    }
}

impl From<CommittedOffset> for Position {
    fn from(committed: CommittedOffset) -> Self {
        let CommittedOffset { partition, offset, leader_epoch, metadata } = committed;
        Self { partition: partition.partition, offset, leader_epoch, metadata, error_code: NONE }
    }
}

/// The positions asked for, or all there are, each made into what the answer has of it.
fn positions<P>(
    call: &Call,
    group: &str,
    asked: Option<Asked>,
    must_be_stable: bool,
    answered: impl Fn(Position) -> P,
) -> Vec<(TopicName, Vec<P>)> {
    let log = &call.broker.log;
    let is_unstable = |partition: &TopicPartition| must_be_stable && log.is_group_offset_pending(group, partition);
    let committed = log.group_offsets(group);
    let Some(asked) = asked else {
        let mut topics: BTreeMap<Arc<str>, Vec<P>> = BTreeMap::new();
        for committed in committed {
            let topic = Arc::clone(&committed.partition.topic);
            let index = committed.partition.partition;
            let is_unstable = is_unstable(&committed.partition);
            let position = if is_unstable { Position::unstable(index) } else { committed.into() };
            topics.entry(topic).or_default().push(answered(position));
        }
        return topics.into_iter().map(|(name, positions)| (TopicName(text(&*name)), positions)).collect();
    };
    let mut committed: HashMap<TopicPartition, CommittedOffset> =
        committed.into_iter().map(|offset| (offset.partition.clone(), offset)).collect();
    let of_topic = |(topic, partitions): (TopicName, Vec<i32>)| {
        let name: Arc<str> = topic.as_str().into();
        let position = |index| {
            let partition = TopicPartition::new(Arc::clone(&name), index);
            answered(match committed.remove(&partition) {
                _ if is_unstable(&partition) => Position::unstable(index),
                Some(committed) => committed.into(),
                None => Position::none(index, NONE),
            })
        };
        (topic, partitions.into_iter().map(position).collect())
    };
    asked.into_iter().map(of_topic).collect()
}

fn batched(position: Position) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions::default()
        .with_partition_index(position.partition)
        .with_committed_offset(position.offset)
        .with_committed_leader_epoch(position.leader_epoch)
        .with_metadata(Some(text(position.metadata)))
        .with_error_code(position.error_code)
}

fn single(call: &Call, position: Position) -> OffsetFetchResponsePartition {
    let response = OffsetFetchResponsePartition::default()
        .with_partition_index(position.partition)
        .with_committed_offset(position.offset)
        .with_metadata(Some(text(position.metadata)))
        .with_error_code(position.error_code);
    if call.version >= LEADER_EPOCH_SINCE {
        response.with_committed_leader_epoch(position.leader_epoch)
    } else {
        response
    }
}

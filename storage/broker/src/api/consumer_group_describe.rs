//! `ConsumerGroupDescribe`: who is in a consumer group, what each owns, and what each is to own (KIP-848).

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::consumer_group_describe_response::{Assignment, DescribedGroup, Member, TopicPartitions};
use kafka_protocol::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, GroupId, TopicName};
use kafka_protocol::protocol::StrBytes;
use millstream_log::{EmbeddedLog, Log};

use super::authorized::{ON_GROUP, if_asked};
use super::distinct::distinct;
use crate::call::Call;
use crate::code::NONE;
use crate::group::consumer::{ConsumerGroup, ConsumerMember, Partitions, partitions_by_topic};
use crate::text::text;
use crate::topic_id::topic_id;

const MEMBER_TYPE_SINCE: i16 = 1;
/// A member by the classic protocol.
const CLASSIC_MEMBER: i8 = 0;
/// A member by this protocol.
const CONSUMER_MEMBER: i8 = 1;

pub(super) fn answer(call: &Call, request: ConsumerGroupDescribeRequest) -> ConsumerGroupDescribeResponse {
    let describe = |id: GroupId| {
        if id.is_empty() {
            return failed(ResponseError::InvalidGroupId, None).with_group_id(id);
        }
        let described = call.broker.groups.look(|groups| match groups.consumer_group(&id.0) {
            Some(group) => described(&call.broker.log, call.version, group),
            None => {
                let is_classic = groups.group(&id.0).is_some() || call.broker.log.has_group(&id);
                let reason = if is_classic { "is not a consumer group" } else { "not found" };
                failed(ResponseError::GroupIdNotFound, Some(text(format!("Group {} {reason}.", &**id))))
            }
        });
        let is_asked = request.include_authorized_operations && described.error_code == NONE;
        described.with_group_id(id).with_authorized_operations(if_asked(ON_GROUP, is_asked))
    };
    let groups = distinct(request.group_ids, |id| id.0.clone()).map(describe);
    ConsumerGroupDescribeResponse::default().with_groups(groups.collect())
}

fn failed(error: ResponseError, message: Option<StrBytes>) -> DescribedGroup {
    DescribedGroup::default().with_error_code(error.code()).with_error_message(message)
}

fn described(log: &EmbeddedLog, version: i16, group: &ConsumerGroup) -> DescribedGroup {
    DescribedGroup::default()
        .with_group_state(text(group.state_name()))
        .with_group_epoch(group.epoch)
        .with_assignment_epoch(group.assignment_epoch)
        .with_assignor_name(text(group.assignor.name()))
        .with_members(group.members.iter().map(|(id, member)| described_member(log, version, id, member)).collect())
}

fn described_member(log: &EmbeddedLog, version: i16, id: &StrBytes, member: &ConsumerMember) -> Member {
    let names = member.subscription.names.iter().map(|name| TopicName(text(&**name)));
    let described = Member::default()
        .with_member_id(id.clone())
        .with_instance_id(member.instance.clone())
        .with_rack_id(member.rack.clone())
        .with_member_epoch(member.epoch)
        .with_client_id(member.client_id.clone())
        .with_client_host(member.client_host.clone())
        .with_subscribed_topic_names(names.collect())
        .with_subscribed_topic_regex(Some(member.subscription.expression.clone()))
        .with_assignment(assignment(log, &member.assigned))
        .with_target_assignment(assignment(log, &member.target));
    let member_type = if member.is_classic() { CLASSIC_MEMBER } else { CONSUMER_MEMBER };
    if version >= MEMBER_TYPE_SINCE { described.with_member_type(member_type) } else { described }
}

fn assignment(log: &EmbeddedLog, partitions: &Partitions) -> Assignment {
    // A topic that has gone is not told of, though its members may not have heard yet.
    let exists = |(topic, _): &(Arc<str>, Vec<i32>)| log.topic(topic).is_ok_and(|info| info.is_some());
    let topics = partitions_by_topic(partitions).into_iter().filter(exists).map(|(topic, partitions)| {
        TopicPartitions::default()
            .with_topic_id(topic_id(log, &topic))
            .with_topic_name(TopicName(text(&*topic)))
            .with_partitions(partitions)
    });
    Assignment::default().with_topic_partitions(topics.collect())
}

//! Consumer groups of KIP-848: two members that join, report what they own, commit, lose count, and go.

use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::{
    ApiKey, ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, OffsetCommitRequest, OffsetFetchRequest,
    RequestKind, ResponseKind,
};

use super::{any_group, group_id, text, topic_name};
use crate::side::Side;
use crate::world::World;

/// A group and the number of one of its members.
fn any_member(world: &mut World) -> (String, u64) {
    if world.chance(50) {
        return (any_moving_group(world), 0);
    }
    let (group, number) = (world.below(2), world.below(2));
    (format!("{}n{group}", world.prefix), number)
}

/// A group that a member by the classic protocol may be in, beside one by the newer.
pub(super) fn any_moving_group(world: &mut World) -> String {
    let number = world.below(2);
    format!("{}m{number}", world.prefix)
}

/// Topics that are not deleted: who comes back under the same name is the same topic here, but not in Kafka. By their numbers
/// they have so many partitions.
const LASTING: [(u64, i32); 3] = [(0, 2), (1, 3), (3, 4)];

pub(crate) fn create_topics(world: &mut World) {
    for (number, partitions) in LASTING {
        let name = lasting_topic(world, number);
        super::topics::create_lasting(world, &name, partitions);
    }
}

pub(super) fn lasting_topic(world: &World, number: u64) -> String {
    format!("{}u{number}", world.prefix)
}

/// One that members of a group read: 0, 1, or 2, which does not exist. In groups with a classic member it has an even number of
/// partitions: to whom Kafka gives one more is up to the hashes of the members' ids, and that member's it makes up.
pub(super) fn topic_of(world: &World, group: &str, number: u64) -> String {
    let is_moving = group.starts_with(&format!("{}m", world.prefix));
    lasting_topic(world, if is_moving && number == 1 { 3 } else { number })
}

pub(crate) fn heartbeat(world: &mut World) {
    let version = world.version((0, 1));
    let (group, number) = any_member(world);
    let (name, id) = (format!("{group}-c{number}"), format!("member-{number}"));
    let is_there = !world.sides[0].member(&name).id.is_empty();
    let kind = world.below(20);
    let number_of_topic = world.below(3);
    let subscribed = topic_of(world, &group, number_of_topic);
    let build = |side: &Side| {
        let known = side.member(&name).generation;
        let request =
            ConsumerGroupHeartbeatRequest::default().with_group_id(group_id(&group)).with_member_id(text(id.as_str()));
        let join = || {
            request
                .clone()
                .with_member_epoch(0)
                .with_rebalance_timeout_ms(60_000)
                .with_subscribed_topic_names(Some(vec![topic_name(&subscribed)]))
                .with_topic_partitions(Some(Vec::new()))
        };
        let stay = || {
            request
                .clone()
                .with_member_epoch(known)
                .with_rebalance_timeout_ms(-1)
                .with_subscribed_topic_names(None)
                .with_topic_partitions(None)
        };
        RequestKind::ConsumerGroupHeartbeat(match kind {
            0 => join().with_rebalance_timeout_ms(-1),
            1 => join().with_topic_partitions(None),
            2 => join().with_server_assignor(Some(text("magic"))),
            3 => join().with_instance_id(Some(text(""))),
            4 => join().with_subscribed_topic_names(None),
            5 => stay().with_member_epoch(-7),
            6 => stay().with_member_epoch(known + 5),
            7 => stay().with_member_id(text("nobody")).with_member_epoch(3),
            8 => stay().with_member_epoch(-1),
            9 => stay().with_member_epoch(-2),
            10 => stay().with_group_id(group_id("")),
            11 if version >= 1 && !is_there => join().with_subscribed_topic_regex(Some(text("("))),
            12 if is_there => {
                let owned =
                    TopicPartitions::default().with_topic_id(side.topic_id(&subscribed)).with_partitions(vec![0]);
                stay().with_topic_partitions(Some(vec![owned]))
            }
            13 | 14 if is_there => stay().with_topic_partitions(Some(Vec::new())),
            15..=17 if is_there => stay(),
            _ if is_there => stay().with_subscribed_topic_names(Some(vec![topic_name(&subscribed)])),
            _ => join(),
        })
    };
    let responses = world.ask(ApiKey::ConsumerGroupHeartbeat, version, build);
    if [7, 10].contains(&kind) {
        // That was somebody else, or another group.
        return;
    }
    for (side, response) in world.sides.iter_mut().zip(responses) {
        let Some(ResponseKind::ConsumerGroupHeartbeat(beat)) = response else { continue };
        match beat.error_code {
            0 if beat.member_epoch < 0 => side.set_member(&name, &text(""), 0),
            0 => side.set_member(&name, &text(id.as_str()), beat.member_epoch),
            // Unknown. Who is fenced is still a member; Kafka 4.1 does not let it begin again at once, as later ones do.
            25 | 69 => side.set_member(&name, &text(""), 0),
            _ => {}
        }
    }
    if kind == 8 {
        super::migrations::catch_up(world, &group);
    }
}

/// A member commits an offset by its epoch, or by a later one. (By an earlier one it may here what it has owned since, as
/// in Kafka from 4.3 on.)
pub(crate) fn commit(world: &mut World) {
    let version = world.version((2, 9));
    let (group, number) = any_member(world);
    let (name, more) = (format!("{group}-c{number}"), world.pick(&[0, 0, 0, 1]));
    let (topic, partition) = (topic_of(world, &group, number), world.below(2) as i32);
    commit_of(world, version, &group, &name, more, (&topic, partition));
}

/// A member of this name commits an offset by an epoch, or generation, that is so many ahead.
pub(super) fn commit_of(
    world: &mut World,
    version: i16,
    group: &str,
    name: &str,
    more: i32,
    (topic, partition): (&str, i32),
) {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(partition)
        .with_committed_offset(world.below(50) as i64)
        .with_committed_metadata(Some(text("of a member")));
    let topics =
        vec![OffsetCommitRequestTopic::default().with_name(topic_name(topic)).with_partitions(vec![partition])];
    world.ask(ApiKey::OffsetCommit, version, |side| {
        let known = side.member(name);
        RequestKind::OffsetCommit(
            OffsetCommitRequest::default()
                .with_group_id(group_id(group))
                .with_member_id(known.id)
                .with_generation_id_or_member_epoch(known.generation + more)
                .with_topics(topics.clone()),
        )
    });
}

/// A member asks for what is committed by its epoch, or by another one.
pub(crate) fn fetch_offsets(world: &mut World) {
    let (group, number) = any_member(world);
    let (name, more) = (format!("{group}-c{number}"), world.pick(&[0, 0, 0, 1, -1]));
    world.ask(ApiKey::OffsetFetch, 9, |side| {
        let known = side.member(&name);
        let asked = OffsetFetchRequestGroup::default()
            .with_group_id(group_id(&group))
            .with_member_id(Some(known.id))
            .with_member_epoch(known.generation + more)
            .with_topics(None);
        RequestKind::OffsetFetch(OffsetFetchRequest::default().with_groups(vec![asked]))
    });
}

pub(crate) fn describe(world: &mut World) {
    let version = world.version((0, 1));
    let (consumers, classic) = (any_member(world).0, any_group(world));
    let group = world.pick(&[consumers.clone(), consumers, classic, "nobody's".to_owned(), String::new()]);
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group_id(&group)]);
    world.ask(ApiKey::ConsumerGroupDescribe, version, |_| RequestKind::ConsumerGroupDescribe(request.clone()));
}

//! Classic groups: two members, each on a connection of its own, because to join is to wait for the other.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ApiKey, DeleteGroupsRequest, DescribeGroupsRequest, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest,
    ListGroupsRequest, RequestKind, ResponseKind, SyncGroupRequest,
};

use super::{any_group, group_id, text};
use crate::side::Side;
use crate::tree::Node;
use crate::world::World;

fn member_name(group: &str, number: usize) -> String {
    format!("{group}-m{number}")
}

/// What a member says of itself, as clients write it (version 0 of `ConsumerProtocolSubscription`): Kafka reads it.
fn subscription(number: usize) -> Bytes {
    let mut out = vec![0, 0, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1];
    out.push(b'0' + number as u8);
    out.into()
}

fn join(side: &Side, group: &str, number: usize, version: i16, is_known: bool) -> RequestKind {
    let protocol =
        |name: &str| JoinGroupRequestProtocol::default().with_name(text(name)).with_metadata(subscription(number));
    let member_id = if is_known { side.member(&member_name(group, number)).id } else { text("") };
    let request = JoinGroupRequest::default()
        .with_group_id(group_id(group))
        .with_session_timeout_ms(30_000)
        .with_member_id(member_id)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol("range"), protocol("roundrobin")]);
    RequestKind::JoinGroup(if version >= 1 { request.with_rebalance_timeout_ms(3_000) } else { request })
}

/// New members get an id first, then all members join, and the leader hands out assignments.
pub(crate) fn rebalance(world: &mut World) {
    let group = any_group(world);
    let version = world.version((0, 9));
    if version >= 4 {
        for number in 0..2 {
            // Who has no id yet is told one, and does not count before it comes with it.
            if world.sides.iter().any(|side| side.member(&member_name(&group, number)).id.is_empty()) {
                let build = |side: &Side| join(side, &group, number, version, false);
                let learn = |side: &mut Side, response: &ResponseKind| learn_member(side, &group, number, response);
                world.ask_and_learn(ApiKey::JoinGroup, version, build, learn);
            }
        }
    }
    join_both(world, &group, version);
    let version = world.version((0, 5));
    both(world, ApiKey::SyncGroup, version, &|side, number| {
        let known = side.member(&member_name(&group, number));
        let of = |other: usize| {
            SyncGroupRequestAssignment::default()
                .with_member_id(side.member(&member_name(&group, other)).id)
                .with_assignment(format!("share of {other}").into())
        };
        let request = SyncGroupRequest::default()
            .with_group_id(group_id(&group))
            .with_member_id(known.id)
            .with_generation_id(known.generation)
            .with_assignments((0..2).map(of).collect());
        RequestKind::SyncGroup(if version >= 5 {
            request.with_protocol_type(Some(text("consumer"))).with_protocol_name(Some(text("range")))
        } else {
            request
        })
    });
}

/// Both join. Who is told of a generation without the other joins once more, for the other waits for it.
fn join_both(world: &mut World, group: &str, version: i16) {
    let key = ApiKey::JoinGroup;
    let mut answers = Vec::new();
    for side in &mut world.sides {
        for number in 0..2 {
            let request = join(side, group, number, version, true);
            side.connections[1 + number].send(key, version, &request);
            side.connections[1 + number].has_answer(ALONE);
        }
        let has_answer: Vec<bool> = (0..2).map(|number| side.connections[1 + number].has_answer(ALONE)).collect();
        if let Some(number) = (0..2).find(|number| has_answer[*number] && !has_answer[1 - number])
            && let Some(ResponseKind::JoinGroup(joined)) = side.connections[1 + number].receive(key, version)
        {
            side.set_member(&member_name(group, number), &joined.member_id, joined.generation_id);
            let request = join(side, group, number, version, true);
            side.connections[1 + number].send(key, version, &request);
        }
        answers.push([0, 1].map(|number| side.connections[1 + number].receive(key, version)));
    }
    for number in 0..2 {
        for (side, answers) in world.sides.iter_mut().zip(&answers) {
            answers[number].iter().for_each(|response| learn_member(side, group, number, response));
        }
    }
    for number in 0..2 {
        let responses = [answers[0][number].take(), answers[1][number].take()];
        world.compare(key, version, &format!("member {number} joins {group}"), &responses);
        // The script goes on alike on both sides.
        let name = member_name(group, number);
        if world.sides.iter().any(|side| side.member(&name).id.is_empty()) {
            world.sides.iter_mut().for_each(|side| side.set_member(&name, &text(""), -1));
        }
    }
}

/// So long who joins waits for others that do not come.
const ALONE: Duration = Duration::from_millis(60);

/// Sends the requests of both members before it reads the answers.
fn both(world: &mut World, key: ApiKey, version: i16, build: &dyn Fn(&Side, usize) -> RequestKind) {
    for side in &mut world.sides {
        for number in 0..2 {
            let request = build(side, number);
            side.connections[1 + number].send(key, version, &request);
        }
    }
    for number in 0..2 {
        let responses = world.sides.each_mut().map(|side| side.connections[1 + number].receive(key, version));
        let asked = Node::of(&build(&world.sides[0], number)).brief();
        world.compare(key, version, &asked, &responses);
    }
}

fn learn_member(side: &mut Side, group: &str, number: usize, response: &ResponseKind) {
    let ResponseKind::JoinGroup(joined) = response else { return };
    match joined.error_code {
        0 | 79 => side.set_member(&member_name(group, number), &joined.member_id, joined.generation_id),
        _ => side.set_member(&member_name(group, number), &text(""), -1),
    }
}

pub(crate) fn heartbeat(world: &mut World) {
    let version = world.version((0, 4));
    let group = any_group(world);
    let number = world.below(2) as usize;
    let more = world.pick(&[0, 0, 0, 1]);
    world.ask(ApiKey::Heartbeat, version, |side| {
        let known = side.member(&member_name(&group, number));
        RequestKind::Heartbeat(
            HeartbeatRequest::default()
                .with_group_id(group_id(&group))
                .with_member_id(known.id)
                .with_generation_id(known.generation + more),
        )
    });
}

pub(crate) fn leave(world: &mut World) {
    let version = world.version((0, 5));
    let group = any_group(world);
    let number = world.below(2) as usize;
    world.ask(ApiKey::LeaveGroup, version, |side| {
        let id = side.member(&member_name(&group, number)).id;
        let request = LeaveGroupRequest::default().with_group_id(group_id(&group));
        RequestKind::LeaveGroup(if version >= 3 {
            request.with_members(vec![MemberIdentity::default().with_member_id(id)])
        } else {
            request.with_member_id(id)
        })
    });
    world.sides.iter_mut().for_each(|side| side.set_member(&member_name(&group, number), &text(""), -1));
}

pub(crate) fn describe(world: &mut World) {
    let version = world.version((0, 6));
    let request = DescribeGroupsRequest::default().with_groups(vec![group_id(&any_group(world))]);
    let request = if version >= 3 { request.with_include_authorized_operations(world.chance(30)) } else { request };
    world.ask(ApiKey::DescribeGroups, version, |_| RequestKind::DescribeGroups(request.clone()));
}

pub(crate) fn list(world: &mut World) {
    let version = world.version((0, 5));
    let mut request = ListGroupsRequest::default();
    if version >= 4 && world.chance(30) {
        request = request.with_states_filter(vec![text(world.pick(&["Stable", "empty", "PreparingRebalance"]))]);
    }
    if version >= 5 && world.chance(30) {
        request = request.with_types_filter(vec![text(world.pick(&["classic", "Consumer"]))]);
    }
    world.ask(ApiKey::ListGroups, version, |_| RequestKind::ListGroups(request.clone()));
}

pub(crate) fn delete(world: &mut World) {
    let version = world.version((0, 2));
    let request = DeleteGroupsRequest::default().with_groups_names(vec![group_id(&any_group(world))]);
    world.ask(ApiKey::DeleteGroups, version, |_| RequestKind::DeleteGroups(request.clone()));
}

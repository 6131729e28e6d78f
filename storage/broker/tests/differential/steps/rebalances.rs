//! Rebalances of classic groups: two members, each on a connection of its own, because to join is to wait for the other.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ApiKey, DescribeGroupsRequest, JoinGroupRequest, RequestKind, ResponseKind, SyncGroupRequest,
};

use super::{any_group, group_id, text};
use crate::side::Side;
use crate::tree::Node;
use crate::world::World;

pub(super) fn member_name(group: &str, number: usize) -> String {
    format!("{group}-m{number}")
}

/// What a member says of itself, as clients write it (version 0 of `ConsumerProtocolSubscription`): Kafka reads it.
fn subscription(prefix: &str, number: usize) -> Bytes {
    let mut out = vec![0, 0, 0, 0, 0, 1];
    let topic = format!("{prefix}t0");
    out.extend_from_slice(&(topic.len() as u16).to_be_bytes());
    out.extend_from_slice(topic.as_bytes());
    out.extend_from_slice(&[0, 0, 0, 1, b'0' + number as u8]);
    out.into()
}

/// How long members may be silent, and how long a rebalance waits for them, in ms. In most groups that is longer than the
/// script, for which side's clock strikes first would be chance; those of one group are to expire.
pub(super) struct Timeouts {
    pub(super) session_ms: i32,
    pub(super) rebalance_ms: i32,
}

pub(super) const LONG: Timeouts = Timeouts { session_ms: 600_000, rebalance_ms: 300_000 };
/// Kafka allows no shorter session.
pub(super) const SHORT: Timeouts = Timeouts { session_ms: 6_000, rebalance_ms: 2_000 };

/// So ends the name of the group whose members are to expire.
const SHORT_LIVED: &str = "late";

pub(super) fn short_lived_group(world: &World) -> String {
    format!("{}{SHORT_LIVED}", world.prefix)
}

fn join(side: &Side, group: &str, number: usize, version: i16, is_known: bool) -> RequestKind {
    let protocol = |name: &str| {
        JoinGroupRequestProtocol::default()
            .with_name(text(name))
            .with_metadata(subscription(group.trim_end_matches(char::is_alphanumeric), number))
    };
    let timeouts = if group.ends_with(SHORT_LIVED) { SHORT } else { LONG };
    let member_id = if is_known { side.member(&member_name(group, number)).id } else { text("") };
    let request = JoinGroupRequest::default()
        .with_group_id(group_id(group))
        .with_session_timeout_ms(timeouts.session_ms)
        .with_member_id(member_id)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol("range"), protocol("roundrobin")]);
    RequestKind::JoinGroup(if version >= 1 {
        request.with_rebalance_timeout_ms(timeouts.rebalance_ms)
    } else {
        request
    })
}

/// Waits until the coordinators of all groups are there. The first rebalances take a broker longer than those after them.
pub(crate) fn warm_up(world: &mut World) {
    let named = |name: &str| format!("{}{name}", world.prefix);
    let groups: Vec<_> =
        ["g0", "g1", "g2", "n0", "n1", "m0", "m1", "alone", SHORT_LIVED, "warm0", "warm4"].map(named).into();
    let request = DescribeGroupsRequest::default().with_groups(groups.iter().map(|group| group_id(group)).collect());
    world.ask_quietly(ApiKey::DescribeGroups, 0, &|_| RequestKind::DescribeGroups(request.clone()));
    for version in [0, 4] {
        let group = format!("{}warm{version}", world.prefix);
        rebalance_of(world, &group, version, version);
    }
}

/// New members get an id first, then all members join, and the leader hands out assignments.
pub(crate) fn rebalance(world: &mut World) {
    let group = any_group(world);
    let (join_version, sync_version) = (world.version((0, 9)), world.version((0, 5)));
    rebalance_of(world, &group, join_version, sync_version);
}

pub(super) fn rebalance_of(world: &mut World, group: &str, version: i16, sync_version: i16) {
    if version >= 4 {
        for number in 0..2 {
            // Who has no id yet is told one, and does not count before it comes with it.
            if world.sides.iter().any(|side| side.member(&member_name(group, number)).id.is_empty()) {
                let build = |side: &Side| join(side, group, number, version, false);
                let learn = |side: &mut Side, response: &ResponseKind| learn_member(side, group, number, response);
                world.ask_and_learn(ApiKey::JoinGroup, version, build, learn);
            }
        }
    }
    join_both(world, group, version);
    both(world, ApiKey::SyncGroup, sync_version, &|side, number| {
        let known = side.member(&member_name(group, number));
        let of = |other: usize| {
            SyncGroupRequestAssignment::default()
                .with_member_id(side.member(&member_name(group, other)).id)
                .with_assignment(format!("share of {other}").into())
        };
        let request = SyncGroupRequest::default()
            .with_group_id(group_id(group))
            .with_member_id(known.id)
            .with_generation_id(known.generation)
            .with_assignments((0..2).map(of).collect());
        RequestKind::SyncGroup(if sync_version >= 5 {
            request.with_protocol_type(Some(text("consumer"))).with_protocol_name(Some(text("range")))
        } else {
            request
        })
    });
}

fn join_both(world: &mut World, group: &str, version: i16) {
    let mut answers = world.sides.each_mut().map(|side| join_both_at(side, group, version));
    for number in 0..2 {
        for (side, answers) in world.sides.iter_mut().zip(&answers) {
            answers[number].iter().for_each(|response| learn_member(side, group, number, response));
        }
    }
    let [kafka, ours] = &mut answers;
    for (number, (kafka, ours)) in kafka.iter_mut().zip(ours).enumerate() {
        let responses = [kafka.take(), ours.take()];
        world.compare(ApiKey::JoinGroup, version, &format!("member {number} joins {group}"), &responses);
        // The script goes on alike on both sides.
        let name = member_name(group, number);
        if world.sides.iter().any(|side| side.member(&name).id.is_empty()) {
            world.sides.iter_mut().for_each(|side| side.set_member(&name, &text(""), -1));
        }
    }
}

/// Both join, member 0 first. Who is told of a generation without the other joins once more, for the other waits for it;
/// who does so though the other was told, too, only hears the same again.
fn join_both_at(side: &mut Side, group: &str, version: i16) -> [Option<ResponseKind>; 2] {
    let key = ApiKey::JoinGroup;
    let was_preparing = is_preparing(side, group);
    for number in 0..2 {
        let request = join(side, group, number, version, true);
        side.connections[1 + number].send(key, version, &request);
        if number == 0 {
            await_arrival(side, group, was_preparing);
        }
    }
    let begun = Instant::now();
    let mut answers = [None, None];
    loop {
        for (number, answer) in answers.iter_mut().enumerate() {
            let connection = &mut side.connections[1 + number];
            if answer.is_none() && (connection.has_answer(ALONE) || begun.elapsed() > PATIENCE) {
                *answer = Some(connection.receive(key, version));
            }
        }
        let again = match answers.each_ref().map(|answer| answer.as_ref().map(generation)) {
            [Some(first), Some(second)] if first < 0 || second < 0 || first == second => {
                return answers.map(Option::flatten);
            }
            [Some(first), Some(second)] => usize::from(first > second),
            [Some(0..), None] => 0,
            [None, Some(0..)] => 1,
            _ => continue,
        };
        if let Some(Some(ResponseKind::JoinGroup(joined))) = answers[again].take() {
            side.set_member(&member_name(group, again), &joined.member_id, joined.generation_id);
        }
        let request = join(side, group, again, version, true);
        side.connections[1 + again].send(key, version, &request);
    }
}

/// The generation that a member is told of; below 0 where it is told of none.
fn generation(answer: &Option<ResponseKind>) -> i32 {
    match answer {
        Some(ResponseKind::JoinGroup(joined)) if joined.error_code == 0 => joined.generation_id,
        _ => -1,
    }
}

/// Waits until the group has heard member 0, so that the members come in the same order on both sides. Where a rebalance
/// goes on already that cannot be seen, but does not matter either.
fn await_arrival(side: &mut Side, group: &str, was_preparing: bool) {
    let begun = Instant::now();
    while begun.elapsed() < if was_preparing { ALONE } else { PATIENCE } {
        if side.connections[1].has_answer(ALONE / 10) || (!was_preparing && is_preparing(side, group)) {
            return;
        }
    }
}

fn is_preparing(side: &mut Side, group: &str) -> bool {
    let request = DescribeGroupsRequest::default().with_groups(vec![group_id(group)]);
    side.connections[0].send(ApiKey::DescribeGroups, 0, &RequestKind::DescribeGroups(request));
    match side.connections[0].receive(ApiKey::DescribeGroups, 0) {
        Some(ResponseKind::DescribeGroups(response)) => &*response.groups[0].group_state == "PreparingRebalance",
        _ => false,
    }
}

/// So long who joins waits for others that do not come.
const ALONE: Duration = Duration::from_millis(60);
/// Longer than any broker takes, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(15);

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

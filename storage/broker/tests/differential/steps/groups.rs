//! Classic groups between rebalances: signs of life, departures, and what others are told of them.

use std::time::Duration;

use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::{
    ApiKey, DeleteGroupsRequest, DescribeGroupsRequest, HeartbeatRequest, LeaveGroupRequest, ListGroupsRequest,
    RequestKind,
};

use super::rebalances::{SHORT, member_name, rebalance_of, short_lived_group};
use super::{any_group, group_id, text};
use crate::world::World;

pub(crate) fn heartbeat(world: &mut World) {
    let version = world.version((0, 4));
    let group = any_group(world);
    let number = world.below(2) as usize;
    let more = world.pick(&[0, 0, 0, 1]);
    heartbeat_of(world, version, &group, number, more);
}

/// The member names a generation that is so many ahead.
fn heartbeat_of(world: &mut World, version: i16, group: &str, number: usize, more: i32) {
    world.ask(ApiKey::Heartbeat, version, |side| {
        let known = side.member(&member_name(group, number));
        RequestKind::Heartbeat(
            HeartbeatRequest::default()
                .with_group_id(group_id(group))
                .with_member_id(known.id)
                .with_generation_id(known.generation + more),
        )
    });
}

pub(crate) fn leave(world: &mut World) {
    let version = world.version((0, 5));
    let group = any_group(world);
    let number = world.below(2) as usize;
    leave_of(world, version, &group, number);
}

fn leave_of(world: &mut World, version: i16, group: &str, number: usize) {
    world.ask(ApiKey::LeaveGroup, version, |side| {
        let id = side.member(&member_name(group, number)).id;
        let request = LeaveGroupRequest::default().with_group_id(group_id(group));
        RequestKind::LeaveGroup(if version >= 3 {
            request.with_members(vec![MemberIdentity::default().with_member_id(id)])
        } else {
            request.with_member_id(id)
        })
    });
    world.sides.iter_mut().for_each(|side| side.set_member(&member_name(group, number), &text(""), -1));
}

pub(crate) fn describe(world: &mut World) {
    let version = world.version((0, 6));
    let group = any_group(world);
    let authorized = version >= 3 && world.chance(30);
    describe_of(world, version, &group, authorized);
}

fn describe_of(world: &mut World, version: i16, group: &str, authorized: bool) {
    let request = DescribeGroupsRequest::default()
        .with_groups(vec![group_id(group)])
        .with_include_authorized_operations(authorized);
    world.ask(ApiKey::DescribeGroups, version, |_| RequestKind::DescribeGroups(request.clone()));
}

/// Who is not heard of goes: out of a rebalance when its time is over, out of a group when the member's session is.
pub(crate) fn expire(world: &mut World) {
    let group = short_lived_group(world);
    for (leaves, silence_ms) in [(true, SHORT.rebalance_ms), (false, SHORT.session_ms)] {
        rebalance_of(world, &group, 5, 5);
        if leaves {
            leave_of(world, 5, &group, 0);
        }
        heartbeat_of(world, 4, &group, 1, 0);
        describe_of(world, 5, &group, false);
        std::thread::sleep(Duration::from_millis(silence_ms.unsigned_abs().into()) + EXPIRY);
        heartbeat_of(world, 4, &group, 1, 0);
        describe_of(world, 5, &group, false);
        world.sides.iter_mut().for_each(|side| side.members.retain(|name, _| !name.starts_with(&group)));
    }
}

/// What has expired is gone so much later.
const EXPIRY: Duration = Duration::from_millis(800);

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

//! `ListGroups` and `DescribeGroups`: which groups there are and who is in them.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{
    DescribeGroupsRequest, DescribeGroupsResponse, GroupId, ListGroupsRequest, ListGroupsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::authorized::{ON_GROUP, if_asked};
use super::distinct::distinct;
use crate::call::Call;
use crate::code::NONE;
use crate::group::{Group, State};
use crate::groups::Waiter;
use crate::text::text;

const STATE_SINCE: i16 = 4;
const TYPE_SINCE: i16 = 5;
const UNKNOWN_IS_ERROR_SINCE: i16 = 6;
const CLASSIC: &str = "classic";
const CONSUMER: &str = "consumer";

/// What a list says of a group.
struct Summary {
    state: &'static str,
    group_type: &'static str,
    protocol_type: StrBytes,
}

pub(super) fn list(call: &Call, request: ListGroupsRequest) -> ListGroupsResponse {
    // Who only commits offsets makes no group with members, but is one to the tools.
    let with_offsets = call.broker.log.groups().into_iter().map(text);
    let alone = || Summary { state: State::Empty.name(), group_type: CLASSIC, protocol_type: StrBytes::default() };
    let mut groups: BTreeMap<StrBytes, Summary> = with_offsets.map(|name| (name, alone())).collect();
    call.broker.groups.look(|coordinator| {
        for (name, group) in coordinator.groups() {
            let protocol_type = group.protocol_type.clone().unwrap_or_default();
            groups.insert(name.clone(), Summary { state: group.state.name(), group_type: CLASSIC, protocol_type });
        }
        for (name, group) in coordinator.consumer_groups() {
            let (state, protocol_type) = (group.state_name(), text(CONSUMER));
            groups.insert(name.clone(), Summary { state, group_type: CONSUMER, protocol_type });
        }
    });
    let is_among = |wanted: &[StrBytes], value: &str| {
        wanted.is_empty() || wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
    };
    let listed = groups
        .into_iter()
        .filter(|(_, group)| is_among(&request.states_filter, group.state))
        .filter(|(_, group)| is_among(&request.types_filter, group.group_type))
        .map(|(name, summary)| {
            let mut group = ListedGroup::default().with_group_id(GroupId(name));
            group.protocol_type = summary.protocol_type;
            if call.version >= STATE_SINCE {
                group.group_state = text(summary.state);
            }
            if call.version >= TYPE_SINCE {
                group.group_type = text(summary.group_type);
            }
            group
        });
    ListGroupsResponse::default().with_groups(listed.collect())
}

pub(super) fn describe(call: &Call, request: DescribeGroupsRequest) -> DescribeGroupsResponse {
    let describe = |id: GroupId| {
        let (classic, is_consumers) = call.broker.groups.look(|groups| {
            let classic = groups.group(&id.0).map(|group| described(call.version, group));
            (classic, groups.consumer_group(&id.0).is_some())
        });
        let described = classic.unwrap_or_else(|| {
            let has_offsets = !is_consumers && call.broker.log.has_group(&id);
            let unknown = DescribedGroup::default().with_group_state(text("Dead"));
            let reason = if is_consumers { "is not a classic group" } else { "not found" };
            match (has_offsets, call.version >= UNKNOWN_IS_ERROR_SINCE) {
                (true, _) => DescribedGroup::default().with_group_state(text(State::Empty.name())),
                (false, true) => unknown
                    .with_error_code(ResponseError::GroupIdNotFound.code())
                    .with_error_message(Some(text(format!("Group {} {reason}.", &**id)))),
                (false, false) => unknown,
            }
        });
        // Of what there is not, nothing is allowed.
        let is_asked = request.include_authorized_operations && described.error_code == NONE;
        described.with_group_id(id).with_authorized_operations(if_asked(ON_GROUP, is_asked))
    };
    DescribeGroupsResponse::default().with_groups(distinct(request.groups, |id| id.0.clone()).map(describe).collect())
}

fn described(version: i16, group: &Group<Waiter>) -> DescribedGroup {
    let is_stable = group.state == State::Stable;
    let protocol = group.protocol.clone().filter(|_| is_stable).unwrap_or_default();
    let members = group.members.iter().map(|(id, member)| {
        let described = DescribedGroupMember::default()
            .with_member_id(id.clone())
            .with_client_id(member.client_id.clone())
            .with_client_host(member.client_host.clone());
        let described =
            if version >= 4 { described.with_group_instance_id(member.instance.clone()) } else { described };
        let described = described.with_member_assignment(member.assignment.clone());
        if is_stable { described.with_member_metadata(member.metadata(&protocol)) } else { described }
    });
    DescribedGroup::default()
        .with_error_code(NONE)
        .with_group_state(text(group.state.name()))
        .with_protocol_type(group.protocol_type.clone().unwrap_or_default())
        .with_members(members.collect())
        .with_protocol_data(protocol)
}

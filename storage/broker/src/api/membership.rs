//! `JoinGroup`, `SyncGroup`, `Heartbeat` and `LeaveGroup`: the life of a member of a group.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
    SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;
use millstream_log::Log;
use uuid::Uuid;

use super::log_topics::LogTopics;
use crate::call::Call;
use crate::code::NONE;
use crate::group::{Answer, Identity, Join, Joined, Sync, Synced};
use crate::groups::Waiting;
use crate::text::text;

const KNOWN_ID_SINCE: i16 = 4;
const PROTOCOL_TYPE_SINCE: i16 = 7;
const SKIP_ASSIGNMENT_SINCE: i16 = 9;
const SYNC_PROTOCOL_SINCE: i16 = 5;
const LEAVE_SEVERAL_SINCE: i16 = 3;
/// Before `JoinGroup` 1 the session's timeout served for both.
const REBALANCE_TIMEOUT_SINCE: i16 = 1;

pub(super) async fn join(call: Call, request: JoinGroupRequest) -> JoinGroupResponse {
    let waiting = begin_join(&call, request);
    match waiting.answer().await {
        Some(Answer::Joined(joined)) => join_response(call.version, joined),
        _ => join_response(
            call.version,
            Joined::failed(ResponseError::CoordinatorNotAvailable.code(), StrBytes::default()),
        ),
    }
}

/// Nothing of the request is kept while its answer is waited for: that may take long.
fn begin_join(call: &Call, request: JoinGroupRequest) -> Waiting {
    let client_id = call.client_id.clone().unwrap_or_default();
    let prefix = request.group_instance_id.as_ref().unwrap_or(&client_id);
    let join = Join {
        member_id: request.member_id,
        new_id: text(format!("{}-{}", &**prefix, Uuid::new_v4())),
        instance: request.group_instance_id.clone(),
        client_id,
        client_host: text(format!("/{}", call.peer.remote.ip().to_canonical())),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms: if call.version >= REBALANCE_TIMEOUT_SINCE {
            request.rebalance_timeout_ms
        } else {
            request.session_timeout_ms
        },
        protocol_type: request.protocol_type,
        protocols: request.protocols.into_iter().map(|protocol| (protocol.name, protocol.metadata)).collect(),
        needs_known_id: call.version >= KNOWN_ID_SINCE,
        can_skip_assignment: call.version >= SKIP_ASSIGNMENT_SINCE,
    };
    let group = request.group_id.0;
    let (waiter, waiting) = Waiting::new(&call.broker, &group);
    let (topics, now_ms) = (LogTopics(&call.broker.log), call.broker.log.now_ms());
    call.broker.groups.change(|groups, answers| groups.join(&group, join, &topics, now_ms, waiter, answers));
    waiting
}

fn join_response(version: i16, joined: Joined) -> JoinGroupResponse {
    let member = |(member_id, instance, metadata)| {
        let member = JoinGroupResponseMember::default().with_member_id(member_id).with_metadata(metadata);
        if version >= 5 { member.with_group_instance_id(instance) } else { member }
    };
    // Only since then may it be null.
    let protocol =
        if version >= PROTOCOL_TYPE_SINCE { joined.protocol } else { Some(joined.protocol.unwrap_or_default()) };
    let response = JoinGroupResponse::default()
        .with_error_code(joined.error_code)
        .with_generation_id(joined.generation)
        .with_protocol_name(protocol)
        .with_leader(joined.leader)
        .with_member_id(joined.member_id)
        .with_members(joined.members.into_iter().map(member).collect());
    let response =
        if version >= PROTOCOL_TYPE_SINCE { response.with_protocol_type(joined.protocol_type) } else { response };
    if version >= SKIP_ASSIGNMENT_SINCE { response.with_skip_assignment(joined.skip_assignment) } else { response }
}

pub(super) async fn sync(call: Call, request: SyncGroupRequest) -> SyncGroupResponse {
    let names_protocol = request.protocol_type.is_some() && request.protocol_name.is_some();
    if call.version >= SYNC_PROTOCOL_SINCE && !names_protocol {
        return SyncGroupResponse::default().with_error_code(ResponseError::InconsistentGroupProtocol.code());
    }
    let waiting = begin_sync(&call, request);
    let synced = match waiting.answer().await {
        Some(Answer::Synced(synced)) => synced,
        _ => Synced::failed(ResponseError::CoordinatorNotAvailable.code()),
    };
    let response = SyncGroupResponse::default().with_error_code(synced.error_code).with_assignment(synced.assignment);
    if call.version >= SYNC_PROTOCOL_SINCE {
        response.with_protocol_type(synced.protocol_type).with_protocol_name(synced.protocol)
    } else {
        response
    }
}

/// Nothing of the request is kept while its answer is waited for.
fn begin_sync(call: &Call, request: SyncGroupRequest) -> Waiting {
    let identity = Identity {
        member_id: request.member_id,
        instance: request.group_instance_id,
        generation: request.generation_id,
    };
    let sync = Sync {
        protocol_type: request.protocol_type,
        protocol: request.protocol_name,
        assignments: request.assignments.into_iter().map(|one| (one.member_id, one.assignment)).collect(),
    };
    let group = request.group_id.0;
    let (waiter, waiting) = Waiting::new(&call.broker, &group);
    let now_ms = call.broker.log.now_ms();
    call.broker.groups.change(|groups, answers| groups.sync(&group, &identity, sync, now_ms, waiter, answers));
    waiting
}

pub(super) fn heartbeat(call: &Call, request: HeartbeatRequest) -> HeartbeatResponse {
    let identity = Identity {
        member_id: request.member_id,
        instance: request.group_instance_id,
        generation: request.generation_id,
    };
    let now_ms = call.broker.log.now_ms();
    let outcome = call.broker.groups.change(|groups, _| groups.heartbeat(&request.group_id.0, &identity, now_ms));
    HeartbeatResponse::default().with_error_code(code(outcome))
}

pub(super) fn leave(call: &Call, request: LeaveGroupRequest) -> LeaveGroupResponse {
    let group = request.group_id.0;
    let leave = |member_id: &StrBytes, instance: Option<&StrBytes>| {
        let now_ms = call.broker.log.now_ms();
        code(call.broker.groups.change(|groups, answers| groups.leave(&group, member_id, instance, now_ms, answers)))
    };
    if call.version < LEAVE_SEVERAL_SINCE {
        return LeaveGroupResponse::default().with_error_code(leave(&request.member_id, None));
    }
    let members = request.members.into_iter().map(|member| {
        let error_code = leave(&member.member_id, member.group_instance_id.as_ref());
        MemberResponse::default()
            .with_member_id(member.member_id)
            .with_group_instance_id(member.group_instance_id)
            .with_error_code(error_code)
    });
    LeaveGroupResponse::default().with_members(members.collect())
}

fn code(outcome: Result<(), ResponseError>) -> i16 {
    outcome.map_or_else(|error| error.code(), |()| NONE)
}

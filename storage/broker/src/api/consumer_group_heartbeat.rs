//! `ConsumerGroupHeartbeat`: the one request by which a member joins a consumer group, stays, moves and goes (KIP-848).

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use millstream_log::{Log, TopicPartition};
use uuid::Uuid;

use super::log_topics::LogTopics;
use crate::broker::Broker;
use crate::call::Call;
use crate::group::consumer::assignor::Assignor;
use crate::group::consumer::{
    Beat, Heartbeat, JOIN_EPOCH, LEAVE_EPOCH, LEAVE_FOR_A_WHILE_EPOCH, Partitions, Refusal, partitions_by_topic, refuse,
};
use crate::text::{detached, text};
use crate::topic_id::{topic_id, topic_name};

/// From then on the member makes its id itself, and may subscribe by an expression.
const OWN_ID_SINCE: i16 = 1;

pub(super) fn answer(call: &Call, request: ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatResponse {
    let group = request.group_id.0.clone();
    let beaten = check(call.version, &request).and_then(|()| {
        let beat = heartbeat(call, request);
        let topics = LogTopics(&call.broker.log);
        let now_ms = call.broker.log.now_ms();
        call.broker.groups.change(|groups, answers| groups.consumer_heartbeat(&group, &beat, &topics, now_ms, answers))
    });
    let response = ConsumerGroupHeartbeatResponse::default();
    match beaten {
        Ok(Beat { member_id, epoch, assignment }) => response
            .with_member_id(Some(member_id))
            .with_member_epoch(epoch)
            .with_heartbeat_interval_ms(if epoch < JOIN_EPOCH {
                0
            } else {
                call.broker.options.consumer_heartbeat_interval_ms
            })
            .with_assignment(assignment.map(|assignment| encoded(&call.broker, assignment))),
        Err((error, message)) => response.with_error_code(error.code()).with_error_message(Some(text(message))),
    }
}

/// What is wrong with a request by itself.
fn check(version: i16, request: &ConsumerGroupHeartbeatRequest) -> Result<(), Refusal> {
    let invalid = |is_wrong: bool, message: &str| {
        if is_wrong { refuse(ResponseError::InvalidRequest, message) } else { Ok(()) }
    };
    let epoch = request.member_epoch;
    let joins = epoch == JOIN_EPOCH;
    let is_empty =
        |text: &Option<kafka_protocol::protocol::StrBytes>| text.as_ref().is_some_and(|text| text.is_empty());
    let has_names = request.subscribed_topic_names.is_some();
    let has_expression = request.subscribed_topic_regex.as_ref().is_some_and(|expression| !expression.is_empty());
    let needs_id = version >= OWN_ID_SINCE || epoch > JOIN_EPOCH || epoch == LEAVE_EPOCH;
    invalid(request.group_id.is_empty(), "GroupId can't be empty.")?;
    invalid(needs_id && request.member_id.is_empty(), "MemberId can't be empty.")?;
    invalid(is_empty(&request.instance_id), "InstanceId can't be empty.")?;
    invalid(is_empty(&request.rack_id), "RackId can't be empty.")?;
    invalid(joins && request.rebalance_timeout_ms == -1, "RebalanceTimeoutMs must be provided in first request.")?;
    let owns_nothing = request.topic_partitions.as_ref().is_some_and(Vec::is_empty);
    invalid(joins && !owns_nothing, "TopicPartitions must be empty when (re-)joining.")?;
    let message = "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.";
    invalid(joins && !(has_names || has_expression), message)?;
    let message = "InstanceId can't be null.";
    invalid(epoch == LEAVE_FOR_A_WHILE_EPOCH && request.instance_id.is_none(), message)?;
    invalid(epoch < LEAVE_FOR_A_WHILE_EPOCH, "MemberEpoch is invalid.")?;
    match &request.server_assignor {
        Some(assignor) if Assignor::find(assignor).is_none() => {
            let known = Assignor::ALL.map(Assignor::name).join(", ");
            let message = format!("ServerAssignor {} is not supported. Supported assignors: {known}.", &**assignor);
            refuse(ResponseError::UnsupportedAssignor, message)
        }
        _ => Ok(()),
    }
}

fn heartbeat(call: &Call, request: ConsumerGroupHeartbeatRequest) -> Heartbeat {
    // What a member says is kept, and must not keep the whole request.
    let detached_or_none = |text: Option<kafka_protocol::protocol::StrBytes>| text.as_ref().map(detached);
    let member_id =
        if request.member_id.is_empty() { text(Uuid::new_v4().to_string()) } else { detached(&request.member_id) };
    let names =
        |names: Vec<kafka_protocol::messages::TopicName>| names.iter().map(|name| name.as_str().into()).collect();
    Heartbeat {
        member_id,
        epoch: request.member_epoch,
        instance: detached_or_none(request.instance_id),
        rack: detached_or_none(request.rack_id),
        rebalance_timeout_ms: (request.rebalance_timeout_ms >= 0).then_some(request.rebalance_timeout_ms),
        topic_names: request.subscribed_topic_names.map(names),
        expression: detached_or_none(request.subscribed_topic_regex),
        assignor: detached_or_none(request.server_assignor),
        owned: request.topic_partitions.map(|owned| {
            let of_topic = |one: kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions| {
                let name = name_of(&call.broker, one.topic_id);
                one.partitions.into_iter().map(move |index| TopicPartition::new(Arc::clone(&name), index))
            };
            owned.into_iter().flat_map(of_topic).collect()
        }),
        client_id: detached_or_none(call.client_id.clone()).unwrap_or_default(),
        client_host: text(format!("/{}", call.peer.remote.ip().to_canonical())),
    }
}

/// The name of a topic, or one that no topic can have.
fn name_of(broker: &Broker, id: Uuid) -> Arc<str> {
    topic_name(&broker.log, id).unwrap_or_else(|| format!("/{id}").into())
}

fn encoded(broker: &Broker, assignment: Partitions) -> Assignment {
    let by_topic = partitions_by_topic(&assignment).into_iter();
    // A topic that has gone since has no id; the group learns of that with the next heartbeat.
    let topics = by_topic.filter_map(|(topic, partitions)| {
        let id = topic_id(&broker.log, &topic);
        (!id.is_nil()).then(|| TopicPartitions::default().with_topic_id(id).with_partitions(partitions))
    });
    Assignment::default().with_topic_partitions(topics.collect())
}

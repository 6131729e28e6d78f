//! `FindCoordinator`: who looks after a group or a transactional id. It is always this broker.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;

use crate::broker::NODE_ID;
use crate::call::Call;
use crate::code::NONE;

const BATCHED_SINCE: i16 = 4;
/// Groups and transactional ids; what is above belongs to share groups.
const KEY_TYPES: std::ops::RangeInclusive<i8> = 0..=1;

pub(super) fn answer(call: &Call, request: FindCoordinatorRequest) -> FindCoordinatorResponse {
    let error_code = if KEY_TYPES.contains(&request.key_type) { NONE } else { ResponseError::InvalidRequest.code() };
    let (node_id, (host, port)) = if error_code == NONE {
        (BrokerId(NODE_ID), call.broker.address(&call.peer))
    } else {
        (BrokerId(-1), (StrBytes::default(), -1))
    };
    if call.version < BATCHED_SINCE {
        return FindCoordinatorResponse::default()
            .with_error_code(error_code)
            .with_node_id(node_id)
            .with_host(host)
            .with_port(port);
    }
    let coordinator = |key| {
        Coordinator::default()
            .with_key(key)
            .with_error_code(error_code)
            .with_node_id(node_id)
            .with_host(host.clone())
            .with_port(port)
    };
    FindCoordinatorResponse::default()
        .with_coordinators(request.coordinator_keys.into_iter().map(coordinator).collect())
}

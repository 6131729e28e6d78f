//! `DescribeCluster` and `ListPartitionReassignments`: the cluster of one broker.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{
    BrokerId, DescribeClusterRequest, DescribeClusterResponse, ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
};

use super::authorized::{ON_CLUSTER, if_asked};
use crate::broker::{CLUSTER_ID, NODE_ID};
use crate::call::Call;
use crate::text::text;

const ENDPOINT_TYPE_SINCE: i16 = 1;
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(super) fn describe(call: &Call, request: DescribeClusterRequest) -> DescribeClusterResponse {
    if call.version >= ENDPOINT_TYPE_SINCE && request.endpoint_type != BROKERS {
        let is_known = request.endpoint_type == CONTROLLERS;
        let error =
            if is_known { ResponseError::MismatchedEndpointType } else { ResponseError::UnsupportedEndpointType };
        return DescribeClusterResponse::default()
            .with_error_code(error.code())
            .with_error_message(Some(text("there are no controllers apart from the broker")))
            .with_endpoint_type(BROKERS);
    }
    let (host, port) = call.broker.address(&call.peer);
    let broker = DescribeClusterBroker::default().with_broker_id(BrokerId(NODE_ID)).with_host(host).with_port(port);
    DescribeClusterResponse::default()
        .with_cluster_id(text(CLUSTER_ID))
        .with_controller_id(BrokerId(NODE_ID))
        .with_brokers(vec![broker])
        .with_cluster_authorized_operations(if_asked(ON_CLUSTER, request.include_cluster_authorized_operations))
        .with_error_message(None)
}

/// No partition ever moves.
pub(super) fn reassignments(
    _call: &Call,
    _request: ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    ListPartitionReassignmentsResponse::default().with_error_message(None)
}

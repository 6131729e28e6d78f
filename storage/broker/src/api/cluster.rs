//! `DescribeCluster`, `ListPartitionReassignments` and `DescribeLogDirs`: the cluster of one broker with one disk.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeClusterRequest, DescribeClusterResponse, DescribeLogDirsRequest, DescribeLogDirsResponse,
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, TopicName,
};
use millstream_log::{Log, TopicPartition};

use super::authorized::{ON_CLUSTER, if_asked};
use crate::broker::NODE_ID;
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
        .with_cluster_id(text(call.broker.log.cluster_id()))
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

/// Partitions that are not there are left out.
pub(super) fn log_dirs(call: &Call, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    let log = &call.broker.log;
    let asked: Vec<(Arc<str>, Vec<i32>)> = match request.topics {
        Some(topics) => topics.into_iter().map(|topic| (topic.topic.as_str().into(), topic.partitions)).collect(),
        None => {
            let all = log.topics().unwrap_or_default().into_iter();
            all.map(|info| (info.name, (0..info.partitions).collect())).collect()
        }
    };
    let topics = asked.into_iter().filter_map(|(name, partitions)| {
        let partitions: Vec<_> = partitions
            .into_iter()
            .filter_map(|index| {
                let bytes = log.partition_bytes(&TopicPartition::new(Arc::clone(&name), index)).ok()?;
                let partition = DescribeLogDirsPartition::default().with_partition_index(index);
                Some(partition.with_partition_size(i64::try_from(bytes).unwrap_or(i64::MAX)))
            })
            .collect();
        let topic = DescribeLogDirsTopic::default().with_name(TopicName(text(&*name)));
        (!partitions.is_empty()).then(|| topic.with_partitions(partitions))
    });
    let dir =
        DescribeLogDirsResult::default().with_log_dir(text(log.dir().to_string_lossy())).with_topics(topics.collect());
    DescribeLogDirsResponse::default().with_results(vec![dir])
}

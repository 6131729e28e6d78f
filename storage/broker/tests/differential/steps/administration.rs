//! What is asked of a broker as such.

use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, DescribeClusterRequest, FindCoordinatorRequest, InitProducerIdRequest,
    ListConfigResourcesRequest, ListPartitionReassignmentsRequest, RequestKind,
};

use super::{any_group, text};
use crate::world::World;

/// Kafka makes the topics of its coordinators when it is asked for one of them first.
pub(crate) fn warm_up(world: &mut World) {
    // Ids of producers count from 0; so that none is 0, which responses have where there is no producer.
    let request = InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(60_000);
    for _ in 0..3 {
        world.ask_quietly(ApiKey::InitProducerId, 3, &|_| RequestKind::InitProducerId(request.clone()));
    }
    for key_type in [0, 1] {
        let request = FindCoordinatorRequest::default().with_key(text("anybody")).with_key_type(key_type);
        world.ask_quietly(ApiKey::FindCoordinator, 3, &|_| RequestKind::FindCoordinator(request.clone()));
    }
}

pub(crate) fn api_versions(world: &mut World) {
    let version = world.version((0, 4));
    let mut request = ApiVersionsRequest::default();
    if version >= 3 {
        request = request.with_client_software_name(text("differential")).with_client_software_version(text("1"));
    }
    world.ask(ApiKey::ApiVersions, version, |_| RequestKind::ApiVersions(request.clone()));
}

pub(crate) fn find_coordinator(world: &mut World) {
    let version = world.version((0, 6));
    let name = any_group(world);
    let mut request = FindCoordinatorRequest::default();
    if version >= 1 {
        request = request.with_key_type(world.pick(&[0, 1, 7]));
    }
    request = if version >= 4 { request.with_coordinator_keys(vec![text(name)]) } else { request.with_key(text(name)) };
    world.ask(ApiKey::FindCoordinator, version, |_| RequestKind::FindCoordinator(request.clone()));
}

pub(crate) fn cluster(world: &mut World) {
    let version = world.version((0, 2));
    let mut request = DescribeClusterRequest::default();
    if version >= 1 {
        request = request.with_endpoint_type(world.pick(&[1, 1, 2, 3]));
    }
    request = request.with_include_cluster_authorized_operations(world.chance(30));
    world.ask(ApiKey::DescribeCluster, version, |_| RequestKind::DescribeCluster(request.clone()));
}

pub(crate) fn reassignments(world: &mut World) {
    let request = ListPartitionReassignmentsRequest::default().with_timeout_ms(10_000).with_topics(None);
    world.ask(ApiKey::ListPartitionReassignments, 0, |_| RequestKind::ListPartitionReassignments(request.clone()));
}

pub(crate) fn config_resources(world: &mut World) {
    let version = world.version((0, 1));
    let mut request = ListConfigResourcesRequest::default();
    if version >= 1 {
        request = request.with_resource_types(world.pick(&[vec![], vec![2], vec![4], vec![2, 4]]));
    }
    world.ask(ApiKey::ListConfigResources, version, |_| RequestKind::ListConfigResources(request.clone()));
}

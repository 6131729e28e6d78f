//! What is asked where there is neither authentication nor access control.

use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::{
    ApiKey, CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest, RequestKind, SaslAuthenticateRequest,
    SaslHandshakeRequest,
};

use super::text;
use crate::world::World;

const TOPIC: i8 = 2;
const LITERAL: i8 = 3;
const READ: i8 = 3;
const ALLOW: i8 = 3;

pub(crate) fn authenticate(world: &mut World) {
    let version = world.version((0, 1));
    let request = SaslHandshakeRequest::default().with_mechanism(text("PLAIN"));
    world.ask(ApiKey::SaslHandshake, version, |_| RequestKind::SaslHandshake(request.clone()));
    let version = world.version((0, 2));
    let request = SaslAuthenticateRequest::default().with_auth_bytes("\0user\0password".into());
    world.ask(ApiKey::SaslAuthenticate, version, |_| RequestKind::SaslAuthenticate(request.clone()));
}

pub(crate) fn access(world: &mut World) {
    let version = world.version((1, 3));
    let request = DescribeAclsRequest::default()
        .with_resource_type_filter(TOPIC)
        .with_resource_name_filter(None)
        .with_pattern_type_filter(LITERAL)
        .with_operation(READ)
        .with_permission_type(ALLOW);
    world.ask(ApiKey::DescribeAcls, version, |_| RequestKind::DescribeAcls(request.clone()));
    let creation = AclCreation::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text("t"))
        .with_resource_pattern_type(LITERAL)
        .with_principal(text("User:somebody"))
        .with_host(text("*"))
        .with_operation(READ)
        .with_permission_type(ALLOW);
    let request = CreateAclsRequest::default().with_creations(vec![creation.clone(), creation]);
    world.ask(ApiKey::CreateAcls, version, |_| RequestKind::CreateAcls(request.clone()));
    let filter = DeleteAclsFilter::default()
        .with_resource_type_filter(TOPIC)
        .with_pattern_type_filter(LITERAL)
        .with_operation(READ)
        .with_permission_type(ALLOW);
    let request = DeleteAclsRequest::default().with_filters(vec![filter]);
    world.ask(ApiKey::DeleteAcls, version, |_| RequestKind::DeleteAcls(request.clone()));
}

//! Settings of topics.

use std::time::Duration;

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::{
    AlterConfigsRequest, ApiKey, DescribeConfigsRequest, IncrementalAlterConfigsRequest, RequestKind,
    alter_configs_request, incremental_alter_configs_request,
};

use super::{any_topic, text};
use crate::world::World;

const TOPIC: i8 = 2;

/// A setting and a value, of which some are refused. Nothing by which records would go away in the background.
pub(crate) fn any_setting(world: &mut World) -> (&'static str, Option<&'static str>) {
    world.pick(&[
        ("retention.ms", Some("604800001")),
        ("retention.ms", Some("-1")),
        ("retention.ms", Some("-2")),
        ("retention.ms", Some("many")),
        ("segment.bytes", Some("1048576")),
        ("segment.bytes", Some("1")),
        ("max.message.bytes", Some("2000")),
        ("max.message.bytes", Some("-1")),
        ("message.timestamp.type", Some("LogAppendTime")),
        ("message.timestamp.type", Some("CreateTime")),
        ("message.timestamp.type", Some("Whenever")),
        ("message.timestamp.after.max.ms", Some("3600000")),
        ("compression.type", Some("zstd")),
        ("compression.type", Some("producer")),
        ("compression.type", Some("none")),
        ("min.insync.replicas", Some("1")),
        ("cleanup.policy", Some("compact,delete")),
        ("cleanup.policy", Some("delete")),
        ("cleanup.policy", Some("shrink")),
        ("unclean.leader.election.enable", Some("true")),
        ("unclean.leader.election.enable", Some("maybe")),
        ("min.cleanable.dirty.ratio", Some("0.7")),
        ("min.cleanable.dirty.ratio", Some("1.7")),
        ("retention.ms", Some("604800000")),
        ("retention.bytes", Some("-2")),
        ("preallocate", Some("TRUE")),
        ("compression.gzip.level", Some("0")),
        ("compression.lz4.level", Some("18")),
        ("compression.zstd.level", Some("22")),
        ("remote.storage.enable", Some("true")),
        ("remote.log.copy.disable", Some("false")),
        ("segment.jitter.ms", Some("-1")),
        ("index.interval.bytes", Some("0")),
        ("leader.replication.throttled.replicas", Some("0:1")),
        ("leader.replication.throttled.replicas", Some("nobody")),
        ("min.compaction.lag.ms", Some("1000")),
        ("max.compaction.lag.ms", Some("999")),
        ("no.such.setting", Some("1")),
        ("flush.ms", None),
    ])
}

fn any_resource(world: &mut World) -> (i8, String) {
    let topic = any_topic(world);
    world.pick(&[
        (TOPIC, topic.clone()),
        (TOPIC, topic.clone()),
        (TOPIC, topic.clone()),
        (TOPIC, topic),
        (TOPIC, String::new()),
        (4, "9".to_owned()),
    ])
}

pub(crate) fn describe(world: &mut World) {
    let version = world.version((1, 4));
    let (resource_type, name) = any_resource(world);
    let keys = if world.chance(50) { Some(vec![text(any_setting(world).0), text("retention.bytes")]) } else { None };
    let resource = DescribeConfigsResource::default()
        .with_resource_type(resource_type)
        .with_resource_name(text(name))
        .with_configuration_keys(keys);
    let request = DescribeConfigsRequest::default()
        .with_resources(vec![resource])
        .with_include_synonyms(world.chance(50))
        .with_include_documentation(version >= 3 && world.chance(30));
    world.ask(ApiKey::DescribeConfigs, version, |_| RequestKind::DescribeConfigs(request.clone()));
}

pub(crate) fn alter(world: &mut World) {
    let version = world.version((0, 1));
    let (resource_type, resource) = any_resource(world);
    let mut resource = incremental_alter_configs_request::AlterConfigsResource::default()
        .with_resource_type(resource_type)
        .with_resource_name(text(resource));
    for _ in 0..=world.below(2) {
        let (name, value) = any_setting(world);
        let config = incremental_alter_configs_request::AlterableConfig::default()
            .with_name(text(name))
            .with_config_operation(world.pick(&[0, 0, 0, 0, 1, 2, 3, 5]))
            .with_value(value.map(text));
        if resource.configs.iter().all(|other| other.name != config.name) {
            resource.configs.push(config);
        }
    }
    let request =
        IncrementalAlterConfigsRequest::default().with_resources(vec![resource]).with_validate_only(world.chance(20));
    world.ask(ApiKey::IncrementalAlterConfigs, version, |_| RequestKind::IncrementalAlterConfigs(request.clone()));
    std::thread::sleep(SPREAD);
}

/// Kafka's controller tells its broker a little later.
const SPREAD: Duration = Duration::from_millis(60);

pub(crate) fn replace(world: &mut World) {
    let version = world.version((0, 2));
    let (resource_type, resource) = any_resource(world);
    let (name, value) = any_setting(world);
    let config = alter_configs_request::AlterableConfig::default().with_name(text(name)).with_value(value.map(text));
    let resource = alter_configs_request::AlterConfigsResource::default()
        .with_resource_type(resource_type)
        .with_resource_name(text(resource))
        .with_configs(vec![config]);
    let request = AlterConfigsRequest::default().with_resources(vec![resource]).with_validate_only(world.chance(20));
    world.ask(ApiKey::AlterConfigs, version, |_| RequestKind::AlterConfigs(request.clone()));
    std::thread::sleep(SPREAD);
}

//! `Metadata`: topics and where their partitions are. Naming a topic creates it.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use kafka_protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, TopicName};
use millstream_log::{Log, TopicInfo};

use super::authorized::{ON_CLUSTER, ON_TOPIC, if_asked};
use super::distinct::distinct;
use crate::broker::{LEADER_EPOCH, NODE_ID};
use crate::call::Call;
use crate::code::code_of;
use crate::text::text;
use crate::topic_id::{topic_id, topic_name};

/// Before this version an empty list stands for all topics.
const NULL_IS_ALL_SINCE: i16 = 1;

pub(super) fn answer(call: &Call, request: MetadataRequest) -> MetadataResponse {
    let log = &call.broker.log;
    let topics = match request.topics {
        Some(topics) if !topics.is_empty() || call.version >= NULL_IS_ALL_SINCE => {
            let may_create = request.allow_auto_topic_creation;
            let topics = distinct(topics, |topic| (topic.name.clone(), topic.topic_id));
            topics.map(|topic| named(call, topic, may_create)).collect()
        }
        _ => log.topics().unwrap_or_default().iter().map(|info| described(call, info)).collect::<Vec<_>>(),
    };
    let with_operations = |topic: MetadataResponseTopic| {
        // Of an id that no topic has, nothing is known.
        let is_known = topic.error_code != ResponseError::UnknownTopicId.code();
        let operations = if_asked(ON_TOPIC, request.include_topic_authorized_operations && is_known);
        topic.with_topic_authorized_operations(operations)
    };
    let topics = topics.into_iter().map(with_operations).collect();
    let (host, port) = call.broker.address(&call.peer);
    let node = MetadataResponseBroker::default().with_node_id(BrokerId(NODE_ID)).with_host(host).with_port(port);
    MetadataResponse::default()
        .with_brokers(vec![node])
        .with_cluster_id(Some(text(call.broker.log.cluster_id())))
        .with_controller_id(BrokerId(NODE_ID))
        .with_cluster_authorized_operations(if_asked(ON_CLUSTER, request.include_cluster_authorized_operations))
        .with_topics(topics)
}

fn named(call: &Call, topic: MetadataRequestTopic, may_create: bool) -> MetadataResponseTopic {
    let broker = &call.broker;
    let failed = |code: i16| {
        let name = topic.name.clone().or((call.version < 12).then(TopicName::default));
        MetadataResponseTopic::default().with_error_code(code).with_name(name).with_topic_id(topic.topic_id)
    };
    let found = match &topic.name {
        // Beside an id the name does not count: some clients send an empty one, others none.
        Some(name) if topic.topic_id.is_nil() => broker.topic_or_create(name, may_create),
        _ => match topic_name(&broker.log, topic.topic_id) {
            Some(name) => broker.topic_or_create(&name, false),
            None => return failed(ResponseError::UnknownTopicId.code()),
        },
    };
    match found {
        Ok(info) => described(call, &info),
        Err(error) => failed(code_of(&error)),
    }
}

fn described(call: &Call, info: &TopicInfo) -> MetadataResponseTopic {
    let node = || vec![BrokerId(NODE_ID)];
    let partition = |index: i32| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(BrokerId(NODE_ID))
            .with_leader_epoch(LEADER_EPOCH)
            .with_replica_nodes(node())
            .with_isr_nodes(node())
    };
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(text(&*info.name))))
        .with_topic_id(topic_id(&call.broker.log, &info.name))
        .with_is_internal(info.is_internal())
        .with_partitions((0..info.partitions).map(partition).collect())
}

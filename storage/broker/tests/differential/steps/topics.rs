//! Topics come, grow, are described and go.

use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_topic_partitions_request::TopicRequest;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiKey, BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteRecordsRequest, DeleteTopicsRequest,
    DescribeTopicPartitionsRequest, ListOffsetsRequest, MetadataRequest, RequestKind, ResponseKind,
};

use super::{any_partition, any_topic, text, topic_name};
use crate::side::Side;
use crate::world::World;

const TIMEOUT_MS: i32 = 10_000;

pub(crate) fn create(world: &mut World) {
    let version = world.version((2, 7));
    let name = any_topic(world);
    let name = world.pick(&[
        name.clone(),
        name.clone(),
        name.clone(),
        name,
        String::new(),
        "no/name".to_owned(),
        ".".to_owned(),
    ]);
    let mut topic = CreatableTopic::default()
        .with_name(topic_name(&name))
        .with_num_partitions(world.pick(&[1, 2, 3, 3, -1, 0, -2]))
        .with_replication_factor(world.pick(&[1, 1, 1, -1, 2, 0]));
    // Before version 4 the broker has no defaults to give.
    if version < 4 {
        topic.num_partitions = topic.num_partitions.abs().max(1);
        topic.replication_factor = topic.replication_factor.abs().max(1);
    }
    if world.chance(20) {
        let partitions = world.below(3) as i32;
        let broker = world.pick(&[1, 1, 1, 9]);
        let assigned = |index| {
            CreatableReplicaAssignment::default().with_partition_index(index).with_broker_ids(vec![BrokerId(broker)])
        };
        topic = topic.with_assignments((0..=partitions).map(assigned).collect());
        if world.chance(80) {
            topic = topic.with_num_partitions(-1).with_replication_factor(-1);
        }
    }
    if world.chance(40) {
        let (name, value) = super::configs::any_setting(world);
        topic.configs.push(CreatableTopicConfig::default().with_name(text(name)).with_value(value.map(text)));
    }
    let validate_only = world.chance(10);
    let request = CreateTopicsRequest::default()
        .with_topics(vec![topic])
        .with_timeout_ms(TIMEOUT_MS)
        .with_validate_only(validate_only);
    let learn = |side: &mut Side, response: &ResponseKind| {
        let ResponseKind::CreateTopics(created) = response else { return };
        let made = created.topics.iter().filter(|topic| topic.error_code == 0 && !topic.topic_id.is_nil());
        made.for_each(|topic| side.set_topic_id(&topic.name, topic.topic_id));
    };
    world.ask_and_learn(ApiKey::CreateTopics, version, |_| RequestKind::CreateTopics(request.clone()), learn);
    settle(world, &name);
}

/// A topic that stays.
pub(crate) fn create_lasting(world: &mut World, name: &str, partitions: i32) {
    let topic = CreatableTopic::default()
        .with_name(topic_name(name))
        .with_num_partitions(partitions)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(TIMEOUT_MS);
    world.ask_quietly(ApiKey::CreateTopics, 5, &|_| RequestKind::CreateTopics(request.clone()));
    settle(world, name);
}

/// Waits until Kafka knows of a topic what it has promised: its controller tells its broker a little later.
pub(crate) fn settle(world: &mut World, name: &str) {
    if name.len() < 3 || name.contains('/') {
        return;
    }
    let begun = Instant::now();
    let topic = MetadataRequestTopic::default().with_name(Some(topic_name(name)));
    let request = MetadataRequest::default().with_topics(Some(vec![topic])).with_allow_auto_topic_creation(false);
    loop {
        let responses = world.ask_quietly(ApiKey::Metadata, 12, &|_| RequestKind::Metadata(request.clone()));
        let mut seen = Vec::new();
        for (side, response) in world.sides.iter_mut().zip(responses) {
            let Some(ResponseKind::Metadata(response)) = response else { panic!("no metadata") };
            let topic = &response.topics[0];
            let has_leaders = topic.partitions.iter().all(|partition| partition.leader_id.0 >= 0);
            seen.push((topic.error_code, topic.partitions.len(), has_leaders));
            if topic.error_code == 0 {
                side.set_topic_id(name, topic.topic_id);
            }
        }
        if seen[0] == seen[1] || begun.elapsed() > Duration::from_secs(3) {
            return settle_leaders(world, name, seen[0].1);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until Kafka has taken up the partitions that it has promised: before, it does not know their leaders' epoch.
fn settle_leaders(world: &mut World, name: &str, partitions: usize) {
    let partition = |index| {
        ListOffsetsPartition::default()
            .with_partition_index(index as i32)
            .with_timestamp(-1)
            .with_current_leader_epoch(0)
    };
    let topic = ListOffsetsTopic::default()
        .with_name(topic_name(name))
        .with_partitions((0..partitions).map(partition).collect());
    let request = ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        let responses = world.ask_quietly(ApiKey::ListOffsets, 4, &|_| RequestKind::ListOffsets(request.clone()));
        let Some(ResponseKind::ListOffsets(response)) = &responses[0] else { panic!("no offsets") };
        let mut codes =
            response.topics.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.error_code);
        if codes.all(|code| code != ResponseError::UnknownLeaderEpoch.code()) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn delete(world: &mut World) {
    let version = world.version((1, 6));
    // Others stay: in Kafka what is still to be done to one that was deleted is done to the next of its name.
    let number = 3 + world.below(2);
    let name = format!("{}t{number}", world.prefix);
    let by_id = version >= 6 && world.chance(50);
    let build = |side: &Side| {
        let request = DeleteTopicsRequest::default().with_timeout_ms(TIMEOUT_MS);
        RequestKind::DeleteTopics(if by_id {
            request.with_topics(vec![DeleteTopicState::default().with_name(None).with_topic_id(side.topic_id(&name))])
        } else if version >= 6 {
            request.with_topics(vec![DeleteTopicState::default().with_name(Some(topic_name(&name)))])
        } else {
            request.with_topic_names(vec![topic_name(&name)])
        })
    };
    world.ask(ApiKey::DeleteTopics, version, build);
    settle(world, &name);
    world.sides.iter_mut().for_each(|side| _ = side.topic_ids.remove(&name));
    // What producers know of the partitions is gone with them, in Kafka a little later.
    std::thread::sleep(Duration::from_millis(50));
    settle(world, &name);
}

pub(crate) fn add_partitions(world: &mut World) {
    let version = world.version((0, 3));
    let name = any_topic(world);
    let topic = CreatePartitionsTopic::default()
        .with_name(topic_name(&name))
        .with_count(world.pick(&[1, 2, 3, 4, 0, -1]))
        .with_assignments(None);
    let request = CreatePartitionsRequest::default()
        .with_topics(vec![topic])
        .with_timeout_ms(TIMEOUT_MS)
        .with_validate_only(world.chance(20));
    world.ask(ApiKey::CreatePartitions, version, |_| RequestKind::CreatePartitions(request.clone()));
    settle(world, &name);
}

pub(crate) fn metadata(world: &mut World) {
    let version = world.version((0, 13));
    let name = any_topic(world);
    let kind = world.below(4);
    let includes = world.chance(20);
    let build = |side: &Side| {
        let named = || MetadataRequestTopic::default().with_name(Some(topic_name(&name)));
        let topics = match kind {
            0 if version >= 1 => None,
            0 => Some(Vec::new()),
            1 if version >= 12 => {
                let by_id = MetadataRequestTopic::default().with_topic_id(side.topic_id(&name)).with_name(None);
                Some(vec![by_id])
            }
            2 if version >= 1 => Some(Vec::new()),
            _ => Some(vec![named()]),
        };
        let mut request = MetadataRequest::default().with_topics(topics);
        request.include_topic_authorized_operations = version >= 8 && includes;
        request.include_cluster_authorized_operations = (8..=10).contains(&version) && includes;
        RequestKind::Metadata(if version >= 4 { request.with_allow_auto_topic_creation(false) } else { request })
    };
    // Before version 4 to be asked for a topic is to create it.
    if version < 4 && !(kind == 0 || (kind == 2 && version >= 1)) {
        return;
    }
    world.ask(ApiKey::Metadata, version, build);
}

pub(crate) fn describe_partitions(world: &mut World) {
    let mut names: Vec<_> = (0..=world.below(3)).map(|_| any_topic(world)).collect();
    names.sort();
    names.dedup();
    let limit = world.pick(&[2_000, 2, 1]);
    let topics = names.iter().map(|name| TopicRequest::default().with_name(topic_name(name))).collect();
    let request = DescribeTopicPartitionsRequest::default()
        .with_topics(topics)
        .with_response_partition_limit(limit)
        .with_cursor(None);
    world.ask(ApiKey::DescribeTopicPartitions, 0, |_| RequestKind::DescribeTopicPartitions(request.clone()));
}

pub(crate) fn delete_records(world: &mut World) {
    let version = world.version((0, 2));
    let name = any_topic(world);
    let partition = DeleteRecordsPartition::default()
        .with_partition_index(any_partition(world))
        .with_offset(world.pick(&[0, 1, 2, 5, -1, 1_000_000, -2]));
    let topic = DeleteRecordsTopic::default().with_name(topic_name(&name)).with_partitions(vec![partition]);
    let request = DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(TIMEOUT_MS);
    world.ask(ApiKey::DeleteRecords, version, |_| RequestKind::DeleteRecords(request.clone()));
}

//! In whose name offsets may be committed.

use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, DeleteGroupsRequest, GroupId, ListGroupsRequest, OffsetCommitRequest,
    OffsetDeleteRequest, ProducerId, TransactionalId, TxnOffsetCommitRequest,
};
use millstream_log::{GroupOffset, Log, Producer, TopicPartition, TopicSpec, TransactionVersion, WriteBatch};

use super::*;
use crate::text::text;
use crate::topic_id::topic_id;

/// A broker with a topic, and a group that has committed an offset in it but that nobody is in.
fn broker_with_offsets() -> Arc<Broker> {
    let broker = broker();
    broker.log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    let offsets = vec![GroupOffset::new("empty", TopicPartition::new("t", 0), 3)];
    broker.log.write(WriteBatch { batches: Vec::new(), offsets }).unwrap().wait().unwrap();
    broker
}

#[test]
fn a_group_with_offsets_is_there_though_nobody_is_in_it() {
    let (runtime, broker) = (runtime(), broker_with_offsets());
    let api = find(ApiKey::OffsetCommit as i16).unwrap();
    let commit = |version: i16, group: &str, generation: i32| {
        let topic = OffsetCommitRequestTopic::default()
            .with_name(TopicName(text("t")))
            .with_partitions(vec![OffsetCommitRequestPartition::default()]);
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_member_id(text("member"))
            .with_generation_id_or_member_epoch(generation)
            .with_topics(vec![topic]);
        let answer = exchange(&runtime, &broker, api, version, encoded(&request, version));
        let ResponseKind::OffsetCommit(response) = answer else { panic!() };
        response.topics[0].partitions[0].error_code
    };
    for version in api.min..=api.max {
        let unknown =
            if version < 9 { ResponseError::IllegalGeneration } else { ResponseError::GroupIdNotFound }.code();
        assert_eq!(commit(version, "unknown", 0), unknown, "{version}");
        assert_eq!(commit(version, "empty", 0), ResponseError::UnknownMemberId.code(), "{version}");
        assert_eq!(commit(version, "empty", -1), 0, "{version}: a client without a group");
    }
}

#[test]
fn a_group_is_still_there_when_its_last_offset_has_been_deleted() {
    let (runtime, broker) = (runtime(), broker_with_offsets());
    let delete = |group: &str| {
        let topic = OffsetDeleteRequestTopic::default()
            .with_name(TopicName(text("t")))
            .with_partitions(vec![OffsetDeleteRequestPartition::default()]);
        let request = OffsetDeleteRequest::default().with_group_id(GroupId(text(group))).with_topics(vec![topic]);
        let api = find(ApiKey::OffsetDelete as i16).unwrap();
        let answer = exchange(&runtime, &broker, api, 0, encoded(&request, 0));
        let ResponseKind::OffsetDelete(response) = answer else { panic!() };
        response.error_code
    };
    assert_eq!(delete("empty"), 0);
    assert!(broker.log.group_offsets("empty").is_empty());
    assert_eq!(delete("empty"), 0);
    assert_eq!(delete("unknown"), ResponseError::GroupIdNotFound.code());
}

#[test]
fn to_a_transaction_a_group_with_offsets_is_there_too() {
    let (runtime, broker) = (runtime(), broker_with_offsets());
    let Producer { id, epoch } = broker.log.init_producer("tx").unwrap();
    broker.log.announce_offsets(Producer { id, epoch }).unwrap().wait().unwrap();
    let api = find(ApiKey::TxnOffsetCommit as i16).unwrap();
    let commit = |group: &str, member_id: &str, generation: i32| {
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(TopicName(text("t")))
            .with_partitions(vec![TxnOffsetCommitRequestPartition::default()]);
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(TransactionalId(text("tx")))
            .with_producer_id(ProducerId(id))
            .with_producer_epoch(epoch)
            .with_group_id(GroupId(text(group)))
            .with_member_id(text(member_id))
            .with_generation_id(generation)
            .with_topics(vec![topic]);
        let ResponseKind::TxnOffsetCommit(response) = exchange(&runtime, &broker, api, 3, encoded(&request, 3)) else {
            panic!()
        };
        response.topics[0].partitions[0].error_code
    };
    assert_eq!(commit("unknown", "member", 0), ResponseError::IllegalGeneration.code());
    assert_eq!(commit("empty", "member", 0), ResponseError::UnknownMemberId.code());
    assert_eq!(commit("unknown", "", -1), 0);
    assert_eq!(commit("unknown", "member", 0), ResponseError::UnknownMemberId.code(), "now it is there");
}

#[test]
fn a_group_of_an_open_transaction_is_there_to_tools() {
    let (runtime, broker) = (runtime(), broker_with_offsets());
    let producer = broker.log.init_producer("tx").unwrap();
    broker.log.announce_offsets(producer).unwrap().wait().unwrap();
    let offset = |partition: i32| GroupOffset::new("pending", TopicPartition::new("t", partition), 7);
    broker.log.add_offsets(producer, &[offset(0)], TransactionVersion::One).unwrap().wait().unwrap();

    let api = find(ApiKey::ListGroups as i16).unwrap();
    let body = encoded(&ListGroupsRequest::default(), 0);
    let ResponseKind::ListGroups(response) = exchange(&runtime, &broker, api, 0, body) else { panic!() };
    let names: Vec<&str> = response.groups.iter().map(|group| group.group_id.as_str()).collect();
    assert_eq!(names, ["empty", "pending"]);

    let delete = || {
        let request = DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text("pending"))]);
        let api = find(ApiKey::DeleteGroups as i16).unwrap();
        let answer = exchange(&runtime, &broker, api, 0, encoded(&request, 0));
        let ResponseKind::DeleteGroups(response) = answer else { panic!() };
        response.results[0].error_code
    };
    assert_eq!(delete(), 0);
    assert_eq!(delete(), ResponseError::GroupIdNotFound.code());
    broker.log.end_transaction(producer, true, &[]).unwrap().wait().unwrap();
    assert!(!broker.log.has_group("pending"), "the transaction does not bring it back");
}

/// A broker with a consumer group of one member: it has read `t` since epoch 1, and `u`, too, since epoch 2.
fn broker_with_consumer(runtime: &Runtime) -> Arc<Broker> {
    let broker = broker();
    broker.log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    broker.log.create_topic(&TopicSpec::new("u", 1)).unwrap();
    let beat = |epoch: i32, topics: &[&str], owned: &[&str]| {
        let owned = owned.iter().map(|topic| {
            TopicPartitions::default().with_topic_id(topic_id(&broker.log, topic)).with_partitions(vec![0])
        });
        let request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(GroupId(text("g")))
            .with_member_id(text("member"))
            .with_member_epoch(epoch)
            .with_rebalance_timeout_ms(60_000)
            .with_subscribed_topic_names(Some(topics.iter().map(|topic| TopicName(text(*topic))).collect()))
            .with_topic_partitions(Some(owned.collect()));
        let api = find(ApiKey::ConsumerGroupHeartbeat as i16).unwrap();
        let answer = exchange(runtime, &broker, api, 1, encoded(&request, 1));
        let ResponseKind::ConsumerGroupHeartbeat(response) = answer else { panic!() };
        response.member_epoch
    };
    assert_eq!(beat(0, &["t"], &[]), 1);
    assert_eq!(beat(1, &["t", "u"], &["t"]), 2);
    broker
}

#[test]
fn a_member_commits_by_an_earlier_epoch_what_it_has_owned_since() {
    let runtime = runtime();
    let broker = broker_with_consumer(&runtime);
    // Each topic with the length of what the member says with its offset.
    let commit_with = |version: i16, epoch: i32, topics: &[(&str, usize)]| {
        let topic = |(name, length): &(&str, usize)| {
            let partition = OffsetCommitRequestPartition::default()
                .with_committed_offset(7)
                .with_committed_metadata(Some(text("m".repeat(*length))));
            OffsetCommitRequestTopic::default().with_name(TopicName(text(*name))).with_partitions(vec![partition])
        };
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(text("g")))
            .with_member_id(text("member"))
            .with_generation_id_or_member_epoch(epoch)
            .with_topics(topics.iter().map(topic).collect());
        let api = find(ApiKey::OffsetCommit as i16).unwrap();
        let ResponseKind::OffsetCommit(response) =
            exchange(&runtime, &broker, api, version, encoded(&request, version))
        else {
            panic!()
        };
        response.topics.iter().map(|topic| topic.partitions[0].error_code).collect::<Vec<_>>()
    };
    let commit = |version: i16, epoch: i32, topics: &[&str]| {
        let topics: Vec<_> = topics.iter().map(|name| (*name, 0)).collect();
        commit_with(version, epoch, &topics)
    };
    let stale = ResponseError::StaleMemberEpoch.code();
    assert_eq!(commit(9, 1, &["t"]), [0]);
    assert_eq!(broker.log.group_offsets("g").len(), 1);
    assert_eq!(commit(9, 1, &["t", "u"]), [stale; 2]);
    assert_eq!(broker.log.group_offsets("g").len(), 1);
    assert_eq!(commit(9, 1, &["t", "unknown"]), [0, ResponseError::UnknownTopicOrPartition.code()]);
    assert_eq!(commit(9, 0, &["t"]), [stale]);
    let too_large = ResponseError::OffsetMetadataTooLarge.code();
    assert_eq!(commit_with(9, 1, &[("t", 0), ("u", 5_000)]), [0, too_large]);
    assert_eq!(commit(9, 3, &["t"]), [stale]);
    assert_eq!(commit(9, 2, &["t", "u"]), [0; 2]);
    // A client of an earlier version does not know that members have epochs.
    assert_eq!(commit(8, 2, &["t"]), [ResponseError::UnsupportedVersion.code()]);
}

#[test]
fn so_does_a_transaction_in_its_name() {
    let runtime = runtime();
    let broker = broker_with_consumer(&runtime);
    let Producer { id, epoch } = broker.log.init_producer("tx").unwrap();
    broker.log.announce_offsets(Producer { id, epoch }).unwrap().wait().unwrap();
    let topic = |name: &str| {
        TxnOffsetCommitRequestTopic::default()
            .with_name(TopicName(text(name)))
            .with_partitions(vec![TxnOffsetCommitRequestPartition::default()])
    };
    let commit = |topics: &[&str]| {
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(TransactionalId(text("tx")))
            .with_producer_id(ProducerId(id))
            .with_producer_epoch(epoch)
            .with_group_id(GroupId(text("g")))
            .with_member_id(text("member"))
            .with_generation_id(1)
            .with_topics(topics.iter().map(|name| topic(name)).collect());
        let api = find(ApiKey::TxnOffsetCommit as i16).unwrap();
        let ResponseKind::TxnOffsetCommit(response) = exchange(&runtime, &broker, api, 3, encoded(&request, 3)) else {
            panic!()
        };
        response.topics.iter().map(|topic| topic.partitions[0].error_code).collect::<Vec<_>>()
    };
    assert_eq!(commit(&["t"]), [0]);
    assert_eq!(commit(&["t", "u"]), [ResponseError::IllegalGeneration.code(); 2]);
}

//! Requests as clients send them.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Encodable, StrBytes};
use millstream_fuzz::connection::TOPIC;
use millstream_log::record::BatchBuilder;

const GROUP: &str = "g";
const TRANSACTION: &str = "x";

fn text(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}

fn topic() -> TopicName {
    TopicName(text(TOPIC))
}

fn group() -> GroupId {
    GroupId(text(GROUP))
}

fn transaction() -> TransactionalId {
    TransactionalId(text(TRANSACTION))
}

pub fn batch(mut builder: BatchBuilder) -> Vec<u8> {
    builder.push(1_000, Some(b"key"), Some(b"value"));
    builder.push_with_headers(1_001, None, None, &[("name", Some(b"value")), ("null", None)]);
    builder.finish().expect("the batch is small")
}

/// A request with its header.
fn request(version: i16, body: RequestKind) -> Bytes {
    let mut out = BytesMut::new();
    let key = ApiKey::try_from(key_of(&body)).expect("the kind has a key");
    let header = RequestHeader::default()
        .with_request_api_key(key as i16)
        .with_request_api_version(version)
        .with_correlation_id(i32::from(version))
        .with_client_id(Some(text("c")));
    header.encode(&mut out, key.request_header_version(version)).expect("the header fits its version");
    body.encode(&mut out, version).expect("the request fits its version");
    out.freeze()
}

macro_rules! kinds {
    ($($kind:ident $oldest:literal $newest:literal),* $(,)?) => {
        fn key_of(body: &RequestKind) -> i16 {
            match body {
                $(RequestKind::$kind(_) => ApiKey::$kind as i16,)*
                other => panic!("{other:?} is not understood"),
            }
        }

        /// Every kind of request with every field at its default, in its oldest and its newest version.
        pub fn every_kind() -> impl Iterator<Item = (String, Vec<Bytes>)> {
            [$((
                stringify!($kind).to_owned(),
                vec![
                    request($oldest, RequestKind::$kind(Default::default())),
                    request($newest, RequestKind::$kind(Default::default())),
                ],
            )),*].into_iter()
        }
    };
}

kinds! {
    Produce 3 13, Fetch 4 18, ListOffsets 1 10, Metadata 0 13, OffsetCommit 2 9, OffsetFetch 1 9, FindCoordinator 0 6,
    JoinGroup 0 9, Heartbeat 0 4, LeaveGroup 0 5, SyncGroup 0 5, DescribeGroups 0 6, ListGroups 0 5, ApiVersions 0 4,
    CreateTopics 2 7, DeleteTopics 1 6, DeleteRecords 0 2, InitProducerId 0 5, OffsetForLeaderEpoch 2 4,
    AddPartitionsToTxn 0 5, AddOffsetsToTxn 0 4, EndTxn 0 5, TxnOffsetCommit 0 5, DescribeConfigs 1 4,
    AlterConfigs 0 2, IncrementalAlterConfigs 0 1, CreatePartitions 0 3, DeleteGroups 0 2, OffsetDelete 0 0,
    DescribeCluster 0 2, DescribeProducers 0 0, DescribeTransactions 0 0, ListTransactions 0 2,
    DescribeTopicPartitions 0 0, ListPartitionReassignments 0 0, ListConfigResources 0 1, ConsumerGroupHeartbeat 0 1,
    ConsumerGroupDescribe 0 1,
}

/// Requests that belong together.
pub fn stories() -> Vec<(String, Vec<Bytes>)> {
    vec![
        ("story-records".to_owned(), records()),
        ("story-group".to_owned(), classic_group()),
        ("story-consumer-group".to_owned(), consumer_group()),
        ("story-topic".to_owned(), a_topic()),
        ("story-transaction".to_owned(), a_transaction()),
    ]
}

fn produce(builder: BatchBuilder, transactional_id: Option<TransactionalId>) -> RequestKind {
    let data = PartitionProduceData::default().with_records(Some(batch(builder).into()));
    let data = TopicProduceData::default().with_name(topic()).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(1_000);
    request.with_transactional_id(transactional_id).with_topic_data(vec![data]).into()
}

fn records() -> Vec<Bytes> {
    let wanted = FetchPartition::default().with_fetch_offset(0).with_partition_max_bytes(1 << 20);
    let wanted = FetchTopic::default().with_topic(topic()).with_partitions(vec![wanted]);
    let fetch = FetchRequest::default().with_max_bytes(1 << 20).with_min_bytes(1).with_topics(vec![wanted]);
    let at = ListOffsetsPartition::default().with_timestamp(-1);
    let at = ListOffsetsTopic::default().with_name(topic()).with_partitions(vec![at]);
    let named = MetadataRequestTopic::default().with_name(Some(topic()));
    vec![
        request(12, MetadataRequest::default().with_topics(Some(vec![named])).into()),
        request(9, produce(BatchBuilder::new(), None)),
        request(12, fetch.into()),
        request(7, ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![at]).into()),
    ]
}

fn committed() -> Vec<OffsetCommitRequestTopic> {
    let at = OffsetCommitRequestPartition::default().with_committed_offset(1);
    vec![OffsetCommitRequestTopic::default().with_name(topic()).with_partitions(vec![at])]
}

fn classic_group() -> Vec<Bytes> {
    let protocol =
        JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(Bytes::from_static(&[0; 10]));
    let join = JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(30_000)
        .with_rebalance_timeout_ms(30_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol]);
    let wanted = OffsetFetchRequestGroup::default().with_group_id(group()).with_topics(None);
    vec![
        request(8, OffsetCommitRequest::default().with_group_id(group()).with_topics(committed()).into()),
        request(8, OffsetFetchRequest::default().with_groups(vec![wanted]).into()),
        request(3, join.clone().into()),
        request(5, join.with_group_instance_id(Some(text("i"))).into()),
        request(5, DescribeGroupsRequest::default().with_groups(vec![group()]).into()),
        request(4, HeartbeatRequest::default().with_group_id(group()).with_generation_id(1).into()),
    ]
}

fn consumer_group() -> Vec<Bytes> {
    let heartbeat = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(GroupId(text("k")))
        .with_member_id(text("m"))
        .with_rebalance_timeout_ms(30_000)
        .with_topic_partitions(Some(Vec::new()));
    vec![
        request(1, heartbeat.clone().with_subscribed_topic_names(Some(vec![topic()])).into()),
        request(1, heartbeat.with_subscribed_topic_regex(Some(text("t.*"))).into()),
        request(1, ConsumerGroupDescribeRequest::default().with_group_ids(vec![GroupId(text("k"))]).into()),
    ]
}

fn a_topic() -> Vec<Bytes> {
    let setting = CreatableTopicConfig::default().with_name(text("cleanup.policy")).with_value(Some(text("compact")));
    let new = CreatableTopic::default()
        .with_name(TopicName(text("new")))
        .with_num_partitions(2)
        .with_replication_factor(1)
        .with_configs(vec![setting]);
    let change = AlterableConfig::default().with_name(text("retention.ms")).with_value(Some(text("1000")));
    let change = AlterConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text(TOPIC))
        .with_configs(vec![change]);
    vec![
        request(7, CreateTopicsRequest::default().with_timeout_ms(1_000).with_topics(vec![new]).into()),
        request(2, AlterConfigsRequest::default().with_resources(vec![change]).into()),
        request(4, DeleteTopicsRequest::default().with_topic_names(vec![topic()]).into()),
    ]
}

fn a_transaction() -> Vec<Bytes> {
    // The first transactional producer of a log gets this id.
    const PRODUCER: i64 = 0;
    let init = InitProducerIdRequest::default()
        .with_transactional_id(Some(transaction()))
        .with_transaction_timeout_ms(1_000)
        .with_producer_id((-1).into())
        .with_producer_epoch(-1);
    let added = AddPartitionsToTxnTopic::default().with_name(topic()).with_partitions(vec![0]);
    let add = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(transaction())
        .with_v3_and_below_producer_id(PRODUCER.into())
        .with_v3_and_below_topics(vec![added]);
    let end = EndTxnRequest::default()
        .with_transactional_id(transaction())
        .with_producer_id(PRODUCER.into())
        .with_committed(true);
    let builder = BatchBuilder::new().with_producer(PRODUCER, 0, 0).transactional();
    vec![
        request(4, init.into()),
        request(3, add.into()),
        request(9, produce(builder, Some(transaction()))),
        request(3, end.into()),
        request(1, ListTransactionsRequest::default().with_duration_filter(-1).into()),
    ]
}

//! Every request that is advertised is answered in every version.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    DeleteTopicsRequest, DescribeConfigsRequest, FetchRequest, MetadataRequest, ProduceRequest, RequestKind,
    ResponseKind, TopicName,
};
use kafka_protocol::protocol::Encodable;
use millstream_log::record::BatchBuilder;
use millstream_log::{EmbeddedLog, Isolation, Log, LogOptions, TopicPartition, TopicSpec};
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::*;
use crate::BrokerOptions;
use crate::broker::Broker;
use crate::call::Peer;

mod commits;
mod creation;
mod fetch_frames;
mod names;
mod policies;
mod tools;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

fn broker() -> Arc<Broker> {
    let log = Arc::new(EmbeddedLog::open(LogOptions::in_memory()).unwrap());
    Arc::new(Broker::new(log, BrokerOptions::default()))
}

fn call(broker: &Arc<Broker>, api: &'static Api, version: i16) -> Call {
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 9092));
    let peer = Peer { remote: local, local };
    Call { broker: Arc::clone(broker), api, version, correlation_id: 7, client_id: None, peer }
}

/// Sends a request and reads the answer, which must be complete and nothing more.
fn exchange(runtime: &Runtime, broker: &Arc<Broker>, api: &'static Api, version: i16, body: Bytes) -> ResponseKind {
    let call = call(broker, api, version);
    let answer = async move { tokio::spawn(async move { run(call, body).await }).await.unwrap() };
    let reply = runtime.block_on(answer).unwrap_or_else(|_| panic!("{:?} {version} is not answered", api.key));
    let mut frame = reply.frame.collect();
    assert_eq!(frame.get_i32() as usize, frame.len());
    assert_eq!(frame.get_i32(), 7);
    if api.key.response_header_version(version) == 1 {
        assert_eq!(frame.get_u8(), 0);
    }
    let response = ResponseKind::decode(api.key, &mut frame, version).unwrap();
    assert!(frame.is_empty(), "{:?} {version}: {} bytes are left", api.key, frame.len());
    response
}

/// A request with every field at its default.
fn plain(key: ApiKey, version: i16) -> Bytes {
    let mut body = BytesMut::new();
    if key == ApiKey::Produce {
        // With no acknowledgement asked for there would be no answer.
        ProduceRequest::default().with_acks(-1).encode(&mut body, version).unwrap();
        return body.freeze();
    }
    macro_rules! encode {
        ($($kind:ident),*) => {
            match key {
                $(ApiKey::$kind => RequestKind::$kind(Default::default()).encode(&mut body, version).unwrap(),)*
                other => panic!("{other:?} is not in this test"),
            }
        };
    }
    encode!(
        Fetch,
        ListOffsets,
        Metadata,
        OffsetCommit,
        OffsetFetch,
        FindCoordinator,
        JoinGroup,
        Heartbeat,
        LeaveGroup,
        SyncGroup,
        DescribeGroups,
        ListGroups,
        ApiVersions,
        CreateTopics,
        DeleteTopics,
        DeleteRecords,
        InitProducerId,
        OffsetForLeaderEpoch,
        AddPartitionsToTxn,
        AddOffsetsToTxn,
        EndTxn,
        TxnOffsetCommit,
        DescribeConfigs,
        AlterConfigs,
        IncrementalAlterConfigs,
        CreatePartitions,
        DeleteGroups,
        OffsetDelete,
        DescribeCluster,
        DescribeProducers,
        DescribeTransactions,
        ListTransactions,
        DescribeTopicPartitions,
        ListPartitionReassignments,
        ListConfigResources,
        DescribeLogDirs,
        WriteTxnMarkers,
        ConsumerGroupHeartbeat,
        ConsumerGroupDescribe,
        SaslHandshake,
        SaslAuthenticate,
        DescribeAcls,
        CreateAcls,
        DeleteAcls
    );
    body.freeze()
}

#[test]
fn every_request_is_answered_in_every_version() {
    let (runtime, broker) = (runtime(), broker());
    for api in all() {
        for version in api.min..=api.max {
            exchange(&runtime, &broker, api, version, plain(api.key, version));
        }
    }
}

fn encoded(request: &impl Encodable, version: i16) -> Bytes {
    let mut body = BytesMut::new();
    request.encode(&mut body, version).unwrap();
    body.freeze()
}

/// Few records and many, of one batch and of several, none, and errors: in each version what is put together by hand is what
/// the generated decoder reads.
#[test]
fn a_fetch_brings_the_records_of_the_log_in_every_version() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let broker = broker();
    let sizes: [&[usize]; 5] = [&[], &[10], &[200, 3_000, 9_000], &[100_000], &[2_000; 50]];
    for (name, sizes) in ["none", "few", "some", "large", "many"].into_iter().zip(sizes) {
        broker.log.create_topic(&TopicSpec::new(name, 2)).unwrap();
        for size in sizes {
            let mut batch = BatchBuilder::new();
            batch.push(0, None, Some(&vec![b'v'; *size]));
            broker.log.append(&TopicPartition::new(name, 1), batch.finish().unwrap()).unwrap().wait().unwrap();
        }
    }
    let names = ["none", "few", "some", "unknown", "large", "many"];
    let api = find(ApiKey::Fetch as i16).unwrap();
    for version in api.min..=api.max {
        let topics = names.map(|name| {
            let partitions = [0, 1, 2]
                .map(|index| FetchPartition::default().with_partition(index).with_partition_max_bytes(1 << 20));
            let topic = FetchTopic::default().with_partitions(partitions.to_vec());
            match crate::topic_id::topic_id(&broker.log, name) {
                _ if version < 13 => topic.with_topic(TopicName(crate::text::text(name))),
                id if id.is_nil() => topic.with_topic_id(Uuid::from_u128(1)),
                id => topic.with_topic_id(id),
            }
        });
        let request = FetchRequest::default().with_max_bytes(1 << 24).with_topics(topics.to_vec());
        let answer = exchange(&runtime, &broker, api, version, encoded(&request, version));
        let ResponseKind::Fetch(response) = answer else { panic!() };
        assert_eq!(response.responses.len(), names.len());
        for (name, topic) in names.into_iter().zip(response.responses) {
            assert_eq!(topic.partitions.len(), 3, "{name} {version}");
            for partition in topic.partitions {
                let from = TopicPartition::new(name, partition.partition_index);
                let expected = broker.log.fetch(&from, 0, 1 << 24, Isolation::ReadUncommitted);
                assert_eq!(partition.error_code == 0, expected.is_ok(), "{name} {version}");
                let expected = expected.unwrap_or_default();
                assert_eq!(partition.records.as_ref().unwrap(), &expected.bytes, "{name} {version}");
                assert!(partition.error_code != 0 || partition.high_watermark == expected.high_watermark);
            }
        }
    }
}

/// The life of a topic, by clients of each version.
#[test]
fn a_topic_lives_and_dies_in_every_version() {
    let (runtime, broker) = (runtime(), broker());
    let send = |key: ApiKey, version: i16, body: Bytes| {
        let api = find(key as i16).unwrap();
        exchange(&runtime, &broker, api, version.clamp(api.min, api.max), body)
    };
    let name = || TopicName(crate::text::text("t"));
    for version in 0..=13 {
        let within = |key: ApiKey| {
            let api = find(key as i16).unwrap();
            version.clamp(api.min, api.max)
        };
        let metadata = MetadataRequest::default()
            .with_topics(Some(vec![MetadataRequestTopic::default().with_name(Some(name()))]))
            .with_allow_auto_topic_creation(true);
        let at = within(ApiKey::Metadata);
        let ResponseKind::Metadata(response) = send(ApiKey::Metadata, at, encoded(&metadata, at)) else { panic!() };
        assert_eq!((response.topics[0].error_code, response.topics[0].partitions.len()), (0, 1), "{version}");
        let id = response.topics[0].topic_id;
        let all = MetadataRequest::default().with_topics(if at > 0 { None } else { Some(Vec::new()) });
        let ResponseKind::Metadata(response) = send(ApiKey::Metadata, at, encoded(&all, at)) else { panic!() };
        assert_eq!(response.topics.len(), 3);

        let resource = DescribeConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(crate::text::text("t"))
            .with_configuration_keys(None);
        let describe = DescribeConfigsRequest::default().with_resources(vec![resource]).with_include_synonyms(true);
        let at = within(ApiKey::DescribeConfigs);
        let described = send(ApiKey::DescribeConfigs, at, encoded(&describe, at));
        let ResponseKind::DescribeConfigs(response) = described else { panic!() };
        assert!(response.results[0].configs.len() > 25);

        let at = within(ApiKey::DeleteTopics);
        let request = if at >= 6 {
            let topic = DeleteTopicState::default().with_name(Some(name()));
            DeleteTopicsRequest::default().with_topics(vec![topic])
        } else {
            DeleteTopicsRequest::default().with_topic_names(vec![name()])
        };
        // The second time there is none.
        for expected in [0, 3] {
            let deleted = send(ApiKey::DeleteTopics, at, encoded(&request, at));
            let ResponseKind::DeleteTopics(response) = deleted else { panic!() };
            assert_eq!(response.responses[0].error_code, expected, "{version}");
        }
        let at = within(ApiKey::Metadata);
        if at >= 4 {
            let metadata = metadata.with_allow_auto_topic_creation(false);
            let ResponseKind::Metadata(response) = send(ApiKey::Metadata, at, encoded(&metadata, at)) else { panic!() };
            assert_eq!(response.topics[0].error_code, 3);
        }
        if at >= 12 {
            let by_id = MetadataRequestTopic::default().with_name(None).with_topic_id(id);
            let metadata = MetadataRequest::default()
                .with_topics(Some(vec![by_id]))
                .with_include_topic_authorized_operations(true);
            let ResponseKind::Metadata(response) = send(ApiKey::Metadata, at, encoded(&metadata, at)) else { panic!() };
            let unknown = &response.topics[0];
            assert_eq!(unknown.error_code, ResponseError::UnknownTopicId.code());
            assert_eq!(unknown.topic_authorized_operations, i32::MIN);
        }
    }
}

//! What outlives a connection (offsets, transactional ids, producers, topics) takes a bounded part of the memory, and what
//! is there can still be used.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod typed;
mod wire;

use std::net::TcpStream;
use std::sync::Mutex;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, ApiKey, CreatePartitionsRequest, CreatePartitionsResponse,
    CreateTopicsRequest, CreateTopicsResponse, GroupId, InitProducerIdRequest, InitProducerIdResponse, MetadataRequest,
    MetadataResponse, OffsetCommitRequest, OffsetCommitResponse, ProduceResponse, ProducerId, TransactionalId,
    TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};
use millstream_broker::BrokerOptions;
use millstream_log::record::BatchBuilder;
use millstream_log::{Log, Producer, TopicPartition, TopicSpec};
use typed::{ask, assert_produces_and_fetches, produce_request, text, topic_name};
use wire::{assert_serves, connect, resident_kib, start};

const SECOND: Duration = Duration::from_secs(1);

/// One of them measures the process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn commit(stream: &mut TcpStream, group: &str, partitions: i32, metadata: &str) -> i16 {
    let partition = |index| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(index)
            .with_committed_offset(7)
            .with_committed_metadata(Some(text(metadata)))
    };
    let topic = OffsetCommitRequestTopic::default()
        .with_name(topic_name("t"))
        .with_partitions((0..partitions).map(partition).collect());
    let request = OffsetCommitRequest::default().with_group_id(GroupId(text(group))).with_topics(vec![topic]);
    let answer: OffsetCommitResponse = ask(stream, ApiKey::OffsetCommit, 7, &request);
    answer.topics[0].partitions[0].error_code
}

#[test]
fn offsets_of_groups_are_bounded_and_those_that_are_there_move() {
    let _alone = ONE_AT_A_TIME.lock();
    let options = BrokerOptions { offsets_bytes_max: 4 << 20, ..BrokerOptions::default() };
    let (log, _listener, address) = start(options);
    log.create_topic(&TopicSpec::new("t", 1_000)).unwrap();
    let mut client = connect(address);
    assert_eq!(commit(&mut client, "there", 3, "m"), 0);
    let too_large = ResponseError::InvalidCommitOffsetSize.code();
    let mut refused = 0;
    for number in 0..1_000 {
        // Each takes 24 KiB.
        let code = commit(&mut client, &format!("{number}-{}", "g".repeat(20_000)), 1, &"m".repeat(4_000));
        assert!([0, too_large].contains(&code), "{code}");
        refused += i32::from(code == too_large);
    }
    assert!((800..850).contains(&refused), "{refused}");
    assert!(log.group_offsets_bytes() <= 4 << 20);
    assert_eq!(commit(&mut client, "there", 3, "m"), 0);
    assert_eq!(commit(&mut client, "there", 3, &"m".repeat(5_000)), ResponseError::OffsetMetadataTooLarge.code());
    assert_produces_and_fetches(address, SECOND);
    // Its name would be kept with every offset.
    assert_eq!(commit(&mut client, &"g".repeat(20_000), 1_000, ""), too_large);
    log.delete_group(&format!("0-{}", "g".repeat(20_000))).unwrap();
    assert_eq!(commit(&mut client, "new", 3, "m"), 0);
}

fn init(stream: &mut TcpStream, id: &str) -> InitProducerIdResponse {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(TransactionalId(text(id))))
        .with_transaction_timeout_ms(60_000);
    ask(stream, ApiKey::InitProducerId, 2, &request)
}

fn commit_in_transaction(stream: &mut TcpStream, producer: Producer, group: &str, partitions: i32) -> i16 {
    let partition = |index| {
        TxnOffsetCommitRequestPartition::default()
            .with_partition_index(index)
            .with_committed_offset(8)
            .with_committed_metadata(Some(text("m")))
    };
    let topic = TxnOffsetCommitRequestTopic::default()
        .with_name(topic_name("t"))
        .with_partitions((0..partitions).map(partition).collect());
    let request = TxnOffsetCommitRequest::default()
        .with_transactional_id(TransactionalId(text("id")))
        .with_group_id(GroupId(text(group)))
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch)
        .with_topics(vec![topic]);
    let answer: TxnOffsetCommitResponse = ask(stream, ApiKey::TxnOffsetCommit, 5, &request);
    answer.topics[0].partitions[0].error_code
}

#[test]
fn offsets_of_transactions_move_also_when_the_memory_for_offsets_is_used_up() {
    let _alone = ONE_AT_A_TIME.lock();
    let options =
        BrokerOptions { offsets_bytes_max: 1 << 20, pending_offsets_bytes_max: 1 << 20, ..BrokerOptions::default() };
    let (log, _listener, address) = start(options);
    log.create_topic(&TopicSpec::new("t", 1_000)).unwrap();
    let mut client = connect(address);
    assert_eq!(commit(&mut client, "there", 1_000, "m"), 0);
    let too_large = ResponseError::InvalidCommitOffsetSize.code();
    let mut groups = 0..;
    while commit(&mut client, &format!("{}", groups.next().unwrap()), 100, "") == 0 {}
    while commit(&mut client, &format!("{}", groups.next().unwrap()), 1, "") == 0 {}
    let made = init(&mut client, "id");
    let producer = Producer { id: made.producer_id.0, epoch: made.producer_epoch };
    for _ in 0..20 {
        assert_eq!(commit_in_transaction(&mut client, producer, "there", 1_000), 0);
        log.end_transaction(producer, true, &[]).unwrap().wait().unwrap();
    }
    assert_eq!(log.group_offset("there", &TopicPartition::new("t", 999)).unwrap(), Some(8));
    assert_eq!(commit_in_transaction(&mut client, producer, "new", 1), too_large);
    // What is held back until the end has a bound of its own.
    let codes: Vec<i16> = (0..20).map(|_| commit_in_transaction(&mut client, producer, "there", 1_000)).collect();
    assert!(codes[..5].iter().all(|code| *code == 0) && codes[10..].iter().all(|code| *code == too_large), "{codes:?}");
    assert!(log.group_offsets_bytes() < 2 << 20);
    log.end_transaction(producer, false, &[]).unwrap().wait().unwrap();
    assert_eq!(commit_in_transaction(&mut client, producer, "there", 1_000), 0);
}

#[test]
fn transactional_ids_are_bounded_and_those_that_are_there_are_used() {
    let _alone = ONE_AT_A_TIME.lock();
    let options = BrokerOptions { transactions_bytes_max: 1 << 20, ..BrokerOptions::default() };
    let (log, _listener, address) = start(options);
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    let mut client = connect(address);
    let mut init = |id: &str| init(&mut client, id).error_code;
    assert_eq!(init("there"), 0);
    let codes: Vec<i16> = (0..100).map(|number| init(&format!("{number}-{}", "x".repeat(10_000)))).collect();
    let full = ResponseError::PolicyViolation.code();
    assert!(codes.iter().all(|code| [0, full].contains(code)), "{codes:?}");
    assert!((70..80).contains(&codes.iter().filter(|code| **code == full).count()), "{codes:?}");
    assert_eq!(init("there"), 0);
    assert!(log.transactions_bytes() < 2 << 20);
    assert_produces_and_fetches(address, SECOND);
}

#[test]
fn a_transaction_of_few_partitions_is_begun_when_the_memory_is_used_up_and_none_of_many() {
    let _alone = ONE_AT_A_TIME.lock();
    let options = BrokerOptions { transactions_bytes_max: 100_000, ..BrokerOptions::default() };
    let (log, _listener, address) = start(options);
    log.create_topic(&TopicSpec::new("t", 100)).unwrap();
    let mut client = connect(address);
    let made = init(&mut client, "id");
    let producer = Producer { id: made.producer_id.0, epoch: made.producer_epoch };
    let rest = "x".repeat((100_000 - log.transactions_bytes() - 520) / 4);
    assert_eq!(init(&mut client, &rest).error_code, 0);
    assert_eq!(init(&mut client, "other").error_code, ResponseError::PolicyViolation.code());
    let add = |stream: &mut TcpStream, partitions: std::ops::Range<i32>| {
        let topic = AddPartitionsToTxnTopic::default().with_name(topic_name("t")).with_partitions(partitions.collect());
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(TransactionalId(text("id")))
            .with_v3_and_below_producer_id(ProducerId(producer.id))
            .with_v3_and_below_producer_epoch(producer.epoch)
            .with_v3_and_below_topics(vec![topic]);
        let answer: AddPartitionsToTxnResponse = ask(stream, ApiKey::AddPartitionsToTxn, 3, &request);
        answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
    };
    let produce = |stream: &mut TcpStream, partition: i32| {
        let mut batch = BatchBuilder::new().with_producer(producer.id, producer.epoch, 0).transactional();
        batch.push(0, None, Some(b"v"));
        let mut request = produce_request("t", batch.finish().unwrap());
        request.topic_data[0].partition_data[0].index = partition;
        let produced: ProduceResponse = ask(stream, ApiKey::Produce, 12, &request);
        produced.responses[0].partition_responses[0].error_code
    };
    let full = ResponseError::PolicyViolation.code();
    assert_eq!([add(&mut client, 0..8), add(&mut client, 8..15), produce(&mut client, 15)], [0, 0, 0]);
    assert_eq!([add(&mut client, 16..17), produce(&mut client, 16)], [full, full]);
    // What is in it can be used on.
    assert_eq!([add(&mut client, 0..16), produce(&mut client, 3)], [0, 0]);
    log.end_transaction(producer, true, &[]).unwrap().wait().unwrap();
    assert_eq!([add(&mut client, 0..17), add(&mut client, 50..66)], [full, 0]);
}

#[test]
fn any_number_of_producers_leaves_a_partition_with_those_that_wrote_last() {
    let _alone = ONE_AT_A_TIME.lock();
    let (log, _listener, address) = start(BrokerOptions::default());
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    let mut client = connect(address);
    for id in 0..12_000i64 {
        let mut batch = BatchBuilder::new().with_producer(1_000_000 + id, 0, 0);
        batch.push(0, None, Some(b"v"));
        let request = produce_request("t", batch.finish().unwrap());
        let produced: ProduceResponse = ask(&mut client, ApiKey::Produce, 9, &request);
        assert_eq!(produced.responses[0].partition_responses[0].error_code, 0);
    }
    let known = log.producers(&TopicPartition::new("t", 0)).unwrap();
    assert!(known.len() <= 5_000, "{}", known.len());
    assert_eq!(known.last().unwrap().producer.id, 1_011_999);
    assert_serves(address);
}

fn create(stream: &mut TcpStream, topics: &[(String, i32)]) -> Vec<i16> {
    let topic = |(name, partitions): &(String, i32)| {
        CreatableTopic::default()
            .with_name(topic_name(name))
            .with_num_partitions(*partitions)
            .with_replication_factor(1)
    };
    let request = CreateTopicsRequest::default().with_topics(topics.iter().map(topic).collect());
    let answer: CreateTopicsResponse = ask(stream, ApiKey::CreateTopics, 4, &request);
    answer.topics.iter().map(|topic| topic.error_code).collect()
}

#[test]
fn clients_create_so_many_partitions_and_no_more() {
    let _alone = ONE_AT_A_TIME.lock();
    let (log, _listener, address) = start(BrokerOptions { partitions_max: 3_000, ..BrokerOptions::default() });
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    let mut client = connect(address);
    let full = ResponseError::PolicyViolation.code();
    let there = log.topics().unwrap().iter().map(|topic| topic.partitions).sum::<i32>();
    assert_eq!(create(&mut client, &[("a".to_owned(), 2_000), ("b".to_owned(), 2_000)]), [0, full]);
    assert_eq!(create(&mut client, &[("b".to_owned(), 1_000 - there), ("c".to_owned(), 1)]), [0, full]);
    let more = CreatePartitionsTopic::default().with_name(topic_name("a")).with_count(2_500);
    let request = CreatePartitionsRequest::default().with_topics(vec![more]).with_timeout_ms(1_000);
    let grown: CreatePartitionsResponse = ask(&mut client, ApiKey::CreatePartitions, 2, &request);
    assert_eq!(grown.results[0].error_code, full);
    // By naming it.
    let topic = MetadataRequestTopic::default().with_name(Some(topic_name("new")));
    let request = MetadataRequest::default().with_topics(Some(vec![topic])).with_allow_auto_topic_creation(true);
    let named: MetadataResponse = ask(&mut client, ApiKey::Metadata, 4, &request);
    assert_eq!(named.topics[0].error_code, ResponseError::UnknownTopicOrPartition.code());
    assert_produces_and_fetches(address, SECOND);
    log.delete_topic("b").unwrap();
    assert_eq!(create(&mut client, &[("c".to_owned(), 1)]), [0]);
}

#[test]
fn one_request_creates_so_many_partitions() {
    let _alone = ONE_AT_A_TIME.lock();
    let (_log, _listener, address) = start(BrokerOptions::default());
    let mut client = connect(address);
    let before = resident_kib();
    let topics: Vec<_> = (0..200).map(|number| (format!("t{number}"), 100)).collect();
    let codes = create(&mut client, &topics);
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 100);
    let grown = resident_kib().saturating_sub(before);
    println!("10,000 partitions: {grown} KiB");
    assert!(grown < 100 << 10, "{grown} KiB");
}

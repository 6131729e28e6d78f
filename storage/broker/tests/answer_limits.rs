//! What one request makes the broker allocate is in proportion to its size, and what is made for an answer is counted until it is
//! sent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod typed;
mod wire;

use std::io::Write;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, DescribeProducersRequest, DescribeProducersResponse, GroupId, OffsetFetchRequest, OffsetFetchResponse,
    ProduceRequest, ProduceResponse,
};
use millstream_broker::BrokerOptions;
use millstream_log::record::BatchBuilder;
use millstream_log::{Log, TopicPartition, TopicSpec, WriteBatch};
use typed::{ask, assert_produces_and_fetches, frame_of, receive, text, topic_name};
use wire::{assert_serves, connect, resident_kib, start};

const SECOND: Duration = Duration::from_secs(1);

/// Each test measures the process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// How far the process grows at most while `work` is done, in KiB.
fn peak_kib(work: impl FnOnce()) -> u64 {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = resident_kib();
    work();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap().saturating_sub(before)
}

/// Produces `data` to each of the partitions of a topic.
fn produce_to_all(topic: &str, partitions: i32, data: &Bytes) -> ProduceRequest {
    let partition = |index| PartitionProduceData::default().with_index(index).with_records(Some(data.clone()));
    let topic = TopicProduceData::default()
        .with_name(topic_name(topic))
        .with_partition_data((0..partitions).map(partition).collect());
    ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(vec![topic])
}

#[test]
fn names_are_not_repeated_for_each_partition() {
    let _alone = ONE_AT_A_TIME.lock();
    let (log, _listener, address) = start(BrokerOptions::default());
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    let (name, partitions) = ("n".repeat(30_000), 20_000);
    let mut client = connect(address);
    let grown = peak_kib(|| {
        let topic = OffsetFetchRequestTopics::default()
            .with_name(topic_name("t"))
            .with_partition_indexes((0..partitions).collect());
        let group =
            OffsetFetchRequestGroup::default().with_group_id(GroupId(text(&*name))).with_topics(Some(vec![topic]));
        let request = OffsetFetchRequest::default().with_groups(vec![group]);
        let fetched: OffsetFetchResponse = ask(&mut client, ApiKey::OffsetFetch, 8, &request);
        assert_eq!(fetched.groups[0].topics[0].partitions.len(), 20_000);

        let request = produce_to_all(&name, partitions, &Bytes::from_static(b"x"));
        let produced: ProduceResponse = ask(&mut client, ApiKey::Produce, 9, &request);
        assert_eq!(produced.responses[0].partition_responses[19_999].error_code, 3);

        let topic =
            TopicRequest::default().with_name(topic_name(&name)).with_partition_indexes((0..partitions).collect());
        let request = DescribeProducersRequest::default().with_topics(vec![topic]);
        let described: DescribeProducersResponse = ask(&mut client, ApiKey::DescribeProducers, 0, &request);
        assert_eq!(described.topics[0].partitions[19_999].error_code, 3);
    });
    assert!(grown < 100 << 10, "{grown} KiB");
    assert_produces_and_fetches(address, SECOND);
}

#[test]
fn a_groups_name_is_not_repeated_for_each_offset() {
    let _alone = ONE_AT_A_TIME.lock();
    let (log, _listener, address) = start(BrokerOptions::default());
    log.create_topic(&TopicSpec::new("t", 10_000)).unwrap();
    let name = "g".repeat(30_000);
    for first in (0..10_000).step_by(200) {
        let offset = |index| millstream_log::GroupOffset::new(&*name, TopicPartition::new("t", index), 7);
        let offsets = (first..first + 200).map(offset).collect();
        log.write(WriteBatch { batches: Vec::new(), offsets }).unwrap().wait().unwrap();
    }
    let mut client = connect(address);
    let grown = peak_kib(|| {
        let request = OffsetFetchRequest::default().with_group_id(GroupId(text(&*name))).with_topics(None);
        let fetched: OffsetFetchResponse = ask(&mut client, ApiKey::OffsetFetch, 7, &request);
        assert_eq!(fetched.topics[0].partitions.len(), 10_000);
        assert!(fetched.topics[0].partitions.iter().all(|partition| partition.committed_offset == 7));
    });
    assert!(grown < 60 << 10, "{grown} KiB");
}

#[test]
fn a_small_request_with_many_faults_has_a_small_answer() {
    let _alone = ONE_AT_A_TIME.lock();
    let (log, _listener, address) = start(BrokerOptions::default());
    let compacted = TopicSpec::new("t", 1).compacted();
    log.create_topic(&compacted).unwrap();
    // None of its records has the key that it needs.
    let mut batch = BatchBuilder::new();
    (0..50_000).for_each(|_| batch.push(0, None, Some(b"v")));
    let batch = Bytes::from(batch.finish().unwrap());
    let mut client = connect(address);
    let grown = peak_kib(|| {
        let mut request = produce_to_all("t", 1, &batch);
        let part = request.topic_data[0].partition_data[0].clone();
        request.topic_data[0].partition_data = vec![part; 20];
        let produced: ProduceResponse = ask(&mut client, ApiKey::Produce, 9, &request);
        let parts = &produced.responses[0].partition_responses;
        assert!(parts.iter().all(|part| part.error_code == 87));
        assert!(parts[0].error_message.is_some() && parts[0].record_errors[1].batch_index == 1);
        let records: usize = parts.iter().map(|part| part.record_errors.len()).sum();
        assert!((1_000..10_000).contains(&records), "{records}");
    });
    assert!(grown < 100 << 10, "{grown} KiB");
    assert_serves(address);
}

#[test]
fn answers_that_wait_for_those_before_them_are_counted() {
    let _alone = ONE_AT_A_TIME.lock();
    let (log, _listener, address) = start(BrokerOptions { answers_bytes_max: 16 << 20, ..BrokerOptions::default() });
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    // Each of its answers takes some 10 MB in memory and 2 MB as a frame, which the system does not take from the broker at once.
    let produce = frame_of(ApiKey::Produce, 9, &produce_to_all("unknown", 50_000, &Bytes::from_static(b"x")), 0);
    let grown = peak_kib(|| {
        let mut stuck = Vec::new();
        for _ in 0..4 {
            let mut stream = connect(address);
            stream.set_write_timeout(Some(SECOND)).unwrap();
            // Who asks for too much is disconnected.
            let _ = (0..16).try_for_each(|_| stream.write_all(&produce));
            stuck.push(stream);
        }
        std::thread::sleep(SECOND);
    });
    assert!(grown < 150 << 10, "{grown} KiB");
    assert_produces_and_fetches(address, SECOND);
    // One at a time is answered.
    let mut client = connect(address);
    for _ in 0..3 {
        client.write_all(&produce).unwrap();
        let produced: ProduceResponse = receive(&mut client, ApiKey::Produce, 9);
        assert_eq!(produced.responses[0].partition_responses.len(), 50_000);
    }
}

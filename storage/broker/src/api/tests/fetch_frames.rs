//! What the answer to a fetch takes beside records is counted against the memory for such answers.

use std::time::Duration;

use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use millstream_log::{Log, TopicSpec};
use tokio::time::timeout;
use uuid::Uuid;

use super::*;
use crate::text::text;

const PARTITIONS: i32 = 2_000;

fn broker_with_partitions() -> Arc<Broker> {
    let broker = broker();
    broker.log.create_topic(&TopicSpec::new("t", PARTITIONS)).unwrap();
    broker
}

fn topic(name: &str, partitions: i32) -> FetchTopic {
    let partition = |index| FetchPartition::default().with_partition(index).with_partition_max_bytes(1 << 20);
    FetchTopic::default().with_topic(TopicName(text(name))).with_partitions((0..partitions).map(partition).collect())
}

/// A fetch that does not wait for records.
fn fetch(version: i16, topics: Vec<FetchTopic>) -> Bytes {
    encoded(&FetchRequest::default().with_max_bytes(1 << 20).with_topics(topics), version)
}

#[test]
fn an_answer_without_records_is_counted_to_the_last_byte() {
    let (runtime, broker) = (runtime(), broker_with_partitions());
    let api = find(ApiKey::Fetch as i16).unwrap();
    let of_id = |id: u128, partitions| topic("", partitions).with_topic_id(Uuid::from_u128(id));
    let fetches = [
        ("many partitions", 12, vec![topic("t", PARTITIONS)]),
        ("many partitions that there are not", 12, vec![topic("none", PARTITIONS)]),
        ("long names", 12, (0..100).map(|number| topic(&number.to_string().repeat(500), 1)).collect()),
        ("ids of no topic", 13, (1..1_000).map(|id| of_id(id, 1)).collect()),
        ("topics without partitions", 13, (1..2_000).map(|id| of_id(id, 0)).collect()),
    ];
    for (what, version, topics) in fetches {
        let answer = run(call(&broker, api, version), fetch(version, topics));
        let reply = runtime.block_on(answer).unwrap_or_else(|_| panic!("{what}: no answer"));
        let bytes = reply.frame.len();
        assert!(bytes > 20_000, "{what}: only {bytes} bytes");
        let (budget, share) = reply.held.as_ref().unwrap_or_else(|| panic!("{what}: not counted"));
        assert_eq!(share.bytes(), bytes, "{what}");
        let all = broker.options.responses_bytes_max;
        assert!(broker.responses.has(all - bytes) && !broker.responses.has(all - bytes + 1), "{what}");
        assert!(!budget.has(all - bytes + 1), "{what}: it is of other memory");
        drop(reply);
        assert!(broker.responses.has(all), "{what}: it is not given back");
    }
}

#[test]
fn an_answer_without_records_waits_for_its_memory() {
    let (runtime, broker) = (runtime(), broker_with_partitions());
    let api = find(ApiKey::Fetch as i16).unwrap();
    let all = broker.options.responses_bytes_max;
    // One answer at a time may go on without memory; this one has that.
    let held = broker.responses.try_take(all).unwrap();
    let mut overdraft = crate::budget::Share::default();
    runtime.block_on(broker.responses.grow(&mut overdraft, 1, 1));
    let mut answer = runtime.spawn(run(call(&broker, api, 12), fetch(12, vec![topic("t", PARTITIONS)])));
    let soon = runtime.block_on(async { timeout(Duration::from_millis(300), &mut answer).await.is_ok() });
    assert!(!soon, "there is no memory");
    drop(held);
    let reply = runtime.block_on(async { timeout(Duration::from_secs(3), answer).await });
    let reply = reply.unwrap().unwrap().unwrap_or_else(|_| panic!("no answer"));
    let (_, share) = reply.held.unwrap();
    assert_eq!(share.bytes(), reply.frame.len());
}

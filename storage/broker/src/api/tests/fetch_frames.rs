//! What the answer to a fetch takes beside records is counted against the memory for answers.

use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use millstream_log::{Log, TopicSpec};
use uuid::Uuid;

use super::*;
use crate::call::Reply;
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
        ("topics without partitions", 13, (1..2_000).map(|id| of_id(id, 0)).collect::<Vec<_>>()),
    ];
    let all = broker.options.answers_bytes_max;
    for (what, version, topics) in fetches {
        let answer = || runtime.block_on(run(call(&broker, api, version), fetch(version, topics.clone())));
        let Reply { frame, held } = answer().unwrap_or_else(|_| panic!("{what}: no answer"));
        let bytes = frame.collect().len();
        assert!(broker.answers.has(all - bytes) && !broker.answers.has(all - bytes + 1), "{what}");
        assert!(bytes > 20_000, "{what}: only {bytes} bytes");
        drop(held);
        assert!(broker.answers.has(all), "{what}: it is not given back");
        // While it is made it takes more, and there must be memory for that, too.
        let _others = broker.answers.try_take(all - bytes).unwrap();
        assert!(answer().is_err(), "{what}: there is no memory for what it is made from");
    }
}

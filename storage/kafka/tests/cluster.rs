//! The log's contract against a real Apache Kafka broker.
//!
//! `tests/broker/start DIR` starts one; `MILLSTREAM_KAFKA` names its address.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use millstream_kafka::KafkaLog;
use millstream_log::record::BatchBuilder;
use millstream_log::{Error, GroupOffset, Isolation, Log, TopicPartition, TopicSpec, WriteBatch, read_all};

const WAIT: Duration = Duration::from_secs(30);

fn servers() -> String {
    std::env::var("MILLSTREAM_KAFKA").expect("MILLSTREAM_KAFKA names a broker, see tests/broker/start")
}

/// A name that no earlier run has used.
fn fresh(name: &str) -> String {
    format!("{name}-{}", SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos())
}

fn batch(values: &[&str]) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for (at, value) in values.iter().enumerate() {
        let headers: &[(&str, Option<&[u8]>)] = if at == 0 { &[("h", Some(b"1")), ("h", None)] } else { &[] };
        builder.push_with_headers(1_000 + at as i64, Some(b"k"), Some(value.as_bytes()), headers);
    }
    builder.finish().unwrap()
}

fn values(log: &dyn Log, partition: &TopicPartition) -> Vec<(i64, String)> {
    let mut values = Vec::new();
    read_all(log, partition, |batch| {
        for record in batch.iter() {
            let record = record?;
            values.push((record.offset, String::from_utf8_lossy(record.value.unwrap()).into_owned()));
        }
        Ok::<_, Error>(())
    })
    .unwrap();
    values
}

#[test]
fn appends_get_their_offsets_and_are_read_back_with_key_time_and_headers() {
    let log = KafkaLog::connect(&servers(), &fresh("id")).unwrap();
    let topic = fresh("appends");
    let info = log.create_topic(&TopicSpec::new(topic.as_str(), 2).kept_for_ever()).unwrap();
    assert_eq!(info.partitions, 2);
    assert!(matches!(log.create_topic(&TopicSpec::new(topic.as_str(), 2)), Err(Error::TopicExists(_))));
    assert_eq!(log.topic(&topic).unwrap().unwrap().config.retention_ms, -1);

    let partition = TopicPartition::new(topic.as_str(), 1);
    assert_eq!(log.append(&partition, batch(&["a", "b"])).unwrap().wait().unwrap(), 0);
    assert_eq!(log.append(&partition, batch(&["c"])).unwrap().wait().unwrap(), 2);
    assert_eq!(log.offsets(&partition).unwrap(), (0, 3));

    let (wake, woken) = channel();
    let _watch = log.watch(&partition, Arc::new(move || _ = wake.send(()))).unwrap();
    let mut fetched = log.fetch(&partition, 1, 1 << 20, Isolation::ReadCommitted).unwrap();
    while fetched.next_offset == 1 {
        woken.recv_timeout(WAIT).unwrap();
        fetched = log.fetch(&partition, 1, 1 << 20, Isolation::ReadCommitted).unwrap();
    }
    let reader = fetched.batches().next().unwrap().unwrap();
    let first = reader.iter().next().unwrap().unwrap();
    assert_eq!((first.offset, first.timestamp_ms, first.key), (1, 1_001, Some(b"k".as_slice())));
    assert_eq!(values(&log, &partition).len(), 3);
    let whole = log.fetch(&partition, 0, 1 << 20, Isolation::ReadCommitted).unwrap();
    drop(whole);

    log.delete_topic(&topic).unwrap();
    assert!(matches!(log.delete_topic(&topic), Err(Error::UnknownTopic(_))));
}

#[test]
fn a_write_moves_batches_and_offsets_together_and_a_fenced_writer_changes_nothing() {
    let (id, topic, group) = (fresh("id"), fresh("writes"), fresh("group"));
    let old = KafkaLog::connect(&servers(), &id).unwrap();
    old.create_topic(&TopicSpec::new(topic.as_str(), 2)).unwrap();
    let partitions = [0, 1].map(|number| TopicPartition::new(topic.as_str(), number));
    let write = |log: &KafkaLog, value: &str, offset: i64| {
        let batches = partitions.iter().map(|partition| (partition.clone(), batch(&[value]))).collect();
        let offsets = vec![GroupOffset::new(group.clone(), partitions[0].clone(), offset)];
        log.write(WriteBatch { batches, offsets }).unwrap().wait()
    };
    write(&old, "first", 1).unwrap();
    assert_eq!(old.group_offset(&group, &partitions[0]).unwrap(), Some(1));
    assert_eq!(old.group_offset(&group, &partitions[1]).unwrap(), None);

    let new = KafkaLog::connect(&servers(), &id).unwrap();
    assert!(write(&old, "fenced", 2).is_err());
    write(&new, "second", 3).unwrap();
    assert_eq!(new.group_offset(&group, &partitions[0]).unwrap(), Some(3));
    for partition in &partitions {
        // Transaction markers take offsets too.
        let read: Vec<String> = values(&new, partition).into_iter().map(|(_, value)| value).collect();
        assert_eq!(read, ["first", "second"]);
    }
    new.delete_group(&group).unwrap();
    assert_eq!(new.group_offset(&group, &partitions[0]).unwrap(), None);
    new.delete_topic(&topic).unwrap();
}

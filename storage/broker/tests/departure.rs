//! What a client has asked for is done although it goes away without waiting.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

#[allow(dead_code)]
mod typed;
#[allow(dead_code)]
mod wire;

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::{ApiKey, GroupId, MetadataRequest, MetadataResponse, OffsetCommitRequest};
use millstream_broker::BrokerOptions;
use millstream_log::{Isolation, Log, TopicPartition, TopicSpec};
use typed::{batch_of, fetch_request, frame_of, produce_request, receive, text, topic_name};
use wire::{connect, start};

/// Whether something is so within some seconds.
fn soon(is_so: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(6) {
        if is_so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

fn send_and_close(mut stream: TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).unwrap();
    stream.shutdown(Shutdown::Both).unwrap();
}

fn commit(group: &str, offset: i64) -> Vec<u8> {
    let partition = OffsetCommitRequestPartition::default().with_partition_index(0).with_committed_offset(offset);
    let topic = OffsetCommitRequestTopic::default().with_name(topic_name("t")).with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default().with_group_id(GroupId(text(group))).with_topics(vec![topic]);
    frame_of(ApiKey::OffsetCommit, 8, &request, 0)
}

#[test]
fn requests_before_the_end_are_all_done() {
    let (log, _listener, address) = start(BrokerOptions::default());
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    let partition = TopicPartition::new("t", 0);
    // More than may be under way at a time, of which nobody wants an answer.
    let produce = frame_of(ApiKey::Produce, 9, &produce_request("t", batch_of(10)).with_acks(0), 0);
    for round in 1..=20 {
        send_and_close(connect(address), &produce.repeat(100));
        let end = || log.fetch(&partition, 0, 1, Isolation::ReadUncommitted).unwrap().high_watermark;
        assert!(soon(|| end() == 100 * round), "{} records in round {round}", end());
    }
}

#[test]
fn offsets_are_committed_although_nobody_waits_for_the_answer() {
    let (log, _listener, address) = start(BrokerOptions::default());
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    for offset in 1..=50 {
        // A client says no more, and reads on.
        let stream = connect(address);
        (&stream).write_all(&[commit("g", offset), commit("h", offset)].concat()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let committed = |group| log.group_offset(group, &TopicPartition::new("t", 0)).unwrap();
        assert!(soon(|| committed("g") == Some(offset) && committed("h") == Some(offset)), "{offset}");
    }
}

#[test]
fn answers_come_although_nothing_more_is_asked() {
    let (_log, _listener, address) = start(BrokerOptions::default());
    let mut stream = connect(address);
    stream.write_all(&frame_of(ApiKey::Metadata, 4, &MetadataRequest::default(), 0).repeat(3)).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    for _ in 0..3 {
        let _: MetadataResponse = receive(&mut stream, ApiKey::Metadata, 4);
    }
}

#[test]
fn who_goes_while_it_waits_for_others_waits_no_more() {
    let (log, _listener, address) = start(BrokerOptions { connections_max: 1, ..BrokerOptions::default() });
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    send_and_close(connect(address), &frame_of(ApiKey::Fetch, 12, &fetch_request("t", 1, 1, 60_000), 0).repeat(3));
    let is_served = || {
        let mut stream = connect(address);
        stream.write_all(&frame_of(ApiKey::Metadata, 4, &MetadataRequest::default(), 0)).is_ok()
            && wire::read_frame(&mut stream).is_ok()
    };
    assert!(soon(is_served), "the connection is still there");
}

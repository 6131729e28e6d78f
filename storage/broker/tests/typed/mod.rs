//! Requests and responses as a client has them.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, FetchRequest, FetchResponse, ProduceRequest, ProduceResponse, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use millstream_log::record::BatchBuilder;

use crate::wire::{connect, read_frame};

pub(crate) fn text(value: impl Into<String>) -> StrBytes {
    StrBytes::from_string(value.into())
}

pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

/// A request's frame with `padding` bytes behind it, which a broker ignores.
pub(crate) fn frame_of(key: ApiKey, version: i16, request: &impl Encodable, padding: usize) -> Vec<u8> {
    let header = RequestHeader::default()
        .with_request_api_key(key as i16)
        .with_request_api_version(version)
        .with_client_id(Some(text("client")));
    let mut body = BytesMut::new();
    header.encode(&mut body, key.request_header_version(version)).unwrap();
    request.encode(&mut body, version).unwrap();
    let length = body.len() + padding;
    let mut frame = (length as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(&body);
    frame.resize(4 + length, 0);
    frame
}

pub(crate) fn receive<R: Decodable>(stream: &mut TcpStream, key: ApiKey, version: i16) -> R {
    let mut body = Bytes::from(read_frame(stream).unwrap());
    ResponseHeader::decode(&mut body, key.response_header_version(version)).unwrap();
    R::decode(&mut body, version).unwrap()
}

pub(crate) fn ask<R: Decodable>(stream: &mut TcpStream, key: ApiKey, version: i16, request: &impl Encodable) -> R {
    stream.write_all(&frame_of(key, version, request, 0)).unwrap();
    receive(stream, key, version)
}

pub(crate) fn produce_request(topic: &str, batch: Vec<u8>) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(0).with_records(Some(Bytes::from(batch)));
    let data = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(vec![data])
}

/// A fetch of the first partitions of a topic from their begin.
pub(crate) fn fetch_request(topic: &str, partitions: i32, bytes_max: i32, wait_ms: i32) -> FetchRequest {
    let partition = |index| FetchPartition::default().with_partition(index).with_partition_max_bytes(bytes_max);
    let topic =
        FetchTopic::default().with_topic(topic_name(topic)).with_partitions((0..partitions).map(partition).collect());
    FetchRequest::default()
        .with_max_wait_ms(wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(bytes_max)
        .with_topics(vec![topic])
}

pub(crate) fn batch_of(bytes: usize) -> Vec<u8> {
    let mut batch = BatchBuilder::new();
    batch.push(0, None, Some(&vec![7; bytes]));
    batch.finish().unwrap()
}

/// An ordinary client produces to the topic `t` and fetches from it, more than a small frame each, within `max`.
pub(crate) fn assert_produces_and_fetches(address: SocketAddr, max: Duration) {
    let begun = Instant::now();
    let mut stream = connect(address);
    let produced: ProduceResponse = ask(&mut stream, ApiKey::Produce, 9, &produce_request("t", batch_of(100 << 10)));
    assert_eq!(produced.responses[0].partition_responses[0].error_code, 0);
    let fetched: FetchResponse = ask(&mut stream, ApiKey::Fetch, 12, &fetch_request("t", 1, 1 << 20, 0));
    assert!(fetched.responses[0].partitions[0].records.as_ref().unwrap().len() > 100 << 10);
    assert!(begun.elapsed() < max, "{:?}", begun.elapsed());
}

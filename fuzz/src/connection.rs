//! Bytes that a client sends. Every answer must be a whole frame, belong to the next request that wants one, and be
//! what a client of the request's version can read to its last byte.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use bytes::{Buf, Bytes};
use kafka_protocol::messages::{ApiKey, ResponseKind};
use millstream_broker::{BrokerOptions, serve_stream};
use millstream_log::record::BatchBuilder;
use millstream_log::{EmbeddedLog, Log, LogOptions, TopicPartition, TopicSpec};
use tokio::runtime::{Builder, Runtime};

use crate::wire::Wire;

/// The topic that there is, of two partitions.
pub const TOPIC: &str = "t";

/// The first byte says what follows: 0 the bytes of the connection as they are; otherwise requests, each behind its
/// length of two bytes, from which frames are made whose length is right.
pub fn run(bytes: &[u8]) {
    let stream = match bytes.split_first() {
        Some((0, stream)) => stream.to_vec(),
        Some((_, requests)) => framed(requests),
        None => return,
    };
    let requests = requests_of(&stream);
    let answers = answers_to(stream);
    check(requests, answers.into());
}

fn framed(mut requests: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    while let Some((length, rest)) = requests.split_first_chunk::<2>() {
        let (request, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
        stream.extend_from_slice(&(request.len() as u32).to_be_bytes());
        stream.extend_from_slice(request);
        requests = rest;
    }
    stream
}

/// The other way round: requests as [`run`] takes them.
pub fn input_of(requests: &[Bytes]) -> Vec<u8> {
    let mut input = vec![1];
    for request in requests {
        input.extend_from_slice(&(request.len() as u16).to_be_bytes());
        input.extend_from_slice(request);
    }
    input
}

/// What an answer has to fit.
struct Request {
    key: i16,
    version: i16,
    correlation_id: i32,
}

fn requests_of(mut stream: &[u8]) -> VecDeque<Request> {
    let mut requests = VecDeque::new();
    while let Some((length, rest)) = stream.split_first_chunk::<4>() {
        let Some((mut frame, rest)) = rest.split_at_checked(u32::from_be_bytes(*length) as usize) else { break };
        if frame.len() < 8 {
            break;
        }
        let request = Request { key: frame.get_i16(), version: frame.get_i16(), correlation_id: frame.get_i32() };
        requests.push_back(request);
        stream = rest;
    }
    requests
}

/// What a broker with a little in its log answers, until it has nothing more to do or waits for the clock.
fn answers_to(stream: Vec<u8>) -> Vec<u8> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let start =
        || Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a thread can be started");
    let wire = Wire::new(stream);
    RUNTIME.get_or_init(start).block_on(async {
        let mut serving = pin!(serve_stream(log(), BrokerOptions::default(), wire.clone()));
        let mut progress = usize::MAX;
        poll_fn(|context| {
            let ended = serving.as_mut().poll(context).is_ready();
            let before = std::mem::replace(&mut progress, wire.look(|traffic| traffic.progress()));
            if ended || before == progress {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    });
    wire.look(|traffic| std::mem::take(&mut traffic.answers))
}

fn log() -> Arc<EmbeddedLog> {
    let log = EmbeddedLog::open(LogOptions::in_memory()).expect("an empty folder can be opened");
    log.create_topic(&TopicSpec::new(TOPIC, 2)).expect("the topic is new");
    let mut batch = BatchBuilder::new();
    batch.push(1_000, Some(b"key"), Some(b"value"));
    let batch = batch.finish().expect("the batch is small");
    let appended = log.append(&TopicPartition::new(TOPIC, 0), batch).and_then(|ticket| ticket.wait());
    appended.expect("a disk in memory does not fail");
    Arc::new(log)
}

fn check(mut requests: VecDeque<Request>, mut answers: Bytes) {
    while !answers.is_empty() {
        assert!(answers.len() >= 4, "an answer is cut off");
        let length = answers.get_u32() as usize;
        assert!(length <= answers.len(), "an answer is cut off");
        let mut answer = answers.split_to(length);
        let correlation_id = answer.get_i32();
        let request = loop {
            let request = requests.pop_front().expect("every answer has its request");
            if request.correlation_id == correlation_id {
                break request;
            }
            assert_eq!(request.key, ApiKey::Produce as i16, "only a producer may want no answer");
        };
        let key = ApiKey::try_from(request.key).expect("only what is known is answered");
        let understood = answer.first_chunk::<2>() != Some(&[0, 35]);
        // Whoever asks for the versions in one that nobody knows is answered in the oldest.
        let version = if key == ApiKey::ApiVersions && !understood { 0 } else { request.version };
        if key.response_header_version(version) == 1 {
            assert_eq!(answer.get_u8(), 0, "{key:?} {version}: the header has tagged fields");
        }
        let decoded = ResponseKind::decode(key, &mut answer, version);
        assert!(decoded.is_ok(), "{key:?} {version}: {decoded:?}");
        assert!(answer.is_empty(), "{key:?} {version}: {} bytes too many", answer.len());
    }
}

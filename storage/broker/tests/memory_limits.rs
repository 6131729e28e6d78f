//! Requests, responses and fetches that wait take a bounded part of the memory, and who is slow does not hold up others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod typed;
mod wire;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{ApiKey, FetchResponse, MetadataRequest, MetadataResponse, ProduceResponse};
use millstream_broker::BrokerOptions;
use millstream_log::{Log, LogOptions, TopicPartition, TopicSpec};
use typed::{
    ask, assert_produces_and_fetches, batch_of, fetch_request, frame_of, produce_request, receive, topic_name,
};
use wire::{assert_serves, connect, frame, resident_kib, start, start_over};

/// Who holds memory without using it has a second, who waits for more of it three, and this machine is busy.
const SOON: Duration = Duration::from_secs(6);

/// Each test measures the process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn connect_and_send(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = connect(address);
    stream.write_all(bytes).unwrap();
    stream
}

#[test]
fn frames_that_stop_half_way_give_way_to_others() {
    let _alone = ONE_AT_A_TIME.lock();
    // For each connection as much as when 10,000 share 256 MiB.
    let (log, _listener, address) = start(BrokerOptions { requests_bytes_max: 10 << 20, ..BrokerOptions::default() });
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    for sent in [17 << 10, 40 << 10, 100 << 10] {
        let half = &frame(18, 0, &vec![0; 1 << 20])[..sent];
        let _stuck: Vec<TcpStream> = (0..400).map(|_| connect_and_send(address, half)).collect();
        std::thread::sleep(Duration::from_millis(300));
        for _ in 0..5 {
            assert_produces_and_fetches(address, SOON);
        }
        let begun = Instant::now();
        let clients: Vec<_> =
            (0..8).map(|_| std::thread::spawn(move || assert_produces_and_fetches(address, SOON))).collect();
        clients.into_iter().for_each(|client| client.join().unwrap());
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    }
}

#[test]
fn a_request_that_waits_holds_no_memory_for_requests() {
    let _alone = ONE_AT_A_TIME.lock();
    let (log, _listener, address) = start(BrokerOptions { requests_bytes_max: 8 << 20, ..BrokerOptions::default() });
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    log.create_topic(&TopicSpec::new("empty", 1)).unwrap();
    let before = resident_kib();
    // A fetch that waits for a minute with much behind its end, and then a large request behind it.
    let fetch = frame_of(ApiKey::Fetch, 12, &fetch_request("empty", 1, 1 << 20, 60_000), 900 << 10);
    let mut half = frame(18, 0, &vec![0; 1 << 20]);
    half.truncate(500 << 10);
    let mut waiting = Vec::new();
    for _ in 0..50 {
        let mut stream = connect_and_send(address, &fetch);
        stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
        // The broker does not read all of it.
        let _ = stream.write_all(&half);
        waiting.push(stream);
    }
    let begun = Instant::now();
    for _ in 0..5 {
        assert_produces_and_fetches(address, SOON);
    }
    assert!(begun.elapsed() < SOON);
    let grown = resident_kib().saturating_sub(before);
    // The fetches alone were 44 MiB.
    assert!(grown < 32 << 10, "{grown} KiB");
    // They still wait, and are served.
    log.append(&TopicPartition::new("empty", 0), batch_of(10)).unwrap().wait().unwrap();
    for stream in &mut waiting {
        let fetched: FetchResponse = receive(stream, ApiKey::Fetch, 12);
        assert!(!fetched.responses[0].partitions[0].records.as_ref().unwrap().is_empty());
    }
}

#[test]
fn a_fetch_that_waits_for_more_holds_nothing_of_what_is_there() {
    let _alone = ONE_AT_A_TIME.lock();
    let (log, _listener, address) = start(BrokerOptions::default());
    let partition = TopicPartition::new("t", 0);
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    for _ in 0..6 {
        log.append(&partition, batch_of(1_000_000)).unwrap().wait().unwrap();
    }
    let before = resident_kib();
    // More than any response may have.
    let fetch = fetch_request("t", 1, i32::MAX, 60_000).with_min_bytes(i32::MAX);
    let fetch = frame_of(ApiKey::Fetch, 12, &fetch, 0);
    let mut waiting: Vec<TcpStream> = (0..50).map(|_| connect_and_send(address, &fetch)).collect();
    std::thread::sleep(Duration::from_millis(500));
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 64 << 10, "{grown} KiB");
    let mut one = waiting.pop().unwrap();
    drop(waiting);
    one.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(one.peek(&mut [0]).is_err(), "there may be more");
    for _ in 0..12 {
        log.append(&partition, batch_of(1_000_000)).unwrap().wait().unwrap();
    }
    // As much is there as a response may have.
    one.set_read_timeout(Some(SOON)).unwrap();
    let fetched: FetchResponse = receive(&mut one, ApiKey::Fetch, 12);
    assert!(fetched.responses[0].partitions[0].records.as_ref().unwrap().len() > 15_000_000);
}

#[test]
fn what_is_there_when_the_time_is_over_is_the_answer() {
    let _alone = ONE_AT_A_TIME.lock();
    let (log, _listener, address) = start(BrokerOptions::default());
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    log.append(&TopicPartition::new("t", 0), batch_of(1_000)).unwrap().wait().unwrap();
    let fetch = fetch_request("t", 1, 1 << 20, 300).with_min_bytes(1 << 20);
    let begun = Instant::now();
    let fetched: FetchResponse = ask(&mut connect(address), ApiKey::Fetch, 12, &fetch);
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert!(fetched.responses[0].partitions[0].records.as_ref().unwrap().len() > 1_000);
}

#[test]
fn an_idle_fetch_of_large_batches_is_answered_although_little_is_free() {
    let _alone = ONE_AT_A_TIME.lock();
    let (log, _listener, address) = start(BrokerOptions { answers_bytes_max: 1 << 10, ..BrokerOptions::default() });
    let mut spec = TopicSpec::new("large", 1);
    spec.config.max_message_bytes = 2_147_483_647;
    log.create_topic(&spec).unwrap();
    let mut reader = connect(address);
    // Nothing is there, so that nothing is needed, however large a batch might be.
    let mut idle: Vec<TcpStream> = Vec::new();
    for _ in 0..20 {
        idle.push(connect_and_send(
            address,
            &frame_of(ApiKey::Fetch, 12, &fetch_request("large", 1, 1 << 20, 60_000), 0),
        ));
    }
    let begun = Instant::now();
    for _ in 0..20 {
        let _: FetchResponse = ask(&mut reader, ApiKey::Fetch, 12, &fetch_request("large", 1, 1 << 20, 1));
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    log.append(&TopicPartition::new("large", 0), batch_of(500_000)).unwrap().wait().unwrap();
    for stream in &mut idle {
        let fetched: FetchResponse = receive(stream, ApiKey::Fetch, 12);
        assert!(fetched.responses[0].partitions[0].records.as_ref().unwrap().len() > 500_000);
    }
}

#[test]
fn many_large_requests_at_once_are_all_served() {
    let _alone = ONE_AT_A_TIME.lock();
    let (log, _listener, address) = start(BrokerOptions { requests_bytes_max: 3 << 20, ..BrokerOptions::default() });
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    let produce = frame_of(ApiKey::Produce, 9, &produce_request("t", batch_of(1_000_000)), 0);
    let clients: Vec<_> = (0..24)
        .map(|_| {
            let produce = produce.clone();
            std::thread::spawn(move || {
                let mut stream = connect(address);
                for _ in 0..3 {
                    stream.write_all(&produce).unwrap();
                    let produced: ProduceResponse = receive(&mut stream, ApiKey::Produce, 9);
                    assert_eq!(produced.responses[0].partition_responses[0].error_code, 0);
                }
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
}

#[test]
fn readers_that_do_not_read_take_nothing_from_others() {
    let _alone = ONE_AT_A_TIME.lock();
    let folder = tempfile::tempdir().unwrap();
    // Files are sent by the system, what is in memory only is copied a little at a time.
    for log_options in [LogOptions::on_disk(folder.path()), LogOptions::in_memory()] {
        read_beside_those_who_do_not(log_options);
    }
}

fn read_beside_those_who_do_not(log_options: LogOptions) {
    let (log, _listener, address) = start_over(log_options, BrokerOptions::default());
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    for _ in 0..40 {
        log.append(&TopicPartition::new("t", 0), batch_of(1_000_000)).unwrap().wait().unwrap();
    }
    let before = resident_kib();
    // Each gets a whole batch, however little it asks for.
    let fetches = [fetch_request("t", 1, 16 << 20, 0), fetch_request("t", 1, 1, 0)];
    let fetches = fetches.map(|fetch| frame_of(ApiKey::Fetch, 12, &fetch, 0));
    let _stuck: Vec<TcpStream> = (0..300).map(|number| connect_and_send(address, &fetches[number % 2])).collect();
    let begun = Instant::now();
    let mut reader = connect(address);
    for _ in 0..20 {
        let fetched: FetchResponse = ask(&mut reader, ApiKey::Fetch, 12, &fetch_request("t", 1, 4 << 20, 0));
        assert!(fetched.responses[0].partitions[0].records.as_ref().unwrap().len() > 900_000);
    }
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 60 << 10, "{grown} KiB");
    assert_produces_and_fetches(address, SOON);
}

#[test]
fn what_is_asked_for_a_thousand_times_is_answered_once() {
    let _alone = ONE_AT_A_TIME.lock();
    let (log, _listener, address) = start(BrokerOptions::default());
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    log.create_topic(&TopicSpec::new("large", 10_000)).unwrap();
    let before = resident_kib();
    // The same topic a thousand times.
    let topic = MetadataRequestTopic::default().with_name(Some(topic_name("large")));
    let request = MetadataRequest::default().with_topics(Some(vec![topic; 1_000]));
    let metadata = frame_of(ApiKey::Metadata, 4, &request, 0);
    let stuck: Vec<TcpStream> = (0..100).map(|_| connect_and_send(address, &metadata)).collect();
    std::thread::sleep(Duration::from_millis(500));
    let grown = resident_kib().saturating_sub(before);
    println!("{} readers of large answers: {grown} KiB", stuck.len());
    assert!(grown < 48 << 10, "{grown} KiB");
    assert_serves(address);
    assert_produces_and_fetches(address, SOON);
    let answer: MetadataResponse = ask(&mut connect(address), ApiKey::Metadata, 4, &request);
    assert_eq!(answer.topics.len(), 1);
    assert_eq!(answer.topics[0].partitions.len(), 10_000);
}

#[test]
fn fetches_of_many_partitions_wait_only_while_there_is_room() {
    let _alone = ONE_AT_A_TIME.lock();
    let (log, _listener, address) = start(BrokerOptions { waits_bytes_max: 4 << 20, ..BrokerOptions::default() });
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    log.create_topic(&TopicSpec::new("many", 2_000)).unwrap();
    let fetch = |partitions| frame_of(ApiKey::Fetch, 12, &fetch_request("many", partitions, 1 << 20, 60_000), 0);
    let before = resident_kib();
    let mut waiting: Vec<TcpStream> = (0..100).map(|_| connect_and_send(address, &fetch(2_000))).collect();
    let mut few = connect_and_send(address, &fetch(10));
    let mut answered = 0;
    let mut byte = [0; 1];
    let mut is_answered = |stream: &TcpStream| {
        stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        stream.peek(&mut byte).is_ok()
    };
    let begun = Instant::now();
    while answered < 98 && begun.elapsed() < SOON {
        waiting.retain(|stream| !is_answered(stream));
        answered = 100 - waiting.len();
    }
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!((answered, waiting.iter().any(is_answered)), (98, false));
    // Not at once: they would ask again at once.
    let begun = Instant::now();
    let _: FetchResponse =
        ask(&mut connect(address), ApiKey::Fetch, 12, &fetch_request("many", 2_000, 1 << 20, 60_000));
    assert!(begun.elapsed() >= Duration::from_millis(500), "{:?}", begun.elapsed());
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} KiB");
    assert_produces_and_fetches(address, SOON);
    few.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(few.peek(&mut [0]).is_err(), "few partitions are waited for in any case");
    log.append(&TopicPartition::new("many", 3), batch_of(10)).unwrap().wait().unwrap();
    few.set_read_timeout(Some(SOON)).unwrap();
    let _: FetchResponse = receive(&mut few, ApiKey::Fetch, 12);
}

//! Thousands of connections that say nothing, or stop in the middle of a word, cost next to nothing. A program of its
//! own, since it measures the memory of the whole process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod wire;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use millstream_broker::BrokerOptions;
use millstream_log::record::BatchBuilder;
use millstream_log::{Log, TopicSpec};
use wire::{assert_serves, connect, frame, read_frame, resident_kib, start};

/// What the system's limit of files must allow at least: a test that opens less shows nothing.
const CONNECTIONS_MIN: u64 = 2_000;
const CONNECTIONS: u64 = 5_000;

/// As many connections as the system allows; both ends of each are files of this process.
fn connections() -> u64 {
    let files = rlimit::increase_nofile_limit(2 * CONNECTIONS + 200).unwrap();
    let connections = CONNECTIONS.min(files.saturating_sub(200) / 2);
    assert!(connections >= CONNECTIONS_MIN, "the limit of open files is {files}, raise it with `ulimit -n`");
    connections
}

/// Produces a batch of 100 KiB and fetches it back, both at once.
fn assert_produces_and_fetches(address: SocketAddr) {
    let mut batch = BatchBuilder::new();
    batch.push(0, None, Some(&[7; 100 << 10]));
    let batch = batch.finish().unwrap();
    // Produce 3: no transactional id, all replicas, 30 s, one topic, one partition.
    let mut produce = vec![0xff, 0xff, 0xff, 0xff, 0, 0, 0x75, 0x30];
    produce.extend_from_slice(&[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 0]);
    produce.extend_from_slice(&(batch.len() as u32).to_be_bytes());
    produce.extend_from_slice(&batch);
    // Fetch 4: replica, no wait, a byte at least, 1 MiB at most, uncommitted, one topic, one partition from its start.
    let mut fetch = vec![0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0x10, 0, 0, 0];
    fetch.extend_from_slice(&[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 0]);
    fetch.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0]);

    let begun = Instant::now();
    let mut stream = connect(address);
    stream.write_all(&frame(0, 3, &produce)).unwrap();
    let answer = read_frame(&mut stream).unwrap();
    assert_eq!(&answer[4..21], &[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], "{answer:?}");
    stream.write_all(&frame(1, 4, &fetch)).unwrap();
    assert!(read_frame(&mut stream).unwrap().len() >= batch.len());
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

/// Opens connections, each of which sends `bytes`, and returns how much memory all of them took.
fn open(address: SocketAddr, connections: u64, bytes: &[u8]) -> (Vec<TcpStream>, u64) {
    let before = resident_kib();
    let mut open = Vec::new();
    for _ in 0..connections {
        let mut stream = connect(address);
        stream.write_all(bytes).unwrap();
        open.push(stream);
    }
    assert_serves(address);
    assert_produces_and_fetches(address);
    (open, resident_kib().saturating_sub(before))
}

/// One after the other, since each measures the process.
#[test]
fn thousands_of_silent_connections_cost_little_and_hold_up_nobody() {
    let connections = connections();
    let (log, _listener, address) = start(BrokerOptions::default());
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    assert_produces_and_fetches(address);

    let (mut idle, grown_kib) = open(address, connections, &[]);
    println!("{connections} connections that say nothing: {grown_kib} KiB");
    assert!(grown_kib < 32 << 10, "{grown_kib} KiB");

    // They are still served; what they said is not kept.
    let before = resident_kib();
    for stream in &mut idle {
        stream.write_all(&frame(18, 0, &[])).unwrap();
        read_frame(stream).unwrap();
    }
    let grown_kib = resident_kib().saturating_sub(before);
    println!("{connections} connections that were answered: {grown_kib} KiB");
    assert!(grown_kib < 16 << 10, "{grown_kib} KiB");

    // What was large, 256 MiB together, is not kept either, but for what the allocator does.
    let large = frame(18, 0, &vec![0; 16 << 20]);
    for stream in &mut idle[..16] {
        stream.write_all(&large).unwrap();
        read_frame(stream).unwrap();
    }
    drop(large);
    let grown_kib = resident_kib().saturating_sub(before);
    println!("16 connections after a request of 16 MiB: {grown_kib} KiB");
    assert!(grown_kib < 96 << 10, "{grown_kib} KiB");
    drop(idle);

    // Half a length; half a header of a frame that is to be of 100 MiB.
    for half in [&[0u8, 0][..], &[6, 0x40, 0, 0, 0, 18, 0]] {
        let (_stuck, grown_kib) = open(address, connections, half);
        println!("{connections} connections that stopped in the middle: {grown_kib} KiB");
        assert!(grown_kib < 64 << 10, "{grown_kib} KiB");
    }
}

//! What is not a client, or a bad one, is turned away, and others do not notice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod wire;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use millstream_broker::BrokerOptions;
use millstream_log::record::BatchBuilder;
use millstream_log::{Log, TopicPartition, TopicSpec};
use wire::{assert_serves, connect, frame, read_frame, resident_kib, start};

/// Whether the broker closes the connection rather than answer.
fn is_closed(stream: &mut TcpStream) -> bool {
    let mut byte = [0; 1];
    match stream.read(&mut byte) {
        Ok(read) => read == 0,
        Err(error) => matches!(error.kind(), std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe),
    }
}

#[test]
fn counts_and_lengths_that_lie_end_the_connection() {
    let (_log, _listener, address) = start(BrokerOptions::default());
    let before = resident_kib();
    let huge_count = [0x7f, 0xff, 0xff, 0xff];
    let cases: Vec<Vec<u8>> = vec![
        // Metadata of two billion topics; a produce and a fetch of as many.
        frame(3, 1, &huge_count),
        frame(0, 3, &[&[0xff, 0xff, 0, 1, 0, 0, 0, 9][..], &huge_count].concat()),
        frame(1, 4, &[&[0; 17][..], &huge_count].concat()),
        // Eight bytes that make a decoder ask for gigabytes.
        vec![0, 0, 0, 8, 0x03, 0, 0, 0x03, 0x3c, 0x0c, 0, 0xb6],
        // A frame of 2 GiB, a negative one, one too short for a header.
        vec![0x7f, 0xff, 0xff, 0xff],
        vec![0xff, 0xff, 0xff, 0xff],
        vec![0, 0, 0, 3, 0, 18, 0],
        // A key that nobody knows, a version that there is not.
        frame(9999, 0, &[]),
        frame(3, 99, &[]),
        frame(3, -1, &[]),
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
    ];
    for case in cases {
        let mut stream = connect(address);
        stream.write_all(&case).unwrap();
        assert!(is_closed(&mut stream), "{case:?}");
        assert_serves(address);
    }
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 200 << 10, "{grown} KiB");
}

#[test]
fn an_unknown_version_of_api_versions_is_answered_in_the_oldest_layout() {
    let (_log, _listener, address) = start(BrokerOptions::default());
    let mut stream = connect(address);
    stream.write_all(&frame(18, 99, &[0, 1, 2, 3])).unwrap();
    let answer = read_frame(&mut stream).unwrap();
    // Correlation id, UNSUPPORTED_VERSION, one entry: ApiVersions from 0 to 4.
    assert_eq!(answer, [0, 0, 0, 7, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4]);
    // The connection goes on.
    stream.write_all(&frame(18, 0, &[])).unwrap();
    assert_eq!(&read_frame(&mut stream).unwrap()[4..6], &[0, 0]);
}

#[test]
fn random_bytes_harm_nobody() {
    let (_log, _listener, address) = start(BrokerOptions::default());
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..300 {
        let length = (random() % 200) as usize;
        let mut body: Vec<u8> = (0..length).map(|_| random() as u8).collect();
        if round % 2 == 0 && body.len() > 4 {
            // A key and a version that there are, so that the body is looked at.
            body[..4].copy_from_slice(&[0, (random() % 70) as u8, 0, (random() % 14) as u8]);
        }
        let mut stream = connect(address);
        let mut bytes = (body.len() as u32).to_be_bytes().to_vec();
        bytes.extend_from_slice(&body);
        // Half of them go away in the middle.
        let cut = if round % 3 == 0 { bytes.len() / 2 } else { bytes.len() };
        let _ = stream.write_all(&bytes[..cut]);
    }
    assert_serves(address);
}

#[test]
fn half_open_connections_do_not_hold_up_others() {
    let (_log, _listener, address) = start(BrokerOptions::default());
    let mut half_open = Vec::new();
    for _ in 0..200 {
        let mut stream = connect(address);
        // The beginning of a frame of 50 MiB.
        stream.write_all(&[3, 0x20, 0, 0, 0, 0]).unwrap();
        half_open.push(stream);
    }
    assert_serves(address);
}

#[test]
fn connections_beyond_the_limit_are_closed() {
    let (_log, _listener, address) = start(BrokerOptions { connections_max: 3, ..BrokerOptions::default() });
    let mut kept: Vec<TcpStream> = (0..3).map(|_| connect(address)).collect();
    for stream in &mut kept {
        stream.write_all(&frame(18, 0, &[])).unwrap();
        read_frame(stream).unwrap();
    }
    assert!(is_closed(&mut connect(address)));
    drop(kept);
    std::thread::sleep(Duration::from_millis(300));
    assert_serves(address);
}

#[test]
fn a_reader_that_does_not_read_holds_bounded_memory_and_nobody_else() {
    let (log, _listener, address) = start(BrokerOptions::default());
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    let partition = TopicPartition::new("t", 0);
    for _ in 0..64 {
        let mut batch = BatchBuilder::new();
        batch.push(0, None, Some(&vec![7; 900 << 10]));
        log.append(&partition, batch.finish().unwrap()).unwrap().wait().unwrap();
    }
    // Fetch 4: replica, wait, bytes at least and at most, isolation, one topic, one partition from offset 0.
    let mut body = Vec::new();
    body.extend_from_slice(&(-1i32).to_be_bytes());
    body.extend_from_slice(&0i32.to_be_bytes());
    body.extend_from_slice(&1i32.to_be_bytes());
    body.extend_from_slice(&i32::MAX.to_be_bytes());
    body.push(0);
    body.extend_from_slice(&[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 0]);
    body.extend_from_slice(&0i64.to_be_bytes());
    body.extend_from_slice(&i32::MAX.to_be_bytes());
    let fetch = frame(1, 4, &body);
    let before = resident_kib();
    let mut stuck = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(address);
        for _ in 0..20 {
            stream.write_all(&fetch).unwrap();
        }
        stuck.push(stream);
    }
    std::thread::sleep(Duration::from_millis(1_000));
    assert_serves(address);
    let mut reader = connect(address);
    reader.write_all(&fetch).unwrap();
    assert!(read_frame(&mut reader).unwrap().len() > 60 << 10);
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 600 << 10, "{grown} KiB");
}

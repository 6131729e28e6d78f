//! Kafka clients beside the engine, over the real binary: only what the two have to do with each other.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use millstream_log::record::BatchBuilder;

use crate::support::{millstream, output};

/// An address that was free a moment ago.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A program that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends one record by Produce 3 and returns the error code of its partition.
fn produce(address: &str, topic: &str, value: &[u8]) -> Option<i16> {
    let mut batch = BatchBuilder::new();
    batch.push(1_000, None, Some(value));
    let batch = batch.finish().unwrap();
    // Key, version, correlation id, no client id; no transactional id, all acknowledgements, ms to wait, one topic.
    let mut body = vec![0, 0, 0, 3, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0x27, 0x10, 0, 0, 0, 1];
    body.extend_from_slice(&(topic.len() as i16).to_be_bytes());
    body.extend_from_slice(topic.as_bytes());
    body.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0]);
    body.extend_from_slice(&(batch.len() as i32).to_be_bytes());
    body.extend_from_slice(&batch);
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(&(body.len() as i32).to_be_bytes()).ok()?;
    stream.write_all(&body).ok()?;
    // Length, correlation id, one topic and its name, one partition and its number, the code.
    let mut answer = vec![0; 4 + 4 + 4 + 2 + topic.len() + 4 + 4 + 2];
    stream.read_exact(&mut answer).ok()?;
    Some(i16::from_be_bytes(*answer.last_chunk().unwrap()))
}

#[test]
fn a_stream_shows_at_once_what_a_client_produces() {
    let data = tempfile::tempdir().unwrap();
    let address = free_address();
    let statements =
        "CREATE STREAM s (word STRING) WITH (KAFKA_TOPIC = 'my_topic', PARTITIONS = 1, VALUE_FORMAT = 'JSON');
        SELECT word FROM s EMIT CHANGES;";
    let mut command = millstream(data.path(), &["--listeners", &address, "-e", statements]);
    let mut child = Running(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let deadline = Instant::now() + Duration::from_secs(60);
    while produce(&address, "my_topic", br#"{"word": "hello"}"#) != Some(0) {
        assert!(Instant::now() < deadline, "the listener does not take records");
        std::thread::sleep(Duration::from_millis(50));
    }
    let row = lines.find(|line| line.as_ref().unwrap().contains("hello"));
    assert!(row.is_some());
}

#[test]
fn a_taken_address_that_was_asked_for_is_an_error() {
    let data = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = output(data.path(), &["--listeners", &address, "-e", "SHOW TOPICS;"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert!(errors.contains(&format!("cannot listen on {address}")) && errors.contains("--listeners"), "{errors}");
}

#[test]
fn the_server_says_where_it_listens_and_ends_by_the_interrupt_key() {
    let data = tempfile::tempdir().unwrap();
    let mut command = millstream(data.path(), &["server", "--listeners", "127.0.0.1:0"]);
    let mut child = Running(command.stderr(Stdio::piped()).spawn().unwrap());
    let mut errors = BufReader::new(child.0.stderr.take().unwrap()).lines();
    let line = errors.next().unwrap().unwrap();
    let address = line.strip_prefix("Kafka clients may connect to ").unwrap_or_else(|| panic!("{line}"));
    // There is no such topic, and a producer does not create it by that.
    assert_eq!(produce(address, "nothing", b"x"), Some(3));
    let id = child.0.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let begun = Instant::now();
    while child.0.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
}

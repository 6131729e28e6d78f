//! Kafka clients beside the engine, over the real binary: only what the two have to do with each other.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use millstream_log::record::BatchBuilder;
use millstream_log::{EmbeddedLog, GroupOffset, Log, LogOptions, TopicPartition, TopicSpec, WriteBatch};

use crate::support::{millstream, output, record_count, run};

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
    // The record may come before the query does.
    let statements = "SET 'auto.offset.reset' = 'earliest';
        CREATE STREAM s (word STRING) WITH (KAFKA_TOPIC = 'my_topic', PARTITIONS = 1, VALUE_FORMAT = 'JSON');
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

/// A server over a data directory, and where it listens.
fn serve(data: &std::path::Path) -> (Running, String) {
    let mut command = millstream(data, &["server", "--listeners", "127.0.0.1:0"]);
    let mut child = Running(command.stderr(Stdio::piped()).spawn().unwrap());
    let mut errors = BufReader::new(child.0.stderr.take().unwrap()).lines();
    let line = errors.next().unwrap().unwrap();
    let address = line.strip_prefix("Kafka clients may connect to ").unwrap_or_else(|| panic!("{line}"));
    let address = address.to_owned();
    // What else it says must find a reader.
    std::thread::spawn(move || errors.for_each(drop));
    (child, address)
}

#[test]
fn commands_work_with_the_program_that_has_the_data_directory() {
    let folder = tempfile::tempdir().unwrap();
    let (data, elsewhere) = (folder.path().join("data"), folder.path().join("elsewhere"));
    let lines = folder.path().join("lines.json");
    let text: String = (0..5_000).map(|n| format!("{{\"user\":\"u{}\",\"n\":{n}}}\n", n % 7)).collect();
    std::fs::write(&lines, &text).unwrap();
    let (server, address) = serve(&data);

    // By the data directory, and from another by the address.
    let produce = ["produce", "t", lines.to_str().unwrap(), "--format", "json", "--key", "user", "--partitions", "3"];
    run(&data, &produce);
    assert_eq!(run(&data, &["topics"]), "topic\tpartitions\trecords\nt\t3\t5000\n");
    let by_address = |args: &[&str]| run(&elsewhere, &[args, &["--bootstrap-server", &address]].concat());
    assert_eq!(by_address(&["topics"]), "topic\tpartitions\trecords\nt\t3\t5000\n");

    // Every line once, those of one key in their order.
    let consumed = by_address(&["consume", "t", "--from-beginning", "--exit-at-end"]);
    let of_user = |text: &str, user: &str| -> Vec<String> {
        text.lines().filter(|line| line.contains(user)).map(str::to_owned).collect()
    };
    assert_eq!(consumed.lines().count(), 5_000);
    for user in ["u0", "u1", "u2", "u3", "u4", "u5", "u6"] {
        let user = format!("\"{user}\"");
        assert_eq!(of_user(&consumed, &user), of_user(&text, &user));
    }

    // A group goes on where it left off, also when the directory is opened by the command itself.
    let group = ["consume", "t", "--group", "g", "--from-beginning", "--exit-at-end"];
    let first = run(&data, &[&group[..], &["--max-messages", "4000"]].concat());
    drop(server);
    let rest = run(&data, &group);
    assert_eq!((first.lines().count(), rest.lines().count()), (4_000, 1_000));
    let mut all: Vec<&str> = first.lines().chain(rest.lines()).collect();
    let mut expected: Vec<&str> = text.lines().collect();
    all.sort_unstable();
    expected.sort_unstable();
    assert_eq!(all, expected);

    // What cannot be is said as it is of a directory.
    let (_server, address) = serve(&data);
    let repartitioned = output(&data, &["produce", "t", lines.to_str().unwrap(), "--partitions", "2"]);
    assert!(String::from_utf8_lossy(&repartitioned.stderr).contains("topic \"t\" has 3 partitions"));
    let missing = output(&elsewhere, &["consume", "nothing", "--bootstrap-server", &address]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("topic \"nothing\" does not exist"));
}

/// A limit for files is as a full disk, without one.
#[test]
fn a_server_whose_log_has_stopped_says_so_and_goes_on_serving_readers() {
    let data = tempfile::tempdir().unwrap();
    run(
        data.path(),
        &["-e", "CREATE STREAM s (v BYTES) WITH (KAFKA_TOPIC = 't', PARTITIONS = 1, VALUE_FORMAT = 'KAFKA');"],
    );
    let server = millstream(data.path(), &["server", "--listeners", "127.0.0.1:0"]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 8192; exec \"$@\"", "sh"]).arg(server.get_program());
    let mut child = Running(limited.args(server.get_args()).stderr(Stdio::piped()).spawn().unwrap());
    let (tell, errors) = std::sync::mpsc::channel();
    let lines = BufReader::new(child.0.stderr.take().unwrap()).lines();
    std::thread::spawn(move || lines.for_each(|line| _ = tell.send(line.unwrap())));
    let next = || errors.recv_timeout(Duration::from_secs(60)).expect("the server says something");
    let line = next();
    let address = line.strip_prefix("Kafka clients may connect to ").unwrap_or_else(|| panic!("{line}"));
    let value = vec![b'v'; 900_000];
    let kept = (0..20).take_while(|_| produce(address, "t", &value) == Some(0)).count();
    assert!((1..20).contains(&kept), "{kept} records are acknowledged");
    assert!(next().starts_with("serving "));
    let said = next();
    assert!(said.starts_with("error: the log has stopped") && said.contains("File too large"), "{said}");
    assert!(next().starts_with("help: "));
    let topics = run(data.path(), &["topics", "--bootstrap-server", address]);
    assert!(topics.contains(&format!("t\t1\t{kept}\n")), "{topics}");
    drop(child);
    assert_eq!(record_count(data.path(), "t"), kept as u64);
}

#[test]
fn a_line_from_a_pipe_is_in_the_topic_before_the_next_one_comes() {
    let data = tempfile::tempdir().unwrap();
    let (_server, _) = serve(data.path());
    let mut command = millstream(data.path(), &["produce", "t"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = child.stdin.take().unwrap();
    lines.write_all(b"hello\n").unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !run(data.path(), &["topics"]).contains("t\t1\t1\n") {
        assert!(Instant::now() < deadline, "the line does not arrive");
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(lines);
    assert!(child.wait().unwrap().success());
}

#[test]
fn an_address_where_nobody_speaks_the_protocol_is_an_error() {
    let data = tempfile::tempdir().unwrap();
    let topics = |address: &str| {
        let output = output(data.path(), &["topics", "--bootstrap-server", address]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = topics(&free_address());
    assert!(code == Some(3) && said.contains("cannot connect to 127.0.0.1:"), "{said}");
    let (code, said) = topics("nowhere");
    assert!(code == Some(2) && said.contains("an address is HOST:PORT"), "{said}");
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = stranger.local_addr().unwrap().to_string();
    let answers = std::thread::spawn(move || {
        let (mut stream, _) = stranger.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        // Until the other side has closed.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let (code, said) = topics(&address);
    assert!(code == Some(3) && said.contains("does not speak the Kafka protocol"), "{said}");
    answers.join().unwrap();
}

#[test]
fn a_group_whose_offset_is_gone_reads_on_from_the_first_record() {
    let data = tempfile::tempdir().unwrap();
    let partition = TopicPartition::new("t", 0);
    {
        let log = EmbeddedLog::open(LogOptions::on_disk(data.path())).unwrap();
        log.create_topic(&TopicSpec::new("t", 1).kept_for_ever()).unwrap();
        for value in [b"one", b"two"] {
            let mut batch = BatchBuilder::new();
            batch.push(1_000, None, Some(value));
            log.append(&partition, batch.finish().unwrap()).unwrap().wait().unwrap();
        }
        // As after the topic was deleted and made anew.
        let offset = |group| GroupOffset::new(group, partition.clone(), 7);
        let offsets = vec![offset("here"), offset("there")];
        log.write(WriteBatch { batches: Vec::new(), offsets }).unwrap().wait().unwrap();
    }
    let reads_on = |more: &[&str]| {
        let output = output(data.path(), &[&["consume", "t", "--max-messages", "2"], more].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "one\ntwo\n", "{errors}");
        assert_eq!(errors, "offset 7 of t-0 is not there; going on from offset 0\n");
    };
    reads_on(&["--group", "here"]);
    let address = free_address();
    let mut server = millstream(data.path(), &["server", "--listeners", &address]);
    let _server = Running(server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let deadline = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(&address).is_err() {
        assert!(Instant::now() < deadline, "the server does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    reads_on(&["--group", "there"]);
}

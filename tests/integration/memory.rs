//! What happens when memory runs short.

use std::sync::Arc;
use std::time::{Duration, Instant};

use millstream_log::record::BatchBuilder;
use millstream_log::{EmbeddedLog, Log, LogOptions, TopicPartition, TopicSpec};
use millstream_runtime::{EngineOptions, QueryStatus};

use crate::queries::Session;

const EVENTS: usize = 40_000;

/// A log with a topic of events of about 200 bytes, each with a key of its own; the greatest come first.
fn log_of_events() -> Arc<dyn Log> {
    let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(LogOptions::in_memory()).unwrap());
    log.create_topic(&TopicSpec::new("events", 1)).unwrap();
    for start in (0..EVENTS).step_by(1000) {
        let mut builder = BatchBuilder::new();
        for number in start..start + 1000 {
            let number = EVENTS - 1 - number;
            let value = format!(r#"{{"n":{number},"text":"{number:0>150}"}}"#);
            builder.push(0, Some(number.to_string().as_bytes()), Some(value.as_bytes()));
        }
        log.append(&TopicPartition::new("events", 0), builder.finish().unwrap()).unwrap().wait().unwrap();
    }
    log
}

fn session(log: &Arc<dyn Log>, memory_mib: usize) -> Session {
    let options = EngineOptions { memory_bytes_max: Some(memory_mib << 20), ..EngineOptions::default() };
    Session::with(log, &options)
}

const EVENTS_STREAM: &str =
    "CREATE STREAM events (k STRING KEY, n INT, text STRING) WITH (KAFKA_TOPIC='events', VALUE_FORMAT='JSON')";

#[test]
fn a_query_that_keeps_too_much_stops_and_goes_on_with_more_memory() {
    let log = log_of_events();
    let mut small = session(&log, 4);
    small.run(EVENTS_STREAM);
    small.run("SET 'ksql.streams.cache.max.bytes.buffering' = '10000000'");
    small.run("CREATE TABLE latest AS SELECT k, COUNT(*) AS count, MAX(text) AS text FROM events GROUP BY k");
    let deadline = Instant::now() + Duration::from_secs(60);
    let reason = loop {
        match small.status("CTAS_LATEST_1") {
            QueryStatus::Error(reason) => break reason,
            _ => assert!(Instant::now() < deadline, "the query does not stop"),
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(reason.contains("not enough memory for query CTAS_LATEST_1"), "{reason}");
    assert!(reason.contains("of 4.0 MiB"), "{reason}");
    assert!(reason.contains("help: "), "{reason}");
    drop(small);

    let mut large = session(&log, 256);
    assert_eq!(large.pull("SELECT COUNT(*), SUM(count) FROM latest"), [format!("{EVENTS} {EVENTS}")]);
}

#[test]
fn a_history_larger_than_memory_is_sorted_in_files() {
    let mut session = session(&log_of_events(), 4);
    session.run(EVENTS_STREAM);
    let rows = session.pull("SELECT n, text FROM events ORDER BY text");
    assert_eq!(rows.len(), EVENTS);
    let is_in_place = |(at, row): (usize, &String)| row.starts_with(&format!("{at} "));
    assert!(rows.iter().enumerate().all(is_in_place));
}

#[test]
fn a_history_longer_than_memory_is_read_piece_by_piece() {
    let mut session = session(&log_of_events(), 1);
    session.run(EVENTS_STREAM);
    assert_eq!(session.pull("SELECT COUNT(*), MAX(text) FROM events WHERE n < 10"), [format!("10 {:0>150}", 9)]);
}

#[test]
fn tables_that_were_read_make_room_for_others() {
    let mut session = session(&log_of_events(), 24);
    for name in ["a", "b"] {
        session.run(&format!(
            "CREATE TABLE {name} (k STRING PRIMARY KEY, n INT, text STRING) WITH (KAFKA_TOPIC='events', VALUE_FORMAT='JSON')"
        ));
    }
    // Either fits, both together do not.
    for name in ["a", "b", "a", "b"] {
        let row = session.pull(&format!("SELECT n FROM {name} WHERE k = '7'"));
        assert_eq!(row, ["7"]);
    }
}

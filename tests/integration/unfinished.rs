//! A crash between a command, which is durable, and what it deletes.

use std::sync::Arc;

use millstream_log::{EmbeddedLog, Isolation, Log, LogOptions, Memory, TopicPartition, TopicSpec};

use crate::queries::Session;

fn open(disk: &Memory) -> Arc<dyn Log> {
    Arc::new(EmbeddedLog::open(LogOptions { io: Arc::new(disk.clone()), ..LogOptions::in_memory() }).unwrap())
}

fn topics(log: &Arc<dyn Log>, part: &str) -> Vec<String> {
    let names = log.topics().unwrap().into_iter().map(|topic| topic.name.to_string());
    names.filter(|name| name.contains(part)).collect()
}

/// The batch that the newest command is in.
fn last_command(log: &Arc<dyn Log>) -> (TopicPartition, Vec<u8>) {
    let topic = topics(log, "command_topic").remove(0);
    let partition = TopicPartition::new(topic, 0);
    let fetched = log.fetch(&partition, 0, 1 << 20, Isolation::ReadCommitted).unwrap();
    let last = fetched.all_batches().last().unwrap().unwrap().1.to_vec();
    (partition, last)
}

/// A disk on which a query runs, and the same disk after the command was written but before it was carried out.
fn crashed_after(commands: &[&str]) -> Memory {
    let disk = Memory::new();
    {
        let log = open(&disk);
        let mut session = Session::over(&log);
        session.run("CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1)");
        session.run("CREATE TABLE t WITH (KAFKA_TOPIC='t') AS SELECT v, COUNT(*) AS n FROM s GROUP BY v EMIT CHANGES");
        session.run("INSERT INTO s VALUES ('a', 1)");
        session.settle();
    }
    for command in commands {
        let twin = disk.deep_clone();
        let written = {
            let log = open(&twin);
            Session::over(&log).run(command);
            last_command(&log)
        };
        let log = open(&disk);
        log.append(&written.0, written.1).unwrap().wait().unwrap();
    }
    let log = open(&disk);
    let all = topics(&log, "");
    assert!(!topics(&log, "query_CTAS_T").is_empty() && log.topic("t").unwrap().is_some(), "{all:?}");
    drop(log);
    disk
}

#[test]
fn a_query_that_was_terminated_leaves_no_topics_behind() {
    let disk = crashed_after(&["TERMINATE ALL"]);
    let log = open(&disk);
    drop(Session::over(&log));
    assert_eq!(topics(&log, "query_CTAS_T"), [""; 0]);
    assert!(log.topic("t").unwrap().is_some(), "the results stay");
}

#[test]
fn a_topic_that_was_to_be_deleted_is_deleted_once() {
    let disk = crashed_after(&["DROP TABLE t DELETE TOPIC"]);
    let log = open(&disk);
    drop(Session::over(&log));
    assert_eq!(topics(&log, "query_CTAS_T"), [""; 0]);
    assert!(log.topic("t").unwrap().is_none());
    // Whoever makes a topic of that name later keeps it.
    log.create_topic(&TopicSpec::new("t", 3)).unwrap();
    drop(Session::over(&log));
    assert!(log.topic("t").unwrap().is_some());
}

//! A query that rests for years goes on where it stopped, although offsets of Kafka clients expire.

use std::sync::Arc;

use millstream_log::{EmbeddedLog, GroupOffset, Log, LogOptions, Memory, TopicPartition, WriteBatch};

use crate::queries::Session;

const YEAR_MS: i64 = 365 * 24 * 3_600_000;

fn open(disk: &Memory) -> Arc<EmbeddedLog> {
    Arc::new(EmbeddedLog::open(LogOptions { io: Arc::new(disk.clone()), ..LogOptions::in_memory() }).unwrap())
}

#[test]
fn what_the_engine_has_committed_never_expires() {
    let disk = Memory::new();
    let log = open(&disk);
    let shared: Arc<dyn Log> = Arc::<EmbeddedLog>::clone(&log);
    let mut session = Session::over(&shared);
    session.run("CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=2)");
    session
        .run("CREATE STREAM gone (k STRING KEY, v INT) WITH (KAFKA_TOPIC='gone', VALUE_FORMAT='JSON', PARTITIONS=1)");
    session.run("CREATE TABLE t WITH (KAFKA_TOPIC='t') AS SELECT v, COUNT(*) AS n FROM s GROUP BY v EMIT CHANGES");
    session.run("CREATE STREAM big AS SELECT * FROM s WHERE v > 0 EMIT CHANGES");
    session.run("INSERT INTO s VALUES ('a', 1)");
    // So that it is noted down that this was carried out.
    session.run("DROP STREAM gone DELETE TOPIC");
    session.settle();
    drop((session, shared));
    let offsets = vec![GroupOffset::new("a client", TopicPartition::new("s", 0), 0)];
    log.write(WriteBatch { batches: Vec::new(), offsets }).unwrap().wait().unwrap();

    disk.advance_clock(10 * YEAR_MS);
    let overdue = log.overdue_offsets(log.now_ms());
    let groups: Vec<&str> = overdue.iter().map(|offset| &*offset.group).collect();
    assert_eq!(groups, ["a client"], "of {:?}", log.groups());
    assert!(log.groups().len() > 3, "the queries have offsets: {:?}", log.groups());
    log.expire_offsets(&overdue, log.now_ms()).unwrap();
    drop(log);

    let log: Arc<dyn Log> = open(&disk);
    let mut session = Session::over(&log);
    session.run("INSERT INTO s VALUES ('a', 1)");
    assert_eq!(session.pull("SELECT n FROM t WHERE v = 1"), ["2"]);
    assert_eq!(session.records("BIG").len(), 2);
}

//! Aggregates over an engine in this process: tables that are grouped, table functions, retention.

use std::collections::BTreeMap;
use std::sync::Arc;

use millstream_log::{EmbeddedLog, Log, LogOptions};

use crate::queries::Session;

/// A table whose rows move between groups, over several partitions and through a repartition topic, with a
/// restart in between.
#[test]
fn a_table_is_grouped_across_partitions_and_restarts() {
    for cache in ["0", "10000000"] {
        let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(LogOptions::in_memory()).unwrap());
        let mut session = Session::over(&log);
        session.run(&format!("SET 'ksql.streams.cache.max.bytes.buffering' = '{cache}'"));
        session.run("CREATE TABLE t (id INT PRIMARY KEY, g STRING, v INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', PARTITIONS=3)");
        session.run("CREATE TABLE per_g AS SELECT g, COUNT(*) AS n, SUM(v) AS total, HISTOGRAM(CAST(v AS STRING)) AS vs FROM t WHERE v < 8 GROUP BY g EMIT CHANGES");
        let mut table = BTreeMap::new();
        let mut seed = 7u32;
        for round in 0..3 {
            for _ in 0..40 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let (id, group, value) = (seed >> 8 & 15, seed >> 16 & 3, seed >> 20 & 15);
                session.run(&format!("INSERT INTO t VALUES ({id}, 'g{group}', {value})"));
                table.insert(id, (group, value));
            }
            let mut expected = Vec::new();
            for group in 0..4 {
                let values = table.values().filter(|(g, v)| *g == group && *v < 8).map(|(_, v)| *v);
                let values: Vec<u32> = values.collect();
                expected.push(format!("g{group} {} {}", values.len(), values.iter().sum::<u32>()));
            }
            assert_eq!(
                session.pull("SELECT g, n, total FROM per_g ORDER BY g"),
                expected,
                "round {round}, cache {cache}"
            );
            drop(session);
            session = Session::over(&log);
        }
    }
}

#[test]
fn a_group_that_a_row_leaves_comes_before_the_one_it_comes_to() {
    let mut session = Session::new();
    session.run("CREATE TABLE t (id INT PRIMARY KEY, g STRING, v INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', PARTITIONS=1)");
    session.run("CREATE TABLE o AS SELECT g, SUM(v) AS total FROM t GROUP BY g HAVING COUNT(*) > 0 EMIT CHANGES");
    for (id, group, value) in [(1, "a", 1), (2, "a", 2), (1, "b", 5), (2, "b", 2), (2, "b", 3)] {
        session.run(&format!("INSERT INTO t (id, g, v, ROWTIME) VALUES ({id}, '{group}', {value}, {value})"));
    }
    assert_eq!(
        session.records("O"),
        [
            "a {\"TOTAL\":1} @1",
            "a {\"TOTAL\":3} @2",
            "a {\"TOTAL\":2} @5",
            "b {\"TOTAL\":5} @5",
            "a NULL @5",
            "b {\"TOTAL\":7} @5",
            "b {\"TOTAL\":8} @5",
        ]
    );
}

#[test]
fn what_cannot_be_taken_back_is_refused_on_a_table() {
    let mut session = Session::new();
    session.run("CREATE TABLE t (id INT PRIMARY KEY, g STRING, vs ARRAY<INT>) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', PARTITIONS=1)");
    let refusal = session.refusal("SELECT g, MAX(id) FROM t GROUP BY g EMIT CHANGES");
    assert!(refusal.contains("cannot take back") && refusal.contains("COUNT"), "{refusal}");
    let refusal = session.refusal("SELECT g, COUNT(*) FROM t WINDOW TUMBLING (SIZE 1 SECOND) GROUP BY g EMIT CHANGES");
    assert!(refusal.contains("a window groups the rows of a stream"), "{refusal}");
    let refusal = session.refusal("SELECT id, EXPLODE(vs) FROM t EMIT CHANGES");
    assert!(refusal.contains("table function"), "{refusal}");
}

#[test]
fn a_row_becomes_as_many_as_its_longest_list() {
    let mut session = Session::new();
    session.run("CREATE STREAM s (k STRING KEY, a ARRAY<INT>, b ARRAY<STRING>) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1)");
    session.run("CREATE STREAM o AS SELECT k, EXPLODE(a) + 1 AS x, EXPLODE(b) AS y, a[1] AS n FROM s EMIT CHANGES");
    session.run("INSERT INTO s VALUES ('p', ARRAY[1, 2], ARRAY['u'])");
    session.run("INSERT INTO s (k, a) VALUES ('q', ARRAY[7])");
    session.run("INSERT INTO s (k) VALUES ('r')");
    assert_eq!(session.pull("SELECT * FROM o"), ["p 2 u 1", "p 3 NULL 1", "q 8 NULL 7"]);
    for (statement, reason) in [
        ("SELECT EXPLODE(EXPLODE(a)) FROM s EMIT CHANGES", "not into each other"),
        ("SELECT k FROM s WHERE EXPLODE(a) = 1 EMIT CHANGES", "cannot be used here"),
        ("SELECT k, EXPLODE(a), COUNT(*) FROM s GROUP BY k EMIT CHANGES", "cannot be used here"),
        ("SELECT EXPLODE(k) FROM s EMIT CHANGES", "does not take (STRING)"),
    ] {
        let refusal = session.refusal(statement);
        assert!(refusal.contains(reason), "{statement}: {refusal}");
    }
}

#[test]
fn windows_beyond_their_retention_cannot_be_looked_up() {
    let mut session = Session::new();
    session.run("CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1)");
    session.run("CREATE TABLE o AS SELECT k, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 10 MILLISECONDS, RETENTION 30 MILLISECONDS) GROUP BY k EMIT CHANGES");
    for time in [0, 5, 12, 25, 31, 44] {
        session.run(&format!("INSERT INTO s (k, v, ROWTIME) VALUES ('a', 1, {time})"));
    }
    let starts = "SELECT windowstart, n FROM o ORDER BY windowstart";
    assert_eq!(session.pull(starts), ["20 1", "30 1", "40 1"]);
    session.run("INSERT INTO s (k, v, ROWTIME) VALUES ('a', 1, 1000)");
    assert_eq!(session.pull(starts), ["1000 1"]);
    let refusal = session.refusal(
        "SELECT k, COUNT(*) FROM s WINDOW TUMBLING (SIZE 10 SECONDS, RETENTION 12 SECONDS, GRACE PERIOD 5 SECONDS) GROUP BY k EMIT CHANGES",
    );
    assert!(refusal.contains("RETENTION is shorter"), "{refusal}");
}

#[test]
fn limits_of_collections_are_settings_that_stay_with_the_query() {
    let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(LogOptions::in_memory()).unwrap());
    let mut session = Session::over(&log);
    session.run("SET 'ksql.functions.collect_list.limit' = '2'");
    session.run("CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1)");
    session.run("CREATE TABLE o AS SELECT k, COLLECT_LIST(v) AS vs, AVG(*) AS t FROM s GROUP BY k EMIT CHANGES");
    session.run("INSERT INTO s (k, v, ROWTIME) VALUES ('a', 1, 10)");
    drop(session);
    let mut session = Session::over(&log);
    for value in 2..5 {
        session.run(&format!("INSERT INTO s (k, v, ROWTIME) VALUES ('a', {value}, 20)"));
    }
    assert_eq!(session.pull("SELECT * FROM o"), ["a [1,2] 17.5"]);
}

#[test]
fn without_group_by_a_push_query_counts_all_rows_and_a_table_is_refused() {
    let mut session = Session::new();
    session.run("CREATE STREAM s (k INT KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=3)");
    for (k, v) in [(1, 10), (2, 20), (3, 30)] {
        session.run(&format!("INSERT INTO s VALUES ({k}, {v})"));
    }
    let rows = session.pull("SELECT COUNT(*) AS n, SUM(v) + COUNT(v) AS x FROM s EMIT CHANGES LIMIT 3");
    assert_eq!(rows.last().map(String::as_str), Some("3 63"), "{rows:?}");
    let refusal = session.refusal("CREATE TABLE t AS SELECT COUNT(*) AS n FROM s");
    assert!(refusal.contains("an aggregate needs GROUP BY"), "{refusal}");
    let refusal = session.refusal("SELECT v, COUNT(*) AS n FROM s EMIT CHANGES");
    assert!(refusal.contains("column \"V\" is neither grouped by nor aggregated"), "{refusal}");
}

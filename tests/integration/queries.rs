//! Statements over an engine in this process: what each operator makes of a few rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use millstream_log::record::BatchBuilder;
use millstream_log::{EmbeddedLog, Log, LogOptions, TopicPartition, TopicSpec};
use millstream_runtime::{Engine, EngineOptions, QueryStatus, Response, Settings};

pub(crate) struct Session {
    engine: Engine,
    settings: Settings,
}

impl Session {
    /// An engine that hands on every record's update, over a log in memory.
    pub(crate) fn new() -> Self {
        let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(LogOptions::in_memory()).unwrap());
        Self::over(&log)
    }

    pub(crate) fn over(log: &Arc<dyn Log>) -> Self {
        Self::with(log, &EngineOptions::default())
    }

    pub(crate) fn with(log: &Arc<dyn Log>, options: &EngineOptions) -> Self {
        let engine = Engine::open(Arc::clone(log), options).unwrap();
        let mut session = Self { engine, settings: Settings::default() };
        session.run("SET 'auto.offset.reset' = 'earliest'");
        session.run("SET 'ksql.streams.cache.max.bytes.buffering' = '0'");
        session
    }

    pub(crate) fn run(&mut self, statement: &str) {
        if let Err(error) = self.engine.execute(statement, &mut self.settings) {
            panic!("{statement}: {error}");
        }
    }

    pub(crate) fn refusal(&mut self, statement: &str) -> String {
        match self.engine.execute(statement, &mut self.settings) {
            Ok(_) => panic!("{statement} was not refused"),
            Err(error) => error.to_string(),
        }
    }

    pub(crate) fn status(&self, id: &str) -> QueryStatus {
        let query = self.engine.queries().into_iter().find(|query| query.id == id);
        query.unwrap_or_else(|| panic!("there is no query {id}")).status
    }

    /// Waits until every query has read everything.
    pub(crate) fn settle(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut quiet = 0;
        while quiet < 3 {
            let queries = self.engine.queries();
            for query in &queries {
                assert_eq!(query.status, QueryStatus::Running, "{}", query.id);
            }
            quiet = if queries.iter().all(|query| query.lag == 0) { quiet + 1 } else { 0 };
            assert!(Instant::now() < deadline, "{queries:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The rows of a pull query, a line each.
    pub(crate) fn pull(&mut self, statement: &str) -> Vec<String> {
        self.settle();
        match self.engine.execute(statement, &mut self.settings) {
            Ok(Response::Stream(rows)) => rows.collect().unwrap().rows.iter().map(|row| line(row)).collect(),
            other => panic!("{statement}: {other:?}"),
        }
    }

    /// A topic's records, a line each: key, value and time.
    pub(crate) fn records(&mut self, topic: &str) -> Vec<String> {
        self.settle();
        let topic_info = self.engine.log().topic(topic).unwrap().unwrap();
        let count: i64 =
            topic_info.topic_partitions().map(|partition| self.engine.log().offsets(&partition).unwrap().1).sum();
        if count == 0 {
            return Vec::new();
        }
        let statement = format!("PRINT '{topic}' FROM BEGINNING LIMIT {count}");
        let Ok(Response::Stream(stream)) = self.engine.execute(&statement, &mut self.settings) else { panic!() };
        let mut lines = Vec::new();
        while (lines.len() as i64) < count {
            if let millstream_runtime::StreamEvent::Rows(rows) = stream.next(Duration::from_secs(10)) {
                let record = |row: &millstream_runtime::Row| {
                    let millstream_sql::Value::Timestamp(time) = row.cells[0] else { panic!() };
                    format!("{} {} @{time}", row.cells[3], row.cells[4])
                };
                lines.extend(rows.iter().map(record));
            } else {
                panic!("{topic} has {} of {count} records", lines.len());
            }
        }
        lines
    }
}

fn line(row: &[millstream_sql::Value]) -> String {
    row.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

const CLICKS: &str =
    "CREATE STREAM clicks (k STRING KEY, v INT) WITH (KAFKA_TOPIC='clicks', VALUE_FORMAT='JSON', PARTITIONS=1)";

fn insert(session: &mut Session, source: &str, rows: &[(&str, i32, i64)]) {
    for (key, value, time) in rows {
        session.run(&format!("INSERT INTO {source} (k, v, ROWTIME) VALUES ('{key}', {value}, {time})"));
    }
}

#[test]
fn a_filter_keeps_keys_times_and_order() {
    let mut session = Session::new();
    session.run(CLICKS);
    session.run("CREATE STREAM big AS SELECT k, v * 10 AS ten, CASE WHEN v > 2 THEN 'l' ELSE 's' END AS size FROM clicks WHERE v > 1 EMIT CHANGES");
    insert(&mut session, "clicks", &[("a", 1, 5), ("b", 2, 6), ("a", 3, 4)]);
    assert_eq!(session.records("BIG"), [r#"b {"TEN":20,"SIZE":"s"} @6"#, r#"a {"TEN":30,"SIZE":"l"} @4"#]);
}

#[test]
fn tumbling_windows_take_late_rows_within_grace_only() {
    let mut session = Session::new();
    session.run(CLICKS);
    session.run("CREATE TABLE n AS SELECT k, COUNT(*) AS n, SUM(v) AS s FROM clicks WINDOW TUMBLING (SIZE 10 MILLISECONDS, GRACE PERIOD 5 MILLISECONDS) GROUP BY k EMIT CHANGES");
    insert(
        &mut session,
        "clicks",
        &[("a", 1, 1), ("a", 2, 12), ("a", 4, 9), ("a", 8, 15), ("a", 16, 9), ("a", 32, 14)],
    );
    // At 15 the first window, [0, 10) with 5 ms of grace, is closed.
    assert_eq!(
        session.pull("SELECT k, windowstart, windowend, n, s FROM n ORDER BY windowstart"),
        ["a 0 10 2 5", "a 10 20 3 42"]
    );
}

#[test]
fn hopping_windows_overlap_and_final_results_come_once() {
    let mut session = Session::new();
    session.run(CLICKS);
    session.run("CREATE TABLE h AS SELECT k, COUNT(*) AS n FROM clicks WINDOW HOPPING (SIZE 10 MILLISECONDS, ADVANCE BY 5 MILLISECONDS, GRACE PERIOD 0 MILLISECONDS) GROUP BY k EMIT FINAL");
    insert(&mut session, "clicks", &[("a", 1, 1), ("a", 1, 7), ("a", 1, 12), ("a", 1, 30)]);
    assert_eq!(session.pull("SELECT windowstart, n FROM h ORDER BY windowstart"), ["0 2", "5 2", "10 1"]);
    assert_eq!(session.records("H").len(), 3);
}

#[test]
fn sessions_grow_join_and_leave_a_tombstone_under_their_old_bounds() {
    let mut session = Session::new();
    session.run(CLICKS);
    session.run("CREATE TABLE s AS SELECT k, COUNT(*) AS n, SUM(v) AS s FROM clicks WINDOW SESSION (10 MILLISECONDS) GROUP BY k EMIT CHANGES");
    insert(&mut session, "clicks", &[("a", 1, 0), ("a", 2, 30), ("a", 4, 8), ("a", 8, 19)]);
    // The last row reaches [0, 8] by 11 ms only, so it joins nothing, and [30, 30] by 11 ms.
    assert_eq!(
        session.pull("SELECT windowstart, windowend, n, s FROM s ORDER BY windowstart"),
        ["0 8 2 5", "19 19 1 8", "30 30 1 2"]
    );
    insert(&mut session, "clicks", &[("a", 16, 18), ("a", 32, 25)]);
    assert_eq!(session.pull("SELECT windowstart, windowend, n, s FROM s"), ["0 30 6 63"]);
    assert!(session.records("S").iter().any(|record| record.contains("NULL")));
}

#[test]
fn having_deletes_what_no_longer_passes() {
    let mut session = Session::new();
    session.run(CLICKS);
    session.run("CREATE TABLE few AS SELECT k, COUNT(*) AS n FROM clicks GROUP BY k HAVING COUNT(*) < 3 EMIT CHANGES");
    insert(&mut session, "clicks", &[("a", 1, 1), ("a", 1, 2), ("b", 1, 3), ("a", 1, 4), ("a", 1, 5)]);
    assert_eq!(session.records("FEW"), [r#"a {"N":1} @1"#, r#"a {"N":2} @2"#, r#"b {"N":1} @3"#, "a NULL @4"]);
    assert_eq!(session.pull("SELECT k, n FROM few"), ["b 1"]);
}

#[test]
fn a_stream_finds_the_tables_row_of_its_time() {
    let mut session = Session::new();
    session.run(CLICKS);
    session.run("CREATE TABLE names (k STRING PRIMARY KEY, v INT) WITH (KAFKA_TOPIC='names', VALUE_FORMAT='JSON', PARTITIONS=1)");
    insert(&mut session, "names", &[("a", 100, 0), ("a", 200, 10)]);
    insert(&mut session, "clicks", &[("a", 1, 5), ("a", 2, 15), ("b", 3, 16)]);
    session.run(
        "CREATE STREAM i AS SELECT c.k AS k, c.v AS v, n.v AS w FROM clicks c JOIN names n ON c.k = n.k EMIT CHANGES",
    );
    session.run("CREATE STREAM l AS SELECT c.k AS k, c.v AS v, n.v AS w FROM clicks c LEFT JOIN names n ON c.k = n.k EMIT CHANGES");
    assert_eq!(session.records("I"), [r#"a {"V":1,"W":100} @5"#, r#"a {"V":2,"W":200} @15"#]);
    assert_eq!(session.records("L").last().unwrap(), r#"b {"V":3,"W":null} @16"#);
}

#[test]
fn streams_join_within_bounds_and_outer_rows_come_when_their_window_closes() {
    let mut session = Session::new();
    session.run(CLICKS);
    session
        .run("CREATE STREAM views (k STRING KEY, v INT) WITH (KAFKA_TOPIC='views', VALUE_FORMAT='JSON', PARTITIONS=1)");
    insert(&mut session, "clicks", &[("a", 1, 0), ("a", 2, 40), ("b", 3, 50), ("a", 4, 200)]);
    insert(&mut session, "views", &[("a", 10, 7), ("a", 20, 31), ("c", 30, 60), ("a", 40, 201)]);
    let join = |kind: &str, name: &str, within: &str| {
        format!(
            "CREATE STREAM {name} AS SELECT c.k AS k, c.v AS v, w.v AS w FROM clicks c {kind} JOIN views w WITHIN {within} ON c.k = w.k EMIT CHANGES"
        )
    };
    session.run(&join("INNER", "i", "10 MILLISECONDS"));
    session.run(&join("LEFT", "l", "10 MILLISECONDS GRACE PERIOD 5 MILLISECONDS"));
    session.run(&join("INNER", "before_only", "(10 MILLISECONDS, 0 MILLISECONDS)"));
    assert_eq!(session.records("I"), [r#"a {"V":1,"W":10} @7"#, r#"a {"V":2,"W":20} @40"#, r#"a {"V":4,"W":40} @201"#]);
    let left = session.records("L");
    assert!(left.contains(&r#"b {"V":3,"W":null} @50"#.to_owned()), "{left:?}");
    assert_eq!(left.len(), 4, "{left:?}");
    assert_eq!(session.records("BEFORE_ONLY"), [r#"a {"V":2,"W":20} @40"#]);
}

#[test]
fn grouping_by_another_column_crosses_partitions() {
    let mut session = Session::new();
    session.run(
        "CREATE STREAM clicks (k STRING KEY, v INT) WITH (KAFKA_TOPIC='clicks', VALUE_FORMAT='JSON', PARTITIONS=3)",
    );
    session
        .run("CREATE TABLE per_v AS SELECT v, COUNT(*) AS n, COLLECT_SET(k) AS ks FROM clicks GROUP BY v EMIT CHANGES");
    for number in 0..30 {
        insert(&mut session, "clicks", &[(&format!("k{}", number % 7), number % 2, i64::from(number))]);
    }
    assert_eq!(session.pull("SELECT v, n, cardinality(ks) FROM per_v ORDER BY v"), ["0 15 7", "1 15 7"]);
}

#[test]
fn state_survives_a_restart_of_the_engine_with_and_without_merging() {
    for cache in ["0", "10000000"] {
        let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(LogOptions::in_memory()).unwrap());
        let mut session = Session::over(&log);
        session.run(&format!("SET 'ksql.streams.cache.max.bytes.buffering' = '{cache}'"));
        session.run(CLICKS);
        session.run("CREATE TABLE n AS SELECT k, COUNT(*) AS n, AVG(v) AS m, COLLECT_LIST(v) AS vs FROM clicks GROUP BY k EMIT CHANGES");
        session.run("CREATE TABLE s AS SELECT k, COUNT(*) AS n FROM clicks WINDOW SESSION (10 MILLISECONDS) GROUP BY k EMIT CHANGES");
        insert(&mut session, "clicks", &[("a", 1, 0), ("a", 2, 8), ("b", 4, 9)]);
        session.settle();
        drop(session);
        let mut session = Session::over(&log);
        insert(&mut session, "clicks", &[("a", 6, 15)]);
        assert_eq!(session.pull("SELECT * FROM n ORDER BY k"), ["a 3 3.0 [1,2,6]", "b 1 4.0 [4]"], "cache {cache}");
        assert_eq!(session.pull("SELECT k, windowstart, windowend, n FROM s ORDER BY k"), ["a 0 15 3", "b 9 9 1"]);
    }
}

#[test]
fn a_record_that_cannot_be_read_is_left_out_and_told_of() {
    let mut session = Session::new();
    session.run(
        "CREATE STREAM raw (line STRING) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='KAFKA', KEY_FORMAT='NONE', PARTITIONS=1)",
    );
    session.run("CREATE STREAM s (a ARRAY<INT>, b INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', KEY_FORMAT='NONE')");
    session.run("CREATE STREAM copy AS SELECT a, 10 / b AS q FROM s EMIT CHANGES");
    for line in [r#"{"a":[1,"x"],"b":1}"#, r#"{"a":[5],"b":2}"#, "{", r#"{"A":[6,null],"B":0}"#] {
        session.run(&format!("INSERT INTO raw VALUES ('{line}')"));
    }
    assert_eq!(session.pull("SELECT a, q FROM copy"), ["[5] 5", "[6,null] NULL"]);
    assert_eq!(session.pull("SELECT SUM(failed) FROM ksql_processing_log"), ["3"]);
}

#[test]
fn what_is_in_use_cannot_be_dropped_and_names_are_suggested() {
    let mut session = Session::new();
    session.run(CLICKS);
    session.run("CREATE STREAM copy AS SELECT k, v FROM clicks EMIT CHANGES");
    assert!(session.refusal("DROP STREAM clicks").contains("is used by CSAS_COPY_1"));
    assert!(session.refusal("SELECT * FROM click EMIT CHANGES").contains("did you mean \"CLICKS\""));
    assert!(session.refusal("CREATE TABLE t AS SELECT v, COUNT(*) FROM clicks GROUP BY k").contains("neither grouped"));
    assert!(session.refusal("CREATE STREAM copy AS SELECT k, v FROM clicks").contains("exists already"));
    session.run("PAUSE CSAS_COPY_1");
    session.run("RESUME ALL");
    session.run("TERMINATE CSAS_COPY_1");
    session.run("DROP STREAM copy DELETE TOPIC");
    session.run("DROP STREAM clicks");
}

#[test]
fn a_command_that_can_no_longer_be_carried_out_is_told_of_and_stops_nothing_else() {
    let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(LogOptions::in_memory()).unwrap());
    log.create_topic(&TopicSpec::new("gone", 1)).unwrap();
    let mut session = Session::over(&log);
    session.run("CREATE STREAM gone (v INT) WITH (KAFKA_TOPIC='gone', VALUE_FORMAT='JSON', KEY_FORMAT='NONE')");
    session.run(CLICKS);
    drop(session);
    log.delete_topic("gone").unwrap();
    let mut session = Session::over(&log);
    insert(&mut session, "clicks", &[("a", 1, 1)]);
    assert_eq!(session.pull("SELECT k, v FROM clicks"), ["a 1"]);
    let told = session.pull("SELECT what, reason FROM ksql_processing_log");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("CREATE STREAM gone") && told[0].contains("does not exist"), "{told:?}");
}

/// Appends a statement to the command log as `docs/formats/command-log.md` has it.
fn append_command(log: &Arc<dyn Log>, statement: &str) {
    let value = [&[1], &(statement.len() as u32).to_le_bytes()[..], statement.as_bytes()].concat();
    let mut batch = BatchBuilder::new();
    batch.push(0, None, Some(&value));
    let commands = TopicPartition::new("_confluent-ksql-default__command_topic", 0);
    log.append(&commands, batch.finish().unwrap()).unwrap().wait().unwrap();
}

#[test]
fn what_an_earlier_version_accepted_is_there_after_a_restart() {
    let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(LogOptions::in_memory()).unwrap());
    for topic in ["soon", "negative", "policy"] {
        log.create_topic(&TopicSpec::new(topic, 1)).unwrap();
    }
    drop(Session::over(&log));
    let properties =
        [("soon", "RETENTION_MS='soon'"), ("negative", "RETENTION_MS=-7"), ("policy", "CLEANUP_POLICY='compact'")];
    for (name, property) in properties {
        let with = format!("KAFKA_TOPIC='{name}', VALUE_FORMAT='JSON', {property}");
        append_command(&log, &format!("CREATE STREAM {name} (v INT) WITH ({with})"));
        let copy = format!("CREATE STREAM {name}_copy WITH ({property}) AS SELECT v FROM {name} EMIT CHANGES");
        append_command(&log, &copy);
        log.create_topic(&TopicSpec::new(format!("{}_COPY", name.to_uppercase()), 1)).unwrap();
    }
    let mut session = Session::over(&log);
    assert_eq!(session.pull("SELECT what, reason FROM ksql_processing_log"), Vec::<String>::new());
    for (name, property) in properties {
        session.run(&format!("INSERT INTO {name} (v) VALUES (1)"));
        assert_eq!(session.pull(&format!("SELECT v FROM {name}_copy")), ["1"], "{property}");
        let new = format!("CREATE STREAM new (v INT) WITH (KAFKA_TOPIC='{name}', VALUE_FORMAT='JSON', {property})");
        let (name, _) = property.split_once('=').unwrap();
        assert!(session.refusal(&new).contains(&format!("{name} cannot be")), "{property}");
    }
}

#[test]
fn functions_of_the_dialect_work_in_pull_queries_too() {
    let mut session = Session::new();
    session.run(CLICKS);
    insert(&mut session, "clicks", &[("abc", 1, 1)]);
    assert_eq!(session.pull("SELECT UCASE(k), len(k), Upper(k), v FROM clicks WHERE LEN(k) = 3"), ["ABC 3 ABC 1"]);
}

/// A task may be woken by its topic at any time, also while it is made.
#[test]
fn a_query_that_is_made_while_its_source_grows_reads_all_of_it() {
    let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(LogOptions::in_memory()).unwrap());
    let mut session = Session::over(&log);
    session.run(CLICKS);
    let (is_over, clicks) = (AtomicBool::new(false), TopicPartition::new("clicks", 0));
    let append = || {
        let mut batch = BatchBuilder::new();
        batch.push(0, Some(b"k"), Some(br#"{"V":1}"#));
        log.append(&clicks, batch.finish().unwrap()).unwrap()
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut last = append();
            // A bound, should a statement fail before the end.
            for _ in 0..1_000_000 {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                // The next one is on its way while this one is waited for: there is no pause.
                std::mem::replace(&mut last, append()).wait().unwrap();
            }
            last.wait().unwrap();
        });
        for number in 0..20 {
            session.run(&format!("CREATE TABLE t{number} AS SELECT k, COUNT(*) AS n FROM clicks GROUP BY k"));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let all = log.offsets(&clicks).unwrap().1;
    for number in 0..20 {
        assert_eq!(session.pull(&format!("SELECT n FROM t{number}")), [all.to_string()]);
    }
}

/// Both sides come through repartition topics, and either may run far ahead of the other: what a join makes
/// of a history must not depend on it.
#[test]
fn a_join_over_history_waits_for_the_side_that_is_behind() {
    let mut session = Session::new();
    for side in ["L", "R"] {
        session.run(&format!(
            "CREATE STREAM {side} (k STRING KEY, id INT, n INT) WITH (KAFKA_TOPIC='{side}', VALUE_FORMAT='JSON', PARTITIONS=1)"
        ));
    }
    let hours = 300;
    for hour in 0..hours {
        let time = hour * 3_600_000;
        // The right side is the slower one: of its rows most are left out after they were read.
        for (side, copies) in [("L", 1), ("R", 20)] {
            for copy in 0..copies {
                session.run(&format!(
                    "INSERT INTO {side} (ROWTIME, k, id, n) VALUES ({time}, 'k{hour}{copy}', {}, {copy})",
                    hour % 10
                ));
            }
        }
    }
    session.run(
        "CREATE STREAM J AS SELECT L.id, L.n FROM L JOIN R WITHIN 10 MINUTES GRACE PERIOD 0 SECONDS ON L.id = R.id \
         WHERE R.n = 19",
    );
    assert_eq!(session.pull("SELECT COUNT(*) FROM J"), [hours.to_string()]);
}

#[test]
fn limit_takes_the_first_keys_in_the_order_of_their_bytes() {
    let mut session = Session::new();
    session.run("CREATE TABLE t (id INT PRIMARY KEY, v INT) WITH (KAFKA_TOPIC='t', FORMAT='JSON', PARTITIONS=1)");
    for (id, v) in [(9, 1), (10, 2), (-1, 3), (2, 4), (9, 5)] {
        session.run(&format!("INSERT INTO t VALUES ({id}, {v})"));
    }
    assert_eq!(session.pull("SELECT * FROM t LIMIT 3"), ["-1 3", "10 2", "2 4"]);
    assert_eq!(session.pull("SELECT v FROM t WHERE id > 0 LIMIT 2"), ["2", "4"]);
    assert_eq!(session.pull("SELECT id FROM t ORDER BY v LIMIT 2"), ["10", "-1"]);
}

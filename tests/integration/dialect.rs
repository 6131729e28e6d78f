//! What the dialect refuses and what it fills in, where no conformance case says so.

use tempfile::TempDir;

use crate::queries::Session;
use crate::support;

/// Runs statements of which the last must be refused with all this.
fn refused(statements: &str, said: &[&str]) {
    let data = TempDir::new().unwrap();
    let output = support::output(data.path(), &["-e", statements]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{statements}: {error}");
    for part in said {
        assert!(error.contains(part), "{statements}: expected {part:?} in {error}");
    }
}

const STREAM: &str =
    "CREATE STREAM s (k STRING KEY, v INT, t STRING) WITH (KAFKA_TOPIC='s', FORMAT='JSON', PARTITIONS=1);";

#[test]
fn replacing_adds_columns_and_nothing_else() {
    for (replacement, said) in [
        ("(k STRING KEY, v BIGINT, t STRING) WITH (KAFKA_TOPIC='s', FORMAT='JSON')", "changed, missing"),
        ("(k STRING KEY, t STRING, v INT) WITH (KAFKA_TOPIC='s', FORMAT='JSON')", "in another order"),
        ("(k INT KEY, v INT, t STRING) WITH (KAFKA_TOPIC='s', FORMAT='JSON')", "its key is k STRING"),
        ("(k STRING KEY, v INT, t STRING) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON')", "its key format is JSON"),
        ("(k STRING KEY, v INT, t STRING) WITH (KAFKA_TOPIC='o', FORMAT='JSON', PARTITIONS=1)", "its topic is \"s\""),
    ] {
        let statements = format!("{STREAM} CREATE OR REPLACE STREAM s {replacement};");
        refused(&statements, &["E0323", &said.replace("k STRING", "K STRING")]);
    }
    let data = TempDir::new().unwrap();
    let added =
        "CREATE OR REPLACE STREAM s (k STRING KEY, v INT, t STRING, n BIGINT) WITH (KAFKA_TOPIC='s', FORMAT='JSON');";
    support::run(data.path(), &["-e", &format!("{STREAM} {added} INSERT INTO s VALUES ('a', 1, 'x', 5);")]);
}

#[test]
fn refusals_name_the_thing_and_what_to_do() {
    for (statement, said) in [
        ("CREATE STREAM o AS SELECT k, v AS rowtime FROM s;", ["E0214", "AS name"]),
        ("CREATE STREAM o AS SELECT k, NULL AS n FROM s;", ["E0254", "CAST(NULL AS STRING)"]),
        ("CREATE STREAM o AS SELECT k, k AS k2, v FROM s;", ["E0266", "AS_VALUE(K) AS K2"]),
        ("CREATE STREAM o WITH (WRAP_SINGLE_VALUE=FALSE) AS SELECT * FROM s;", ["E0224", "remove WRAP_SINGLE_VALUE"]),
        (
            "CREATE STREAM h (x INT HEADER('a'), v INT) WITH (KAFKA_TOPIC='h', FORMAT='JSON', PARTITIONS=1);",
            ["E0227", "X BYTES HEADER"],
        ),
        ("SELECT 9223372036854775808 FROM s EMIT CHANGES;", ["E0109", "9223372036854775808.0"]),
        ("CREATE SOURCE CONNECTOR c WITH ('connector.class'='x');", ["E0110", "INSERT INTO"]),
        ("CREATE STREAM o AS SELECT k, CAST(v AS BOOLEAN) FROM s;", ["E0240", "number <> 0"]),
        ("CREATE STREAM o AS SELECT k, CAST(TO_BYTES(t, 'utf8') AS STRING) FROM s;", ["E0240", "FROM_BYTES"]),
        ("CREATE STREAM o AS SELECT * FROM s WHERE (v = 1) > (v = 2);", ["E0241", "compare them with ="]),
        ("CREATE STREAM o WITH (VALUE_DELIMITER='|') AS SELECT * FROM s;", ["E0211", "VALUE_DELIMITER is for"]),
        ("INSERT INTO s (k, v, k) VALUES ('a', 1, 'b');", ["E0331", "name it once"]),
        ("CREATE STREAM o WITH (REPLICAS=0) AS SELECT * FROM s;", ["E0211", "from 1 on"]),
        ("SELECT v FROM s PARTITION BY v;", ["E0351", "EMIT CHANGES"]),
        ("SELECT EXPLODE(ARRAY[1, 2]) FROM s;", ["E0242", "EMIT CHANGES"]),
    ] {
        refused(&format!("{STREAM} {statement}"), &said);
    }
}

#[test]
fn a_join_on_an_expression_asks_for_the_column_that_stands_for_its_key() {
    let table = "CREATE TABLE t (id INT PRIMARY KEY, w INT) WITH (KAFKA_TOPIC='t', FORMAT='JSON', PARTITIONS=1);";
    let select = "CREATE STREAM o AS SELECT s.v + 1, w FROM s JOIN t ON s.v + 1 = t.id;";
    refused(&format!("{STREAM} {table} {select}"), &["E0255", "the key T.ID is missing"]);
}

#[test]
fn casts_give_what_the_documentation_says() {
    let data = TempDir::new().unwrap();
    for (cast, expected) in [
        ("CAST('TRUE' AS BOOLEAN)", "true"),
        ("CAST('yes' AS BOOLEAN)", "false"),
        ("CAST(1e10 AS STRING)", "\"1.0E10\""),
        ("CAST(STRUCT(a := 1, b := 'x') AS STRUCT<b STRING, c INT>)", r#"{"B":"x","C":null}"#),
        ("CAST(ARRAY[STRUCT(a := 1)] AS ARRAY<STRUCT<a STRING>>)", r#"[{"A":"1"}]"#),
        ("CAST(CAST('2021-02-03T10' AS TIMESTAMP) AS STRING)", "\"2021-02-03T10:00:00.000\""),
    ] {
        let statements = format!(
            "CREATE STREAM IF NOT EXISTS s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', FORMAT='JSON', PARTITIONS=1); \
             INSERT INTO s VALUES ('a', 1); SET 'auto.offset.reset'='earliest'; \
             SELECT {cast} AS c FROM s EMIT CHANGES LIMIT 1;"
        );
        let output = support::output(data.path(), &["-o", "ndjson", "-e", &statements]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(&format!("{{\"C\":{expected}}}")), "{cast}: {text}");
    }
}

#[test]
fn the_strict_dialect_is_asked_for() {
    let table = "CREATE TABLE t (k STRING PRIMARY KEY, v INT) WITH (KAFKA_TOPIC='t', FORMAT='JSON', PARTITIONS=1);";
    let data = TempDir::new().unwrap();
    support::run(data.path(), &["-e", &format!("{table} SELECT * FROM t WHERE v > 1;")]);
    let strict = "SET 'millstream.dialect.strict' = 'true';";
    refused(&format!("{table} {strict} SELECT * FROM t;"), &["E0351", "not materialized"]);
    let no_scans = "SET 'ksql.query.pull.table.scan.enabled' = 'false';";
    refused(&format!("{table} {no_scans} SELECT * FROM t WHERE v > 1;"), &["E0351", "WHERE K ="]);
    support::run(data.path(), &["-e", &format!("{no_scans} SELECT * FROM t WHERE k IN ('a', 'b');")]);
}

#[test]
fn assertions_hold_or_stop_a_script() {
    let mut session = Session::new();
    session.run("CREATE STREAM s (k STRING KEY) WITH (KAFKA_TOPIC='Events', FORMAT='KAFKA', PARTITIONS=3)");
    session.run("ASSERT TOPIC 'Events' WITH (PARTITIONS=3, REPLICAS=1)");
    session.run("ASSERT TOPIC Events TIMEOUT 1 SECOND");
    session.run("ASSERT NOT EXISTS TOPIC events");
    session.run("ASSERT NOT EXISTS SCHEMA SUBJECT 'Events-value'");
    let refused = |session: &mut Session, statement: &str, reason: &str| {
        let message = session.refusal(&format!("{statement} TIMEOUT 50 MILLISECONDS"));
        assert!(message.contains(reason), "{message}");
    };
    refused(&mut session, "ASSERT TOPIC events", "topic \"events\" does not exist");
    refused(&mut session, "ASSERT NOT EXISTS TOPIC Events", "topic \"Events\" exists");
    refused(&mut session, "ASSERT TOPIC Events WITH (PARTITIONS=4)", "has 3 partitions, not 4");
    refused(&mut session, "ASSERT SCHEMA ID 1", "schema with id 1 does not exist");
}

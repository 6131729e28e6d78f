//! What the dialect refuses and what it fills in, where no conformance case says so.

use tempfile::TempDir;

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
    ] {
        refused(&format!("{STREAM} {statement}"), &said);
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

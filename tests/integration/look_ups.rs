//! Pull queries that name keys give what a reading of the whole table gives.

use crate::queries::Session;

/// The rows of a condition, looked up and, with a condition that says the same but names no key, read from the whole.
fn same(session: &mut Session, table: &str, looked_up: &str, scanned: &str) -> Vec<String> {
    let mut found = session.pull(&format!("SELECT * FROM {table} WHERE {looked_up}"));
    let mut expected = session.pull(&format!("SELECT * FROM {table} WHERE {scanned}"));
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "{looked_up}");
    found
}

#[test]
fn of_a_table_with_a_key() {
    let mut session = Session::new();
    session.run("CREATE TABLE t (k INT PRIMARY KEY, v STRING) WITH (KAFKA_TOPIC='t', FORMAT='JSON', PARTITIONS=3)");
    for k in 0..20 {
        session.run(&format!("INSERT INTO t VALUES ({}, 'v{k}')", k % 15));
    }
    assert_eq!(same(&mut session, "t", "k = 3", "k + 0 = 3"), ["3 v18"]);
    assert_eq!(same(&mut session, "t", "k IN (14, 3, 3, 99)", "k + 0 = 14 OR k + 0 = 3").len(), 2);
    assert_eq!(same(&mut session, "t", "k = 1 OR k = 2", "k + 0 < 3 AND k + 0 > 0").len(), 2);
    assert_eq!(same(&mut session, "t", "k = 1 AND v = 'v16'", "k + 0 = 1").len(), 1);
    assert_eq!(same(&mut session, "t", "k = 1 AND k = 2", "FALSE").len(), 0);
    assert_eq!(same(&mut session, "t", "k = 1.0", "k + 0 = 1").len(), 1);
    // The table as it is now.
    session.run("INSERT INTO t VALUES (3, 'new')");
    assert_eq!(same(&mut session, "t", "k = 3", "k + 0 = 3"), ["3 new"]);
}

#[test]
fn of_a_key_of_two_columns() {
    let mut session = Session::new();
    session.run("CREATE TABLE t (a INT PRIMARY KEY, b STRING PRIMARY KEY, v INT) WITH (KAFKA_TOPIC='t', FORMAT='JSON', PARTITIONS=1)");
    for (a, b) in [(1, "x"), (1, "y"), (2, "x"), (2, "y")] {
        session.run(&format!("INSERT INTO t VALUES ({a}, '{b}', {a})"));
    }
    assert_eq!(same(&mut session, "t", "a = 1 AND b = 'y'", "a + 0 = 1 AND UCASE(b) = 'Y'"), ["1 y 1"]);
    assert_eq!(same(&mut session, "t", "a IN (1, 2) AND b IN ('x')", "UCASE(b) = 'X'").len(), 2);
    assert_eq!(same(&mut session, "t", "a = 1", "a + 0 = 1").len(), 2);
}

#[test]
fn of_the_windows_of_a_key() {
    let mut session = Session::new();
    session.run("CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', FORMAT='JSON', PARTITIONS=1)");
    session.run(
        "CREATE TABLE t AS SELECT k, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 1 SECOND, GRACE PERIOD 1 DAY) GROUP BY k",
    );
    for (time, k) in [(0, "a"), (500, "b"), (1000, "a"), (1700, "a"), (60_000, "a")] {
        session.run(&format!("INSERT INTO s (ROWTIME, k, v) VALUES ({time}, '{k}', 1)"));
    }
    assert_eq!(same(&mut session, "t", "k = 'a'", "UCASE(k) = 'A'").len(), 3);
    assert_eq!(
        same(&mut session, "t", "k = 'a' AND WINDOWSTART = 1000", "UCASE(k) = 'A' AND WINDOWSTART + 0 = 1000").len(),
        1
    );
    assert_eq!(
        same(&mut session, "t", "k = 'a' AND WINDOWEND > 2000", "UCASE(k) = 'A' AND WINDOWEND + 0 > 2000").len(),
        1
    );
}

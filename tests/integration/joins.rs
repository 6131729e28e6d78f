//! Joins of tables over several partitions, and across restarts of the engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use millstream_log::{EmbeddedLog, Log, LogOptions};

use crate::queries::Session;

/// A table with so many partitions.
fn table(session: &mut Session, name: &str, columns: &str, partitions: u32) {
    session.run(&format!(
        "CREATE TABLE {name} ({columns}) WITH (KAFKA_TOPIC='{name}', VALUE_FORMAT='JSON', PARTITIONS={partitions})"
    ));
}

/// Numbers that look random and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

#[test]
fn a_foreign_key_finds_its_row_in_any_partition_also_after_restarts() {
    let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(LogOptions::in_memory()).unwrap());
    let mut session = Session::over(&log);
    table(&mut session, "orders", "id INT PRIMARY KEY, customer STRING, pieces INT", 4);
    table(&mut session, "customers", "name STRING PRIMARY KEY, city STRING", 3);
    table(&mut session, "notes", "id INT PRIMARY KEY, note STRING", 4);
    session.run(
        "CREATE TABLE shipped AS SELECT o.id AS id, pieces, city, note FROM orders o \
         LEFT JOIN customers c ON o.customer = c.name LEFT JOIN notes n ON o.id = n.id EMIT CHANGES",
    );
    session.run(
        "CREATE TABLE known AS SELECT o.id AS id, city FROM orders o JOIN customers c ON o.customer = c.name EMIT CHANGES",
    );
    let (mut orders, mut customers, mut notes) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut numbers = Numbers(7);
    for round in 0..4 {
        for _ in 0..60 {
            let (id, name, text) = (numbers.below(20), format!("c{}", numbers.below(9)), numbers.below(1000));
            match numbers.below(3) {
                0 => {
                    session.run(&format!("INSERT INTO orders VALUES ({id}, '{name}', {text})"));
                    orders.insert(id, (name, text));
                }
                1 => {
                    session.run(&format!("INSERT INTO customers VALUES ('{name}', 'city {text}')"));
                    customers.insert(name, format!("city {text}"));
                }
                _ => {
                    session.run(&format!("INSERT INTO notes VALUES ({id}, 'note {text}')"));
                    notes.insert(id, format!("note {text}"));
                }
            }
        }
        let or_null = |text: Option<&String>| text.map_or("NULL", String::as_str).to_owned();
        let shipped: Vec<String> = orders
            .iter()
            .map(|(id, (customer, pieces))| {
                format!("{id} {pieces} {} {}", or_null(customers.get(customer)), or_null(notes.get(id)))
            })
            .collect();
        let known: Vec<String> = orders
            .iter()
            .filter_map(|(id, (customer, _))| Some(format!("{id} {}", customers.get(customer)?)))
            .collect();
        assert_eq!(session.pull("SELECT id, pieces, city, note FROM shipped ORDER BY id"), shipped, "round {round}");
        assert_eq!(session.pull("SELECT id, city FROM known ORDER BY id"), known, "round {round}");
        drop(session);
        session = Session::over(&log);
    }
}

#[test]
fn tables_whose_keys_are_written_differently_meet_through_a_topic() {
    let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(LogOptions::in_memory()).unwrap());
    let mut session = Session::over(&log);
    table(&mut session, "a", "id INT PRIMARY KEY, v INT", 4);
    session.run("CREATE TABLE b (id INT PRIMARY KEY, w INT) WITH (KAFKA_TOPIC='b', FORMAT='JSON', PARTITIONS=4)");
    session.run("CREATE TABLE both AS SELECT ROWKEY AS id, v, w FROM a FULL OUTER JOIN b ON a.id = b.id EMIT CHANGES");
    for id in 0..8 {
        let name = if id % 2 == 0 { "a" } else { "b" };
        session.run(&format!("INSERT INTO {name} VALUES ({id}, {id})"));
    }
    session.settle();
    drop(session);
    let mut session = Session::over(&log);
    session.run("INSERT INTO a VALUES (1, 10)");
    session.run("INSERT INTO b VALUES (2, 20)");
    let expected = ["0 0 NULL", "1 10 1", "2 2 20", "3 NULL 3", "4 4 NULL", "5 NULL 5", "6 6 NULL", "7 NULL 7"];
    assert_eq!(session.pull("SELECT id, v, w FROM both ORDER BY id"), expected);
}

#[test]
fn joins_that_cannot_be_say_why() {
    let mut session = Session::new();
    table(&mut session, "a", "id INT PRIMARY KEY, v INT", 4);
    table(&mut session, "b", "id INT PRIMARY KEY, w INT", 2);
    session.run(
        "CREATE TABLE c (x INT PRIMARY KEY, y INT PRIMARY KEY, z INT) WITH (KAFKA_TOPIC='c', FORMAT='JSON', PARTITIONS=4)",
    );
    let mut refused = |rest: &str, reason: &str| {
        let message = session.refusal(&format!("CREATE TABLE t AS SELECT {rest} EMIT CHANGES"));
        assert!(message.contains(reason), "{rest}: {message}");
    };
    refused("a.id, v, w FROM a JOIN b ON a.id = b.id", "lies in 2 partitions");
    refused("a.id, v, w FROM a RIGHT JOIN b ON a.v = b.id", "a join on a foreign key is INNER or LEFT");
    refused("a.id, v, w FROM a JOIN b ON a.id = b.w", "a table is joined on its primary key");
    refused("a.id, v, z FROM a JOIN c ON a.v = c.x", "a table is joined on its primary key, that of \"C\" is X, Y");
    refused("v, w FROM a JOIN b ON a.v = b.id", "the key ID is missing");
    refused("a.id, a.id AS again, w FROM a JOIN b ON a.v = b.id", "selected twice");
    refused("a.id, v, w FROM a FULL JOIN b ON a.v = b.id", "INNER or LEFT");
    refused("a.id, v, w FROM a JOIN b WITHIN 1 HOUR ON a.v = b.id", "no WITHIN");
}

/// A row of a stream, and a moment later the row of the table that was there before it.
fn joined_with_a_row_that_comes_late(idle_ms: &str) -> Vec<String> {
    let mut session = Session::new();
    session.run("CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', FORMAT='JSON', PARTITIONS=1)");
    session.run("CREATE TABLE t (k STRING PRIMARY KEY, w INT) WITH (KAFKA_TOPIC='t', FORMAT='JSON', PARTITIONS=1)");
    session.run(&format!("SET 'max.task.idle.ms' = '{idle_ms}'"));
    session.run("CREATE STREAM joined AS SELECT s.k AS k, v, w FROM s LEFT JOIN t ON s.k = t.k EMIT CHANGES");
    session.run("INSERT INTO s (ROWTIME, k, v) VALUES (10, 'a', 1)");
    std::thread::sleep(std::time::Duration::from_millis(200));
    session.run("INSERT INTO t (ROWTIME, k, w) VALUES (5, 'a', 2)");
    session.records("JOINED")
}

#[test]
fn a_join_waits_for_an_empty_input_as_long_as_it_is_told() {
    assert_eq!(joined_with_a_row_that_comes_late("0"), [r#""a" {"V":1,"W":null} @10"#]);
    let started = std::time::Instant::now();
    assert_eq!(joined_with_a_row_that_comes_late("3000"), [r#""a" {"V":1,"W":2} @10"#]);
    assert!(started.elapsed() >= std::time::Duration::from_secs(3), "once the table is read, the wait begins anew");
}

//! Texts that are no statement.

use super::{Explained, explained, without_example};

pub(super) const EXPLAINED: &[Explained] = &[
    explained(
        "E0101",
        "The statement's syntax is not right: something else was expected where the caret stands.",
        "SELECT FROM orders EMIT CHANGES;",
        "SELECT id FROM orders EMIT CHANGES;",
    ),
    explained(
        "E0102",
        "A quote or comment is opened and never closed.",
        "SELECT 'tea FROM orders;",
        "SELECT 'tea' FROM orders;",
    ),
    explained(
        "E0103",
        "A character has no meaning in SQL.",
        "SELECT id ? 2 FROM orders EMIT CHANGES;",
        "SELECT id + 2 FROM orders EMIT CHANGES;",
    ),
    without_example(
        "E0104",
        "The statement is nested too deeply, or chains too many operators: hundreds of brackets within each other, or \
         hundreds of OR. Take it apart; many comparisons with one column are an IN (…).",
    ),
    explained(
        "E0105",
        "The variable has no value. SHOW VARIABLES lists those that have one.",
        "SELECT id FROM orders WHERE item = '${item}';",
        "DEFINE item = 'tea'; SELECT id FROM orders WHERE item = '${item}';",
    ),
    explained(
        "E0106",
        "A DECIMAL has at most 38 digits, of which at most all are behind the point.",
        "SELECT CAST(amount AS DECIMAL(50, 2)) AS price FROM orders EMIT CHANGES;",
        "SELECT CAST(amount AS DECIMAL(10, 2)) AS price FROM orders EMIT CHANGES;",
    ),
    explained(
        "E0107",
        "A window or a time is no length of time: it is zero, too long, or a hop is longer than its window.",
        "SELECT item, COUNT(*) FROM orders WINDOW TUMBLING (SIZE 0 MINUTES) GROUP BY item EMIT CHANGES;",
        "SELECT item, COUNT(*) FROM orders WINDOW TUMBLING (SIZE 5 MINUTES) GROUP BY item EMIT CHANGES;",
    ),
    explained(
        "E0108",
        "A property of WITH is a literal: a text in single quotes, a number, TRUE or FALSE.",
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC=s, VALUE_FORMAT='JSON', PARTITIONS=1);",
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
    ),
    explained(
        "E0109",
        "The number does not fit a BIGINT, which ends at 9223372036854775807. With a point it is a DECIMAL.",
        "SELECT 9223372036854775808 AS n FROM orders EMIT CHANGES;",
        "SELECT 9223372036854775808.0 AS n FROM orders EMIT CHANGES;",
    ),
    explained(
        "E0110",
        "The statement is one of ksqlDB's that Millstream has not: connectors and ALTER SYSTEM.",
        "CREATE SOURCE CONNECTOR drinks WITH ('connector.class'='x');",
        "CREATE STREAM drinks (id INT KEY, name STRING) WITH (KAFKA_TOPIC='drinks', VALUE_FORMAT='JSON', PARTITIONS=1);",
    ),
    explained(
        "E0111",
        "Two fields of a struct have one name, so that one of them could not be reached.",
        "SELECT STRUCT(city := 'Bern', city := 'Basel') AS place FROM orders EMIT CHANGES;",
        "SELECT STRUCT(city := 'Bern', other := 'Basel') AS place FROM orders EMIT CHANGES;",
    ),
];

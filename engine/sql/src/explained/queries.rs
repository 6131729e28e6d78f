//! Queries that are not whole, or that do not fit their purpose.

use super::{Explained, explained};

pub(super) const EXPLAINED: &[Explained] = &[
    explained(
        "E0250",
        "A clause needs another one, or excludes it: WINDOW and HAVING need GROUP BY, EMIT FINAL needs WINDOW.",
        "SELECT item FROM orders WINDOW TUMBLING (SIZE 1 HOUR) EMIT CHANGES;",
        "SELECT item, COUNT(*) FROM orders WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY item EMIT CHANGES;",
    ),
    explained(
        "E0251",
        "A persistent query runs for ever, so that it has no LIMIT.",
        "CREATE STREAM s AS SELECT * FROM orders EMIT CHANGES LIMIT 10;",
        "CREATE STREAM s AS SELECT * FROM orders EMIT CHANGES;",
    ),
    explained(
        "E0252",
        "The result is a table where a stream is created, or the other way round: aggregates and queries of tables make tables.",
        "CREATE TABLE t AS SELECT id, item FROM orders;",
        "CREATE STREAM s AS SELECT id, item FROM orders;",
    ),
    explained(
        "E0253",
        "INSERT INTO … SELECT adds rows to a stream, with the names and types of its columns.",
        "INSERT INTO payments SELECT id, amount FROM orders;",
        "INSERT INTO payments SELECT id, user_id AS order_id, amount AS paid FROM orders;",
    ),
    explained(
        "E0254",
        "A column of the result has no type of the dialect, such as that of NULL: CAST it.",
        "CREATE STREAM s AS SELECT id, NULL AS note FROM orders;",
        "CREATE STREAM s AS SELECT id, CAST(NULL AS STRING) AS note FROM orders;",
    ),
    explained(
        "E0255",
        "The rows of the result need their key.",
        "CREATE TABLE t AS SELECT COUNT(*) AS n FROM orders GROUP BY item;",
        "CREATE TABLE t AS SELECT item, COUNT(*) AS n FROM orders GROUP BY item;",
    ),
    explained(
        "E0256",
        "Rows that are all key have no value: add a column to it.",
        "CREATE TABLE t AS SELECT item FROM orders GROUP BY item;",
        "CREATE TABLE t AS SELECT item, COUNT(*) AS n FROM orders GROUP BY item;",
    ),
    explained(
        "E0257",
        "A table lies in its topic by its primary key, and so it stays: GROUP BY counts its rows by another column.",
        "CREATE TABLE t AS SELECT id, city FROM users PARTITION BY city;",
        "CREATE TABLE t AS SELECT city, COUNT(*) AS n FROM users GROUP BY city;",
    ),
    explained(
        "E0258",
        "Two columns of the result have the same name: rename one.",
        "SELECT id, id FROM orders EMIT CHANGES;",
        "SELECT id, id AS same FROM orders EMIT CHANGES;",
    ),
    explained(
        "E0259",
        "EXPLODE and its like make several rows of one, which under one key of a table would replace each other.",
        "SELECT id, EXPLODE(ARRAY[name, city]) AS word FROM users EMIT CHANGES;",
        "SELECT id, EXPLODE(tags) AS tag FROM orders EMIT CHANGES;",
    ),
    explained(
        "E0266",
        "A key is selected once; copies of it are values.",
        "CREATE STREAM s AS SELECT id, id AS copy, item FROM orders;",
        "CREATE STREAM s AS SELECT id, AS_VALUE(id) AS copy, item FROM orders;",
    ),
    explained(
        "E0271",
        "Keys and values of the source's format do not fit the grouping, which millstream.dialect.strict refuses as ksqlDB does.",
        "CREATE STREAM words (word STRING) WITH (KAFKA_TOPIC='words', VALUE_FORMAT='KAFKA', PARTITIONS=1); \
         SET 'millstream.dialect.strict' = 'true'; CREATE TABLE t AS SELECT word, COUNT(*) AS n FROM words GROUP BY word;",
        "CREATE STREAM words (word STRING) WITH (KAFKA_TOPIC='words', VALUE_FORMAT='JSON', PARTITIONS=1); \
         SET 'millstream.dialect.strict' = 'true'; CREATE TABLE t AS SELECT word, COUNT(*) AS n FROM words GROUP BY word;",
    ),
    explained(
        "E0350",
        "Neither the dialect nor batch SQL can answer the query; the message says why.",
        "SELECT id FROM orders ORDER BY 7;",
        "SELECT id FROM orders ORDER BY 1;",
    ),
    explained(
        "E0351",
        "Settings forbid this pull query: those of ksql.query.pull, or millstream.dialect.strict with ksqlDB's refusals.",
        "CREATE TABLE t AS SELECT item, COUNT(*) AS n FROM orders GROUP BY item; \
         SET 'ksql.query.pull.table.scan.enabled' = 'false'; SELECT * FROM t;",
        "CREATE TABLE t AS SELECT item, COUNT(*) AS n FROM orders GROUP BY item; \
         SET 'ksql.query.pull.table.scan.enabled' = 'false'; SELECT * FROM t WHERE item = 'tea';",
    ),
];

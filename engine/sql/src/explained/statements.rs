//! Statements that are right by themselves and do not fit what is there.

use super::{Explained, explained, without_example};

pub(super) const EXPLAINED: &[Explained] = &[
    explained(
        "E0301",
        "There is no setting of this name. SHOW PROPERTIES lists them.",
        "SET 'auto.offset' = 'earliest';",
        "SET 'auto.offset.reset' = 'earliest';",
    ),
    explained(
        "E0302",
        "The setting cannot have this value.",
        "SET 'auto.offset.reset' = 'first';",
        "SET 'auto.offset.reset' = 'earliest';",
    ),
    without_example(
        "E0303",
        "The statement is one of the shell's, such as DEFINE and RUN SCRIPT, and nothing for the engine behind it.",
    ),
    explained(
        "E0304",
        "Only queries have a plan: SELECT, CREATE … AS SELECT, INSERT INTO … SELECT, and those that SHOW QUERIES lists.",
        "EXPLAIN SHOW TABLES;",
        "EXPLAIN SELECT item, COUNT(*) FROM orders GROUP BY item EMIT CHANGES;",
    ),
    explained(
        "E0360",
        "What ASSERT says did not come true within its TIMEOUT, a second unless told otherwise.",
        "ASSERT TOPIC nowhere TIMEOUT 10 MILLISECONDS;",
        "ASSERT NOT EXISTS TOPIC nowhere;",
    ),
    explained(
        "E0310",
        "There is no persistent query of this id. SHOW QUERIES lists them.",
        "TERMINATE CTAS_NOTHING_1;",
        "TERMINATE ALL;",
    ),
    explained(
        "E0311",
        "ALTER adds columns to what was declared; what a query writes has the columns of the query.",
        "CREATE STREAM s AS SELECT id, item FROM orders; ALTER STREAM s ADD COLUMN amount DOUBLE;",
        "CREATE STREAM s AS SELECT id, item FROM orders; \
         CREATE OR REPLACE STREAM s AS SELECT id, item, amount FROM orders;",
    ),
    explained(
        "E0312",
        "There is a column of this name already.",
        "ALTER STREAM orders ADD COLUMN item STRING;",
        "ALTER STREAM orders ADD COLUMN note STRING;",
    ),
    explained(
        "E0313",
        "There is a type of this name already.",
        "CREATE TYPE place AS STRUCT<city STRING>; CREATE TYPE place AS STRUCT<zip STRING>;",
        "CREATE TYPE place AS STRUCT<city STRING>; DROP TYPE place; CREATE TYPE place AS STRUCT<zip STRING>;",
    ),
    explained(
        "E0314",
        "CREATE TYPE has named no type like this. SHOW TYPES lists them.",
        "DROP TYPE place;",
        "DROP TYPE IF EXISTS place;",
    ),
    explained(
        "E0315",
        "A topic that is there keeps its partitions and its retention.ms, whatever WITH says: leave PARTITIONS and \
         RETENTION_MS out, or choose another topic.",
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON', PARTITIONS=4);",
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON');",
    ),
    explained(
        "E0316",
        "The topic does not exist; with PARTITIONS it is made.",
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='new', VALUE_FORMAT='JSON');",
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='new', VALUE_FORMAT='JSON', PARTITIONS=1);",
    ),
    explained(
        "E0317",
        "What the query has counted does not fit the query that is to replace it: drop it and start anew.",
        "CREATE TABLE t AS SELECT item, COUNT(*) AS n FROM orders GROUP BY item; \
         CREATE OR REPLACE TABLE t AS SELECT item, COUNT(*) AS n, SUM(amount) AS total FROM orders GROUP BY item;",
        "CREATE TABLE t AS SELECT item, COUNT(*) AS n FROM orders GROUP BY item; DROP TABLE t; \
         CREATE TABLE t AS SELECT item, COUNT(*) AS n, SUM(amount) AS total FROM orders GROUP BY item;",
    ),
    explained(
        "E0318",
        "The name is taken: choose another one, or say OR REPLACE or IF NOT EXISTS.",
        "CREATE STREAM orders (id INT) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON');",
        "CREATE STREAM IF NOT EXISTS orders (id INT) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON');",
    ),
    explained(
        "E0319",
        "A stream is called a table, or the other way round.",
        "DROP TABLE orders;",
        "DROP STREAM orders;",
    ),
    explained(
        "E0320",
        "Queries still read or write it: end them first. DESCRIBE … EXTENDED lists them.",
        "CREATE STREAM s AS SELECT * FROM orders; DROP STREAM orders;",
        "CREATE STREAM s AS SELECT * FROM orders; TERMINATE ALL; DROP STREAM orders;",
    ),
    explained(
        "E0321",
        "Something else needs the topic, so that it stays.",
        "CREATE STREAM same (id INT) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON'); DROP STREAM same DELETE TOPIC;",
        "CREATE STREAM same (id INT) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON'); DROP STREAM same;",
    ),
    without_example(
        "E0322",
        "The query was created and has failed at once, for the reason that the message and SHOW QUERIES give. \
         When that is mended, RESUME goes on with it; TERMINATE ends it.",
    ),
    explained(
        "E0323",
        "Rows that are there and queries that read them must survive OR REPLACE: columns can be added at the end, that is all.",
        "CREATE OR REPLACE STREAM payments (id BIGINT KEY, paid INT) WITH (KAFKA_TOPIC='payments', VALUE_FORMAT='JSON');",
        "CREATE OR REPLACE STREAM payments (id BIGINT KEY, order_id BIGINT, paid DOUBLE, note STRING) \
         WITH (KAFKA_TOPIC='payments', VALUE_FORMAT='JSON');",
    ),
    explained(
        "E0330",
        "Rows can be inserted neither into a SOURCE, which is read only, nor under keys with windows.",
        "CREATE SOURCE TABLE t (id INT PRIMARY KEY, v INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', PARTITIONS=1); \
         INSERT INTO t VALUES (1, 2);",
        "CREATE TABLE t (id INT PRIMARY KEY, v INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', PARTITIONS=1); \
         INSERT INTO t VALUES (1, 2);",
    ),
    explained(
        "E0331",
        "There must be as many values as columns; columns that are not named are NULL.",
        "INSERT INTO users VALUES (1, 'ada');",
        "INSERT INTO users (id, name) VALUES (1, 'ada');",
    ),
    explained(
        "E0332",
        "A row of a table lies under its primary key, which is no NULL.",
        "INSERT INTO users (name) VALUES ('ada');",
        "INSERT INTO users (id, name) VALUES (1, 'ada');",
    ),
    explained(
        "E0333",
        "The value cannot be computed, or does not fit its column.",
        "INSERT INTO orders (id, user_id) VALUES (1, 7 / 0);",
        "INSERT INTO orders (id, user_id) VALUES (1, 7 / 2);",
    ),
    explained(
        "E0334",
        "Columns of headers are read and cannot be written.",
        "CREATE STREAM s (a INT, h BYTES HEADER('h')) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1); \
         INSERT INTO s (a, h) VALUES (1, NULL);",
        "CREATE STREAM s (a INT, h BYTES HEADER('h')) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1); \
         INSERT INTO s (a) VALUES (1);",
    ),
    explained(
        "E0340",
        "There is no topic of this name. SHOW TOPICS lists them.",
        "PRINT odrers;",
        "PRINT orders FROM BEGINNING;",
    ),
];

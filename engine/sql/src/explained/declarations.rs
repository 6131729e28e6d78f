//! Streams and tables that cannot be declared like this.

use super::{Explained, explained};

pub(super) const EXPLAINED: &[Explained] = &[
    explained(
        "E0210",
        "The WITH clause takes no property of this name.",
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
    ),
    explained(
        "E0211",
        "The property cannot have this value; the message says which ones it can have.",
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='XML', PARTITIONS=1);",
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
    ),
    explained(
        "E0212",
        "Two properties say the same thing, or one is about what is not there. FORMAT is for keys and values at once.",
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='s', FORMAT='JSON', VALUE_FORMAT='JSON', PARTITIONS=1);",
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='s', FORMAT='JSON', PARTITIONS=1);",
    ),
    explained(
        "E0213",
        "A stream or table needs to know how its values are written. \
         SET 'ksql.persistence.default.format.value' says it once for all statements.",
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='s', PARTITIONS=1);",
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
    ),
    explained(
        "E0214",
        "A column has a name that is taken: by another column, or by one that every source has, such as ROWTIME.",
        "CREATE STREAM s (a INT, rowtime BIGINT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
        "CREATE STREAM s (a INT, at BIGINT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
    ),
    explained(
        "E0215",
        "A stream or table has at least one column.",
        "CREATE STREAM s WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
    ),
    explained(
        "E0216",
        "The key of a stream is marked KEY, that of a table PRIMARY KEY: a table has one row a key, a stream any number.",
        "CREATE TABLE t (id INT KEY, v STRING) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', PARTITIONS=1);",
        "CREATE TABLE t (id INT PRIMARY KEY, v STRING) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', PARTITIONS=1);",
    ),
    explained(
        "E0217",
        "There is no type of this name. help TYPES lists them, SHOW TYPES those that CREATE TYPE has named.",
        "CREATE STREAM s (a INTT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
    ),
    explained(
        "E0218",
        "The keys of a MAP are STRINGs.",
        "CREATE STREAM s (a MAP<INT, STRING>) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
        "CREATE STREAM s (a MAP<STRING, STRING>) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
    ),
    explained(
        "E0219",
        "Keys with TUMBLING and HOPPING windows need the size of the windows, those with SESSION windows have none.",
        "CREATE STREAM s (a INT KEY, n INT) \
         WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1, WINDOW_TYPE='TUMBLING');",
        "CREATE STREAM s (a INT KEY, n INT) \
         WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1, WINDOW_TYPE='TUMBLING', WINDOW_SIZE='1 HOUR');",
    ),
    explained(
        "E0220",
        "TIMESTAMP names a column of the source: a BIGINT of milliseconds, a TIMESTAMP, or a STRING with TIMESTAMP_FORMAT.",
        "CREATE STREAM s (a INT, at STRING) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1, TIMESTAMP='at');",
        "CREATE STREAM s (a INT, at STRING) \
         WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1, TIMESTAMP='at', TIMESTAMP_FORMAT='yyyy-MM-dd HH:mm');",
    ),
    explained(
        "E0221",
        "TIMESTAMP_FORMAT is a pattern such as yyyy-MM-dd''T''HH:mm:ss.",
        "CREATE STREAM s (a INT, at STRING) \
         WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1, TIMESTAMP='at', TIMESTAMP_FORMAT='yyyy-bb');",
        "CREATE STREAM s (a INT, at STRING) \
         WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1, TIMESTAMP='at', TIMESTAMP_FORMAT='yyyy-MM-dd');",
    ),
    explained(
        "E0222",
        "A table keeps a row for each key, so it has a PRIMARY KEY; windows are part of a key, so windowed sources have one.",
        "CREATE TABLE t (id INT, v STRING) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', PARTITIONS=1);",
        "CREATE TABLE t (id INT PRIMARY KEY, v STRING) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', PARTITIONS=1);",
    ),
    explained(
        "E0223",
        "The format cannot hold these columns: KAFKA holds one simple value, DELIMITED no arrays, maps and structs, NONE nothing.",
        "CREATE STREAM s (a INT, b INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='KAFKA', PARTITIONS=1);",
        "CREATE STREAM s (a INT, b INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
    ),
    explained(
        "E0224",
        "WRAP_SINGLE_VALUE says whether a value of one column is an object with one field; here nothing can be wrapped.",
        "CREATE STREAM s (a INT, b INT) \
         WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1, WRAP_SINGLE_VALUE=FALSE);",
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1, WRAP_SINGLE_VALUE=FALSE);",
    ),
    explained(
        "E0225",
        "A MAP is no key: it has no order, so that equal maps could be written as other bytes.",
        "CREATE STREAM s (a MAP<STRING, INT> KEY, v INT) WITH (KAFKA_TOPIC='s', FORMAT='JSON', PARTITIONS=1);",
        "CREATE STREAM s (a ARRAY<INT> KEY, v INT) WITH (KAFKA_TOPIC='s', FORMAT='JSON', PARTITIONS=1);",
    ),
    explained(
        "E0226",
        "Rows of a windowed table come and go with their windows, so that no persistent query can read it. \
         Its topic can be read as a stream.",
        "CREATE TABLE hourly AS SELECT item, COUNT(*) AS n FROM orders WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY item; \
         CREATE TABLE busy AS SELECT * FROM hourly WHERE n > 10;",
        "CREATE TABLE hourly AS SELECT item, COUNT(*) AS n FROM orders WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY item; \
         CREATE STREAM hours (item STRING KEY, n BIGINT) \
         WITH (KAFKA_TOPIC='HOURLY', VALUE_FORMAT='JSON', WINDOW_TYPE='TUMBLING', WINDOW_SIZE='1 HOUR'); \
         CREATE STREAM busy AS SELECT * FROM hours WHERE n > 10;",
    ),
    explained(
        "E0227",
        "Headers are ARRAY<STRUCT<key STRING, value BYTES>>, a single one is BYTES; a source has all of them or single ones.",
        "CREATE STREAM s (a INT, trace STRING HEADER('trace')) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
        "CREATE STREAM s (a INT, trace BYTES HEADER('trace')) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
    ),
];

//! What the commonest error codes mean, with a statement that is wrong and one that is right.

/// An explanation of an error code.
#[derive(Debug)]
pub struct Explained {
    /// The code.
    pub code: &'static str,
    /// What it means.
    pub text: &'static str,
    /// A statement that is refused with it.
    pub wrong: &'static str,
    /// What to write instead.
    pub right: &'static str,
}

const fn explained(code: &'static str, text: &'static str, wrong: &'static str, right: &'static str) -> Explained {
    Explained { code, text, wrong, right }
}

/// The explanations there are, by code.
pub const EXPLAINED: &[Explained] = &[
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
        "SELECT id ? 2 FROM orders;",
        "SELECT id + 2 FROM orders;",
    ),
    explained(
        "E0107",
        "A window or a time is no length of time.",
        "… WINDOW TUMBLING (SIZE 0 MINUTES) …",
        "… WINDOW TUMBLING (SIZE 5 MINUTES) …",
    ),
    explained(
        "E0201",
        "There is no stream or table of this name. SHOW STREAMS and SHOW TABLES list what there is.",
        "SELECT * FROM odrers;",
        "SELECT * FROM orders;",
    ),
    explained(
        "E0203",
        "The sources of the query have no column of this name. DESCRIBE lists a source's columns.",
        "SELECT itme FROM orders;",
        "SELECT item FROM orders;",
    ),
    explained(
        "E0204",
        "Several sources of the query have a column of this name: say which one.",
        "SELECT id FROM orders o JOIN users u ON o.user_id = u.id;",
        "SELECT o.id FROM orders o JOIN users u ON o.user_id = u.id;",
    ),
    explained(
        "E0205",
        "The struct has no field of this name.",
        "SELECT address->citty FROM orders;",
        "SELECT address->city FROM orders;",
    ),
    explained(
        "E0206",
        "There is no function of this name. SHOW FUNCTIONS lists them.",
        "SELECT substrng(item, 1) FROM orders;",
        "SELECT SUBSTRING(item, 1) FROM orders;",
    ),
    explained(
        "E0207",
        "The function exists, but not for arguments of these types. DESCRIBE FUNCTION lists its signatures.",
        "SELECT LCASE(id) FROM orders;",
        "SELECT LCASE(CAST(id AS STRING)) FROM orders;",
    ),
    explained(
        "E0210",
        "The WITH clause has no property of this name.",
        "… WITH (KAFKA_TOPC='orders', VALUE_FORMAT='JSON');",
        "… WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON');",
    ),
    explained(
        "E0213",
        "A stream or table needs to know which topic it is over and how its values are written.",
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='s');",
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
    ),
    explained(
        "E0217",
        "There is no type of this name.",
        "CREATE STREAM s (a INTT) WITH (…);",
        "CREATE STREAM s (a INT) WITH (…);",
    ),
    explained(
        "E0240",
        "The operation does not work on values of these types: CAST one of them.",
        "SELECT item + 1 FROM orders;",
        "SELECT CAST(item AS INT) + 1 FROM orders;",
    ),
    explained(
        "E0241",
        "The two sides are of types that cannot be compared: CAST one of them.",
        "SELECT id FROM orders WHERE id = TRUE;",
        "SELECT id FROM orders WHERE id = 1;",
    ),
    explained(
        "E0247",
        "A table of aggregates has a row for each group, so that it needs GROUP BY; only SELECT … EMIT CHANGES can do without.",
        "CREATE TABLE t AS SELECT COUNT(*) AS n FROM orders;",
        "CREATE TABLE t AS SELECT item, COUNT(*) AS n FROM orders GROUP BY item;",
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
        "E0258",
        "Two columns of the result have the same name: rename one.",
        "SELECT id, id FROM orders EMIT CHANGES;",
        "SELECT id, id AS same FROM orders EMIT CHANGES;",
    ),
    explained(
        "E0262",
        "This join cannot be made as it is written; the message says what is missing.",
        "SELECT * FROM a JOIN b ON a.id = b.id EMIT CHANGES;",
        "SELECT * FROM a JOIN b WITHIN 1 HOUR ON a.id = b.id EMIT CHANGES;",
    ),
    explained(
        "E0266",
        "A key is selected once; copies of it are values.",
        "CREATE STREAM s AS SELECT id, id AS copy, item FROM orders;",
        "CREATE STREAM s AS SELECT id, AS_VALUE(id) AS copy, item FROM orders;",
    ),
    explained(
        "E0264",
        "Rows are joined in the partitions in which they lie by their keys, so there must be equally many on both sides.",
        "SELECT a.id, v, w FROM a JOIN b ON a.id = b.id EMIT CHANGES;",
        "CREATE TABLE b4 WITH (PARTITIONS = 4) AS SELECT * FROM b EMIT CHANGES;",
    ),
    explained(
        "E0265",
        "Keys with windows are equal only if their windows are.",
        "SELECT * FROM hourly JOIN daily WITHIN 1 DAY ON hourly.id = daily.id EMIT CHANGES;",
        "SELECT * FROM hourly JOIN other_hourly WITHIN 1 DAY ON hourly.id = other_hourly.id EMIT CHANGES;",
    ),
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
    explained(
        "E0310",
        "There is no persistent query of this id. SHOW QUERIES lists them.",
        "TERMINATE CTAS_NOTHING_1;",
        "TERMINATE ALL;",
    ),
    explained(
        "E0316",
        "The topic does not exist; with PARTITIONS it is made.",
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='new', VALUE_FORMAT='JSON');",
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='new', VALUE_FORMAT='JSON', PARTITIONS=1);",
    ),
    explained(
        "E0318",
        "The name is taken: choose another one, or say OR REPLACE or IF NOT EXISTS.",
        "CREATE STREAM orders (…) WITH (…);",
        "CREATE STREAM IF NOT EXISTS orders (…) WITH (…);",
    ),
    explained(
        "E0320",
        "Queries still read or write it: end them first.",
        "DROP STREAM orders;",
        "TERMINATE CSAS_TEAS_3; DROP STREAM orders;",
    ),
    explained(
        "E0340",
        "There is no topic of this name. SHOW TOPICS lists them.",
        "PRINT odrers;",
        "PRINT orders FROM BEGINNING;",
    ),
    explained(
        "E0350",
        "Neither the dialect nor batch SQL can answer the query; the message says why.",
        "SELECT id FROM orders ORDER BY RANDOM(id);",
        "SELECT id FROM orders ORDER BY id;",
    ),
];

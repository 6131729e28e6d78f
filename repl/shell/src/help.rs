//! What `help` says.

/// Topics of help: the words that choose it, a line for the overview, and the text.
const TOPICS: &[(&str, &str, &str)] = &[
    (
        "CREATE STREAM",
        "declare a stream over a topic, or make one from a query",
        "CREATE STREAM name (column TYPE [KEY], …) WITH (KAFKA_TOPIC='topic', VALUE_FORMAT='JSON', PARTITIONS=4);\n\
         CREATE STREAM name AS SELECT … FROM stream [WHERE …] [PARTITION BY …] EMIT CHANGES;\n\n\
         CREATE STREAM clicks (user_id BIGINT KEY, page STRING) WITH (KAFKA_TOPIC='clicks', VALUE_FORMAT='JSON', PARTITIONS=1);\n\
         CREATE STREAM home AS SELECT user_id, page FROM clicks WHERE page = '/' EMIT CHANGES;",
    ),
    (
        "CREATE TABLE",
        "declare a table over a topic, or make one by aggregation",
        "CREATE TABLE name (column TYPE PRIMARY KEY, …) WITH (KAFKA_TOPIC='topic', VALUE_FORMAT='JSON');\n\
         CREATE TABLE name AS SELECT key, COUNT(*) FROM stream [WINDOW …] GROUP BY key EMIT CHANGES;\n\n\
         CREATE TABLE users (id BIGINT PRIMARY KEY, name STRING) WITH (KAFKA_TOPIC='users', VALUE_FORMAT='JSON', PARTITIONS=1);\n\
         CREATE TABLE per_page AS SELECT page, COUNT(*) AS n FROM clicks WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY page EMIT CHANGES;",
    ),
    (
        "SELECT",
        "read a stream or table, once or for ever",
        "SELECT … FROM name [WHERE …] EMIT CHANGES [LIMIT n];   rows as they come, until Ctrl-C\n\
         SELECT … FROM name [any SQL];                          what is there now\n\n\
         SELECT * FROM clicks EMIT CHANGES;\n\
         SELECT page, n FROM per_page ORDER BY n DESC LIMIT 10;",
    ),
    (
        "INSERT",
        "add rows",
        "INSERT INTO name (column, …) VALUES (value, …), …;\n\
         INSERT INTO stream SELECT … FROM other EMIT CHANGES;\n\n\
         INSERT INTO clicks VALUES (1, '/');\n\
         INSERT INTO clicks SELECT * FROM other_clicks EMIT CHANGES;",
    ),
    (
        "WINDOW",
        "group by time",
        "WINDOW TUMBLING (SIZE 1 MINUTE [, GRACE PERIOD 10 SECONDS])\n\
         WINDOW HOPPING (SIZE 1 HOUR, ADVANCE BY 5 MINUTES)\n\
         WINDOW SESSION (30 MINUTES)\n\n\
         SELECT page, COUNT(*) FROM clicks WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY page EMIT CHANGES;\n\
         SELECT page, COUNT(*) FROM clicks WINDOW SESSION (5 MINUTES) GROUP BY page EMIT FINAL;",
    ),
    (
        "SHOW",
        "list what there is",
        "SHOW STREAMS | TABLES | TOPICS | QUERIES | FUNCTIONS | PROPERTIES | TYPES;\n\n\
         SHOW QUERIES;\nDESCRIBE clicks EXTENDED;",
    ),
    (
        "PRINT",
        "show a topic's records",
        "PRINT topic [FROM BEGINNING] [LIMIT n];\n\nPRINT clicks FROM BEGINNING LIMIT 3;\nPRINT 'my-topic';",
    ),
    (
        "TERMINATE",
        "end, pause or resume a query",
        "TERMINATE query_id | ALL;\nPAUSE query_id;\nRESUME query_id;\n\nTERMINATE ALL;\nPAUSE CTAS_PER_PAGE_3;",
    ),
    (
        "DROP",
        "remove a stream or table",
        "DROP STREAM | TABLE [IF EXISTS] name [DELETE TOPIC];\n\nDROP TABLE per_page DELETE TOPIC;\nDROP STREAM clicks;",
    ),
    (
        "SET",
        "change a setting",
        "SET 'setting' = 'value';\nUNSET 'setting';\n\n\
         SET 'auto.offset.reset' = 'earliest';\nSHOW PROPERTIES;",
    ),
];

const COMMANDS: &str = "\
Commands of the shell, without a semicolon:
  help [statement]        this, or a statement's syntax with examples
  output FORMAT           table, box, vertical, json, ndjson, csv, tsv, markdown, raw
  run script 'FILE'       run a file of statements
  define NAME = 'VALUE'   then ${NAME} stands for VALUE; undefine NAME
  history, clear, version, exit
  \\d [name]  \\topics  \\queries  \\timing  \\demo";

/// The overview, or the help on a statement.
pub(crate) fn help(about: &str) -> String {
    let about = about.trim().trim_end_matches(';').to_uppercase();
    if about.is_empty() {
        let lines: Vec<String> = TOPICS.iter().map(|(name, what, _)| format!("  {name:<15} {what}")).collect();
        return format!("Statements end with a semicolon:\n{}\n\n{COMMANDS}", lines.join("\n"));
    }
    let found = TOPICS.iter().find(|(name, ..)| *name == about).or_else(|| {
        TOPICS.iter().find(|(name, ..)| name.split(' ').any(|word| about.starts_with(word)) || name.contains(&about))
    });
    match found {
        Some((name, what, text)) => format!("{name}: {what}\n\n{text}"),
        None => {
            let names: Vec<&str> = TOPICS.iter().map(|(name, ..)| *name).collect();
            format!("there is no help on \"{about}\"\nhelp: there is on {}", names.join(", "))
        }
    }
}

/// What `\demo` runs.
pub(crate) const DEMO: &str = "\
CREATE STREAM IF NOT EXISTS demo_orders (customer STRING KEY, item STRING, amount DOUBLE) \
WITH (KAFKA_TOPIC='demo_orders', VALUE_FORMAT='JSON', PARTITIONS=1);
SET 'auto.offset.reset' = 'earliest';
CREATE TABLE IF NOT EXISTS demo_totals AS SELECT customer, COUNT(*) AS orders, SUM(amount) AS total \
FROM demo_orders GROUP BY customer EMIT CHANGES;
INSERT INTO demo_orders VALUES ('ada', 'tea', 4.5), ('bob', 'milk', 1.2), ('ada', 'cake', 7.25), ('cem', 'tea', 4.5);
SELECT customer, item, amount FROM demo_orders WHERE amount > 4 EMIT CHANGES LIMIT 3;
SELECT customer, item, amount FROM demo_orders ORDER BY amount DESC;";

//! What `help` says.

use millstream_sql::{EXAMPLE_SOURCES, Example, Explained, closest, explanations};

use crate::commands::COMMANDS;

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
        "SHOW STREAMS | TABLES | TOPICS | QUERIES | FUNCTIONS | PROPERTIES | TYPES | VARIABLES;\n\n\
         SHOW QUERIES;\nDESCRIBE clicks EXTENDED;",
    ),
    (
        "PRINT",
        "show a topic's records",
        "PRINT topic [FROM BEGINNING | FROM OFFSET n] [INTERVAL n] [LIMIT n];   OFFSET -n: the last n of each partition\n\n\
         PRINT clicks FROM BEGINNING LIMIT 3;\nPRINT 'my-topic' FROM OFFSET -10;",
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
    (
        "JOIN",
        "bring two sources together",
        "stream [LEFT] JOIN table ON stream.column = table.key\n\
         stream [LEFT | RIGHT | FULL] JOIN stream WITHIN 1 HOUR [GRACE PERIOD 5 MINUTES] ON a.column = b.column\n\n\
         SELECT c.page, u.name FROM clicks c LEFT JOIN users u ON c.user_id = u.id EMIT CHANGES;\n\
         SELECT * FROM clicks c JOIN orders o WITHIN 10 MINUTES ON c.user_id = o.user_id EMIT CHANGES;",
    ),
    (
        "DESCRIBE",
        "show what a stream, table or function is",
        "DESCRIBE name [EXTENDED];\nDESCRIBE FUNCTION name;\n\nDESCRIBE clicks EXTENDED;\nDESCRIBE FUNCTION SUBSTRING;",
    ),
    (
        "EXPLAIN",
        "show how a query is run",
        "EXPLAIN query_id;\nEXPLAIN SELECT …;\n\nEXPLAIN CTAS_PER_PAGE_3;\n\
         EXPLAIN SELECT page, COUNT(*) FROM clicks GROUP BY page EMIT CHANGES;",
    ),
    (
        "ALTER",
        "add columns",
        "ALTER STREAM | TABLE name ADD COLUMN column TYPE [, …];\n\nALTER STREAM clicks ADD COLUMN agent STRING;\n\
         ALTER TABLE users ADD COLUMN city STRING;",
    ),
    (
        "CREATE TYPE",
        "name a type",
        "CREATE TYPE name AS TYPE;\nDROP TYPE name;\n\nCREATE TYPE address AS STRUCT<city STRING, zip STRING>;\n\
         CREATE STREAM visits (id INT, at address) WITH (KAFKA_TOPIC='visits', VALUE_FORMAT='JSON', PARTITIONS=1);",
    ),
    (
        "DEFINE",
        "name a text that statements can use",
        "DEFINE name = 'value';   then ${name} stands for value\nUNDEFINE name;\n\n\
         DEFINE page = '/';\nSELECT * FROM clicks WHERE page = '${page}' EMIT CHANGES;",
    ),
    (
        "RUN SCRIPT",
        "run the statements of a file",
        "RUN SCRIPT 'file';\n\nRUN SCRIPT 'queries/flights/query.sql';\n@queries/flights/query.sql",
    ),
    (
        "TYPES",
        "the types of columns",
        "BOOLEAN, INT, BIGINT, DOUBLE, DECIMAL(precision, scale), STRING, BYTES, DATE, TIME, TIMESTAMP,\n\
         ARRAY<type>, MAP<STRING, type>, STRUCT<name type, …>\n\n\
         SELECT ARRAY[1, 2][1], STRUCT(a := 1)->a, CAST('2024-01-01' AS DATE);\nDESCRIBE clicks;",
    ),
];

/// Where the documentation is.
const DOCUMENTATION: &str = "docs/sql.md has all of it";

fn commands() -> String {
    let line = |known: &crate::commands::Known| {
        let spelling = known.spellings.first().copied().unwrap_or_default();
        format!("  {:<24} {}", format!("{spelling} {}", known.usage), known.says)
    };
    let lines: Vec<String> = COMMANDS.iter().filter(|known| !known.is_minor()).map(line).collect();
    format!(
        "Commands of the shell, without a semicolon:\n{}\n\nTab completes, Ctrl-R searches the history, Ctrl-C ends what runs, Ctrl-D leaves.",
        lines.join("\n")
    )
}

/// The names of all topics, some a line.
fn names() -> String {
    let names: Vec<&str> = topics().collect();
    let lines: Vec<String> = names.chunks(6).map(|names| format!("  {}", names.join(", "))).collect();
    lines.join(",\n")
}

/// The names that there is help on.
pub(crate) fn topics() -> impl Iterator<Item = &'static str> {
    TOPICS.iter().map(|(name, ..)| *name)
}

/// What an error code means.
fn code(Explained { code, text, example }: &Explained) -> String {
    let lines = |sql: &str| sql.replace("; ", ";\n         ");
    match example {
        Some(Example { wrong, right }) => {
            format!(
                "{code}: {text}\n\nrefused: {}\nright:   {}\n\nhelp EXAMPLES shows what these speak of",
                lines(wrong),
                lines(right)
            )
        }
        None => format!("{code}: {text}"),
    }
}

/// The overview, or the help on a statement or an error's code; the name of a function if that is meant.
pub(crate) fn help<'f>(about: &str, functions: &'f [String]) -> Result<String, &'f str> {
    let about = about.trim().trim_end_matches(';').to_uppercase();
    let about = about.strip_prefix("FUNCTION ").unwrap_or(&about).trim();
    if about == "EXAMPLES" {
        return Ok(format!("The examples of error codes are over these:\n\n{EXAMPLE_SOURCES}"));
    }
    if about.is_empty() {
        return Ok(format!("Statements end with a semicolon; help NAME shows one:\n{}\n\n{}", names(), commands()));
    }
    if let Some(explained) = explanations().find(|explained| explained.code == about) {
        return Ok(code(explained));
    }
    let text = |(name, what, text): &(&str, &str, &str)| format!("{name}: {what}\n\n{text}\n\n{DOCUMENTATION}");
    if let Some(topic) = TOPICS.iter().find(|(name, ..)| *name == about) {
        return Ok(text(topic));
    }
    if let Some(function) = functions.iter().find(|name| *name == about) {
        return Err(function);
    }
    let by_word = |(name, ..): &&(&str, &str, &str)| name.split(' ').any(|word| about.split(' ').any(|w| w == word));
    if let Some(topic) =
        TOPICS.iter().find(|(name, ..)| name.starts_with(about)).or_else(|| TOPICS.iter().find(by_word))
    {
        return Ok(text(topic));
    }
    let close = closest(about, topics());
    if let Some(topic) = close.and_then(|close| TOPICS.iter().find(|(name, ..)| *name == close)) {
        return Ok(text(topic));
    }
    if let Some(function) = closest(about, functions.iter().map(String::as_str)) {
        return Err(function);
    }
    let names: Vec<&str> = topics().collect();
    Ok(format!(
        "there is no help on \"{about}\"\nhelp: there is on {}, every function and every error code",
        names.join(", ")
    ))
}

/// What `\demo` declares and shows.
pub(crate) struct Demo {
    /// Names and statements.
    pub(crate) declarations: [(&'static str, &'static str); 2],
    pub(crate) text: &'static str,
}

pub(crate) const DEMO: Demo = Demo {
    declarations: [
        (
            "demo_orders",
            "CREATE STREAM IF NOT EXISTS demo_orders (customer STRING KEY, item STRING, amount DOUBLE) \
             WITH (KAFKA_TOPIC='demo_orders', VALUE_FORMAT='JSON', PARTITIONS=1);",
        ),
        (
            "demo_totals",
            "CREATE TABLE IF NOT EXISTS demo_totals AS SELECT item, COUNT(*) AS orders, SUM(amount) AS total \
             FROM demo_orders WINDOW TUMBLING (SIZE 10 SECONDS) GROUP BY item EMIT CHANGES;",
        ),
    ],
    text: "Orders come into the stream demo_orders from now on, ten a second; \\demo stop ends them. Try:\n\n\
           SELECT customer, item, amount FROM demo_orders WHERE amount > 5 EMIT CHANGES LIMIT 5;\n\
           SELECT item, orders, total FROM demo_totals ORDER BY total DESC LIMIT 5;\n\
           SELECT customer, COUNT(*) AS orders FROM demo_orders GROUP BY customer EMIT CHANGES;",
};

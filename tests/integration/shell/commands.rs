//! The shell's own words.

use std::fs;
use std::time::{Duration, Instant};

use super::setup::with_orders;
use crate::terminal::{PROMPT, User};

#[test]
fn the_catalog_can_be_looked_at() {
    let user = with_orders();
    let mut shell = user.shell();
    assert!(shell.enter("\\d").contains("ORDERS"));
    let shown = shell.enter("\\d orders");
    for text in ["ID", "BIGINT", "ITEM", "STRING", "JSON", "1 partition"] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    let shown = shell.enter("\\topics");
    assert!(shown.contains("orders") && shown.contains('3'), "{shown}");
    shell.enter("CREATE STREAM teas AS SELECT * FROM orders WHERE item = 'tea' EMIT CHANGES;");
    let shown = shell.enter("\\queries");
    assert!(shown.contains("CSAS_TEAS_") && shown.contains("RUNNING"), "{shown}");
    assert!(shell.enter("\\d nothing").contains("stream or table \"NOTHING\" does not exist"));
    assert!(shell.enter("\\timing").contains("timing is on"));
    assert!(shell.enter("\\timing").contains("timing is off"));
}

#[test]
fn the_words_of_the_ksql_shell_work() {
    let user = with_orders();
    let mut shell = user.shell();
    assert!(shell.enter("help").contains("CREATE STREAM"));
    assert!(shell.enter("help create stream;").contains("KAFKA_TOPIC"));
    assert!(shell.enter("version").contains(env!("CARGO_PKG_VERSION")));
    assert!(!shell.enter("server").contains("error"));
    assert!(!shell.enter("request pipelining on").contains("error"));
    assert!(!shell.enter("SET CLI WRAP OFF;").contains("error"));
    let shown = shell.enter("history");
    assert!(shown.contains("help create stream;") && shown.contains("version"), "{shown}");
    fs::write(
        user.dir().join("part.sql"),
        "SELECT id\nFROM orders WHERE id = 2;\nSELECT item FROM orders WHERE id = 2;",
    )
    .unwrap();
    let shown = shell.enter("RUN SCRIPT 'part.sql';");
    assert!(shown.contains(" 2") && shown.contains(" milk"), "{shown}");
    assert!(shell.enter("RUN SCRIPT 'nothing.sql';").contains("cannot read script nothing.sql"));
    shell.press("clear\r");
    shell.wait_until("nothing but a prompt", |shell| shell.text().trim_start() == PROMPT);
}

#[test]
fn commands_need_no_semicolon() {
    let user = with_orders();
    fs::write(user.dir().join("part.sql"), "SELECT item FROM orders WHERE id = 2;").unwrap();
    let mut shell = user.shell();
    for command in ["run script 'part.sql'", "RUN SCRIPT part.sql", "\\i part.sql", "@part.sql", "@part.sql;"] {
        assert!(shell.enter(command).contains("milk"), "{command}");
    }
    shell.enter("set cli wrap off");
    shell.enter("request pipelining");
    assert!(shell.enter("define item = 'tea'").contains("item"));
    assert!(shell.enter("SELECT id FROM orders WHERE item = '${item}';").contains("(2 rows"));
}

#[test]
fn variables_stand_for_their_values() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.enter("DEFINE what = 'milk';");
    let shown = shell.enter("SELECT id FROM orders WHERE item = '${what}';");
    assert!(shown.contains("(1 row"), "{shown}");
    shell.enter("UNDEFINE what;");
    let shown = shell.enter("SELECT id FROM orders WHERE item = '${what}';");
    assert!(shown.contains("variable \"what\" is not defined"), "{shown}");
}

#[test]
fn variables_can_be_listed() {
    let user = User::new();
    let mut shell = user.shell();
    shell.enter("DEFINE colour = 'red';");
    let shown = shell.enter("SHOW VARIABLES;");
    assert!(shown.contains("colour") && shown.contains("red") && !shown.contains("auto.offset"), "{shown}");
}

#[test]
fn the_demonstration_runs() {
    let user = User::new();
    let mut shell = user.shell();
    let shown = shell.enter("\\demo");
    assert!(!shown.contains("error"), "{shown}");
    assert!(shell.enter("\\d").contains("DEMO_ORDERS"));
}

#[test]
fn the_demonstration_goes_on() {
    let user = User::new();
    let mut shell = user.shell();
    let shown = shell.enter("\\demo");
    assert!(shown.contains("SELECT") && !shown.contains("error"), "{shown}");
    let count = "SELECT COUNT(*) AS total FROM demo_orders;";
    let first = shell.enter(count);
    let started = Instant::now();
    // The footer with the time it took is never the same.
    let total = |shown: &str| shown.lines().nth(2).map(str::to_owned);
    while total(&shell.enter(count)) == total(&first) {
        assert!(started.elapsed() < Duration::from_secs(20), "nothing more comes: {first}");
    }
    let shown = shell.enter("SHOW PROPERTIES;");
    let mut settings = shown.lines().map(|line| line.split('│').map(str::trim).collect::<Vec<_>>());
    let is_default = |setting: Vec<&str>| setting.starts_with(&["auto.offset.reset", "latest", "default"]);
    assert!(settings.any(is_default), "it has changed a setting: {shown}");
}

#[test]
fn a_source_is_described_with_its_topic_and_a_row() {
    let user = with_orders();
    let shown = user.shell().enter("\\d orders").to_lowercase();
    for text in ["item", "string", "retention", "1 partition", "tea"] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    assert!(!shown.contains("1 partitions"), "{shown}");
}

#[test]
fn lag_is_shown_for_each_partition() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.enter("CREATE STREAM teas AS SELECT * FROM orders WHERE item = 'tea' EMIT CHANGES;");
    let shown = shell.enter("\\lag").to_lowercase();
    assert!(shown.contains("csas_teas") && shown.contains("partition"), "{shown}");
}

#[test]
fn functions_have_help() {
    let user = User::new();
    let mut shell = user.shell();
    for about in ["help substring", "help FUNCTION substring"] {
        let shown = shell.enter(about);
        assert!(shown.contains("SUBSTRING('stream', 2, 3)"), "{about}: {shown}");
    }
    assert!(shell.enter("help substrng").contains("SUBSTRING"));
    for about in ["describe", "explain", "run script", "define", "join", "alter"] {
        assert!(!shell.enter(&format!("help {about}")).contains("there is no help"), "{about}");
    }
}

#[test]
fn settings_that_change_nothing_say_why() {
    let user = User::new();
    let mut shell = user.shell();
    let shown = shell.enter("SET 'ksql.streams.num.stream.threads' = '4';");
    assert!(shown.contains("changes nothing: all queries share one thread a core"), "{shown}");
    let shown = shell.enter("SET 'ksql.sink.partitions' = '4';");
    assert!(shown.contains("is none of Millstream's") && shown.contains("help: WITH (PARTITIONS=n)"), "{shown}");
    assert!(shell.enter("SET 'cache.max.bytes.buffering' = '0';").contains("is now '0'"));
    // Longer than it waits by default.
    shell.enter("SET 'ksql.assert.topic.default.timeout.ms' = '2500';");
    let started = Instant::now();
    assert!(shell.enter("ASSERT TOPIC nothing;").contains("does not exist"));
    assert!(started.elapsed() >= Duration::from_millis(2500));
}

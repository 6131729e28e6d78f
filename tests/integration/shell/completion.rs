//! What Tab offers.

use std::fs;

use super::setup::{complete, list_candidates, with_orders};
use crate::terminal::{CTRL_U, PROMPT, TAB, Terminal};

#[test]
fn completion_fits_the_place() {
    let user = with_orders();
    let mut shell = user.shell();
    for (typed, completed) in [
        ("SELE", "SELECT"),
        ("SELECT * FROM ord", "SELECT * FROM ORDERS"),
        ("DESCRIBE ord", "DESCRIBE ORDERS"),
        ("SELECT * FROM orders WHERE it", "SELECT * FROM orders WHERE ITEM"),
        ("SELECT id FROM orders; SELECT * FROM ord", "SELECT id FROM orders; SELECT * FROM ORDERS"),
        ("CREATE STREAM s (a INT) WITH (kafka_t", "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC"),
        ("CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='or", "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='orders"),
        ("CREATE STREAM s (a INT) WITH (VALUE_FORMAT='j", "CREATE STREAM s (a INT) WITH (VALUE_FORMAT='JSON"),
        ("SELECT * FROM orders WINDOW TUMBLING (SIZE 5 MIN", "SELECT * FROM orders WINDOW TUMBLING (SIZE 5 MINUTES"),
        ("SET 'auto", "SET 'auto.offset.reset"),
    ] {
        complete(&mut shell, typed);
        // In which case a name comes does not matter to the dialect.
        let completed = format!("{PROMPT} {completed}").to_lowercase();
        shell.wait_until(&completed, |shell| shell.text().to_lowercase().starts_with(&completed));
    }
}

#[test]
fn completion_lists_candidates_with_what_they_are() {
    let user = with_orders();
    let mut shell = user.shell();
    complete(&mut shell, "SELECT * FROM ");
    shell.press(TAB);
    wait_for_words(&shell, &["orders", "stream"]);
    complete(&mut shell, "SELECT i FROM orders WHERE I");
    shell.press(TAB);
    wait_for_words(&shell, &["id", "bigint", "orders"]);
    wait_for_words(&shell, &["item", "string", "orders"]);
}

#[test]
fn the_names_offered_are_those_of_now() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.enter("CREATE STREAM teas AS SELECT * FROM orders WHERE item = 'tea' EMIT CHANGES;");
    complete(&mut shell, "SELECT * FROM te");
    wait_for_words(&shell, &["from", "teas"]);
    complete(&mut shell, "TERMINATE cs");
    shell.wait("TERMINATE CSAS_TEAS_");
    shell.press(CTRL_U);
    shell.wait_for_prompt();
    shell.enter("TERMINATE ALL;");
    shell.enter("DROP STREAM teas;");
    complete(&mut shell, "SELECT * FROM te");
    shell.press("x");
    shell.wait("SELECT * FROM tex");
}

#[test]
fn values_are_completed_from_the_opening_quote_on() {
    let user = with_orders();
    let mut shell = user.shell();
    for (typed, offered) in [
        ("CREATE STREAM s (a INT) WITH (VALUE_FORMAT='", "DELIMITED"),
        ("CREATE STREAM s (a INT) WITH (VALUE_FORMAT=", "DELIMITED"),
        ("CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='", "KAFKA_TOPIC='orders"),
        ("SET '", "commit.interval.ms"),
        ("SET 'auto.offset.reset' = '", "earliest"),
        ("SET 'auto.offset.reset' = 'ea", "'earliest"),
    ] {
        list_candidates(&mut shell, typed);
        shell.wait(offered);
    }
}

#[test]
fn completion_offers_only_what_can_follow() {
    let user = with_orders();
    let mut shell = user.shell();
    for (typed, offered, not_offered) in [
        ("SHOW ", "STREAMS", "ADVANCE"),
        ("CREATE ", "STREAM", "ADVANCE"),
        ("DROP ", "STREAM", "ADVANCE"),
        ("SELECT * FROM orders EMIT ", "CHANGES", "ADVANCE"),
        ("SELECT item, COUNT(*) FROM orders WINDOW TUMBLING (", "SIZE", "BETWEEN"),
        ("CREATE STREAM s (a ", "BIGINT", "ADVANCE"),
        ("INSERT INTO orders (", "ID", "SELECT"),
        ("help ", "CREATE", "ADVANCE"),
        ("output ", "vertical", "ADVANCE"),
        ("\\", "\\topics", "ADVANCE"),
    ] {
        list_candidates(&mut shell, typed);
        let screen = shell.wait(offered);
        assert!(!screen.contains(not_offered) && !screen.contains("possibilities"), "{typed}: {screen}");
    }
}

#[test]
fn completion_knows_what_a_name_stands_before() {
    let user = with_orders();
    let mut shell = user.shell();
    for (typed, completed) in [
        ("SELECT orders.it", "SELECT orders.ITEM"),
        ("SELECT * FROM orders o WHERE o.it", "SELECT * FROM orders o WHERE o.ITEM"),
        ("SELECT address->", "SELECT address->CITY"),
        ("DESCRIBE FUNCTION substr", "DESCRIBE FUNCTION SUBSTRING"),
        ("\\d ord", "\\d ORDERS"),
        ("\\topi", "\\topics"),
    ] {
        shell.press(CTRL_U);
        shell.clear();
        shell.press(typed);
        shell.press(TAB);
        let completed = format!("{PROMPT} {completed}").to_lowercase();
        shell.wait_until(&completed, |shell| shell.text().to_lowercase().starts_with(&completed));
    }
}

#[test]
fn functions_are_offered_with_their_signature() {
    let user = with_orders();
    let mut shell = user.shell();
    list_candidates(&mut shell, "SELECT L");
    shell.wait("LPAD(STRING");
}

#[test]
fn files_are_completed_where_a_file_is_named() {
    let user = with_orders();
    fs::write(user.dir().join("part.sql"), "SHOW STREAMS;").unwrap();
    let mut shell = user.shell();
    list_candidates(&mut shell, "RUN SCRIPT 'pa");
    shell.wait("RUN SCRIPT 'part.sql");
}

/// Waits until words stand one after the other on the screen, whatever their case and the space between them.
fn wait_for_words(terminal: &Terminal, words: &[&str]) {
    terminal.wait_until(&words.join(" "), |terminal| {
        let text = terminal.text().to_lowercase();
        text.split_whitespace().collect::<Vec<_>>().windows(words.len()).any(|window| window == words)
    });
}

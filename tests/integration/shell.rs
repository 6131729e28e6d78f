//! The shell as someone at a terminal meets it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support;
use crate::terminal::{CTRL_C, CTRL_D, CTRL_R, CTRL_U, ENTER, PROMPT, RIGHT, TAB, Terminal, UP, User};

const ORDERS: &str = "\
CREATE STREAM orders (id BIGINT KEY, item STRING) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON', PARTITIONS=1);
INSERT INTO orders VALUES (1, 'tea'), (2, 'milk'), (3, 'tea');";

/// A user who has the stream `orders` of three rows.
fn with_orders() -> User {
    let user = User::new();
    support::run(&user.data(), &["-e", ORDERS]);
    user
}

/// Types a part of a statement on a clear line and asks for its completion.
fn complete(terminal: &mut Terminal, typed: &str) {
    terminal.press(CTRL_U);
    terminal.clear();
    terminal.press(typed);
    terminal.press(TAB);
}

#[test]
fn a_statement_goes_on_until_its_semicolon() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.press("SELECT id -- not here;");
    shell.press(ENTER);
    shell.press("FROM orders WHERE item = ';' OR");
    shell.press(ENTER);
    shell.wait("OR");
    assert!(!shell.text().contains("error"), "{}", shell.text());
    shell.press("id = 2;");
    shell.press(ENTER);
    shell.wait("(1 row");
    shell.wait_for_prompt();
}

#[test]
fn two_statements_on_a_line_both_run() {
    let user = with_orders();
    let shown = user.shell().enter("SELECT id FROM orders WHERE id = 2; SELECT item FROM orders WHERE id = 2;");
    assert!(shown.contains(" 2") && shown.contains(" milk"), "{shown}");
}

#[test]
fn history_recalls_the_whole_statement() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.enter("SELECT id\nFROM orders\nWHERE id = 2;");
    shell.clear();
    shell.press(UP);
    shell.wait("millstream> SELECT id\nFROM orders\nWHERE id = 2;");
    shell.press(ENTER);
    shell.wait("(1 row");
    shell.wait_for_prompt();
    // It outlives the process.
    shell.press(CTRL_D);
    assert_eq!(shell.wait_for_end(), Some(0));
    let mut shell = user.shell();
    shell.press(UP);
    shell.wait("millstream> SELECT id\nFROM orders\nWHERE id = 2;");
}

#[test]
fn history_is_searched_with_control_r() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.enter("SHOW TABLES;");
    shell.enter("SHOW STREAMS;");
    shell.press(CTRL_R);
    shell.press("TABL");
    shell.wait("(reverse-i-search)`TABL': SHOW TABLES;");
    shell.press(ENTER);
    shell.wait_for_prompt();
    shell.wait("(0 rows");
}

#[test]
fn what_is_being_typed_is_completed_in_grey_from_history() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.enter("SELECT item FROM orders WHERE id = 2;");
    shell.clear();
    shell.press("SELECT it");
    shell.wait("millstream> SELECT item FROM orders WHERE id = 2;");
    shell.press(RIGHT);
    shell.press(ENTER);
    shell.wait("(1 row");
}

#[test]
fn history_is_for_its_owner_only_and_keeps_no_secrets() {
    let user = User::new();
    let mut shell = user.shell();
    shell.enter("SHOW STREAMS;");
    shell.enter(" SHOW TOPICS;");
    shell.enter("DEFINE password = 'x';");
    shell.press(CTRL_D);
    assert_eq!(shell.wait_for_end(), Some(0));
    let file = user.state().join("millstream/history");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let history = fs::read_to_string(file).unwrap();
    assert!(history.contains("SHOW STREAMS;"), "{history}");
    assert!(!history.contains("TOPICS") && !history.contains("password"), "{history}");
}

#[test]
fn control_c_clears_the_line() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.press("SELECT nonsense FROM");
    shell.wait("FROM");
    shell.press(CTRL_C);
    shell.wait_for_prompt();
    let shown = shell.enter("SELECT id FROM orders WHERE id = 2;");
    assert!(shown.contains("(1 row"), "{shown}");
}

#[test]
fn control_c_ends_a_push_query_and_leaves_the_shell_open() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.enter("SET 'auto.offset.reset' = 'earliest';");
    shell.clear();
    shell.press("SELECT id FROM orders EMIT CHANGES;");
    shell.press(ENTER);
    shell.wait("  3");
    shell.interrupt_until("(3 rows");
    shell.wait_for_prompt();
    let shown = shell.enter("SELECT id FROM orders WHERE id = 2;");
    assert!(shown.contains("(1 row"), "{shown}");
}

#[test]
fn control_c_ends_a_push_query_that_has_no_rows() {
    let user = User::new();
    let mut shell = user.shell();
    shell.clear();
    shell.press(support::IDLE);
    shell.press(";");
    shell.press(ENTER);
    shell.interrupt_until("(0 rows");
    shell.wait_for_prompt();
}

#[test]
fn control_d_leaves_and_so_do_words() {
    let user = User::new();
    for keys in [CTRL_D, "exit\r", "exit;\r", "EXIT\r", "quit\r", "\\q\r"] {
        let mut shell = user.shell();
        shell.enter("SHOW STREAMS;");
        shell.press(keys);
        assert_eq!(shell.wait_for_end(), Some(0), "{keys:?}");
    }
}

#[test]
fn control_d_does_not_leave_in_the_midst_of_a_line() {
    let user = User::new();
    let mut shell = user.shell();
    shell.press("SHOW STREAMS;");
    shell.press(CTRL_D);
    shell.press(ENTER);
    shell.wait("KSQL_PROCESSING_LOG");
}

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

/// Waits until words stand one after the other on the screen, whatever their case and the space between them.
fn wait_for_words(terminal: &Terminal, words: &[&str]) {
    terminal.wait_until(&words.join(" "), |terminal| {
        let text = terminal.text().to_lowercase();
        text.split_whitespace().collect::<Vec<_>>().windows(words.len()).any(|window| window == words)
    });
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
fn words_are_told_apart_while_they_are_typed() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.press("SELECT itme, 12 FROM orders WHERE item = 'tea' -- why");
    shell.wait("why");
    let color = |cell: &vt100::Cell| cell.fgcolor() != vt100::Color::Default;
    for text in ["SELECT", "12", "'tea'", "-- why"] {
        assert!(shell.is_at(text, color), "{text} has no colour");
    }
    assert!(shell.is_at("itme", vt100::Cell::underline));
    assert!(!shell.is_at("orders", vt100::Cell::underline));
    assert!(!shell.is_at("orders", color));
}

#[test]
fn colors_can_be_turned_off() {
    let user = with_orders();
    for (args, environment) in [(&[][..], &[("NO_COLOR", "1")][..]), (&["--color", "never"], &[])] {
        let mut shell = user.shell_with(args, environment);
        shell.press("SELECT itme FROM orders WHERE item = 'tea' -- why");
        shell.wait("why");
        let plain = |cell: &vt100::Cell| cell.fgcolor() == vt100::Color::Default && !cell.bold() && !cell.underline();
        for text in ["SELECT", "itme", "'tea'", "-- why"] {
            assert!(shell.is_at(text, plain), "{text} is not plain");
        }
    }
}

#[test]
fn an_error_points_at_the_slip_and_says_what_was_meant() {
    let user = with_orders();
    let mut shell = user.shell();
    let shown = shell.enter("SELECT id,\n       itme\nFROM orders EMIT CHANGES;");
    assert!(shown.starts_with("error[E0203]: column \"ITME\" does not exist in stream \"ORDERS\""), "{shown}");
    assert!(shown.contains("2 |        itme\n  |        ^^^^ not found"), "{shown}");
    assert!(shown.contains("help: did you mean \"ITEM\"?"), "{shown}");
    let shown = shell.enter("SELECT id FROM orderz EMIT CHANGES;");
    assert!(shown.contains("help: did you mean \"ORDERS\"?"), "{shown}");
    let shown = shell.enter("SELCT id FROM orders;");
    assert!(shown.contains("help: did you mean \"SELECT\"?"), "{shown}");
    let shown = shell.enter("\\topcis");
    assert!(shown.contains("command \\topcis is not known"), "{shown}");
}

#[test]
fn a_failed_statement_leaves_the_shell_open() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.enter("SELECT * FROM nowhere;");
    assert!(shell.enter("SELECT id FROM orders WHERE id = 2;").contains("(1 row"));
    shell.press(CTRL_D);
    assert_eq!(shell.wait_for_end(), Some(0));
}

#[test]
fn results_come_in_the_form_that_was_chosen() {
    let user = with_orders();
    let mut shell = user.shell();
    let sql = "SELECT item, id AS number FROM orders WHERE id = 2;";
    for (form, expected) in [
        ("table", " ITEM │ NUMBER\n ─────┼───────\n milk │      2\n"),
        ("box", "┌──────┬────────┐\n│ ITEM │ NUMBER │\n├──────┼────────┤\n│ milk │      2 │\n└──────┴────────┘\n"),
        ("vertical", "── row 1 ──\n  ITEM  milk\nNUMBER  2\n"),
        ("JSON", "[\n{\"ITEM\":\"milk\",\"NUMBER\":2}\n]\n"),
        ("ndjson", "{\"ITEM\":\"milk\",\"NUMBER\":2}\n"),
        ("csv", "ITEM,NUMBER\nmilk,2\n"),
        ("tsv", "ITEM    NUMBER\nmilk    2\n"),
        ("markdown", "| ITEM | NUMBER |\n| ---- | ------ |\n| milk |      2 |\n"),
        ("raw", "milk    2\n"),
        ("TABULAR", " ITEM │ NUMBER\n ─────┼───────\n milk │      2\n"),
    ] {
        assert_eq!(shell.enter(&format!("output {form}")), format!("output is {}", form.to_lowercase()));
        let shown = shell.enter(sql);
        assert!(shown.starts_with(expected), "{form}: {shown}");
        assert!(shown.lines().last().unwrap().starts_with("(1 row, "), "{form}: {shown}");
    }
    let shown = shell.enter("output nonsense");
    assert!(shown.contains("output \"nonsense\" is not known") && shown.contains("vertical"), "{shown}");
}

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
fn the_demonstration_runs() {
    let user = User::new();
    let mut shell = user.shell();
    let shown = shell.enter("\\demo");
    assert!(!shown.contains("error"), "{shown}");
    assert!(shell.enter("\\d").contains("DEMO_ORDERS"));
}

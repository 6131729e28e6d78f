//! Results: their forms, and where they go.

use std::fs;

use super::setup::{with_numbers, with_orders};
use crate::support;
use crate::terminal::{CTRL_C, User};

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
fn a_table_fits_the_terminal() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.enter("CREATE STREAM teas AS SELECT * FROM orders WHERE item = 'tea' AND id < 1000000 EMIT CHANGES;");
    for form in ["table", "box"] {
        shell.enter(&format!("output {form}"));
        for sql in ["SHOW QUERIES;", "SHOW PROPERTIES;", "SHOW FUNCTIONS;"] {
            for line in shell.enter(sql).lines() {
                assert!(line.chars().count() <= 100, "{form}, {sql}: {line}");
            }
        }
    }
}

#[test]
fn a_wide_result_is_shown_vertically_if_asked_for() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.enter("\\x auto");
    assert!(shell.enter("SELECT id FROM orders WHERE id = 2;").contains(" ID\n"));
    let columns: Vec<String> = (0..40).map(|n| format!("id AS column_{n}")).collect();
    let shown = shell.enter(&format!("SELECT {} FROM orders WHERE id = 2;", columns.join(", ")));
    assert!(shown.contains("COLUMN_39  2"), "{shown}");
    shell.enter("\\x off");
    assert!(shell.enter("SELECT id FROM orders WHERE id = 2;").contains(" ID\n"));
    // Alone it goes to and fro.
    shell.enter("\\x");
    assert!(shell.enter("SELECT id FROM orders WHERE id = 2;").contains("ID  2"));
    shell.enter("\\x");
    assert!(shell.enter("SELECT id FROM orders WHERE id = 2;").contains(" ID\n"));
}

#[test]
fn the_header_of_an_endless_result_stays_in_sight() {
    let user = with_numbers();
    let mut shell = user.shell();
    shell.enter("SET 'auto.offset.reset' = 'earliest';");
    shell.clear();
    shell.press("SELECT n AS number FROM numbers EMIT CHANGES;\r");
    let screen = shell.wait("    99");
    assert!(screen.lines().any(|line| line.trim() == "NUMBER"), "{screen}");
    shell.interrupt_until("(100 rows");
}

#[test]
fn a_null_is_no_empty_text() {
    let user = with_orders();
    let sql = "SELECT CAST(NULL AS STRING) AS a, '' AS b, 'x' AS c FROM orders WHERE id = 1";
    for (form, row) in [("csv", ",\"\",x"), ("tsv", "\\N\t\tx"), ("raw", "\\N\t\tx")] {
        let written = support::run(&user.data(), &["-o", form, "-e", sql]);
        assert_eq!(written.lines().last(), Some(row), "{form}");
    }
}

#[test]
fn markdown_of_narrow_columns_is_aligned() {
    let user = with_orders();
    let sql = "SELECT id FROM orders WHERE id = 2";
    let table = support::run(&user.data(), &["-o", "markdown", "-e", sql]);
    assert_eq!(table, "| ID  |\n| --- |\n|   2 |\n");
}

#[test]
fn a_changelog_says_what_each_row_does() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.enter("SET 'auto.offset.reset' = 'earliest';");
    shell.enter("SET 'ksql.streams.cache.max.bytes.buffering' = '0';");
    shell.enter("CREATE TABLE users (id BIGINT PRIMARY KEY, name STRING) WITH (KAFKA_TOPIC='users', VALUE_FORMAT='JSON', PARTITIONS=1);");
    for values in ["(1, 'ada')", "(1, 'bob')", "(1, NULL)"] {
        shell.enter(&format!("INSERT INTO users VALUES {values};"));
    }
    shell.enter("CREATE TABLE named AS SELECT * FROM users WHERE name IS NOT NULL EMIT CHANGES;");
    shell.enter("\\view changelog");
    shell.clear();
    shell.press("SELECT * FROM users EMIT CHANGES;\r");
    let screen = shell.wait("+U");
    assert!(screen.contains("op") && screen.contains("+I") && screen.contains("-U"), "{screen}");
    shell.interrupt_until(" rows");
    shell.wait_for_prompt();
    shell.clear();
    shell.press("SELECT * FROM named EMIT CHANGES;\r");
    shell.wait("-D");
}

#[test]
fn a_query_that_waits_says_so() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.clear();
    shell.press("SELECT id FROM orders EMIT CHANGES;\r");
    // Three records lie before the place it starts from.
    let screen = shell.wait("Ctrl-C");
    assert!(!screen.contains("error"), "{screen}");
    shell.wait("'earliest'");
    shell.interrupt_until("(0 rows");
}

#[test]
fn unnamed_columns_have_the_names_of_the_dialect() {
    let user = with_orders();
    assert_eq!(support::run(&user.data(), &["-e", "SELECT 1"]), "{\"KSQL_COL_0\":1}\n");
    let counted = support::run(&user.data(), &["-e", "SELECT COUNT(*) FROM orders"]);
    assert_eq!(counted, "{\"KSQL_COL_0\":3}\n");
}

#[test]
fn the_last_result_can_be_shown_in_another_form() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.enter("SELECT id, item FROM orders WHERE id = 2;");
    assert!(shell.enter("\\last json").contains("{\"ID\":2,\"ITEM\":\"milk\"}"));
    assert!(shell.enter("\\last").contains(" milk"));
    assert!(shell.enter("SELECT id FROM orders WHERE id = 2;").contains(" ID\n"), "the form is as before");
}

#[test]
fn a_query_can_be_watched() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.enter("SELECT item FROM orders WHERE id = 2;");
    shell.clear();
    shell.press("\\watch 0.2\r");
    shell.wait_until("the result again and again", |shell| shell.text().matches("milk").count() >= 3);
    shell.press(CTRL_C);
    shell.wait_for_prompt();
}

#[test]
fn results_can_go_to_a_file() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.enter("spool 'spool.txt';");
    assert!(shell.enter("SELECT item FROM orders WHERE id = 2;").contains("milk"));
    shell.enter("spool off;");
    shell.enter("SELECT item FROM orders WHERE id = 1;");
    let spooled = fs::read_to_string(user.dir().join("spool.txt")).unwrap();
    assert!(spooled.contains("milk") && !spooled.contains("tea"), "{spooled}");

    fs::write(user.dir().join("part.sql"), "SELECT item FROM orders WHERE id = 2;").unwrap();
    shell.enter("spool 'script.txt';");
    shell.enter("@part.sql");
    shell.enter("spool off;");
    let spooled = fs::read_to_string(user.dir().join("script.txt")).unwrap();
    assert_eq!(spooled.matches("milk").count(), 1, "{spooled}");

    shell.enter("\\o out.txt");
    assert!(!shell.enter("SELECT item FROM orders WHERE id = 2;").contains("milk"));
    shell.enter("\\o");
    assert!(shell.enter("SELECT item FROM orders WHERE id = 2;").contains("milk"));
    assert!(fs::read_to_string(user.dir().join("out.txt")).unwrap().contains("milk"));
}

#[test]
fn output_alone_says_what_it_is() {
    let user = User::new();
    let mut shell = user.shell();
    let shown = shell.enter("output");
    assert!(shown.contains("table") && !shown.contains("error"), "{shown}");
}

#[test]
fn a_terminal_that_knows_only_ascii_gets_only_ascii() {
    let user = with_orders();
    let mut shell = user.shell_with(&[], &[("LC_ALL", "C"), ("LANG", "C")]);
    for form in ["table", "box", "vertical"] {
        shell.enter(&format!("output {form}"));
        let shown = shell.enter("SELECT id, item FROM orders WHERE id = 2;");
        assert!(shown.is_ascii() && shown.contains("milk"), "{form}: {shown}");
    }
}

/// More rows than the screen has lines; what comes by the pager is marked.
#[test]
fn a_result_higher_than_the_screen_goes_through_the_pager() {
    let user = with_numbers();
    let mut shell = user.shell_with(&[], &[("PAGER", "sed -n 's/^ *99$/last of the page/p'")]);
    let shown = shell.enter("SELECT n FROM numbers;");
    assert!(shown.starts_with("last of the page\n(100 rows"), "{shown}");
    assert!(shell.enter("SELECT n FROM numbers WHERE n < 3;").contains(" 2\n(3 rows"));
    // What is spooled is what was shown by the pager, too.
    shell.enter("spool spool.txt");
    shell.enter("SELECT n FROM numbers;");
    shell.enter("spool off");
    assert!(fs::read_to_string(user.dir().join("spool.txt")).unwrap().contains(" 98\n"));
    shell.enter("\\pager off");
    assert!(shell.enter("SELECT n FROM numbers;").contains(" 98\n"));
    assert!(shell.enter("\\pager on").contains("sed"));
    assert!(shell.enter("SELECT n FROM numbers;").contains("last of the page"));
}

#[test]
fn a_pager_that_is_left_or_missing_leaves_the_shell_open() {
    let user = with_numbers();
    for (pager, said) in [("true", "rows"), ("no-such-pager", "pager \"no-such-pager\" is not found")] {
        let mut shell = user.shell_with(&[], &[("PAGER", pager)]);
        let shown = shell.enter("SELECT n FROM numbers;");
        assert!(shown.contains(said), "{pager}: {shown}");
        assert!(shell.enter("SELECT n FROM numbers WHERE n = 2;").contains("(1 row"), "{pager}");
    }
}

#[test]
fn a_statement_is_run_again_or_ended_by_go() {
    let user = with_orders();
    let mut shell = user.shell();
    assert!(shell.enter("\\g").contains("no statement to run again"));
    assert!(shell.enter("SELECT item FROM orders WHERE id = 2 \\g").contains(" milk\n(1 row"));
    assert!(shell.enter("\\g").contains(" milk\n(1 row"));
    assert!(shell.enter("\\gx").contains("ITEM  milk"));
    assert!(!shell.enter("\\g out.txt").contains("milk"));
    assert!(fs::read_to_string(user.dir().join("out.txt")).unwrap().contains("milk"));
    assert!(shell.enter("SELECT id\nFROM orders WHERE id = 2\n\\g").contains(" 2\n(1 row"));
}

#[test]
fn records_are_printed_from_an_offset() {
    let user = with_orders();
    let printed = |from: &str| {
        let sql = format!("PRINT orders {from}");
        let rows = support::rows(&support::run(&user.data(), &["--until-idle", "1", "-e", &sql]));
        rows.iter().map(|row| row["offset"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(printed("FROM BEGINNING"), [0, 1, 2]);
    assert_eq!(printed("FROM OFFSET 1"), [1, 2]);
    assert_eq!(printed("OFFSET -1"), [2]);
    assert_eq!(printed("FROM OFFSET 7"), [] as [i64; 0]);
    assert_eq!(printed("FROM BEGINNING INTERVAL 2"), [0, 2]);
    assert_eq!(printed("FROM OFFSET 1 LIMIT 1"), [1]);
    assert_eq!(printed(""), [] as [i64; 0]);
    // Keys of format KAFKA that are numbers are shown as numbers.
    let rows = support::query(&user.data(), "PRINT orders FROM BEGINNING LIMIT 2");
    assert_eq!(rows[1]["key"], "2");
}

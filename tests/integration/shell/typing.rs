//! What is typed: lines, history, hints and colours.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rexpect::process::Signal;

use super::setup::with_orders;
use crate::terminal::{CTRL_C, CTRL_D, CTRL_R, CTRL_U, ENTER, PROMPT, RIGHT, UP, User};

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
fn what_is_typed_ahead_is_not_lost() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.clear();
    shell.press("SELECT id FROM orders WHERE id = 1;\rSELECT item FROM orders WHERE id = 2;\rversion\r");
    shell.wait("milk");
    shell.wait(env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_line_that_goes_on_says_what_it_waits_for() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.clear();
    shell.press("SELECT id FROM orders\r");
    shell.wait(";");
    shell.press(CTRL_C);
    shell.wait_for_prompt();
    shell.clear();
    shell.press("SELECT 'it FROM orders;\r");
    shell.wait("quote");
}

#[test]
fn an_empty_line_has_a_tip_that_is_not_taken() {
    let user = User::new();
    let mut shell = user.shell();
    shell.wait_until("a tip behind the prompt", |shell| {
        shell.text().lines().last().is_some_and(|line| line.len() > PROMPT.len() + 1)
    });
    shell.press(RIGHT);
    shell.press("version\r");
    shell.wait(&format!("millstream {}", env!("CARGO_PKG_VERSION")));
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
fn history_is_kept_when_the_shell_is_killed() {
    let user = User::new();
    let mut shell = user.shell();
    shell.enter("SHOW STREAMS;");
    shell.signal(Signal::SIGKILL);
    assert_eq!(shell.wait_for_end(), None);
    let history = fs::read_to_string(user.state().join("millstream/history")).unwrap();
    assert!(history.contains("SHOW STREAMS;"), "{history}");
}

#[test]
fn history_lists_and_finds_what_was_typed() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.enter("SHOW TABLES;");
    shell.enter(" SHOW TOPICS;");
    let shown = shell.enter("history");
    assert!(shown.contains("SHOW TABLES;") && !shown.contains("SHOW TOPICS;"), "{shown}");
    shell.clear();
    shell.press(CTRL_R);
    shell.press("tables");
    shell.wait("SHOW TABLES;");
    shell.press(CTRL_C);
    // Of earlier sessions, too.
    shell.wait_for_prompt();
    shell.press(CTRL_D);
    assert_eq!(shell.wait_for_end(), Some(0));
    assert!(user.shell().enter("history").contains("SHOW TABLES;"));
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
fn the_bracket_that_belongs_to_the_one_at_the_cursor_is_shown() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.clear();
    shell.press("SELECT (id + 1)");
    let marked = |cell: &vt100::Cell| cell.fgcolor() != vt100::Color::Default || cell.bold() || cell.inverse();
    shell.wait_until("a marked bracket", |shell| shell.text().contains("1)") && shell.is_at("(id", marked));
    shell.press(" ");
    shell.wait_until("no marked bracket", |shell| !shell.is_at("(id", marked));
}

#[test]
fn names_that_are_new_or_no_names_are_not_shown_as_unknown() {
    let user = with_orders();
    let mut shell = user.shell();
    let declared = "CREATE STREAM fresh (first INT) WITH (KAFKA_TOPIC='x', PARTITIONS=1); ";
    let queried = "SELECT o.item AS what, o.address->city FROM orders o WHERE ${limit} > o.nope ";
    for (typed, known) in [(declared, &["fresh", "first", "KAFKA_TOPIC"][..]), (queried, &["what", "city", "o.item"])] {
        shell.press(CTRL_U);
        shell.clear();
        shell.press(typed);
        shell.wait(typed.trim_end());
        for name in known {
            assert!(!shell.is_at(name, vt100::Cell::underline), "{name} is underlined in {typed}");
        }
    }
    shell.wait_until("the unknown name underlined", |shell| shell.is_at("nope", vt100::Cell::underline));
}

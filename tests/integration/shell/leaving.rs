//! Leaving the shell, and ending what runs in it.

use std::thread;
use std::time::{Duration, Instant};

use rexpect::process::Signal;

use super::setup::{with_numbers, with_orders};
use crate::support;
use crate::terminal::{CTRL_C, CTRL_D, ENTER, User};

/// A pull query that takes longer than anyone waits.
const HEAVY: &str = "\
SELECT COUNT(*) FROM numbers a, numbers b, numbers c, numbers d, numbers e, numbers f, numbers g, numbers h
  WHERE a.n + b.n + c.n + d.n > e.n + f.n + g.n + h.n";

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
fn leaving_at_once_is_no_failure() {
    let user = User::new();
    let mut shell = user.shell();
    shell.press(CTRL_D);
    assert_eq!(shell.wait_for_end(), Some(0), "{}", shell.text());
    assert!(!shell.text().contains("error"), "{}", shell.text());
}

#[test]
fn a_shell_that_is_asked_to_end_does() {
    let user = User::new();
    let mut shell = user.shell();
    shell.signal(Signal::SIGTERM);
    shell.wait_for_end();
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
fn control_c_ends_a_pull_query() {
    let user = with_numbers();
    let mut shell = user.shell();
    shell.clear();
    shell.press(&HEAVY.replace('\n', " "));
    shell.press(";");
    shell.press(ENTER);
    // The first one ends it, whenever it comes to that; the second one does not wait.
    let started = Instant::now();
    thread::sleep(Duration::from_secs(1));
    shell.press(CTRL_C);
    thread::sleep(Duration::from_millis(300));
    shell.press(CTRL_C);
    shell.wait_for_prompt();
    assert!(started.elapsed() < Duration::from_secs(15));
    assert!(shell.enter("SELECT n FROM numbers WHERE n = 2;").contains("(1 row"));
}

#[test]
fn a_pull_query_beyond_its_timeout_ends_with_4() {
    let user = with_numbers();
    let mut child = support::millstream(&user.data(), &["--timeout", "1", "-e", HEAVY]).spawn().unwrap();
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(30) {
        if let Some(status) = child.try_wait().unwrap() {
            assert_eq!(status.code(), Some(4));
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    panic!("the query goes on beyond its timeout");
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

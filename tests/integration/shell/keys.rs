//! The keys of push queries.

use std::fs;
use std::thread;
use std::time::Duration;

use nix::sys::termios::{LocalFlags, SpecialCharacterIndices as Special, Termios};
use rexpect::process::Signal;

use super::setup::with_orders;
use crate::support;
use crate::terminal::{CTRL_C, CTRL_D, CTRL_Z, ENTER, ESCAPE, Terminal, User};

/// What a push query says when it is the first one.
const HINT: &str = "q ends · space pauses · / filters · v view · ? keys";
/// What the key for it shows.
const KEYS: &str = "q ends, Space pauses and goes on, / filters rows";

/// A shell with ten orders a second, whose first query's hint is gone.
fn with_demo(user: &User) -> Terminal {
    let mut shell = user.shell();
    assert!(!shell.enter("\\demo").contains("error"));
    shell
}

/// Starts a query that goes on, on a clear screen.
fn start(shell: &mut Terminal, sql: &str) {
    shell.clear();
    shell.press(sql);
    shell.press(ENTER);
}

/// Whether lines are edited by the terminal, with what is typed shown and every special key at its work.
fn is_usual(mode: &Termios) -> bool {
    let usual = LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG | LocalFlags::IEXTEN;
    mode.local_flags.contains(usual) && mode.control_chars[Special::VSUSP as usize] == CTRL_Z.as_bytes()[0]
}

/// Whether keys come at once and are not shown, and the interrupt key interrupts.
fn has_keys(mode: &Termios) -> bool {
    !mode.local_flags.intersects(LocalFlags::ICANON | LocalFlags::ECHO) && mode.local_flags.contains(LocalFlags::ISIG)
}

/// Waits until the keys of a push query work.
fn wait_for_keys(shell: &Terminal) {
    // What comes before pastes are marked counts as typed before the query.
    shell.wait_until("the keys to work", |shell| has_keys(&shell.mode()) && shell.marks_pastes());
}

/// What the screen shows behind a text.
fn behind(shell: &Terminal, text: &str) -> String {
    shell.text().rsplit_once(text).map(|(_, rest)| rest.to_owned()).unwrap_or_default()
}

#[test]
fn q_ends_a_push_query_and_what_was_shown_stays() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.enter("SET 'auto.offset.reset' = 'earliest';");
    start(&mut shell, "SELECT item FROM orders EMIT CHANGES;");
    shell.wait(" milk");
    wait_for_keys(&shell);
    shell.press("q");
    let screen = shell.wait_for_prompt();
    assert!(screen.contains(HINT) && screen.contains(" milk") && screen.contains("(3 rows, "), "{screen}");
    // Nothing stands between the last row and the footer, and the next statement is as good as ever.
    assert!(screen.contains(" tea\n(3 rows"), "{screen}");
    assert!(shell.enter("SELECT id FROM orders WHERE id = 2;").contains("(1 row"));
    // Once is enough.
    start(&mut shell, "PRINT orders FROM BEGINNING;");
    shell.wait("milk");
    shell.press("q");
    let screen = shell.wait("(3 rows");
    assert!(!screen.contains(HINT), "{screen}");
}

#[test]
fn the_terminal_is_as_it_was_when_the_shell_is_left() {
    let user = with_orders();
    let mut shell = user.shell();
    start(&mut shell, "SELECT item FROM orders EMIT CHANGES;");
    wait_for_keys(&shell);
    shell.press("q");
    shell.wait("(0 rows");
    shell.wait_for_prompt();
    start(&mut shell, "SELECT item FROM orders EMIT CHANGES;");
    wait_for_keys(&shell);
    shell.press(CTRL_C);
    shell.wait("(0 rows");
    shell.wait_for_prompt();
    shell.press(CTRL_D);
    assert_eq!(shell.wait_for_end(), Some(0));
    assert!(is_usual(&shell.mode()), "{:?}", shell.mode());
}

#[test]
fn the_terminal_is_as_it_was_when_the_program_is_asked_to_end() {
    let user = with_orders();
    for runs in [true, false] {
        for signal in [Signal::SIGTERM, Signal::SIGQUIT] {
            let mut shell = user.shell();
            if runs {
                start(&mut shell, "SELECT item FROM orders EMIT CHANGES;");
                wait_for_keys(&shell);
            }
            assert!(!is_usual(&shell.mode()));
            shell.signal(signal);
            assert_eq!(shell.wait_for_end(), None, "it ends by the signal");
            assert!(is_usual(&shell.mode()), "{signal}, {runs}: {:?}", shell.mode());
        }
    }
}

#[test]
fn a_signal_that_is_ignored_changes_nothing() {
    let user = with_orders();
    let mut shell = user.start_by("trap '' QUIT; exec \"$0\" \"$@\"", &[], &[]);
    shell.wait_for_prompt();
    start(&mut shell, "SELECT item FROM orders EMIT CHANGES;");
    wait_for_keys(&shell);
    for count in 1..=2 {
        shell.signal(Signal::SIGQUIT);
        shell.press("?");
        shell.wait_until("the keys", |shell| shell.text().matches(KEYS).count() == count);
        wait_for_keys(&shell);
    }
    shell.signal(Signal::SIGTERM);
    assert_eq!(shell.wait_for_end(), None, "it ends by the signal");
    assert!(is_usual(&shell.mode()), "{:?}", shell.mode());
}

#[test]
fn lines_are_read_as_ever_while_something_else_runs() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.enter("SELECT item FROM orders WHERE id = 2;");
    shell.press("\\watch 0.2\r");
    shell.wait_until("the result again and again", |shell| shell.text().matches("milk").count() >= 3);
    assert!(is_usual(&shell.mode()), "{:?}", shell.mode());
    shell.press(CTRL_C);
    shell.wait_for_prompt();
}

#[test]
fn control_z_stops_the_program_with_the_terminal_as_it_was() {
    let user = with_orders();
    // The script has the program in a job of its own, as shells do, and lets it go on.
    let script = "set -m; \"$0\" \"$@\"; echo stopped; stty -a | tr ' ' '\\n' | grep -x -e icanon -e echo; read; fg";
    let mut shell = user.start_by(script, &[], &[]);
    shell.wait_for_prompt();
    start(&mut shell, "SELECT item FROM orders EMIT CHANGES;");
    wait_for_keys(&shell);
    shell.press(CTRL_Z);
    shell.wait("stopped\nicanon\necho");
    shell.press(ENTER);
    wait_for_keys(&shell);
    shell.press("q");
    shell.wait("(0 rows");
    shell.wait_for_prompt();
}

#[test]
fn space_pauses_and_nothing_is_lost() {
    let user = User::new();
    let mut shell = with_demo(&user);
    shell.enter("spool rows.txt");
    start(&mut shell, "SELECT ROWOFFSET AS place FROM demo_orders EMIT CHANGES;");
    shell.wait_until("some rows", |shell| behind(shell, "PLACE").lines().count() > 5);
    shell.press(" ");
    shell.wait("paused, 12 rows wait; Space goes on");
    let shown = || fs::read_to_string(user.dir().join("rows.txt")).unwrap();
    let paused = shown();
    thread::sleep(Duration::from_millis(500));
    assert_eq!(shown(), paused, "rows were shown in a pause");
    shell.press(" ");
    shell.wait_until("more rows", |_| shown().lines().count() > paused.lines().count() + 15);
    // Rows are in the file a moment before they are on the screen.
    shell.wait_until("the end of the pause", |shell| !shell.text().contains("paused"));
    shell.press("q");
    shell.wait_for_prompt();
    let shown = shown();
    let places: Vec<u64> = shown.lines().filter_map(|line| line.trim().parse().ok()).collect();
    assert!(places.len() > 15 && places.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{shown}");
}

#[test]
fn a_pause_can_be_the_end() {
    let user = User::new();
    let mut shell = with_demo(&user);
    for key in ["q", CTRL_C] {
        start(&mut shell, "SELECT item FROM demo_orders EMIT CHANGES;");
        shell.wait("ITEM");
        shell.press(" ");
        shell.wait("paused, 3 rows wait");
        shell.press(key);
        let screen = shell.wait_for_prompt();
        assert!(screen.contains(" not shown, ") && !screen.contains("paused"), "{screen}");
    }
    // A result whose last row waits goes on to its end.
    start(&mut shell, "SELECT item FROM demo_orders EMIT CHANGES LIMIT 12;");
    shell.wait("ITEM");
    shell.press(" ");
    shell.wait("paused, ");
    thread::sleep(Duration::from_secs(2));
    assert!(shell.text().contains("paused, "), "{}", shell.text());
    shell.press(" ");
    shell.wait("(12 rows, ");
}

#[test]
fn a_filter_shows_only_rows_with_its_text() {
    let user = User::new();
    let mut shell = with_demo(&user);
    start(&mut shell, "SELECT customer, item FROM demo_orders EMIT CHANGES;");
    shell.wait("ITEM");
    shell.press("/");
    shell.wait_until("the line of the filter", |shell| shell.text().ends_with("\n/"));
    // Letters of the filter are no keys, and can be taken back.
    shell.press("q Teax\x7f");
    shell.wait("/q Tea");
    shell.press("\x15Tea\r");
    shell.wait("rows with \"Tea\"\n");
    shell.wait_until("rows", |shell| behind(shell, "with \"Tea\"").lines().count() > 4);
    let shown = behind(&shell, "with \"Tea\"\n");
    let others: Vec<&str> = shown.lines().filter(|line| !line.contains("tea")).collect();
    assert!(others.is_empty(), "{shown}");

    // Whoever leaves the line leaves the filter as it is; an empty one is none.
    shell.press("/milk");
    shell.wait("/milk");
    shell.press(ESCAPE);
    shell.wait_until("the line to be gone", |shell| !shell.text().contains("/milk"));
    shell.press("/\r");
    shell.wait("all rows\n");
    shell.wait_until("milk", |shell| behind(shell, "all rows\n").contains("milk"));
    shell.press("q");
    let screen = shell.wait_for_prompt();
    assert!(screen.contains(" filtered out, "), "{screen}");
}

#[test]
fn v_switches_the_view() {
    let user = User::new();
    let mut shell = with_demo(&user);
    start(&mut shell, "SELECT customer, COUNT(*) AS orders FROM demo_orders GROUP BY customer EMIT CHANGES;");
    shell.wait("eve");
    shell.press("v");
    shell.wait("changelog: what each row does\n op");
    // What was shown before is known: no row of a customer who was there is new.
    shell.wait_until("two changes", |shell| shell.text().matches("+U").count() > 1);
    let text = shell.text();
    let (before, changes) = text.split_once("changelog").unwrap();
    let is_new = |line: &&str| line.starts_with(" +I");
    let mut new = changes.lines().filter(is_new).map(|line| line.split(' ').nth(3).unwrap());
    assert!(changes.contains(" -U") && new.all(|customer| !before.contains(&format!("\n {customer} "))), "{text}");
    shell.press("v");
    shell.wait("tail: rows as they come\n CUSTOMER");
    shell.wait_until("rows", |shell| behind(shell, "tail: ").lines().count() > 4);
    assert!(!behind(&shell, "tail: ").contains("+U"), "{}", shell.text());
    shell.press("v");
    shell.press("q");
    shell.wait_for_prompt();
    // The last result is shown as it was last; the next query as was chosen for all.
    assert!(shell.enter("\\last ndjson").contains("{\"op\":\"+I\",\"CUSTOMER\""));
    start(&mut shell, "SELECT customer FROM demo_orders EMIT CHANGES;");
    let screen = shell.wait("CUSTOMER\n");
    assert!(!screen.contains("op"), "{screen}");
}

#[test]
fn each_view_is_a_result_of_its_own() {
    let user = with_orders();
    let mut shell = user.shell();
    shell.enter("output json");
    shell.enter("SET 'auto.offset.reset' = 'earliest';");
    shell.clear();
    shell.press("SELECT item FROM orders EMIT CHANGES;\r");
    shell.wait("milk");
    wait_for_keys(&shell);
    shell.press("v");
    let screen = shell.wait("changelog: what");
    assert!(screen.contains("{\"ITEM\":\"tea\"}\n]\nchangelog"), "{screen}");
    shell.press("q");
    shell.wait("[]\n(3 rows");
    shell.wait_for_prompt();
}

#[test]
fn a_question_mark_and_keys_without_a_meaning_show_the_keys() {
    let user = with_orders();
    let mut shell = user.shell();
    start(&mut shell, "SELECT item FROM orders EMIT CHANGES;");
    wait_for_keys(&shell);
    shell.press("x\x1b[Ay");
    shell.wait(KEYS);
    shell.press("?");
    shell.wait_until("the keys again", |shell| shell.text().matches(KEYS).count() == 2);
    shell.press("zq");
    let screen = shell.wait("(0 rows");
    assert_eq!(screen.matches(KEYS).count(), 2, "{screen}");
    // Keys are not shown, and none is left for the next statement.
    shell.wait_for_prompt();
}

#[test]
fn what_is_typed_behind_the_end_or_pasted_waits_for_the_prompt() {
    let user = with_orders();
    let mut shell = user.shell();
    start(&mut shell, "SELECT item FROM orders EMIT CHANGES;");
    wait_for_keys(&shell);
    shell.press("qSELECT id FROM orders WHERE id = 2;\r");
    shell.wait("(1 row, ");
    shell.wait_for_prompt();
    start(&mut shell, "SELECT item FROM orders EMIT CHANGES;");
    wait_for_keys(&shell);
    // A paste in which every key is: none of them is pressed.
    shell.press("\x1b[200~SELECT q FROM nowhere; -- v / ?\x1b[201~");
    shell.press("q");
    shell.wait("> SELECT q FROM nowhere; -- v / ?");
}

#[test]
fn without_a_terminal_there_are_no_keys() {
    let user = with_orders();
    let sql = "SET 'auto.offset.reset' = 'earliest'; SELECT id FROM orders EMIT CHANGES LIMIT 2;";
    let output = support::output(&user.data(), &["-e", sql]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "{\"ID\":1}\n{\"ID\":2}\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

//! What a shell for streams owes its users beyond the plain things.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use rexpect::process::Signal;

use crate::support;
use crate::terminal::{CTRL_C, CTRL_D, CTRL_R, CTRL_U, ENTER, PROMPT, RIGHT, TAB, Terminal, User};

const ORDERS: &str = "\
CREATE STREAM orders (id BIGINT KEY, item STRING, address STRUCT<city STRING>)
  WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON', PARTITIONS=1);
INSERT INTO orders (id, item) VALUES (1, 'tea'), (2, 'milk'), (3, 'tea');";

/// A pull query that takes longer than anyone waits.
const HEAVY: &str = "\
SELECT COUNT(*) FROM numbers a, numbers b, numbers c, numbers d, numbers e, numbers f, numbers g, numbers h
  WHERE a.n + b.n + c.n + d.n > e.n + f.n + g.n + h.n";

/// A user who has the stream `orders` of three rows.
fn with_orders() -> User {
    let user = User::new();
    support::run(&user.data(), &["-e", ORDERS]);
    user
}

/// A user who has the stream `numbers` of 100 rows.
fn with_numbers() -> User {
    let user = User::new();
    let values: Vec<String> = (0..100).map(|n| format!("({n})")).collect();
    let create = "CREATE STREAM numbers (n BIGINT) WITH (KAFKA_TOPIC='numbers', VALUE_FORMAT='JSON', PARTITIONS=1)";
    let insert = format!("INSERT INTO numbers VALUES {}", values.join(","));
    support::run(&user.data(), &["-e", create, "-e", &insert]);
    user
}

/// Asks for the completion of what is typed on a clear line; what is offered is listed at the second press.
fn complete(terminal: &mut Terminal, typed: &str) {
    terminal.press(CTRL_U);
    terminal.clear();
    terminal.press(typed);
    terminal.press(TAB);
    terminal.press(TAB);
}

// Leaving, and ending what runs.

#[test]
fn leaving_at_once_is_no_failure() {
    let user = User::new();
    let mut shell = user.shell();
    shell.press(CTRL_D);
    assert_eq!(shell.wait_for_end(), Some(0), "{}", shell.text());
    assert!(!shell.text().contains("error"), "{}", shell.text());
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
fn a_shell_that_is_asked_to_end_does() {
    let user = User::new();
    let mut shell = user.shell();
    shell.signal(Signal::SIGTERM);
    shell.wait_for_end();
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

// What is typed.

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

// Completion and highlighting.

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
        complete(&mut shell, typed);
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
        complete(&mut shell, typed);
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
    complete(&mut shell, "SELECT L");
    shell.wait("LPAD(STRING");
}

#[test]
fn files_are_completed_where_a_file_is_named() {
    let user = with_orders();
    fs::write(user.dir().join("part.sql"), "SHOW STREAMS;").unwrap();
    let mut shell = user.shell();
    complete(&mut shell, "RUN SCRIPT 'pa");
    shell.wait("RUN SCRIPT 'part.sql");
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

// Errors.

#[test]
fn errors_of_pull_queries_point_at_the_slip() {
    let user = with_orders();
    for (sql, report) in [
        (
            "SELECT id,\n       itme FROM orders",
            "error[E0203]: column \"ITME\" does not exist in stream \"ORDERS\"\n --> line 2, column 8\n",
        ),
        ("SELECT id FROM orders WHERE itme = 'tea' ORDER BY id", " --> line 1, column 29\n"),
        (
            "SELECT substrng(item, 1) FROM orders",
            "error[E0206]: function SUBSTRNG does not exist\n --> line 1, column 8\n",
        ),
        ("SELECT COUNT(* FROM orders", "error[E0101]: "),
    ] {
        let output = support::output(&user.data(), &["-e", sql]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{sql}: {error}");
        assert!(error.contains(report) && error.contains('^'), "{sql}: {error}");
        assert!(!error.to_lowercase().contains("datafusion") && !error.contains("ParserError"), "{sql}: {error}");
    }
    let output = support::output(&user.data(), &["-e", "SELECT substrng(item, 1) FROM orders"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("did you mean \"SUBSTRING\"?"));
}

#[test]
fn an_error_in_a_script_names_its_file_line_and_column() {
    let user = with_orders();
    let script = user.dir().join("script.sql");
    fs::write(&script, "SHOW TABLES;\n\nSELECT id,\n  itme\nFROM orders EMIT CHANGES;\n").unwrap();
    let output = support::output(&user.data(), &["-f", support::text(&script)]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains(&format!("--> {}:4:3", script.display())), "{error}");
}

#[test]
fn codes_of_errors_are_explained() {
    let user = User::new();
    let mut shell = user.shell();
    let shown = shell.enter("\\help E0203");
    assert!(shown.contains("column") && shown.contains("SELECT"), "{shown}");
    assert!(shell.enter("\\help E9999").contains("E9999"));
}

#[test]
fn a_slip_in_a_command_is_pointed_at() {
    let user = User::new();
    let mut shell = user.shell();
    assert!(shell.enter("\\topcis").contains("did you mean \"\\topics\"?"));
    assert!(shell.enter("output jsno").contains("did you mean \"json\"?"));
    assert!(shell.enter("help crate stream").contains("CREATE STREAM"));
}

// Results.

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
fn variables_can_be_listed() {
    let user = User::new();
    let mut shell = user.shell();
    shell.enter("DEFINE colour = 'red';");
    let shown = shell.enter("SHOW VARIABLES;");
    assert!(shown.contains("colour") && shown.contains("red") && !shown.contains("auto.offset"), "{shown}");
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

// Looking around.

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
    shell.enter("output ndjson");
    let shown = shell.enter("SHOW PROPERTIES;");
    assert!(shown.contains("\"auto.offset.reset\",\"value\":\"latest\""), "it has changed a setting: {shown}");
}

// Scripts.

#[test]
fn times_have_units() {
    let user = with_orders();
    let push = "SET 'auto.offset.reset' = 'earliest'; SELECT id FROM orders EMIT CHANGES";
    for idle in ["1s", "1000ms", "1"] {
        let output = support::output(&user.data(), &["--until-idle", idle, "-e", push]);
        assert_eq!(output.status.code(), Some(0), "{idle}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 3, "{idle}");
    }
    let output = support::output(&user.data(), &["--timeout", "300ms", "-e", support::IDLE]);
    assert_eq!(output.status.code(), Some(4));
    let output = support::output(&user.data(), &["--timeout", "3 parsecs", "-e", support::IDLE]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_statement_on_standard_input_runs_when_it_is_complete() {
    let user = with_orders();
    for args in [&[][..], &["-f", "-"]] {
        let mut command = support::millstream(&user.data(), args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"SELECT id FROM orders\nWHERE id = 2;\n").unwrap();
        stdin.flush().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (send, received) = std::sync::mpsc::channel();
        let reader = thread::spawn(move || {
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            send.send(line).unwrap();
        });
        // Standard input is still open.
        let line = received.recv_timeout(Duration::from_secs(20));
        drop(stdin);
        assert_eq!(child.wait().unwrap().code(), Some(0), "{args:?}");
        reader.join().unwrap();
        assert_eq!(line.as_deref(), Ok("{\"ID\":2}\n"), "{args:?}");
    }
}

#[test]
fn a_limit_of_no_rows_ends_at_once() {
    let user = with_orders();
    let push = "SELECT id FROM orders EMIT CHANGES";
    let output = support::output(&user.data(), &["--limit", "0", "--timeout", "20", "-e", push]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
}

#[test]
fn acknowledgements_of_commands_are_no_data() {
    let user = with_orders();
    for (commands, rows) in [
        ("output csv; SELECT id FROM orders WHERE id = 2", "ID\n2\n"),
        ("\\timing; SELECT id FROM orders WHERE id = 2", "{\"ID\":2}\n"),
        ("request pipelining on; SELECT id FROM orders WHERE id = 2", "{\"ID\":2}\n"),
        ("clear; SELECT id FROM orders WHERE id = 2", "{\"ID\":2}\n"),
    ] {
        assert_eq!(support::run(&user.data(), &["-e", commands]), rows, "{commands}");
    }
    // A form that is not known is a failure like any other.
    let output = support::output(&user.data(), &["-e", "output nonsense; SELECT id FROM orders WHERE id = 2"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
}

//! The command line: exit codes, what goes where, and the forms of results.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use millstream_log::{EmbeddedLog, Log, LogOptions};
use tempfile::TempDir;

use crate::support::{self, IDLE};

const ORDERS: &str = "\
CREATE STREAM orders (id BIGINT KEY, item STRING) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON', PARTITIONS=1);
INSERT INTO orders VALUES (1, 'tea'), (2, 'milk, cold'), (3, 'tea');";

/// A data directory with the stream `orders` of three rows.
fn with_orders() -> TempDir {
    let data = TempDir::new().unwrap();
    assert_eq!(support::run(data.path(), &["-e", ORDERS]), "", "acknowledgements are no data");
    data
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// Fails unless the command line ends with this code, writes this to standard output and this somewhere
/// to standard error.
fn expect(data: &Path, args: &[&str], code: i32, out: &str, error: &str) {
    let output = support::output(data, args);
    let found = (output.status.code(), stdout(&output));
    assert_eq!(found, (Some(code), out), "{args:?}: {}", stderr(&output));
    assert!(stderr(&output).contains(error), "{args:?}: expected {error:?} in {:?}", stderr(&output));
}

/// A process that waits for rows; it is killed when the test is over.
struct Waiting(Child);

impl Waiting {
    /// Starts it and returns once it has opened the data directory.
    fn start(data: &Path) -> Self {
        let script = format!("SHOW STREAMS; {IDLE}");
        let mut command = support::millstream(data, &["-e", &script]);
        let mut waiting = Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        let mut line = String::new();
        BufReader::new(waiting.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("KSQL_PROCESSING_LOG"), "{line}");
        waiting
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_statement_that_is_done_ends_with_0() {
    let data = with_orders();
    expect(data.path(), &["-e", "SELECT id FROM orders WHERE id = 2"], 0, "{\"ID\":2}\n", "");
}

#[test]
fn a_statement_that_fails_ends_with_1() {
    let data = with_orders();
    let missing = "stream or table \"NOWHERE\" does not exist";
    expect(data.path(), &["-e", "SELECT * FROM nowhere EMIT CHANGES"], 1, "", missing);
    expect(data.path(), &["-e", "SELECT * FROM nowhere"], 1, "", missing);
    expect(data.path(), &["-e", "SELECT id FROM orders WHERE id = 1; SELEC 1"], 1, "{\"ID\":1}\n", "\"SELECT\"");
}

#[test]
fn a_command_line_that_cannot_be_meant_ends_with_2() {
    let data = TempDir::new().unwrap();
    expect(data.path(), &["--no-such-option"], 2, "", "--no-such-option");
    expect(data.path(), &["-o", "nonsense", "-e", "SHOW STREAMS"], 2, "", "output \"nonsense\" is not known");
    expect(data.path(), &["-f", "no-such-file.sql"], 2, "", "no-such-file.sql");
    expect(data.path(), &["-v", "nothing", "-e", "SHOW STREAMS"], 2, "", "NAME=VALUE");
    expect(data.path(), &["produce", "topic", "no-such-file.csv"], 2, "", "no-such-file.csv");
}

#[test]
fn a_data_directory_in_use_ends_with_3_and_names_the_owner() {
    let data = TempDir::new().unwrap();
    let owner = Waiting::start(data.path());
    let in_use = format!("is in use by process {}", owner.0.id());
    expect(data.path(), &["-e", "SHOW STREAMS"], 3, "", &in_use);
    expect(data.path(), &["topics"], 3, "", &in_use);
    drop(owner);
    support::run(data.path(), &["-e", "SHOW STREAMS"]);
}

#[test]
fn a_push_query_beyond_its_timeout_ends_with_4() {
    let data = with_orders();
    expect(data.path(), &["-e", IDLE, "--timeout", "0.2"], 4, "", "--timeout");
    let script = "SET 'auto.offset.reset' = 'earliest'; SELECT id FROM orders EMIT CHANGES";
    expect(data.path(), &["-e", script, "--timeout", "2"], 4, "{\"ID\":1}\n{\"ID\":2}\n{\"ID\":3}\n", "--timeout");
}

#[test]
fn an_interrupted_query_ends_with_130() {
    let data = TempDir::new().unwrap();
    let mut waiting = Waiting::start(data.path());
    let id = waiting.0.id().to_string();
    // A signal that comes just before the push query starts is taken by the statement before it.
    for _ in 0..100 {
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        thread::sleep(Duration::from_millis(100));
        if let Some(status) = waiting.0.try_wait().unwrap() {
            assert_eq!(status.code(), Some(130));
            return;
        }
    }
    panic!("the process goes on");
}

#[test]
fn a_push_query_ends_when_it_is_idle_or_has_its_rows() {
    let data = with_orders();
    let earliest = "SET 'auto.offset.reset' = 'earliest';";
    let push = format!("{earliest} SELECT id FROM orders EMIT CHANGES");
    expect(data.path(), &["-e", &push, "--until-idle", "1"], 0, "{\"ID\":1}\n{\"ID\":2}\n{\"ID\":3}\n", "");
    expect(data.path(), &["-e", &push, "--limit", "2"], 0, "{\"ID\":1}\n{\"ID\":2}\n", "");
    expect(data.path(), &["-e", &format!("{push} LIMIT 1")], 0, "{\"ID\":1}\n", "");
}

#[test]
fn after_a_failure_the_rest_runs_only_if_asked() {
    let data = with_orders();
    let script = "SELECT id FROM nowhere; SELECT id FROM orders WHERE id = 1";
    expect(data.path(), &["-e", script], 1, "", "NOWHERE");
    expect(data.path(), &["--keep-going", "-e", script], 1, "{\"ID\":1}\n", "NOWHERE");
}

#[test]
fn results_come_in_the_form_that_was_asked_for() {
    let data = with_orders();
    let sql = "SELECT id, item FROM orders WHERE id < 3 ORDER BY id";
    let tea = "{\"ID\":1,\"ITEM\":\"tea\"}";
    let milk = "{\"ID\":2,\"ITEM\":\"milk, cold\"}";
    for (form, expected) in [
        ("ndjson", format!("{tea}\n{milk}\n")),
        ("json", format!("[\n{tea},\n{milk}\n]\n")),
        ("csv", "ID,ITEM\n1,tea\n2,\"milk, cold\"\n".to_owned()),
        ("tsv", "ID\tITEM\n1\ttea\n2\tmilk, cold\n".to_owned()),
        ("raw", "1\ttea\n2\tmilk, cold\n".to_owned()),
    ] {
        expect(data.path(), &["-o", form, "-e", sql], 0, &expected, "");
    }
    // Where nobody sits before it, the form is ndjson.
    expect(data.path(), &["-e", sql], 0, &format!("{tea}\n{milk}\n"), "");
    let nothing = "SELECT id FROM orders WHERE id > 3";
    expect(data.path(), &["-o", "json", "-e", nothing], 0, "[]\n", "");
    expect(data.path(), &["-o", "csv", "-e", nothing], 0, "ID\n", "");
    expect(data.path(), &["-e", nothing], 0, "", "");
}

/// Compares a text with a file of `golden`, which `UPDATE_GOLDEN=1` writes anew.
fn expect_golden(name: &str, found: &str) {
    let path = support::root().join("tests/integration/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "{name} is not as before; if it should be, set UPDATE_GOLDEN=1");
}

#[test]
fn every_form_shows_nulls_wide_text_and_numbers() {
    let data = TempDir::new().unwrap();
    let script = "\
        CREATE STREAM goods (id BIGINT KEY, name STRING, price DOUBLE, note STRING)
          WITH (KAFKA_TOPIC='goods', VALUE_FORMAT='JSON', PARTITIONS=1);
        INSERT INTO goods VALUES (1, '緑茶', 4.5, NULL);
        INSERT INTO goods VALUES (20, 'milk, \"cold\"', NULL, 'sold by the bottle, which is returned to the dairy once a week');
        INSERT INTO goods VALUES (300, 'crème', -1234.75, '');";
    support::run(data.path(), &["-e", script]);
    let forms = ["table", "box", "vertical", "json", "ndjson", "csv", "tsv", "markdown", "raw"];
    for form in forms {
        let sql = "SELECT id, name, price, note FROM goods ORDER BY id";
        expect_golden(&format!("bounded.{form}"), &support::run(data.path(), &["-o", form, "-e", sql]));
        // An endless result that is cut short has the same rows.
        let sql = "SET 'auto.offset.reset' = 'earliest'; SELECT id, name, price, note FROM goods EMIT CHANGES LIMIT 3";
        let endless = support::run(data.path(), &["-o", form, "-e", sql]);
        for row in ["緑茶", "milk, ", "crème"] {
            assert!(endless.contains(row), "{form}: {endless}");
        }
    }
}

#[test]
fn colors_are_for_terminals_unless_asked_for() {
    let data = with_orders();
    let nulls = "SELECT CAST(NULL AS STRING) AS nothing FROM orders WHERE id = 1";
    let with = |environment: &[(&str, &str)], args: &[&str]| {
        let mut command =
            support::millstream(data.path(), &[&["-o", "table", "-e", nulls, "-e", "SELEC"], args].concat());
        let output = command.env_remove("NO_COLOR").envs(environment.iter().copied()).output().unwrap();
        (stdout(&output).contains('\x1b'), stderr(&output).contains('\x1b'))
    };
    assert_eq!(with(&[], &[]), (false, false));
    assert_eq!(with(&[("NO_COLOR", "1")], &[]), (false, false));
    assert_eq!(with(&[], &["--color", "never"]), (false, false));
    assert_eq!(with(&[], &["--color", "always"]), (true, true));
    // What the command line says outranks the environment.
    assert_eq!(with(&[("NO_COLOR", "1")], &["--color", "always"]), (true, true));
    expect(data.path(), &["--color", "sometimes", "-e", nulls], 2, "", "sometimes");
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let data = TempDir::new().unwrap();
    // More than a pipe holds.
    let script = "SHOW FUNCTIONS;".repeat(40);
    for form in ["ndjson", "table", "csv"] {
        let mut command = support::millstream(data.path(), &["-o", form, "-e", &script]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""), "{form}");
    }
}

#[test]
fn a_row_is_written_when_it_comes() {
    let data = with_orders();
    for form in ["ndjson", "csv", "tsv", "raw"] {
        let script = "SET 'auto.offset.reset' = 'earliest'; SELECT id, item FROM orders EMIT CHANGES";
        let mut command = support::millstream(data.path(), &["-o", form, "-e", script]);
        let mut waiting = Waiting(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        let mut lines = BufReader::new(waiting.0.stdout.take().unwrap()).lines();
        // The query goes on, so that what is read here was written before its end.
        let last = lines.find(|line| line.as_ref().unwrap().contains('3')).unwrap().unwrap();
        assert!(last.contains("tea"), "{form}: {last}");
        assert_eq!(waiting.0.try_wait().unwrap(), None, "{form}");
    }
}

#[test]
fn data_goes_to_standard_output_and_everything_else_to_standard_error() {
    let data = with_orders();
    let script = "CREATE STREAM teas AS SELECT * FROM orders WHERE item = 'tea' EMIT CHANGES; \
                  SELECT id FROM orders WHERE id = 1; TERMINATE ALL; DROP STREAM teas; SELECT id FROM nowhere;";
    let output = support::output(data.path(), &["-e", script]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), "{\"ID\":1}\n"), "{}", stderr(&output));
    assert!(stderr(&output).contains("NOWHERE"), "{}", stderr(&output));
    assert!(!stderr(&output).contains("millstream>"), "{}", stderr(&output));
}

#[test]
fn statements_may_be_given_many_times_and_share_a_session() {
    let data = with_orders();
    let args = ["-e", "DEFINE item = 'milk'", "-e", "SET 'auto.offset.reset' = 'earliest'", "-e"];
    let push = "SELECT id FROM orders WHERE item LIKE '${item}%' EMIT CHANGES LIMIT 1";
    expect(data.path(), &[&args[..], &[push]].concat(), 0, "{\"ID\":2}\n", "");
    // The first one that fails is the last one that runs.
    expect(data.path(), &["-e", "SELEC", "-e", "SELECT id FROM orders WHERE id = 1"], 1, "", "SELECT");
    let keep_going = ["--keep-going", "-e", "SELEC", "-e", "SELECT id FROM orders WHERE id = 1"];
    expect(data.path(), &keep_going, 1, "{\"ID\":1}\n", "SELECT");
}

#[test]
fn a_limit_holds_for_every_result() {
    let data = with_orders();
    let ordered = "SELECT id FROM orders ORDER BY id";
    expect(data.path(), &["--limit", "2", "-e", ordered], 0, "{\"ID\":1}\n{\"ID\":2}\n", "");
    expect(data.path(), &["--limit", "0", "-e", ordered], 0, "", "");
    let twice = format!("{ordered}; {ordered}");
    expect(data.path(), &["--limit", "1", "-e", &twice], 0, "{\"ID\":1}\n{\"ID\":1}\n", "");
    for wrong in ["-1", "many"] {
        expect(data.path(), &["--limit", wrong, "-e", ordered], 2, "", wrong);
        expect(data.path(), &["--timeout", wrong, "-e", ordered], 2, "", wrong);
        expect(data.path(), &["--until-idle", wrong, "-e", ordered], 2, "", wrong);
    }
}

#[test]
fn a_timeout_ends_the_script() {
    let data = with_orders();
    let script = format!("{IDLE}; SELECT id FROM orders WHERE id = 1");
    expect(data.path(), &["--timeout", "0.3", "-e", &script], 4, "", "--timeout");
    expect(data.path(), &["--timeout", "0.3", "--keep-going", "-e", &script], 4, "{\"ID\":1}\n", "--timeout");
    // A result that ends in time is not concerned.
    expect(data.path(), &["--timeout", "60", "--until-idle", "0.3", "-e", &script], 0, "{\"ID\":1}\n", "");
}

#[test]
fn variables_stand_for_their_values() {
    let data = with_orders();
    let sql = "SELECT id FROM ${source} WHERE item = '${item}' AND id < 3";
    expect(data.path(), &["-v", "source=orders", "-v", "item=tea", "-e", sql], 0, "{\"ID\":1}\n", "");
    expect(data.path(), &["-v", "item=tea", "-e", sql], 1, "", "variable \"source\" is not defined");
}

#[test]
fn a_slip_is_pointed_at() {
    let data = with_orders();
    let output = support::output(data.path(), &["-e", "SELECT id,\n       itme FROM orders EMIT CHANGES"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""));
    let expected = "\
error[E0203]: column \"ITME\" does not exist in stream \"ORDERS\"
 --> line 2, column 8
  |
2 |        itme FROM orders EMIT CHANGES
  |        ^^^^ not found
";
    assert!(stderr(&output).starts_with(expected), "{}", stderr(&output));
    assert!(stderr(&output).contains("help: did you mean \"ITEM\"?"), "{}", stderr(&output));
}

#[test]
fn a_script_says_which_line_failed() {
    let data = TempDir::new().unwrap();
    let script: PathBuf = data.path().join("script.sql");
    fs::write(&script, "-- The first statement is right.\nSHOW TABLES;\n\nSHOW NONSENSE;\n").unwrap();
    let place = format!("--> {}:4:6", script.display());
    expect(&data.path().join("data"), &["-f", support::text(&script)], 1, "", &place);
}

#[test]
fn a_script_may_come_on_standard_input() {
    let data = with_orders();
    let mut command = support::millstream(data.path(), &[]);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Taken, so that it is closed before the output is waited for.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"SELECT id FROM orders WHERE id = 3;\n").unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), "{\"ID\":3}\n"), "{}", stderr(&output));
}

#[test]
fn lines_go_into_a_topic_and_come_out() {
    let data = TempDir::new().unwrap();
    let (good, bad) = (data.path().join("good.json"), data.path().join("bad.json"));
    let log = data.path().join("data");
    fs::write(&good, "{\"user\":\"ada\",\"at\":7}\n{\"user\":\"bob\",\"at\":8}\n").unwrap();
    fs::write(&bad, "{\"user\":\"cem\"}\n\n{\"user\":\n{\"user\":\"dan\"}\n").unwrap();

    let keyed = ["produce", "clicks", support::text(&good), "--format", "json", "--key", "user", "--timestamp", "at"];
    expect(&log, &keyed, 0, "", "2 records to topic clicks");
    let consume = ["consume", "clicks", "--from-beginning", "--exit-at-end"];
    expect(&log, &consume, 0, "{\"user\":\"ada\",\"at\":7}\n{\"user\":\"bob\",\"at\":8}\n", "");

    // What stands before the line that is wrong is kept, what stands behind it is not read.
    let broken = ["produce", "clicks", support::text(&bad), "--format", "json"];
    expect(&log, &broken, 1, "", "line 3: not valid JSON");
    assert_eq!(support::record_count(&log, "clicks"), 3);

    let repartitioned = ["produce", "clicks", support::text(&good), "--partitions", "2"];
    expect(&log, &repartitioned, 2, "", "topic \"clicks\" has 1 partitions");
    expect(&log, &["consume", "nothing", "--from-beginning"], 1, "", "topic \"nothing\" does not exist");
}

#[test]
fn what_with_says_of_a_topic_holds() {
    let data = TempDir::new().unwrap();
    let run = |sql: &str, code: i32, error: &str| expect(data.path(), &["-e", sql], code, "", error);
    let stream = |name: &str, with: &str| {
        format!("CREATE STREAM {name} (v STRING) WITH (KAFKA_TOPIC='{name}', VALUE_FORMAT='JSON', PARTITIONS=2{with});")
    };
    run(&stream("a", ", REPLICAS=3, RETENTION_MS=60000"), 0, "");
    run(&stream("b", ""), 0, "");
    run("CREATE STREAM c WITH (RETENTION_MS='120000') AS SELECT * FROM a EMIT CHANGES;", 0, "");
    run(&stream("d", ", RETENTION_MS=-7"), 1, "RETENTION_MS cannot be -7");
    run(&stream("d", ", RETENTION_MS='soon'"), 1, "RETENTION_MS cannot be 'soon'");
    run(&stream("d", ", CLEANUP_POLICY='compact'"), 1, "CLEANUP_POLICY cannot be given");
    run(&stream("d", "").replace("=2", "=0"), 1, "PARTITIONS must be a whole number from 1 on");
    let other = "CREATE STREAM e (v STRING) WITH (KAFKA_TOPIC='a', VALUE_FORMAT='JSON', RETENTION_MS=5);";
    run(other, 1, "topic \"a\" has a retention.ms of 60000, not 5");
    run(&other.replace("=5", "=60000"), 0, "");
    let table = "CREATE TABLE f WITH (RETENTION_MS=5) AS SELECT v, COUNT(*) AS n FROM a GROUP BY v EMIT CHANGES;";
    run(table, 1, "a table without windows keeps the last row of each key");
    let windowed = table.replace("GROUP BY", "WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY");
    run(&windowed, 0, "");
    let log = EmbeddedLog::open(LogOptions::on_disk(data.path())).unwrap();
    let found = ["a", "b", "C", "F"].map(|name| log.topic(name).unwrap().unwrap().config.retention_ms);
    assert_eq!(found, [60_000, -1, 120_000, 5]);
    assert!(log.topic("d").unwrap().is_none());
}

#[test]
fn a_group_goes_on_where_it_left_off() {
    let data = TempDir::new().unwrap();
    let (lines, log) = (data.path().join("lines.txt"), data.path().join("data"));
    fs::write(&lines, "one\ntwo\nthree\n").unwrap();
    support::run(&log, &["produce", "words", support::text(&lines)]);
    let consume = |count: &str| {
        let from = ["consume", "words", "--group", "readers", "--from-beginning", "--exit-at-end"];
        support::run(&log, &[&from[..], &["--max-messages", count]].concat())
    };
    assert_eq!(consume("2"), "one\ntwo\n");
    assert_eq!(consume("2"), "three\n");
    assert_eq!(consume("2"), "");
}

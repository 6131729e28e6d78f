//! What is wrong from outside: statements, records, data directories, disks.
//!
//! Each case states the exit code, and that the message names the thing and says what to do.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::{self, IDLE};

const ORDERS: &str = "\
CREATE STREAM orders (id BIGINT KEY, item STRING, n INT) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON', PARTITIONS=1);
INSERT INTO orders VALUES (1, 'tea', 2);";

/// How long a statement of megabytes may take, also in a debug build on a busy machine.
const LONG_STATEMENT_MAX: Duration = Duration::from_secs(60);

fn with_orders() -> TempDir {
    let data = TempDir::new().unwrap();
    support::run(data.path(), &["-e", ORDERS]);
    data
}

/// Fails unless the program ended with this code and said all this; returns what it said.
fn assert_failed(what: &str, output: &Output, code: i32, said: &[&str]) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let shown: String = error.chars().take(2_000).collect();
    assert_eq!(output.status.code(), Some(code), "{what}: {shown}");
    assert!(!error.contains("panicked"), "{what}: {shown}");
    for part in said {
        assert!(error.contains(part), "{what}: expected {part:?} in {shown:?}");
    }
    error
}

/// Runs a command line that must fail.
fn fails(data: &Path, args: &[&str], code: i32, said: &[&str]) -> String {
    let what: String = format!("{args:?}").chars().take(200).collect();
    assert_failed(&what, &support::output(data, args), code, said)
}

/// Runs a text on standard input.
fn run_stdin(data: &Path, args: &[&str], text: &[u8]) -> Output {
    let mut command = support::millstream(data, args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A program that does not want it all closes its end.
    let _ = stdin.write_all(text);
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// The files below a folder whose names end so, the largest first.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_str().unwrap().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).unwrap().len()));
    found
}

fn flip_middle(path: &Path) {
    let mut file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.seek(SeekFrom::Start(middle)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(middle)).unwrap();
    file.write_all(&[byte[0] ^ 1]).unwrap();
}

#[test]
fn a_wrong_statement_is_pointed_at_and_says_what_to_do() {
    let data = with_orders();
    for (sql, said) in [
        ("SELCT id FROM orders", &["line 1, column 1", "^^^^^", "help: did you mean \"SELECT\"?"][..]),
        ("SELECT id FROM orders EMIT CHANGS", &["line 1, column 28", "help: did you mean \"CHANGES\"?"]),
        ("SELECT id\nFROM orders\nWHERE id = 'a EMIT CHANGES", &["line 3, column 12", "never closed", "help: close"]),
        ("SELECT id FROM ordres EMIT CHANGES", &["\"ORDRES\"", "^^^^^^", "help: did you mean \"ORDERS\"?"]),
        ("SELECT id FROM ordres", &["\"ORDRES\"", "^^^^^^", "help: did you mean \"ORDERS\"?"]),
        ("SELECT itme FROM orders EMIT CHANGES", &["\"ITME\"", "^^^^", "help: did you mean \"ITEM\"?"]),
        ("SELECT UCSE(item) FROM orders EMIT CHANGES", &["UCSE", "^^^^", "help: did you mean \"UCASE\"?"]),
        ("SELECT COUTN(*) FROM orders GROUP BY id EMIT CHANGES", &["COUTN", "^^^^^", "help: did you mean \"COUNT\"?"]),
        ("SELECT item + 1 FROM orders EMIT CHANGES", &["cannot apply + to STRING and INTEGER", "^^^^^^^^", "help: "]),
        ("SELECT id FROM orders WHERE n EMIT CHANGES", &["must be BOOLEAN, this is INTEGER", "help: "]),
        ("SELECT id FROM orders WHERE item > 3 EMIT CHANGES", &["cannot compare STRING with INTEGER", "help: "]),
        ("INSERT INTO orders VALUES ('x', 'y', 1)", &["expected BIGINT, found STRING", "^^^", "help: "]),
        ("INSERT INTO orders VALUES (1, 'y')", &["expected 3 values, found 2", "help: the columns are ID, ITEM, N"]),
        ("SET 'auto.ofset.reset' = 'earliest'", &["'auto.ofset.reset'", "help: did you mean \"auto.offset.reset\"?"]),
        ("DROP STREAM ordres", &["\"ORDRES\"", "help: did you mean \"ORDERS\"?"]),
        ("TERMINATE nothing", &["\"NOTHING\"", "help: SHOW QUERIES"]),
    ] {
        fails(data.path(), &["-e", sql], 1, said);
    }
    // Nothing of it was done.
    assert_eq!(support::run(data.path(), &["-e", "SELECT id FROM orders; SHOW QUERIES"]), "{\"ID\":1}\n");
}

#[test]
fn a_record_that_does_not_parse_is_named_and_the_others_flow() {
    let data = TempDir::new().unwrap();
    let log = data.path().join("data");
    let lines = data.path().join("lines");
    fs::write(&lines, "{\"v\":1}\nnot json\n{\"v\":\"x\"}\n{\"v\":2}\n\u{fffd}\n{\"v\":3}\n").unwrap();
    support::run(&log, &["produce", "numbers", support::text(&lines)]);
    let script = "SET 'auto.offset.reset' = 'earliest';
        CREATE STREAM measured (v INT) WITH (KAFKA_TOPIC='numbers', VALUE_FORMAT='JSON');
        CREATE STREAM doubled AS SELECT v * 2 AS w FROM measured EMIT CHANGES;
        SELECT w FROM doubled EMIT CHANGES LIMIT 3";
    assert_eq!(support::run(&log, &["-e", script]), "{\"W\":2}\n{\"W\":4}\n{\"W\":6}\n");
    let entries = support::query(&log, "SELECT * FROM ksql_processing_log");
    let places: Vec<String> = entries.iter().map(ToString::to_string).collect();
    assert_eq!(entries.len(), 3, "{places:?}");
    for (entry, offset) in places.iter().zip([1, 2, 4]) {
        assert!(entry.contains("numbers") && entry.contains("\"PARTITION_NUMBER\":0"), "{entry}");
        assert!(entry.contains(&format!("\"OFFSET_NUMBER\":{offset}")), "{entry}");
    }
}

#[test]
fn a_line_that_cannot_be_sent_is_named_and_what_was_sent_before_stays() {
    let scratch = TempDir::new().unwrap();
    let log = scratch.path().join("data");
    let file = scratch.path().join("lines");
    for (number, (format, text, line, said)) in [
        ("csv", "a,b\n1,2\n3\n5,6\n", "line 3: ", "expected 2 values as in the header, found 1"),
        ("csv", "a,b\n1,2\n3,\"4\n", "line 3: ", "a quote is never closed"),
        ("json", "{\"a\":1}\n{\"a\":\n{\"a\":3}\n", "line 2: ", "not valid JSON"),
        ("json", "{\"a\":1}\n\u{0}\u{1}\u{2}\n", "line 2: ", "not valid JSON"),
    ]
    .into_iter()
    .enumerate()
    {
        let topic = format!("topic_{number}");
        fs::write(&file, text).unwrap();
        let args = ["produce", &topic, support::text(&file), "--format", format];
        fails(&log, &args, 1, &[line, said, "help: the lines before it are in the topic"]);
        assert_eq!(support::record_count(&log, &topic), 1, "{text:?}");
    }
}

#[test]
fn a_second_process_is_refused_and_told_who_the_owner_is() {
    let data = with_orders();
    let mut owner = support::millstream(data.path(), &["-e", &format!("SHOW STREAMS; {IDLE}")]);
    let mut owner = owner.stdout(Stdio::piped()).spawn().unwrap();
    owner.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let said = format!("is in use by process {}", owner.id());
    let lines = data.path().join("lock");
    for args in
        [&["-e", "SHOW STREAMS"][..], &["topics"], &["produce", "x", support::text(&lines)], &["consume", "orders"]]
    {
        fails(data.path(), args, 3, &[&said, "help: "]);
    }
    owner.kill().unwrap();
    owner.wait().unwrap();
    support::run(data.path(), &["-e", "SHOW STREAMS"]);
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    let scratch = TempDir::new().unwrap();
    let file = scratch.path().join("file");
    fs::write(&file, "").unwrap();
    // Permission bits do not bind root; a file where a folder must be and the kernel's own folder do.
    for place in [file.join("data"), file, PathBuf::from("/proc/millstream")] {
        fails(&place, &["-e", "SHOW STREAMS"], 3, &[support::text(&place), "help: "]);
        fails(&place, &["topics"], 3, &[support::text(&place), "help: "]);
    }
}

/// A small file system in memory, where this user may mount one.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount(bytes: &str) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let options = format!("size={bytes}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path()).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then(|| Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

/// Where nothing can be mounted the log's own tests, with a simulated disk, must do.
#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let Some(disk) = SmallDisk::mount("4m") else { return };
    let data = disk.0.path().join("data");
    support::run(&data, &["-e", ORDERS]);
    support::run(&data, &["-e", "CREATE STREAM copy AS SELECT * FROM orders EMIT CHANGES"]);

    // Every insert that is acknowledged is followed by a line of output.
    let line = support::run(&data, &["-e", "DESCRIBE FUNCTION LEN"]);
    let item = "x".repeat(20_000);
    let script: String =
        (0..400).map(|n| format!("INSERT INTO orders VALUES ({n}, '{item}', 7); DESCRIBE FUNCTION LEN;\n")).collect();
    let output = run_stdin(&data, &[], script.as_bytes());
    assert_failed("inserts", &output, 1, &["No space left on device", "help: "]);
    let acknowledged = String::from_utf8(output.stdout).unwrap().matches(&line).count();
    assert!(acknowledged > 10, "{acknowledged} inserts were acknowledged");
    let count = |data: &Path, what: &str| {
        let rows = support::query(data, &format!("SELECT COUNT(*) AS n FROM {what} WHERE n = 7"));
        rows[0]["N"].as_u64().or_else(|| rows[0]["n"].as_u64()).unwrap() as usize
    };

    // With room again it goes on, and the query reads what it had missed.
    let mounted = Command::new("mount").args(["-o", "remount,size=64m"]).arg(disk.0.path()).status().unwrap();
    assert!(mounted.success());
    let kept = count(&data, "orders");
    assert!(kept >= acknowledged, "{kept} of {acknowledged} acknowledged inserts are there");
    support::run(&data, &["-e", "INSERT INTO orders VALUES (-1, 'more', 7)"]);
    support::wait_until_caught_up(&data);
    assert_eq!((count(&data, "orders"), count(&data, "copy")), (kept + 1, kept + 1));
}

/// A data directory that was closed, with some megabytes in one segment.
fn with_numbers(scratch: &Path) -> (PathBuf, PathBuf) {
    let lines = scratch.join("lines");
    fs::write(&lines, (0..100_000).map(|n| format!("{n}\n")).collect::<String>()).unwrap();
    let data = scratch.join("data");
    support::run(&data, &["produce", "numbers", support::text(&lines)]);
    let segment = files(&data, ".log").remove(0);
    (data, segment)
}

#[test]
fn a_segment_that_is_damaged_in_the_middle_is_reported_and_not_cut() {
    let scratch = TempDir::new().unwrap();
    let (data, segment) = with_numbers(scratch.path());
    flip_middle(&segment);
    let before = fs::read(&segment).unwrap();
    let said = [support::text(&segment), "is damaged at byte", "help: "];
    fails(&data, &["consume", "numbers", "--from-beginning", "--exit-at-end"], 1, &said);
    // What comes before the damage can be had.
    let first = ["consume", "numbers", "--from-beginning", "--max-messages", "1"];
    assert_eq!(support::run(&data, &first), "0\n");
    let declare = "CREATE STREAM n (v STRING) WITH (KAFKA_TOPIC='numbers', VALUE_FORMAT='KAFKA')";
    support::run(&data, &["-e", declare]);
    fails(&data, &["-e", "SELECT COUNT(*) FROM n"], 1, &said);
    let query = "SET 'auto.offset.reset' = 'earliest'; CREATE STREAM m AS SELECT * FROM n EMIT CHANGES;";
    let script = format!("{query} {IDLE}; SHOW QUERIES");
    let queries = support::rows(&support::run(&data, &["-e", &script, "--until-idle", "3"]));
    let status = queries[0]["status"].as_str().unwrap();
    assert!(status.starts_with("ERROR") && status.contains(support::text(&segment)), "{status}");
    assert_eq!(fs::read(&segment).unwrap(), before, "the segment was changed");
}

#[test]
fn a_segment_that_lost_its_end_is_reported() {
    let scratch = TempDir::new().unwrap();
    let (data, segment) = with_numbers(scratch.path());
    let length = fs::metadata(&segment).unwrap().len();
    for cut in [10, length] {
        OpenOptions::new().write(true).open(&segment).unwrap().set_len(length - cut).unwrap();
        for args in [&["topics"][..], &["-e", "SHOW STREAMS"]] {
            fails(&data, args, 3, &[support::text(&segment), "is damaged at byte", "help: "]);
        }
        assert_eq!(fs::metadata(&segment).unwrap().len(), length - cut);
    }
}

#[test]
fn a_journal_is_read_up_to_a_torn_end_and_refused_if_it_is_damaged() {
    let scratch = TempDir::new().unwrap();
    let data = scratch.path().join("data");
    let inserts: String = (2..5).map(|n| format!("INSERT INTO orders VALUES ({n}, 'tea', 2);")).collect();
    let script = format!("{ORDERS}{inserts} SHOW STREAMS; {IDLE}");
    let mut killed = support::millstream(&data, &["-e", &script]).stdout(Stdio::piped()).spawn().unwrap();
    killed.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    killed.kill().unwrap();
    killed.wait().unwrap();
    let journal = files(&data, ".journal").remove(0);
    let whole = fs::read(&journal).unwrap();

    // What is between frames means nothing, so the middle may be no damage.
    let mut damaged = whole.clone();
    damaged[100] ^= 1;
    fs::write(&journal, &damaged).unwrap();
    fails(&data, &["topics"], 3, &[support::text(&journal), "is damaged at byte", "help: "]);
    fails(&data, &["-e", "SHOW STREAMS"], 3, &[support::text(&journal), "is damaged at byte", "help: "]);
    assert_eq!(fs::read(&journal).unwrap(), damaged, "the journal was changed");

    // The last frame is gone as if the power had failed in the middle of its write.
    let end = whole.iter().rposition(|&byte| byte != 0).unwrap();
    fs::write(&journal, &whole[..end - 3]).unwrap();
    let rows = support::run(&data, &["-e", "SELECT id FROM orders"]);
    assert_eq!(rows, "{\"ID\":1}\n{\"ID\":2}\n{\"ID\":3}\n");
}

#[test]
fn garbage_instead_of_statements_is_refused() {
    let data = with_orders();
    let bytes: Vec<u8> = (0..100_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let said = ["standard input is not UTF-8 in line 1", "help: "];
    assert_failed("binary", &run_stdin(data.path(), &[], &bytes), 1, &said);
    assert_failed("zeroes", &run_stdin(data.path(), &[], &[0; 1000]), 1, &["error[E0103]", "help: "]);
    let file = data.path().join("binary.sql");
    fs::write(&file, &bytes).unwrap();
    fails(data.path(), &["-f", support::text(&file)], 2, &["binary.sql"]);
}

/// A script that is refused with a diagnostic in bounded time and with a short message.
fn refused(data: &Path, sql: &str, said: &[&str]) {
    let started = Instant::now();
    let what: String = sql.chars().take(60).collect();
    let error = assert_failed(&what, &run_stdin(data, &[], sql.as_bytes()), 1, said);
    assert!(error.len() < 10_000, "{what}: {} bytes of message", error.len());
    assert!(started.elapsed() < LONG_STATEMENT_MAX, "{what}: {:?}", started.elapsed());
}

#[test]
fn a_statement_of_ten_megabytes_is_run_or_refused() {
    const BYTES: usize = 10 << 20;
    let data = with_orders();
    let long = "a".repeat(BYTES);
    refused(data.path(), &long, &["error[E0101]", "help: "]);
    refused(data.path(), &format!("SELECT {long} FROM orders EMIT CHANGES"), &["does not exist", "has: ID, ITEM, N"]);
    refused(data.path(), &format!("SELECT '{long}"), &["never closed", "help: "]);
    let insert =
        format!("INSERT INTO orders VALUES (2, '{long}', 1); SELECT id FROM orders WHERE LEN(item) = {BYTES};");
    let output = run_stdin(data.path(), &[], insert.as_bytes());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "{\"ID\":2}\n", "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_nests_or_chains_too_deep_is_refused() {
    let data = with_orders();
    let nested =
        |open: &str, inner: &str, close: &str| format!("{}{inner}{}", open.repeat(10_000), close.repeat(10_000));
    for (what, said) in [
        (nested("(", "n", ")"), "levels deep"),
        (nested("NOT ", "TRUE", ""), "levels deep"),
        (nested("CASE WHEN TRUE THEN ", "n", " END"), "levels deep"),
        (nested("ABS(", "n", ")"), "levels deep"),
        (nested("n + ", "n", ""), "more than 500 operators"),
        (nested("", "item", "[1]"), "more than 500 operators"),
        (nested("", "item", "->a"), "more than 500 operators"),
        (nested("", "n", " IS NULL"), "more than 500 operators"),
    ] {
        for end in ["EMIT CHANGES", ""] {
            refused(data.path(), &format!("SELECT {what} AS x FROM orders {end}"), &["error[E0104]", said, "help: "]);
        }
    }
    refused(data.path(), &nested("EXPLAIN ", "SELECT id FROM orders EMIT CHANGES", ""), &["levels deep", "help: "]);
    refused(data.path(), &format!("CREATE TYPE t AS {}", "ARRAY<".repeat(10_000)), &["levels deep", "help: "]);
}

/// What is not refused for its size works.
#[test]
fn long_chains_and_lists_work() {
    let data = with_orders();
    let sum = vec!["n"; 450].join(" + ");
    let list: Vec<String> = (0..5_000).map(|n| n.to_string()).collect();
    let list = list.join(", ");
    let earliest = "SET 'auto.offset.reset' = 'earliest';";
    let push = format!("{earliest} SELECT {sum} AS x FROM orders WHERE id IN ({list}) EMIT CHANGES LIMIT 1;");
    let persistent = format!(
        "{earliest} CREATE STREAM sums AS SELECT id, {sum} AS x FROM orders WHERE id IN ({list}) EMIT CHANGES; \
         SELECT x FROM sums EMIT CHANGES LIMIT 1;"
    );
    let pull = format!("SELECT {sum} AS x FROM orders WHERE id IN ({list});");
    for script in [push, pull, persistent] {
        let output = run_stdin(data.path(), &["--timeout", "60"], script.as_bytes());
        let error = String::from_utf8_lossy(&output.stderr).chars().take(500).collect::<String>();
        let found = String::from_utf8_lossy(&output.stdout).to_uppercase();
        assert_eq!(found, "{\"X\":900}\n", "{}: {error}", script.chars().take(80).collect::<String>());
    }
}

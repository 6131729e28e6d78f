//! The binary and what it says.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A query that gets no row as long as every record can be read: it keeps a process open.
pub(crate) const IDLE: &str = "SELECT * FROM KSQL_PROCESSING_LOG EMIT CHANGES";

/// How long persistent queries may take to read everything, also in a debug build.
const CATCH_UP_MAX: Duration = Duration::from_secs(1200);
/// A data directory whose files have not changed for so long is at rest, or nearly.
const AT_REST: Duration = Duration::from_secs(3);
/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long one process stays open at most before the queries' progress is looked at.
const STAY_SECONDS_MAX: u64 = 8;

/// The folder of the workspace; the packages that may build these tests lie directly below it.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The command line over a data directory, with nothing on standard input.
pub(crate) fn millstream(data: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millstream"));
    command.arg("--data").arg(data).args(args).stdin(Stdio::null());
    command
}

/// Runs the command line to its end.
pub(crate) fn output(data: &Path, args: &[&str]) -> Output {
    millstream(data, args).output().unwrap()
}

/// Runs the command line, which must succeed, and returns its standard output.
pub(crate) fn run(data: &Path, args: &[&str]) -> String {
    let output = output(data, args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?} ended with {}: {errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Runs the command line and kills it after a time with SIGKILL, which no process can handle; true if
/// it had not ended by itself. A process that failed before fails the test.
pub(crate) fn run_and_kill(data: &Path, args: &[&str], after: Duration) -> bool {
    let mut child = millstream(data, args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    thread::sleep(after);
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    match output.status.code() {
        // Ended by a signal.
        None => true,
        Some(0) => false,
        Some(code) => panic!("{args:?} ended with {code}: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// The rows of a result in ndjson.
pub(crate) fn rows(ndjson: &str) -> Vec<Value> {
    let row = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
    ndjson.lines().map(row).collect()
}

/// The rows that a statement gives.
pub(crate) fn query(data: &Path, sql: &str) -> Vec<Value> {
    rows(&run(data, &["-e", sql]))
}

/// The number of records in a topic, 0 if it is not there.
pub(crate) fn record_count(data: &Path, topic: &str) -> u64 {
    let topics = run(data, &["topics"]);
    let mut lines = topics.lines();
    assert_eq!(lines.next(), Some("topic\tpartitions\trecords"));
    let counts: HashMap<&str, &str> = lines
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            (fields[0], fields[2])
        })
        .collect();
    counts.get(topic).map_or(0, |count| count.parse().unwrap())
}

/// The values of a topic's records.
pub(crate) fn records(data: &Path, topic: &str) -> Vec<String> {
    let records = run(data, &["consume", topic, "--from-beginning", "--exit-at-end"]);
    records.lines().map(str::to_owned).collect()
}

/// Keeps the data directory open, time after time, until every persistent query has read all there is.
///
/// One process owns a data directory, so queries run only as long as a process is open on it, and only
/// that process can say how far they are. Each one asks twice: a query's lag is added up over its
/// partitions one by one, so that the first answer may see a repartition topic as it was before the rest
/// of the rows came into it. Once the sources are read to their end, the second answer cannot.
pub(crate) fn wait_until_caught_up(data: &Path) {
    let started = Instant::now();
    // One process does most of it: each start reads the whole state again.
    stay_while_files_change(data);
    let script = format!("{IDLE}; SHOW QUERIES; SHOW QUERIES");
    let mut stay_seconds = 1;
    loop {
        let answer = run(data, &["-e", &script, "--until-idle", &stay_seconds.to_string()]);
        let queries = rows(&answer);
        assert!(!queries.is_empty(), "there are no queries");
        for query in &queries {
            // A row without a status is one of the processing log: a record could not be read.
            assert_eq!(query["status"], "RUNNING", "{query}");
        }
        if queries.iter().all(|query| query["records behind"] == "0") {
            return;
        }
        assert!(started.elapsed() < CATCH_UP_MAX, "the queries do not catch up: {answer}");
        stay_seconds = (stay_seconds * 2).min(STAY_SECONDS_MAX);
    }
}

/// Keeps the data directory open by one process as long as its files change, then ends that in order.
fn stay_while_files_change(data: &Path) {
    let mut process = millstream(data, &["-e", IDLE]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    let (mut sizes, mut changed) = (Vec::new(), Instant::now());
    while changed.elapsed() < AT_REST && started.elapsed() < CATCH_UP_MAX {
        thread::sleep(LOOK_EVERY);
        let mut now = Vec::new();
        file_sizes(data, &mut now);
        if now != sizes {
            (sizes, changed) = (now, Instant::now());
        }
    }
    let interrupt = ["-INT", &process.id().to_string()];
    assert!(Command::new("kill").args(interrupt).status().unwrap().success());
    // Whether it had failed shows as soon as the next one asks.
    process.wait().unwrap();
}

/// The paths and sizes of the files below a folder; what goes while it is looked at is left out.
fn file_sizes(folder: &Path, sizes: &mut Vec<(PathBuf, u64)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => file_sizes(&entry.path(), sizes),
            Ok(metadata) => sizes.push((entry.path(), metadata.len())),
            Err(_) => {}
        }
    }
}

//! How many instructions a row takes, which does not depend on what else the machine does.
//!
//! Each query over page views runs once under valgrind's callgrind, in one thread and over a log in
//! memory: from the first fetch of the decoder to the last write of the log, without the planning and
//! without writing the input. What comes of it repeats within a few tenths of a percent; the rest are hash
//! tables, whose seeds are random.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use millstream_log::{EmbeddedLog, Log, LogOptions};
use millstream_runtime::{Engine, EngineOptions, QueryStatus, Settings};

use crate::Result;
use crate::pageviews::queries::{QUERIES, Query, sources};
use crate::pageviews::topics::write_topics;

/// The counts to compare with.
pub(crate) const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bin/bench/instructions.baseline");

/// As many page views as there are users: enough that loading them does not outweigh the join.
const ROWS: u64 = 100_000;
/// How much more than in the baseline is still the same.
const GROWTH_MAX: f64 = 0.05;

/// Counts the instructions of each query and compares them with those of the baseline.
///
/// # Errors
/// If a query takes more instructions than the baseline allows.
pub(crate) fn run(only: &str, baseline: &Path, record: bool, json: bool) -> Result<()> {
    let counts = QUERIES
        .iter()
        .filter(|query| query.name.contains(only))
        .map(|query| Ok((query.name, count(query)? / ROWS)))
        .collect::<Result<Vec<_>>>()?;
    if record {
        return Ok(fs::write(baseline, text(&counts)?)?);
    }
    let known = fs::read_to_string(baseline).map_err(|error| format!("{}: {error}", baseline.display()))?;
    if !json {
        println!("query            instructions/row   baseline   change");
    }
    let mut grown = Vec::new();
    for (name, count) in counts {
        let before = known_count(&known, name).ok_or_else(|| format!("{} has no {name}", baseline.display()))?;
        let change = count as f64 / before as f64 - 1.0;
        if json {
            println!(
                "{{\"query\":\"{name}\",\"instructions_per_row\":{count},\"baseline\":{before},\"change\":{change:.4}}}"
            );
        } else {
            println!("{name:<16} {count:>16} {before:>10} {:>+7.1}%", change * 100.0);
        }
        if change > GROWTH_MAX {
            grown.push(name);
        }
    }
    if grown.is_empty() {
        return Ok(());
    }
    let (names, percent) = (grown.join(", "), GROWTH_MAX * 100.0);
    Err(format!(
        "{names}: more than {percent:.0} % above the baseline\nhelp: find what costs it with `callgrind_annotate`; where it is worth it, \
         run `bench instructions --record`"
    )
    .into())
}

/// The instructions of a query, by a process of its own under callgrind.
fn count(query: &Query) -> Result<u64> {
    let out = tempfile::NamedTempFile::new()?;
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*instructions*counted*"]);
    command.arg(format!("--callgrind-out-file={}", out.path().display()));
    command.arg(std::env::current_exe()?).args(["instructions", "--watched", query.name]);
    let output =
        command.output().map_err(|error| format!("valgrind: {error}\nhelp: it counts, so it must be there"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{}: {said}", query.name).into());
    }
    // Of the whole process, that is of all its threads.
    let profile = fs::read_to_string(out.path())?;
    let total = profile.lines().find_map(|line| line.strip_prefix("summary: ")?.trim().parse().ok());
    match total {
        Some(total) if total > 0 => Ok(total),
        _ => Err(format!("{}: callgrind has counted nothing: {said}", query.name).into()),
    }
}

/// Runs a query; what callgrind counts is in [`counted`].
pub(crate) fn run_watched(name: &str) -> Result<()> {
    let query = QUERIES.iter().find(|query| query.name == name).ok_or_else(|| format!("there is no query {name}"))?;
    let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(LogOptions::in_memory())?);
    write_topics(&*log, 1, ROWS)?;
    let engine = Engine::open(log, &EngineOptions { threads: 0, ..EngineOptions::default() })?;
    let mut settings = Settings::default();
    settings.set("auto.offset.reset", "earliest")?;
    // Under callgrind the time is not what it is, so that epochs end by their rows.
    settings.set("commit.interval.ms", "3600000")?;
    for source in sources(1) {
        engine.execute(&source, &mut settings)?;
    }
    for statement in query.statements {
        engine.execute(statement, &mut settings)?;
        for query in engine.queries() {
            match counted(&engine, &query.id) {
                Some(QueryStatus::Running) => {}
                status => return Err(format!("{}: {status:?}", query.id).into()),
            }
        }
    }
    match engine.queries().iter().find(|query| query.lag > 0 || query.rows_in == 0) {
        Some(query) => Err(format!("{} has read {} rows, {} are left", query.id, query.rows_in, query.lag).into()),
        None => Ok(()),
    }
}

#[inline(never)]
fn counted(engine: &Engine, query: &str) -> Option<QueryStatus> {
    engine.run_until_idle(query)
}

/// A baseline: lines of a query's name and its instructions a row, below what they were measured on.
fn text(counts: &[(&str, u64)]) -> Result<String> {
    let mut text = String::from("# Instructions a row, written by `bench instructions --record`.\n");
    for (program, argument) in [("rustc", "--version"), ("valgrind", "--version")] {
        let output = Command::new(program).arg(argument).output()?;
        writeln!(text, "# {}", String::from_utf8_lossy(&output.stdout).trim())?;
    }
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("");
    writeln!(text, "# {} {}, {ROWS} page views", std::env::consts::ARCH, cpu.trim_start_matches([' ', '\t', ':']))?;
    for (name, count) in counts {
        writeln!(text, "{name} {count}")?;
    }
    Ok(text)
}

fn known_count(baseline: &str, name: &str) -> Option<u64> {
    baseline.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

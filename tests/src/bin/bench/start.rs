//! How long the program takes from its start to its first answer.
//!
//! The real binary is started, over an empty data folder, over one with many persistent queries that
//! was closed, and over the same one after a `kill -9` with results in the journal. Each start of the
//! last kind gets its own copy of the folder as the kill left it, since a start mends it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use millstream_log::record::BatchBuilder;
use millstream_log::{EmbeddedLog, Log, LogOptions, TopicPartition, TopicSpec};
use millstream_runtime::{Engine, EngineOptions, QueryStatus, Settings};
use millstream_tests::page_views::page_views;

use crate::Result;

const BATCH_RECORDS: usize = 1_000;

/// The streams are listed behind the queries, so that there is an answer also if there is no query.
const ASK: &str = "SHOW QUERIES; SHOW STREAMS";
/// What the answer has in it: the one stream that is always there.
const ANSWER: &str = "KSQL_PROCESSING_LOG";
/// Keeps the program open until it is killed.
const IDLE: &str = "SELECT * FROM KSQL_PROCESSING_LOG EMIT CHANGES";
/// How long the program goes on after its last answer before it is killed: long enough for every
/// query to have results on disk.
const BEFORE_KILL: Duration = Duration::from_secs(1);

pub(crate) fn run(queries: usize, records: u64, runs: usize, json: bool) -> Result<()> {
    let binary = binary()?;
    let scratch = tempfile::tempdir_in(".")?;
    let full = scratch.path().join("full");
    if !json {
        println!("data folder          queries    answer ms       end ms      goal ms");
    }
    let print = |name: &str, queries: usize, starts: Vec<Start>, goal_ms: u32| {
        let median = |pick: fn(&Start) -> f64| {
            let mut times: Vec<f64> = starts.iter().map(pick).collect();
            times.sort_by(f64::total_cmp);
            times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
        };
        let (answer, end) = (median(|start| start.answer_ms), median(|start| start.end_ms));
        if json {
            println!(
                "{{\"data\":\"{name}\",\"queries\":{queries},\"answer_ms\":{answer:.0},\"end_ms\":{end:.0},\"goal_ms\":{goal_ms}}}"
            );
        } else {
            println!("{name:<18} {queries:>9} {answer:>12.0} {end:>12.0} {goal_ms:>12}");
        }
    };

    let empty = (0..runs).map(|run| start(&binary, &scratch.path().join(format!("empty_{run}"))));
    print("empty", 0, empty.collect::<Result<_>>()?, 200);

    eprintln!("making {queries} queries over {records} records");
    fill(&full, queries, records)?;
    print("closed", queries, (0..runs).map(|_| start(&binary, &full)).collect::<Result<_>>()?, 2_000);

    kill(&binary, &full)?;
    let mut starts = Vec::new();
    for run in 0..runs {
        let copy = scratch.path().join(format!("killed_{run}"));
        copy_folder(&full, &copy)?;
        starts.push(start(&binary, &copy)?);
        fs::remove_dir_all(&copy)?;
    }
    print("killed", queries, starts, 2_000);
    Ok(())
}

/// The program next to this one.
fn binary() -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("millstream");
    if path.is_file() {
        Ok(path)
    } else {
        let message = format!("{} is missing\nhelp: run `cargo build --release -p millstream` first", path.display());
        Err(message.into())
    }
}

struct Start {
    /// Until the answer was read.
    answer_ms: f64,
    /// Until the program had ended, with its checkpoint written.
    end_ms: f64,
}

/// A program that is killed if it is forgotten.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(binary: &Path, data: &Path, script: &str) -> Result<Self> {
        let mut command = Command::new(binary);
        command.arg("--data").arg(data).args(["-e", script]).stdin(Stdio::null()).stdout(Stdio::piped());
        Ok(Self(command.spawn()?))
    }

    /// Reads up to the line that has the answer.
    fn wait_for_answer(&mut self) -> Result<()> {
        let out = self.0.stdout.as_mut().ok_or("the output is not captured")?;
        for line in BufReader::new(out).lines() {
            if line?.contains(ANSWER) {
                return Ok(());
            }
        }
        Err("the program has ended without an answer".into())
    }
}

fn start(binary: &Path, data: &Path) -> Result<Start> {
    let started = Instant::now();
    let mut program = Running::start(binary, data, ASK)?;
    program.wait_for_answer()?;
    let answer_ms = started.elapsed().as_secs_f64() * 1e3;
    // Nobody reads the rest of the output, which is a few lines and fits into the pipe.
    let status = program.0.wait()?;
    let end_ms = started.elapsed().as_secs_f64() * 1e3;
    if status.success() {
        Ok(Start { answer_ms, end_ms })
    } else {
        Err(format!("the program ended with {status}").into())
    }
}

/// Makes a data folder with so many windowed counts that have read everything, and closes it.
fn fill(data: &Path, queries: usize, records: u64) -> Result<()> {
    let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(LogOptions::on_disk(data))?);
    log.create_topic(&TopicSpec::new("pageviews", 1).kept_for_ever())?;
    let mut builder = BatchBuilder::new();
    let append = |builder: BatchBuilder| -> Result<()> {
        log.append(&TopicPartition::new("pageviews", 0), builder.finish()?)?.wait()?;
        Ok(())
    };
    for view in page_views(records) {
        builder.push(view.time_ms, Some(view.user.as_bytes()), Some(&view.json));
        if builder.len() == BATCH_RECORDS {
            append(std::mem::replace(&mut builder, BatchBuilder::new()))?;
        }
    }
    if !builder.is_empty() {
        append(builder)?;
    }
    let engine = Engine::open(Arc::clone(&log), &EngineOptions::default())?;
    let mut settings = Settings::default();
    engine.execute("SET 'auto.offset.reset' = 'earliest'", &mut settings)?;
    engine.execute(
        "CREATE STREAM pageviews (user_key STRING KEY, pageid STRING, duration BIGINT) \
         WITH (KAFKA_TOPIC='pageviews', VALUE_FORMAT='JSON')",
        &mut settings,
    )?;
    for number in 0..queries {
        let statement = format!(
            "CREATE TABLE r{number} AS SELECT pageid, COUNT(*) AS n, SUM(duration) AS total FROM pageviews \
             WINDOW TUMBLING (SIZE 1 MINUTE, GRACE PERIOD 1 DAY) GROUP BY pageid EMIT CHANGES"
        );
        engine.execute(&statement, &mut settings)?;
    }
    loop {
        let queries = engine.queries();
        if let Some(query) = queries.iter().find(|query| query.status != QueryStatus::Running) {
            return Err(format!("{}: {:?}", query.id, query.status).into());
        }
        if queries.iter().all(|query| query.lag == 0) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Lets the queries read a few records more and kills the program, which leaves their results in the
/// journal but not yet in a checkpoint.
fn kill(binary: &Path, data: &Path) -> Result<()> {
    let rows: Vec<String> = (0..100).map(|row| format!("('user_{row}', 'page_{row:04}', {row})")).collect();
    let script = format!("INSERT INTO pageviews VALUES {}; SHOW STREAMS; {IDLE}", rows.join(", "));
    let mut program = Running::start(binary, data, &script)?;
    program.wait_for_answer()?;
    std::thread::sleep(BEFORE_KILL);
    program.0.kill()?;
    let status = program.0.wait()?;
    // A signal leaves no code.
    if status.code().is_none() { Ok(()) } else { Err(format!("the program ended by itself with {status}").into()) }
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

//! How long a record takes to its result when all else is idle.
//!
//! The engine runs in this process over a log on disk, with exactly-once commits. The time goes from
//! before the append of one record to the moment at which a `read_committed` reader has the result in
//! its hands, which the log shows only once it is on disk. A chain of queries takes a commit, and so
//! an fsync, for each of them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use millstream_log::record::BatchBuilder;
use millstream_log::{Disk, EmbeddedLog, Isolation, Log, LogOptions, TopicPartition, TopicSpec, Watch};
use millstream_runtime::{Engine, EngineOptions, QueryStatus, Settings};

use crate::Result;

/// Records that are not measured: the first ones touch everything for the first time.
const WARM_UP_RECORDS: usize = 20;
/// Between a result and the next record, so that everything has gone to sleep again; of several
/// lengths, so that no timer falls into step with it.
const GAPS_MS: [u64; 5] = [3, 7, 4, 9, 5];
/// How long a result may take before the run counts as failed.
const RESULT_MAX: Duration = Duration::from_secs(30);
const FETCH_BYTES: usize = 1 << 20;
/// The time of the first record, in ms since 1970.
const START_MS: i64 = 1_700_000_000_000;
const SYNC_DELAYS_MS: [u64; 2] = [0, 2];

struct Case {
    name: &'static str,
    partitions: i32,
    statements: &'static [&'static str],
    goal_ms: f64,
}

const CASES: [Case; 3] = [
    Case {
        name: "aggregate",
        partitions: 1,
        statements: &[
            "CREATE TABLE r AS SELECT k, COUNT(*) AS n FROM events WINDOW TUMBLING (SIZE 1 DAY) GROUP BY k EMIT CHANGES",
        ],
        goal_ms: 10.0,
    },
    // Two commits: one to the internal topic by which the rows come together, one of the result.
    Case {
        name: "repartitioned",
        partitions: 4,
        statements: &[
            "CREATE TABLE r AS SELECT page, COUNT(*) AS n FROM events WINDOW TUMBLING (SIZE 1 DAY) GROUP BY page EMIT CHANGES",
        ],
        goal_ms: 10.0,
    },
    Case {
        name: "chained",
        partitions: 1,
        statements: &[
            "CREATE STREAM a AS SELECT k, page, duration FROM events WHERE duration >= 0 EMIT CHANGES",
            "CREATE STREAM b AS SELECT k, page, duration * 2 AS twice FROM a EMIT CHANGES",
            "CREATE TABLE r AS SELECT k, COUNT(*) AS n FROM b WINDOW TUMBLING (SIZE 1 DAY) GROUP BY k EMIT CHANGES",
        ],
        goal_ms: 30.0,
    },
];

pub(crate) fn run(records: usize, json: bool) -> Result<()> {
    if !json {
        println!("query          fsync     p50 ms     p99 ms     max ms  goal p50 ms");
    }
    for case in &CASES {
        for delay_ms in SYNC_DELAYS_MS {
            let mut times_ms = measure(case, delay_ms, records)?;
            times_ms.sort_by(f64::total_cmp);
            let at = |share: f64| {
                let index = (times_ms.len().saturating_sub(1)) as f64 * share;
                times_ms.get(index.round() as usize).copied().unwrap_or(f64::NAN)
            };
            let (p50, p99, max, goal) = (at(0.5), at(0.99), at(1.0), case.goal_ms);
            if json {
                println!(
                    "{{\"query\":\"{}\",\"fsync_delay_ms\":{delay_ms},\"records\":{records},\"p50_ms\":{p50:.2},\
                     \"p99_ms\":{p99:.2},\"max_ms\":{max:.2},\"goal_p50_ms\":{goal:.0}}}",
                    case.name
                );
            } else {
                println!("{:<14} +{delay_ms} ms {p50:>11.2} {p99:>10.2} {max:>10.2} {goal:>12.0}", case.name);
            }
        }
    }
    Ok(())
}

fn measure(case: &Case, delay_ms: u64, records: usize) -> Result<Vec<f64>> {
    let dir = tempfile::tempdir_in(".")?;
    let io = Arc::new(Disk::with_sync_delay(Duration::from_millis(delay_ms)));
    let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(LogOptions { io, ..LogOptions::on_disk(dir.path()) })?);
    log.create_topic(&TopicSpec::new("events", case.partitions).kept_for_ever())?;
    let engine = Engine::open(Arc::clone(&log), &EngineOptions::default())?;
    let mut settings = Settings::default();
    let source = "CREATE STREAM events (k STRING KEY, page STRING, duration BIGINT) WITH (KAFKA_TOPIC='events', VALUE_FORMAT='JSON')";
    for statement in ["SET 'auto.offset.reset' = 'earliest'", source].iter().chain(case.statements) {
        engine.execute(statement, &mut settings)?;
    }
    let mut results = Results::open(&*log, "R")?;
    let mut times_ms = Vec::with_capacity(records);
    for number in 0..WARM_UP_RECORDS + records {
        let gap_ms = GAPS_MS.get(number % GAPS_MS.len()).copied().unwrap_or_default();
        std::thread::sleep(Duration::from_millis(gap_ms));
        let mut builder = BatchBuilder::new();
        let value = br#"{"page":"page_1","duration":7}"#;
        builder.push(START_MS + number as i64, Some(b"user_1"), Some(value));
        let batch = builder.finish()?;
        let sent = Instant::now();
        log.append(&TopicPartition::new("events", 0), batch)?;
        let result = results.next(&*log)?;
        let took_ms = sent.elapsed().as_secs_f64() * 1e3;
        // The count tells that this is this record's result and not one that came before.
        let expected = format!("{{\"N\":{}}}", number + 1);
        if result != expected {
            return Err(format!("{}: expected the result {expected}, found {result}", case.name).into());
        }
        if number >= WARM_UP_RECORDS {
            times_ms.push(took_ms);
        }
    }
    match engine.queries().iter().find(|query| query.status != QueryStatus::Running) {
        Some(query) => Err(format!("{}: {:?}", query.id, query.status).into()),
        None => Ok(times_ms),
    }
}

/// A reader at the tail of every partition of a topic.
struct Results {
    positions: Vec<(TopicPartition, i64)>,
    woken: Receiver<()>,
    _watches: Vec<Watch>,
}

impl Results {
    fn open(log: &dyn Log, topic: &str) -> Result<Self> {
        let info = log.topic(topic)?.ok_or_else(|| format!("topic {topic} does not exist"))?;
        let (wake, woken) = channel();
        let (mut positions, mut watches) = (Vec::new(), Vec::new());
        for partition in info.topic_partitions() {
            let wake = wake.clone();
            watches.push(log.watch(&partition, Arc::new(move || _ = wake.send(())))?);
            positions.push((partition.clone(), log.offsets(&partition)?.1));
        }
        Ok(Self { positions, woken, _watches: watches })
    }

    /// The value of the next record, once it is durable.
    fn next(&mut self, log: &dyn Log) -> Result<String> {
        loop {
            for (partition, position) in &mut self.positions {
                let fetched = log.fetch(partition, *position, FETCH_BYTES, Isolation::ReadCommitted)?;
                for batch in fetched.batches() {
                    if let Some(record) = batch?.iter().find(|record| {
                        // A record that cannot be read is an error, not one to pass over.
                        record.as_ref().map_or(true, |record| record.offset >= *position)
                    }) {
                        let record = record?;
                        *position = record.offset + 1;
                        return Ok(String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned());
                    }
                }
            }
            self.woken.recv_timeout(RESULT_MAX).map_err(|_| "no result has come")?;
        }
    }
}

//! Queries from topic to topic over page views, against DataFusion in batch.
//!
//! Both get the same bytes and one core. DataFusion reads newline-delimited JSON from memory with all
//! eight fields declared; Millstream reads its topic and writes its results, with exactly-once commits,
//! to the disk. The ratio of the rates is the figure that counts.

pub(crate) mod queries;
pub(crate) mod topics;

use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::prelude::{JsonReadOptions, SessionConfig, SessionContext};
use millstream_log::{EmbeddedLog, Log, LogOptions};
use millstream_runtime::{Engine, EngineOptions, QueryStatus, Response, Settings};
use millstream_tests::counters::{cpu_time, memory_peak_mb};
use millstream_tests::page_views::{USERS, city, page_views};
use object_store::{ObjectStoreExt, memory::InMemory, path::Path};

use self::queries::{QUERIES, Query, sources};
use self::topics::write_topics;
use crate::Result;

/// The page views in topics of so many partitions each, the users, and both as bytes in memory.
struct Data {
    log: Arc<dyn Log>,
    bytes: u64,
    batch: SessionContext,
    runtime: tokio::runtime::Runtime,
    _dir: tempfile::TempDir,
}

fn prepare(rows: u64, partitions: &[i32]) -> Result<Data> {
    let dir = tempfile::tempdir_in(".")?;
    let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(LogOptions::on_disk(dir.path()))?);
    for partitions in partitions {
        write_topics(&*log, *partitions, rows)?;
    }
    let mut lines = Vec::new();
    for view in page_views(rows) {
        lines.extend_from_slice(&view.json);
        lines.push(b'\n');
    }
    let bytes = lines.len() as u64;
    let users: String =
        (0..USERS).map(|user| format!("{{\"id\":\"user_{user:06}\",\"city\":\"{}\"}}\n", city(user))).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let batch = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    let store = Arc::new(InMemory::new());
    let url = ObjectStoreUrl::parse("memory://")?;
    batch.register_object_store(url.as_ref(), Arc::clone(&store) as _);
    runtime.block_on(async {
        store.put(&Path::from("pageviews.json"), lines.into()).await?;
        store.put(&Path::from("users.json"), users.into_bytes().into()).await?;
        let text = |name: &str| Field::new(name, DataType::Utf8, true);
        let number = |name: &str| Field::new(name, DataType::Int64, true);
        let schema = Schema::new(vec![
            number("viewtime"),
            text("userid"),
            text("pageid"),
            text("url"),
            text("client_ip"),
            number("duration"),
            text("from_url"),
            text("agent"),
        ]);
        let options = JsonReadOptions::default().schema(&schema);
        batch.register_json("pageviews", "memory:///pageviews.json", options).await?;
        let schema = Schema::new(vec![text("id"), text("city")]);
        let counted = batch.sql("SELECT agent FROM pageviews").await?.count().await?;
        if counted as u64 != rows {
            return Err(format!("the batch side has {counted} of {rows} page views").into());
        }
        batch.register_json("users", "memory:///users.json", JsonReadOptions::default().schema(&schema)).await?;
        Result::<()>::Ok(())
    })?;
    Ok(Data { log, bytes, batch, runtime, _dir: dir })
}

struct Measured {
    seconds: f64,
    cpu_seconds: f64,
}

fn median(mut runs: Vec<Measured>) -> Measured {
    runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let middle = runs.len() / 2;
    runs.swap_remove(middle)
}

/// Runs the statements over the topics of so many partitions until everything is read and committed.
fn run_streaming(data: &Data, query: &Query, partitions: i32, threads: usize, run: usize) -> Result<Measured> {
    let options = EngineOptions {
        service_id: format!("bench_{}_{partitions}_{run}_", query.name),
        threads,
        ..EngineOptions::default()
    };
    let engine = Engine::open(Arc::clone(&data.log), &options)?;
    let mut settings = Settings::default();
    let mut execute = |statement: &str| -> Result<Response> { Ok(engine.execute(statement, &mut settings)?) };
    execute("SET 'auto.offset.reset' = 'earliest'")?;
    for source in sources(partitions) {
        execute(&source)?;
    }
    let (started, cpu) = (Instant::now(), cpu_time());
    for statement in query.statements {
        execute(statement)?;
    }
    loop {
        let queries = engine.queries();
        if let Some(query) = queries.iter().find(|query| query.status != QueryStatus::Running) {
            return Err(format!("{}: {:?}", query.id, query.status).into());
        }
        if queries.iter().all(|query| query.lag == 0) {
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let measured = Measured { seconds: started.elapsed().as_secs_f64(), cpu_seconds: (cpu_time() - cpu).as_secs_f64() };
    execute("TERMINATE ALL")?;
    for topic in data.log.topics()? {
        let own = ["R", "LONG_VIEWS", "WITH_CITY"].contains(&&*topic.name);
        if own {
            data.log.delete_topic(&topic.name)?;
        }
    }
    Ok(measured)
}

fn run_batch(data: &Data, query: &Query) -> Result<Measured> {
    let (started, cpu) = (Instant::now(), cpu_time());
    data.runtime.block_on(async { data.batch.sql(query.batch).await?.collect().await })?;
    Ok(Measured { seconds: started.elapsed().as_secs_f64(), cpu_seconds: (cpu_time() - cpu).as_secs_f64() })
}

pub(crate) fn run(rows: u64, runs: usize, only: &str, partitions: &[i32], json: bool) -> Result<()> {
    eprintln!("writing {rows} page views");
    let data = prepare(rows, partitions)?;
    if !json {
        println!(
            "query            partitions     rows/s     MB/s  CPU-s/M rows  batch rows/s  batch CPU-s/M rows  batch_ratio  peak MB"
        );
    }
    for query in QUERIES.iter().filter(|query| query.name.contains(only)) {
        for &partitions in partitions {
            let threads = if partitions == 1 { 1 } else { 2 };
            let (mut streaming, mut batch) = (Vec::new(), Vec::new());
            for run in 0..runs {
                streaming.push(run_streaming(&data, query, partitions, threads, run)?);
                batch.push(run_batch(&data, query)?);
            }
            let (streaming, batch) = (median(streaming), median(batch));
            let rate = rows as f64 / streaming.seconds;
            let batch_rate = rows as f64 / batch.seconds;
            let mb_rate = data.bytes as f64 / 1e6 / streaming.seconds;
            let cpu = streaming.cpu_seconds * 1e6 / rows as f64;
            let batch_cpu = batch.cpu_seconds * 1e6 / rows as f64;
            let (ratio, peak) = (rate / batch_rate, memory_peak_mb());
            if json {
                println!(
                    "{{\"query\":\"{}\",\"partitions\":{partitions},\"rows_per_s\":{rate:.0},\"mb_per_s\":{mb_rate:.1},\
                     \"cpu_s_per_m_rows\":{cpu:.3},\"batch_rows_per_s\":{batch_rate:.0},\"batch_cpu_s_per_m_rows\":{batch_cpu:.3},\"batch_ratio\":{ratio:.2},\"peak_mb\":{peak}}}",
                    query.name
                );
            } else {
                println!(
                    "{:<16} {partitions:>10} {rate:>10.0} {mb_rate:>8.0} {cpu:>13.2} {batch_rate:>13.0} {batch_cpu:>19.2} {ratio:>12.2} {peak:>8}",
                    query.name
                );
            }
        }
    }
    Ok(())
}

//! How fast the log's interface is over a cluster: `cluster_rates ADDRESS`.
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use millstream_kafka::KafkaLog;
use millstream_log::record::BatchBuilder;
use millstream_log::{GroupOffset, Log, TopicPartition, TopicSpec, WriteBatch, read_all};

const RECORDS: u64 = 1_000_000;
const BATCH_RECORDS: u64 = 1_000;
const WRITES: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let servers = std::env::args().nth(1).ok_or("usage: cluster_rates ADDRESS")?;
    let unique = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    let log = KafkaLog::connect(&servers, &format!("rates-{unique}"))?;
    let topic = format!("rates-{unique}");
    log.create_topic(&TopicSpec::new(topic.as_str(), 1))?;
    let partition = TopicPartition::new(topic.as_str(), 0);
    let batch = |records: u64| {
        let mut builder = BatchBuilder::new();
        (0..records).for_each(|_| builder.push(0, None, Some(&[b'x'; 100])));
        builder.finish()
    };

    let started = Instant::now();
    let mut tickets = Vec::new();
    for _ in 0..RECORDS / BATCH_RECORDS {
        tickets.push(log.append(&partition, batch(BATCH_RECORDS)?)?);
    }
    tickets.iter().try_for_each(|ticket| ticket.wait().map(drop))?;
    println!("append {:.0} records/s", RECORDS as f64 / started.elapsed().as_secs_f64());

    let (started, mut count) = (Instant::now(), 0);
    read_all(&log, &partition, |batch| {
        count += batch.iter().count();
        Ok::<_, millstream_log::Error>(())
    })?;
    println!("fetch  {:.0} records/s", count as f64 / started.elapsed().as_secs_f64());

    let mut times = Vec::new();
    for offset in 0..WRITES {
        let offsets = vec![GroupOffset::new(topic.clone(), partition.clone(), offset as i64)];
        let started = Instant::now();
        log.write(WriteBatch { batches: vec![(partition.clone(), batch(10)?)], offsets })?.wait()?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or(0.0);
    println!("write  p50 {:.2} ms, p99 {:.2} ms", at(50), at(99));
    log.delete_topic(&topic)?;
    Ok(())
}

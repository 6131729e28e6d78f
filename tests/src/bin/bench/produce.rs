//! 100-byte records from one thread, durable.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use millstream_log::record::BatchBuilder;
use millstream_log::{Disk, EmbeddedLog, Log, LogOptions, TopicPartition, TopicSpec};

use crate::Result;

const BATCH_RECORDS: u64 = 1_000;
/// As a client's pipeline has (`max.in.flight.requests.per.connection`).
const IN_FLIGHT_MAX: usize = 5;

/// How the batches come.
#[derive(Clone, Copy)]
enum Pace {
    /// As fast as a window of batches on their way allows: shows the rate. What an acknowledgement takes
    /// then follows from rate and window.
    Full,
    /// So many records a second, whatever the log does: shows what an acknowledgement takes. It counts
    /// from when the batch was due, so that a stall shows in all batches that it holds up.
    RecordsPerSecond(u64),
}

/// Batches of 1,000 records of 100 bytes, at full speed and at the rate that is to be reached, on this
/// disk and on one whose every fsync takes 2 ms more.
pub(crate) fn run(records: u64, json: bool) -> Result<()> {
    if !json {
        println!("fsync  pace        records/s     MB/s   ack p50 ms   ack p99 ms   fsync p99 ms");
    }
    // Removed at the very end: a file system that discards freed blocks stalls the disk for later runs.
    let dir = tempfile::tempdir_in(".")?;
    for (delay_ms, goal) in [(0, 1_000_000), (2, 500_000)] {
        for pace in [Pace::Full, Pace::RecordsPerSecond(goal)] {
            let dir = tempfile::tempdir_in(&dir)?.keep();
            let fsync_ms = fsync_ms(&dir, delay_ms)?;
            let (seconds, acks) = produce(&dir.join("log"), delay_ms, records, pace)?;
            let at =
                |share: f64| acks.get(((acks.len().saturating_sub(1)) as f64 * share) as usize).copied().unwrap_or(0.0);
            let (rate, mb) = (records as f64 / seconds, records as f64 * 100.0 / 1e6 / seconds);
            let (p50, p99) = (at(0.5), at(0.99));
            let pace = match pace {
                Pace::Full => "full".to_owned(),
                Pace::RecordsPerSecond(rate) => format!("{rate}/s"),
            };
            if json {
                println!(
                    "{{\"fsync_delay_ms\":{delay_ms},\"pace\":\"{pace}\",\"records_per_s\":{rate:.0},\"mb_per_s\":{mb:.1},\"ack_p50_ms\":{p50:.2},\"ack_p99_ms\":{p99:.2},\"fsync_p99_ms\":{fsync_ms:.2}}}"
                );
            } else {
                println!("+{delay_ms} ms  {pace:<9} {rate:>11.0} {mb:>8.0} {p50:>12.2} {p99:>12.2} {fsync_ms:>14.2}");
            }
        }
    }
    Ok(())
}

/// The seconds that it took, and each acknowledgement's milliseconds, ascending.
fn produce(dir: &Path, delay_ms: u64, records: u64, pace: Pace) -> Result<(f64, Vec<f64>)> {
    let disk = Disk::with_sync_delay(Duration::from_millis(delay_ms));
    let log = EmbeddedLog::open(LogOptions { io: Arc::new(disk), ..LogOptions::on_disk(dir) })?;
    log.create_topic(&TopicSpec::new("t", 1).kept_for_ever())?;
    let partition = TopicPartition::new("t", 0);
    let value = [b'x'; 100];
    let acks = Arc::new(Mutex::new(Vec::new()));
    let mut in_flight = VecDeque::new();
    let started = Instant::now();
    for batch in 0..records / BATCH_RECORDS {
        let mut builder = BatchBuilder::new();
        for record in 0..BATCH_RECORDS {
            builder.push((batch * BATCH_RECORDS + record) as i64, None, Some(&value));
        }
        let bytes = builder.finish()?;
        let due = match pace {
            Pace::Full => Instant::now(),
            Pace::RecordsPerSecond(rate) => {
                let due = started + Duration::from_secs_f64((batch * BATCH_RECORDS) as f64 / rate as f64);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                due
            }
        };
        let ticket = log.append(&partition, bytes)?;
        let acks = Arc::clone(&acks);
        ticket.clone().on_complete(move |outcome| {
            if let (Ok(_), Ok(mut acks)) = (outcome, acks.lock()) {
                acks.push(due.elapsed().as_secs_f64() * 1e3);
            }
        });
        in_flight.push_back(ticket);
        if matches!(pace, Pace::Full)
            && in_flight.len() > IN_FLIGHT_MAX
            && let Some(oldest) = in_flight.pop_front()
        {
            oldest.wait()?;
        }
    }
    in_flight.into_iter().try_for_each(|ticket| ticket.wait().map(drop))?;
    let seconds = started.elapsed().as_secs_f64();
    let mut acks = acks.lock().map(|acks| acks.clone()).unwrap_or_default();
    acks.sort_by(f64::total_cmp);
    Ok((seconds, acks))
}

/// What one fsync of a like amount of data takes here, at the 99th percentile.
fn fsync_ms(dir: &Path, delay_ms: u64) -> Result<f64> {
    use std::io::Write;
    let mut file = std::fs::File::create(dir.join("probe"))?;
    let data = vec![b'x'; 120_000];
    let mut times = Vec::new();
    for _ in 0..200 {
        file.write_all(&data)?;
        let started = Instant::now();
        std::thread::sleep(Duration::from_millis(delay_ms));
        file.sync_data()?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times.get(times.len() * 99 / 100).copied().unwrap_or(0.0))
}

//! 100-byte records from one thread, durable.

use std::sync::Arc;
use std::time::{Duration, Instant};

use millstream_log::record::BatchBuilder;
use millstream_log::{Disk, EmbeddedLog, Log, LogOptions, TopicPartition, TopicSpec};

use crate::Result;

/// Batches of 1,000 records of 100 bytes with a window of batches on their way, as a client's pipeline
/// has; the acknowledgement's time is from append to disk.
pub(crate) fn run(records: u64, json: bool) -> Result<()> {
    const BATCH_RECORDS: u64 = 1_000;
    const IN_FLIGHT_MAX: usize = 5;
    if !json {
        println!("fsync     records/s     MB/s   ack p50 ms   ack p99 ms   fsync ms");
    }
    for delay_ms in [0u64, 2] {
        let dir = tempfile::tempdir_in(".")?;
        let disk = Disk::with_sync_delay(Duration::from_millis(delay_ms));
        let fsync_ms = fsync_ms(&dir, delay_ms)?;
        let log = EmbeddedLog::open(LogOptions { io: Arc::new(disk), ..LogOptions::on_disk(dir.path().join("log")) })?;
        log.create_topic(&TopicSpec::new("t", 1).kept_for_ever())?;
        let partition = TopicPartition::new("t", 0);
        let value = [b'x'; 100];
        let acks = Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut in_flight = std::collections::VecDeque::new();
        let started = Instant::now();
        for batch in 0..records / BATCH_RECORDS {
            let mut builder = BatchBuilder::new();
            for record in 0..BATCH_RECORDS {
                builder.push((batch * BATCH_RECORDS + record) as i64, None, Some(&value));
            }
            let sent = Instant::now();
            let ticket = log.append(&partition, builder.finish()?)?;
            let acks = Arc::clone(&acks);
            ticket.clone().on_complete(move |outcome| {
                if let (Ok(_), Ok(mut acks)) = (outcome, acks.lock()) {
                    acks.push(sent.elapsed().as_secs_f64() * 1e3);
                }
            });
            in_flight.push_back(ticket);
            if in_flight.len() > IN_FLIGHT_MAX
                && let Some(oldest) = in_flight.pop_front()
            {
                oldest.wait()?;
            }
        }
        in_flight.into_iter().try_for_each(|ticket| ticket.wait().map(drop))?;
        let seconds = started.elapsed().as_secs_f64();
        let mut acks = acks.lock().map(|acks| acks.clone()).unwrap_or_default();
        acks.sort_by(f64::total_cmp);
        let at =
            |share: f64| acks.get(((acks.len().saturating_sub(1)) as f64 * share) as usize).copied().unwrap_or(0.0);
        let (rate, mb) = (records as f64 / seconds, records as f64 * 100.0 / 1e6 / seconds);
        if json {
            println!(
                "{{\"fsync_delay_ms\":{delay_ms},\"records_per_s\":{rate:.0},\"mb_per_s\":{mb:.1},\"ack_p50_ms\":{:.2},\"ack_p99_ms\":{:.2},\"fsync_ms\":{fsync_ms:.2}}}",
                at(0.5),
                at(0.99)
            );
        } else {
            println!("+{delay_ms} ms  {rate:>11.0} {mb:>8.0} {:>12.2} {:>12.2} {fsync_ms:>10.2}", at(0.5), at(0.99));
        }
    }
    Ok(())
}

/// What one fsync of a like amount of data takes here, at the 99th percentile.
fn fsync_ms(dir: &tempfile::TempDir, delay_ms: u64) -> Result<f64> {
    use std::io::Write;
    let mut file = std::fs::File::create(dir.path().join("probe"))?;
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

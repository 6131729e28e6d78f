//! Compares the two ways in which a batch becomes durable: *journal*, where its bytes are in the journal too, and
//! *once*, where its segment is synced and the journal refers to it, unless syncs are found to be long.
//!
//! `cargo run --release -p millstream-log --example large_batches [DIR]` prints a table; the conclusion is in
//! `docs/decisions/0001-commit-path.md`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millstream_log::record::BatchBuilder;
use millstream_log::{Disk, EmbeddedLog, Log, LogOptions, TopicPartition, TopicSpec, TransactionVersion};

const TOTAL_BYTES: usize = 512 << 20;
/// So many batches are on their way at a time, as with a client that sends on while it waits.
const IN_FLIGHT: usize = 5;
/// The clock in which the system counts a process's time.
const TICKS_PER_S: f64 = 100.0;

fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS_PER_S
}

fn main() {
    let root = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "target/large-batches".to_owned()));
    println!("fsync  partitions  KiB each  path       MB/s   p50 ms   p99 ms  CPU-s/GB");
    for delay_ms in [0u64, 2] {
        for partitions in [1usize, 4, 16] {
            for kib in [64usize, 128, 256, 512, 1_000] {
                for (path, journaled_bytes_max) in [("journal", usize::MAX), ("once", 0)] {
                    let options = LogOptions {
                        io: Arc::new(Disk::with_sync_delay(Duration::from_millis(delay_ms))),
                        journaled_bytes_max,
                        ..LogOptions::on_disk(&root)
                    };
                    let log = EmbeddedLog::open(options).unwrap();
                    log.create_topic(&TopicSpec::new("t", partitions as i32)).unwrap();
                    let mut batch = BatchBuilder::new();
                    batch.push(0, None, Some(&vec![7u8; kib << 10]));
                    let batch = batch.finish().unwrap();
                    let count = (TOTAL_BYTES / batch.len()).min(if delay_ms > 0 { 1_000 } else { usize::MAX });
                    let (started, cpu) = (Instant::now(), cpu_s());
                    let mut waiting = VecDeque::new();
                    let mut times = Vec::new();
                    for number in 0..count + partitions * IN_FLIGHT {
                        if number < count {
                            let partition = TopicPartition::new("t", (number % partitions) as i32);
                            let appended = log.append_by(&partition, &*batch, TransactionVersion::Two).unwrap();
                            waiting.push_back((Instant::now(), appended.ticket));
                        }
                        if (waiting.len() >= partitions * IN_FLIGHT || number >= count)
                            && let Some((sent, ticket)) = waiting.pop_front()
                        {
                            ticket.wait().unwrap();
                            times.push(sent.elapsed().as_secs_f64() * 1e3);
                        }
                    }
                    let took_s = started.elapsed().as_secs_f64();
                    let gigabytes = (count * batch.len()) as f64 / 1e9;
                    let cpu_per_gb = (cpu_s() - cpu) / gigabytes;
                    times.sort_by(f64::total_cmp);
                    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
                    println!(
                        "+{delay_ms} ms  {partitions:>10}  {kib:>8}  {path:<7}  {:>6.0}  {:>7.2}  {:>7.2}  {cpu_per_gb:>8.2}",
                        gigabytes * 1e3 / took_s,
                        at(0.5),
                        at(0.99),
                    );
                    drop(log);
                    std::fs::remove_dir_all(&root).unwrap();
                }
            }
        }
    }
}

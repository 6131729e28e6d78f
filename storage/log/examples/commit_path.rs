//! Compares two ways to make one commit over several partitions durable.
//!
//! *parallel*: write each partition's segment, then sync every touched segment and the
//! transaction file at the same time, each on a thread of its own.
//! *journal*: write each partition's segment without a sync and the same bytes once more into one
//! journal, sync only that; the segments are synced by a checkpoint every 64 MiB.
//!
//! `cargo run --release -p millstream-log --example commit_path [DIR]` prints a table; the
//! conclusion is in `docs/decisions/0001-commit-path.md`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

const CHECKPOINT_BYTES: usize = 64 << 20;

/// A thread that syncs one file whenever asked; the extra delay stands for a slower disk.
struct Syncer {
    request: Sender<()>,
    done: Receiver<()>,
}

impl Syncer {
    fn start(file: File, delay: Duration) -> Self {
        let (request, requests) = channel::<()>();
        let (finished, done) = channel::<()>();
        thread::spawn(move || {
            while requests.recv().is_ok() {
                sync(&file, delay);
                if finished.send(()).is_err() {
                    return;
                }
            }
        });
        Self { request, done }
    }
}

fn sync(file: &File, delay: Duration) {
    thread::sleep(delay);
    file.sync_data().unwrap();
}

fn open(dir: &Path, name: &str) -> File {
    OpenOptions::new().create(true).append(true).open(dir.join(name)).unwrap()
}

fn parallel(dir: &Path, partitions: usize, bytes: usize, delay: Duration, commits: usize) -> Vec<Duration> {
    let data = vec![7u8; bytes];
    let mut files: Vec<File> = (0..=partitions).map(|p| open(dir, &format!("p{p}.log"))).collect();
    let syncers: Vec<Syncer> = files.iter().map(|file| Syncer::start(file.try_clone().unwrap(), delay)).collect();
    (0..commits)
        .map(|_| {
            let start = Instant::now();
            for (p, file) in files.iter_mut().enumerate() {
                // The last file takes the prepare-commit record.
                file.write_all(if p == partitions { &data[..64] } else { &data }).unwrap();
            }
            for syncer in &syncers {
                syncer.request.send(()).unwrap();
            }
            for syncer in &syncers {
                syncer.done.recv().unwrap();
            }
            start.elapsed()
        })
        .collect()
}

fn journal(dir: &Path, partitions: usize, bytes: usize, delay: Duration, commits: usize) -> Vec<Duration> {
    let data = vec![7u8; bytes];
    let mut files: Vec<File> = (0..partitions).map(|p| open(dir, &format!("p{p}.log"))).collect();
    let mut journal = open(dir, "journal");
    let mut frame = Vec::new();
    let mut since_checkpoint = 0;
    (0..commits)
        .map(|_| {
            let start = Instant::now();
            frame.clear();
            for file in &mut files {
                file.write_all(&data).unwrap();
                frame.extend_from_slice(&data);
            }
            frame.extend_from_slice(&data[..64]);
            journal.write_all(&frame).unwrap();
            sync(&journal, delay);
            since_checkpoint += frame.len();
            if since_checkpoint > CHECKPOINT_BYTES {
                for file in &files {
                    file.sync_data().unwrap();
                }
                journal.set_len(0).unwrap();
                since_checkpoint = 0;
            }
            start.elapsed()
        })
        .collect()
}

fn main() {
    let root = std::env::args().nth(1).unwrap_or_else(|| "target/commit-path".to_owned());
    println!("fsync  partitions  KiB each  path      commits/s    MB/s   p50 ms   p99 ms");
    for delay_ms in [0u64, 2] {
        for partitions in [1usize, 4, 16] {
            for kib in [1usize, 64, 1024] {
                for (name, path) in [
                    ("parallel", parallel as fn(&Path, usize, usize, Duration, usize) -> Vec<Duration>),
                    ("journal", journal),
                ] {
                    let dir = Path::new(&root).join(format!("{name}-{partitions}-{kib}"));
                    std::fs::create_dir_all(&dir).unwrap();
                    let commits = (256 * 1024 / (partitions * kib)).clamp(16, 400);
                    let mut times = path(&dir, partitions, kib << 10, Duration::from_millis(delay_ms), commits);
                    let total: Duration = times.iter().sum();
                    times.sort();
                    let ms = |q: f64| times[((times.len() - 1) as f64 * q) as usize].as_secs_f64() * 1e3;
                    println!(
                        "+{delay_ms} ms  {partitions:>10}  {kib:>8}  {name:<8}  {:>9.0}  {:>6.0}  {:>7.2}  {:>7.2}",
                        commits as f64 / total.as_secs_f64(),
                        (commits * partitions * kib) as f64 / 1024.0 / total.as_secs_f64(),
                        ms(0.5),
                        ms(0.99),
                    );
                    std::fs::remove_dir_all(&dir).unwrap();
                }
            }
        }
    }
}

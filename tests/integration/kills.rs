//! A year of flights under `kill -9`, at moments that are known.
//!
//! A process is watched from outside, by the files that grow in its data directory, and killed when they
//! have reached a size: so it is in the middle of what it does, however fast the machine is. Afterwards the
//! counts of the topics tell whether it was; a kill that missed its phase does not count and is tried again.
//!
//! - *Loading*: some of a part's records are in the topic, and not all.
//! - *Processing*: results were written since the start, and not all.
//! - *Commit*: as before, and killed at the very growth of the topic of the results. With a commit every
//!   millisecond of work, that is in one of a commit's steps or next to it.
//! - *Recovery*: on a directory that a kill left, before a result was written.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::pipeline::{self, FLIGHTS, JOINED_TOPIC, PLANES};
use crate::restart::{Identity, identity_of_line, loaded};
use crate::support;

/// In each phase, so many kills must hit.
const HITS: usize = 5;
/// How often a phase may be missed in all.
const MISSES_MAX: usize = 20;
/// How long it may take until a file grows as far as expected, also in a debug build.
const GROWTH_MAX: Duration = Duration::from_secs(300);
/// How much of each part is loaded when its loader is killed.
const LOADED_SHARES: [f64; HITS] = [0.1, 0.3, 0.5, 0.7, 0.9];
/// How long a recovery lives; the last ones are the shortest that a process needs to open the directory.
const RECOVERIES_MS: [u64; HITS] = [80, 50, 30, 60, 15];

#[derive(Debug, Default)]
struct Hits {
    loading: usize,
    processing: usize,
    commit: usize,
    recovery: usize,
    misses: usize,
}

impl Hits {
    fn missed(&mut self, what: &str) {
        self.misses += 1;
        assert!(self.misses <= MISSES_MAX, "{what} was missed, as were others before: {self:?}");
    }
}

/// Loads and processes a year, killed 20 times, until all is done.
pub(crate) fn run_under_kills(data: &Path, undisturbed: &Path, scratch: &Path, flights: &Path, planes: &Path) {
    let mut hits = Hits::default();
    support::run(data, &PLANES.produce(planes));
    load(data, scratch, flights, topic_bytes(undisturbed, FLIGHTS.name), &mut hits);

    let settings = scratch.join("settings.sql");
    fs::write(&settings, "SET 'commit.interval.ms' = '1';").unwrap();
    let query = pipeline::folder().join("query.sql");
    let start = ["-f", support::text(&settings), "-f", support::text(&query)];
    // The statements are no part of what is killed here, so that every process after it has work to do.
    support::run(data, &start);
    process(data, undisturbed, &mut hits);

    support::wait_until_caught_up(data);
    let found = [hits.loading, hits.processing, hits.commit, hits.recovery];
    assert!(found.iter().all(|&count| count >= HITS), "not every phase was hit {HITS} times: {hits:?}");
}

/// Loads the flights in parts, each by a process that is killed, then those of the part that are missing.
fn load(data: &Path, scratch: &Path, flights: &Path, bytes: u64, hits: &mut Hits) {
    let csv = fs::read_to_string(flights).unwrap();
    let (header, lines) = csv.split_once('\n').unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    let file = scratch.join("part.csv");
    let write = |lines: &[&str]| fs::write(&file, format!("{header}\n{}\n", lines.join("\n"))).unwrap();
    let mut before: BTreeSet<Identity> = BTreeSet::new();
    let parts = lines.chunks(lines.len().div_ceil(HITS));
    for (part, share) in parts.zip(LOADED_SHARES) {
        let part_bytes = bytes as f64 * part.len() as f64 / lines.len() as f64;
        let until = topic_bytes(data, FLIGHTS.name) + (part_bytes * share) as u64;
        write(part);
        let mut loader = Watched::start(data, &FLIGHTS.produce(&file));
        loader.wait_for(|| topic_bytes(data, FLIGHTS.name) >= until);
        let was_killed = loader.kill();

        let there = loaded(data, &FLIGHTS);
        assert!(there.is_superset(&before), "records of earlier parts are lost");
        let known: BTreeSet<Identity> = part.iter().map(|line| identity_of_line(&FLIGHTS, header, line)).collect();
        let fresh = there.difference(&before).filter(|identity| known.contains(*identity)).count();
        assert_eq!(there.len(), before.len() + fresh, "records come from nowhere");
        let is_missing = |line: &&str| !there.contains(&identity_of_line(&FLIGHTS, header, line));
        let missing: Vec<&str> = part.iter().copied().filter(is_missing).collect();
        if was_killed && fresh > 0 && !missing.is_empty() {
            hits.loading += 1;
        }
        if !missing.is_empty() {
            write(&missing);
            support::run(data, &FLIGHTS.produce(&file));
        }
        before.extend(known);
    }
    assert_eq!(hits.loading, HITS, "a loader was killed before or after its work");
}

/// Kills the queries at points that are spread over all their work, each time followed by a recovery that
/// is killed as well.
fn process(data: &Path, undisturbed: &Path, hits: &mut Hits) {
    let bytes = topic_bytes(undisturbed, JOINED_TOPIC);
    let total = support::record_count(undisturbed, JOINED_TOPIC);
    // The work is left for one kill more than there are, so that the last one is not at its end.
    let rounds = 2 * HITS as u64;
    let mut committed = support::record_count(data, JOINED_TOPIC);
    for round in 0.. {
        if hits.processing >= HITS && hits.commit >= HITS && hits.recovery >= HITS {
            return;
        }
        let at_commit = hits.commit < hits.processing;
        let start = topic_bytes(data, JOINED_TOPIC);
        let step = bytes.saturating_sub(start) / (rounds + 2).saturating_sub(round).max(2);
        let mut queries = Watched::start(data, &["-e", support::IDLE]);
        queries.wait_for(|| topic_bytes(data, JOINED_TOPIC) >= start + step.max(1));
        if at_commit {
            let now = topic_bytes(data, JOINED_TOPIC);
            queries.wait_for(|| topic_bytes(data, JOINED_TOPIC) > now);
        }
        assert!(queries.kill(), "a push query has ended by itself");

        // Looking at the topics opens the log but not the engine, so it recovers no query.
        let count = support::record_count(data, JOINED_TOPIC);
        assert!(count >= committed && count <= total, "{count} of {total} results, {committed} before");
        if count > committed && count < total {
            *(if at_commit { &mut hits.commit } else { &mut hits.processing }) += 1;
        } else {
            hits.missed("processing");
        }
        committed = count;

        if hits.recovery < HITS && count < total {
            let mut recovery = Watched::start(data, &["-e", support::IDLE]);
            thread::sleep(Duration::from_millis(RECOVERIES_MS[hits.recovery]));
            assert!(recovery.kill(), "a push query has ended by itself");
            committed = support::record_count(data, JOINED_TOPIC);
            if committed == count {
                hits.recovery += 1;
            } else {
                hits.missed("recovery");
            }
        }
    }
}

/// The size of a topic's segments on disk.
fn topic_bytes(data: &Path, topic: &str) -> u64 {
    let Ok(folders) = fs::read_dir(data.join("topics")) else { return 0 };
    let prefix = format!("{topic}-");
    let partitions = folders.map(|folder| folder.unwrap()).filter(|folder| {
        let name = folder.file_name().into_string().unwrap();
        // `NAME-0.7`: the partition's number and its id.
        name.strip_prefix(&prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    });
    let files = partitions.flat_map(|folder| fs::read_dir(folder.path()).into_iter().flatten());
    files.filter_map(|file| file.ok()?.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// A process that is killed, at the latest when the test fails.
struct Watched(Child);

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Watched {
    fn start(data: &Path, args: &[&str]) -> Self {
        Self(support::millstream(data, args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Waits until it has come so far or has ended.
    fn wait_for(&mut self, is_reached: impl Fn() -> bool) {
        let started = Instant::now();
        while !is_reached() && self.0.try_wait().unwrap().is_none() {
            assert!(started.elapsed() < GROWTH_MAX, "the process makes no progress");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Kills it; true if it had not ended by itself.
    fn kill(&mut self) -> bool {
        self.0.kill().unwrap();
        self.0.wait().unwrap().code().is_none()
    }
}

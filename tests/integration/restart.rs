//! The flights pipeline under `kill -9`.
//!
//! The whole year under kills is in `kills`; this one is fast. A week of flights is loaded in 20 parts. In each round the program is killed twice: once while it
//! loads a part, once while the queries process it, at times from 5 to 600 ms after its start. Rounds
//! with little time follow such with much, so that some are killed in the recovery from the one before,
//! some while statements are run, some between two commits, and some when all is done. In
//! the end nothing may be lost and nothing counted twice.
//!
//! Loading is not atomic: a killed `produce` leaves those of its batches that it had appended, at most
//! one a partition and part here, which is no prefix of the lines. So the test reads back which flights
//! are in the topic, and loads the others again, as an exact loader over a Kafka producer would.
//!
//! What a killed process has handed to the operating system is not lost, so this covers no loss of
//! power; the log's own tests do, on a simulated disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::pipeline::{self, FLIGHTS, JOINED_TOPIC, PLANES, RESULTS, Topic};
use crate::support;

/// How long each round's loader and its queries live, in ms.
const LIVES_MS: [(u64, u64); 20] = [
    (5, 5),
    (40, 600),
    (10, 20),
    (60, 400),
    (15, 60),
    (8, 10),
    (80, 250),
    (20, 90),
    (25, 500),
    (12, 30),
    (30, 130),
    (100, 40),
    (18, 310),
    (35, 15),
    (50, 160),
    (22, 75),
    (120, 450),
    (28, 50),
    (70, 200),
    (45, 110),
];
/// How long the loader of the planes lives.
const PLANES_LIFE_MS: u64 = 30;

/// The fields that tell a record from all others of its topic.
pub(crate) type Identity = Vec<String>;

pub(crate) fn identity_of_line(topic: &Topic, header: &str, line: &str) -> Identity {
    let place = |field: &&str| header.split(',').position(|column| column == *field).unwrap();
    topic.identity.iter().map(|field| line.split(',').nth(place(field)).unwrap().to_owned()).collect()
}

fn identity_of_record(topic: &Topic, record: &str) -> Identity {
    let value: Value = serde_json::from_str(record).unwrap();
    let text = |field: &&str| match &value[*field] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    topic.identity.iter().map(text).collect()
}

/// The records of a topic, each of which must be there once only.
pub(crate) fn loaded(data: &Path, topic: &Topic) -> BTreeSet<Identity> {
    // The first process of all makes the data directory, and is killed like the others.
    if !data.exists() || support::record_count(data, topic.name) == 0 {
        return BTreeSet::new();
    }
    let mut identities = BTreeSet::new();
    for record in support::records(data, topic.name) {
        assert!(identities.insert(identity_of_record(topic, &record)), "{record} is there twice");
    }
    identities
}

/// Loads lines by a process that is killed, then those of them that are missing.
fn load_in_spite_of_a_kill(data: &Path, topic: &Topic, header: &str, lines: &[&str], life_ms: u64) {
    let scratch = TempDir::new().unwrap();
    let file = scratch.path().join("part.csv");
    let write = |lines: &[&str]| fs::write(&file, format!("{header}\n{}\n", lines.join("\n"))).unwrap();
    let before = loaded(data, topic);
    let part: BTreeSet<Identity> = lines.iter().map(|line| identity_of_line(topic, header, line)).collect();
    assert_eq!(part.len(), lines.len(), "the identity of a line is not unique");

    write(lines);
    support::run_and_kill(data, &topic.produce(&file), Duration::from_millis(life_ms));
    let there = loaded(data, topic);
    assert!(there.is_superset(&before), "records of earlier parts are lost");
    assert!(there.difference(&before).all(|identity| part.contains(identity)), "records come from nowhere");
    let is_missing = |line: &&str| !there.contains(&identity_of_line(topic, header, line));
    let missing: Vec<&str> = lines.iter().copied().filter(is_missing).collect();
    if !missing.is_empty() {
        write(&missing);
        support::run(data, &topic.produce(&file));
    }
    assert_eq!(support::record_count(data, topic.name), (before.len() + lines.len()) as u64);
}

/// The values of the joined stream and how often each is there more in one run than in the other.
pub(crate) fn differences(found: &[String], expected: &[String]) -> Vec<(String, i64)> {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    found.iter().for_each(|record| *counts.entry(record).or_default() += 1);
    expected.iter().for_each(|record| *counts.entry(record).or_default() -= 1);
    counts.into_iter().filter(|(_, count)| *count != 0).map(|(record, count)| (record.to_owned(), count)).collect()
}

#[test]
fn killed_at_any_moment_nothing_is_lost_or_counted_twice() {
    let scratch = TempDir::new().unwrap();
    let folder = pipeline::folder();
    let (flights_csv, planes_csv) = (folder.join("flights-week.csv"), folder.join("planes.csv"));

    let undisturbed = scratch.path().join("undisturbed");
    pipeline::load_and_start(&undisturbed, &flights_csv, &planes_csv);
    support::wait_until_caught_up(&undisturbed);

    let killed = scratch.path().join("killed");
    run_under_kills(&killed, scratch.path(), &flights_csv, &planes_csv);

    assert_eq!(support::query(&killed, "SELECT * FROM ksql_processing_log"), Vec::<Value>::new());
    for (what, sql) in RESULTS {
        let expected = pipeline::totals(&undisturbed, sql);
        pipeline::assert_same(what, &pipeline::totals(&killed, sql), &expected);
    }
    let expected = support::records(&undisturbed, JOINED_TOPIC);
    assert!(!expected.is_empty());
    let mut differences = differences(&support::records(&killed, JOINED_TOPIC), &expected);
    let count = differences.len();
    differences.truncate(5);
    assert_eq!(count, 0, "joined flights that are lost (below 0) or doubled (above 0): {differences:?}");
}

fn run_under_kills(data: &Path, scratch: &Path, flights_csv: &Path, planes_csv: &Path) {
    let planes = fs::read_to_string(planes_csv).unwrap();
    let (header, lines) = planes.split_once('\n').unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    load_in_spite_of_a_kill(data, &PLANES, header, &lines, PLANES_LIFE_MS);

    // An epoch ends after 1 ms, so that there are many commits to be killed in. The statements are run
    // in every round, as the ones before may have been killed before they were through.
    let settings = scratch.join("settings.sql");
    fs::write(&settings, "SET 'commit.interval.ms' = '1';").unwrap();
    let query = pipeline::folder().join("query.sql");
    let start = ["-f", support::text(&settings), "-f", support::text(&query)];

    let flights = fs::read_to_string(flights_csv).unwrap();
    let (header, lines) = flights.split_once('\n').unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    let part_lines = lines.len().div_ceil(LIVES_MS.len());
    let parts: Vec<&[&str]> = lines.chunks(part_lines).collect();
    assert_eq!(parts.len(), LIVES_MS.len());
    for (part, (loader_ms, queries_ms)) in parts.into_iter().zip(LIVES_MS) {
        load_in_spite_of_a_kill(data, &FLIGHTS, header, part, loader_ms);
        let for_ever = [&start[..], &["-e", support::IDLE]].concat();
        let was_killed = support::run_and_kill(data, &for_ever, Duration::from_millis(queries_ms));
        assert!(was_killed, "a push query has ended by itself");
    }
    support::run(data, &start);
    support::wait_until_caught_up(data);
}

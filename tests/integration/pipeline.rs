//! The pipeline of `queries/flights`: its topics, its queries and their results.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::support;

/// A topic that the pipeline reads, and how it is filled.
pub(crate) struct Topic {
    pub(crate) name: &'static str,
    key: &'static str,
    timestamp: &'static str,
    /// The fields that no two records have in common.
    pub(crate) identity: &'static [&'static str],
}

pub(crate) const FLIGHTS: Topic =
    Topic { name: "flights", key: "tailnum", timestamp: "time_hour", identity: &["time_hour", "carrier", "flight"] };
pub(crate) const PLANES: Topic = Topic { name: "planes", key: "tailnum", timestamp: "loaded", identity: &["tailnum"] };

impl Topic {
    /// The command line that appends a CSV file's lines.
    pub(crate) fn produce<'a>(&self, file: &'a Path) -> [&'a str; 11] {
        let file = support::text(file);
        let (name, key, timestamp) = (self.name, self.key, self.timestamp);
        ["produce", name, file, "--format", "csv", "--partitions", "4", "--key", key, "--timestamp", timestamp]
    }
}

/// The folder of the pipeline.
pub(crate) fn folder() -> PathBuf {
    support::root().join("queries/flights")
}

/// The results and what reads them, in the order of `oracle::totals`. The columns are the group, the
/// bounds of the window if there is one, and the aggregates.
pub(crate) const RESULTS: [(&str, &str); 4] = [
    (
        "delay_per_carrier",
        "SELECT carrier AS name, windowstart AS start_ms, windowend AS end_ms, flights, mean_delay \
         FROM delay_per_carrier",
    ),
    ("per_origin", "SELECT origin AS name, windowstart AS start_ms, windowend AS end_ms, flights FROM per_origin"),
    (
        "tail_sessions",
        "SELECT tailnum AS name, windowstart AS start_ms, windowend AS end_ms, flights FROM tail_sessions",
    ),
    ("delay_per_manufacturer", "SELECT manufacturer AS name, flights, mean_delay FROM delay_per_manufacturer"),
];

/// The topic of the stream of flights with their planes.
pub(crate) const JOINED_TOPIC: &str = "FLIGHTS_WITH_PLANES";

/// A group and the bounds of its window in ms; both are 0 where there are no windows.
pub(crate) type Key = (String, i64, i64);

/// The aggregates of a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Total {
    pub(crate) flights: i64,
    /// `None` if the result has no mean.
    pub(crate) mean_delay: Option<f64>,
}

/// A result.
pub(crate) type Totals = BTreeMap<Key, Total>;

/// Loads whole files and starts the queries.
pub(crate) fn load_and_start(data: &Path, flights: &Path, planes: &Path) {
    // Planes first: a flight is joined with the planes that are known when it comes.
    support::run(data, &PLANES.produce(planes));
    support::run(data, &FLIGHTS.produce(flights));
    support::run(data, &["-f", support::text(&folder().join("query.sql"))]);
}

/// A result as it is now.
pub(crate) fn totals(data: &Path, sql: &str) -> Totals {
    let mut totals = Totals::new();
    for row in support::query(data, sql) {
        let name = row["NAME"].as_str().unwrap_or_else(|| panic!("a row without a group: {row}")).to_owned();
        let bound = |name: &str| row.get(name).map_or(0, |bound| bound.as_i64().unwrap());
        let key = (name, bound("START_MS"), bound("END_MS"));
        let total = Total {
            flights: row["FLIGHTS"].as_i64().unwrap(),
            mean_delay: row.get("MEAN_DELAY").map(|mean| mean.as_f64().unwrap()),
        };
        assert!(totals.insert(key, total).is_none(), "a row comes twice: {row}");
    }
    totals
}

/// The greatest difference between equal means, relative to their size: sums depend on the order of
/// their terms.
const MEAN_DIFFERENCE_MAX: f64 = 1e-9;

fn is_same(left: &Total, right: &Total) -> bool {
    let means = match (left.mean_delay, right.mean_delay) {
        (Some(left), Some(right)) => (left - right).abs() <= MEAN_DIFFERENCE_MAX * left.abs().max(right.abs()),
        (None, None) => true,
        _ => false,
    };
    means && left.flights == right.flights
}

/// Fails with the first few differences if the results are not the same row by row.
pub(crate) fn assert_same(what: &str, found: &Totals, expected: &Totals) {
    assert!(!expected.is_empty(), "{what}: nothing is expected");
    let keys: BTreeSet<&Key> = found.keys().chain(expected.keys()).collect();
    let mut differences = Vec::new();
    for key in keys {
        let pair = (found.get(key), expected.get(key));
        if !matches!(pair, (Some(found), Some(expected)) if is_same(found, expected)) {
            differences.push(format!("{key:?}: found {:?}, expected {:?}", pair.0, pair.1));
        }
    }
    let count = differences.len();
    differences.truncate(5);
    assert_eq!(count, 0, "{what}: rows that differ, the first of them:\n{}", differences.join("\n"));
}

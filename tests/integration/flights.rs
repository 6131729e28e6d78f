//! A year of flights, row by row against batch SQL, undisturbed and under kills.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::pipeline::{self, Totals};
use crate::{kills, oracle, restart, support};

const FLIGHT_COUNT: u64 = 336_776;

/// The data set lies beside the repository, as it is too large to be part of it; `MILLSTREAM_SHARED`
/// names another place.
fn data_set() -> PathBuf {
    let shared = std::env::var_os("MILLSTREAM_SHARED").map(PathBuf::from);
    let folder = shared.unwrap_or_else(|| support::root().join("../shared")).join("data");
    assert!(
        folder.join("flights.csv.zip").is_file(),
        "{} has no flights.csv.zip: set MILLSTREAM_SHARED to the folder that has data/flights.csv.zip",
        folder.display()
    );
    folder
}

fn flights_csv() -> String {
    let mut archive = zip::ZipArchive::new(File::open(data_set().join("flights.csv.zip")).unwrap()).unwrap();
    let mut csv = String::new();
    archive.by_index(0).unwrap().read_to_string(&mut csv).unwrap();
    csv
}

/// All planes, with the column `loaded` that is their records' time.
fn planes_csv() -> String {
    let csv = fs::read_to_string(data_set().join("planes.csv")).unwrap();
    let with_loaded = |(at, line): (usize, &str)| format!("{line},{}\n", if at == 0 { "loaded" } else { "0" });
    csv.lines().enumerate().map(with_loaded).collect()
}

/// Tumbling, hopping and session windows and a join with a table over 336,776 flights give, group by
/// group and window by window, what DataFusion computes from the files; and so they do when the program is
/// killed at 20 moments, with each joined flight once.
///
/// The grace of 400 days is what makes the results comparable: batch SQL knows no late rows. The flights
/// are ordered by departure and not by `time_hour`, and behind a repartition the rows of four partitions
/// mix as the tasks happen to run, so that a row may come up to the whole year behind the stream's time.
/// A grace longer than the year takes every row, whatever the order.
#[test]
fn a_year_of_flights_equals_batch_sql_undisturbed_and_under_kills() {
    let scratch = TempDir::new().unwrap();
    let (flights, planes) = (scratch.path().join("flights.csv"), scratch.path().join("planes.csv"));
    fs::write(&flights, flights_csv()).unwrap();
    fs::write(&planes, planes_csv()).unwrap();
    let expected = oracle::totals(flights_csv(), planes_csv());

    let undisturbed = scratch.path().join("undisturbed");
    pipeline::load_and_start(&undisturbed, &flights, &planes);
    assert_eq!(support::record_count(&undisturbed, "flights"), FLIGHT_COUNT);
    support::wait_until_caught_up(&undisturbed);
    assert_results(&undisturbed, &expected);
    // Every known plane has a manufacturer, so the groups of the last result hold every joined flight.
    let joined: i64 = expected[3].values().map(|total| total.flights).sum();
    assert_eq!(i64::try_from(support::record_count(&undisturbed, pipeline::JOINED_TOPIC)), Ok(joined));

    let killed = scratch.path().join("killed");
    kills::run_under_kills(&killed, &undisturbed, scratch.path(), &flights, &planes);
    assert_eq!(support::record_count(&killed, "flights"), FLIGHT_COUNT);
    assert_results(&killed, &expected);
    let mut differences = restart::differences(
        &support::records(&killed, pipeline::JOINED_TOPIC),
        &support::records(&undisturbed, pipeline::JOINED_TOPIC),
    );
    let count = differences.len();
    differences.truncate(5);
    assert_eq!(count, 0, "joined flights that are lost (below 0) or doubled (above 0): {differences:?}");
}

fn assert_results(data: &Path, expected: &[Totals]) {
    assert_eq!(support::query(data, "SELECT * FROM ksql_processing_log"), Vec::<serde_json::Value>::new());
    for ((what, sql), expected) in pipeline::RESULTS.iter().zip(expected) {
        pipeline::assert_same(what, &pipeline::totals(data, sql), expected);
    }
}

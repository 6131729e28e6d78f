//! The results of the flights pipeline as batch SQL computes them, with DataFusion on the same CSV files
//! and nothing of Millstream.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::pipeline::{Total, Totals};

/// In a debug build, planning a query may take more than the 2 MiB of a test's thread.
const STACK_BYTES: usize = 64 << 20;

/// A query of each result, in the order of `pipeline::RESULTS`. Rows whose group is null are left out,
/// and the mean of no values is 0, as in ksqlDB.
const SQL: [&str; 4] = [
    "SELECT name, start_ms, start_ms + 86400000 AS end_ms, COUNT(*) AS flights,
            COALESCE(AVG(dep_delay), 0.0) AS mean_delay
     FROM (SELECT carrier AS name, time_ms - time_ms % 86400000 AS start_ms, dep_delay FROM flights) AS flown
     WHERE name IS NOT NULL
     GROUP BY name, start_ms",
    // Each flight lies in the windows that start in its own hour and in the five hours before.
    "SELECT name, start_ms, start_ms + 6 * 3600000 AS end_ms, COUNT(*) AS flights
     FROM (SELECT origin AS name, time_ms - time_ms % 3600000 - step * 3600000 AS start_ms
           FROM flights CROSS JOIN (VALUES (0), (1), (2), (3), (4), (5)) AS steps (step)) AS opened
     WHERE name IS NOT NULL
     GROUP BY name, start_ms",
    // The running sum goes over a range, not over rows: flights of the same hour count as one step, so
    // that it does not matter in which order they are taken.
    "SELECT name, MIN(time_ms) AS start_ms, MAX(time_ms) AS end_ms, COUNT(*) AS flights
     FROM (SELECT name, time_ms,
                  SUM(CASE WHEN previous_ms IS NULL OR time_ms - previous_ms > 12 * 3600000 THEN 1 ELSE 0 END)
                      OVER (PARTITION BY name ORDER BY time_ms
                            RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS session_number
           FROM (SELECT tailnum AS name, time_ms,
                        LAG(time_ms) OVER (PARTITION BY tailnum ORDER BY time_ms) AS previous_ms
                 FROM flights
                 WHERE tailnum IS NOT NULL) AS gaps) AS numbered
     GROUP BY name, session_number",
    "SELECT manufacturer AS name, COUNT(*) AS flights, COALESCE(AVG(dep_delay), 0.0) AS mean_delay
     FROM flights JOIN planes ON flights.tailnum = planes.tailnum
     WHERE manufacturer IS NOT NULL
     GROUP BY manufacturer",
];

/// The results for two CSV files with headers.
pub(crate) fn totals(flights: String, planes: String) -> Vec<Totals> {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    thread.spawn(move || compute(&flights, &planes)).unwrap().join().unwrap()
}

fn compute(flights: &str, planes: &str) -> Vec<Totals> {
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    let time_ms = column(flights, "time_hour").into_iter().map(|time| time.map(time_ms)).collect::<Int64Array>();
    let dep_delay =
        column(flights, "dep_delay").into_iter().map(|delay| delay.map(|delay| delay.parse::<f64>().unwrap()));
    let flights: [(&str, ArrayRef); 5] = [
        ("time_ms", Arc::new(time_ms)),
        ("carrier", Arc::new(StringArray::from(column(flights, "carrier")))),
        ("tailnum", Arc::new(StringArray::from(column(flights, "tailnum")))),
        ("origin", Arc::new(StringArray::from(column(flights, "origin")))),
        ("dep_delay", Arc::new(dep_delay.collect::<Float64Array>())),
    ];
    let planes: [(&str, ArrayRef); 2] = [
        ("tailnum", Arc::new(StringArray::from(column(planes, "tailnum")))),
        ("manufacturer", Arc::new(StringArray::from(column(planes, "manufacturer")))),
    ];
    context.register_batch("flights", RecordBatch::try_from_iter(flights).unwrap()).unwrap();
    context.register_batch("planes", RecordBatch::try_from_iter(planes).unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let collect = |sql: &str| runtime.block_on(async { context.sql(sql).await.unwrap().collect().await.unwrap() });
    SQL.iter().map(|sql| rows(&collect(sql))).collect()
}

/// The values of a column of a CSV file; `NA` and nothing are null.
fn column<'a>(csv: &'a str, name: &str) -> Vec<Option<&'a str>> {
    assert!(!csv.contains('"'), "the files are read as if no value were in quotes");
    let mut lines = csv.lines();
    let at = lines.next().unwrap().split(',').position(|column| column == name);
    let at = at.unwrap_or_else(|| panic!("there is no column {name}"));
    lines.map(|line| line.split(',').nth(at).filter(|value| !matches!(*value, "" | "NA"))).collect()
}

/// `2013-01-01T10:00:00Z` in ms since 1970.
fn time_ms(text: &str) -> i64 {
    const DAYS_BEFORE_MONTH: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let number = |place: Range<usize>| text[place].parse::<i64>().unwrap();
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    let years: i64 = (1970..year).map(|year| 365 + i64::from(is_leap(year))).sum();
    let leap_day = i64::from(month > 2 && is_leap(year));
    let days = years + DAYS_BEFORE_MONTH[(month - 1) as usize] + leap_day + day - 1;
    (((days * 24 + number(11..13)) * 60 + number(14..16)) * 60 + number(17..19)) * 1000
}

fn rows(batches: &[RecordBatch]) -> Totals {
    let mut totals = Totals::new();
    for batch in batches {
        let get = |name: &str, ty: &DataType| batch.column_by_name(name).map(|column| cast(column, ty).unwrap());
        let names = get("name", &DataType::Utf8).unwrap();
        let flights = get("flights", &DataType::Int64).unwrap();
        let (start, end) = (get("start_ms", &DataType::Int64), get("end_ms", &DataType::Int64));
        let means = get("mean_delay", &DataType::Float64);
        for row in 0..batch.num_rows() {
            let bound = |bound: &Option<ArrayRef>| {
                bound.as_ref().map_or(0, |bound| bound.as_primitive::<Int64Type>().value(row))
            };
            let key = (names.as_string::<i32>().value(row).to_owned(), bound(&start), bound(&end));
            let mean_delay = means.as_ref().map(|means| means.as_primitive::<Float64Type>().value(row));
            let total = Total { flights: flights.as_primitive::<Int64Type>().value(row), mean_delay };
            assert!(totals.insert(key, total).is_none(), "batch SQL gives a row twice");
        }
    }
    totals
}

#[test]
fn times_are_counted_from_1970() {
    assert_eq!(time_ms("1970-01-01T00:00:00Z"), 0);
    assert_eq!(time_ms("2012-03-01T00:00:00Z"), 1_330_560_000_000);
    assert_eq!(time_ms("2013-01-01T10:00:00Z"), 1_357_034_400_000);
}

//! What the aggregate functions make of the rows of a group.

use std::collections::{BTreeMap, BTreeSet};

use millstream_sql::Value;

use super::change::text;
use super::row::Fields;

/// The aggregates whose results do not depend on anything but a group's rows and their order.
pub(super) const AGGREGATES: &str = "COUNT(*) AS n, COUNT(v) AS vs, SUM(v) AS total, AVG(v) AS mean, \
     MIN(v) AS least, MAX(v) AS greatest, MIN(t) AS first_text, MAX(t) AS last_text, \
     COLLECT_LIST(v) AS list, COLLECT_SET(t) AS texts, COUNT_DISTINCT(t) AS different, \
     TOPK(v, 2) AS top, TOPKDISTINCT(v, 2) AS top_different, ATTR(t) AS same, HISTOGRAM(t) AS counts";

/// As in ksqlDB: later values of a longer list are dropped.
const COLLECTED_MAX: usize = 1000;

/// The results of [`AGGREGATES`] over the rows of a group, in their order.
pub(super) fn aggregates(rows: &[Fields]) -> String {
    let values: Vec<i32> = rows.iter().filter_map(|row| row.v).collect();
    let texts: Vec<&str> = rows.iter().filter_map(|row| row.t).collect();
    let total: i32 = values.iter().sum();
    let mean = if values.is_empty() { 0.0 } else { f64::from(total) / values.len() as f64 };
    let mut top = values.clone();
    top.sort_unstable_by(|a, b| b.cmp(a));
    let mut top_different = top.clone();
    top_different.dedup();
    top.truncate(2);
    top_different.truncate(2);
    text([
        count(rows.len()),
        count(values.len()),
        integer(total),
        Value::Double(mean),
        values.iter().min().copied().map_or(Value::Null, integer),
        values.iter().max().copied().map_or(Value::Null, integer),
        string(texts.iter().min().copied()),
        string(texts.iter().max().copied()),
        Value::Array(rows.iter().take(COLLECTED_MAX).map(|row| row.v.map_or(Value::Null, integer)).collect()),
        Value::Array(distinct(rows).into_iter().map(string).collect()),
        count(texts.iter().collect::<BTreeSet<_>>().len()),
        Value::Array(top.into_iter().map(integer).collect()),
        Value::Array(top_different.into_iter().map(integer).collect()),
        string(rows.first().filter(|first| rows.iter().all(|row| row.t == first.t)).and_then(|row| row.t)),
        Value::Map(
            texts
                .iter()
                .map(|t| ((*t).to_owned(), count(occurrences(&texts, t))))
                .collect::<BTreeMap<_, _>>()
                .into_iter()
                .collect(),
        ),
    ])
}

/// The aggregates that ask which row came first and which last.
pub(super) const BY_OFFSET: &str = "EARLIEST_BY_OFFSET(v) AS earliest, LATEST_BY_OFFSET(t) AS latest, \
     EARLIEST_BY_OFFSET(v, 2) AS earliest_two, LATEST_BY_OFFSET(t, 2, false) AS latest_two, \
     LATEST_BY_OFFSET(v, false) AS last";

/// The results of [`BY_OFFSET`] over the rows of a group in the order of their arrival.
pub(super) fn by_offset(rows: &[Fields]) -> String {
    let earliest = rows.iter().find_map(|row| row.v).map_or(Value::Null, integer);
    let number = |v: Option<i32>| v.map_or(Value::Null, integer);
    text([
        earliest,
        string(rows.iter().rev().find_map(|row| row.t)),
        Value::Array(rows.iter().filter_map(|row| row.v).take(2).map(integer).collect()),
        Value::Array(rows.iter().skip(rows.len().saturating_sub(2)).map(|row| string(row.t)).collect()),
        number(rows.last().and_then(|row| row.v)),
    ])
}

fn occurrences(texts: &[&str], text: &str) -> usize {
    texts.iter().filter(|other| **other == text).count()
}

/// Each text once, null among them, in the order of their first arrival.
fn distinct(rows: &[Fields]) -> Vec<Option<&'static str>> {
    let mut distinct = Vec::new();
    for row in rows {
        if !distinct.contains(&row.t) {
            distinct.push(row.t);
        }
    }
    distinct
}

fn count(count: usize) -> Value {
    Value::Integer(count as i64)
}

fn integer(value: i32) -> Value {
    Value::Integer(value.into())
}

fn string(text: Option<&str>) -> Value {
    text.map_or(Value::Null, |text| Value::String(text.to_owned()))
}

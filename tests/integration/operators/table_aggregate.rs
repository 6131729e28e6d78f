//! `GROUP BY` on a table.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::cases;
use super::change::{Change, Key, text};
use super::history::{history, keyed};
use super::query::Query;
use super::row::{Fields, Row};
use millstream_sql::Value;

/// The aggregates that can take rows back.
const AGGREGATES: &str = "COUNT(*) AS n, COUNT(v) AS vs, SUM(v) AS total, AVG(v) AS mean, \
     ATTR(v) AS same, HISTOGRAM(k) AS keys, STDDEV_SAMP(v) AS variance";

/// Takes records one by one, keeps the table, and computes a group that a record touches from all its rows.
#[derive(Default)]
struct Oracle {
    table: BTreeMap<&'static str, Fields>,
    rowtimes: BTreeMap<&'static str, i64>,
}

impl Oracle {
    /// The updates that a record gives: of the group that its row leaves before that of the group it comes
    /// to, one if they are the same.
    fn step(&mut self, row: &Row) -> Vec<Change> {
        let Some(key) = row.key else { return Vec::new() };
        let old = match row.value {
            Some(fields) => self.table.insert(key, fields),
            None => self.table.remove(key),
        };
        let (leaves, comes) = (old.and_then(|fields| fields.t), row.value.and_then(|fields| fields.t));
        let mut groups: Vec<&'static str> = leaves.into_iter().chain(comes).collect();
        groups.dedup();
        groups.into_iter().map(|group| self.result(group, row.time)).collect()
    }

    fn result(&mut self, group: &'static str, time: i64) -> Change {
        let rowtime = self.rowtimes.entry(group).or_insert(time);
        *rowtime = time.max(*rowtime);
        let rows: Vec<(&str, Option<i32>)> =
            self.table.iter().filter(|(_, fields)| fields.t == Some(group)).map(|(key, f)| (*key, f.v)).collect();
        let values: Vec<i32> = rows.iter().filter_map(|(_, v)| *v).collect();
        let total: i32 = values.iter().sum();
        let mean = if values.is_empty() { 0.0 } else { f64::from(total) / values.len() as f64 };
        let squares: f64 = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum();
        let variance = if values.len() < 2 { 0.0 } else { squares / (values.len() - 1) as f64 };
        let integer = |value: usize| Value::Integer(value as i64);
        let same = match rows.split_first() {
            Some(((_, Some(first)), others)) if others.iter().all(|(_, v)| *v == Some(*first)) => {
                Value::Integer((*first).into())
            }
            _ => Value::Null,
        };
        let keys = rows.iter().map(|(key, _)| ((*key).to_owned(), Value::Integer(1))).collect();
        let value = text([
            integer(rows.len()),
            integer(values.len()),
            Value::Integer(total.into()),
            Value::Double(mean),
            same,
            Value::Map(keys),
        ]);
        let value = Some(format!("{value} {variance:.6}"));
        Change { key: Key { window: None, text: group.to_owned() }, value, rowtime: *rowtime }
    }
}

/// The last column, the variance, is a sum of fractions: taken to six digits.
fn rounded(mut change: Change) -> Change {
    if let Some(value) = &mut change.value {
        let (rest, last) = value.rsplit_once(' ').unwrap();
        let last: f64 = last.parse().unwrap();
        *value = format!("{rest} {:.6}", if last.abs() < 5e-7 { 0.0 } else { last });
    }
    change
}

fn query() -> Query {
    Query::new(&format!("SELECT t, {AGGREGATES} FROM d GROUP BY t EMIT CHANGES"))
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn a_row_leaves_its_group_before_it_comes_to_another(history in history(1)) {
        let mut oracle = Oracle::default();
        for epoch in query().run_each(&keyed(history)).epochs {
            let expected: Vec<Change> = epoch.rows.iter().flat_map(|row| oracle.step(row)).collect();
            let results: Vec<Change> = epoch.results.into_iter().map(rounded).collect();
            prop_assert_eq!(results, expected);
        }
    }

    #[test]
    fn an_epoch_updates_each_group_of_a_table_once(history in history(1)) {
        let run = query().run(&keyed(history));
        let mut oracle = Oracle::default();
        for epoch in run.epochs {
            let changes = epoch.rows.iter().flat_map(|row| oracle.step(row));
            let last: BTreeMap<Key, Change> = changes.map(|change| (change.key.clone(), change)).collect();
            let expected: Vec<Change> = last.into_values().collect();
            let results = epoch.results.into_iter().map(rounded).collect();
            prop_assert_eq!(super::change::sorted(results), expected);
        }
        // A group that has become empty stays.
        prop_assert_eq!(run.kept, [oracle.rowtimes.len(), oracle.table.len()], "what is kept: groups and the table");
    }

    #[test]
    fn where_and_having_on_a_table_see_what_a_row_replaces(history in history(1)) {
        let sql = "SELECT t, COUNT(*) AS n FROM d WHERE v > 2 GROUP BY t HAVING COUNT(*) > 1 EMIT CHANGES";
        let (mut table, mut passed) = (BTreeMap::new(), std::collections::BTreeSet::new());
        for epoch in Query::new(sql).run_each(&keyed(history)).epochs {
            let mut expected = Vec::new();
            for row in &epoch.rows {
                let passes = |fields: &Fields| fields.v > Some(2) && fields.t.is_some();
                let key = row.key.unwrap();
                let new = row.value.filter(passes);
                let old = match new {
                    Some(fields) => table.insert(key, fields),
                    None => table.remove(key),
                };
                let mut groups: Vec<_> = old.into_iter().chain(new).filter_map(|fields| fields.t).collect();
                groups.dedup();
                for group in groups {
                    let count = table.values().filter(|fields| fields.t == Some(group)).count();
                    let was = passed.contains(group);
                    if count > 1 { passed.insert(group); } else { passed.remove(group); }
                    if count > 1 || was {
                        expected.push((group.to_owned(), (count > 1).then(|| count.to_string())));
                    }
                }
            }
            let results: Vec<_> = epoch.results.into_iter().map(|change| (change.key.text, change.value)).collect();
            prop_assert_eq!(results, expected);
        }
    }
}

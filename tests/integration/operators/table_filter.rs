//! `WHERE` on a table, and `HAVING`.

use std::collections::BTreeSet;

use proptest::option;
use proptest::prelude::*;

use super::aggregate::{self, Windows, windows};
use super::cases;
use super::change::{Change, Key, Readers, sorted, text};
use super::fold::{AGGREGATES, BY_OFFSET};
use super::history::{history, keyed};
use super::query::Query;
use super::row::Row;
use super::session::{self, gap};
use super::stream_table::columns;

/// Lets pass what a condition is true for, and deletes what passed before and no longer does.
#[derive(Default)]
struct Oracle {
    passed: BTreeSet<Key>,
}

impl Oracle {
    fn step(&mut self, change: Change, passes: impl Fn(&Change) -> bool) -> Option<Change> {
        if change.value.is_some() && passes(&change) {
            self.passed.insert(change.key.clone());
            return Some(change);
        }
        self.passed.remove(&change.key).then_some(Change { value: None, ..change })
    }
}

/// A table's record as a change of the table.
fn change(row: &Row) -> Change {
    let key = Key { window: None, text: row.key.unwrap().to_owned() };
    Change { key, value: row.value.map(|fields| text(columns(&fields))), rowtime: row.time }
}

/// `HAVING SUM(v) % 2 = 0`, of a row of [`AGGREGATES`].
fn is_even(change: &Change) -> bool {
    let total = change.value.as_ref().unwrap().split(' ').nth(2).unwrap();
    total.parse::<i64>().unwrap() % 2 == 0
}

fn having(aggregates: &str, windows: &str) -> Query {
    Query::new(&format!("SELECT k, {aggregates} FROM s {windows} GROUP BY k HAVING SUM(v) % 2 = 0 EMIT CHANGES"))
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn a_row_that_no_longer_passes_is_deleted_once(each in any::<bool>(), history in history(1)) {
        let query = Query::new("SELECT k, v, t FROM d WHERE v > 3 EMIT CHANGES");
        let history = keyed(history);
        let run = if each { query.run_each(&history) } else { query.run(&history) };
        let mut oracle = Oracle::default();
        let passes = |row: &Row| row.value.is_some_and(|fields| fields.v > Some(3));
        for epoch in run.epochs {
            let expected: Vec<Change> =
                epoch.rows.iter().filter_map(|row| oracle.step(change(row), |_| passes(row))).collect();
            prop_assert_eq!(epoch.results, expected);
        }
        prop_assert_eq!(run.kept, [oracle.passed.len()], "what is kept");
    }

    #[test]
    fn a_group_that_no_longer_passes_is_deleted_once(windows in option::of(windows()), history in history(1)) {
        let aggregates = format!("{AGGREGATES}, {BY_OFFSET}");
        let run = having(&aggregates, &windows.map_or_else(String::new, Windows::sql)).run(&history);
        let (mut groups, mut readers, mut oracle) =
            (aggregate::Oracle::new(windows), Readers::default(), Oracle::default());
        for epoch in run.epochs {
            let updates = readers.merge(epoch.rows.iter().flat_map(|row| groups.step(row)));
            let expected: Vec<Change> = updates.into_iter().filter_map(|change| oracle.step(change, is_even)).collect();
            prop_assert_eq!(sorted(epoch.results), expected);
        }
        oracle.passed.retain(|key| !groups.is_closed(key));
        prop_assert_eq!(run.kept[0], oracle.passed.len(), "what is kept");
    }

    #[test]
    fn a_session_that_no_longer_passes_or_has_moved_is_deleted_once(gap in gap(), history in history(1)) {
        let run = having(AGGREGATES, &gap.sql()).run(&history);
        let (mut sessions, mut readers, mut oracle) =
            (session::Oracle::new(gap), Readers::default(), Oracle::default());
        for epoch in run.epochs {
            let updates = readers.merge(epoch.rows.iter().flat_map(|row| sessions.step(row).1));
            let expected: Vec<Change> = updates.into_iter().filter_map(|change| oracle.step(change, is_even)).collect();
            prop_assert_eq!(sorted(epoch.results), expected);
        }
        oracle.passed.retain(|key| !sessions.is_closed(key));
        prop_assert_eq!(run.kept[0], oracle.passed.len(), "what is kept");
    }
}

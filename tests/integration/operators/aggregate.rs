//! Aggregates without windows and with windows of a fixed length, and `EMIT FINAL`.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;

use super::cases;
use super::change::{Change, Key, Readers, sorted};
use super::fold::{AGGREGATES, BY_OFFSET, aggregates, by_offset};
use super::history::{Step, history, long_history};
use super::query::Query;
use super::row::{Fields, Row};

/// Windows of a fixed length; they start at every multiple of the advance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    size_ms: i64,
    advance_ms: i64,
    grace_ms: i64,
}

impl Windows {
    pub(super) fn sql(self) -> String {
        let Self { size_ms, advance_ms, grace_ms } = self;
        let kind = if size_ms == advance_ms { "TUMBLING" } else { "HOPPING" };
        let advance = format!("ADVANCE BY {advance_ms} MILLISECONDS, ");
        let advance = if size_ms == advance_ms { "" } else { &advance };
        format!("WINDOW {kind} (SIZE {size_ms} MILLISECONDS, {advance}GRACE PERIOD {grace_ms} MILLISECONDS)")
    }

    /// The windows that a time lies in; none starts before 0.
    fn at(self, time: i64) -> impl Iterator<Item = (i64, i64)> {
        let earliest = (time - self.size_ms).max(0);
        let starts = (earliest..=time).filter(move |start| start % self.advance_ms == 0);
        starts.map(move |start| (start, start + self.size_ms)).filter(move |(_, end)| time < *end)
    }
}

/// Windows with and without overlap, of lengths that are multiples of their advance and such that are not.
pub(super) fn windows() -> impl Strategy<Value = Windows> {
    const SIZES: &[(i64, i64)] = &[(10, 10), (7, 7), (1, 1), (10, 5), (10, 4), (9, 2)];
    (select(SIZES), select([0, 5, 30, 1000].as_slice())).prop_map(|((size_ms, advance_ms), grace_ms)| Windows {
        size_ms,
        advance_ms,
        grace_ms,
    })
}

/// Takes records one by one and keeps every row of every group.
///
/// The stream's time is the greatest of the times so far, that of the row itself among them. A row belongs
/// to the windows that its time lies in; a window is closed, and takes no row any more, once the
/// stream's time has reached its end and grace.
pub(super) struct Oracle {
    windows: Option<Windows>,
    stream_time: i64,
    groups: BTreeMap<Key, Vec<Row>>,
}

impl Oracle {
    pub(super) fn new(windows: Option<Windows>) -> Self {
        Self { windows, stream_time: -1, groups: BTreeMap::new() }
    }

    /// The updates that a record gives, in the order of the windows.
    pub(super) fn step(&mut self, row: &Row) -> Vec<Change> {
        // A row that has no value, or nothing to be grouped by, does not even tell the time.
        let (Some(key), Some(_)) = (row.key, row.value) else { return Vec::new() };
        self.stream_time = self.stream_time.max(row.time);
        let windows: Vec<_> = match self.windows {
            Some(windows) => windows.at(row.time).map(Some).collect(),
            None => vec![None],
        };
        let mut changes = Vec::new();
        for window in windows {
            let key = Key { window, text: key.to_owned() };
            if !self.is_closed(&key) {
                self.groups.entry(key.clone()).or_default().push(row.clone());
                changes.push(self.result(&key));
            }
        }
        changes
    }

    pub(super) fn is_closed(&self, key: &Key) -> bool {
        let (Some(windows), Some((_, end))) = (self.windows, key.window) else { return false };
        end + windows.grace_ms <= self.stream_time
    }

    fn result(&self, key: &Key) -> Change {
        let rows = &self.groups[key];
        let fields: Vec<Fields> = rows.iter().filter_map(|row| row.value).collect();
        let value = Some(format!("{} {}", aggregates(&fields), by_offset(&fields)));
        Change { key: key.clone(), value, rowtime: rows.iter().map(|row| row.time).max().unwrap() }
    }

    /// Takes out the groups whose windows are closed, with their last results, by window.
    fn close(&mut self) -> Vec<Change> {
        let closed: Vec<Key> = self.groups.keys().filter(|key| self.is_closed(key)).cloned().collect();
        let results = closed.iter().map(|key| self.result(key)).collect();
        closed.iter().for_each(|key| _ = self.groups.remove(key));
        results
    }
}

fn query(windows: Option<Windows>, emit: &str) -> Query {
    let windows = windows.map_or_else(String::new, Windows::sql);
    Query::new(&format!("SELECT k, {AGGREGATES}, {BY_OFFSET} FROM s {windows} GROUP BY k EMIT {emit}"))
}

/// Checks merged updates, and that closed windows have left the state.
fn check_merged(windows: Option<Windows>, history: &[Step]) -> Result<(), TestCaseError> {
    let run = query(windows, "CHANGES").run(history);
    let (mut oracle, mut readers) = (Oracle::new(windows), Readers::default());
    for epoch in run.epochs {
        let expected = readers.merge(epoch.rows.iter().flat_map(|row| oracle.step(row)));
        prop_assert_eq!(sorted(epoch.results), expected);
    }
    oracle.close();
    prop_assert_eq!(run.kept, [oracle.groups.len()], "what is kept");
    Ok(())
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn a_row_updates_every_open_window_it_lies_in(windows in proptest::option::of(windows()), history in history(1)) {
        let mut oracle = Oracle::new(windows);
        for epoch in query(windows, "CHANGES").run_each(&history).epochs {
            let expected: Vec<Change> = epoch.rows.iter().flat_map(|row| oracle.step(row)).collect();
            prop_assert_eq!(epoch.results, expected);
        }
    }

    #[test]
    fn an_epoch_updates_each_group_once(windows in proptest::option::of(windows()), history in history(1)) {
        check_merged(windows, &history)?;
    }

    #[test]
    fn a_final_result_comes_once_when_its_window_closes(windows in windows(), history in history(1)) {
        let run = query(Some(windows), "FINAL").run(&history);
        let mut oracle = Oracle::new(Some(windows));
        for epoch in run.epochs {
            let mut expected = Vec::new();
            for row in &epoch.rows {
                oracle.step(row);
                expected.extend(oracle.close());
            }
            // Windows come in the order of their ends; the groups of one window in any order.
            let mut results = epoch.results;
            results.chunk_by_mut(|a, b| a.key.window == b.key.window).for_each(<[Change]>::sort);
            prop_assert_eq!(results, expected);
        }
        prop_assert_eq!(run.kept, [oracle.groups.len()], "what is kept");
    }
}

proptest! {
    #![proptest_config(cases(3))]

    #[test]
    fn the_space_of_closed_windows_is_used_again(history in long_history()) {
        check_merged(Some(Windows { size_ms: 4, advance_ms: 2, grace_ms: 8 }), &history)?;
    }
}

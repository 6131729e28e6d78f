//! Aggregates by session.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;

use super::cases;
use super::change::{Change, Key, Readers, sorted};
use super::fold::{AGGREGATES, aggregates};
use super::history::{Step, history, scattered_history};
use super::query::Query;
use super::row::{Fields, Row};

/// A long time, after which no history ends.
const NEVER_MS: i64 = 1_000_000_000;

#[derive(Debug, Clone, Copy)]
pub(super) struct Gap {
    gap_ms: i64,
    grace_ms: i64,
}

impl Gap {
    pub(super) fn sql(self) -> String {
        let Self { gap_ms, grace_ms } = self;
        format!("WINDOW SESSION ({gap_ms} MILLISECONDS, GRACE PERIOD {grace_ms} MILLISECONDS)")
    }
}

pub(super) fn gap() -> impl Strategy<Value = Gap> {
    let (gaps, graces) = (select([1, 2, 5, 12].as_slice()), select([0, 3, 20, NEVER_MS].as_slice()));
    (gaps, graces).prop_map(|(gap_ms, grace_ms)| Gap { gap_ms, grace_ms })
}

/// The rows of a key that follow each other within the gap, with the place of each in the order of arrival.
///
/// When sessions meet, the rows of the later one are added behind those of the earlier one: that is the
/// order in which a list is collected.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) rows: Vec<(usize, Row)>,
}

impl Session {
    fn start(&self) -> i64 {
        self.rows.iter().map(|(_, row)| row.time).min().unwrap()
    }

    fn end(&self) -> i64 {
        self.rows.iter().map(|(_, row)| row.time).max().unwrap()
    }

    fn key(&self, key: &str) -> Key {
        Key { window: Some((self.start(), self.end())), text: key.to_owned() }
    }

    fn change(&self, key: &str, value: Option<String>) -> Change {
        Change { key: self.key(key), value, rowtime: self.end() }
    }
}

/// The result of a session.
pub(super) type Fold = fn(&Session) -> String;

fn by_session(session: &Session) -> String {
    aggregates(&session.rows.iter().filter_map(|(_, row)| row.value).collect::<Vec<Fields>>())
}

/// Takes records one by one and keeps every row of every session that is open.
///
/// A session is closed, and takes no row any more, once the stream's time is more than the gap and grace
/// past its end. A row joins all open sessions that it is at most the gap away from; if even the session that
/// comes of it would be closed, the row is late.
pub(super) struct Oracle {
    gap: Gap,
    fold: Fold,
    stream_time: i64,
    arrivals: usize,
    open: BTreeMap<&'static str, Vec<Session>>,
}

impl Oracle {
    pub(super) fn new(gap: Gap) -> Self {
        Self::with_result(gap, by_session)
    }

    pub(super) fn with_result(gap: Gap, fold: Fold) -> Self {
        Self { gap, fold, stream_time: -1, arrivals: 0, open: BTreeMap::new() }
    }

    pub(super) fn is_closed(&self, key: &Key) -> bool {
        key.window.is_some_and(|(_, end)| end + self.gap.gap_ms + self.gap.grace_ms < self.stream_time)
    }

    /// The sessions that the stream's time has closed, with their last results, and the changes that the
    /// record makes to the others: deletions of those that now have other bounds, then the session it is in.
    pub(super) fn step(&mut self, row: &Row) -> (Vec<Change>, Vec<Change>) {
        let (Some(key), Some(_)) = (row.key, row.value) else { return (Vec::new(), Vec::new()) };
        self.stream_time = self.stream_time.max(row.time);
        let closed = self.close();

        let Gap { gap_ms, .. } = self.gap;
        let meets = |session: &Session| session.start() - gap_ms <= row.time && row.time <= session.end() + gap_ms;
        let sessions = self.open.remove(key).unwrap_or_default();
        let (mut met, mut others): (Vec<Session>, Vec<Session>) = sessions.into_iter().partition(meets);
        met.sort_by_key(Session::start);
        self.arrivals += 1;
        let mut rows: Vec<(usize, Row)> = met.iter().flat_map(|session| session.rows.clone()).collect();
        rows.push((self.arrivals, row.clone()));
        let joined = Session { rows };

        let mut changes = Vec::new();
        // A row that is late has met nothing: what it meets is open and ends no later than what comes of it.
        if !self.is_closed(&joined.key(key)) {
            let moved = met.iter().filter(|session| session.key(key) != joined.key(key));
            changes.extend(moved.map(|session| session.change(key, None)));
            changes.push(joined.change(key, Some((self.fold)(&joined))));
            others.push(joined);
        }
        self.open.insert(key, others);
        (closed, changes)
    }

    fn close(&mut self) -> Vec<Change> {
        let mut results = Vec::new();
        for (key, sessions) in std::mem::take(&mut self.open) {
            let (closed, open) = sessions.into_iter().partition(|session| self.is_closed(&session.key(key)));
            let closed: Vec<Session> = closed;
            results.extend(closed.iter().map(|session| session.change(key, Some((self.fold)(session)))));
            self.open.insert(key, open);
        }
        results
    }

    fn open_count(&self) -> usize {
        self.open.values().map(Vec::len).sum()
    }
}

/// Rows in the order of their times, more or less, and in none.
pub(super) fn scattered() -> impl Strategy<Value = Vec<Step>> {
    prop_oneof![2 => history(1), 1 => scattered_history()]
}

pub(super) fn query(gap: Gap, aggregates: &str, emit: &str) -> Query {
    Query::new(&format!("SELECT k, {aggregates} FROM s {} GROUP BY k EMIT {emit}", gap.sql()))
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn a_row_joins_the_open_sessions_within_the_gap(gap in gap(), history in scattered()) {
        let mut oracle = Oracle::new(gap);
        for epoch in query(gap, AGGREGATES, "CHANGES").run_each(&history).epochs {
            let expected: Vec<Change> = epoch.rows.iter().flat_map(|row| oracle.step(row).1).collect();
            prop_assert_eq!(epoch.results, expected);
        }
    }

    #[test]
    fn an_epoch_updates_each_session_once(gap in gap(), history in scattered()) {
        let run = query(gap, AGGREGATES, "CHANGES").run(&history);
        let (mut oracle, mut readers) = (Oracle::new(gap), Readers::default());
        for epoch in run.epochs {
            let expected = readers.merge(epoch.rows.iter().flat_map(|row| oracle.step(row).1));
            prop_assert_eq!(sorted(epoch.results), expected);
        }
        prop_assert_eq!(run.kept, [oracle.open_count()], "what is kept");
    }

    #[test]
    fn a_final_result_comes_once_when_its_session_closes(gap in gap(), history in scattered()) {
        let run = query(gap, AGGREGATES, "FINAL").run(&history);
        let mut oracle = Oracle::new(gap);
        for epoch in run.epochs {
            let expected = epoch.rows.iter().flat_map(|row| oracle.step(row).0).collect();
            prop_assert_eq!(sorted(epoch.results), sorted(expected));
        }
        prop_assert_eq!(run.kept, [oracle.open_count()], "what is kept");
    }

    /// If nothing is ever late, sessions are the runs of times without a gap, whatever order rows came in.
    #[test]
    fn what_is_left_are_the_runs_of_times_without_a_gap(gap_ms in 1..15i64, history in scattered()) {
        let query = query(Gap { gap_ms, grace_ms: NEVER_MS }, "COUNT(*) AS n", "CHANGES");
        let mut left = BTreeMap::new();
        for change in query.run(&history).epochs.into_iter().flat_map(|epoch| epoch.results) {
            match change.value {
                Some(_) => _ = left.insert(change.key, ()),
                None => _ = left.remove(&change.key),
            }
        }
        let left: Vec<Key> = left.into_keys().collect();
        prop_assert_eq!(left, runs(&history, gap_ms));
    }
}

fn runs(history: &[Step], gap_ms: i64) -> Vec<Key> {
    let mut times: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for row in history.iter().map(|step| &step.row).filter(|row| row.value.is_some()) {
        row.key.into_iter().for_each(|key| times.entry(key).or_default().push(row.time));
    }
    let mut runs = Vec::new();
    for (key, mut times) in times {
        times.sort_unstable();
        let run = |run: &[i64]| Key { window: Some((run[0], run[run.len() - 1])), text: key.to_owned() };
        runs.extend(times.chunk_by(|a, b| b - a <= gap_ms).map(run));
    }
    runs.sort();
    runs
}

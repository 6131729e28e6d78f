//! Rows that wait while the user looks at those before them.

use std::thread;

use super::POLL;
use crate::{Event, Row, RowSource};

/// When so many rows wait, no more are asked for: then the query waits, too.
const WAITING_MAX: usize = 10_000;

/// What has come of a result and was not shown yet, in order.
#[derive(Default)]
pub(super) struct Waiting {
    rows: Vec<Row>,
    /// How the result has ended behind these rows.
    end: Option<Event>,
}

impl Waiting {
    /// How many rows wait, in words.
    pub(super) fn says(&self) -> String {
        let count = self.rows.len();
        let and_more = if self.is_full() && self.end.is_none() { ", and the query with them" } else { "" };
        format!("{count} {}{and_more}", if count == 1 { "row waits" } else { "rows wait" })
    }

    /// How many rows wait.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= WAITING_MAX
    }

    /// Lets what comes next wait, for a moment.
    pub(super) fn hold(&mut self, source: &mut dyn RowSource) {
        if self.is_full() || self.end.is_some() {
            thread::sleep(POLL);
            return;
        }
        match source.next(POLL) {
            Event::Rows(rows) => self.rows.extend(rows),
            Event::Idle | Event::Progress { .. } => {}
            end @ (Event::End | Event::Failed(_)) => self.end = Some(end),
        }
    }

    /// What comes next: first what has waited.
    pub(super) fn next(&mut self, source: &mut dyn RowSource) -> Event {
        if !self.rows.is_empty() {
            return Event::Rows(std::mem::take(&mut self.rows));
        }
        self.end.take().unwrap_or_else(|| source.next(POLL))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A result of numbered rows that come a thousand at a time, and then end.
    struct Numbers(std::ops::Range<i64>);

    impl RowSource for Numbers {
        fn columns(&self) -> &[(String, String)] {
            &[]
        }

        fn is_bounded(&self) -> bool {
            false
        }

        fn table_keys(&self) -> Option<&[usize]> {
            None
        }

        fn skipped(&self) -> Option<(&str, i64)> {
            None
        }

        fn next(&mut self, _: Duration) -> Event {
            let row = |n| Row { cells: vec![millstream_sql::Value::Integer(n)], is_deletion: false };
            let rows: Vec<Row> = self.0.by_ref().take(1000).map(row).collect();
            if rows.is_empty() { Event::End } else { Event::Rows(rows) }
        }
    }

    /// The numbers that come until the end.
    fn rest(waiting: &mut Waiting, source: &mut Numbers) -> Vec<Row> {
        let mut all = Vec::new();
        while let Event::Rows(rows) = waiting.next(source) {
            all.extend(rows);
        }
        all
    }

    #[test]
    fn no_more_than_a_bound_waits_and_nothing_is_lost() {
        let (mut source, mut waiting) = (Numbers(0..20_500), Waiting::default());
        for _ in 0..15 {
            waiting.hold(&mut source);
        }
        assert_eq!((waiting.len(), source.0.start), (10_000, 10_000));
        assert_eq!(waiting.says(), "10000 rows wait, and the query with them");
        let all = rest(&mut waiting, &mut source);
        assert!(all.iter().map(|row| row.cells[0].to_string()).eq((0..20_500).map(|n| n.to_string())));
    }

    #[test]
    fn an_end_waits_behind_the_rows() {
        let (mut source, mut waiting) = (Numbers(0..1), Waiting::default());
        for _ in 0..3 {
            waiting.hold(&mut source);
        }
        assert_eq!(waiting.says(), "1 row waits");
        assert_eq!(rest(&mut waiting, &mut source).len(), 1);
    }
}

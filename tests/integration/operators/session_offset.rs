//! `EARLIEST_BY_OFFSET` and `LATEST_BY_OFFSET` in sessions that meet.

use proptest::prelude::*;

use super::cases;
use super::change::Change;
use super::fold::{BY_OFFSET, by_offset};
use super::row::Fields;
use super::session::{Oracle, Session, gap, query, scattered};

/// However sessions meet, the earliest row of the one that comes of them is the one that arrived first.
fn by_arrival(session: &Session) -> String {
    let mut rows = session.rows.clone();
    rows.sort_by_key(|(arrival, _)| *arrival);
    by_offset(&rows.iter().filter_map(|(_, row)| row.value).collect::<Vec<Fields>>())
}

proptest! {
    #![proptest_config(cases(192))]

    #[test]
    fn rows_come_first_and_last_by_their_offsets(gap in gap(), history in scattered()) {
        let mut oracle = Oracle::with_result(gap, by_arrival);
        for epoch in query(gap, BY_OFFSET, "CHANGES").run_each(&history).epochs {
            let expected: Vec<Change> = epoch.rows.iter().flat_map(|row| oracle.step(row).1).collect();
            prop_assert_eq!(epoch.results, expected);
        }
    }
}

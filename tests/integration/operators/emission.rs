//! Updates of every record and updates merged by epoch: each operator alone gives the same table, or the same rows of a
//! stream, and keeps the same state.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;

use super::cases;
use super::change::{Change, Key, sorted};
use super::history::{Step, history, keyed, uncut};
use super::query::{Epoch, Query, Run};

/// A query of each operator that keeps a state.
const QUERIES: &[&str] = &[
    "SELECT k, COUNT(*) AS n, SUM(v) AS total, COLLECT_LIST(v) AS list FROM s GROUP BY k EMIT CHANGES",
    "SELECT k, COUNT(*) AS n, MAX(v) AS most FROM s WINDOW TUMBLING (SIZE 10 MILLISECONDS, GRACE PERIOD 20 MILLISECONDS) \
     GROUP BY k EMIT CHANGES",
    "SELECT k, COUNT(*) AS n, MIN(t) AS first FROM s \
     WINDOW HOPPING (SIZE 10 MILLISECONDS, ADVANCE BY 4 MILLISECONDS, GRACE PERIOD 5 MILLISECONDS) GROUP BY k EMIT CHANGES",
    "SELECT k, COUNT(*) AS n, SUM(v) AS total FROM s \
     WINDOW HOPPING (SIZE 9 MILLISECONDS, ADVANCE BY 2 MILLISECONDS, GRACE PERIOD 5 MILLISECONDS) GROUP BY k EMIT FINAL",
    "SELECT k, COUNT(*) AS n, COLLECT_LIST(v) AS list FROM s WINDOW SESSION (5 MILLISECONDS, GRACE PERIOD 20 MILLISECONDS) \
     GROUP BY k EMIT CHANGES",
    "SELECT k, COUNT(*) AS n, SUM(v) AS total FROM s WINDOW SESSION (5 MILLISECONDS, GRACE PERIOD 3 MILLISECONDS) \
     GROUP BY k EMIT FINAL",
    "SELECT k, COUNT(*) AS n FROM s GROUP BY k HAVING SUM(v) % 2 = 0 EMIT CHANGES",
    "SELECT k, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 10 MILLISECONDS, GRACE PERIOD 5 MILLISECONDS) GROUP BY k \
     HAVING SUM(v) % 2 = 0 EMIT CHANGES",
    "SELECT k, COUNT(*) AS n FROM s WINDOW SESSION (5 MILLISECONDS, GRACE PERIOD 3 MILLISECONDS) GROUP BY k \
     HAVING SUM(v) % 2 = 0 EMIT CHANGES",
    FILTER,
    "SELECT t, COUNT(*) AS n, SUM(v) AS total, HISTOGRAM(k) AS keys FROM d GROUP BY t EMIT CHANGES",
    "SELECT t, COUNT(*) AS n FROM d WHERE v > 2 GROUP BY t HAVING COUNT(*) > 1 EMIT CHANGES",
    "SELECT s.k AS k, s.v AS v, d.v AS dv FROM s LEFT JOIN d ON s.k = d.k EMIT CHANGES",
    "SELECT l.k AS k, l.v AS lv, r.v AS rv FROM l JOIN r WITHIN 9 MILLISECONDS ON l.k = r.k EMIT CHANGES",
    "SELECT ROWKEY AS k, l.v AS lv, r.v AS rv FROM l FULL OUTER JOIN r \
     WITHIN 9 MILLISECONDS GRACE PERIOD 4 MILLISECONDS ON l.k = r.k EMIT CHANGES",
    "SELECT d.k AS k, d.v AS dv, e.v AS ev FROM d JOIN e ON d.k = e.k EMIT CHANGES",
    "SELECT d.k AS k, d.v AS dv, e.v AS ev FROM d LEFT JOIN e ON d.k = e.k EMIT CHANGES",
    "SELECT ROWKEY AS k, d.v AS dv, e.v AS ev FROM d FULL OUTER JOIN e ON d.k = e.k EMIT CHANGES",
    "SELECT d.k AS k, d.v AS dv, e.v AS ev FROM wd d LEFT JOIN we e ON d.k = e.k EMIT CHANGES",
    "SELECT d.k AS k, d.v AS dv, e.v AS ev FROM d JOIN e ON CASE WHEN d.t = 'x' THEN 'a' WHEN d.t = 'y' THEN 'b' END = e.k \
     EMIT CHANGES",
    "SELECT d.k AS k, d.v AS dv, e.v AS ev FROM d LEFT JOIN e ON CASE WHEN d.t = 'x' THEN 'a' WHEN d.t = 'y' THEN 'b' END = e.k \
     EMIT CHANGES",
];

const FILTER: &str = "SELECT k, v, t FROM d WHERE v > 3 EMIT CHANGES";

/// What readers hold in the end: of a table the last row of each key, of a stream all rows.
fn held(query: &Query, run: Run) -> (Vec<Change>, Vec<usize>) {
    let (changes, kept) = (run.epochs.into_iter().flat_map(|epoch| epoch.results), run.kept);
    if !query.is_table() {
        return (sorted(changes.collect()), kept);
    }
    let last: BTreeMap<Key, Change> = changes.map(|change| (change.key.clone(), change)).collect();
    (last.into_values().filter(|change| change.value.is_some()).collect(), kept)
}

fn updates_each_key_once(epoch: &Epoch) -> bool {
    let keys: BTreeSet<&Key> = epoch.results.iter().map(|change| &change.key).collect();
    keys.len() == epoch.results.len()
}

/// The rows that the sources of a query hand on: those of more sources than it has are the others' as well.
fn of_its_sources(query: &Query, mut history: Vec<Step>) -> Vec<Step> {
    history.iter_mut().for_each(|step| step.row.input %= query.inputs());
    keyed(history)
}

proptest! {
    #![proptest_config(cases(192))]

    #[test]
    fn updates_of_each_record_come_to_the_same_as_merged_ones(sql in select(QUERIES), history in history(2)) {
        let query = Query::new(sql);
        let history = of_its_sources(&query, history);
        let merged = query.run(&history);
        // A filter of a table's own rows keeps nothing by which it could merge them.
        if query.is_table() && sql != FILTER {
            prop_assert!(merged.epochs.iter().all(updates_each_key_once), "{} updates a key twice in an epoch", sql);
        }
        let merged = held(&query, merged);
        prop_assert_eq!(&held(&query, query.run_each(&history)), &merged, "{}", sql);
        prop_assert_eq!(&held(&query, query.run(&uncut(&history))), &merged, "{} as one batch", sql);
    }
}

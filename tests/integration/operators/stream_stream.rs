//! Two streams joined by key and closeness in time.

use millstream_sql::Value;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::cases;
use super::change::{Change, Key, sorted, text};
use super::history::{history, keyed, uncut};
use super::query::{Query, Run};
use super::row::{Fields, Row};
use super::stream_table::columns;

const LEFT: usize = 0;
const RIGHT: usize = 1;

/// Without `GRACE PERIOD` late rows are taken for a day.
const DEFAULT_GRACE_MS: i64 = 24 * 3_600_000;

#[derive(Debug, Clone, Copy)]
struct Join {
    kind: &'static str,
    /// How much earlier than a left row its partner may be, and how much later.
    before_ms: i64,
    after_ms: i64,
    grace_ms: Option<i64>,
}

impl Join {
    fn query(self) -> Query {
        let Self { kind, before_ms, after_ms, grace_ms } = self;
        let grace = grace_ms.map_or_else(String::new, |grace_ms| format!("GRACE PERIOD {grace_ms} MILLISECONDS"));
        let key = if kind == "FULL OUTER" { "ROWKEY" } else { "l.k" };
        Query::new(&format!(
            "SELECT {key} AS k, r.k AS rk, l.v AS lv, l.t AS lt, r.v AS rv, r.t AS rt FROM l {kind} JOIN r \
             WITHIN ({before_ms} MILLISECONDS, {after_ms} MILLISECONDS) {grace} ON l.k = r.k EMIT CHANGES"
        ))
    }

    fn is_outer(self, side: usize) -> bool {
        matches!((self.kind, side), ("LEFT", LEFT) | ("RIGHT", RIGHT) | ("FULL OUTER", _))
    }

    /// Whether rows may be joined as far as their times go.
    fn is_near(self, left: i64, right: i64) -> bool {
        left - self.before_ms <= right && right <= left + self.after_ms
    }

    fn grace_ms(self) -> i64 {
        self.grace_ms.unwrap_or(DEFAULT_GRACE_MS)
    }

    /// The time up to which a row waits for its first partner.
    fn waits_until(self, row: &Row) -> i64 {
        let reach_ms = if row.input == LEFT { self.after_ms } else { self.before_ms };
        row.time + reach_ms + self.grace_ms()
    }

    /// The time of its own side up to which a row is kept, as long as in Kafka Streams.
    fn is_kept_until(self, row: &Row) -> i64 {
        row.time + self.before_ms + self.after_ms + self.grace_ms()
    }
}

fn join() -> impl Strategy<Value = Join> {
    let kind = select(["INNER", "LEFT", "RIGHT", "FULL OUTER"].as_slice());
    let grace = option::weighted(0.7, select([0, 4, 25].as_slice()));
    (kind, 0..12i64, 0..12i64, grace).prop_map(|(kind, before_ms, after_ms, grace_ms)| Join {
        kind,
        before_ms,
        after_ms,
        grace_ms,
    })
}

/// Takes records in the order in which the task does.
///
/// - Each side has its own time, the greatest of its rows' times, and keeps a row until its own time is
///   past what [`Join::is_kept_until`] says. So a late row is not kept, but finds partners all the same.
/// - Without `GRACE PERIOD` a row of an outer side that finds no partner when it comes is handed on alone at
///   once; a later partner is handed on with it as well.
/// - With `GRACE PERIOD` it is handed on alone, if it has found no partner by then, when the greater of both
///   times is past what [`Join::waits_until`] says: a row that moves the time closes what it closes before
///   it looks for its own partners. A row that comes when that has passed already does not wait.
/// - A row without a value is dropped. One without a key has no partner: it is handed on alone at once
///   where its side is an outer one (as in Kafka Streams since KIP-962), and otherwise dropped.
struct Oracle {
    join: Join,
    times: [i64; 2],
    kept: Vec<Kept>,
}

struct Kept {
    row: Row,
    /// Whether it will be handed on alone if no partner comes.
    waits: bool,
}

impl Oracle {
    fn new(join: Join) -> Self {
        Self { join, times: [-1, -1], kept: Vec::new() }
    }

    fn step(&mut self, row: &Row) -> Vec<Change> {
        let join = self.join;
        if row.value.is_none() {
            return Vec::new();
        }
        if row.key.is_none() {
            return if join.is_outer(row.input) { vec![alone(row)] } else { Vec::new() };
        }
        self.times[row.input] = self.times[row.input].max(row.time);
        let mut results = self.close();

        let mut found = false;
        for partner in self.kept.iter_mut().filter(|kept| kept.row.input != row.input && kept.row.key == row.key) {
            let (left, right) = if row.input == LEFT { (row, &partner.row) } else { (&partner.row, row) };
            if join.is_near(left.time, right.time) {
                results.push(joined(Some(left), Some(right)));
                partner.waits = false;
                found = true;
            }
        }
        self.kept.push(Kept { row: row.clone(), waits: join.is_outer(row.input) && !found });
        results.extend(self.close());
        results
    }

    /// Hands on what has waited in vain, and drops what its side need not keep any more.
    fn close(&mut self) -> Vec<Change> {
        let (join, times) = (self.join, self.times);
        let latest = times[LEFT].max(times[RIGHT]);
        let gives_up = |row: &Row| join.grace_ms.is_none() || join.waits_until(row) < latest;
        let mut results = Vec::new();
        for kept in self.kept.iter_mut().filter(|kept| kept.waits && gives_up(&kept.row)) {
            kept.waits = false;
            results.push(alone(&kept.row));
        }
        self.kept.retain(|kept| times[kept.row.input] <= join.is_kept_until(&kept.row));
        results
    }
}

fn alone(row: &Row) -> Change {
    if row.input == LEFT { joined(Some(row), None) } else { joined(None, Some(row)) }
}

/// A result; its time is the later of both rows'.
fn joined(left: Option<&Row>, right: Option<&Row>) -> Change {
    let key = |row: Option<&Row>| row.and_then(|row| row.key).map_or(Value::Null, |key| Value::String(key.to_owned()));
    let nothing = Fields { v: None, t: None };
    let value = |row: Option<&Row>| columns(&row.and_then(|row| row.value).unwrap_or(nothing));
    let value = text([key(right)].into_iter().chain(value(left)).chain(value(right)));
    let rowtime = [left, right].into_iter().flatten().map(|row| row.time).max().unwrap();
    // The key is that of whichever row is there.
    Change { key: Key { window: None, text: key(left.or(right)).to_string() }, value: Some(value), rowtime }
}

fn check(join: Join, run: Run) -> Result<(), TestCaseError> {
    let mut oracle = Oracle::new(join);
    for epoch in run.epochs {
        let expected = epoch.rows.iter().flat_map(|row| oracle.step(row)).collect();
        prop_assert_eq!(sorted(epoch.results), sorted(expected));
    }
    prop_assert_eq!(run.kept, [oracle.kept.len()], "what is kept");
    Ok(())
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn each_row_finds_its_partners(join in join(), history in history(2).prop_map(keyed)) {
        check(join, join.query().run_each(&history))?;
    }

    #[test]
    fn an_epoch_gives_what_its_rows_give_one_by_one(join in join(), history in history(2).prop_map(keyed)) {
        check(join, join.query().run(&history))?;
    }

    #[test]
    fn a_row_without_a_key_has_no_partner(join in join(), history in history(2)) {
        check(join, join.query().run_each(&history))?;
    }

    #[test]
    fn results_come_in_one_order_however_rows_are_cut(join in join(), history in history(2)) {
        let results = |run: Run| -> Vec<Change> { run.epochs.into_iter().flat_map(|epoch| epoch.results).collect() };
        let query = join.query();
        let whole = results(query.run(&uncut(&history)));
        prop_assert_eq!(results(query.run(&history)), whole.clone());
        prop_assert_eq!(results(query.run_each(&history)), whole);
    }
}

//! Tables joined on their primary keys.

use std::collections::BTreeMap;

use millstream_sql::Value;
use proptest::prelude::*;
use proptest::sample::select;

use super::cases;
use super::change::{Change, Key, Readers, sorted, text};
use super::history::history;
use super::query::Query;
use super::row::Row;
use super::stream_table::columns;

const KINDS: [&str; 4] = ["INNER", "LEFT", "RIGHT", "FULL OUTER"];

/// A row of a table: its columns and its time.
type Stored = (Vec<Value>, i64);

/// A change of a table: a row's key, what it is now or `None`, and its time.
#[derive(Clone)]
struct Update {
    key: Key,
    row: Option<Vec<Value>>,
    time: i64,
}

/// Takes changes one by one.
///
/// A joined row is there when both rows are, and when one is whose side is an outer one; its time is the later of
/// theirs. A change hands on what the joined row is then; a deletion only if the row was there before. A deletion of
/// what is not there changes nothing.
struct Oracle {
    kind: &'static str,
    sides: [BTreeMap<Key, Stored>; 2],
    widths: [usize; 2],
}

impl Oracle {
    fn new(kind: &'static str, widths: [usize; 2]) -> Self {
        Self { kind, sides: [BTreeMap::new(), BTreeMap::new()], widths }
    }

    fn joined(&self, key: &Key) -> Option<Vec<Value>> {
        let [left, right] = self.sides.each_ref().map(|side| side.get(key));
        let is_there = match self.kind {
            "INNER" => left.is_some() && right.is_some(),
            "LEFT" => left.is_some(),
            "RIGHT" => right.is_some(),
            _ => left.is_some() || right.is_some(),
        };
        let side = |row: Option<&Stored>, width| row.map_or(vec![Value::Null; width], |(columns, _)| columns.clone());
        is_there.then(|| [side(left, self.widths[0]), side(right, self.widths[1])].concat())
    }

    fn step(&mut self, side: usize, update: Update) -> Option<Update> {
        let Update { key, row, time } = update;
        let before = self.joined(&key);
        let old = match row {
            Some(row) => self.sides[side].insert(key.clone(), (row, time)).or(Some((Vec::new(), 0))),
            None => self.sides[side].remove(&key),
        };
        old?;
        let time = self.sides[1 - side].get(&key).map_or(time, |(_, other)| time.max(*other));
        let row = self.joined(&key);
        (row.is_some() || before.is_some()).then_some(Update { key, row, time })
    }
}

/// A record of a table whose keys carry windows, or do not: a row of another window is another row.
fn update(row: &Row, is_windowed: bool) -> Option<Update> {
    let columns = row.value.map(|fields| columns(&fields).to_vec());
    let key = Key { window: is_windowed.then(|| row.window()), text: row.key?.to_owned() };
    Some(Update { key, row: columns, time: row.time })
}

fn change(update: Update) -> Change {
    Change { key: update.key, value: update.row.map(text), rowtime: update.time }
}

/// What a reader of a changelog holds after it.
fn apply(table: &mut BTreeMap<Key, String>, changes: Vec<Change>) {
    for change in changes {
        match change.value {
            Some(value) => table.insert(change.key, value),
            None => table.remove(&change.key),
        };
    }
}

proptest! {
    #![proptest_config(cases(192))]

    #[test]
    fn two_tables(
        kind in select(KINDS.as_slice()),
        is_windowed in any::<bool>(),
        each in any::<bool>(),
        history in history(2),
    ) {
        let key = if kind == "FULL OUTER" { "ROWKEY" } else { "e.k" };
        let window = if is_windowed { "w" } else { "" };
        let query = Query::new(&format!(
            "SELECT {key} AS k, d.v AS dv, d.t AS dt, e.v AS ev, e.t AS et \
             FROM {window}d d {kind} JOIN {window}e e ON d.k = e.k EMIT CHANGES"
        ));
        let run = if each { query.run_each(&history) } else { query.run(&history) };
        let (mut oracle, mut readers) = (Oracle::new(kind, [2, 2]), Readers::default());
        for epoch in run.epochs {
            let updates = epoch.rows.iter().filter_map(|row| oracle.step(row.input, update(row, is_windowed)?));
            let changes = updates.map(change);
            if each {
                prop_assert_eq!(epoch.results, changes.collect::<Vec<Change>>());
            } else {
                prop_assert_eq!(sorted(epoch.results), readers.merge(changes));
            }
        }
    }

    #[test]
    fn three_tables(kinds in [select(&KINDS[..2]), select(&KINDS[..2])], each in any::<bool>(), history in history(3)) {
        let [first, second] = kinds;
        let query = Query::new(&format!(
            "SELECT d.k AS k, d.v AS dv, d.t AS dt, e.v AS ev, e.t AS et, f.v AS fv, f.t AS ft \
             FROM d {first} JOIN e ON d.k = e.k {second} JOIN f ON d.k = f.k EMIT CHANGES"
        ));
        let run = if each { query.run_each(&history) } else { query.run(&history) };
        let (mut table, mut expected_table) = (BTreeMap::new(), BTreeMap::new());
        let (mut below, mut above) = (Oracle::new(first, [2, 2]), Oracle::new(second, [4, 2]));
        for epoch in run.epochs {
            let mut step = |row: &Row| {
                let update = update(row, false)?;
                let (side, update) = if row.input == 2 { (1, update) } else { (0, below.step(row.input, update)?) };
                above.step(side, update)
            };
            let expected: Vec<Change> = epoch.rows.iter().filter_map(&mut step).map(change).collect();
            if each {
                prop_assert_eq!(epoch.results, expected);
            } else {
                // The first join hands its rows on after those of the third table, and a deletion leaves no time.
                apply(&mut expected_table, expected);
                apply(&mut table, epoch.results);
                prop_assert_eq!(&table, &expected_table);
            }
        }
    }
}

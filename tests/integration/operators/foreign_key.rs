//! A table joined with the table that it refers to.

use std::collections::BTreeMap;

use millstream_sql::Value;
use proptest::prelude::*;

use super::cases;
use super::change::{Change, Key, text};
use super::history::history;
use super::query::Query;
use super::row::{Fields, Row};
use super::stream_table::columns;

const LEFT: usize = 0;

/// The foreign key of a row; what it names may not be there, and some rows refer to nothing.
const FOREIGN_KEY: &str = "CASE WHEN d.t = 'x' THEN 'a' WHEN d.t = 'y' THEN 'b' WHEN d.t = 'zz' THEN 'nowhere' END";

fn foreign_key(fields: &Fields) -> Option<&'static str> {
    match fields.t? {
        "x" => Some("a"),
        "y" => Some("b"),
        "zz" => Some("nowhere"),
        _ => None,
    }
}

/// Takes records one by one.
///
/// - A left row is joined with the row that it refers to. If there is none, or it refers to nothing, it stands alone in a left
///   join; in an inner one it deletes, if an earlier row of its key referred to something, and is otherwise silent.
/// - A left deletion deletes, if what it deletes referred to something or stood alone.
/// - A right row is joined with every row that refers to it, in the order of their keys. A right deletion leaves
///   them alone in a left join and deletes them in an inner one.
/// - The time is the later of both rows', also where the right row is deleted; of a left deletion it is its own.
struct Oracle {
    is_left: bool,
    left: BTreeMap<&'static str, (Fields, i64)>,
    right: BTreeMap<&'static str, (Fields, i64)>,
}

impl Oracle {
    fn joined(&self, own: &Fields, other: Option<&Fields>) -> Option<String> {
        let nothing = Fields { v: None, t: None };
        let is_there = other.is_some() || self.is_left;
        is_there.then(|| text(columns(own).into_iter().chain(columns(other.unwrap_or(&nothing)))))
    }

    fn step(&mut self, row: &Row) -> Vec<Change> {
        let Some(key) = row.key else { return Vec::new() };
        if row.input == LEFT { self.refer(key, row).into_iter().collect() } else { self.change(key, row) }
    }

    fn refer(&mut self, key: &'static str, row: &Row) -> Option<Change> {
        let old = match row.value {
            Some(fields) => self.left.insert(key, (fields, row.time)),
            None => self.left.remove(key),
        };
        let referred = old.and_then(|(fields, _)| foreign_key(&fields));
        let refers = row.value.and_then(|fields| foreign_key(&fields));
        let found = refers.and_then(|asked| self.right.get(asked));
        let rowtime = found.map_or(row.time, |(_, time)| row.time.max(*time));
        let value = row.value.and_then(|own| self.joined(&own, found.map(|(fields, _)| fields)));
        let was_there = referred.is_some() || (self.is_left && old.is_some());
        let key = Key { window: None, text: key.to_owned() };
        (value.is_some() || was_there).then_some(Change { key, value, rowtime })
    }

    fn change(&mut self, key: &'static str, row: &Row) -> Vec<Change> {
        match row.value {
            Some(fields) => self.right.insert(key, (fields, row.time)),
            None => self.right.remove(key),
        };
        let referring = self.left.iter().filter(|(_, (fields, _))| foreign_key(fields) == Some(key));
        let change = |(left_key, (own, time)): (&&str, &(Fields, i64))| Change {
            key: Key { window: None, text: (*left_key).to_owned() },
            value: self.joined(own, row.value.as_ref()),
            rowtime: row.time.max(*time),
        };
        referring.map(change).collect()
    }
}

/// What a reader of a changelog holds after it.
fn apply(table: &mut BTreeMap<Key, (String, i64)>, changes: impl IntoIterator<Item = Change>) {
    for change in changes {
        match change.value {
            Some(value) => table.insert(change.key, (value, change.rowtime)),
            None => table.remove(&change.key),
        };
    }
}

fn query(is_left: bool) -> Query {
    let kind = if is_left { "LEFT" } else { "INNER" };
    Query::new(&format!(
        "SELECT d.k AS k, d.v AS dv, d.t AS dt, e.v AS ev, e.t AS et FROM d {kind} JOIN e ON {FOREIGN_KEY} = e.k \
         EMIT CHANGES"
    ))
}

proptest! {
    #![proptest_config(cases(192))]

    #[test]
    fn every_row_gives_its_changes(is_left in any::<bool>(), history in history(2)) {
        let mut oracle = Oracle { is_left, left: BTreeMap::new(), right: BTreeMap::new() };
        for epoch in query(is_left).run_each(&history).epochs {
            let expected: Vec<Change> = epoch.rows.iter().flat_map(|row| oracle.step(row)).collect();
            prop_assert_eq!(epoch.results, expected);
        }
    }

    /// Rows that are replaced before they are answered may give no change of their own.
    #[test]
    fn every_epoch_gives_the_same_table(is_left in any::<bool>(), history in history(2)) {
        let mut oracle = Oracle { is_left, left: BTreeMap::new(), right: BTreeMap::new() };
        let (mut table, mut expected) = (BTreeMap::new(), BTreeMap::new());
        for epoch in query(is_left).run(&history).epochs {
            apply(&mut expected, epoch.rows.iter().flat_map(|row| oracle.step(row)));
            apply(&mut table, epoch.results);
            prop_assert_eq!(&table, &expected);
        }
    }

    /// The table that the first join makes is kept by the second in its own changelog.
    #[test]
    fn a_join_on_the_key_follows(is_left in any::<bool>(), history in history(3)) {
        let kind = if is_left { "LEFT" } else { "INNER" };
        let query = Query::new(&format!(
            "SELECT d.k AS k, d.v AS dv, d.t AS dt, e.v AS ev, e.t AS et, f.v AS fv, f.t AS ft \
             FROM d {kind} JOIN e ON {FOREIGN_KEY} = e.k LEFT JOIN f ON d.k = f.k EMIT CHANGES"
        ));
        let mut oracle = Oracle { is_left, left: BTreeMap::new(), right: BTreeMap::new() };
        let (mut table, mut below) = (BTreeMap::new(), BTreeMap::new());
        let mut last: BTreeMap<Key, (Option<Fields>, i64)> = BTreeMap::new();
        for epoch in query.run(&history).epochs {
            for row in &epoch.rows {
                if row.input < 2 {
                    apply(&mut below, oracle.step(row));
                } else if let Some(key) = row.key {
                    last.insert(Key { window: None, text: key.to_owned() }, (row.value, row.time));
                }
            }
            apply(&mut table, epoch.results);
            let found: BTreeMap<&Key, &String> = table.iter().map(|(key, (value, _))| (key, value)).collect();
            let full = |(key, (value, _)): (&Key, &(String, i64))| {
                let other = last.get(key).and_then(|(fields, _)| *fields);
                let other = other.map_or([Value::Null, Value::Null], |fields| columns(&fields));
                (key.clone(), format!("{value} {}", text(other)))
            };
            let expected: BTreeMap<Key, String> = below.iter().map(full).collect();
            let found: BTreeMap<Key, String> = found.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect();
            prop_assert_eq!(found, expected);
        }
    }
}

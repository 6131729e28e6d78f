//! A stream looked up in a table.

use std::collections::BTreeMap;

use millstream_sql::Value;
use proptest::prelude::*;

use super::cases;
use super::change::{Change, Key, text};
use super::history::history;
use super::query::Query;
use super::row::{Fields, Row};

const STREAM: usize = 0;

/// Takes records in the order in which the task does.
///
/// A row of the table replaces the earlier one of its key, or deletes it if it has no value. A row of the
/// stream is joined with what the table holds under its key at that moment; one without a key or without a
/// value is dropped.
struct Oracle {
    is_left: bool,
    table: BTreeMap<&'static str, Fields>,
}

impl Oracle {
    fn step(&mut self, row: &Row) -> Option<Change> {
        let key = row.key?;
        if row.input != STREAM {
            match row.value {
                Some(fields) => self.table.insert(key, fields),
                None => self.table.remove(key),
            };
            return None;
        }
        let own = row.value?;
        let found = self.table.get(key);
        if found.is_none() && !self.is_left {
            return None;
        }
        let nothing = Fields { v: None, t: None };
        let value = text(columns(&own).into_iter().chain(columns(found.unwrap_or(&nothing))));
        let key = Key { window: None, text: key.to_owned() };
        Some(Change { key, value: Some(value), rowtime: row.time })
    }
}

/// The columns of a value.
pub(super) fn columns(fields: &Fields) -> [Value; 2] {
    [
        fields.v.map_or(Value::Null, |v| Value::Integer(v.into())),
        fields.t.map_or(Value::Null, |t| Value::String(t.to_owned())),
    ]
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn a_row_finds_what_the_table_holds_when_it_comes(is_left in any::<bool>(), each in any::<bool>(), history in history(2)) {
        let kind = if is_left { "LEFT" } else { "INNER" };
        let query = Query::new(&format!(
            "SELECT s.k AS k, s.v AS v, s.t AS t, d.v AS dv, d.t AS dt FROM s {kind} JOIN d ON s.k = d.k EMIT CHANGES"
        ));
        let run = if each { query.run_each(&history) } else { query.run(&history) };
        let mut oracle = Oracle { is_left, table: BTreeMap::new() };
        for epoch in run.epochs {
            let expected: Vec<Change> = epoch.rows.iter().filter_map(|row| oracle.step(row)).collect();
            prop_assert_eq!(epoch.results, expected);
        }
    }
}

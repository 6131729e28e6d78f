//! Results: rows of a changelog or of a stream.

use std::collections::{BTreeMap, BTreeSet};

use millstream_exec::{Batch, value_at};
use millstream_sql::Value;

/// What a result's row is found by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The start and the end of its window.
    pub(super) window: Option<(i64, i64)>,
    pub(super) text: String,
}

/// A row of a result.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Change {
    pub(super) key: Key,
    /// The columns beside the key, as text; `None` deletes.
    pub(super) value: Option<String>,
    pub(super) rowtime: i64,
}

/// Columns as the text that they are compared by.
pub(super) fn text(values: impl IntoIterator<Item = Value>) -> String {
    values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>().join(" ")
}

/// The rows of a batch, of which the columns at `keys` are the key.
pub(super) fn changes(batch: &Batch, keys: &[usize]) -> Vec<Change> {
    let times = batch.rowtimes().unwrap();
    let width = batch.rows.num_columns() - 1;
    let bounds = |row| {
        let [start, end] = batch.window.as_ref()?.each_ref().map(|bound| match value_at(bound, row) {
            Value::Integer(bound) => bound,
            other => panic!("a window is bounded by {other}"),
        });
        Some((start, end))
    };
    let change = |row| {
        let columns = |is_key| {
            let columns = (0..width).filter(move |at| keys.contains(at) == is_key);
            text(columns.map(|at| value_at(batch.column(at).unwrap(), row)))
        };
        let key = Key { window: bounds(row), text: columns(true) };
        Change { key, value: batch.is_live(row).then(|| columns(false)), rowtime: times.value(row) }
    };
    (0..batch.len()).map(change).collect()
}

/// Those who read a result, to whom only what has changed is worth telling.
#[derive(Debug, Default)]
pub(super) struct Readers {
    known: BTreeSet<Key>,
}

impl Readers {
    /// What is left of an epoch's changes when the updates of each key are merged into one, by key: the
    /// last one, unless it deletes what no reader knows.
    pub(super) fn merge(&mut self, changes: impl IntoIterator<Item = Change>) -> Vec<Change> {
        let last: BTreeMap<Key, Change> = changes.into_iter().map(|change| (change.key.clone(), change)).collect();
        let mut merged: Vec<Change> = last.into_values().collect();
        merged.retain(|change| match change.value {
            Some(_) => {
                self.known.insert(change.key.clone());
                true
            }
            None => self.known.remove(&change.key),
        });
        merged
    }
}

/// Results of an epoch in an order of their own, where that of the operator means nothing.
pub(super) fn sorted(mut changes: Vec<Change>) -> Vec<Change> {
    changes.sort();
    changes
}

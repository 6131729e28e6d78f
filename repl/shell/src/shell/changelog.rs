//! What each row of a table's push query does: adds a row, replaces or removes one.

use std::collections::HashMap;

use millstream_sql::Value;

use crate::Row;

/// Rows with the operation in front; of a row that is replaced the old one comes first.
#[derive(Debug, Default)]
pub(crate) struct Changelog {
    /// The places of the key; none for a stream, whose every row is an addition.
    keys: Vec<usize>,
    /// The row of each key, by the key's text.
    rows: HashMap<String, Vec<Value>>,
}

impl Changelog {
    pub(crate) fn new(keys: Vec<usize>) -> Self {
        Self { keys, rows: HashMap::new() }
    }

    pub(crate) fn apply(&mut self, row: Row) -> Vec<Vec<Value>> {
        let with = |op: &str, cells: Vec<Value>| [vec![Value::String(op.to_owned())], cells].concat();
        if self.keys.is_empty() {
            return vec![with("+I", row.cells)];
        }
        let key = self.keys.iter().filter_map(|at| row.cells.get(*at)).map(|cell| format!("{cell:?}\u{0}")).collect();
        match (row.is_deletion, self.rows.remove(&key)) {
            (true, Some(old)) => vec![with("-D", old)],
            (true, None) => vec![with("-D", row.cells)],
            (false, old) => {
                self.rows.insert(key, row.cells.clone());
                match old {
                    Some(old) => vec![with("-U", old), with("+U", row.cells)],
                    None => vec![with("+I", row.cells)],
                }
            }
        }
    }
}

//! What each row of a table's push query does: adds a row, replaces or removes one.

use std::collections::HashMap;

use millstream_sql::Value;

use crate::Row;

/// So many rows are kept while nobody looks at the changelog but somebody may switch to it.
const UNSEEN_ROWS_MAX: usize = 100_000;

/// Rows with the operation in front; of a row that is replaced the old one comes first.
#[derive(Debug, Default)]
pub(crate) struct Changelog {
    /// The places of the key; none for a stream, whose every row is an addition.
    keys: Vec<usize>,
    /// The row of each key, by the key's text; none if they were too many to be kept unseen.
    rows: Option<HashMap<String, Vec<Value>>>,
}

impl Changelog {
    pub(crate) fn new(keys: Vec<usize>) -> Self {
        Self { keys, rows: Some(HashMap::new()) }
    }

    /// Whether it is known what the next rows do.
    pub(crate) fn is_known(&self) -> bool {
        self.rows.is_some()
    }

    /// Takes note of a row that is not shown here.
    pub(crate) fn note(&mut self, row: &Row) {
        let Some(rows) = self.rows.as_mut().filter(|_| !self.keys.is_empty()) else { return };
        let key = key(&self.keys, row);
        if row.is_deletion {
            rows.remove(&key);
        } else {
            rows.insert(key, row.cells.clone());
        }
        if rows.len() > UNSEEN_ROWS_MAX {
            self.rows = None;
        }
    }

    /// What a row does, as rows.
    pub(crate) fn apply(&mut self, row: Row) -> Vec<Vec<Value>> {
        let with = |op: &str, cells: Vec<Value>| [vec![Value::String(op.to_owned())], cells].concat();
        let Some(rows) = self.rows.as_mut().filter(|_| !self.keys.is_empty()) else {
            return vec![with("+I", row.cells)];
        };
        let key = key(&self.keys, &row);
        match (row.is_deletion, rows.remove(&key)) {
            (true, Some(old)) => vec![with("-D", old)],
            (true, None) => vec![with("-D", row.cells)],
            (false, old) => {
                rows.insert(key, row.cells.clone());
                match old {
                    Some(old) => vec![with("-U", old), with("+U", row.cells)],
                    None => vec![with("+I", row.cells)],
                }
            }
        }
    }
}

fn key(keys: &[usize], row: &Row) -> String {
    keys.iter().filter_map(|at| row.cells.get(*at)).map(|cell| format!("{cell:?}\u{0}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: i64, text: &str) -> Row {
        Row { cells: vec![Value::Integer(key), Value::String(text.to_owned())], is_deletion: false }
    }

    #[test]
    fn rows_that_were_only_noted_count() {
        let mut changelog = Changelog::new(vec![0]);
        changelog.note(&row(1, "a"));
        changelog.note(&row(2, "b"));
        changelog.note(&Row { is_deletion: true, ..row(2, "") });
        let ops = |lines: Vec<Vec<Value>>| lines.iter().map(|cells| cells[0].to_string()).collect::<Vec<_>>();
        assert_eq!(ops(changelog.apply(row(1, "c"))), ["-U", "+U"]);
        assert_eq!(ops(changelog.apply(row(2, "c"))), ["+I"]);
        assert_eq!(ops(changelog.apply(Row { is_deletion: true, ..row(1, "") })), ["-D"]);
    }

    #[test]
    fn more_rows_than_anybody_reads_are_not_kept_unseen() {
        let mut changelog = Changelog::new(vec![0]);
        for key in 0..=100_000 {
            assert!(changelog.is_known());
            changelog.note(&row(key, ""));
        }
        assert!(!changelog.is_known());
        let mut stream = Changelog::new(vec![]);
        for key in 0..=100_000 {
            stream.note(&row(key, ""));
        }
        assert!(stream.is_known());
    }
}

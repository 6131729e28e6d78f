//! What a table's changes replace.

use super::{Operator, State, StateChange};
use crate::kept_table::KeptTable;
use crate::{Batch, Context, Result};

/// Puts beside each row of a table the row that it replaces.
///
/// ```text
/// (a, n=1)   →  new (a, n=1)   old none
/// (a, n=2)   →  new (a, n=2)   old (a, n=1)
/// (a, null)  →  new none       old (a, n=2)
/// (a, null)  →                 nothing was there any more
/// ```
///
/// State: the table, of which only the columns that the query reads. It has a changelog although the rows lie in
/// the table's topic: that one is compacted up to its end, and so may have lost the very row that the
/// next one after the committed offset replaces.
#[derive(Debug)]
pub(crate) struct Materialize {
    table: KeptTable,
}

impl Materialize {
    /// `table` must have a changelog.
    pub(crate) fn new(table: KeptTable) -> Self {
        Self { table }
    }
}

impl Operator for Materialize {
    fn process(&mut self, _: usize, batch: Batch, _: &mut Context, out: &mut Vec<Batch>) -> Result<()> {
        let (batch, keys) = self.table.keyed(batch)?;
        let old = self.table.replace(&batch, &keys)?;
        let changes = (0..batch.len()).map(|row| Some(batch.is_live(row) || old.is_live(row))).collect();
        let batch = Batch { old: Some(old), ..batch }.filter(&changes)?;
        if !batch.is_empty() {
            out.push(batch);
        }
        Ok(())
    }

    fn size_bytes(&self) -> usize {
        self.table.size_bytes()
    }

    fn state(&mut self) -> Option<&mut dyn State> {
        Some(self)
    }
}

/// The table is the only thing in the changelog.
const TAG: u8 = 0;

impl State for Materialize {
    fn drain(&mut self, write: &mut dyn FnMut(StateChange<'_>)) -> Result<()> {
        self.table.drain(TAG, write);
        Ok(())
    }

    fn restore(&mut self, entries: &[StateChange<'_>]) -> Result<()> {
        self.table.restore(TAG, entries)
    }
}

//! What a table's changes replace.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, SchemaRef};

use super::Operator;
use crate::{Batch, Context, Error, KeyedTable, Result};

/// Puts beside each row of a table the row that it replaces.
///
/// ```text
/// (a, n=1)   →  new (a, n=1)   old none
/// (a, n=2)   →  new (a, n=2)   old (a, n=1)
/// (a, null)  →  new none       old (a, n=2)
/// (a, null)  →                 nothing was there any more
/// ```
///
/// State: the table, of which only the columns that the query reads. It is no changelog's: after a restart
/// it is read from the table's own topic, up to the offset that was committed.
#[derive(Debug)]
pub(crate) struct Materialize {
    table: KeyedTable,
    keys: Vec<usize>,
}

impl Materialize {
    /// `windowed`: whether the window that a row's key carries is part of its key.
    pub(crate) fn new(schema: SchemaRef, keys: Vec<usize>, windowed: bool) -> Result<Self> {
        let missing = || Error::Internal("a table's key is missing".to_owned());
        let types = keys.iter().map(|at| schema.fields().get(*at).map(|field| field.data_type().clone()));
        let mut types: Vec<DataType> = types.collect::<Option<_>>().ok_or_else(missing)?;
        if windowed {
            types.extend([DataType::Int64, DataType::Int64]);
        }
        Ok(Self { table: KeyedTable::new(schema, &types)?, keys })
    }
}

impl Operator for Materialize {
    fn process(&mut self, _: usize, batch: Batch, _: &mut Context, out: &mut Vec<Batch>) -> Result<()> {
        let mut keys: Vec<ArrayRef> = self.keys.iter().map(|at| batch.column(*at).cloned()).collect::<Result<_>>()?;
        keys.extend(batch.window.iter().flatten().cloned());
        let old = self.table.replace(&batch, &keys)?;
        let changes = (0..batch.len()).map(|row| Some(batch.is_live(row) || old.is_live(row))).collect();
        let batch = Batch { old: Some(old), ..batch }.filter(&changes)?;
        if !batch.is_empty() {
            out.push(batch);
        }
        Ok(())
    }
}

//! A stream looked up in a table.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::SchemaRef;

use super::Operator;
use crate::{Batch, Context, Error, KeyedTable, Result};

/// The stream's input.
pub(crate) const STREAM: usize = 0;

/// Joins each row of a stream with the table's row of its key, as it is at that moment.
///
/// ```text
/// table  (u1, city=Ulm)
/// stream (u1, page=7)   →  (u1, page=7, city=Ulm)
/// stream (u2, page=8)   →  inner: nothing; left: (u2, page=8, city=null)
/// ```
///
/// State: the table. It is no changelog's: after a restart it is read from the table's own topic, up to
/// the offset that was committed.
#[derive(Debug)]
pub(crate) struct StreamTableJoin {
    table: KeyedTable,
    stream_key: usize,
    table_key: usize,
    inner: bool,
    schema: SchemaRef,
}

impl StreamTableJoin {
    pub(crate) fn new(
        stream_key: usize,
        table: &SchemaRef,
        table_key: usize,
        inner: bool,
        schema: SchemaRef,
    ) -> Result<Self> {
        let missing = || Error::Internal("the table of a join has no key".to_owned());
        let key_type = table.fields().get(table_key).ok_or_else(missing)?.data_type().clone();
        let table = KeyedTable::new(Arc::clone(table), &[key_type])?;
        Ok(Self { table, stream_key, table_key, inner, schema })
    }
}

impl Operator for StreamTableJoin {
    fn process(&mut self, input: usize, batch: Batch, _: &mut Context, out: &mut Vec<Batch>) -> Result<()> {
        if input != STREAM {
            let keys = [Arc::clone(batch.column(self.table_key)?)];
            return self.table.upsert(&batch, &keys);
        }
        let key = batch.column(self.stream_key)?;
        // A row without a key or a value has nothing to look up.
        let joinable: BooleanArray =
            (0..batch.len()).map(|row| Some(key.is_valid(row) && batch.is_live(row))).collect();
        let batch = batch.filter(&joinable)?;
        let (right, found) = self.table.get(&[Arc::clone(batch.column(self.stream_key)?)])?;
        let mut columns: Vec<ArrayRef> = batch.rows.columns().to_vec();
        let rowtime = columns.pop().ok_or_else(|| Error::Internal("a batch has no ROWTIME".to_owned()))?;
        let width = right.num_columns().saturating_sub(1);
        columns.extend(right.columns().iter().take(width).cloned());
        columns.push(rowtime);
        let mut joined = Batch::new(RecordBatch::try_new(Arc::clone(&self.schema), columns)?);
        if self.inner {
            joined = joined.filter(&BooleanArray::from(found))?;
        }
        if !joined.is_empty() {
            out.push(joined);
        }
        Ok(())
    }

    fn size_bytes(&self) -> usize {
        self.table.size_bytes()
    }
}

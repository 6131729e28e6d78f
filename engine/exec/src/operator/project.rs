//! The columns of `SELECT`.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::nullif;
use arrow::datatypes::SchemaRef;

use super::Operator;
use crate::{Batch, Context, Error, Evaluator, OldRows, Result};

/// Computes new columns from a batch's columns; a record without a value stays one.
#[derive(Debug)]
pub(crate) struct Project {
    columns: Vec<Evaluator>,
    /// The columns that are null where the record has no value: the new keys that are made of it.
    keys_of_value: Vec<usize>,
    schema: SchemaRef,
}

impl Project {
    pub(crate) fn new(columns: Vec<Evaluator>, keys_of_value: Vec<usize>, schema: SchemaRef) -> Self {
        Self { columns, keys_of_value, schema }
    }

    fn project(&self, rows: &RecordBatch, live: Option<&BooleanBuffer>, context: &mut Context) -> Result<RecordBatch> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.columns.len() + 1);
        let dead = live.map(|live| BooleanArray::new(!live, None));
        for (at, (column, field)) in self.columns.iter().zip(self.schema.fields()).enumerate() {
            let array = column.evaluate(rows, context)?;
            // A kernel may return another type of the same kind, such as text in views.
            let same = array.data_type() == field.data_type();
            let array = if same { array } else { arrow::compute::cast(&array, field.data_type())? };
            columns.push(match &dead {
                Some(dead) if self.keys_of_value.contains(&at) => nullif(&array, dead)?,
                _ => array,
            });
        }
        let rowtime = rows.columns().last();
        columns.push(rowtime.cloned().ok_or_else(|| Error::Internal("a batch has no ROWTIME".to_owned()))?);
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

impl Operator for Project {
    fn process(&mut self, _: usize, batch: Batch, context: &mut Context, out: &mut Vec<Batch>) -> Result<()> {
        let rows = self.project(&batch.rows, batch.live.as_ref(), context)?;
        let old = match batch.old {
            Some(OldRows { rows, live }) => {
                // What fails in an old row has been reported when it was new.
                Some(OldRows { rows: self.project(&rows, Some(&live), &mut Context::default())?, live })
            }
            None => None,
        };
        out.push(Batch { rows, live: batch.live, window: batch.window, headers: batch.headers, old });
        Ok(())
    }
}

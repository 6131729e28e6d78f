//! The columns of `SELECT`.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;

use super::Operator;
use crate::{Batch, Context, Error, Evaluator, OldRows, Result};

/// Computes new columns from a batch's columns; a record without a value stays one.
#[derive(Debug)]
pub(crate) struct Project {
    columns: Vec<Evaluator>,
    schema: SchemaRef,
}

impl Project {
    pub(crate) fn new(columns: Vec<Evaluator>, schema: SchemaRef) -> Self {
        Self { columns, schema }
    }

    fn project(&self, rows: &RecordBatch, context: &mut Context) -> Result<RecordBatch> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.columns.len() + 1);
        for (column, field) in self.columns.iter().zip(self.schema.fields()) {
            let array = column.evaluate(rows, context)?;
            // A kernel may return another type of the same kind, such as text in views.
            let same = array.data_type() == field.data_type();
            columns.push(if same { array } else { arrow::compute::cast(&array, field.data_type())? });
        }
        let rowtime = rows.columns().last();
        columns.push(rowtime.cloned().ok_or_else(|| Error::Internal("a batch has no ROWTIME".to_owned()))?);
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

impl Operator for Project {
    fn process(&mut self, _: usize, batch: Batch, context: &mut Context, out: &mut Vec<Batch>) -> Result<()> {
        let rows = self.project(&batch.rows, context)?;
        let old = match batch.old {
            // What fails in an old row has been reported when it was new.
            Some(old) => Some(OldRows { rows: self.project(&old.rows, &mut Context::default())?, live: old.live }),
            None => None,
        };
        out.push(Batch { rows, live: batch.live, window: batch.window, old });
        Ok(())
    }
}

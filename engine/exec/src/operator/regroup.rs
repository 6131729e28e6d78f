//! Changes of a table, taken apart where they change the group.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, Rows, SortField};

use super::Operator;
use crate::{Batch, Context, Error, OldRows, Result};

/// Makes of each change of a table the changes of its groups: one where the row stays in its group, otherwise
/// one of the group that it leaves and one of the group that it comes to. Rows without a group are left out.
///
/// ```text
/// new (g=1, v=5)  old none        →  new (g=1, v=5)  old none
/// new (g=1, v=6)  old (g=1, v=5)  →  new (g=1, v=6)  old (g=1, v=5)
/// new (g=2, v=6)  old (g=1, v=6)  →  new none        old (g=1, v=6)      the group that is left comes first
///                                    new (g=2, v=6)  old none
/// ```
///
/// The row of a change without a new one is the old one again, so that it has the group's key. No state.
#[derive(Debug)]
pub(crate) struct Regroup {
    keys: usize,
    converter: RowConverter,
    schema: SchemaRef,
}

impl Regroup {
    /// `keys`: the number of columns, from the first on, that make a group.
    pub(crate) fn new(keys: usize, schema: SchemaRef) -> Result<Self> {
        let fields = schema.fields().iter().take(keys).map(|field| SortField::new(field.data_type().clone()));
        Ok(Self { keys, converter: RowConverter::new(fields.collect())?, schema })
    }

    /// The keys of rows, and which rows have no null among them.
    fn keys(&self, rows: &RecordBatch) -> Result<(Rows, Option<NullBuffer>)> {
        let keys: Vec<ArrayRef> = rows.columns().iter().take(self.keys).cloned().collect();
        let nulls = keys.iter().fold(None, |nulls: Option<NullBuffer>, key| {
            NullBuffer::union(nulls.as_ref(), key.logical_nulls().as_ref())
        });
        Ok((self.converter.convert_columns(&keys)?, nulls))
    }
}

/// Where the rows of the changes come from: 0 from the new rows, 1 from the old.
#[derive(Default)]
struct Places {
    rows: Vec<(usize, usize)>,
    live: Vec<bool>,
    old: Vec<(usize, usize)>,
    old_live: Vec<bool>,
}

impl Places {
    fn push(&mut self, rows: (usize, usize), live: bool, old: (usize, usize), old_live: bool) {
        self.rows.push(rows);
        self.live.push(live);
        self.old.push(old);
        self.old_live.push(old_live);
    }
}

impl Operator for Regroup {
    fn process(&mut self, _: usize, batch: Batch, _: &mut Context, out: &mut Vec<Batch>) -> Result<()> {
        let old = batch.old.as_ref();
        let old = old.ok_or_else(|| Error::Internal("a table that is grouped does not tell old rows".to_owned()))?;
        let (new_keys, new_nulls) = self.keys(&batch.rows)?;
        let (old_keys, old_nulls) = self.keys(&old.rows)?;
        let has_key = |nulls: &Option<NullBuffer>, row| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        let mut places = Places::default();
        for row in 0..batch.len() {
            let comes = batch.is_live(row) && has_key(&new_nulls, row);
            let goes = old.is_live(row) && has_key(&old_nulls, row);
            if comes && goes && new_keys.row(row) == old_keys.row(row) {
                places.push((0, row), true, (1, row), true);
                continue;
            }
            if goes {
                places.push((1, row), false, (1, row), true);
            }
            if comes {
                places.push((0, row), true, (0, row), false);
            }
        }
        if places.rows.is_empty() {
            return Ok(());
        }
        let taken = |at: &[(usize, usize)]| interleave_record_batch(&[&batch.rows, &old.rows], at);
        let mut columns = taken(&places.rows)?.columns().to_vec();
        // The time of a change is that of the new row, also in the group that is left.
        let from: UInt32Array = places.rows.iter().map(|(_, row)| Some(*row as u32)).collect();
        columns.pop();
        columns.push(arrow::compute::take(batch.rowtimes()?, &from, None)?);
        let old = OldRows { rows: taken(&places.old)?, live: BooleanBuffer::from(places.old_live) };
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        let live = Some(BooleanBuffer::from(places.live));
        let headers = batch.headers.as_ref().map(|headers| arrow::compute::take(headers, &from, None)).transpose()?;
        out.push(Batch { rows, live, window: None, headers, old: Some(old) });
        Ok(())
    }
}

//! The rows that a join of two streams hands on, under construction.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};

use crate::rows::RowsBuilder;
use crate::{Batch, Error, Result};

/// Joined rows: the columns of both sides, the key where neither side has it always, and the key's window.
#[derive(Debug)]
pub(super) struct JoinedRows {
    sides: [RowsBuilder; 2],
    /// The key and its window's bounds, if anybody needs them.
    keys: Option<RowsBuilder>,
    shape: Shape,
    rowtimes: Vec<i64>,
}

/// What of a row's key is handed on.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// The types of the key and of its window's bounds.
    pub(super) key_types: Vec<DataType>,
    /// Whether the key is a column of its own.
    pub(super) has_key_column: bool,
    /// Whether it carries a window.
    pub(super) windowed: bool,
}

impl JoinedRows {
    pub(super) fn new(sides: [&[DataType]; 2], shape: &Shape) -> Result<Self> {
        let [left, right] = sides;
        let wants_key = shape.has_key_column || shape.windowed;
        let keys = wants_key.then(|| RowsBuilder::new(&shape.key_types)).transpose()?;
        let sides = [RowsBuilder::new(left)?, RowsBuilder::new(right)?];
        Ok(Self { sides, keys, shape: shape.clone(), rowtimes: Vec::new() })
    }

    /// Adds a row: `own` of the side `at`, `partner` of the other side or nulls.
    pub(super) fn push(
        &mut self,
        at: usize,
        key: &[u8],
        own: &[u8],
        partner: Option<&[u8]>,
        rowtime: i64,
    ) -> Result<()> {
        let rows = if at == 0 { [Some(own), partner] } else { [partner, Some(own)] };
        for (side, row) in self.sides.iter_mut().zip(rows) {
            match row {
                Some(row) => side.read(row)?,
                None => side.append_null(),
            }
        }
        if let Some(keys) = &mut self.keys {
            keys.read(key)?;
        }
        self.rowtimes.push(rowtime);
        Ok(())
    }

    /// Hands all rows on.
    pub(super) fn emit(mut self, schema: &SchemaRef, out: &mut Vec<Batch>) -> Result<()> {
        if self.rowtimes.is_empty() {
            return Ok(());
        }
        let mut columns: Vec<ArrayRef> = Vec::new();
        for side in &mut self.sides {
            columns.extend(side.finish()?);
        }
        let mut keys = self.keys.as_mut().map(RowsBuilder::finish).transpose()?.unwrap_or_default();
        let window = if self.shape.windowed {
            let (Some(end), Some(start)) = (keys.pop(), keys.pop()) else {
                return Err(Error::Internal("a key has no window".to_owned()));
            };
            Some([start, end])
        } else {
            None
        };
        if self.shape.has_key_column {
            columns.extend(keys);
        }
        columns.push(Arc::new(Int64Array::from(self.rowtimes)));
        out.push(Batch { window, ..Batch::new(RecordBatch::try_new(Arc::clone(schema), columns)?) });
        Ok(())
    }
}

//! The headers of records, beside the rows that they came with.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, ListArray, StringBuilder, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields};

use crate::{Error, Result};

/// Collects headers row by row. Most topics have none: their rows are only counted.
#[derive(Debug, Default)]
pub(crate) struct HeaderRows {
    names: StringBuilder,
    values: BinaryBuilder,
    /// How many headers there are; those of the row that is being read come last.
    count: i32,
    rows: usize,
    /// Where each row's headers end, once there is one.
    ends: Vec<i32>,
}

impl HeaderRows {
    /// Adds a header to the row that comes next.
    pub(crate) fn add(&mut self, name: &str, value: Option<&[u8]>) {
        self.ends.resize(self.rows, 0);
        self.names.append_value(name);
        self.values.append_option(value);
        self.count = self.count.saturating_add(1);
    }

    /// Ends a row.
    #[inline]
    pub(crate) fn end_row(&mut self) {
        self.rows += 1;
        if self.count > 0 {
            self.ends.push(self.count);
        }
    }

    /// The headers of all rows: a list of structs of KEY and VALUE. `None` if no row has any and nobody reads them.
    pub(crate) fn finish(&mut self, is_wanted: bool) -> Result<Option<ArrayRef>> {
        let (count, rows) = (std::mem::take(&mut self.count), std::mem::take(&mut self.rows));
        let mut ends = std::mem::take(&mut self.ends);
        if !is_wanted && count == 0 {
            return Ok(None);
        }
        ends.resize(rows, count);
        let (names, values) = (self.names.finish(), self.values.finish());
        let fields: Fields =
            vec![Field::new("KEY", DataType::Utf8, true), Field::new("VALUE", DataType::Binary, true)].into();
        let entries = StructArray::try_new(fields.clone(), vec![Arc::new(names), Arc::new(values)], None)?;
        let offsets = OffsetBuffer::new(std::iter::once(0).chain(ends).collect::<Vec<i32>>().into());
        let item = Arc::new(Field::new("item", DataType::Struct(fields), true));
        Ok(Some(Arc::new(ListArray::try_new(item, offsets, Arc::new(entries), None)?)))
    }
}

fn parts(entries: &ArrayRef) -> Result<(&arrow::array::StringArray, &arrow::array::BinaryArray)> {
    let entries = entries.as_struct_opt();
    let column = |at: usize| entries.and_then(|entries| entries.columns().get(at));
    match (column(0).and_then(|c| c.as_string_opt()), column(1).and_then(|c| c.as_binary_opt())) {
        (Some(names), Some(values)) => Ok((names, values)),
        _ => Err(Error::Internal("headers are of another form".to_owned())),
    }
}

/// The last value of a header in each row.
pub(crate) fn last_values(headers: &ArrayRef, name: &str) -> Result<ArrayRef> {
    let mut out = BinaryBuilder::new();
    for row in 0..headers.len() {
        let entries = headers.as_list::<i32>().value(row);
        let (names, values) = parts(&entries)?;
        let last = (0..names.len()).rev().find(|at| names.value(*at) == name);
        out.append_option(last.filter(|at| values.is_valid(*at)).map(|at| values.value(at)));
    }
    Ok(Arc::new(out.finish()))
}

/// Hands the headers of a row to `take`.
///
/// # Errors
/// If the column is none of headers.
pub fn headers_of(headers: &ArrayRef, row: usize, mut take: impl FnMut(&str, Option<&[u8]>)) -> Result<()> {
    let entries = headers.as_list::<i32>().value(row);
    let (names, values) = parts(&entries)?;
    for at in 0..names.len() {
        take(names.value(at), values.is_valid(at).then(|| values.value(at)));
    }
    Ok(())
}

//! Rows under construction, out of bytes.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use crate::column::ColumnBuilder;
use crate::{Error, Result, codec};

/// Columns that whole rows are appended to.
#[derive(Debug)]
pub(crate) struct RowsBuilder(Vec<ColumnBuilder>);

impl RowsBuilder {
    pub(crate) fn new<'a>(types: impl IntoIterator<Item = &'a DataType>) -> Result<Self> {
        Ok(Self(types.into_iter().map(ColumnBuilder::new).collect::<Result<_>>()?))
    }

    /// Appends a row that `codec::write_row` wrote.
    pub(crate) fn read(&mut self, mut row: &[u8]) -> Result<()> {
        let outcome = codec::read_row(&mut row, &mut self.0);
        outcome.ok_or_else(|| Error::State { operator: "Join".to_owned(), reason: "a row is cut off".to_owned() })
    }

    /// Appends a row of nulls.
    pub(crate) fn append_null(&mut self) {
        self.0.iter_mut().for_each(ColumnBuilder::append_null);
    }

    /// Takes all rows.
    pub(crate) fn finish(&mut self) -> Result<Vec<ArrayRef>> {
        self.0.iter_mut().map(ColumnBuilder::finish).collect()
    }
}

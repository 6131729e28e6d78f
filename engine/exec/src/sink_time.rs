//! The time of a record that a query writes, where a column of the result gives it.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type, SchemaRef, TimestampMillisecondType};
use millstream_function::Pattern;
use millstream_plan::TimestampColumn;

use crate::{Batch, Error, Result};

/// The column that the records' times are read from.
#[derive(Debug)]
pub(crate) struct SinkTime {
    name: String,
    at: usize,
    pattern: Option<Pattern>,
}

impl SinkTime {
    /// # Errors
    /// If there is no such column, or its pattern is none.
    pub(crate) fn new(column: &TimestampColumn, schema: &SchemaRef) -> Result<Self> {
        let pattern = column.format.as_deref().map(Pattern::new).transpose();
        let pattern = pattern.map_err(|error| Error::Internal(error.to_string()))?;
        Ok(Self { name: column.name.clone(), at: schema.index_of(&column.name)?, pattern })
    }

    /// What is read, for messages.
    pub(crate) fn describe(&self) -> String {
        format!("reading the time of a record from column {}", self.name)
    }

    /// The time of a row, or why it has none.
    pub(crate) fn read(&self, batch: &Batch, row: usize) -> std::result::Result<i64, String> {
        let column = batch.rows.columns().get(self.at).filter(|column| column.is_valid(row));
        let column = column.ok_or_else(|| "it is null".to_owned())?;
        let ms = match (&self.pattern, column.data_type()) {
            (Some(pattern), DataType::Utf8) => {
                let text = column.as_string::<i32>().value(row);
                pattern.parse(text).map_err(|error| format!("{text:?}: {error}"))?
            }
            (None, DataType::Int64) => column.as_primitive::<Int64Type>().value(row),
            (None, DataType::Timestamp(..)) => column.as_primitive::<TimestampMillisecondType>().value(row),
            (_, other) => return Err(format!("type {other} is no time")),
        };
        if ms < 0 { Err(format!("{ms} lies before 1970")) } else { Ok(ms) }
    }
}

//! Records, as the sources of a query hand them on.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::SchemaRef;
use millstream_exec::Batch;

/// A record of a stream or table with the columns `k STRING KEY, v INT, t STRING`.
#[derive(Clone, PartialEq)]
pub(super) struct Row {
    /// Which of the query's sources it comes from.
    pub(super) input: usize,
    pub(super) key: Option<&'static str>,
    /// `None`: the record has a null value, which is not a value of nulls.
    pub(super) value: Option<Fields>,
    pub(super) time: i64,
}

/// The columns of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fields {
    pub(super) v: Option<i32>,
    pub(super) t: Option<&'static str>,
}

impl Row {
    /// A column of the value; all are null where there is no value.
    fn v(&self) -> Option<i32> {
        self.value.and_then(|value| value.v)
    }

    fn t(&self) -> Option<&'static str> {
        self.value.and_then(|value| value.t)
    }

    /// The window that its key carries if its source is windowed.
    pub(super) fn window(&self) -> (i64, i64) {
        let start = self.time - self.time % WINDOW_MS;
        (start, start + WINDOW_MS)
    }
}

impl fmt::Debug for Row {
    /// Short, for failures show whole histories.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "input {} {:?}", self.input, self.key)?;
        match self.value {
            Some(Fields { v, t }) => write!(f, " v={v:?} t={t:?}")?,
            None => f.write_str(" no value")?,
        }
        write!(f, " @{}", self.time)
    }
}

/// How long the windows are that the keys of windowed sources carry.
pub(super) const WINDOW_MS: i64 = 10;

/// A source of rows: the columns that its scan reads, and whether its keys carry the windows that the times lie in.
pub(super) struct Source {
    pub(super) schema: SchemaRef,
    pub(super) is_windowed: bool,
}

/// Rows of one source.
pub(super) fn batch(rows: &[Row], Source { schema, is_windowed }: &Source) -> Batch {
    let column = |name: &str| -> ArrayRef {
        match name.rsplit('.').next().unwrap() {
            "K" => Arc::new(rows.iter().map(|row| row.key).collect::<StringArray>()),
            "V" => Arc::new(rows.iter().map(Row::v).collect::<Int32Array>()),
            "T" => Arc::new(rows.iter().map(Row::t).collect::<StringArray>()),
            "ROWTIME" => Arc::new(rows.iter().map(|row| Some(row.time)).collect::<Int64Array>()),
            other => panic!("there is no column {other}"),
        }
    };
    let bound = |after_ms: i64| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(row.window().0 + after_ms)).collect::<Int64Array>())
    };
    let columns = schema.fields().iter().map(|field| column(field.name())).collect();
    let mut batch = Batch::new(RecordBatch::try_new(Arc::clone(schema), columns).unwrap());
    batch.window = is_windowed.then(|| [bound(0), bound(WINDOW_MS)]);
    if rows.iter().any(|row| row.value.is_none()) {
        batch.live = Some(BooleanBuffer::from_iter(rows.iter().map(|row| row.value.is_some())));
    }
    batch
}

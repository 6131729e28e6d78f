//! Results as rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use millstream_exec::{Batch, value_at};
use millstream_sql::Value;

/// A result that is whole.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RowSet {
    /// The columns' names and types.
    pub columns: Vec<(String, String)>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
}

impl RowSet {
    /// A result of text columns.
    #[must_use]
    pub fn of_text(columns: &[&str], rows: Vec<Vec<String>>) -> Self {
        Self {
            columns: columns.iter().map(|name| ((*name).to_owned(), "STRING".to_owned())).collect(),
            rows: rows.into_iter().map(|row| row.into_iter().map(Value::String).collect()).collect(),
        }
    }
}

/// A row of a result that comes bit by bit.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The cells; of a row that is deleted only the key's are not null.
    pub cells: Vec<Value>,
    /// Whether a table's row of this key is gone.
    pub is_deletion: bool,
}

impl From<Vec<Value>> for Row {
    fn from(cells: Vec<Value>) -> Self {
        Self { cells, is_deletion: false }
    }
}

/// What a result that comes bit by bit sends.
#[derive(Debug)]
pub enum StreamEvent {
    /// More rows.
    Rows(Vec<Row>),
    /// How many records lie before the end of the topics, and how many had to be read at first.
    Progress {
        /// Still to be read.
        behind: i64,
        /// To be read at first.
        total: i64,
    },
    /// The result is complete.
    End,
    /// The query has failed.
    Failed(String),
    /// Nothing came in time.
    Idle,
}

/// A result that comes bit by bit until it ends or is dropped.
#[derive(Debug)]
pub struct RowStream {
    /// The columns' names and types.
    pub columns: Vec<(String, String)>,
    /// The query's id, by which logs and servers name it.
    pub query_id: String,
    /// Whether it ends by itself.
    pub is_bounded: bool,
    /// The places of the key columns if the rows are those of a table: then a row takes the place of the
    /// earlier one of its key.
    pub table_keys: Option<Vec<usize>>,
    /// What there was to read before the place that the query starts from, if there was anything.
    pub skipped: Option<Skipped>,
    receiver: Receiver<StreamEvent>,
    cancelled: Arc<AtomicBool>,
    on_drop: OnDrop,
}

/// Records that a query does not read, since it starts at what was the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The stream or table.
    pub source: String,
    /// How many records it has before that place.
    pub records: i64,
}

struct OnDrop(Option<Box<dyn FnOnce() + Send>>);

impl std::fmt::Debug for OnDrop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnDrop")
    }
}

impl RowStream {
    pub(crate) fn new(
        columns: Vec<(String, String)>,
        receiver: Receiver<StreamEvent>,
        cancelled: Arc<AtomicBool>,
        on_drop: impl FnOnce() + Send + 'static,
    ) -> Self {
        let on_drop = OnDrop(Some(Box::new(on_drop)));
        Self {
            columns,
            query_id: String::new(),
            is_bounded: false,
            table_keys: None,
            skipped: None,
            receiver,
            cancelled,
            on_drop,
        }
    }

    /// Waits for a result that ends.
    ///
    /// # Errors
    /// Why the query has failed.
    pub fn collect(self) -> Result<RowSet, String> {
        let mut rows = Vec::new();
        loop {
            match self.receiver.recv() {
                Ok(StreamEvent::Rows(more)) => rows.extend(more.into_iter().map(|row| row.cells)),
                Ok(StreamEvent::Failed(reason)) => return Err(reason),
                Ok(StreamEvent::End) | Err(_) => return Ok(RowSet { columns: self.columns.clone(), rows }),
                Ok(_) => {}
            }
        }
    }

    /// What comes next; [`StreamEvent::Idle`] if nothing comes in time.
    #[must_use]
    pub fn next(&self, timeout: Duration) -> StreamEvent {
        match self.receiver.recv_timeout(timeout) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => StreamEvent::Idle,
            Err(RecvTimeoutError::Disconnected) => StreamEvent::End,
        }
    }
}

impl Drop for RowStream {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Release);
        if let Some(on_drop) = self.on_drop.0.take() {
            on_drop();
        }
    }
}

/// The rows of a batch, without ROWTIME; of a row that is deleted only the key is shown.
pub(crate) fn rows_of(batch: &Batch, keys: &[usize]) -> Vec<Row> {
    let columns = batch.rows.columns();
    let columns = columns.get(..columns.len().saturating_sub(1)).unwrap_or_default();
    let row_of = |row: usize| {
        let shown = |at: usize| batch.is_live(row) || keys.contains(&at);
        let cells = columns.iter().enumerate();
        let cells = cells.map(|(at, column)| if shown(at) { value_at(column, row) } else { Value::Null });
        Row { cells: cells.collect(), is_deletion: !batch.is_live(row) }
    };
    (0..batch.len()).map(row_of).collect()
}

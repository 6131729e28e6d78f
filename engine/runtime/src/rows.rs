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

/// What a result that does not end sends.
#[derive(Debug)]
pub enum StreamEvent {
    /// More rows.
    Rows(Vec<Vec<Value>>),
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

/// A result that goes on until it is dropped.
#[derive(Debug)]
pub struct RowStream {
    /// The columns' names and types.
    pub columns: Vec<(String, String)>,
    receiver: Receiver<StreamEvent>,
    cancelled: Arc<AtomicBool>,
    on_drop: OnDrop,
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
        Self { columns, receiver, cancelled, on_drop: OnDrop(Some(Box::new(on_drop))) }
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
pub(crate) fn rows_of(batch: &Batch, keys: &[usize]) -> Vec<Vec<Value>> {
    let columns = batch.rows.columns();
    let columns = columns.get(..columns.len().saturating_sub(1)).unwrap_or_default();
    let row_of = |row: usize| {
        let shown = |at: usize| batch.is_live(row) || keys.contains(&at);
        let cells = columns.iter().enumerate();
        cells.map(|(at, column)| if shown(at) { value_at(column, row) } else { Value::Null }).collect()
    };
    (0..batch.len()).map(row_of).collect()
}

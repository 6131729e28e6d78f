//! What runs the statements.

use std::time::Duration;

use millstream_sql::{Names, Value};

/// A result that is whole.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// Names and types.
    pub columns: Vec<(String, String)>,
    /// Rows.
    pub rows: Vec<Vec<Value>>,
}

/// What comes of a result that goes on.
#[derive(Debug)]
pub enum Event {
    /// More rows.
    Rows(Vec<Vec<Value>>),
    /// How many records are still to be read of how many there were at first.
    Progress {
        /// Still to be read.
        behind: i64,
        /// There were at first.
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
pub trait RowSource {
    /// Names and types.
    fn columns(&self) -> &[(String, String)];
    /// What comes next, at most after `timeout`.
    fn next(&mut self, timeout: Duration) -> Event;
}

/// What a statement gives.
pub enum Outcome {
    /// It was done.
    Message(String),
    /// A whole result.
    Table(Table),
    /// A result that goes on.
    Stream(Box<dyn RowSource>),
}

/// Why a statement was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The message, with the line it is about and a caret if there is one.
    pub text: String,
}

/// Runs statements, in this process or at a server.
pub trait Session {
    /// Runs one statement.
    ///
    /// # Errors
    /// Why it was refused, to be shown as it is.
    fn execute(&mut self, statement: &str) -> Result<Outcome, Failure>;

    /// The names to complete with.
    fn names(&self) -> Names;
}

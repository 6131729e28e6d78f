//! What runs the statements.

use std::time::Duration;

use millstream_sql::{Diagnostic, Names, Value};

/// A result that is whole.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// Names and types.
    pub columns: Vec<(String, String)>,
    /// Rows.
    pub rows: Vec<Vec<Value>>,
}

/// A row of a result that comes bit by bit.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The cells.
    pub cells: Vec<Value>,
    /// Whether a table's row of this key is gone.
    pub is_deletion: bool,
}

/// What comes of a result that comes bit by bit.
#[derive(Debug)]
pub enum Event {
    /// More rows.
    Rows(Vec<Row>),
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

/// A result that comes bit by bit until it ends or is dropped.
pub trait RowSource {
    /// Names and types.
    fn columns(&self) -> &[(String, String)];
    /// Whether it ends by itself.
    fn is_bounded(&self) -> bool;
    /// The places of the key columns if the rows are a table's.
    fn table_keys(&self) -> Option<&[usize]>;
    /// A source and how many of its records the query does not read because it starts behind them.
    fn skipped(&self) -> Option<(&str, i64)>;
    /// What comes next, at most after `timeout`.
    fn next(&mut self, timeout: Duration) -> Event;
}

/// What a statement gives.
pub enum Outcome {
    /// It was done.
    Message(String),
    /// A whole result.
    Table(Table),
    /// A result that comes bit by bit.
    Stream(Box<dyn RowSource>),
}

/// Why a statement was refused.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// The statement is wrong, at a place.
    Statement(Box<Diagnostic>),
    /// Something else went wrong.
    Other(String),
}

/// Runs statements, in this process or at a server.
pub trait Session {
    /// Runs one statement.
    ///
    /// # Errors
    /// Why it was refused.
    fn execute(&mut self, statement: &str) -> Result<Outcome, Failure>;

    /// The names to complete with.
    fn names(&self) -> Names;

    /// Each persistent query's progress: query, topic, partition, offset read to, end.
    fn lag(&self) -> Table;

    /// Where the engine runs, in a few words.
    fn place(&self) -> String;

    /// Fills sample topics for as long as the session lasts, or no longer.
    ///
    /// # Errors
    /// Why they cannot be filled.
    fn demo(&mut self, run: bool) -> Result<(), String>;
}

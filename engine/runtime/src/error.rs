//! What a statement can fail with.

use millstream_sql::Diagnostic;

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The statement is wrong.
    #[error("{0}")]
    Statement(Box<Diagnostic>),
    /// The log refused.
    #[error("{0}")]
    Log(#[from] millstream_log::Error),
    /// An operator refused.
    #[error("{0}")]
    Exec(#[from] millstream_exec::Error),
    /// A batch query failed.
    #[error("{0}")]
    Batch(#[from] datafusion::error::DataFusionError),
    /// A command of an earlier version or a damaged one.
    #[error("the command log cannot be read at offset {offset}: {reason}")]
    Command {
        /// Where.
        offset: i64,
        /// Why.
        reason: String,
    },
    /// A thread or runtime could not be started.
    #[error("cannot start {what}: {source}")]
    Start {
        /// What.
        what: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl From<Box<Diagnostic>> for Error {
    fn from(diagnostic: Box<Diagnostic>) -> Self {
        Self::Statement(diagnostic)
    }
}

impl From<Diagnostic> for Error {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Statement(Box::new(diagnostic))
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::Exec(error.into())
    }
}

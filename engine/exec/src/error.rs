//! Errors that stop a query.

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a query cannot go on. What concerns a single row is no error: see [`crate::RowError`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An Arrow kernel failed.
    #[error("{0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// DataFusion failed.
    #[error("{0}")]
    DataFusion(#[from] datafusion::error::DataFusionError),
    /// A state or an internal record is of another form than this version writes.
    #[error("the state of operator {operator} cannot be read: {reason}\nhelp: drop the query and create it anew")]
    State {
        /// Whose state.
        operator: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A value cannot be written in the sink's format.
    #[error("cannot write column \"{column}\": {reason}")]
    Serialize {
        /// The column.
        column: String,
        /// Why not.
        reason: String,
    },
    /// The plan asks for something that the executor does not know.
    #[error("internal error: {0}\nhelp: this is a bug, please report it with the statement")]
    Internal(String),
}

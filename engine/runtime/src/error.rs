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
    /// The memory that all queries share is used up.
    #[error("{}", out_of_memory(.what, *.wanted, *.used, *.bytes_max))]
    Memory {
        /// Who asked for more.
        what: String,
        /// How many bytes it would have had, if that is known.
        wanted: Option<usize>,
        /// How many bytes were in use by all.
        used: usize,
        /// How many there may be.
        bytes_max: usize,
    },
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

fn out_of_memory(what: &str, wanted: Option<usize>, used: usize, bytes_max: usize) -> String {
    let mib = |bytes: usize| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let wanted = wanted.map(|bytes| format!(" ({})", mib(bytes))).unwrap_or_default();
    let (used, max) = (mib(used), mib(bytes_max));
    format!(
        "there is not enough memory for {what}{wanted}: all queries together use {used} of {max}\n\
         help: start the program with a greater --memory-max, or let queries keep less: shorter windows and GRACE PERIOD, fewer keys"
    )
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

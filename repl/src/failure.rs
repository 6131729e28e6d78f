//! What ends the program.

/// A message and an exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) code: u8,
    pub(crate) is_broken_pipe: bool,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 1, is_broken_pipe: false }
    }

    /// A command line that cannot be meant.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, ..Self::new(message) }
    }

    /// The data directory cannot be opened.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self { code: 3, ..Self::new(message) }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self { is_broken_pipe: error.kind() == std::io::ErrorKind::BrokenPipe, ..Self::new(error.to_string()) }
    }
}

impl From<millstream_log::Error> for Failure {
    fn from(error: millstream_log::Error) -> Self {
        Self::new(error.to_string())
    }
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

//! What can go wrong in starting the listener.

use std::io;

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the listener.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}\nhelp: {}", what_to_do(source))]
    Listen {
        /// The address as given.
        address: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The threads of the listener could not be started.
    #[error("cannot start the listener's threads: {0}")]
    Threads(io::Error),
}

fn what_to_do(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there; stop it, or choose another address with --listeners HOST:PORT"
        }
        io::ErrorKind::PermissionDenied => "ports below 1024 are the system's; choose another one with --listeners",
        _ => "expected HOST:PORT of this machine, such as 127.0.0.1:9092",
    }
}

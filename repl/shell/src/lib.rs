//! The shell.
//!
//! It is: a line editor that knows the dialect, scripts, and results in many forms, over a [`Session`] that
//! runs the statements. It is not: an engine; it depends on nothing but the language.

mod brackets;
mod commands;
mod editor;
mod format;
mod help;
mod interactive;
mod render;
mod script;
mod session;
mod shell;
mod style;

pub use format::Format;
pub use interactive::interactive;
pub use script::{Script, run_scripts};
pub use session::{Event, Failure, Outcome, Row, RowSource, Session, Table};
pub use shell::{Shell, ShellOptions};
pub use style::Color;

/// How a run of the shell ended, as the process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything was done.
    Ok = 0,
    /// A statement failed.
    Failed = 1,
    /// It took too long.
    Timeout = 4,
    /// The user has interrupted it.
    Interrupted = 130,
}

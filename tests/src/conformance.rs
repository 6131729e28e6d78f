//! The conformance runner: what cases state that statements must do, held against the engine in this
//! process.
//!
//! ```text
//! suite ── case ── session ── engine, run by hand ── case_log, one record at a time
//!   │        └─ codec, compare, post, refusal: what came against what was expected
//! report
//! ```
//!
//! Each case has a log and an engine of its own. No thread runs its queries: the runner shows a query
//! one record of a topic, runs it until it is idle, and shows it the next.

mod base64;
mod case;
mod case_log;
mod codec;
mod compare;
mod deviation;
mod json;
mod post;
mod query_case;
mod refusal;
mod report;
mod rest_case;
mod session;
mod suite;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

pub use report::{Count, Report};

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of the cases' files, or one with the folders `query` and `rest`.
    pub folder: PathBuf,
    /// Only cases of this file, and of these only those whose name contains the text.
    pub only: Option<(String, String)>,
    /// How many cases run at a time.
    pub threads: usize,
}

/// Runs the cases. Panics of a case count as its failure; their messages still go through the panic hook.
///
/// # Errors
/// If there is nothing to run or a file cannot be read.
pub fn run(options: &Options) -> Result<Report, String> {
    let deviations = deviation::deviations()?;
    let mut entries = suite::read(&options.folder)?;
    if let Some((file, part)) = &options.only {
        let is_file = |name: &str| name == file || name.strip_suffix(".json") == Some(file.as_str());
        entries.retain(|entry| is_file(&entry.file) && entry.name.contains(part.as_str()));
        if entries.is_empty() {
            return Err(format!("no case of {file} has {part:?} in its name"));
        }
    }
    let entries = Arc::new(entries);
    let outcomes = suite::run(&entries, options.threads)?;
    Ok(Report::new(&entries, outcomes, &deviations))
}

//! `cargo run --bin conformance -- FOLDER`: whether the engine does what the cases in a folder state.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the runner prints its report")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use millstream_tests::conformance::{Options, run};

/// Runs conformance cases and prints how many pass.
#[derive(Parser)]
struct Arguments {
    /// The folder of the cases' files, or one with the folders `query` and `rest`.
    folder: PathBuf,
    /// Shows the cases that fail, each with its first difference.
    #[arg(long)]
    verbose: bool,
    /// Only one file, or the cases of a file whose name contains a text.
    #[arg(long, value_name = "FILE[:SUBSTRING]")]
    only: Option<String>,
    /// Succeeds if at least so many results and refusals pass, instead of only if all do.
    #[arg(long, value_name = "RESULTS,REFUSALS", value_parser = floor)]
    floor: Option<(usize, usize)>,
    /// How many cases run at a time.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

fn floor(text: &str) -> Result<(usize, usize), String> {
    let pair = text
        .split_once(',')
        .and_then(|(results, refusals)| Some((results.trim().parse().ok()?, refusals.trim().parse().ok()?)));
    pair.ok_or_else(|| "expected two numbers, as in 1200,300".to_owned())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let only = arguments.only.as_deref().map(|only| only.split_once(':').unwrap_or((only, "")));
    let options = Options {
        folder: arguments.folder,
        only: only.map(|(file, part)| (file.to_owned(), part.to_owned())),
        threads: arguments.threads,
    };
    // A panic is a failed case and is told of there.
    std::panic::set_hook(Box::new(|_| {}));
    let mut report = match run(&options) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    report.verbose = arguments.verbose;
    println!("{report}");
    let is_enough = match arguments.floor {
        Some((results, refusals)) => report.results.passed >= results && report.refusals.passed >= refusals,
        None => report.failed() == 0,
    };
    if is_enough && report.deviations_are_few() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

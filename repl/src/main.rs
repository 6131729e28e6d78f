//! The binary: the command line, and the one place where log, engine and shell are wired together.

mod arguments;
mod consume;
mod demo;
mod embedded;
mod failure;
mod produce;
mod sql;
mod topics;

use std::io::Write;
use std::process::ExitCode;

use arguments::{Arguments, Command};
use clap::Parser;
use failure::Failure;

fn main() -> ExitCode {
    // clap itself ends with 2 on a wrong command line.
    let arguments = Arguments::parse();
    let outcome = match &arguments.command {
        None => sql::run(&arguments),
        Some(Command::Produce(produce)) => produce::run(&arguments, produce),
        Some(Command::Consume(consume)) => consume::run(&arguments, consume),
        Some(Command::Topics) => topics::run(&arguments),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        // Whoever read the output has had enough.
        Err(Failure { is_broken_pipe: true, .. }) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "error: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}

//! The binary: the command line, and the one place where log, engine and shell are wired together.

mod arguments;
mod consume;
mod demo;
mod embedded;
mod failure;
mod kafka;
mod memory;
mod place;
mod produce;
mod server;
mod sql;
mod terminal;
mod topics;

use std::io::Write;
use std::process::ExitCode;

use arguments::{Arguments, Command};
use clap::Parser;
use failure::Failure;

/// Plans are trees, and DataFusion walks them by recursion: an expression of a few hundred operators needs
/// more than the 8 MiB that a main thread has. Memory that is not touched costs nothing.
const STACK_BYTES: usize = 256 << 20;
/// The exit code of a Rust program that panicked.
const PANICKED: u8 = 101;

fn main() -> ExitCode {
    // clap itself ends with 2 on a wrong command line.
    let arguments = Arguments::parse();
    if arguments.command.is_none() {
        terminal::restore_at_end();
    }
    let thread = std::thread::Builder::new().name("main".to_owned()).stack_size(STACK_BYTES);
    match thread.spawn(move || run(&arguments)).map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => code,
        // The panic hook has said why.
        Ok(Err(_)) => ExitCode::from(PANICKED),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: cannot start a thread: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> ExitCode {
    let outcome = match &arguments.command {
        None => sql::run(arguments),
        Some(Command::Produce(produce)) => produce::run(arguments, produce),
        Some(Command::Consume(consume)) => consume::run(arguments, consume),
        Some(Command::Topics(topics)) => topics::run(arguments, topics),
        Some(Command::Server) => server::run(arguments),
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

//! The integration tests: the real binary, run as its users run it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod aggregates;
mod architecture;
mod bad_input;
mod cli;
mod dialect;
mod flights;
mod formats;
mod functions;
mod history;
mod joins;
mod kafka_clients;
mod kills;
mod look_ups;
mod memory;
mod operators;
mod oracle;
mod pipeline;
mod queries;
mod readme;
mod restart;
mod resting;
mod shell;
mod support;
mod terminal;
mod unfinished;

//! What each fuzz target does with its bytes: the same functions run the seeds in an ordinary test.
//!
//! A panic is a finding, and so is memory without bound, which the fuzzer watches. Every module says what else is.

pub mod batch;
pub mod connection;
mod reading;
pub mod recovery;
mod repair;
mod wire;

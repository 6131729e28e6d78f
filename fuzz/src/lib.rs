//! What each fuzz target does with its bytes, and how its seeds are made.
//!
//! A panic is a finding, and so is memory without bound, which the fuzzer watches. Every module says what else is.

pub mod batch;
pub mod connection;
mod reading;
pub mod recovery;
mod repair;
mod wire;

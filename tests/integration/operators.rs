//! Every operator that keeps a state, against an oracle that keeps everything.
//!
//! A history is a list of records, cut into batches, epochs, commits and restarts at random. A query runs
//! over it as a task would run it; an oracle takes the same records one by one, does what the operator's
//! documentation says in the plainest way there is, and must get the same results. So each oracle is the
//! reference of its operator: where the two differ, one of them is wrong.
//!
//! `PROPTEST_CASES` raises the number of histories.

mod aggregate;
mod change;
mod comparison;
mod emission;
mod fold;
mod foreign_key;
mod history;
mod query;
mod row;
mod session;
mod session_offset;
mod stream_stream;
mod stream_table;
mod table_aggregate;
mod table_filter;
mod table_table;

use proptest::test_runner::Config;

/// A configuration of so many cases, unless the environment asks for another number.
fn cases(cases: u32) -> Config {
    let default = Config::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { cases };
    Config { cases, ..default }
}

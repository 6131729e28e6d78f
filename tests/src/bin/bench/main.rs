//! `cargo run --release --bin bench -- COMMAND`: how fast it is on this machine.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

mod functions;
mod instructions;
mod latency;
mod pageviews;
mod produce;
mod start;

use std::error::Error;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
    /// One JSON object a line instead of a table.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Bench {
    /// Filter, windowed counts and a join over page views.
    Pageviews {
        /// The number of page views.
        #[arg(long, default_value_t = 1_000_000)]
        rows: u64,
        /// The number of runs, of which the median counts.
        #[arg(long, default_value_t = 5)]
        runs: usize,
        /// Only queries whose name contains this.
        #[arg(long, default_value = "")]
        only: String,
        /// The partitions of the page views: a run of each query for each number.
        #[arg(long, value_delimiter = ',', default_values_t = [1, 4], value_parser = clap::value_parser!(i32).range(1..))]
        partitions: Vec<i32>,
    },
    /// The scalar functions that are used most, against DataFusion's or plain loops.
    Functions {
        /// The number of runs, of which the median counts.
        #[arg(long, default_value_t = 31)]
        runs: usize,
        /// Only functions whose name contains this.
        #[arg(long, default_value = "")]
        only: String,
    },
    /// Instructions a row of the queries over page views, counted by valgrind and compared with a baseline.
    Instructions {
        /// Only queries whose name contains this.
        #[arg(long, default_value = "")]
        only: String,
        /// The file to compare with.
        #[arg(long, default_value = instructions::BASELINE)]
        baseline: PathBuf,
        /// Writes the baseline instead of comparing with it.
        #[arg(long, conflicts_with = "only")]
        record: bool,
        /// Runs this query and ends: what valgrind watches.
        #[arg(long, hide = true)]
        watched: Option<String>,
    },
    /// 100-byte records from one thread, durable.
    Produce {
        /// The number of records.
        #[arg(long, default_value_t = 4_000_000)]
        records: u64,
    },
    /// From one record to its durable result, when all else is idle.
    Latency {
        /// The number of records.
        #[arg(long, default_value_t = 300)]
        records: usize,
    },
    /// From the start of the program to its first answer.
    Start {
        /// The number of persistent queries.
        #[arg(long, default_value_t = 100)]
        queries: usize,
        /// The number of records that the queries have read.
        #[arg(long, default_value_t = 10_000)]
        records: u64,
        /// The number of starts, of which the median counts.
        #[arg(long, default_value_t = 5)]
        runs: usize,
    },
}

fn main() -> Result<()> {
    let Arguments { bench, json } = Arguments::parse();
    match bench {
        Bench::Pageviews { rows, runs, only, mut partitions } => {
            // Each number has a topic of its own, which can be written once.
            partitions.sort_unstable();
            partitions.dedup();
            pageviews::run(rows, runs, &only, &partitions, json)
        }
        Bench::Functions { runs, only } => functions::run(runs, &only, json),
        Bench::Instructions { watched: Some(query), .. } => instructions::run_watched(&query),
        Bench::Instructions { only, baseline, record, .. } => instructions::run(&only, &baseline, record, json),
        Bench::Produce { records } => produce::run(records, json),
        Bench::Latency { records } => latency::run(records, json),
        Bench::Start { queries, records, runs } => start::run(queries, records, runs, json),
    }
}

//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Streaming SQL in one binary: without a command, a shell over the log in the data directory.
#[derive(Debug, Parser)]
#[command(name = "millstream", bin_name = "millstream", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// The data directory; it is created if it is missing.
    #[arg(long, global = true, value_name = "DIR", default_value = "./millstream-data")]
    pub(crate) data: PathBuf,

    /// Where Kafka clients can connect: HOST:PORT, several with commas between them, or none. Without it a shell and a
    /// server listen on 127.0.0.1:9092.
    #[arg(long, global = true, value_name = "ADDRESSES")]
    pub(crate) listeners: Option<String>,

    /// The address that Kafka clients are told to connect to, where it is not the one they did connect to.
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub(crate) advertised_listener: Option<String>,

    /// How long the offsets of groups are kept that nobody is in; those of queries are kept in any case.
    #[arg(long, global = true, value_name = "MINUTES", default_value_t = 10_080)]
    #[arg(value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) offsets_retention_minutes: i32,

    /// Run these statements and end; may be repeated.
    #[arg(short = 'e', long = "execute", value_name = "SQL")]
    pub(crate) execute: Vec<String>,

    /// Run the statements of a file and end; may be repeated.
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub(crate) file: Vec<PathBuf>,

    /// Define a variable for the statements.
    #[arg(short = 'v', long = "variable", value_name = "NAME=VALUE")]
    pub(crate) variable: Vec<String>,

    /// The form of results: table, box, vertical, json, ndjson, csv, tsv, markdown, raw.
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub(crate) output: Option<String>,

    /// When to use colours.
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    pub(crate) color: ColorChoice,

    /// Go on after a statement that failed.
    #[arg(long)]
    pub(crate) keep_going: bool,

    /// End a result after so many rows.
    #[arg(long, value_name = "ROWS")]
    pub(crate) limit: Option<usize>,

    /// Fail when a statement takes longer: 5s, 500ms, 2m, or a number of seconds.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,

    /// End a push query when no row has come for so long.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) until_idle: Option<Duration>,

    /// How much memory queries may use together: 4GiB, 512MiB, or a number of bytes; by default three quarters of
    /// what the machine has.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) memory_max: Option<usize>,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// A size as it is written on the command line.
fn size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: Option<usize> = match text.get(digits.len()..).unwrap_or_default() {
        "" | "B" => Some(1),
        "KiB" | "k" | "K" => Some(1 << 10),
        "MiB" | "m" | "M" => Some(1 << 20),
        "GiB" | "g" | "G" => Some(1 << 30),
        _ => None,
    };
    let bytes = factor.zip(digits.trim().parse::<usize>().ok()).and_then(|(factor, number)| number.checked_mul(factor));
    bytes.ok_or_else(|| format!("expected a size such as 4GiB, 512MiB or a number of bytes, found \"{text}\""))
}

/// A time as it is written on the command line.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text.get(digits.len()..).unwrap_or_default() {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => f64::NAN,
    };
    let seconds = digits.trim().parse::<f64>().unwrap_or(f64::NAN) * factor;
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| format!("expected a time such as 5s, 500ms or 2m, found \"{text}\""))
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ColorChoice {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write lines of a file or of standard input to a topic.
    Produce(Produce),
    /// Print a topic's records.
    Consume(Consume),
    /// List the topics.
    Topics(Topics),
    /// Run queries and serve Kafka clients until interrupted.
    Server,
}

#[derive(Debug, Args)]
pub(crate) struct Produce {
    /// The topic; it is created if it is missing.
    pub(crate) topic: String,

    /// The file to read; standard input if it is left out or "-".
    pub(crate) file: Option<PathBuf>,

    /// What a line is.
    #[arg(long, value_enum, default_value = "raw")]
    pub(crate) format: LineFormat,

    /// The field whose text is the record's key.
    #[arg(long, value_name = "FIELD")]
    pub(crate) key: Option<String>,

    /// The field that is the record's time: ms since 1970, or a time such as 2013-01-01T10:00:00Z.
    #[arg(long, value_name = "FIELD")]
    pub(crate) timestamp: Option<String>,

    /// The number of partitions of a topic that is created.
    #[arg(long, value_name = "COUNT")]
    pub(crate) partitions: Option<i32>,

    /// The program to work with, as HOST:PORT; without it the data directory, or the program that has it.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) bootstrap_server: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LineFormat {
    /// A JSON object a line.
    Json,
    /// Comma-separated values under a header; each line becomes a JSON object, NA and nothing are null.
    Csv,
    /// The line as it is.
    Raw,
}

#[derive(Debug, Args)]
pub(crate) struct Consume {
    /// The topic.
    pub(crate) topic: String,

    /// Start with the first record there is.
    #[arg(long)]
    pub(crate) from_beginning: bool,

    /// Start where this group left off, and remember how far it came.
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Option<String>,

    /// End after so many records.
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_messages: Option<u64>,

    /// End at what is the end of the topic now.
    #[arg(long)]
    pub(crate) exit_at_end: bool,

    /// The program to work with, as HOST:PORT; without it the data directory, or the program that has it.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) bootstrap_server: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Topics {
    /// The program to work with, as HOST:PORT; without it the data directory, or the program that has it.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) bootstrap_server: Option<String>,
}

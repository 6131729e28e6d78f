//! The running engine.
//!
//! It is: the catalog as a log of commands, persistent queries as tasks on a pool of threads, each
//! epoch one atomic write of results, state changes and source offsets; push queries, pull queries and
//! every other statement. It is not: a user interface; it prints nothing.

mod command;
mod engine;
mod error;
mod feeder;
mod history;
mod input;
mod lanes;
mod materialized;
mod memory;
mod merge;
mod names;
mod patience;
mod pool;
mod processing_log;
mod query;
mod rows;
mod scan;
mod settings;
mod sink;
mod source_table;
mod stage;
mod tail;
mod task;
mod timer;
mod upstream;
mod wanted_keys;

pub use engine::{Engine, EngineOptions, PartitionLag, QueryInfo, Response, SourceInfo};
pub use error::{Error, Result};
pub use query::QueryStatus;
pub use rows::{Row, RowSet, RowStream, Skipped, StreamEvent};
pub use settings::Settings;

pub use millstream_plan::parse_time;

//! Formats, operators and keyed state.
//!
//! It is: decoders from records to Arrow batches and back, and the operators of a streaming query,
//! synchronous and push-based: an epoch is one call stack from decoder to sink. It is not: a runtime.
//! An operator sees no clock, no thread, no file and no log; time comes with the data.

mod append;
mod batch;
mod codec;
mod column;
mod context;
mod decoder;
mod encoder;
mod error;
mod evaluate;
mod format;
mod groups;
mod headers;
mod kept_table;
mod key_order;
mod operator;
mod pipeline;
mod rows;
mod sink_time;
mod table;
mod value;
mod window_key;

pub use batch::{Batch, OldRows};
pub use context::{Context, RowError};
pub use decoder::SourceDecoder;
pub use encoder::{KeyBytes, SinkEncoder};
pub use error::{Error, Result};
pub use evaluate::{Evaluator, evaluate_constant};
pub use headers::headers_of;
pub use key_order::key_order;
pub use operator::StateChange;
pub use pipeline::{Leaf, Pipeline};
pub use table::KeyedTable;
pub use value::value_at;

#[doc(hidden)]
pub mod testing {
    //! What fuzz and differential tests drive directly.
    pub use crate::column::ColumnBuilder;
    pub use crate::format::JsonDecoder;
}

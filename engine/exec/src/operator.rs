//! The operators of a streaming query.

mod aggregate;
mod explode;
mod filter;
mod foreign_key;
mod foreign_lookup;
mod joined_rows;
mod latest;
mod materialize;
mod project;
mod regroup;
mod session;
mod stream_stream;
mod stream_table;
mod subscription;
mod table_filter;
mod table_table;

pub(crate) use aggregate::WindowedAggregate;
pub(crate) use explode::Explode;
pub(crate) use filter::Filter;
pub(crate) use foreign_key::{ForeignKeyJoin, ForeignKeyShape};
pub(crate) use foreign_lookup::ForeignKeyLookup;
pub(crate) use materialize::Materialize;
pub(crate) use project::Project;
pub(crate) use regroup::Regroup;
pub(crate) use session::SessionAggregate;
pub(crate) use stream_stream::{Bounds, StreamStreamJoin};
pub(crate) use stream_table::StreamTableJoin;
pub(crate) use table_filter::TableFilter;
pub(crate) use table_table::TableTableJoin;

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::datatypes::Int64Type;

use crate::{Batch, Context, Error, Result};

/// What computes.
///
/// # Contract
/// - *Epochs*: an epoch is any number of `process` calls and then one `flush`. After it no row is left
///   inside but in the operator's state.
/// - *Batch boundaries mean nothing*: the rows of an epoch give the same result however they are cut.
/// - *No world*: an operator sees no clock, no thread and no file.
/// - *Errors*: an error stops the query; the operator is not used again.
pub(crate) trait Operator: Send {
    /// Takes a batch of one of its inputs and hands on what follows from it at once.
    fn process(&mut self, input: usize, batch: Batch, context: &mut Context, out: &mut Vec<Batch>) -> Result<()>;

    /// Hands on what the epoch has changed.
    fn flush(&mut self, _context: &mut Context, _out: &mut Vec<Batch>) -> Result<()> {
        Ok(())
    }

    /// Takes what it sends elsewhere: rows for its own internal topic, not for the operator behind it.
    fn take_sent(&mut self) -> Vec<Batch> {
        Vec::new()
    }

    /// How much memory its state takes, about; told after every epoch and so without looking at each row.
    fn size_bytes(&self) -> usize {
        0
    }

    /// Its state, if it keeps one that must survive a restart.
    fn state(&mut self) -> Option<&mut dyn State> {
        None
    }
}

/// An entry of a changelog: a key, and its new value or none.
pub type StateChange<'a> = (&'a [u8], Option<&'a [u8]>);

/// A state that is kept in a changelog topic.
///
/// # Contract
/// - *Changes*: `drain` hands out, once, every entry that changed since the last call, one a key.
/// - *Restoring*: a fresh operator that is given all entries ever drained, in order, or only the last of
///   each key, goes on exactly where the old one was.
pub(crate) trait State {
    /// Hands out what has changed.
    fn drain(&mut self, write: &mut dyn FnMut(StateChange<'_>)) -> Result<()>;

    /// Takes entries of the changelog in order.
    fn restore(&mut self, entries: &[StateChange<'_>]) -> Result<()>;
}

/// Of two columns of times the later time of each row; a time that is missing is 0.
fn later(a: &ArrayRef, b: &ArrayRef) -> Result<ArrayRef> {
    let times = |column: &ArrayRef| column.as_primitive_opt::<Int64Type>().map(|times| times.values().clone());
    let (Some(a), Some(b)) = (times(a), times(b)) else {
        return Err(Error::Internal("a time is no number".to_owned()));
    };
    Ok(std::sync::Arc::new(a.iter().zip(b.iter()).map(|(a, b)| *a.max(b)).collect::<Int64Array>()))
}

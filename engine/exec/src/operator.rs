//! The operators of a streaming query.

mod aggregate;
mod explode;
mod filter;
mod materialize;
mod project;
mod regroup;
mod session;
mod stream_stream;
mod stream_table;
mod table_filter;

pub(crate) use aggregate::WindowedAggregate;
pub(crate) use explode::Explode;
pub(crate) use filter::Filter;
pub(crate) use materialize::Materialize;
pub(crate) use project::Project;
pub(crate) use regroup::Regroup;
pub(crate) use session::SessionAggregate;
pub(crate) use stream_stream::{Bounds, StreamStreamJoin};
pub(crate) use stream_table::StreamTableJoin;
pub(crate) use table_filter::TableFilter;

use crate::{Batch, Context, Result};

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

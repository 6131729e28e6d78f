//! In which order a task takes the rows of its inputs.

use millstream_exec::{Batch, Context};
use millstream_log::Log;

use crate::Result;
use crate::input::Input;
use crate::patience::Patience;

/// So many rows of several inputs are put together at a time: as many as the nearest caches hold.
const ROWS_MAX: usize = 2048;

/// The next rows to process and the pipeline's input that they belong to: of several inputs those with the least times,
/// up to where a row of another of the pipeline's inputs comes first. Of rows of one time those of the earlier input
/// come first, however they were fetched.
pub(crate) fn next_batch(
    inputs: &mut [Input],
    log: &dyn Log,
    patience: &mut Patience,
    context: &mut Context,
) -> Result<Option<(usize, Batch)>> {
    if let [only] = inputs {
        only.fill(log, None, context)?;
        return Ok(only.take().map(|batch| (only.input, batch)));
    }
    for input in inputs.iter_mut() {
        input.fill(log, None, context)?;
    }
    let heads: Vec<(i64, usize)> =
        inputs.iter().enumerate().filter_map(|(at, input)| Some((input.head()?, at))).collect();
    let Some((first, _)) = heads.iter().min() else { return Ok(None) };
    if patience.is_for_rows_on_their_way() && inputs.iter().any(|input| input.awaits_rows(*first, log)) {
        // Whoever is behind wakes the task.
        return Ok(None);
    }
    if heads.len() == inputs.len() {
        patience.restore();
    } else if patience.waits()? {
        return Ok(None);
    }
    let Some(next) = next_rows(inputs, &heads)? else { return Ok(None) };
    for (input, count) in inputs.iter_mut().zip(next.passed) {
        input.pass(count);
    }
    Ok(Some((next.leaf, next.rows)))
}

/// Rows to process, which are still to be passed.
struct Next {
    /// The pipeline's input that they belong to.
    leaf: usize,
    rows: Batch,
    /// How many of each input's rows they are.
    passed: Vec<usize>,
}

/// An input's rows that wait.
struct Cursor<'a> {
    input: usize,
    batch: &'a Batch,
    times: &'a [i64],
    /// The next of them.
    at: usize,
    from: usize,
}

/// What comes next, from inputs that feed the same input of the pipeline, until one of them is used up: what it has
/// next may come before the rows of the others.
fn next_rows(inputs: &[Input], heads: &[(i64, usize)]) -> Result<Option<Next>> {
    let leaf_of = |at: usize| inputs.get(at).map(|input| input.input);
    let Some(leaf) = heads.iter().min().and_then(|(_, first)| leaf_of(*first)) else { return Ok(None) };
    // The first row that belongs elsewhere.
    let limit = heads.iter().filter(|(_, input)| leaf_of(*input) != Some(leaf)).min().copied();
    let of_leaf = inputs.iter().enumerate().filter(|(_, input)| input.input == leaf);
    let cursors = of_leaf.filter_map(|(input, waits)| {
        let (batch, times, from) = waits.waiting()?;
        Some(Cursor { input, batch, times, at: from, from })
    });
    let mut cursors: Vec<Cursor<'_>> = cursors.collect();
    let rows = match cursors.as_mut_slice() {
        [only] => {
            let comes_first = |time: &&i64| limit.is_none_or(|limit| (**time, only.input) < limit);
            only.at += only.times.iter().skip(only.from).take_while(comes_first).count();
            only.batch.slice(only.from, only.at - only.from)
        }
        several => {
            let places = merged(several, limit);
            let batches: Vec<&Batch> = several.iter().map(|cursor| cursor.batch).collect();
            Batch::interleave(&batches, &places)?
        }
    };
    let mut passed = vec![0; inputs.len()];
    for cursor in &cursors {
        if let Some(passed) = passed.get_mut(cursor.input) {
            *passed = cursor.at - cursor.from;
        }
    }
    Ok(Some(Next { leaf, rows, passed }))
}

/// The places of the rows that come next: cursor and row. With a handful of inputs, looking at each for every row is
/// faster than keeping them sorted: which one is next cannot be foreseen, and a loop without branches does not have to.
fn merged(cursors: &mut [Cursor<'_>], limit: Option<(i64, usize)>) -> Vec<(usize, usize)> {
    let mut heads: Vec<i64> = cursors.iter().filter_map(|cursor| cursor.times.get(cursor.at).copied()).collect();
    let mut places = Vec::with_capacity(ROWS_MAX);
    while places.len() < ROWS_MAX {
        let (mut first, mut time) = (0, i64::MAX);
        for (number, head) in heads.iter().enumerate() {
            (first, time) = if *head < time { (number, *head) } else { (first, time) };
        }
        let (Some(cursor), Some(head)) = (cursors.get_mut(first), heads.get_mut(first)) else { break };
        if limit.is_some_and(|limit| (time, cursor.input) >= limit) {
            break;
        }
        places.push((first, cursor.at));
        cursor.at += 1;
        let Some(next) = cursor.times.get(cursor.at) else { break };
        *head = *next;
    }
    places
}

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
    let mut heads: Vec<(i64, usize)> =
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
    let next = next_rows(inputs, &mut heads)?;
    let Some(next) = next else { return Ok(None) };
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

/// An input's rows in the order of their processing.
struct Cursor<'a> {
    input: usize,
    /// The times of its rows that wait, of which the first `at` are passed.
    times: &'a [i64],
    at: usize,
}

/// What comes next, from inputs that feed the same input of the pipeline, until one of them is used up: what it has
/// next may come before the rows of the others.
fn next_rows(inputs: &[Input], heads: &mut Vec<(i64, usize)>) -> Result<Option<Next>> {
    let leaf_of = |at: usize| inputs.get(at).map(|input| input.input);
    heads.sort_unstable_by(|a, b| b.cmp(a));
    let Some(leaf) = heads.last().and_then(|(_, first)| leaf_of(*first)) else { return Ok(None) };
    let (mut cursors, mut batches) = (Vec::new(), Vec::new());
    // Where an input's cursor is; only inputs of the leaf have one.
    let mut numbers = vec![None; inputs.len()];
    for (at, input) in inputs.iter().enumerate().filter(|(_, input)| input.input == leaf) {
        let (Some((batch, times, used)), Some(number)) = (input.waiting(), numbers.get_mut(at)) else { continue };
        *number = Some(cursors.len());
        cursors.push(Cursor { input: at, times: times.get(used..).unwrap_or_default(), at: 0 });
        batches.push((batch, used));
    }
    let mut places: Vec<(usize, usize)> = Vec::new();
    let mut runs = 0;
    while let Some((_, input)) = heads.pop()
        && let Some(number) = numbers.get(input).copied().flatten()
        && let (Some(cursor), Some((_, used))) = (cursors.get_mut(number), batches.get(number))
    {
        let rest = cursor.times.get(cursor.at..).unwrap_or_default();
        let room = ROWS_MAX - places.len();
        let count = match heads.last() {
            Some(next) => rest.iter().take(room).take_while(|time| (**time, input) < *next).count().max(1),
            None => rest.len().min(room),
        };
        let from = used + cursor.at;
        places.extend((from..from + count).map(|row| (number, row)));
        runs += 1;
        cursor.at += count;
        let Some(next) = cursor.times.get(cursor.at) else { break };
        if places.len() >= ROWS_MAX {
            break;
        }
        let place = heads.partition_point(|head| *head > (*next, input));
        heads.insert(place, (*next, input));
    }
    let rows = match (runs, places.first()) {
        (1, Some((number, from))) => batches.get(*number).map(|(batch, _)| batch.slice(*from, places.len())),
        _ => {
            let batches: Vec<&Batch> = batches.iter().map(|(batch, _)| *batch).collect();
            Some(Batch::interleave(&batches, &places)?)
        }
    };
    let mut passed = vec![0; inputs.len()];
    for cursor in &cursors {
        if let Some(passed) = passed.get_mut(cursor.input) {
            *passed = cursor.at;
        }
    }
    Ok(rows.map(|rows| Next { leaf, rows, passed }))
}

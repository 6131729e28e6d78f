//! In which order a task takes the rows of its inputs.

use millstream_exec::{Batch, Context};
use millstream_log::Log;

use crate::Result;
use crate::input::Input;
use crate::patience::Patience;

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
    let runs = runs(inputs, &mut heads);
    let Some(Run { input: first, .. }) = runs.first() else { return Ok(None) };
    let leaf = inputs.get(*first).map_or(0, |input| input.input);
    let rows = match runs.as_slice() {
        [Run { input, count, .. }] => inputs.get_mut(*input).and_then(|input| input.take_rows(*count)),
        _ => Some(gather(inputs, &runs)?),
    };
    Ok(rows.map(|rows| (leaf, rows)))
}

/// Rows of one input that follow each other.
struct Run {
    input: usize,
    from: usize,
    count: usize,
}

/// What comes next, from inputs that feed the same input of the pipeline, until one of them is used up: what it has
/// next may come before the rows of the others.
fn runs(inputs: &[Input], heads: &mut Vec<(i64, usize)>) -> Vec<Run> {
    let leaf = |at: usize| inputs.get(at).map(|input| input.input);
    let mut passed = vec![0; inputs.len()];
    let mut runs = Vec::new();
    heads.sort_unstable_by(|a, b| b.cmp(a));
    let Some((_, first)) = heads.last().copied() else { return runs };
    while let Some((_, at)) = heads.pop().filter(|(_, at)| leaf(*at) == leaf(first)) {
        let (Some((_, times, used)), Some(passed)) = (inputs.get(at).and_then(Input::waiting), passed.get_mut(at))
        else {
            break;
        };
        let from = used + *passed;
        let rest = times.get(from..).unwrap_or_default();
        let comes_first = |time: i64| heads.last().is_none_or(|next| (time, at) < *next);
        let count = rest.iter().take_while(|time| comes_first(**time)).count().max(1);
        runs.push(Run { input: at, from, count });
        *passed += count;
        let Some(next) = times.get(from + count) else { break };
        let place = heads.partition_point(|head| *head > (*next, at));
        heads.insert(place, (*next, at));
    }
    runs
}

fn gather(inputs: &mut [Input], runs: &[Run]) -> Result<Batch> {
    // The batches that have rows in it, by the place of their inputs.
    let mut batches = Vec::new();
    let mut numbers = vec![None; inputs.len()];
    let mut places = Vec::new();
    for run in runs {
        let (Some(number), Some((batch, ..))) =
            (numbers.get_mut(run.input), inputs.get(run.input).and_then(Input::waiting))
        else {
            continue;
        };
        let number = *number.get_or_insert_with(|| {
            batches.push(batch);
            batches.len() - 1
        });
        places.extend((run.from..run.from + run.count).map(|row| (number, row)));
    }
    let rows = Batch::interleave(&batches, &places)?;
    for run in runs {
        if let Some(input) = inputs.get_mut(run.input) {
            input.pass(run.count);
        }
    }
    Ok(rows)
}

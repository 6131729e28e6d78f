//! Random records in the order in which a task takes them, and where it stops between them.

use std::fmt;

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

use super::row::{Fields, Row};

/// A record, and what the task does after it.
#[derive(Clone)]
pub(super) struct Step {
    pub(super) row: Row,
    pub(super) cut: Cut,
}

/// Where rows are cut apart; each does all that the one before it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cut {
    /// The next row may be in the same batch.
    None,
    /// The batch ends.
    Batch,
    /// The operators flush: the epoch ends.
    Epoch,
    /// What has changed in their states goes to the changelogs.
    Commit,
    /// The task goes on in a fresh pipeline, restored from the changelogs.
    Restart,
    /// The same from changelogs of which only the newest entry of each key is left.
    RestartFromCompacted,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.row)?;
        if self.cut == Cut::None { Ok(()) } else { write!(f, " | {:?}", self.cut) }
    }
}

/// How many of 1000 rows are followed by each cut, from [`Cut::Batch`] on.
const PACES: [[u32; 5]; 4] = [[1, 1, 1, 1, 1], [10, 10, 10, 3, 3], [150, 80, 60, 15, 15], [100, 300, 400, 50, 50]];

/// A history of a query with so many sources, of up to 1000 rows, most of them of a few dozen.
pub(super) fn history(inputs: usize) -> impl Strategy<Value = Vec<Step>> {
    let draws = prop_oneof![
        24 => vec(draw(inputs), 0..40),
        5 => vec(draw(inputs), 40..150),
        1 => vec(draw(inputs), 150..1000),
    ];
    (select(PACES.as_slice()), draws).prop_map(|(pace, draws)| steps(pace, draws))
}

/// The rows that have keys: a table's source hands on no others.
pub(super) fn keyed(history: Vec<Step>) -> Vec<Step> {
    history.into_iter().filter(|step| step.row.key.is_some()).collect()
}

/// The same rows, without a cut but at the end.
pub(super) fn uncut(history: &[Step]) -> Vec<Step> {
    history.iter().map(|step| Step { cut: Cut::None, ..step.clone() }).collect()
}

/// A history of a few rows of any times, so that what is far apart at first is joined later.
pub(super) fn scattered_history() -> impl Strategy<Value = Vec<Step>> {
    let rows = vec((draw(1), 0..60i64), 0..16);
    (select(PACES.as_slice()), rows).prop_map(|(pace, rows)| {
        let (draws, times): (Vec<Draw>, Vec<i64>) = rows.into_iter().unzip();
        let mut steps = steps(pace, draws);
        steps.iter_mut().zip(times).for_each(|(step, time)| step.row.time = time);
        steps
    })
}

/// A history of thousands of rows, long enough for the space of closed windows to be used again.
pub(super) fn long_history() -> impl Strategy<Value = Vec<Step>> {
    vec(draw(1), 4000..6000).prop_map(|draws| steps([20, 10, 5, 1, 1], draws))
}

/// What is random about a row.
#[derive(Debug, Clone)]
struct Draw {
    input: usize,
    key: Option<&'static str>,
    value: Option<Fields>,
    advance_ms: i64,
    late_by_ms: i64,
    cut: u32,
}

fn draw(inputs: usize) -> impl Strategy<Value = Draw> {
    let key = weighted(0.95, select(["a", "b", "c"].as_slice()));
    let v = weighted(0.85, -3..10i32);
    let t = weighted(0.85, select(["x", "y", "", "zz"].as_slice()));
    let value = weighted(0.92, (v, t).prop_map(|(v, t)| Fields { v, t }));
    let advance_ms = prop_oneof![12 => 0..7i64, 1 => 7..90i64];
    let late_by_ms = prop_oneof![4 => Just(0i64), 2 => 1..13i64, 1 => 13..70i64];
    (0..inputs, key, value, advance_ms, late_by_ms, 0..1000u32).prop_map(
        |(input, key, value, advance_ms, late_by_ms, cut)| Draw { input, key, value, advance_ms, late_by_ms, cut },
    )
}

/// A clock goes on from row to row, and each row is more or less behind it.
fn steps(pace: [u32; 5], draws: Vec<Draw>) -> Vec<Step> {
    const CUTS: [Cut; 5] = [Cut::Batch, Cut::Epoch, Cut::Commit, Cut::Restart, Cut::RestartFromCompacted];
    let mut clock = 0;
    let mut step = |draw: Draw| {
        clock += draw.advance_ms;
        let time = (clock - draw.late_by_ms).max(0);
        // The least number stands for no cut, so that a failure is shown with as few cuts as it needs.
        let mut left = 1000 - draw.cut;
        let cut = CUTS.into_iter().zip(pace).find(|(_, count)| {
            let found = left <= *count;
            left = left.saturating_sub(*count);
            found
        });
        let row = Row { input: draw.input, key: draw.key, value: draw.value, time };
        Step { row, cut: cut.map_or(Cut::None, |(cut, _)| cut) }
    };
    draws.into_iter().map(&mut step).collect()
}

//! `REDUCE`.

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::{concat, take};
use datafusion::common::Result;

use super::Body;
use super::collection::Collection;

/// Every row's state after its last item: the first items of all rows at once, then the second ones, and so on.
pub(super) fn reduce(collection: &Collection, state: ArrayRef, captured: &[ArrayRef], body: &Body) -> Result<ArrayRef> {
    let mut state = state;
    let rows = state.len();
    let lengths: Vec<usize> = collection.lengths.iter().map(|length| length.unwrap_or(0)).collect();
    let starts: Vec<usize> =
        lengths.iter().scan(0, |end, length| Some(std::mem::replace(end, *end + length))).collect();
    for step in 0..lengths.iter().copied().max().unwrap_or(0) {
        let (mut active, mut items) = (Vec::new(), Vec::new());
        for (row, (start, length)) in starts.iter().zip(&lengths).enumerate() {
            if step < *length {
                active.push(row as u32);
                items.push((start + step) as u32);
            }
        }
        let (active, items) = (UInt32Array::from(active), UInt32Array::from(items));
        let mut columns = vec![take(&state, &active, None)?];
        for column in &collection.columns {
            columns.push(take(column, &items, None)?);
        }
        for column in captured {
            columns.push(take(column, &active, None)?);
        }
        let changed = body.compute(columns, active.len())?;
        if active.len() == rows {
            state = changed;
            continue;
        }
        let mut places: Vec<u32> = (0..rows as u32).collect();
        for (place, row) in active.values().iter().enumerate() {
            if let Some(target) = places.get_mut(*row as usize) {
                *target = (rows + place) as u32;
            }
        }
        state = take(&concat(&[state.as_ref(), changed.as_ref()])?, &UInt32Array::from(places), None)?;
    }
    Ok(state)
}

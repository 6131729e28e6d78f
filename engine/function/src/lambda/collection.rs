//! Arrays and maps, flattened.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array};
use arrow::compute::take;
use datafusion::common::{Result, exec_err};

use super::{Body, failed};
use crate::scalar::kernel::{entries_at, items_at, list_of};
use crate::scalar::map::map_of_entries;

/// The items of all rows one after the other: of an array its items, of a map its keys and values.
pub(super) struct Collection {
    /// The flattened columns: one of an array, two of a map.
    pub(super) columns: Vec<ArrayRef>,
    /// The row of each item.
    rows: UInt32Array,
    /// How many items each row has; `None` for null.
    pub(super) lengths: Vec<Option<usize>>,
}

impl Collection {
    pub(super) fn of(array: &ArrayRef) -> Result<Self> {
        let rows = array.len();
        let (columns, ranges): (Vec<&ArrayRef>, Vec<_>) = if let Some(lists) = array.as_list_opt::<i32>() {
            (vec![lists.values()], (0..rows).map(|row| items_at(lists, row)).collect())
        } else if let Some(maps) = array.as_map_opt() {
            (vec![maps.keys(), maps.values()], (0..rows).map(|row| entries_at(maps, row)).collect())
        } else {
            return exec_err!("a lambda needs an ARRAY or a MAP, not {}", array.data_type());
        };
        let lengths: Vec<Option<usize>> =
            ranges.iter().map(|range| range.as_ref().map(ExactSizeIterator::len)).collect();
        let row_of_item =
            lengths.iter().enumerate().flat_map(|(row, length)| std::iter::repeat_n(row as u32, length.unwrap_or(0)));
        let rows = UInt32Array::from_iter_values(row_of_item);
        // Most arrays lie one behind the other from the first value to the last.
        let in_place = ranges.iter().flatten().try_fold(0, |end, range| (range.start == end).then_some(range.end));
        let columns = if in_place.is_some_and(|end| columns.iter().all(|column| column.len() == end)) {
            columns.into_iter().map(Arc::clone).collect()
        } else {
            let places = UInt32Array::from_iter_values(ranges.into_iter().flatten().flatten().map(|item| item as u32));
            columns.into_iter().map(|column| take(column, &places, None)).collect::<Result<_, _>>()?
        };
        Ok(Self { columns, rows, lengths })
    }

    /// A lambda's result for every item.
    pub(super) fn map(&self, body: &Body, captured: &[ArrayRef]) -> Result<ArrayRef> {
        let mut columns = self.columns.clone();
        for column in captured {
            columns.push(take(column, &self.rows, None)?);
        }
        body.compute(columns, self.rows.len())
    }

    /// Whether it is a map's.
    fn is_map(&self) -> bool {
        self.columns.len() == 2
    }

    /// The collection of the results: of an array's items, or of a map's keys and of its values.
    pub(super) fn transformed(&self, mut results: Vec<ArrayRef>) -> Result<ArrayRef> {
        let Some(values) = results.pop() else { return exec_err!("a lambda is missing") };
        match results.pop() {
            Some(keys) => {
                self.check_keys(&keys)?;
                Ok(map_of_entries(keys, values, &self.lengths)?)
            }
            None => Ok(list_of(values, &self.lengths)?),
        }
    }

    fn check_keys(&self, keys: &ArrayRef) -> Result<()> {
        let keys = keys.as_string::<i32>();
        if keys.null_count() > 0 {
            return Err(failed("the key of a map must not be null").into());
        }
        let (mut start, mut seen) = (0, HashSet::new());
        for length in self.lengths.iter().flatten() {
            seen.clear();
            if !(start..start + length).all(|entry| seen.insert(keys.value(entry))) {
                return Err(failed("two entries of the map get the same key").into());
            }
            start += length;
        }
        Ok(())
    }

    /// The collection of the items for which the result is true.
    pub(super) fn filtered(&self, results: &[ArrayRef]) -> Result<ArrayRef> {
        let Some(kept) = results.first().and_then(|result| result.as_boolean_opt()) else {
            return exec_err!("a filter's lambda must give a BOOLEAN");
        };
        let is_kept = |item: &usize| kept.is_valid(*item) && kept.value(*item);
        let mut start = 0;
        let mut count = |length: &Option<usize>| {
            let items = start..start + (*length)?;
            start = items.end;
            Some(items.filter(is_kept).count())
        };
        let lengths: Vec<Option<usize>> = self.lengths.iter().map(&mut count).collect();
        let mask: BooleanArray = (0..kept.len()).map(|item| Some(is_kept(&item))).collect();
        let mut columns = self.columns.iter().map(|column| arrow::compute::filter(column, &mask));
        let Some(first) = columns.next() else { return exec_err!("a collection is missing") };
        Ok(match columns.next() {
            Some(values) if self.is_map() => map_of_entries(first?, values?, &lengths)?,
            _ => list_of(first?, &lengths)?,
        })
    }
}

//! What operators hand on.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, new_null_array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{filter_record_batch, interleave, interleave_record_batch, take_record_batch};
use arrow::datatypes::Int64Type;

use crate::{Error, Result};

/// Rows in columns; the last column is ROWTIME.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The columns.
    pub rows: RecordBatch,
    /// False where the record's value is null: nothing in a stream, a deletion in a table. `None`: no
    /// such row. It is not the same as a value whose columns are all null.
    pub live: Option<BooleanBuffer>,
    /// The start and the end of the windows that the rows' keys carry.
    pub window: Option<[ArrayRef; 2]>,
    /// The headers of the records that the rows came with, which go where the rows go. `None`: no row has any.
    pub headers: Option<ArrayRef>,
    /// What each row of a table replaces. `None`: nobody above asks for it.
    pub old: Option<OldRows>,
}

/// The rows that a batch's rows replace, side by side with them.
///
/// ```text
/// (a, n=1)   →  new (a, n=1)   old none
/// (a, n=2)   →  new (a, n=2)   old (a, n=1)
/// (a, null)  →  new none       old (a, n=2)
/// ```
#[derive(Debug, Clone)]
pub struct OldRows {
    /// The rows, of the batch's own schema; where there was none, nulls and the time 0.
    pub rows: RecordBatch,
    /// Where there was one.
    pub live: BooleanBuffer,
}

impl OldRows {
    /// Whether a row replaces another.
    #[must_use]
    pub fn is_live(&self, row: usize) -> bool {
        row < self.live.len() && self.live.value(row)
    }

    /// So many rows from a place on.
    #[must_use]
    pub fn slice(&self, from: usize, count: usize) -> Self {
        Self { rows: self.rows.slice(from, count), live: self.live.slice(from, count) }
    }
}

impl Batch {
    /// Rows that all have a value.
    #[must_use]
    pub fn new(rows: RecordBatch) -> Self {
        Self { rows, live: None, window: None, headers: None, old: None }
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.num_rows()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows' times.
    ///
    /// # Errors
    /// If the last column is not ROWTIME.
    pub fn rowtimes(&self) -> Result<&Int64Array> {
        let last = self.rows.columns().last();
        last.and_then(|column| column.as_primitive_opt::<Int64Type>())
            .ok_or_else(|| Error::Internal("a batch has no ROWTIME".to_owned()))
    }

    /// A column by place.
    ///
    /// # Errors
    /// If there are not so many columns.
    pub fn column(&self, at: usize) -> Result<&ArrayRef> {
        self.rows.columns().get(at).ok_or_else(|| Error::Internal(format!("a batch has no column {at}")))
    }

    /// Whether a row has a value.
    #[must_use]
    pub fn is_live(&self, row: usize) -> bool {
        self.live.as_ref().is_none_or(|live| row < live.len() && live.value(row))
    }

    /// The rows for which `keep` is true; null counts as false.
    ///
    /// # Errors
    /// None in practice.
    pub fn filter(&self, keep: &BooleanArray) -> Result<Self> {
        if keep.null_count() == 0 && keep.true_count() == self.len() {
            return Ok(self.clone());
        }
        let rows = filter_record_batch(&self.rows, keep)?;
        let kept = |bits: &BooleanBuffer| -> Result<BooleanBuffer> {
            let kept = arrow::compute::filter(&BooleanArray::new(bits.clone(), None), keep)?;
            Ok(kept.as_boolean().values().clone())
        };
        let live = self.live.as_ref().map(kept).transpose()?;
        let window = self.each_bound(|bound| Ok(arrow::compute::filter(bound, keep)?))?;
        let old = match &self.old {
            Some(old) => Some(OldRows { rows: filter_record_batch(&old.rows, keep)?, live: kept(&old.live)? }),
            None => None,
        };
        let headers = self.headers.as_ref().map(|headers| arrow::compute::filter(headers, keep)).transpose()?;
        Ok(Self { rows, live, window, headers, old })
    }

    fn each_bound(&self, map: impl Fn(&ArrayRef) -> Result<ArrayRef>) -> Result<Option<[ArrayRef; 2]>> {
        match &self.window {
            Some([start, end]) => Ok(Some([map(start)?, map(end)?])),
            None => Ok(None),
        }
    }

    /// So many rows from a place on.
    #[must_use]
    pub fn slice(&self, from: usize, count: usize) -> Self {
        Self {
            rows: self.rows.slice(from, count),
            live: self.live.as_ref().map(|live| live.slice(from, count)),
            window: self.window.as_ref().map(|[start, end]| [start.slice(from, count), end.slice(from, count)]),
            headers: self.headers.as_ref().map(|headers| headers.slice(from, count)),
            old: self.old.as_ref().map(|old| old.slice(from, count)),
        }
    }

    /// Rows of several batches of one source, at these places: batch and row.
    ///
    /// # Errors
    /// If a place does not exist, or the batches are of different sources.
    pub fn interleave(batches: &[&Self], places: &[(usize, usize)]) -> Result<Self> {
        let of_one_source = || Error::Internal("batches of different sources cannot be interleaved".to_owned());
        let gather = |columns: Vec<&ArrayRef>| -> Result<Option<ArrayRef>> {
            if columns.is_empty() {
                return Ok(None);
            }
            let columns: Vec<&dyn Array> = columns.into_iter().map(AsRef::as_ref).collect();
            if columns.len() < batches.len() { Err(of_one_source()) } else { Ok(Some(interleave(&columns, places)?)) }
        };
        let rows: Vec<&RecordBatch> = batches.iter().map(|batch| &batch.rows).collect();
        let is_at = |(batch, row): &(usize, usize), is: fn(&Self, usize) -> bool| {
            batches.get(*batch).is_some_and(|batch| is(batch, *row))
        };
        let bits =
            |is: fn(&Self, usize) -> bool| -> BooleanBuffer { places.iter().map(|place| is_at(place, is)).collect() };
        let live = batches.iter().any(|batch| batch.live.is_some()).then(|| bits(Self::is_live));
        let start = gather(batches.iter().filter_map(|batch| Some(&batch.window.as_ref()?[0])).collect())?;
        let end = gather(batches.iter().filter_map(|batch| Some(&batch.window.as_ref()?[1])).collect())?;
        // A batch without headers is one whose rows have none.
        let headers = match batches.iter().find_map(|batch| batch.headers.as_ref()) {
            Some(some) => {
                let headers = |batch: &&Self| {
                    batch.headers.clone().unwrap_or_else(|| new_null_array(some.data_type(), batch.len()))
                };
                gather(batches.iter().map(headers).collect::<Vec<_>>().iter().collect())?
            }
            None => None,
        };
        let old_rows: Vec<&RecordBatch> = batches.iter().filter_map(|batch| Some(&batch.old.as_ref()?.rows)).collect();
        let old = match old_rows.len() {
            0 => None,
            count if count < batches.len() => return Err(of_one_source()),
            _ => Some(OldRows {
                rows: interleave_record_batch(&old_rows, places)?,
                live: bits(|batch, row| batch.old.as_ref().is_some_and(|old| old.is_live(row))),
            }),
        };
        let rows = interleave_record_batch(&rows, places)?;
        Ok(Self { rows, live, window: start.zip(end).map(|(start, end)| [start, end]), headers, old })
    }

    /// The rows at these places.
    ///
    /// # Errors
    /// If a place does not exist.
    pub fn take(&self, places: &arrow::array::UInt32Array) -> Result<Self> {
        let rows = take_record_batch(&self.rows, places)?;
        let taken = |bits: &BooleanBuffer| {
            BooleanBuffer::collect_bool(places.len(), |at| bits.value(places.value(at) as usize))
        };
        let live = self.live.as_ref().map(taken);
        let window = self.each_bound(|bound| Ok(arrow::compute::take(bound, places, None)?))?;
        let headers = self.headers.as_ref().map(|headers| arrow::compute::take(headers, places, None)).transpose()?;
        let old = match &self.old {
            Some(old) => Some(OldRows { rows: take_record_batch(&old.rows, places)?, live: taken(&old.live) }),
            None => None,
        };
        Ok(Self { rows, live, window, headers, old })
    }
}

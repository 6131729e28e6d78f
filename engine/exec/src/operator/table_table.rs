//! Two tables joined on their primary keys.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use millstream_plan::sql::ast::JoinKind;

use super::latest::Latest;
use super::{Operator, State, StateChange};
use crate::kept_table::KeptTable;
use crate::{Batch, Context, Error, Result};

/// Joins each row of a table with the other table's row of its key; the result is a table again.
///
/// ```text
/// left (a, n=1)     →  inner: nothing;             left: (a, n=1, m=null)
/// right (a, m=7)    →  (a, n=1, m=7)
/// right (a, null)   →  inner: (a, null), deleted;  left: (a, n=1, m=null)
/// left (b, null)    →                              nothing was there
/// ```
///
/// ROWTIME is the later of both. A deletion is handed on only for a row that was handed on before. Of several updates
/// of a key in one epoch the last is handed on.
///
/// State: both tables.
#[derive(Debug)]
pub(crate) struct TableTableJoin {
    sides: [Side; 2],
    /// Whether the key is a column of its own behind those of both sides, since neither side has it always.
    has_key_column: bool,
    schema: SchemaRef,
    /// The joined rows of the epoch.
    latest: Latest,
}

#[derive(Debug)]
struct Side {
    table: KeptTable,
    /// Whether a row without a partner is handed on.
    is_outer: bool,
}

impl TableTableJoin {
    pub(crate) fn new(tables: [KeptTable; 2], kind: JoinKind, schema: SchemaRef) -> Result<Self> {
        let [left, right] = tables;
        let latest = Latest::new(left.key_types())?;
        let left = Side { table: left, is_outer: matches!(kind, JoinKind::Left | JoinKind::Full) };
        let right = Side { table: right, is_outer: matches!(kind, JoinKind::Right | JoinKind::Full) };
        Ok(Self { sides: [left, right], has_key_column: kind == JoinKind::Full, schema, latest })
    }
}

/// Which rows of a batch are handed on, and how.
#[derive(Default)]
struct Kept {
    places: Vec<u32>,
    /// The same, without those whose own side has been deleted: its columns are null then.
    own: Vec<Option<u32>>,
    live: Vec<bool>,
    /// Whether there was a joined row before.
    existed: Vec<bool>,
    is_own_missing: bool,
}

impl Operator for TableTableJoin {
    fn process(&mut self, input: usize, batch: Batch, _: &mut Context, _: &mut Vec<Batch>) -> Result<()> {
        let [left, right] = &mut self.sides;
        let (own, other) = if input == 0 { (left, right) } else { (right, left) };
        let (batch, keys) = own.table.keyed(batch)?;
        let replaced = own.table.put(&batch, &keys)?;
        let (partners, found) = other.table.get(&keys)?;
        let mut kept = Kept::default();
        for (row, (has_partner, had_own)) in found.into_iter().zip(replaced).enumerate() {
            let is_there = |has_own: bool| match (has_own, has_partner) {
                (true, true) => true,
                (true, false) => own.is_outer,
                (false, true) => other.is_outer,
                (false, false) => false,
            };
            let has_own = batch.is_live(row);
            let live = is_there(has_own);
            if (has_own || had_own) && (live || is_there(had_own)) {
                let place = row as u32;
                kept.places.push(place);
                kept.is_own_missing |= live && !has_own;
                kept.own.push((has_own || !live).then_some(place));
                kept.live.push(live);
                kept.existed.push(is_there(had_own));
            }
        }
        if kept.places.is_empty() {
            return Ok(());
        }
        let (places, existed) = (UInt32Array::from(kept.places.clone()), std::mem::take(&mut kept.existed));
        let joined = self.joined(input, &batch, &partners, &keys, kept)?;
        let keys = keys.iter().map(|key| take(key, &places, None)).collect::<Result<Vec<_>, _>>()?;
        self.latest.push(joined, keys, Some(existed));
        Ok(())
    }

    fn size_bytes(&self) -> usize {
        self.sides.iter().map(|side| side.table.size_bytes()).sum()
    }

    fn flush(&mut self, _: &mut Context, out: &mut Vec<Batch>) -> Result<()> {
        self.latest.drain(out)
    }

    fn state(&mut self) -> Option<&mut dyn State> {
        Some(self)
    }
}

impl TableTableJoin {
    fn joined(
        &self,
        input: usize,
        batch: &Batch,
        partners: &RecordBatch,
        keys: &[ArrayRef],
        kept: Kept,
    ) -> Result<Batch> {
        let places = UInt32Array::from(kept.places);
        let own_places = if kept.is_own_missing { UInt32Array::from(kept.own) } else { places.clone() };
        let mut own =
            batch.rows.columns().iter().map(|column| take(column, &own_places, None)).collect::<Result<Vec<_>, _>>()?;
        let mut other =
            partners.columns().iter().map(|column| take(column, &places, None)).collect::<Result<Vec<_>, _>>()?;
        own.pop();
        let other_times = other.pop().ok_or_else(|| Error::Internal("a batch has no ROWTIME".to_owned()))?;
        let own_times = take(batch.rowtimes()?, &places, None)?;
        let (mut columns, behind) = if input == 0 { (own, other) } else { (other, own) };
        columns.extend(behind);
        if self.has_key_column {
            let key = keys.first().ok_or_else(|| Error::Internal("a join has no key".to_owned()))?;
            columns.push(take(key, &places, None)?);
        }
        columns.push(super::later(&own_times, &other_times)?);
        let window = match &batch.window {
            Some([start, end]) => Some([take(start, &places, None)?, take(end, &places, None)?]),
            None => None,
        };
        let live = Some(BooleanBuffer::from(kept.live));
        Ok(Batch { live, window, ..Batch::new(RecordBatch::try_new(Arc::clone(&self.schema), columns)?) })
    }
}

impl State for TableTableJoin {
    fn drain(&mut self, write: &mut dyn FnMut(StateChange<'_>)) -> Result<()> {
        for (tag, side) in (0..).zip(&mut self.sides) {
            side.table.drain(tag, write);
        }
        Ok(())
    }

    fn restore(&mut self, entries: &[StateChange<'_>]) -> Result<()> {
        (0..).zip(&mut self.sides).try_for_each(|(tag, side)| side.table.restore(tag, entries))
    }
}

//! `HAVING`, and `WHERE` on a table.

use std::collections::{BTreeMap, HashMap, HashSet};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use millstream_plan::WindowSpec;
use millstream_plan::sql::ast::WindowKind;

use super::{Operator, State, StateChange};
use crate::{Batch, Context, Error, Evaluator, OldRows, Result, codec};

/// Keeps the rows of a table for which a condition is true, and deletes those for which it no longer is.
///
/// ```text
/// n > 1:   (a, n=1) →
///          (a, n=2) → (a, n=2)
///          (a, n=0) → (a, null)      it passed before
///          (b, n=0) →
/// ```
///
/// State: the keys that passed, unless the rows tell what they replace. A key goes when it is deleted, or when its window is closed, for then nothing
/// can come for it any more.
#[derive(Debug)]
pub(crate) struct TableFilter {
    predicate: Evaluator,
    keys: Vec<usize>,
    window: Option<WindowSpec>,
    passed: HashSet<Vec<u8>>,
    /// How long those keys are together.
    passed_bytes: usize,
    /// Keys that passed, by when their windows close; some of them may have been deleted since.
    closing: BTreeMap<i64, HashSet<Vec<u8>>>,
    /// The greatest ROWTIME so far: that of the aggregate below, whose every row is in some window.
    stream_time: i64,
    /// Keys that came or went since the last drain.
    changed: HashMap<Vec<u8>, bool>,
}

impl TableFilter {
    pub(crate) fn new(predicate: Evaluator, keys: Vec<usize>, window: Option<WindowSpec>) -> Self {
        let (passed, changed) = (HashSet::new(), HashMap::new());
        let closing = BTreeMap::new();
        Self { predicate, keys, window, passed, passed_bytes: 0, closing, stream_time: -1, changed }
    }

    /// The rows for which the condition is true.
    fn passes(&self, rows: &RecordBatch, context: &mut Context) -> Result<BooleanBuffer> {
        let passes = self.predicate.evaluate(rows, context)?;
        let passes = passes.as_boolean_opt().ok_or_else(|| Error::Internal("a condition is not boolean".to_owned()))?;
        Ok(match passes.nulls() {
            Some(valid) => passes.values() & valid.inner(),
            None => passes.values().clone(),
        })
    }

    /// Takes a key among those that passed; false if it is there already.
    fn admit(&mut self, key: &[u8]) -> bool {
        let is_new = self.passed.insert(key.to_vec());
        self.passed_bytes += if is_new { key.len() } else { 0 };
        is_new
    }

    /// Takes a key out of those that passed; false if it is not there.
    fn dismiss(&mut self, key: &[u8]) -> bool {
        let was_there = self.passed.remove(key);
        self.passed_bytes -= if was_there { key.len() } else { 0 };
        was_there
    }

    /// Takes note of when a key's window closes; its end is the last value in the key.
    fn close_later(&mut self, key: &[u8]) {
        let (Some(window), Some((_, end))) = (self.window, key.split_last_chunk::<8>()) else { return };
        // The gap belongs to a session, so it is closed from the millisecond after on.
        let gap_ms = if let WindowKind::Session { gap_ms } = window.kind { gap_ms.saturating_add(1) } else { 0 };
        let closes_at = i64::from_le_bytes(*end).saturating_add(gap_ms).saturating_add(window.grace_ms);
        self.closing.entry(closes_at).or_default().insert(key.to_vec());
    }
}

impl Operator for TableFilter {
    fn process(&mut self, _: usize, batch: Batch, context: &mut Context, out: &mut Vec<Batch>) -> Result<()> {
        if let Some(old) = &batch.old {
            let passes_now = self.passes(&batch.rows, context)?;
            let passed = self.passes(&old.rows, &mut Context::default())?;
            let live = BooleanBuffer::collect_bool(batch.len(), |row| batch.is_live(row) && passes_now.value(row));
            let old = OldRows { rows: old.rows.clone(), live: &old.live & &passed };
            let kept = BooleanArray::new(&live | &old.live, None);
            let kept = Batch { live: Some(live), old: Some(old), ..batch }.filter(&kept)?;
            if !kept.is_empty() {
                out.push(kept);
            }
            return Ok(());
        }
        let passes = self.passes(&batch.rows, context)?;
        let mut keys: Vec<ArrayRef> = self.keys.iter().map(|at| batch.column(*at).cloned()).collect::<Result<_>>()?;
        keys.extend(batch.window.iter().flatten().cloned());
        let latest = batch.rowtimes()?.values().iter().max().copied();
        self.stream_time = latest.unwrap_or(-1).max(self.stream_time);
        let (mut keep, mut live) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
        for row in 0..batch.len() {
            let mut key = Vec::new();
            codec::write_row(&keys, row, &mut key)?;
            let passes_now = batch.is_live(row) && passes.value(row);
            let passed = if passes_now { !self.admit(&key) } else { self.dismiss(&key) };
            if passes_now && !passed {
                self.close_later(&key);
            }
            if passes_now != passed {
                self.changed.insert(key, passes_now);
            }
            keep.push(passes_now || passed);
            live.push(passes_now);
        }
        let mut kept = Batch { live: Some(BooleanBuffer::from(live)), ..batch };
        kept = kept.filter(&BooleanArray::from(keep))?;
        if !kept.is_empty() {
            out.push(kept);
        }
        Ok(())
    }

    fn flush(&mut self, _: &mut Context, _: &mut Vec<Batch>) -> Result<()> {
        while let Some(entry) = self.closing.first_entry() {
            if *entry.key() > self.stream_time {
                break;
            }
            for key in entry.remove() {
                if self.dismiss(&key) {
                    self.changed.insert(key, false);
                }
            }
        }
        Ok(())
    }

    fn size_bytes(&self) -> usize {
        // Keys with windows are listed a second time.
        let copies = if self.window.is_some() { 2 } else { 1 };
        copies * (self.passed_bytes + self.passed.capacity() * (size_of::<Vec<u8>>() + 1))
    }

    fn state(&mut self) -> Option<&mut dyn State> {
        Some(self)
    }
}

impl State for TableFilter {
    fn drain(&mut self, write: &mut dyn FnMut(StateChange<'_>)) -> Result<()> {
        for (key, passes) in self.changed.drain() {
            write((&key, passes.then_some(&[codec::FORMAT_VERSION])));
        }
        Ok(())
    }

    fn restore(&mut self, entries: &[StateChange<'_>]) -> Result<()> {
        for (key, value) in entries {
            if value.is_some() {
                self.admit(key);
                self.close_later(key);
            } else {
                self.dismiss(key);
            }
        }
        Ok(())
    }
}

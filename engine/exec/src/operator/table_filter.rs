//! `HAVING`, and `WHERE` on a table.

use std::collections::{HashMap, HashSet};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::buffer::BooleanBuffer;

use super::{Operator, State, StateChange};
use crate::{Batch, Context, Error, Evaluator, Result, codec};

/// Keeps the rows of a table for which a condition is true, and deletes those for which it no longer is.
///
/// ```text
/// n > 1:   (a, n=1) →
///          (a, n=2) → (a, n=2)
///          (a, n=0) → (a, null)      it passed before
///          (b, n=0) →
/// ```
///
/// State: the keys that passed. A key goes when it is deleted.
#[derive(Debug)]
pub(crate) struct TableFilter {
    predicate: Evaluator,
    keys: Vec<usize>,
    passed: HashSet<Vec<u8>>,
    /// Keys that came or went since the last drain.
    changed: HashMap<Vec<u8>, bool>,
}

impl TableFilter {
    pub(crate) fn new(predicate: Evaluator, keys: Vec<usize>) -> Self {
        Self { predicate, keys, passed: HashSet::new(), changed: HashMap::new() }
    }
}

impl Operator for TableFilter {
    fn process(&mut self, _: usize, batch: Batch, context: &mut Context, out: &mut Vec<Batch>) -> Result<()> {
        let passes = self.predicate.evaluate(&batch.rows, context)?;
        let passes = passes.as_boolean_opt().ok_or_else(|| Error::Internal("a condition is not boolean".to_owned()))?;
        let mut keys: Vec<ArrayRef> = self.keys.iter().map(|at| batch.column(*at).cloned()).collect::<Result<_>>()?;
        keys.extend(batch.window.iter().flatten().cloned());
        let (mut keep, mut live) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
        for row in 0..batch.len() {
            let mut key = Vec::new();
            codec::write_row(&keys, row, &mut key)?;
            let passes_now = batch.is_live(row) && passes.is_valid(row) && passes.value(row);
            let passed = if passes_now { !self.passed.insert(key.clone()) } else { self.passed.remove(&key) };
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
                self.passed.insert(key.to_vec());
            } else {
                self.passed.remove(*key);
            }
        }
        Ok(())
    }
}

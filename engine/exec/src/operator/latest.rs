//! The updates of an epoch, of which the last of each key is handed on.

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::DataType;

use crate::groups::Groups;
use crate::{Batch, Result};

/// Updates of a table's rows that wait for the end of the epoch.
///
/// ```text
/// (a, n=1)  (b, n=1)  (a, n=2)   →  (b, n=1)  (a, n=2)
/// (c, n=1)  (c, null)            →                       nobody knew c before
/// ```
#[derive(Debug)]
pub(super) struct Latest {
    groups: Groups,
    updates: Vec<Update>,
}

#[derive(Debug)]
struct Update {
    batch: Batch,
    keys: Vec<ArrayRef>,
    /// Whether there was a row before; `None`: perhaps of all of them.
    existed: Option<Vec<bool>>,
}

impl Latest {
    pub(super) fn new(key_types: &[DataType]) -> Result<Self> {
        Ok(Self { groups: Groups::new(key_types)?, updates: Vec::new() })
    }

    /// Takes updates; `existed` tells, row by row, whether there was a row of its key before.
    pub(super) fn push(&mut self, batch: Batch, keys: Vec<ArrayRef>, existed: Option<Vec<bool>>) {
        self.updates.push(Update { batch, keys, existed });
    }

    /// Hands on the last update of each key, unless it deletes what came with the epoch.
    pub(super) fn drain(&mut self, out: &mut Vec<Batch>) -> Result<()> {
        let mut updates = std::mem::take(&mut self.updates);
        if updates.iter().map(|update| update.batch.len()).sum::<usize>() <= 1 {
            out.extend(updates.pop().map(|update| update.batch));
            return Ok(());
        }
        // Of each slot: where its last update lies, and whether there was a row before the epoch.
        let mut last: Vec<((usize, usize), bool)> = Vec::new();
        let mut slots = vec![Vec::new(); updates.len()];
        for (at, (update, slots)) in updates.iter().zip(&mut slots).enumerate() {
            self.groups.intern(&update.keys, slots)?;
            for (row, slot) in slots.iter().enumerate() {
                match last.get_mut(*slot as usize) {
                    Some((place, _)) => *place = (at, row),
                    None => {
                        let existed = update.existed.as_ref().is_none_or(|existed| existed.get(row) == Some(&true));
                        last.push(((at, row), existed));
                    }
                }
            }
        }
        self.groups.retain(&[]);
        for (at, (update, slots)) in updates.iter().zip(slots).enumerate() {
            let is_kept = |(row, slot): (usize, &u32)| {
                let last = last.get(*slot as usize);
                last.is_some_and(|(place, existed)| *place == (at, row) && (*existed || update.batch.is_live(row)))
            };
            let kept =
                update.batch.filter(&slots.iter().enumerate().map(|at| Some(is_kept(at))).collect::<BooleanArray>())?;
            if !kept.is_empty() {
                out.push(kept);
            }
        }
        Ok(())
    }
}

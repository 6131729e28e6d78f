//! Compaction beside everything else: it starts after a checkpoint, which says what is sealed.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};

use super::{Inner, locked};
use crate::{Error, Result};

/// By partition, where its last segment starts.
pub(super) type Sealed = BTreeMap<u32, i64>;

/// What the thread of compaction waits for.
#[derive(Debug, Default)]
pub(super) struct Compactor {
    /// Filled by checkpoints; the newest one counts.
    due: Mutex<Due>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Due {
    sealed: Option<Sealed>,
    /// Whether the thread compacts.
    busy: bool,
    closed: bool,
}

impl Compactor {
    pub(super) fn start(&self, sealed: Sealed) {
        locked(&self.due).sealed = Some(sealed);
        self.wake.notify_all();
    }

    /// Ends the thread soon.
    pub(super) fn close(&self) {
        locked(&self.due).closed = true;
        self.wake.notify_all();
    }

    /// Whether there is anything left of what it was to do: a segment that it has not reached is as it was.
    pub(super) fn is_busy(&self) -> bool {
        let due = locked(&self.due);
        due.busy || due.sealed.is_some()
    }

    fn is_closed(&self) -> bool {
        locked(&self.due).closed
    }

    fn wait(&self) -> Option<Sealed> {
        let mut due = locked(&self.due);
        due.busy = false;
        loop {
            if due.closed {
                return None;
            }
            if let Some(sealed) = due.sealed.take() {
                due.busy = true;
                return Some(sealed);
            }
            due = self.wake.wait(due).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Inner {
    pub(super) fn run_compactor(&self) {
        while let Some(sealed) = self.compactor.wait() {
            self.gate.fail_on(self.compact(sealed));
        }
    }

    /// Compacts what has become worth it.
    pub(super) fn compact(&self, sealed: Sealed) -> Result<()> {
        for (id, sealed_before) in sealed {
            let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
            let Some(partition) = topics.partition_by_id(id).cloned() else { continue };
            drop(topics);
            let stop = || self.compactor.is_closed() || self.gate.check().is_err();
            match partition.compact(&*self.options.io, sealed_before, &stop) {
                // It stays as it is: whoever reads it is told.
                Err(Error::Damaged { .. }) => {}
                outcome => outcome?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_busy_from_when_it_is_told_until_it_has_done_it() {
        let compactor = Compactor::default();
        assert!(!compactor.is_busy());
        compactor.start(Sealed::new());
        assert!(compactor.is_busy());
        assert!(compactor.wait().is_some() && compactor.is_busy());
        compactor.close();
        assert!(compactor.wait().is_none() && !compactor.is_busy());
    }
}

//! Notification of readers at the tail.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Callback = Arc<dyn Fn() + Send + Sync>;

/// Those who want to know when a partition grows.
///
/// Readers add and remove themselves, the journal's writer notifies; a plain mutex, held only to
/// copy the list.
#[derive(Default)]
pub(crate) struct Watchers {
    list: Mutex<Vec<(u64, Callback)>>,
    next_id: AtomicU64,
}

impl fmt::Debug for Watchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watchers({})", self.list().len())
    }
}

impl Watchers {
    fn list(&self) -> MutexGuard<'_, Vec<(u64, Callback)>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn notify(&self) {
        let callbacks: Vec<Callback> = self.list().iter().map(|(_, callback)| Arc::clone(callback)).collect();
        for callback in callbacks {
            callback();
        }
    }

    pub(crate) fn add(self: &Arc<Self>, callback: Callback) -> Watch {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.list().push((id, callback));
        let watchers = Arc::downgrade(self);
        Watch::new(move || {
            if let Some(watchers) = watchers.upgrade() {
                watchers.list().retain(|(other, _)| *other != id);
            }
        })
    }
}

/// A subscription to a partition's growth; dropping it ends it.
pub struct Watch {
    end: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl Watch {
    /// A subscription that `end` ends.
    #[must_use]
    pub fn new(end: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self { end: Some(Box::new(end)) }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            end();
        }
    }
}

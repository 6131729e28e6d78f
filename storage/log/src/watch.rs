//! Notification of readers at the tail.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

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
        Watch { watchers: Arc::downgrade(self), id }
    }
}

/// A subscription to a partition's growth; dropping it ends it.
#[derive(Debug)]
pub struct Watch {
    watchers: Weak<Watchers>,
    id: u64,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(watchers) = self.watchers.upgrade() {
            watchers.list().retain(|(id, _)| *id != self.id);
        }
    }
}

//! Tasks that are to be woken at a certain time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use crate::pool::Handle;
use crate::{Error, Result};

/// Wakes tasks on a thread of its own, which is started with the first of them and sleeps in between.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Filled by tasks, emptied by the thread.
    alarms: Mutex<Alarms>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Alarms {
    /// The next one first; the number tells alarms of one time apart.
    queue: BinaryHeap<Reverse<(Instant, usize)>>,
    tasks: std::collections::HashMap<usize, Weak<Handle>>,
    next: usize,
    is_started: bool,
    is_closed: bool,
}

impl Timer {
    /// Wakes a task at this time, unless it has ended by then.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub(crate) fn wake_at(&self, time: Instant, task: &Weak<Handle>) -> Result<()> {
        let mut alarms = self.shared.alarms();
        let number = alarms.next;
        alarms.next += 1;
        alarms.queue.push(Reverse((time, number)));
        alarms.tasks.insert(number, Weak::clone(task));
        if !std::mem::replace(&mut alarms.is_started, true) {
            let shared = Arc::clone(&self.shared);
            let thread = std::thread::Builder::new().name("timer".to_owned());
            thread.spawn(move || shared.run()).map_err(|source| Error::Start { what: "the timer's thread", source })?;
        }
        self.shared.changed.notify_one();
        Ok(())
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.shared.alarms().is_closed = true;
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn alarms(&self) -> MutexGuard<'_, Alarms> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut alarms = self.alarms();
        while !alarms.is_closed {
            let now = Instant::now();
            alarms = match alarms.queue.peek() {
                None => self.changed.wait(alarms).unwrap_or_else(PoisonError::into_inner),
                Some(Reverse((time, _))) if *time > now => {
                    let rest = time.duration_since(now);
                    self.changed.wait_timeout(alarms, rest).unwrap_or_else(PoisonError::into_inner).0
                }
                Some(_) => {
                    let due = alarms.queue.pop().and_then(|Reverse((_, number))| alarms.tasks.remove(&number));
                    due.and_then(|task| task.upgrade()).iter().for_each(Handle::wake);
                    alarms
                }
            };
        }
    }
}

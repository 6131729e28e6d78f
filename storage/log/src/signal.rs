//! Waking threads that wait for a change under a mutex.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::Duration;

/// A condition variable that costs nothing where nobody waits: std's asks the system each time, and there is one for
/// every append and several for every sync.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    /// Changed with the mutex held, so whoever has changed the state under it sees those who have seen the old one.
    waiting: AtomicUsize,
    raised: Condvar,
}

impl Signal {
    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let guard = self.raised.wait(guard).unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        guard
    }

    pub(crate) fn wait_timeout<'a, T>(&self, guard: MutexGuard<'a, T>, duration: Duration) -> MutexGuard<'a, T> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let guard = self.raised.wait_timeout(guard, duration).unwrap_or_else(PoisonError::into_inner).0;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        guard
    }

    /// Wakes one of those who wait; to be called after the change.
    pub(crate) fn notify_one(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.raised.notify_one();
        }
    }

    /// Wakes all who wait; to be called after the change.
    pub(crate) fn notify_all(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.raised.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::thread;

    use super::*;

    /// Two threads hand a number to and fro: a lost wake-up would stop them.
    #[test]
    fn no_change_is_missed() {
        const TURNS: u32 = 20_000;
        let (turn, signal) = (Mutex::new(0), Signal::default());
        thread::scope(|scope| {
            for parity in 0..2 {
                let (turn, signal) = (&turn, &signal);
                scope.spawn(move || {
                    for _ in 0..TURNS {
                        let mut guard = turn.lock().unwrap();
                        while *guard % 2 != parity {
                            guard = signal.wait(guard);
                        }
                        *guard += 1;
                        drop(guard);
                        signal.notify_one();
                    }
                });
            }
        });
        assert_eq!(turn.into_inner().unwrap(), 2 * TURNS);
        assert_eq!(signal.waiting.into_inner(), 0);
    }
}

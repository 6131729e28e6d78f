//! Promises that something will be on disk.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::Result;
use crate::gate::Gate;

/// A promise that an append or a write will be durable, and what it then gives: an append the offset of
/// its first record, which only a log in this process knows beforehand.
pub struct Ticket<T = ()> {
    source: Source<T>,
}

enum Source<T> {
    /// Durable once the gate has reached a number; the value is known already.
    Gate { gate: Arc<Gate>, sequence: u64, value: T },
    /// Whenever a [`Promise`] is kept.
    Promise(Arc<Kept<T>>),
}

type Callback<T> = Box<dyn FnOnce(Result<T>) + Send>;

/// Written once by the promise, read by its tickets: a mutex with a condition variable, since waiting is
/// rare and long.
struct Kept<T> {
    state: Mutex<KeptState<T>>,
    decided: Condvar,
}

struct KeptState<T> {
    outcome: Option<Result<T>>,
    callbacks: Vec<Callback<T>>,
}

impl<T> Kept<T> {
    fn state(&self) -> MutexGuard<'_, KeptState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The other end of a ticket, for a log that is told by somebody else what has become of an append.
pub struct Promise<T = ()>(Arc<Kept<T>>);

impl<T: Clone> Clone for Ticket<T> {
    fn clone(&self) -> Self {
        let source = match &self.source {
            Source::Gate { gate, sequence, value } => {
                Source::Gate { gate: Arc::clone(gate), sequence: *sequence, value: value.clone() }
            }
            Source::Promise(kept) => Source::Promise(Arc::clone(kept)),
        };
        Self { source }
    }
}

impl<T> fmt::Debug for Ticket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Promise<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promise").finish_non_exhaustive()
    }
}

impl<T: Clone + Send + 'static> Ticket<T> {
    pub(crate) fn new(gate: Arc<Gate>, sequence: u64, value: T) -> Self {
        Self { source: Source::Gate { gate, sequence, value } }
    }

    /// A ticket and what completes it.
    #[must_use]
    pub fn promised() -> (Self, Promise<T>) {
        let state = KeptState { outcome: None, callbacks: Vec::new() };
        let kept = Arc::new(Kept { state: Mutex::new(state), decided: Condvar::new() });
        (Self { source: Source::Promise(Arc::clone(&kept)) }, Promise(kept))
    }

    /// Blocks until it is durable.
    ///
    /// # Errors
    /// [`crate::Error::Stopped`] if a write or fsync failed, or what the cluster says; the append may or may not
    /// survive then.
    pub fn wait(&self) -> Result<T> {
        match &self.source {
            Source::Gate { gate, sequence, value } => gate.wait(*sequence).map(|()| value.clone()),
            Source::Promise(kept) => {
                let mut state = kept.state();
                loop {
                    if let Some(outcome) = &state.outcome {
                        return outcome.clone();
                    }
                    state = kept.decided.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// Whether it is durable, without waiting.
    #[must_use]
    pub fn poll(&self) -> Option<Result<T>> {
        match &self.source {
            Source::Gate { gate, sequence, value } => {
                gate.poll(*sequence).map(|outcome| outcome.map(|()| value.clone()))
            }
            Source::Promise(kept) => kept.state().outcome.clone(),
        }
    }

    /// Calls `callback` once it is durable or has failed: at once, on this thread, if that is known already,
    /// else on the thread that makes it so. The callback must be short.
    pub fn on_complete(self, callback: impl FnOnce(Result<T>) + Send + 'static) {
        match self.source {
            Source::Gate { gate, sequence, value } => {
                gate.on_complete(sequence, move |outcome| callback(outcome.map(|()| value)));
            }
            Source::Promise(kept) => {
                let mut state = kept.state();
                match state.outcome.clone() {
                    Some(outcome) => {
                        drop(state);
                        callback(outcome);
                    }
                    None => state.callbacks.push(Box::new(callback)),
                }
            }
        }
    }
}

impl<T: Clone> Promise<T> {
    /// Completes the ticket; whatever is said later does not count.
    pub fn complete(&self, outcome: &Result<T>) {
        let mut state = self.0.state();
        if state.outcome.is_some() {
            return;
        }
        state.outcome = Some(outcome.clone());
        let callbacks = std::mem::take(&mut state.callbacks);
        drop(state);
        self.0.decided.notify_all();
        callbacks.into_iter().for_each(|callback| callback(outcome.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_completes_its_ticket_once() {
        let (ticket, promise) = Ticket::promised();
        assert!(ticket.poll().is_none());
        let (sender, receiver) = std::sync::mpsc::channel();
        ticket.clone().on_complete(move |outcome| sender.send(outcome.unwrap()).unwrap());
        promise.complete(&Ok(7));
        promise.complete(&Ok(8));
        assert_eq!(ticket.wait().unwrap(), 7);
        assert_eq!(receiver.recv().unwrap(), 7);
    }
}

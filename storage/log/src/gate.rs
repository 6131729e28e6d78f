//! Waiting until appends are on disk.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::signal::Signal;
use crate::{Error, Result};

type Callback = Box<dyn FnOnce(Result<()>) + Send>;

/// Counts what is durable and wakes who waits for it.
///
/// Appends are numbered in the order of the journal; the journal's writer raises `durable`, everybody
/// else waits. A mutex with a condition variable, since waiting is rare and long.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    raised: Signal,
}

#[derive(Default)]
struct State {
    durable: u64,
    failed: Option<Error>,
    callbacks: Vec<(u64, Callback)>,
}

impl State {
    fn outcome(&self, sequence: u64) -> Option<Result<()>> {
        if self.durable >= sequence {
            return Some(Ok(()));
        }
        self.failed.clone().map(Err)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything up to `sequence` is on disk.
    pub(crate) fn raise(&self, sequence: u64) {
        self.change(|state| state.durable = state.durable.max(sequence));
    }

    /// Nothing more will be acknowledged.
    pub(crate) fn fail(&self, error: &Error) {
        let stopped = match error {
            Error::Stopped(_) => error.clone(),
            other => Error::Stopped(Box::new(other.clone())),
        };
        self.change(|state| {
            state.failed.get_or_insert(stopped);
        });
    }

    /// Stops the log if this did not succeed.
    pub(crate) fn fail_on(&self, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.fail(&error);
        }
    }

    /// The failure that stopped the log, if one did.
    pub(crate) fn check(&self) -> Result<()> {
        self.state().failed.clone().map_or(Ok(()), Err)
    }

    /// Calls `callback` with the failure that stops the log, when there is one.
    pub(crate) fn on_failure(&self, callback: impl FnOnce(Error) + Send + 'static) {
        // No append ever has this number.
        self.on_complete(u64::MAX, |outcome| {
            if let Err(error) = outcome {
                callback(error);
            }
        });
    }

    fn change(&self, apply: impl FnOnce(&mut State)) {
        let mut state = self.state();
        apply(&mut state);
        let mut due = Vec::new();
        let mut index = 0;
        while let Some(outcome) = state.callbacks.get(index).map(|(sequence, _)| state.outcome(*sequence)) {
            match outcome {
                Some(outcome) => due.push((state.callbacks.swap_remove(index).1, outcome)),
                None => index += 1,
            }
        }
        drop(state);
        self.raised.notify_all();
        for (callback, outcome) in due {
            callback(outcome);
        }
    }

    /// Blocks until everything up to `sequence` is on disk.
    pub(crate) fn wait(&self, sequence: u64) -> Result<()> {
        let mut state = self.state();
        loop {
            if let Some(outcome) = state.outcome(sequence) {
                return outcome;
            }
            state = self.raised.wait(state);
        }
    }

    /// Whether everything up to `sequence` is on disk; `None` if that is not decided.
    pub(crate) fn poll(&self, sequence: u64) -> Option<Result<()>> {
        self.state().outcome(sequence)
    }

    /// Calls `callback` once it is decided.
    pub(crate) fn on_complete(&self, sequence: u64, callback: impl FnOnce(Result<()>) + Send + 'static) {
        let mut state = self.state();
        match state.outcome(sequence) {
            Some(outcome) => {
                drop(state);
                callback(outcome);
            }
            None => state.callbacks.push((sequence, Box::new(callback))),
        }
    }
}

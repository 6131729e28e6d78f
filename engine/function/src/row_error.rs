//! Rows for which a function failed. The function's result is null there, and whoever evaluates asks
//! afterwards what went wrong: an epoch is one call stack, so the notes are the thread's.

use std::cell::RefCell;

/// What failed on a thread since somebody asked last.
#[derive(Debug, Default)]
pub struct RowErrors {
    /// The first of them: the function's name and the reason.
    pub first: Vec<(String, String)>,
    /// How many there were.
    pub count: u64,
}

/// So many are kept in full.
const KEPT_MAX: usize = 100;

thread_local! {
    static ERRORS: RefCell<RowErrors> = RefCell::default();
}

/// Takes note of a row for which a function failed.
pub(crate) fn note_row_error(function: &str, reason: &impl ToString) {
    ERRORS.with_borrow_mut(|errors| {
        errors.count += 1;
        if errors.first.len() < KEPT_MAX {
            errors.first.push((function.to_owned(), reason.to_string()));
        }
    });
}

/// What failed on this thread since the last call.
#[must_use]
pub fn take_row_errors() -> RowErrors {
    ERRORS.take()
}

/// Runs what is tried again in smaller parts if it fails: notes of a failed attempt are dropped.
pub(crate) fn retried<T, E>(attempt: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let mut before = take_row_errors();
    let result = attempt();
    let during = take_row_errors();
    if result.is_ok() {
        before.count += during.count;
        before.first.extend(during.first);
        before.first.truncate(KEPT_MAX);
    }
    ERRORS.set(before);
    result
}

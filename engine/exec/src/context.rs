//! What an operator may use beside its input.

/// A row that could not be computed or read; it goes to the processing log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// What was done: the expression, or the format that was read.
    pub what: String,
    /// Why it failed.
    pub reason: String,
    /// Where the record lies, if it is known: partition and offset.
    pub place: Option<(i32, i64)>,
}

/// Where the rows of an epoch are processed, and what they leave behind beside results.
#[derive(Debug, Default)]
pub struct Context {
    /// The partition of the operators' task.
    pub partition: i32,
    /// Rows that failed, the first ones of the epoch.
    pub errors: Vec<RowError>,
    /// How many rows failed.
    pub error_count: u64,
    /// How many rows came after their window had closed.
    pub late_count: u64,
}

/// So many errors of an epoch are kept in full, the others are counted.
const ERRORS_KEPT: usize = 100;

impl Context {
    /// Takes note of a row that failed.
    pub fn report(&mut self, error: impl FnOnce() -> RowError) {
        self.error_count += 1;
        if self.errors.len() < ERRORS_KEPT {
            self.errors.push(error());
        }
    }
}

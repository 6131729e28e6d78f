//! `WHERE` on a stream.

use arrow::array::AsArray;

use super::Operator;
use crate::{Batch, Context, Error, Evaluator, Result};

/// Keeps the rows for which a condition is true.
///
/// ```text
/// a > 1:   (k, a=1)  →
///          (k, a=2)  →  (k, a=2)
///          (k, null) →               a record without a value has no columns to be true
/// ```
#[derive(Debug)]
pub(crate) struct Filter {
    predicate: Evaluator,
}

impl Filter {
    pub(crate) fn new(predicate: Evaluator) -> Self {
        Self { predicate }
    }
}

impl Operator for Filter {
    fn process(&mut self, _: usize, batch: Batch, context: &mut Context, out: &mut Vec<Batch>) -> Result<()> {
        let keep = self.predicate.evaluate(&batch.rows, context)?;
        let keep = keep.as_boolean_opt().ok_or_else(|| Error::Internal("a condition is not boolean".to_owned()))?;
        // A record without a value has no columns, not columns that are null.
        let live = batch.live.clone().map(|live| arrow::array::BooleanArray::new(live, None));
        let kept = match live {
            Some(live) => batch.filter(&arrow::compute::and(keep, &live)?)?,
            None => batch.filter(keep)?,
        };
        if !kept.is_empty() {
            out.push(kept);
        }
        Ok(())
    }
}

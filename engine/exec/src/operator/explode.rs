//! Table functions in `SELECT`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListArray, RecordBatch, UInt32Array, UInt64Array};
use arrow::compute::{concat, take};
use arrow::datatypes::SchemaRef;
use millstream_function::{TableFunction, registry};
use millstream_plan::TableCall;

use super::Operator;
use crate::{Batch, Context, Error, Evaluator, Result, RowError};

/// Makes of each row of a stream as many as the longest of its table functions' results; where another is
/// shorter, its column is null.
///
/// ```text
/// EXPLODE(a), EXPLODE(b):   (k, a=[1,2], b=[x])  →  (k, …, 1, x)  (k, …, 2, null)
///                           (k, a=[], b=null)    →                                  no row at all
///                           (k, null)            →                                  nor of a record without a value
/// ```
///
/// The results become columns behind those of the input. No state.
#[derive(Debug)]
pub(crate) struct Explode {
    calls: Vec<Call>,
    schema: SchemaRef,
}

#[derive(Debug)]
struct Call {
    function: &'static TableFunction,
    args: Vec<Evaluator>,
}

impl Explode {
    pub(crate) fn new(calls: &[TableCall], input: &SchemaRef, schema: SchemaRef) -> Result<Self> {
        let calls = calls.iter().map(|call| {
            let function = registry().table(&call.function);
            let function = function.ok_or_else(|| Error::Internal(format!("no table function {}", call.function)))?;
            let args = call.args.iter().map(|arg| Evaluator::new(arg, input)).collect::<Result<_>>()?;
            Ok(Call { function, args })
        });
        Ok(Self { calls: calls.collect::<Result<_>>()?, schema })
    }
}

impl Call {
    fn results(&self, rows: &RecordBatch, context: &mut Context) -> Result<ListArray> {
        let args = self.args.iter().map(|arg| arg.evaluate(rows, context));
        self.invoke(&args.collect::<Result<Vec<_>>>()?, rows.num_rows(), context)
    }

    /// The whole batch is tried at once; only on an error is it halved until the rows that fail are found.
    fn invoke(&self, args: &[ArrayRef], rows: usize, context: &mut Context) -> Result<ListArray> {
        let error = match self.function.invoke(args) {
            Ok(results) => return Ok(results),
            Err(error) => error,
        };
        let slice = |from, count| args.iter().map(|arg| arg.slice(from, count)).collect::<Vec<_>>();
        if rows <= 1 {
            context.report(|| RowError { what: self.function.name.to_owned(), reason: error.to_string(), place: None });
            let nulls: Vec<ArrayRef> =
                args.iter().map(|arg| arrow::array::new_null_array(arg.data_type(), rows)).collect();
            return Ok(self.function.invoke(&nulls)?);
        }
        let half = rows / 2;
        let first = self.invoke(&slice(0, half), half, context)?;
        let second = self.invoke(&slice(half, rows - half), rows - half, context)?;
        let both = concat(&[&first, &second])?;
        both.as_any()
            .downcast_ref::<ListArray>()
            .cloned()
            .ok_or_else(|| Error::Internal("lists are no list".to_owned()))
    }
}

/// How many results a row has.
fn count(results: &ListArray, row: usize) -> usize {
    if results.is_valid(row) { results.value_length(row) as usize } else { 0 }
}

impl Operator for Explode {
    fn process(&mut self, _: usize, batch: Batch, context: &mut Context, out: &mut Vec<Batch>) -> Result<()> {
        let results = self.calls.iter().map(|call| call.results(&batch.rows, context));
        let results: Vec<ListArray> = results.collect::<Result<_>>()?;
        let mut rows = Vec::new();
        let mut places: Vec<Vec<Option<u64>>> = vec![Vec::new(); results.len()];
        for row in (0..batch.len()).filter(|row| batch.is_live(*row)) {
            let longest = results.iter().map(|results| count(results, row)).max().unwrap_or(0);
            rows.extend(std::iter::repeat_n(row as u32, longest));
            for (results, places) in results.iter().zip(&mut places) {
                let start = results.value_offsets().get(row).map_or(0, |offset| *offset as u64);
                let own = count(results, row);
                places.extend((0..longest).map(|at| (at < own).then_some(start + at as u64)));
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        let repeated = batch.take(&UInt32Array::from(rows))?;
        let mut columns: Vec<ArrayRef> = repeated.rows.columns().to_vec();
        let rowtime = columns.pop().ok_or_else(|| Error::Internal("a batch has no ROWTIME".to_owned()))?;
        for (results, places) in results.iter().zip(places) {
            columns.push(take(results.values(), &UInt64Array::from(places), None)?);
        }
        columns.push(rowtime);
        out.push(Batch { rows: RecordBatch::try_new(Arc::clone(&self.schema), columns)?, ..repeated });
        Ok(())
    }
}

//! Scalar functions: kernels over whole arrays, and their face as DataFusion UDFs.

mod array;
mod bytes;
mod cast;
mod choice;
mod convert;
mod date;
mod display;
mod geo;
mod higher_order;
mod join;
mod json;
pub(crate) mod kernel;
mod like;
pub(crate) mod map;
mod mask;
mod math;
mod null;
mod pad;
mod pieces;
mod random;
mod regex;
mod rounding;
mod set;
mod shift;
mod string;
mod trigonometry;
mod udf;
mod url;

pub use cast::{can_cast, own_cast};
pub use like::like_pattern;
pub use shift::time_unit;
pub(crate) use udf::Udf;

use std::sync::Arc;

use arrow::array::{ArrayRef, new_null_array};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::common::{Result, exec_err};

use crate::documentation::Example;
use crate::overload::{Coercion, Overload, Param, Returns, choose};
use crate::row_error::note_row_error;

/// Computes a function for all rows at once. An error of any row is an error of the whole batch, which is
/// then narrowed down to the row.
pub(crate) type Kernel = fn(&[ArrayRef]) -> std::result::Result<ArrayRef, ArrowError>;

/// A scalar function: its documentation, its signatures and a kernel for each.
#[derive(Debug)]
pub struct ScalarFunction {
    /// Its name in upper case.
    pub name: &'static str,
    /// What it is about.
    pub category: &'static str,
    /// What it does, in a sentence or two.
    pub description: &'static str,
    /// Expressions and what they give.
    pub examples: Vec<Example>,
    /// Its signatures.
    pub overloads: Vec<Overload>,
    /// Whether two calls with the same arguments may differ.
    pub volatile: bool,
    kernels: Vec<Kernel>,
}

impl ScalarFunction {
    fn new(name: &'static str, description: &'static str, example: (&'static str, &'static str)) -> Self {
        let function = Self {
            name,
            category: "",
            description,
            examples: Vec::new(),
            overloads: Vec::new(),
            volatile: false,
            kernels: Vec::new(),
        };
        function.example(example)
    }

    /// One more expression and what it gives.
    fn example(mut self, (expression, result): (&'static str, &'static str)) -> Self {
        self.examples.push(Example { columns: "", rows: &[], expression, result });
        self
    }

    fn overload(mut self, params: &'static [Param], returns: Returns, kernel: Kernel) -> Self {
        self.overloads.push(Overload { params, variadic: false, literals: &[], returns });
        self.kernels.push(kernel);
        self
    }

    fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// The same signature with its last argument repeated any number of times.
    fn variadic(mut self, params: &'static [Param], returns: Returns, kernel: Kernel) -> Self {
        self.overloads.push(Overload { params, variadic: true, literals: &[], returns });
        self.kernels.push(kernel);
        self
    }

    /// The overload for these arguments.
    #[must_use]
    pub fn choose(&self, args: &[DataType]) -> Option<Coercion> {
        choose(&self.overloads, args)
    }

    /// Computes the function for all rows; a function without arguments gets a null for each row.
    fn invoke(&self, args: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let types: Vec<DataType> = args.iter().map(|arg| arg.data_type().clone()).collect();
        let Some(coercion) = self.choose(&types) else {
            return exec_err!("function {} has no overload for {types:?}", self.name);
        };
        let Some(kernel) = self.kernels.get(coercion.overload) else {
            return exec_err!("function {} has no kernel {}", self.name, coercion.overload);
        };
        let mut cast = Vec::with_capacity(args.len().max(1));
        for (arg, target) in args.iter().zip(&coercion.args) {
            let same = arg.data_type() == target;
            cast.push(if same { Arc::clone(arg) } else { arrow::compute::cast(arg, target)? });
        }
        if cast.is_empty() {
            cast.push(new_null_array(&DataType::Null, rows));
        }
        Ok(self.compute(*kernel, &cast, rows, &coercion.returns)?)
    }

    /// All rows at once; only on an error they are halved until the rows that fail are found. These become null.
    fn compute(
        &self,
        kernel: Kernel,
        args: &[ArrayRef],
        rows: usize,
        returns: &DataType,
    ) -> std::result::Result<ArrayRef, ArrowError> {
        match kernel(args) {
            Err(error) if rows <= 1 => {
                note_row_error(self.name, &error);
                Ok(new_null_array(returns, rows))
            }
            Err(_) => {
                let half = rows / 2;
                let part = |from: usize, rows: usize| {
                    let args: Vec<ArrayRef> = args.iter().map(|arg| arg.slice(from, rows)).collect();
                    self.compute(kernel, &args, rows, returns)
                };
                arrow::compute::concat(&[part(0, half)?.as_ref(), part(half, rows - half)?.as_ref()])
            }
            computed => computed,
        }
    }
}

/// All scalar functions.
pub(crate) fn all() -> Vec<ScalarFunction> {
    [
        ("Text", string::all()),
        ("Text", pad::all()),
        ("Text", join::all()),
        ("Text", choice::all()),
        ("Text", mask::all()),
        ("Regular expressions", regex::all()),
        ("URLs", url::all()),
        ("Bytes", bytes::all()),
        ("Numbers", math::all()),
        ("Numbers", rounding::all()),
        ("Numbers", trigonometry::all()),
        ("Numbers", geo::all()),
        ("Random values", random::all()),
        ("Nulls", null::all()),
        ("Dates and times", date::all()),
        ("Dates and times", shift::all()),
        ("Dates and times", convert::all()),
        ("JSON", json::all()),
        ("Arrays", array::all()),
        ("Arrays", set::all()),
        ("Maps", map::all()),
        ("Lambdas", higher_order::all()),
    ]
    .into_iter()
    .flat_map(|(category, functions)| functions.into_iter().map(move |f| ScalarFunction { category, ..f }))
    .collect()
}

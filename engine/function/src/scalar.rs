//! Scalar functions: kernels over whole arrays, and their face as DataFusion UDFs.

mod collection;
mod date;
mod json;
mod kernel;
mod math;
mod null;
mod string;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, new_null_array};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use crate::documentation::Example;
use crate::overload::{Coercion, Overload, Param, Returns, choose};

/// Computes a function for all rows at once. An error of any row is an error of the whole batch; whoever
/// calls narrows it down to the row.
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
    kernels: Vec<Kernel>,
}

impl ScalarFunction {
    fn new(name: &'static str, description: &'static str, example: (&'static str, &'static str)) -> Self {
        let function =
            Self { name, category: "", description, examples: Vec::new(), overloads: Vec::new(), kernels: Vec::new() };
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

    fn invoke(&self, args: &[ArrayRef]) -> Result<ArrayRef> {
        let types: Vec<DataType> = args.iter().map(|arg| arg.data_type().clone()).collect();
        let Some(coercion) = self.choose(&types) else {
            return exec_err!("function {} has no overload for {types:?}", self.name);
        };
        let mut cast = Vec::with_capacity(args.len());
        for (arg, target) in args.iter().zip(&coercion.args) {
            let same = arg.data_type() == target;
            cast.push(if same { Arc::clone(arg) } else { arrow::compute::cast(arg, target)? });
        }
        match self.kernels.get(coercion.overload) {
            Some(kernel) => Ok(kernel(&cast)?),
            None => exec_err!("function {} has no kernel {}", self.name, coercion.overload),
        }
    }
}

/// All scalar functions.
pub(crate) fn all() -> Vec<ScalarFunction> {
    [
        ("Text", string::all()),
        ("Numbers", math::all()),
        ("Nulls", null::all()),
        ("Dates and times", date::all()),
        ("JSON", json::all()),
        ("Arrays and maps", collection::all()),
    ]
    .into_iter()
    .flat_map(|(category, functions)| functions.into_iter().map(move |f| ScalarFunction { category, ..f }))
    .collect()
}

/// A function as DataFusion sees it.
#[derive(Debug)]
pub(crate) struct Udf {
    function: Arc<ScalarFunction>,
    signature: Signature,
    /// The name in lower case: batch SQL looks every function up by that.
    aliases: [String; 1],
}

impl Udf {
    pub(crate) fn of(function: &Arc<ScalarFunction>) -> Arc<ScalarUDF> {
        let volatility = if function.name == "RANDOM" { Volatility::Volatile } else { Volatility::Immutable };
        let (function, signature) = (Arc::clone(function), Signature::user_defined(volatility));
        let aliases = [function.name.to_ascii_lowercase()];
        let udf = Self { function, signature, aliases };
        Arc::new(ScalarUDF::new_from_impl(udf))
    }
}

impl PartialEq for Udf {
    fn eq(&self, other: &Self) -> bool {
        self.function.name == other.function.name
    }
}

impl Eq for Udf {}

impl Hash for Udf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.name.hash(state);
    }
}

impl ScalarUDFImpl for Udf {
    fn name(&self) -> &str {
        self.function.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        match self.function.choose(args) {
            Some(coercion) => Ok(coercion.returns),
            None => plan_err!("function {} does not take {args:?}", self.function.name),
        }
    }

    fn coerce_types(&self, args: &[DataType]) -> Result<Vec<DataType>> {
        match self.function.choose(args) {
            Some(coercion) => Ok(coercion.args),
            None => plan_err!("function {} does not take {args:?}", self.function.name),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let all_scalars = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if all_scalars && !args.args.is_empty() { 1 } else { args.number_rows };
        let mut arrays = Vec::with_capacity(args.args.len());
        for arg in args.args {
            arrays.push(arg.into_array(rows)?);
        }
        let result = if arrays.is_empty() {
            self.function.invoke(&[new_null_array(&DataType::Null, rows)]).or_else(|_| self.function.invoke(&[]))
        } else {
            self.function.invoke(&arrays)
        }?;
        if all_scalars && result.len() == 1 {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?));
        }
        if result.len() != rows {
            return Err(DataFusionError::Execution(format!("function {} lost rows", self.function.name)));
        }
        Ok(ColumnarValue::Array(result))
    }
}

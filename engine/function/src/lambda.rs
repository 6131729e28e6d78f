//! `TRANSFORM`, `FILTER` and `REDUCE`: functions that take a lambda.
//!
//! A planner gives the lambda's body as an expression over the lambda's parameters and whatever columns it
//! captures. The call becomes a UDF of its own, whose arguments are the collection and the captured columns. The
//! items of all rows are computed in one go: the body runs over the flattened items, with each captured column
//! repeated for the items of its row. `REDUCE` goes item by item, but over all rows at once.

mod collection;
mod reduce;
mod strict;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use datafusion::common::{DFSchema, Result, exec_err};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::PhysicalExpr;

pub use strict::present;

use crate::overload::map_of;
use crate::row_error::{note_row_error, retried};
use collection::Collection;

/// A function that takes lambdas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HigherOrder {
    /// `TRANSFORM(array, x => …)`, `TRANSFORM(map, (k, v) => …, (k, v) => …)`.
    Transform,
    /// `FILTER(array, x => …)`, `FILTER(map, (k, v) => …)`.
    Filter,
    /// `REDUCE(array, state, (s, x) => …)`, `REDUCE(map, state, (s, k, v) => …)`.
    Reduce,
}

impl HigherOrder {
    /// The function of this upper-case name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "TRANSFORM" => Self::Transform,
            "FILTER" => Self::Filter,
            "REDUCE" => Self::Reduce,
            _ => return None,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Transform => "TRANSFORM",
            Self::Filter => "FILTER",
            Self::Reduce => "REDUCE",
        }
    }

    /// How many lambdas it takes for a collection of this type.
    #[must_use]
    pub fn lambda_count(self, collection: &DataType) -> usize {
        if self == Self::Transform && matches!(collection, DataType::Map(..)) { 2 } else { 1 }
    }

    /// The types of a lambda's parameters; `None` if the type is no collection.
    #[must_use]
    pub fn parameters(self, collection: &DataType, state: Option<&DataType>) -> Option<Vec<DataType>> {
        let items = match collection {
            DataType::List(item) => vec![item.data_type().clone()],
            DataType::Map(..) => vec![DataType::Utf8, crate::overload::map_value(collection)],
            _ => return None,
        };
        Some(state.cloned().into_iter().chain(items).collect())
    }

    /// What a lambda must give; `None` if anything will do.
    #[must_use]
    pub fn expected(self, collection: &DataType, state: Option<&DataType>, lambda: usize) -> Option<DataType> {
        match self {
            Self::Filter => Some(DataType::Boolean),
            Self::Reduce => state.cloned(),
            Self::Transform if matches!(collection, DataType::Map(..)) && lambda == 0 => Some(DataType::Utf8),
            Self::Transform => None,
        }
    }

    fn returns(self, collection: &DataType, bodies: &[Body]) -> DataType {
        let result = || bodies.last().map_or(DataType::Null, |body| body.ty.clone());
        match (self, collection) {
            (Self::Filter, _) => collection.clone(),
            (Self::Transform, DataType::Map(..)) => map_of(result()),
            (Self::Transform, _) => DataType::List(Arc::new(Field::new("item", result(), true))),
            (Self::Reduce, _) => result(),
        }
    }
}

/// A lambda as the planner has resolved it.
#[derive(Debug, Clone)]
pub struct Lambda {
    /// The columns that stand for its parameters in the body.
    pub parameters: Vec<Field>,
    /// The columns that the body uses beside them.
    pub captured: Vec<Field>,
    /// What it computes.
    pub body: Expr,
}

/// A lambda that can be computed.
#[derive(Debug)]
struct Body {
    schema: SchemaRef,
    expr: Arc<dyn PhysicalExpr>,
    ty: DataType,
    /// How many columns it captures.
    captured: usize,
    text: String,
}

impl Body {
    fn new(lambda: Lambda) -> Result<Self> {
        let captured = lambda.captured.len();
        let fields: Vec<Field> = lambda.parameters.into_iter().chain(lambda.captured).collect();
        let schema = Arc::new(Schema::new(fields));
        let df_schema = DFSchema::try_from(Arc::clone(&schema))?;
        let props = ExecutionProps::new();
        let expr =
            datafusion::physical_expr::create_physical_expr(&lambda.body, &df_schema, &props, &Default::default())?;
        let ty = expr.data_type(&schema)?;
        Ok(Self { schema, expr, ty, captured, text: lambda.body.to_string() })
    }

    /// The body for so many items, given its parameters and the captured columns.
    fn compute(&self, columns: Vec<ArrayRef>, items: usize) -> Result<ArrayRef> {
        let options = RecordBatchOptions::new().with_row_count(Some(items));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        self.expr.evaluate(&batch)?.into_array(items)
    }
}

/// A call as a UDF: of the collection, for `REDUCE` the state, and the columns that each lambda captures.
///
/// # Errors
/// If DataFusion refuses a body.
pub fn higher_order_udf(function: HigherOrder, collection: &DataType, lambdas: Vec<Lambda>) -> Result<ScalarUDF> {
    let bodies = lambdas.into_iter().map(Body::new).collect::<Result<Vec<_>>>()?;
    let returns = function.returns(collection, &bodies);
    let signature = Signature::variadic_any(Volatility::Immutable);
    Ok(ScalarUDF::new_from_impl(Call { function, bodies, returns, signature }))
}

#[derive(Debug)]
struct Call {
    function: HigherOrder,
    bodies: Vec<Body>,
    returns: DataType,
    signature: Signature,
}

impl Call {
    fn key(&self) -> (HigherOrder, Vec<&str>, &DataType) {
        (self.function, self.bodies.iter().map(|body| body.text.as_str()).collect(), &self.returns)
    }

    /// All rows at once; only on an error they are halved until the rows that fail are found. These become null.
    fn compute(&self, args: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        match retried(|| self.compute_all(args)) {
            Err(error) if rows <= 1 => {
                note_row_error(self.function.name(), &error);
                Ok(new_null_array(&self.returns, rows))
            }
            Err(_) => {
                let half = rows / 2;
                let part = |from: usize, rows: usize| {
                    let args: Vec<ArrayRef> = args.iter().map(|arg| arg.slice(from, rows)).collect();
                    self.compute(&args, rows)
                };
                Ok(arrow::compute::concat(&[part(0, half)?.as_ref(), part(half, rows - half)?.as_ref()])?)
            }
            computed => computed,
        }
    }

    fn compute_all(&self, args: &[ArrayRef]) -> Result<ArrayRef> {
        let Some((collection, rest)) = args.split_first() else {
            return exec_err!("function {} has no collection", self.function.name());
        };
        let collection = Collection::of(collection)?;
        match (self.function, rest.split_first()) {
            (HigherOrder::Reduce, Some((state, captured))) => match self.bodies.first() {
                Some(body) => reduce::reduce(&collection, Arc::clone(state), captured, body),
                None => exec_err!("function REDUCE has no lambda"),
            },
            _ => {
                let mut captured = rest;
                let mut results = Vec::with_capacity(self.bodies.len());
                for body in &self.bodies {
                    let Some((own, others)) = captured.split_at_checked(body.captured) else {
                        return exec_err!("function {} lacks columns", self.function.name());
                    };
                    captured = others;
                    results.push(collection.map(body, own)?);
                }
                match self.function {
                    HigherOrder::Filter => collection.filtered(&results),
                    _ => collection.transformed(results),
                }
            }
        }
    }
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Call {}

impl Hash for Call {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl ScalarUDFImpl for Call {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let arrays = args.args.into_iter().map(|arg| arg.into_array(rows)).collect::<Result<Vec<_>>>()?;
        Ok(ColumnarValue::Array(self.compute(&arrays, rows)?))
    }
}

/// The error of a row.
fn failed(reason: &str) -> ArrowError {
    ArrowError::ComputeError(reason.to_owned())
}

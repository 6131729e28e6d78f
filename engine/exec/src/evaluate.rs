//! Expressions over batches: an error of a row makes that row null, never the batch fail.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::physical_expr::PhysicalExpr;
use millstream_function::take_row_errors;

use crate::{Context, Result, RowError};

/// A compiled expression.
#[derive(Debug, Clone)]
pub struct Evaluator {
    expr: Arc<dyn PhysicalExpr>,
    text: String,
    ty: DataType,
}

impl Evaluator {
    /// Compiles an expression over batches of a schema, with its constant parts computed beforehand.
    ///
    /// # Errors
    /// If DataFusion refuses it.
    pub fn new(expr: &Expr, schema: &SchemaRef) -> Result<Self> {
        let df_schema = DFSchema::try_from(Arc::clone(schema))?;
        let text = expr.to_string();
        let simplified = simplify(expr, &df_schema);
        let physical = physical_expr(&simplified, &df_schema)?;
        let ty = physical.data_type(schema)?;
        Ok(Self { expr: physical, text, ty })
    }

    /// The result for every row. The whole batch is tried at once; only on an error is it halved until
    /// the rows that fail are found.
    ///
    /// # Errors
    /// None in practice.
    pub fn evaluate(&self, rows: &RecordBatch, context: &mut Context) -> Result<ArrayRef> {
        let tried = self.expr.evaluate(rows).and_then(|value| value.into_array(rows.num_rows()));
        let failed = take_row_errors();
        match tried {
            Ok(array) => {
                context.error_count += failed.count - failed.first.len() as u64;
                for (function, reason) in failed.first {
                    context.report(|| RowError { what: function, reason, place: None });
                }
                Ok(array)
            }
            Err(error) if rows.num_rows() <= 1 => {
                let what = self.text.clone();
                context.report(|| RowError { what, reason: error.to_string(), place: None });
                Ok(new_null_array(&self.ty, rows.num_rows()))
            }
            Err(_) => {
                let half = rows.num_rows() / 2;
                let first = self.evaluate(&rows.slice(0, half), context)?;
                let second = self.evaluate(&rows.slice(half, rows.num_rows() - half), context)?;
                Ok(concat(&[&first as &dyn Array, &second])?)
            }
        }
    }
}

fn physical_expr(expr: &Expr, schema: &DFSchema) -> Result<Arc<dyn PhysicalExpr>> {
    Ok(datafusion::physical_expr::create_physical_expr(expr, schema, &ExecutionProps::new(), &Default::default())?)
}

/// Folds constants; an expression that cannot be simplified stays as it is, since its rows may still
/// be computed one by one.
fn simplify(expr: &Expr, schema: &DFSchema) -> Expr {
    use datafusion::logical_expr::simplify::SimplifyContext;
    use datafusion::optimizer::simplify_expressions::ExprSimplifier;
    let context = SimplifyContext::builder().with_schema(Arc::new(schema.clone())).build();
    let simplified = ExprSimplifier::new(context).simplify(expr.clone());
    // A constant part that fails is to fail with every row.
    match simplified {
        Ok(simplified) if take_row_errors().count == 0 => simplified,
        _ => expr.clone(),
    }
}

/// The value of an expression without columns.
///
/// # Errors
/// If it cannot be computed.
pub fn evaluate_constant(expr: &Expr) -> Result<ScalarValue> {
    let schema = DFSchema::empty();
    let physical = physical_expr(expr, &schema)?;
    let row = RecordBatch::try_new_with_options(
        Arc::new(arrow::datatypes::Schema::empty()),
        Vec::new(),
        &arrow::array::RecordBatchOptions::new().with_row_count(Some(1)),
    )?;
    let array = physical.evaluate(&row)?.into_array(1)?;
    Ok(ScalarValue::try_from_array(&array, 0)?)
}

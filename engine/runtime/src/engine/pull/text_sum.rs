//! `+` of texts in batch SQL: the dialect puts them together with it.

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator};
use datafusion::sql::sqlparser::ast::BinaryOperator;

/// Plans `text + text` as `text || text`.
#[derive(Debug)]
pub(super) struct TextSum;

impl ExprPlanner for TextSum {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let is_text = |expr: &Expr| matches!(expr.get_type(schema), Ok(DataType::Utf8 | DataType::Utf8View));
        if expr.op == BinaryOperator::Plus && is_text(&expr.left) && is_text(&expr.right) {
            let (left, right) = (Box::new(expr.left), Box::new(expr.right));
            return Ok(PlannerResult::Planned(Expr::BinaryExpr(BinaryExpr::new(left, Operator::StringConcat, right))));
        }
        Ok(PlannerResult::Original(expr))
    }
}

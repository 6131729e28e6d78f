//! `ON`.

use arrow::datatypes::DataType;
use datafusion::logical_expr::Expr;
use millstream_sql::ast::{BinaryOp, Join};
use millstream_sql::{Diagnostic, Expr as Ast, ExprKind};

use crate::expression::{Resolver, cast_to, common_type};
use crate::scope::Scope;
use crate::types::type_name;
use crate::{Catalog, Result};

/// The two sides of `ON a = b`, of one type.
pub(super) struct Condition {
    /// Of the sources so far.
    pub(super) left: Expr,
    /// Of the source that is joined.
    pub(super) right: Expr,
    /// The column that a side is, if it is one, as it was before any cast.
    pub(super) left_column: Option<Expr>,
    pub(super) right_column: Option<Expr>,
    pub(super) ty: DataType,
    /// The left side as it was written.
    pub(super) text: String,
}

struct Operand<'a> {
    ast: &'a Ast,
    expr: Expr,
    ty: DataType,
    /// Whether it is of the source that is joined; `None` if it is of several or of none.
    is_new: Option<bool>,
}

/// The condition of the join with the source at this place.
pub(super) fn condition(join: &Join, scope: &Scope, at: usize, catalog: &Catalog) -> Result<Condition> {
    let ExprKind::Binary { op: BinaryOp::Eq, left, right } = &join.on.kind else {
        let message = "a join compares one expression of each source for equality";
        let help = "write ON a.column = b.column";
        return Err(Box::new(Diagnostic::new("E0260", message).at(join.on.span, "").help(help)));
    };
    let (left, right) = (operand(left, scope, at, catalog)?, operand(right, scope, at, catalog)?);
    let (left, right) = match (left.is_new, right.is_new) {
        (Some(false), Some(true)) => (left, right),
        (Some(true), Some(false)) => (right, left),
        _ => {
            let message = "each side of a join condition must be of one source, and of different ones";
            return Err(Box::new(Diagnostic::new("E0260", message).at(join.on.span, "")));
        }
    };
    let Some(ty) = common_type(&left.ty, &right.ty) else {
        let message =
            format!("the sides of the join are of types {} and {}", type_name(&left.ty), type_name(&right.ty));
        return Err(Box::new(Diagnostic::new("E0261", message).at(join.on.span, "").help("CAST one of them")));
    };
    if holds_map(&ty) {
        let message = format!("rows cannot be joined on {}: a key holds no MAP", type_name(&ty));
        let help = "join on one of its values, such as column['name']";
        return Err(Box::new(Diagnostic::new("E0261", message).at(join.on.span, "").help(help)));
    }
    let plain = |operand: &Operand<'_>| matches!(operand.expr, Expr::Column(_)).then(|| operand.expr.clone());
    Ok(Condition {
        left_column: plain(&left),
        right_column: plain(&right),
        text: left.ast.to_string(),
        left: cast_to(left.expr, &left.ty, &ty),
        right: cast_to(right.expr, &right.ty, &ty),
        ty,
    })
}

fn operand<'a>(ast: &'a Ast, scope: &Scope, at: usize, catalog: &Catalog) -> Result<Operand<'a>> {
    let resolver = Resolver { names: scope, catalog };
    let expr = resolver.resolve(ast)?;
    let ty = resolver.type_of(&expr, ast.span)?;
    let is_new = |name: &str| {
        let alias = name.split('.').next().unwrap_or_default();
        scope.sources.iter().position(|scoped| scoped.alias == alias).is_some_and(|place| place == at)
    };
    let sides: Vec<bool> = expr.column_refs().into_iter().map(|column| is_new(&column.name)).collect();
    let is_new = sides.first().copied().filter(|first| sides.iter().all(|side| side == first));
    Ok(Operand { ast, expr, ty, is_new })
}

fn holds_map(ty: &DataType) -> bool {
    match ty {
        DataType::Map(..) => true,
        DataType::List(item) => holds_map(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| holds_map(field.data_type())),
        _ => false,
    }
}

//! What ksqlDB refuses and this engine can do. Whoever wants the refusals asks for them by the setting
//! `millstream.dialect.strict`.

use millstream_sql::ast::{Properties, Query, SelectItem};
use millstream_sql::{Diagnostic, Expr, ExprKind, Value};

use crate::{FormatKind, QueryPlan, Result};

/// Refuses a query that ksqlDB would refuse.
///
/// # Errors
/// A diagnostic at what is refused.
pub fn check_strict(query: &Query, plan: &QueryPlan, with: &Properties) -> Result<()> {
    check_nulls(query)?;
    check_formats(query, plan, with)
}

/// Refuses arithmetic with a literal NULL, whose result is always NULL.
///
/// # Errors
/// A diagnostic at the arithmetic.
pub fn check_nulls(query: &Query) -> Result<()> {
    let mut found = None;
    for expr in expressions(query) {
        expr.walk(&mut |expr| {
            if let ExprKind::Binary { op, left, right } = &expr.kind
                && !op.is_comparison()
                && !matches!(op, millstream_sql::ast::BinaryOp::And | millstream_sql::ast::BinaryOp::Or)
                && (is_null(left) || is_null(right))
            {
                found.get_or_insert((expr, *op));
            }
        });
    }
    let Some((expr, op)) = found else { return Ok(()) };
    let message = format!("{} with NULL is always NULL", op.symbol());
    let help = "write a typed NULL instead: CAST(NULL AS …), or unset millstream.dialect.strict";
    Err(Box::new(Diagnostic::new("E0270", message).at(expr.span, "").help(help)))
}

fn is_null(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Literal(Value::Null))
}

/// All expressions of a query.
fn expressions(query: &Query) -> impl Iterator<Item = &Expr> {
    let selected = query.select.iter().filter_map(|item| match item {
        SelectItem::Expr { expr, .. } | SelectItem::StructStar(expr) => Some(expr),
        SelectItem::Star { .. } => None,
    });
    let joined = query.joins.iter().map(|join| &join.on);
    let clauses = query.filter.iter().chain(&query.having).chain(&query.group_by).chain(&query.partition_by);
    selected.chain(joined).chain(clauses)
}

/// ksqlDB gives its internal topics the formats of the source, so that some queries do not fit them.
fn check_formats(query: &Query, plan: &QueryPlan, with: &Properties) -> Result<()> {
    let sources = plan.root.sources();
    let (Some(source), false) = (sources.first(), query.group_by.is_empty()) else { return Ok(()) };
    let refuse = |message: String| {
        let help = "use format JSON, or unset millstream.dialect.strict";
        Err(Box::new(Diagnostic::new("E0271", message).at(query.span, "").help(help)))
    };
    if source.value_format.kind == FormatKind::Kafka {
        return refuse(format!("stream \"{}\" has values of format KAFKA and cannot be grouped", source.name));
    }
    let is_inherited = with.get("KEY_FORMAT").or_else(|| with.get("FORMAT")).is_none();
    if source.key_format.kind == FormatKind::Kafka && query.group_by.len() > 1 && is_inherited {
        return refuse(format!("keys of format KAFKA, as \"{}\" has them, hold one column", source.name));
    }
    // Their state is a STRUCT.
    let structured = ["AVG", "STDDEV_SAMP", "STDDEV_SAMPLE", "CORRELATION"];
    let call = expressions(query).find_map(|expr| called(expr, &structured));
    match call {
        Some(name) if source.value_format.kind == FormatKind::Delimited => {
            refuse(format!("{name} keeps a STRUCT, which values of format DELIMITED cannot hold"))
        }
        _ => Ok(()),
    }
}

/// The first of these functions that an expression calls.
fn called<'a>(expr: &'a Expr, names: &[&str]) -> Option<&'a str> {
    let mut found = None;
    expr.walk(&mut |expr| {
        if let ExprKind::Call { name, .. } = &expr.kind
            && names.contains(&name.name.as_str())
        {
            found.get_or_insert(name.name.as_str());
        }
    });
    found
}

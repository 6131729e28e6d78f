//! Pull queries that are refused though they could be answered: because a setting says so, or, in the strict dialect,
//! because ksqlDB refuses them.

use millstream_plan::{Catalog, Output, Source, check_nulls, plan_query};
use millstream_sql::ast::{BinaryOp, Query, SelectItem};
use millstream_sql::{Diagnostic, Expr, ExprKind, Span, SqlType, Value};

use super::lookup;
use crate::{Result, Settings};

fn refuse<T>(message: impl Into<String>, place: Span, help: &str) -> Result<T> {
    Err(Diagnostic::new("E0351", message).at(place, "").help(help).into())
}

/// Refuses what the settings do not allow.
pub(crate) fn check(query: &Query, catalog: &Catalog, settings: &Settings) -> Result<()> {
    let Some(source) = catalog.source(&query.from.name.name) else { return Ok(()) };
    if settings.is_strict() {
        check_strict(query, source, catalog)?;
    }
    if let Some(expr) = query.partition_by.first() {
        let message = "PARTITION BY is for queries with EMIT CHANGES, whose rows it gives a key";
        return refuse(message, expr.span, "remove it, or CREATE STREAM … AS SELECT … PARTITION BY …");
    }
    let is_off = |name: &str| !settings.is_on(name);
    if query.limit.is_some() && is_off("ksql.query.pull.limit.clause.enabled") {
        return refuse(
            "a pull query may have no LIMIT here",
            query.span,
            "remove LIMIT, or SET 'ksql.query.pull.limit.clause.enabled'='true'",
        );
    }
    if !source.is_table() {
        if is_off("ksql.query.pull.stream.enabled") {
            let message = format!("pull queries may not read stream \"{}\" here", source.name);
            return refuse(message, query.span, "add EMIT CHANGES, or SET 'ksql.query.pull.stream.enabled'='true'");
        }
        return Ok(());
    }
    if is_off("ksql.query.pull.table.scan.enabled") && query.joins.is_empty() {
        let by_range = settings.is_on("ksql.query.pull.range.scan.enabled");
        if !lookup::is_by_key(query.filter.as_ref(), source, by_range) {
            let key: Vec<&str> = source.key.iter().map(|column| column.name.as_str()).collect();
            let message = format!("the query has to read the whole of table \"{}\"", source.name);
            let help = format!(
                "look a key up: WHERE {} = …, or SET 'ksql.query.pull.table.scan.enabled'='true'",
                key.join(" = … AND ")
            );
            return refuse(message, query.span, &help);
        }
    }
    Ok(())
}

fn check_strict(query: &Query, source: &Source, catalog: &Catalog) -> Result<()> {
    let lenient = "or unset millstream.dialect.strict, under which ksqlDB's refusals are kept";
    if let Some(join) = query.joins.first() {
        return refuse("a pull query has no JOIN", join.span, &format!("create a table of the join, {lenient}"));
    }
    let clauses = [("GROUP BY", query.group_by.first()), ("PARTITION BY", query.partition_by.first())];
    if let Some((clause, Some(expr))) = clauses.into_iter().find(|(_, first)| first.is_some()) {
        let message = format!("a pull query has no {clause}");
        return refuse(message, expr.span, &format!("create a table with it, {lenient}"));
    }
    if source.is_table() && source.query.is_none() && !source.read_only {
        let message = format!("table \"{}\" is not materialized: no query writes it", source.name);
        let help = format!("create one of it: CREATE TABLE … AS SELECT * FROM {}, {lenient}", source.name);
        return refuse(message, query.from.name.span, &help);
    }
    check_nulls(query)?;
    let selected = query.select.iter().filter_map(|item| match item {
        SelectItem::Expr { expr, .. } | SelectItem::StructStar(expr) => Some(expr),
        SelectItem::Star { .. } => None,
    });
    for expr in selected.chain(&query.filter) {
        check_pseudo_columns(expr, lenient)?;
    }
    if let Some(filter) = query.filter.as_ref().filter(|_| source.is_table()) {
        check_keys(filter, source)?;
    }
    plan_query(query, catalog, Output::Push)?;
    Ok(())
}

fn check_pseudo_columns(expr: &Expr, lenient: &str) -> Result<()> {
    let mut found = None;
    expr.walk(&mut |expr| {
        if let ExprKind::Column { name, .. } = &expr.kind
            && matches!(name.name.as_str(), "ROWPARTITION" | "ROWOFFSET")
        {
            found.get_or_insert(name);
        }
    });
    match found {
        Some(name) => {
            refuse(format!("a pull query cannot read {}", name.name), name.span, &format!("remove it, {lenient}"))
        }
        None => Ok(()),
    }
}

/// Refuses comparisons of a key with a literal that it can never equal.
fn check_keys(filter: &Expr, source: &Source) -> Result<()> {
    let mut wrong = None;
    filter.walk(&mut |expr| match &expr.kind {
        ExprKind::Binary { op: BinaryOp::Eq, left, right } => {
            for (key, value) in [(left, right), (right, left)] {
                wrong = wrong.take().or_else(|| mismatch(key, value, source));
            }
        }
        ExprKind::In { operand, list, .. } => {
            for value in list {
                wrong = wrong.take().or_else(|| mismatch(operand, value, source));
            }
        }
        _ => {}
    });
    match wrong {
        Some((message, place)) => refuse(message, place, "write the key as a literal of its own type"),
        None => Ok(()),
    }
}

fn mismatch(key: &Expr, value: &Expr, source: &Source) -> Option<(String, Span)> {
    let (ExprKind::Column { name, .. }, ExprKind::Literal(value_of)) = (&key.kind, &value.kind) else { return None };
    let column = source.key.iter().find(|column| column.name == name.name)?;
    let fits = match (value_of, &column.ty) {
        (Value::Null, _) => false,
        (Value::String(_), ty) => {
            matches!(ty, SqlType::String | SqlType::Date | SqlType::Time | SqlType::Timestamp | SqlType::Bytes)
        }
        (Value::Integer(_) | Value::Decimal(..) | Value::Double(_), ty) => {
            matches!(ty, SqlType::Int | SqlType::BigInt | SqlType::Double | SqlType::Decimal(..))
        }
        (Value::Boolean(_), ty) => *ty == SqlType::Boolean,
        _ => true,
    };
    let message = format!("key \"{}\" of type {} cannot equal {}", column.name, column.ty, value_of.to_literal());
    (!fits).then_some((message, value.span))
}

//! Queries with `GROUP BY`.
//!
//! The input is projected to the grouping expressions and the aggregates' arguments, so that nothing
//! else is carried through a repartition topic; then grouped, filtered by `HAVING` and projected.

use std::cell::RefCell;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::logical_expr::Expr;
use millstream_function::registry;
use millstream_sql::ast::{Emit, Ident, Query, SelectItem};
use millstream_sql::{Diagnostic, Expr as Ast, ExprKind, Value};

use super::join;
use super::select::{ItemNames, Selected, filtered, projected, select_place};
use crate::expression::{Names, Resolver, cast_to, no_overload};
use crate::node::{AggregateCall, Node, Op, Relation, WindowSpec};
use crate::scope::{Scope, ScopedSource, batch_schema, column};
use crate::{Catalog, Format, FormatKind, ROWTIME, Result, ScanColumn, ScanRole};

/// As in Kafka Streams: without GRACE PERIOD late rows are taken for a day.
const DEFAULT_GRACE_MS: i64 = 24 * 3_600_000;

/// Whether the query groups rows.
pub(super) fn is_aggregate(query: &Query) -> bool {
    let mut found = !query.group_by.is_empty();
    for item in &query.select {
        if let SelectItem::Expr { expr, .. } = item {
            expr.walk(&mut |expr| found |= aggregate_call(expr).is_some());
        }
    }
    found
}

fn aggregate_call(expr: &Ast) -> Option<(&Ident, &[Ast], bool)> {
    match &expr.kind {
        ExprKind::Call { name, args, distinct, .. } => {
            registry().aggregate(&name.name).map(|_| (name, args.as_slice(), *distinct))
        }
        _ => None,
    }
}

/// The names behind a grouping: grouping expressions, aggregates and the window's bounds.
struct Grouped<'a> {
    input: Resolver<'a>,
    group_by: Vec<(Expr, DataType)>,
    windowed: bool,
    calls: RefCell<Calls>,
}

#[derive(Default)]
struct Calls {
    /// The aggregates' arguments, each once.
    args: Vec<(Expr, DataType)>,
    calls: Vec<AggregateCall>,
}

fn key_name(at: usize) -> String {
    format!("KEY.{at}")
}

fn call_name(at: usize) -> String {
    format!("AGGREGATE.{at}")
}

impl Grouped<'_> {
    /// Registers an aggregate and returns its place among the calls.
    fn call(&self, name: &Ident, args: &[Ast], distinct: bool, place: millstream_sql::Span) -> Result<usize> {
        let mut name = name.clone();
        if distinct {
            if name.name != "COUNT" {
                let message = format!("{} DISTINCT is not known", name.name);
                return Err(Box::new(
                    Diagnostic::new("E0244", message).at(place, "").help("use COUNT_DISTINCT(column)"),
                ));
            }
            name.name = "COUNT_DISTINCT".to_owned();
        }
        let Some(function) = registry().aggregate(&name.name) else {
            return Err(Box::new(
                Diagnostic::new("E0206", format!("function {} does not exist", name.name)).at(name.span, ""),
            ));
        };
        let mut typed = Vec::new();
        let mut literals = Vec::new();
        for (at, arg) in args.iter().enumerate() {
            if at + function.literals >= args.len() && args.len() > 1 {
                let ExprKind::Literal(Value::Integer(value)) = arg.kind else {
                    let message = format!("argument {} of {} must be a whole number", at + 1, name.name);
                    return Err(Box::new(Diagnostic::new("E0245", message).at(arg.span, "not a literal")));
                };
                literals.push(value);
            }
            let expr = self.input.resolve(arg)?;
            let ty = self.input.type_of(&expr, arg.span)?;
            typed.push((expr, ty));
        }
        let types: Vec<DataType> = typed.iter().map(|(_, ty)| ty.clone()).collect();
        let Some(coercion) = function.choose(&types) else {
            return Err(no_overload(&name.name, &types, &function.overloads, place));
        };
        let mut calls = self.calls.borrow_mut();
        let real = typed.len() - literals.len();
        let mut places = Vec::new();
        for ((expr, from), to) in typed.into_iter().zip(&coercion.args).take(real) {
            let arg = cast_to(expr, &from, to);
            let known = calls.args.iter().position(|(other, _)| *other == arg);
            places.push(known.unwrap_or_else(|| {
                calls.args.push((arg, to.clone()));
                calls.args.len() - 1
            }));
        }
        let offset = self.group_by.len();
        let args = places.into_iter().map(|place| place + offset).collect();
        let call = AggregateCall { function: name.name.clone(), args, literals, returns: coercion.returns };
        if let Some(at) = calls.calls.iter().position(|other| *other == call) {
            return Ok(at);
        }
        calls.calls.push(call);
        Ok(calls.calls.len() - 1)
    }
}

impl Names for Grouped<'_> {
    fn replace(&self, ast: &Ast) -> Result<Option<Expr>> {
        if let Some((name, args, distinct)) = aggregate_call(ast) {
            let at = self.call(name, args, distinct, ast.span)?;
            return Ok(Some(column(&call_name(at))));
        }
        // Only an expression without aggregates can be one of the grouping expressions.
        let mut has_aggregate = false;
        ast.walk(&mut |expr| has_aggregate |= aggregate_call(expr).is_some());
        if has_aggregate || (self.windowed && is_window_bound(ast)) {
            return Ok(None);
        }
        let resolved = self.input.resolve(ast)?;
        let place = self.group_by.iter().position(|(expr, _)| *expr == resolved);
        Ok(place.map(|at| column(&key_name(at))))
    }

    fn column(&self, source: Option<&Ident>, name: &Ident) -> Result<Expr> {
        if self.windowed && source.is_none() && matches!(name.name.as_str(), "WINDOWSTART" | "WINDOWEND") {
            return Ok(column(&name.name));
        }
        if name.name == ROWTIME {
            return Ok(column(ROWTIME));
        }
        let message = format!("column \"{}\" is neither grouped by nor aggregated", name.name);
        let help = format!("add it to GROUP BY, or aggregate it: LATEST_BY_OFFSET({})", name.name);
        Err(Box::new(Diagnostic::new("E0246", message).at(name.span, "").help(help)))
    }

    fn schema(&self) -> SchemaRef {
        let keys = self.group_by.iter().enumerate().map(|(at, (_, ty))| (key_name(at), ty.clone()));
        let bounds = ["WINDOWSTART", "WINDOWEND"].map(|name| (name.to_owned(), DataType::Int64));
        let bounds = bounds.into_iter().filter(|_| self.windowed);
        let calls = self.calls.borrow();
        let calls: Vec<_> =
            calls.calls.iter().enumerate().map(|(at, call)| (call_name(at), call.returns.clone())).collect();
        let schema = batch_schema(keys.chain(bounds).chain(calls));
        // ROWTIME of a result is a column like any other here.
        Arc::new(Schema::new(schema.fields().iter().map(|field| Field::clone(field)).collect::<Vec<_>>()))
    }
}

fn is_window_bound(ast: &Ast) -> bool {
    matches!(&ast.kind, ExprKind::Column { source: None, name } if matches!(name.name.as_str(), "WINDOWSTART" | "WINDOWEND"))
}

pub(super) fn plan(query: &Query, scope: &Scope, catalog: &Catalog) -> Result<Selected> {
    let input = Resolver { names: scope, catalog };
    if query.group_by.is_empty() {
        let diagnostic = Diagnostic::new("E0247", "an aggregate needs GROUP BY").at(select_place(query), "");
        return Err(Box::new(diagnostic.help("say what to group by: GROUP BY column")));
    }
    let mut group_by = Vec::new();
    for ast in &query.group_by {
        let expr = input.resolve(ast)?;
        let ty = input.type_of(&expr, ast.span)?;
        group_by.push((expr, ty));
    }
    let filter = query.filter.as_ref().map(|filter| input.predicate(filter)).transpose()?;
    let grouped = Grouped { input, group_by, windowed: query.window.is_some(), calls: RefCell::default() };
    let resolver = Resolver { names: &grouped, catalog };
    let (mut items, mut names) = (Vec::new(), ItemNames::default());
    for item in &query.select {
        match item {
            SelectItem::Expr { expr, alias } => {
                items.push((names.name(expr, alias.as_ref(), scope), resolver.resolve(expr)?));
            }
            SelectItem::Star { span, .. } => {
                for scoped in scope.starred(item)? {
                    items.extend(grouped_columns(scoped, scope, &grouped, *span)?);
                }
            }
            SelectItem::StructStar(operand) => items.extend(super::select::struct_fields(operand, &resolver)?),
        }
    }
    let having = query.having.as_ref().map(|having| resolver.predicate(having)).transpose()?;
    let (mut node, _) = join::plan(query, scope, catalog)?;
    if let Some(predicate) = filter {
        node = filtered(node, predicate);
    }
    node = grouped_input(node, &grouped, query)?;
    node = aggregate(node, &grouped, query);
    if let Some(predicate) = having {
        node = filtered(node, predicate);
    }
    let names = query.group_by.iter().enumerate().map(|(at, ast)| (vec![column(&key_name(at))], ast.to_string()));
    let key_exprs = names.collect();
    projected(node, items, key_exprs, &resolver, select_place(query))
}

/// What `*` gives behind a grouping: the source's columns, if all of them are grouped by.
fn grouped_columns(
    scoped: &ScopedSource,
    scope: &Scope,
    grouped: &Grouped<'_>,
    place: millstream_sql::Span,
) -> Result<Vec<(String, Expr)>> {
    let is_bound = |role| matches!(role, ScanRole::WindowStart | ScanRole::WindowEnd);
    let columns = scoped.star().filter(|(_, scanned)| !is_bound(scanned.role));
    let key = |(name, scanned): (&str, &ScanColumn)| {
        let key = grouped.group_by.iter().position(|(expr, _)| *expr == column(&scanned.name));
        let Some(at) = key else {
            let message = format!("* stands for column \"{name}\" too, which is neither grouped by nor aggregated");
            let diagnostic = Diagnostic::new("E0248", message).at(place, "");
            return Err(Box::new(diagnostic.help("name the grouped columns and the aggregates")));
        };
        let in_join = scope.sources.len() > 1;
        let name = if in_join { format!("{}_{name}", scoped.alias) } else { name.to_owned() };
        Ok((name, column(&key_name(at))))
    };
    columns.map(key).collect()
}

/// Grouping expressions and arguments, in the partitions of their groups.
fn grouped_input(input: Node, grouped: &Grouped<'_>, query: &Query) -> Result<Node> {
    let calls = grouped.calls.borrow();
    if input.relation == Relation::Table {
        check_retraction(&calls, query)?;
    }
    let keys = grouped.group_by.iter().enumerate().map(|(at, (expr, ty))| (key_name(at), expr.clone(), ty.clone()));
    let args =
        calls.args.iter().enumerate().map(|(at, (expr, ty))| (format!("ARGUMENT.{at}"), expr.clone(), ty.clone()));
    let columns: Vec<_> = keys.chain(args).collect();
    let exprs: Vec<Expr> = columns.iter().map(|(_, expr, _)| expr.clone()).collect();
    let schema = batch_schema(columns.into_iter().map(|(name, _, ty)| (name, ty)));
    let new_keys: Vec<usize> = (0..grouped.group_by.len()).collect();
    // Rows that are partitioned by the very columns need not move.
    let old_keys: Vec<Expr> = input.keys.iter().map(|at| column(input.schema.field(*at).name())).collect();
    let same = old_keys.len() == grouped.group_by.len()
        && old_keys.iter().zip(&grouped.group_by).all(|(old, (new, _))| old == new);
    let in_place = input.relation == Relation::Stream && (same || partitions_of(&input) == 1);
    let partitions = partitions_of(&input);
    let relation = input.relation;
    let op = Op::Project { input: Box::new(input), exprs };
    let project = Node { op, schema: schema.clone(), keys: new_keys.clone(), relation };
    if in_place {
        return Ok(project);
    }
    let op = Op::Repartition { input: Box::new(project), partitions, key_format: Format::new(FormatKind::Json) };
    Ok(Node { op, schema, keys: new_keys, relation })
}

/// The number of partitions that a node's rows lie in.
fn partitions_of(node: &Node) -> i32 {
    match &node.op {
        Op::Scan { source, .. } => source.partitions,
        Op::Repartition { partitions, .. } => *partitions,
        _ => node.inputs().first().map_or(1, |input| partitions_of(input)),
    }
}

fn check_retraction(calls: &Calls, query: &Query) -> Result<()> {
    for call in &calls.calls {
        if registry().aggregate(&call.function).is_some_and(|function| !function.retracts) {
            let message =
                format!("{} cannot be used on a table: it cannot take back a row that was replaced", call.function);
            return Err(Box::new(Diagnostic::new("E0249", message).at(select_place(query), "")));
        }
    }
    let message = "GROUP BY on a table is not there yet";
    Err(Box::new(
        Diagnostic::new("E0249", message).at(query.span, "").help("group the stream that the table is made of"),
    ))
}

fn aggregate(input: Node, grouped: &Grouped<'_>, query: &Query) -> Node {
    let window = query.window.map(|window| {
        let grace_ms = window.grace_ms.unwrap_or(DEFAULT_GRACE_MS);
        let size_ms = match window.kind {
            millstream_sql::ast::WindowKind::Tumbling { size_ms }
            | millstream_sql::ast::WindowKind::Hopping { size_ms, .. } => size_ms,
            millstream_sql::ast::WindowKind::Session { gap_ms } => gap_ms,
        };
        let retention_ms = window.retention_ms.unwrap_or(0).max(size_ms.saturating_add(grace_ms));
        WindowSpec { kind: window.kind, grace_ms, retention_ms }
    });
    let keys = (0..grouped.group_by.len()).collect();
    let calls = grouped.calls.borrow().calls.clone();
    let emit_final = query.emit == Some(Emit::Final);
    let schema = grouped.schema();
    let op = Op::Aggregate { input: Box::new(input), window, calls, emit_final };
    Node { op, schema, keys, relation: Relation::Table }
}

//! Queries with `GROUP BY`.
//!
//! The input is projected to the grouping expressions and the aggregates' arguments, so that nothing
//! else is carried through a repartition topic; then grouped, filtered by `HAVING` and projected.

use std::cell::RefCell;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::logical_expr::{Expr, lit};
use millstream_function::{Literal, Parameters, registry};
use millstream_sql::ast::{Emit, Ident, Query, SelectItem};
use millstream_sql::{Diagnostic, Expr as Ast, ExprKind, Value};

use super::join;
use super::select::{ItemNames, Selected, Star, filtered, projected, select_place};
use crate::expression::{Names, Resolver, cast_to, no_overload};
use crate::node::{AggregateCall, Node, Op, Relation, WindowSpec};
use crate::scope::{Scope, batch_schema, column};
use crate::{Catalog, Format, FormatKind, ROWTIME, Result};

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
    scope: &'a Scope,
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
        for arg in args {
            let expr = self.input.resolve(arg)?;
            let ty = self.input.type_of(&expr, arg.span)?;
            typed.push((expr, ty));
        }
        if args.is_empty() && function.choose(&[]).is_none() {
            // As in ksqlDB, AVG(*) and AVG() are of the rows' times.
            let rowtime = Ident { name: ROWTIME.to_owned(), span: place };
            typed.push((self.input.names.column(None, &rowtime)?, DataType::Int64));
        }
        let types: Vec<DataType> = typed.iter().map(|(_, ty)| ty.clone()).collect();
        let Some(coercion) = function.choose(&types) else {
            return Err(no_overload(&name.name, &types, &function.overloads, place));
        };
        let wanted = function.overloads.get(coercion.overload).map_or(0, |overload| overload.literals.len());
        let real = typed.len().saturating_sub(wanted);
        let literals = args.iter().enumerate().skip(real).map(|(at, arg)| literal(arg, at, &name.name));
        let parameters = Parameters::new(literals.collect::<Result<_>>()?);
        let mut calls = self.calls.borrow_mut();
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
        let call = AggregateCall { function: name.name.clone(), args, parameters, returns: coercion.returns };
        if let Some(at) = calls.calls.iter().position(|other| *other == call) {
            return Ok(at);
        }
        calls.calls.push(call);
        Ok(calls.calls.len() - 1)
    }
}

impl Grouped<'_> {
    /// The key column that stands for an expression, if it is one of the grouping expressions.
    fn key(&self, expr: &Expr) -> Option<Expr> {
        let place = self.group_by.iter().position(|(other, _)| other == expr);
        place.map(|at| column(&key_name(at)))
    }

    /// Whether a name is that of a bound of the windows that the query makes. The source's name may stand before it,
    /// unless the source has windows of its own.
    fn is_bound(&self, source: Option<&Ident>, name: &Ident) -> bool {
        let is_of = |source: &Ident| {
            !self.scope.has_column(&name.name) && self.scope.sources.iter().any(|scoped| scoped.alias == source.name)
        };
        self.windowed && matches!(name.name.as_str(), "WINDOWSTART" | "WINDOWEND") && source.is_none_or(is_of)
    }

    fn is_window_bound(&self, ast: &Ast) -> bool {
        matches!(&ast.kind, ExprKind::Column { source, name } if self.is_bound(source.as_ref(), name))
    }

    /// The key column that a literal in SELECT stands for. Within other expressions a literal is only itself.
    fn item(&self, ast: &Ast) -> Result<Option<Expr>> {
        match ast.kind {
            ExprKind::Literal(_) => Ok(self.key(&self.input.resolve(ast)?)),
            _ => Ok(None),
        }
    }
}

/// Why `*` cannot stand for all columns of a query with GROUP BY.
fn star_refused(name: &str, place: millstream_sql::Span) -> Box<Diagnostic> {
    let message = format!("* stands for column \"{name}\" too, which is neither grouped by nor aggregated");
    let help = "name the grouped columns and the aggregates";
    Box::new(Diagnostic::new("E0248", message).at(place, "").help(help))
}

/// The value of an argument that must be known beforehand.
fn literal(arg: &Ast, at: usize, function: &str) -> Result<Literal> {
    let refuse = |expected: &str| {
        let message = format!("argument {} of {function} must be {expected}", at + 1);
        Err(Box::new(Diagnostic::new("E0245", message).at(arg.span, "")))
    };
    match arg.kind {
        ExprKind::Literal(Value::Integer(value)) if value >= 1 => Ok(Literal::Integer(value)),
        ExprKind::Literal(Value::Integer(_)) => refuse("a whole number from 1 on"),
        ExprKind::Literal(Value::Boolean(value)) => Ok(Literal::Boolean(value)),
        _ => refuse("a literal, not an expression"),
    }
}

impl Names for Grouped<'_> {
    fn replace(&self, ast: &Ast) -> Result<Option<Expr>> {
        if let Some((name, args, distinct)) = aggregate_call(ast) {
            let at = self.call(name, args, distinct, ast.span)?;
            return Ok(Some(column(&call_name(at))));
        }
        // Aggregates and the bounds of windows are there only behind the grouping, so no part of what is grouped by.
        let mut is_of_group = false;
        ast.walk(&mut |expr| is_of_group |= aggregate_call(expr).is_some() || self.is_window_bound(expr));
        if is_of_group {
            return Ok(None);
        }
        Ok(self.key(&self.input.resolve(ast)?))
    }

    fn column(&self, source: Option<&Ident>, name: &Ident) -> Result<Expr> {
        if self.is_bound(source, name) {
            if self.scope.sources.len() > 1 {
                let message = format!("{} cannot be used where rows of a join are grouped", name.name);
                let help = "leave it out, and select it from the table that the query makes";
                return Err(Box::new(Diagnostic::new("E0246", message).at(name.span, "").help(help)));
            }
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

/// Plans a query with aggregates. `may_group_all` says that without GROUP BY all rows are one group; what is stored
/// needs a key, which such a group has not.
pub(super) fn plan(query: &Query, scope: &Scope, catalog: &Catalog, may_group_all: bool) -> Result<Selected> {
    let input = Resolver { names: scope, catalog };
    if query.group_by.is_empty() && !may_group_all {
        let diagnostic = Diagnostic::new("E0247", "an aggregate needs GROUP BY").at(select_place(query), "");
        return Err(Box::new(diagnostic.help("say what to group by: GROUP BY column")));
    }
    let mut group_by = Vec::new();
    for ast in &query.group_by {
        let expr = input.resolve(ast)?;
        let ty = input.type_of(&expr, ast.span)?;
        group_by.push((expr, ty));
    }
    if group_by.is_empty() {
        group_by.push((lit(true), DataType::Boolean));
    }
    let filter = query.filter.as_ref().map(|filter| input.predicate(filter)).transpose()?;
    let grouped = Grouped { input, group_by, windowed: query.window.is_some(), scope, calls: RefCell::default() };
    let resolver = Resolver { names: &grouped, catalog };
    let (mut items, mut names) = (Vec::new(), ItemNames::default());
    for item in &query.select {
        match item {
            SelectItem::Expr { expr, alias } => {
                let name = names.name(expr, alias.as_ref(), scope);
                items.push((name, grouped.item(expr)?.map_or_else(|| resolver.resolve(expr), Ok)?));
            }
            SelectItem::Star { span, .. } => {
                for (name, expr) in Star::grouped().items(item, scope)? {
                    let Some(key) = grouped.key(&expr) else { return Err(star_refused(&name, *span)) };
                    items.push((name, key));
                }
            }
            SelectItem::StructStar(operand) => items.extend(super::select::struct_fields(operand, &resolver)?),
        }
    }
    let having = query.having.as_ref().map(|having| resolver.predicate(having)).transpose()?;
    let mut node = join::plan(query, scope, catalog)?.node;
    if node.relation == Relation::Table {
        check_table(&grouped.calls.borrow(), query)?;
        node = materialized(node);
    }
    if let Some(predicate) = filter {
        node = filtered(node, predicate);
    }
    node = grouped_input(node, &grouped)?;
    node = aggregate(node, &grouped, query);
    if let Some(predicate) = having {
        node = filtered(node, predicate);
    }
    let names = query.group_by.iter().enumerate().map(|(at, ast)| (vec![column(&key_name(at))], ast.to_string()));
    let key_exprs = names.collect();
    projected(node, items, key_exprs, select_place(query))
}

/// Grouping expressions and arguments, in the partitions of their groups.
fn grouped_input(input: Node, grouped: &Grouped<'_>) -> Result<Node> {
    let calls = grouped.calls.borrow();
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
    let in_place = same || partitions_of(&input) == 1;
    let partitions = partitions_of(&input);
    let relation = input.relation;
    let op = Op::Project { input: Box::new(input), exprs };
    let mut node = Node { op, schema: schema.clone(), keys: new_keys.clone(), relation };
    if relation == Relation::Table {
        let (schema, keys) = (schema.clone(), new_keys.clone());
        node = Node { op: Op::Regroup { input: Box::new(node) }, schema, keys, relation };
    }
    if in_place {
        return Ok(node);
    }
    let op = Op::Repartition { input: Box::new(node), partitions, key_format: Format::new(FormatKind::Json), to: None };
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

/// A table's rows with those that they replace.
fn materialized(table: Node) -> Node {
    let (schema, keys, relation) = (SchemaRef::clone(&table.schema), table.keys.clone(), table.relation);
    Node { op: Op::Materialize { input: Box::new(table) }, schema, keys, relation }
}

/// Refuses what a table, whose rows are replaced, cannot be grouped with.
fn check_table(calls: &Calls, query: &Query) -> Result<()> {
    if let Some(window) = &query.window {
        let message = "a window groups the rows of a stream, this is a table";
        let help = "leave the window out, or read the table's topic as a stream";
        return Err(Box::new(Diagnostic::new("E0249", message).at(window.span, "").help(help)));
    }
    for call in &calls.calls {
        if registry().aggregate(&call.function).is_some_and(|function| !function.retracts) {
            let message =
                format!("{} cannot be used on a table: it cannot take back a row that was replaced", call.function);
            let names = registry().aggregates().filter(|function| function.retracts).map(|function| function.name);
            let help = format!("these can: {}", names.collect::<Vec<_>>().join(", "));
            return Err(Box::new(Diagnostic::new("E0249", message).at(select_place(query), "").help(help)));
        }
    }
    Ok(())
}

fn aggregate(input: Node, grouped: &Grouped<'_>, query: &Query) -> Node {
    let emit_final = query.emit == Some(Emit::Final);
    let window = query.window.map(|window| {
        // What is final is final at the window's end, unless the query waits for late rows in so many words.
        let default_ms = if emit_final { 0 } else { DEFAULT_GRACE_MS };
        // A window that cannot be looked up any more takes no rows either.
        let retained_ms = window.retention_ms.map(|retention_ms| retention_ms - window.kind.length_ms());
        let grace_ms = window.grace_ms.unwrap_or_else(|| retained_ms.unwrap_or(default_ms).min(default_ms));
        WindowSpec { kind: window.kind, grace_ms }
    });
    let keys = (0..grouped.group_by.len()).collect();
    let calls = grouped.calls.borrow().calls.clone();
    let schema = grouped.schema();
    let op = Op::Aggregate { input: Box::new(input), window, calls, emit_final };
    Node { op, schema, keys, relation: Relation::Table }
}

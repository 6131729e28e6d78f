//! What a persistent query writes.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::logical_expr::Expr;
use millstream_sql::ast::{Properties, Query, SelectItem, SourceKind, WindowKind};
use millstream_sql::{Diagnostic, ExprKind, Span};

use super::QueryPlan;
use super::select::Selected;
use crate::create::{PSEUDO_COLUMNS, check_format, check_key_types, timestamp};
use crate::expression::{as_decimal, cast_to, common_type};
use crate::node::{Node, Op, Relation};
use crate::properties::{self, Defaults};
use crate::scope::{Scope, batch_schema};
use crate::{Column, Format, FormatKind, Result, Source, SourceWindow};

/// The stream or table that a query makes.
pub(super) struct New<'a> {
    pub(super) kind: SourceKind,
    pub(super) name: &'a str,
    pub(super) with: &'a Properties,
    pub(super) defaults: &'a Defaults,
    pub(super) place: Span,
}

pub(super) fn create(query: &Query, selected: Selected, scope: &Scope, new: New<'_>) -> Result<QueryPlan> {
    let New { kind, name, with, defaults, place } = new;
    properties::check_properties(with)?;
    check_kind(&selected, kind, name, query, place)?;
    check_names(query, scope)?;
    check_types(&selected)?;
    check_windows(&selected, scope)?;
    if let Some(property) = with.get("KAFKA_TOPIC").filter(|_| properties::topic_name(with).is_err()) {
        return Err(Box::new(Diagnostic::new("E0211", "KAFKA_TOPIC needs a string").at(property.value_span, "")));
    }
    let first = scope.sources.first().map(|scoped| scoped.source.clone());
    let keys = selected.keys(query, defaults.free_keys)?;
    let columns = selected.columns()?;
    let key: Vec<Column> = keys.iter().filter_map(|at| columns.get(*at).cloned()).collect();
    let is_value = |(at, _): &(usize, &Column)| !keys.contains(at);
    let value: Vec<Column> = columns.iter().enumerate().filter(is_value).map(|(_, column)| column.clone()).collect();
    let inherited = first.as_ref().map(|source| (source.key_format, source.value_format));
    let (key_format, value_format) = formats(query, &key, with, defaults, inherited, place)?;
    properties::check_wrap(with, value_format, &value)?;
    check_format("key", key_format.kind, &key, place)?;
    check_key_types(&key, place)?;
    check_format("value", value_format.kind, &value, place)?;
    let partitions = properties::integer(with, "PARTITIONS", 1)?;
    let source_partitions = first.as_ref().map_or(1, |source| source.partitions);
    let mut sink = Source {
        name: name.to_owned(),
        kind,
        topic: properties::topic_name(with)?.unwrap_or_else(|| format!("{}{name}", defaults.topic_prefix)),
        key,
        value,
        headers: Vec::new(),
        key_format,
        value_format,
        window: source_window(&selected.root),
        retention_ms: query.window.and_then(|window| window.retention_ms),
        timestamp: None,
        read_only: false,
        partitions: partitions.map_or(source_partitions, |count| count as i32),
        statement: String::new(),
        query: None,
    };
    sink.timestamp = timestamp(with, &sink)?;
    let keeps_null_keys = !query.partition_by.is_empty();
    Ok(QueryPlan { root: selected.sink(&keys), columns, sink: Some(sink), limit: None, keeps_null_keys })
}

/// The formats of keys and values: what the properties say, else those of the first source.
fn formats(
    query: &Query,
    key: &[Column],
    with: &Properties,
    defaults: &Defaults,
    inherited: Option<(Format, Format)>,
    place: Span,
) -> Result<(Format, Format)> {
    let (mut key_format, mut value_format) = inherited.unwrap_or((defaults.key(), Format::new(FormatKind::Json)));
    // How a source writes a single column says nothing about its readers.
    value_format.wrap = true;
    let explicit = with.get("KEY_FORMAT").or_else(|| with.get("FORMAT"));
    let has_no_key = key.is_empty() && query.partition_by.iter().any(is_null);
    if let (true, Some(property)) = (has_no_key, with.get("KEY_FORMAT")) {
        let diagnostic = Diagnostic::new("E0212", "PARTITION BY NULL leaves no key that a format could be for");
        return Err(Box::new(diagnostic.at(property.name_span, "").help("remove KEY_FORMAT")));
    }
    if has_no_key {
        key_format = Format::new(FormatKind::None);
    } else if key_format.kind == FormatKind::None && !key.is_empty() {
        key_format = defaults.key();
    }
    let (mut key_format, value_format) = properties::formats(with, (key_format, Some(value_format)), place)?;
    if explicit.is_none() && key.len() > 1 && key_format.kind == FormatKind::Kafka {
        // Several columns do not fit the default format, JSON holds any number of them.
        key_format = Format::new(FormatKind::Json);
    }
    Ok((key_format, value_format))
}

fn is_null(ast: &millstream_sql::Expr) -> bool {
    matches!(ast.kind, ExprKind::Literal(millstream_sql::Value::Null))
}

/// Refuses columns that would hide what every row has.
fn check_names(query: &Query, scope: &Scope) -> Result<()> {
    for item in &query.select {
        let SelectItem::Expr { expr, alias } = item else { continue };
        let name = match (alias, &expr.kind) {
            (Some(alias), _) => alias,
            // In a join the source's name stands before it.
            (None, ExprKind::Column { source: Some(_), name }) if scope.is_in_several(&name.name) => continue,
            (None, ExprKind::Column { name, .. }) => name,
            _ => continue,
        };
        if PSEUDO_COLUMNS.contains(&name.name.as_str()) {
            let message = format!("column \"{}\" would hide the system column of that name", name.name);
            let help = format!("give it another name: {expr} AS name");
            return Err(Box::new(Diagnostic::new("E0214", message).at(name.span, "reserved").help(help)));
        }
    }
    Ok(())
}

/// Refuses a windowed table that is not grouped: its rows come and go with their windows.
fn check_windows(selected: &Selected, scope: &Scope) -> Result<()> {
    let windowed = scope.sources.iter().find(|scoped| scoped.source.is_table() && scoped.source.window.is_some());
    match windowed {
        Some(scoped) if selected.root.window().is_none() => {
            let message = format!("table \"{}\" is windowed and cannot be read by a persistent query", scoped.alias);
            let help = "read its topic as a stream: CREATE STREAM … WITH (KAFKA_TOPIC=…, WINDOW_TYPE=…)";
            Err(Box::new(Diagnostic::new("E0226", message).at(selected.place, "").help(help)))
        }
        _ => Ok(()),
    }
}

/// Refuses columns of which nothing but null is known.
fn check_types(selected: &Selected) -> Result<()> {
    fn has_null(ty: &DataType) -> bool {
        match ty {
            DataType::Null => true,
            DataType::List(item) | DataType::Map(item, _) => has_null(item.data_type()),
            DataType::Struct(fields) => fields.iter().any(|field| has_null(field.data_type())),
            _ => false,
        }
    }
    match selected.root.schema.fields().iter().find(|field| has_null(field.data_type())) {
        Some(field) => {
            let message = format!("column \"{}\" is NULL and so of no type", field.name());
            let help = "say which type it has: CAST(NULL AS STRING)";
            Err(Box::new(Diagnostic::new("E0254", message).at(selected.place, "").help(help)))
        }
        None => Ok(()),
    }
}

fn source_window(root: &Node) -> Option<SourceWindow> {
    match root.window().map(|window| window.kind) {
        Some(WindowKind::Tumbling { size_ms }) => Some(SourceWindow::Time { size_ms, tumbling: true }),
        Some(WindowKind::Hopping { size_ms, .. }) => Some(SourceWindow::Time { size_ms, tumbling: false }),
        Some(WindowKind::Session { .. }) => Some(SourceWindow::Session),
        // Rows of a windowed source that are only filtered, projected and joined keep their windows.
        None => root.source_window(),
    }
}

fn check_kind(selected: &Selected, kind: SourceKind, name: &str, query: &Query, place: Span) -> Result<()> {
    let (message, help) = match (kind, selected.root.relation) {
        (SourceKind::Stream, Relation::Table) => (
            format!("the query's result is a table, so \"{name}\" cannot be a stream"),
            "write CREATE TABLE … AS SELECT",
        ),
        (SourceKind::Table, Relation::Stream) => (
            format!("the query's result is a stream, so \"{name}\" cannot be a table"),
            "write CREATE STREAM … AS SELECT, or aggregate with GROUP BY",
        ),
        _ => {
            return match query.limit {
                Some(_) => Err(Box::new(
                    Diagnostic::new("E0251", "a persistent query has no LIMIT").at(query.span, "").help("remove LIMIT"),
                )),
                None => Ok(()),
            };
        }
    };
    Err(Box::new(Diagnostic::new("E0252", message).at(place, "").help(help)))
}

pub(super) fn insert(query: &Query, selected: Selected, target: &Source, place: Span) -> Result<QueryPlan> {
    let refuse =
        |message: String, help: &str| Err(Box::new(Diagnostic::new("E0253", message).at(place, "").help(help)));
    if target.is_table() || target.read_only {
        let what = if target.is_table() { "a table" } else { "read only" };
        return refuse(
            format!("cannot insert a query's rows into \"{}\": it is {what}", target.name),
            "insert into a stream",
        );
    }
    if selected.root.relation == Relation::Table {
        return refuse(
            "the query's result is a table and cannot be inserted into a stream".to_owned(),
            "use CREATE TABLE … AS SELECT",
        );
    }
    check_types(&selected)?;
    let keys = selected.keys(query, false)?;
    let columns = selected.columns()?;
    let found_key: Vec<&Column> = keys.iter().filter_map(|at| columns.get(*at)).collect();
    let found_value: Vec<&Column> =
        columns.iter().enumerate().filter(|(at, _)| !keys.contains(at)).map(|(_, c)| c).collect();
    let same = |found: &[&Column], expected: &[Column]| {
        found.len() == expected.len()
            && found.iter().zip(expected).all(|(a, b)| a.name == b.name && widens(&a.arrow_type(), &b.arrow_type()))
    };
    if !same(&found_key, &target.key) || !same(&found_value, &target.value) {
        let list =
            |columns: &[&Column]| columns.iter().map(|c| format!("{} {}", c.name, c.ty)).collect::<Vec<_>>().join(", ");
        let expected: Vec<&Column> = target.columns().collect();
        let found: Vec<&Column> = columns.iter().collect();
        return refuse(
            format!("the query's columns are not those of stream \"{}\"", target.name),
            &format!("select {}; the query gives {}", list(&expected), list(&found)),
        );
    }
    let keeps_null_keys = !query.partition_by.is_empty();
    let columns: Vec<Column> =
        columns.iter().map(|column| target.column(&column.name).unwrap_or(column).clone()).collect();
    let root = widened(selected.sink(&keys), &columns);
    Ok(QueryPlan { root, columns, sink: Some(target.clone()), limit: None, keeps_null_keys })
}

/// Whether every value of one type is one of the other.
fn widens(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (from, to) if from == to => true,
        (DataType::Decimal128(precision, scale), DataType::Decimal128(wide, wide_scale)) => {
            scale <= wide_scale && *precision as i8 - scale <= *wide as i8 - wide_scale
        }
        (DataType::Int32 | DataType::Int64, DataType::Decimal128(..)) => widens(&as_decimal(from), to),
        _ => common_type(from, to).as_ref() == Some(to) && !from.is_nested(),
    }
}

/// A projection whose columns are of these types.
fn widened(root: Node, columns: &[Column]) -> Node {
    let Op::Project { input, exprs } = root.op else { return root };
    let fields = root.schema.fields().iter();
    let cast = |((expr, field), column): ((Expr, &Arc<Field>), &Column)| {
        cast_to(expr, field.data_type(), &column.arrow_type())
    };
    let exprs = exprs.into_iter().zip(fields).zip(columns).map(cast).collect();
    let schema = batch_schema(columns.iter().map(|column| (column.name.clone(), column.arrow_type())));
    Node { op: Op::Project { input, exprs }, schema, ..root }
}

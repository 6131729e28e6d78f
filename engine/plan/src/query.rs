//! The plan of a `SELECT`.

mod aggregate;
mod explode;
mod join;
mod select;

use millstream_sql::ast::{Emit, Properties, Query, SourceKind, Window};
use millstream_sql::{Diagnostic, Span};

use crate::node::{Node, Relation};
use crate::scope::Scope;
use crate::{Catalog, Column, Format, FormatKind, Result, Source, SourceWindow, sql_type};

use select::Selected;

/// What a query is for.
#[derive(Debug, Clone, Copy)]
pub enum Output<'a> {
    /// Rows for whoever asked.
    Push,
    /// A new stream or table.
    Create {
        /// Which of them.
        kind: SourceKind,
        /// Its name.
        name: &'a str,
        /// Its properties.
        with: &'a Properties,
        /// Where the statement names it.
        place: Span,
    },
    /// Rows for a stream that exists.
    Insert {
        /// The stream.
        target: &'a Source,
        /// Where the statement names it.
        place: Span,
    },
}

/// The formats that a query's results are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinkFormats {
    /// Of keys.
    pub key: Format,
    /// Of values.
    pub value: Format,
}

/// A planned query.
#[derive(Debug, Clone)]
pub struct QueryPlan {
    /// The operators; the columns of the last one are those of `SELECT`.
    pub root: Node,
    /// The results' names, in the order of `SELECT`.
    pub columns: Vec<Column>,
    /// What a persistent query makes or writes to.
    pub sink: Option<Source>,
    /// The greatest number of rows of a push query.
    pub limit: Option<u64>,
}

/// Plans a query. The number of partitions of a new topic is that of the query's source unless its
/// properties say otherwise.
///
/// # Errors
/// A diagnostic at what is wrong.
pub fn plan_query(query: &Query, catalog: &Catalog, output: Output<'_>) -> Result<QueryPlan> {
    let mut scope = Scope::default();
    scope.add(&query.from, catalog.expect(&query.from.name)?.clone())?;
    for join in &query.joins {
        scope.add(&join.relation, catalog.expect(&join.relation.name)?.clone())?;
    }
    join::declare_key(query, &mut scope, catalog)?;
    check_clauses(query)?;
    let selected = if aggregate::is_aggregate(query) {
        aggregate::plan(query, &scope, catalog)?
    } else {
        select::plan(query, &scope, catalog)?
    };
    let limit = query.limit;
    match output {
        Output::Push => Ok(QueryPlan { columns: selected.columns()?, root: selected.push(), sink: None, limit }),
        Output::Create { kind, name, with, place } => create(query, selected, &scope, kind, name, with, place),
        Output::Insert { target, place } => insert(query, selected, target, place),
    }
}

fn check_clauses(query: &Query) -> Result<()> {
    let refuse = |message: &str, place: Span, help: &str| {
        Err(Box::new(Diagnostic::new("E0250", message).at(place, "").help(help)))
    };
    if let (Some(window), true) = (&query.window, query.group_by.is_empty()) {
        return refuse("a window needs GROUP BY", window.span, "say what to count in each window: GROUP BY column");
    }
    if let Some(Window { kind, retention_ms: Some(retention_ms), grace_ms, span }) = &query.window
        && kind.length_ms().saturating_add(grace_ms.unwrap_or(0)) > *retention_ms
    {
        let help = "make RETENTION at least the size and the grace period together";
        return refuse("RETENTION is shorter than the window stays open", *span, help);
    }
    if let (Some(having), true) = (&query.having, query.group_by.is_empty()) {
        return refuse("HAVING needs GROUP BY", having.span, "use WHERE to filter rows that are not grouped");
    }
    if let ([_, ..], Some(partition)) = (query.group_by.as_slice(), query.partition_by.first()) {
        return refuse("a query has either GROUP BY or PARTITION BY", partition.span, "GROUP BY partitions as well");
    }
    if query.emit == Some(Emit::Final) && query.window.is_none() {
        return refuse(
            "EMIT FINAL needs a window",
            query.span,
            "add WINDOW TUMBLING (SIZE 1 MINUTE) or use EMIT CHANGES",
        );
    }
    Ok(())
}

fn create(
    query: &Query,
    selected: Selected,
    scope: &Scope,
    kind: SourceKind,
    name: &str,
    with: &Properties,
    place: Span,
) -> Result<QueryPlan> {
    crate::create::check_properties(with)?;
    check_kind(&selected, kind, name, query, place)?;
    if let Some(property) = with.get("KAFKA_TOPIC").filter(|_| crate::create::topic_name(with).is_err()) {
        return Err(Box::new(Diagnostic::new("E0211", "KAFKA_TOPIC needs a string").at(property.value_span, "")));
    }
    let first = scope.sources.first().map(|scoped| scoped.source.clone());
    let (key_format, value_format) =
        first.as_ref().map_or((Format::new(FormatKind::Kafka), Format::new(FormatKind::Json)), |source| {
            (source.key_format, source.value_format)
        });
    let (mut key_format, value_format) = crate::create::formats(with, (key_format, Some(value_format)), place)?;
    let keys = selected.keys(query)?;
    let columns = selected.columns()?;
    let key: Vec<Column> = keys.iter().filter_map(|at| columns.get(*at).cloned()).collect();
    let is_value = |(at, _): &(usize, &Column)| !keys.contains(at);
    let value: Vec<Column> = columns.iter().enumerate().filter(is_value).map(|(_, column)| column.clone()).collect();
    let explicit = with.get("KEY_FORMAT").is_some() || with.get("FORMAT").is_some();
    if !explicit && key_format.kind == FormatKind::None && !key.is_empty() {
        key_format = Format::new(FormatKind::Kafka);
    }
    if !explicit && key.len() > 1 && key_format.kind == FormatKind::Kafka {
        // Several columns do not fit the default format, JSON holds any number of them.
        key_format = Format::new(FormatKind::Json);
    }
    crate::create::check_format("key", key_format.kind, &key, place)?;
    crate::create::check_format("value", value_format.kind, &value, place)?;
    let partitions = crate::create::integer(with, "PARTITIONS", 1)?;
    let source_partitions = first.as_ref().map_or(1, |source| source.partitions);
    let mut sink = Source {
        name: name.to_owned(),
        kind,
        topic: crate::create::topic_name(with)?.unwrap_or_else(|| name.to_owned()),
        key,
        value,
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
    sink.timestamp = crate::create::timestamp(with, &sink)?;
    Ok(QueryPlan { root: selected.sink(&keys), columns, sink: Some(sink), limit: None })
}

fn source_window(root: &Node) -> Option<SourceWindow> {
    use millstream_sql::ast::WindowKind;
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

fn insert(query: &Query, selected: Selected, target: &Source, place: Span) -> Result<QueryPlan> {
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
    let keys = selected.keys(query)?;
    let columns = selected.columns()?;
    let found_key: Vec<&Column> = keys.iter().filter_map(|at| columns.get(*at)).collect();
    let found_value: Vec<&Column> =
        columns.iter().enumerate().filter(|(at, _)| !keys.contains(at)).map(|(_, c)| c).collect();
    let same = |found: &[&Column], expected: &[Column]| {
        found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| a.ty == b.ty && a.name == b.name)
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
    Ok(QueryPlan { root: selected.sink(&keys), columns, sink: Some(target.clone()), limit: None })
}

/// The columns of a node as SQL types, without ROWTIME.
fn columns_of(node: &Node, place: Span) -> Result<Vec<Column>> {
    let fields = node.schema.fields();
    let fields = fields.iter().take(fields.len().saturating_sub(1));
    fields
        .map(|field| {
            let ty = sql_type(field.data_type()).ok_or_else(|| {
                let message =
                    format!("column \"{}\" is of type {}, which SQL has no name for", field.name(), field.data_type());
                Box::new(Diagnostic::new("E0254", message).at(place, "").help("CAST it to a type of the dialect"))
            })?;
            Ok(Column { name: field.name().clone(), ty })
        })
        .collect()
}

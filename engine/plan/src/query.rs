//! The plan of a `SELECT`.

mod aggregate;
mod explode;
mod join;
mod select;
mod sink;

use millstream_sql::ast::{Emit, Properties, Query, SourceKind, Window};
use millstream_sql::{Diagnostic, Span};

use crate::node::Node;
use crate::scope::Scope;
use crate::{Catalog, Column, Defaults, Format, Result, Source, sql_type};

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
        /// What it gets where they say nothing.
        defaults: &'a Defaults,
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
    /// Whether a key of several columns is written even if all of them are null: so it is where the query makes the
    /// key, while a key that comes from the source was null there.
    pub keeps_null_keys: bool,
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
        // A pull query's aggregates are not planned here; that it has none is part of the strict dialect.
        aggregate::plan(query, &scope, catalog, matches!(output, Output::Push) && query.emit.is_some())?
    } else {
        select::plan(query, &scope, catalog, !matches!(output, Output::Push))?
    };
    let limit = query.limit;
    match output {
        Output::Push => {
            let columns = selected.columns()?;
            Ok(QueryPlan { columns, root: selected.push(), sink: None, limit, keeps_null_keys: false })
        }
        Output::Create { kind, name, with, defaults, place } => {
            sink::create(query, selected, &scope, sink::New { kind, name, with, defaults, place })
        }
        Output::Insert { target, place } => sink::insert(query, selected, target, place),
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

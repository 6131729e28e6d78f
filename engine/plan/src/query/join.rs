//! `FROM` and `JOIN`.

mod condition;
mod foreign_key;
mod key;
mod sides;

use datafusion::logical_expr::Expr;
use millstream_sql::Diagnostic;
use millstream_sql::ast::{Join, JoinKind, Query};

use crate::node::{JoinSide, Node, Op, Relation};
use crate::scope::{Scope, ScopedSource, column};
use crate::{Catalog, Result};

use condition::{Condition, condition};
use key::RowKey;
use sides::{Side, check_partitions, joined_schema, keyed, shared_window};

/// The query's rows before `WHERE`.
pub(super) struct Joined {
    pub(super) node: Node,
    keys: Vec<RowKey>,
}

impl Joined {
    /// The expressions that must be selected to make a key, and what to call them; a column of `SELECT` that
    /// stands for the key becomes it.
    pub(super) fn select_keys(&mut self, items: &mut [(String, Expr)]) -> Vec<(Vec<Expr>, String)> {
        let (mut selected, mut own_columns) = (Vec::new(), Vec::new());
        for (at, key) in self.keys.iter().enumerate() {
            let selection = key.select(at, items);
            own_columns.extend(selection.own_column.map(|name| (name, at)));
            selected.push((selection.accepted, selection.text));
        }
        self.node = key::with_columns(self.node.clone(), &own_columns);
        selected
    }
}

/// Declares the key column that no source has, if the joins of a query make one.
pub(super) fn declare_key(query: &Query, scope: &mut Scope, catalog: &Catalog) -> Result<()> {
    let conditions = conditions(query, scope, catalog)?;
    let Some(last) = conditions.last() else { return Ok(()) };
    if let [key] = keys(query, scope, &conditions).as_slice()
        && key.is_synthetic()
    {
        scope.declare_key(last.ty.clone());
    }
    Ok(())
}

/// Whether the rows of a query with joins are partitioned by what is their key already.
pub(super) fn keeps_key(query: &Query, scope: &Scope, catalog: &Catalog, partition_by: &[&Expr]) -> Result<bool> {
    let [expr] = partition_by else { return Ok(false) };
    let keys = keys(query, scope, &conditions(query, scope, catalog)?);
    Ok(key::is_key(&keys, expr))
}

/// The key of the joined rows.
fn keys(query: &Query, scope: &Scope, conditions: &[Condition]) -> Vec<RowKey> {
    let mut keys = scope.sources.first().map(key::of_source).unwrap_or_default();
    for (at, (join, condition)) in query.joins.iter().zip(conditions).enumerate() {
        keys = if is_foreign_key(scope, at + 1, &keys, condition) {
            keys
        } else {
            key::of_join(&keys, condition, join, at)
        };
    }
    keys
}

/// Whether a join is of tables and on something else than the left one's primary key.
fn is_foreign_key(scope: &Scope, at: usize, keys: &[RowKey], condition: &Condition) -> bool {
    let is_table = |at: usize| scope.sources.get(at).is_some_and(|scoped| scoped.source.is_table());
    is_table(0) && is_table(at) && !key::is_key(keys, &condition.left)
}

fn conditions(query: &Query, scope: &Scope, catalog: &Catalog) -> Result<Vec<Condition>> {
    query.joins.iter().enumerate().map(|(at, join)| condition(join, scope, at + 1, catalog)).collect()
}

/// The query's rows before `WHERE`, and what is their key.
pub(super) fn plan(query: &Query, scope: &Scope, catalog: &Catalog) -> Result<Joined> {
    let [first, others @ ..] = scope.sources.as_slice() else {
        return Err(Box::new(Diagnostic::new("E0201", "the query reads nothing").at(query.span, "")));
    };
    // Conditions first: they tell which columns the scans must read.
    let conditions = conditions(query, scope, catalog)?;
    let mut joined = Joined { node: scope.scan(first), keys: key::of_source(first) };
    for (at, ((join, scoped), condition)) in query.joins.iter().zip(others).zip(&conditions).enumerate() {
        let is_foreign_key = is_foreign_key(scope, at + 1, &joined.keys, condition);
        let left = Side { is_key: key::is_key(&joined.keys, &condition.left), node: joined.node };
        let right = scope.scan(scoped);
        let right = Side { is_key: is_primary_key(&right, &condition.right), node: right };
        let node = if is_foreign_key {
            check_table(join, scoped, &right, condition)?;
            foreign_key::plan(left, right.node, condition, join)?
        } else {
            join_on_key(left, right, join, scoped, condition, at)?
        };
        let keys = if is_foreign_key { joined.keys } else { key::of_join(&joined.keys, condition, join, at) };
        joined = Joined { node, keys };
    }
    if let (Some(name), [key]) = (scope.synthetic_key(), joined.keys.as_mut_slice()) {
        key.name(name);
        joined.node = key::with_columns(joined.node, &[(name.to_owned(), 0)]);
    }
    Ok(joined)
}

/// Whether an expression is a source's only key column.
fn is_primary_key(scan: &Node, expr: &Expr) -> bool {
    matches!(scan.keys.as_slice(), [at] if *expr == column(scan.schema.field(*at).name()))
}

fn refusal(code: &'static str, join: &Join, message: String, help: &str) -> Box<Diagnostic> {
    Box::new(Diagnostic::new(code, message).at(join.span, "").help(help))
}

/// Refuses what no join with a table can do.
fn check_table(join: &Join, scoped: &ScopedSource, right: &Side, condition: &Condition) -> Result<()> {
    if let Some(within) = &join.within {
        let diagnostic = Diagnostic::new("E0263", "a join with a table has no WITHIN: a table has no window");
        return Err(Box::new(diagnostic.at(within.span, "remove it")));
    }
    if right.is_key {
        return Ok(());
    }
    if condition.right_column.as_ref().is_some_and(|name| is_primary_key(&right.node, name)) {
        let message = format!("the sides of the join are of other types than the key of table \"{}\"", scoped.alias);
        return Err(refusal("E0261", join, message, "CAST the other side to the type of the key"));
    }
    let key: Vec<&str> = scoped.source.key.iter().map(|column| column.name.as_str()).collect();
    let message = format!("a table is joined on its primary key, that of \"{}\" is {}", scoped.alias, key.join(", "));
    let help = "compare the whole primary key of the table on the right, swap the tables, or CREATE TABLE … AS SELECT … GROUP BY the column first";
    Err(refusal("E0262", join, message, help))
}

fn join_on_key(
    left: Side,
    right: Side,
    join: &Join,
    scoped: &ScopedSource,
    condition: &Condition,
    at: usize,
) -> Result<Node> {
    let refuse = |message: &str, help: &str| Err(refusal("E0262", join, message.to_owned(), help));
    let (partitions, format) = right.node.layout();
    match (left.node.relation, right.node.relation) {
        (Relation::Stream, Relation::Table) => {
            check_table(join, scoped, &right, condition)?;
            if !matches!(join.kind, JoinKind::Inner | JoinKind::Left) {
                return refuse("a stream joins a table by INNER or LEFT JOIN only", "swap the sides or use LEFT JOIN");
            }
            if scoped.source.window.is_some() {
                let message = format!(
                    "table \"{}\" is windowed: a row of the stream would find no single row of it",
                    scoped.alias
                );
                return refuse(&message, "join a table without windows");
            }
            shared_window(&left, &right, join)?;
            check_partitions(&left, &right, join, scoped)?;
            let left = keyed(left, &condition.left, (partitions, format));
            let (schema, keys) = (joined_schema(&left, &right.node, None), left.keys.clone());
            let (left, right) = (JoinSide { input: Box::new(left) }, JoinSide { input: Box::new(right.node) });
            let op = Op::StreamTableJoin { left, right, kind: join.kind };
            Ok(Node { op, schema, keys, relation: Relation::Stream })
        }
        (Relation::Stream, Relation::Stream) => {
            let Some(within) = join.within else {
                return refuse(
                    "a join of two streams needs WITHIN",
                    "say how far apart in time the rows may be: JOIN b WITHIN 1 HOUR ON …",
                );
            };
            shared_window(&left, &right, join)?;
            check_partitions(&left, &right, join, scoped)?;
            let target = sides::common_layout(&left, &right);
            let left = keyed(left, &condition.left, target);
            let right = keyed(right, &condition.right, target);
            let (schema, keys) = result(&left, &right, join.kind, condition, at);
            let (left, right) = (JoinSide { input: Box::new(left) }, JoinSide { input: Box::new(right) });
            let (before_ms, after_ms, grace_ms) = (within.before_ms, within.after_ms, within.grace_ms);
            let op = Op::StreamStreamJoin { left, right, kind: join.kind, before_ms, after_ms, grace_ms };
            Ok(Node { op, schema, keys, relation: Relation::Stream })
        }
        (Relation::Table, Relation::Stream) => refuse(
            "a table cannot be joined with a stream on its right",
            "name the stream first: FROM stream JOIN table ON …",
        ),
        (Relation::Table, Relation::Table) => {
            check_table(join, scoped, &right, condition)?;
            shared_window(&left, &right, join)?;
            check_partitions(&left, &right, join, scoped)?;
            let target = left.node.layout();
            let right = keyed(right, &condition.right, target);
            let (schema, keys) = result(&left.node, &right, join.kind, condition, at);
            let (left, right) = (JoinSide { input: Box::new(left.node) }, JoinSide { input: Box::new(right) });
            Ok(Node {
                op: Op::TableTableJoin { left, right, kind: join.kind },
                schema,
                keys,
                relation: Relation::Table,
            })
        }
    }
}

/// The columns of a join's result and where its key is: on the side that every row has, or behind both.
fn result(
    left: &Node,
    right: &Node,
    kind: JoinKind,
    condition: &Condition,
    at: usize,
) -> (arrow::datatypes::SchemaRef, Vec<usize>) {
    let width = |node: &Node| node.schema.fields().len().saturating_sub(1);
    let keys = match kind {
        JoinKind::Inner | JoinKind::Left => left.keys.clone(),
        JoinKind::Right => right.keys.iter().map(|key| width(left) + key).collect(),
        JoinKind::Full => vec![width(left) + width(right)],
    };
    let key = (kind == JoinKind::Full).then(|| (key::joined_name(at), condition.ty.clone()));
    (joined_schema(left, right, key), keys)
}

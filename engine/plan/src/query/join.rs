//! `FROM` and `JOIN`.

use datafusion::logical_expr::Expr;
use millstream_sql::ast::{BinaryOp, Join, JoinKind, Query};
use millstream_sql::{Diagnostic, Expr as Ast, ExprKind};

use crate::expression::{Resolver, cast_to, common_type};
use crate::node::{JoinSide, Node, Op, Relation};
use crate::scope::{Scope, ScopedSource, batch_schema, column};
use crate::{Catalog, Format, FormatKind, ROWTIME, Result, Source};

type KeyExprs = Vec<(Vec<Expr>, String)>;

/// The query's rows before `WHERE`, and the expressions that are their key.
pub(super) fn plan(query: &Query, scope: &Scope, catalog: &Catalog) -> Result<(Node, KeyExprs)> {
    let [first, others @ ..] = scope.sources.as_slice() else {
        return Err(Box::new(Diagnostic::new("E0201", "the query reads nothing").at(query.span, "")));
    };
    // Conditions first: they tell which columns the scans must read.
    let conditions = query
        .joins
        .iter()
        .enumerate()
        .map(|(at, join)| condition(join, scope, at + 1, catalog))
        .collect::<Result<Vec<_>>>()?;
    let mut node = scope.scan(first);
    let mut key_exprs: KeyExprs = source_keys(first);
    for ((join, scoped), (left_key, right_key)) in query.joins.iter().zip(others).zip(conditions) {
        key_exprs = vec![(vec![left_key.clone(), right_key.clone()], join_key_name(join))];
        node = joined(node, scope.scan(scoped), join, scoped, left_key, right_key)?;
    }
    Ok((node, key_exprs))
}

fn source_keys(scoped: &ScopedSource) -> KeyExprs {
    let keys = scoped.source.key.iter();
    keys.map(|key| (vec![column(&format!("{}.{}", scoped.alias, key.name))], key.name.clone())).collect()
}

fn join_key_name(join: &Join) -> String {
    match &join.on.kind {
        ExprKind::Binary { left, .. } => left.to_string(),
        _ => join.on.to_string(),
    }
}

/// The two sides of `ON a = b`, the left one of the sources so far, the right one of the source at this place.
fn condition(join: &Join, scope: &Scope, at: usize, catalog: &Catalog) -> Result<(Expr, Expr)> {
    let resolver = Resolver { names: scope, catalog };
    let ExprKind::Binary { op: BinaryOp::Eq, left, right } = &join.on.kind else {
        let message = "a join compares one expression of each source for equality";
        let help = "write ON a.column = b.column";
        return Err(Box::new(Diagnostic::new("E0260", message).at(join.on.span, "").help(help)));
    };
    let side = |ast: &Ast| -> Result<(Expr, arrow::datatypes::DataType, Option<bool>)> {
        let expr = resolver.resolve(ast)?;
        let ty = resolver.type_of(&expr, ast.span)?;
        let is_new = |name: &str| {
            let alias = name.split('.').next().unwrap_or_default();
            scope.sources.iter().position(|scoped| scoped.alias == alias).is_some_and(|place| place == at)
        };
        let sides: Vec<bool> = expr.column_refs().into_iter().map(|column| is_new(&column.name)).collect();
        let side = sides.first().copied().filter(|first| sides.iter().all(|side| side == first));
        Ok((expr, ty, side))
    };
    let (left_expr, left_type, left_is_new) = side(left)?;
    let (right_expr, right_type, right_is_new) = side(right)?;
    let Some(common) = common_type(&left_type, &right_type) else {
        let message = format!(
            "the sides of the join are of types {} and {}",
            crate::types::type_name(&left_type),
            crate::types::type_name(&right_type)
        );
        return Err(Box::new(Diagnostic::new("E0261", message).at(join.on.span, "").help("CAST one of them")));
    };
    let cast = |expr, from: &_| cast_to(expr, from, &common);
    match (left_is_new, right_is_new) {
        (Some(false), Some(true)) => Ok((cast(left_expr, &left_type), cast(right_expr, &right_type))),
        (Some(true), Some(false)) => Ok((cast(right_expr, &right_type), cast(left_expr, &left_type))),
        _ => {
            let message = "each side of a join condition must be of one source, and of different ones";
            Err(Box::new(Diagnostic::new("E0260", message).at(join.on.span, "")))
        }
    }
}

fn joined(
    left: Node,
    right: Node,
    join: &Join,
    scoped: &ScopedSource,
    left_key: Expr,
    right_key: Expr,
) -> Result<Node> {
    let refuse =
        |message: String, help: &str| Err(Box::new(Diagnostic::new("E0262", message).at(join.span, "").help(help)));
    let partitions = scoped.source.partitions;
    match (left.relation, right.relation) {
        (Relation::Stream, Relation::Table) => {
            if let Some(within) = &join.within {
                let diagnostic = Diagnostic::new("E0263", "a join with a table has no WITHIN: a table has no window");
                return Err(Box::new(diagnostic.at(within.span, "remove it")));
            }
            if !matches!(join.kind, JoinKind::Inner | JoinKind::Left) {
                return refuse(
                    "a stream joins a table by INNER or LEFT JOIN only".to_owned(),
                    "swap the sides or use LEFT JOIN",
                );
            }
            if scoped.source.window.is_some() {
                return refuse(
                    format!(
                        "table \"{}\" is windowed: a row of the stream would find no single row of it",
                        scoped.alias
                    ),
                    "join a table without windows",
                );
            }
            let is_key = matches!(right.keys.as_slice(), [0]) && right_key == column(right.schema.field(0).name());
            if !is_key {
                let key: Vec<&str> = scoped.source.key.iter().map(|column| column.name.as_str()).collect();
                return refuse(
                    format!("a table is joined on its primary key, that of \"{}\" is {}", scoped.alias, key.join(", ")),
                    "compare the primary key, or CREATE TABLE … AS SELECT … GROUP BY the column first",
                );
            }
            let (left, left_at) = keyed(left, left_key, partitions, scoped.source.key_format);
            let schema = joined_schema(&left, &right);
            let op = Op::StreamTableJoin {
                left: JoinSide { input: Box::new(left) },
                right: JoinSide { input: Box::new(right) },
                kind: join.kind,
            };
            Ok(Node { op, schema, keys: vec![left_at], relation: Relation::Stream })
        }
        (Relation::Stream, Relation::Stream) => {
            let Some(within) = join.within else {
                return refuse(
                    "a join of two streams needs WITHIN".to_owned(),
                    "say how far apart in time the rows may be: JOIN b WITHIN 1 HOUR ON …",
                );
            };
            let left_partitions = left.sources().first().map_or(1, |source| source.partitions);
            let key_format = left.sources().first().map_or(Format::new(FormatKind::Json), |source| source.key_format);
            let key_format =
                if key_format.kind == FormatKind::None { Format::new(FormatKind::Json) } else { key_format };
            let (left, left_at) = keyed(left, left_key, left_partitions, key_format);
            let (right, _) = keyed(right, right_key, left_partitions, key_format);
            let schema = joined_schema(&left, &right);
            let op = Op::StreamStreamJoin {
                left: JoinSide { input: Box::new(left) },
                right: JoinSide { input: Box::new(right) },
                kind: join.kind,
                before_ms: within.before_ms,
                after_ms: within.after_ms,
                grace_ms: within.grace_ms,
            };
            Ok(Node { op, schema, keys: vec![left_at], relation: Relation::Stream })
        }
        (Relation::Table, Relation::Stream) => refuse(
            "a table cannot be joined with a stream on its right".to_owned(),
            "name the stream first: FROM stream JOIN table ON …",
        ),
        (Relation::Table, Relation::Table) => refuse(
            "a join of two tables is not there yet".to_owned(),
            "join a stream with one table, then with the other",
        ),
    }
}

/// The rows keyed by an expression: as they are if that is their key and they lie right, else through
/// a repartition topic.
fn keyed(input: Node, key: Expr, partitions: i32, key_format: Format) -> (Node, usize) {
    let at = input.schema.fields().iter().position(|field| key == column(field.name()));
    let lies_so = |source: &Source| source.partitions == partitions && source.key_format == key_format;
    let in_place = input.sources().first().is_some_and(|source| lies_so(source));
    if let Some(at) = at.filter(|at| input.keys == [*at] && in_place) {
        return (input, at);
    }
    let names: Vec<_> = input.schema.fields().iter().filter(|field| field.name() != ROWTIME).collect();
    let mut fields: Vec<_> = names.iter().map(|field| (field.name().clone(), field.data_type().clone())).collect();
    let mut exprs: Vec<Expr> = names.iter().map(|field| column(field.name())).collect();
    let at = match at {
        Some(at) => at,
        None => {
            let ty = datafusion::common::DFSchema::try_from(input.schema.clone())
                .and_then(|schema| datafusion::logical_expr::ExprSchemable::get_type(&key, &schema))
                .unwrap_or(arrow::datatypes::DataType::Null);
            fields.push((format!("KEY.{}", fields.len()), ty));
            exprs.push(key);
            fields.len() - 1
        }
    };
    let relation = input.relation;
    let schema = batch_schema(fields);
    let op = Op::Project { input: Box::new(input), exprs };
    let project = Node { op, schema: schema.clone(), keys: vec![at], relation };
    let op = Op::Repartition { input: Box::new(project), partitions, key_format };
    (Node { op, schema, keys: vec![at], relation }, at)
}

fn joined_schema(left: &Node, right: &Node) -> arrow::datatypes::SchemaRef {
    let columns = left.schema.fields().iter().chain(right.schema.fields()).filter(|field| field.name() != ROWTIME);
    batch_schema(columns.map(|field| (field.name().clone(), field.data_type().clone())))
}

//! The two sides of a join, in partitions that fit each other.

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::logical_expr::Expr;
use millstream_sql::ast::Join;

use super::refusal;
use crate::node::{Node, Op};
use crate::scope::{ScopedSource, batch_schema, column};
use crate::{Format, FormatKind, ROWTIME, Result, SourceWindow};

/// A side of a join.
pub(super) struct Side {
    pub(super) node: Node,
    /// Whether what is compared is the key of its rows, so that they need not move.
    pub(super) is_key: bool,
}

/// Refuses rows that lie by their keys in different numbers of partitions.
pub(super) fn check_partitions(left: &Side, right: &Side, join: &Join, scoped: &ScopedSource) -> Result<()> {
    let ((left_count, _), (right_count, _)) = (left.node.layout(), right.node.layout());
    if !left.is_key || !right.is_key || left_count == right_count {
        return Ok(());
    }
    let name = &scoped.source.name;
    let message = format!(
        "{} \"{name}\" lies in {right_count} partitions, what it is joined with in {left_count}: rows of one key would not meet",
        scoped.source.noun()
    );
    let help = format!(
        "copy one side first: CREATE {} copy WITH (PARTITIONS = {left_count}) AS SELECT * FROM {name}",
        scoped.source.noun().to_uppercase()
    );
    Err(refusal("E0264", join, message, &help))
}

/// Refuses rows whose keys carry windows that cannot be equal.
pub(super) fn shared_window(left: &Side, right: &Side, join: &Join) -> Result<()> {
    let fits = match (left.node.source_window(), right.node.source_window()) {
        (None, None) => return Ok(()),
        (Some(SourceWindow::Session), Some(SourceWindow::Session)) => true,
        (Some(SourceWindow::Time { size_ms: a, .. }), Some(SourceWindow::Time { size_ms: b, .. })) => a == b,
        _ => false,
    };
    if !fits {
        let message = "the keys of both sides of a join must carry the same windows, or none".to_owned();
        return Err(refusal("E0265", join, message, "join sources with windows of one kind and size"));
    }
    if !left.is_key || !right.is_key || left.node.layout().1 != right.node.layout().1 {
        let message = "windowed rows are joined on their keys, in one key format".to_owned();
        return Err(refusal("E0265", join, message, "compare the keys, or copy one side to the other's KEY_FORMAT"));
    }
    Ok(())
}

/// Where the rows of two streams meet: where the one side lies already whose key is compared.
pub(super) fn common_layout(left: &Side, right: &Side) -> (i32, Format) {
    let side = if right.is_key && !left.is_key { right } else { left };
    let (partitions, format) = side.node.layout();
    if format.kind == FormatKind::None { (partitions, Format::new(FormatKind::Json)) } else { (partitions, format) }
}

/// The rows keyed by an expression: as they are if that is their key and they lie right, else through a
/// repartition topic.
pub(super) fn keyed(side: Side, key: &Expr, target: (i32, Format)) -> Node {
    let Side { node, is_key } = side;
    if is_key && node.layout() == target {
        return node;
    }
    let (node, at) = match node.keys.as_slice() {
        [at] if is_key => {
            let at = *at;
            (node, at)
        }
        _ => with_column(node, key),
    };
    let (schema, relation, (partitions, key_format)) = (node.schema.clone(), node.relation, target);
    let node = Node { keys: vec![at], ..node };
    let op = Op::Repartition { input: Box::new(node), partitions, key_format, to: None };
    Node { op, schema, keys: vec![at], relation }
}

/// The rows with an expression as a column, and where it is.
pub(super) fn with_column(input: Node, expr: &Expr) -> (Node, usize) {
    if let Some(at) = input.schema.fields().iter().position(|field| *expr == column(field.name())) {
        return (input, at);
    }
    let names: Vec<_> = input.schema.fields().iter().filter(|field| field.name() != ROWTIME).collect();
    let mut fields: Vec<_> = names.iter().map(|field| (field.name().clone(), field.data_type().clone())).collect();
    let exprs: Vec<Expr> = names.iter().map(|field| column(field.name())).chain([expr.clone()]).collect();
    let at = fields.len();
    let ty = datafusion::common::DFSchema::try_from(input.schema.clone())
        .and_then(|schema| datafusion::logical_expr::ExprSchemable::get_type(expr, &schema))
        .unwrap_or(DataType::Null);
    fields.push((format!("EXPRESSION.{at}"), ty));
    let (keys, relation) = (input.keys.clone(), input.relation);
    (Node { op: Op::Project { input: Box::new(input), exprs }, schema: batch_schema(fields), keys, relation }, at)
}

/// The columns of both sides, and the key's if it is a column of its own.
pub(super) fn joined_schema(left: &Node, right: &Node, key: Option<(String, DataType)>) -> SchemaRef {
    let columns = left.schema.fields().iter().chain(right.schema.fields()).filter(|field| field.name() != ROWTIME);
    batch_schema(columns.map(|field| (field.name().clone(), field.data_type().clone())).chain(key))
}

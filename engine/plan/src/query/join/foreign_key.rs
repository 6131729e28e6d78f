//! The join of a table with the one that it refers to.

use arrow::datatypes::DataType;
use millstream_sql::ast::{Join, JoinKind};

use super::condition::Condition;
use super::refusal;
use super::sides::{Side, joined_schema, with_column};
use crate::node::{JoinSide, Node, Op, Relation};
use crate::scope::batch_schema;
use crate::{ROWTIME, Result};

/// Plans the two steps of the join: the look-up at the right table, through a topic by foreign key, and the
/// join with its answers, through a topic by primary key.
pub(super) fn plan(left: Side, right: Node, condition: &Condition, join: &Join) -> Result<Node> {
    let refuse = |message: &str, help: &str| Err(refusal("E0262", join, message.to_owned(), help));
    if !matches!(join.kind, JoinKind::Inner | JoinKind::Left) {
        return refuse("a join on a foreign key is INNER or LEFT", "swap the sides, or compare both primary keys");
    }
    if left.node.source_window().is_some() || right.source_window().is_some() {
        return refuse("windowed tables cannot be joined on a foreign key", "compare both primary keys");
    }
    let (left, foreign_key) = with_column(left.node, &condition.left);
    let ((left_partitions, left_format), (partitions, key_format)) = (left.layout(), right.layout());
    let field = |at: &usize| left.schema.fields().get(*at).map_or(DataType::Null, |field| field.data_type().clone());
    let primary: Vec<(String, DataType)> =
        left.keys.iter().enumerate().map(|(number, at)| (format!("PRIMARY.{number}"), field(at))).collect();
    let from = [("HASH".to_owned(), DataType::Int64), ("PARTITION".to_owned(), DataType::Int32)];
    let schema = batch_schema(
        [("FOREIGN".to_owned(), condition.ty.clone())]
            .into_iter()
            .chain(primary.iter().cloned())
            .chain(from.clone())
            .chain([("INSTRUCTION".to_owned(), DataType::Int32)]),
    );
    let op = Op::Subscriptions { partitions, key_format };
    let subscriptions = Box::new(Node { op, schema, keys: vec![0], relation: Relation::Stream });

    let looked_up = right.schema.fields().iter().filter(|field| field.name() != ROWTIME);
    let looked_up = looked_up.map(|field| (field.name().clone(), field.data_type().clone()));
    let answers = batch_schema(primary.iter().cloned().chain(from).chain(looked_up));
    let keys: Vec<usize> = (0..primary.len()).collect();
    let joined = joined_schema(&left, &right, None);
    let right = JoinSide { input: Box::new(right) };
    let op = Op::ForeignKeyLookup { subscriptions, right, key_format: left_format };
    let lookup = Node { op, schema: answers.clone(), keys: keys.clone(), relation: Relation::Stream };
    let (partitions, key_format, to) = (left_partitions, left_format, Some(primary.len() + 1));
    let op = Op::Repartition { input: Box::new(lookup), partitions, key_format, to };
    let answers = Box::new(Node { op, schema: answers, keys, relation: Relation::Stream });

    let keys = left.keys.clone();
    let op = Op::ForeignKeyJoin { left: JoinSide { input: Box::new(left) }, answers, foreign_key, kind: join.kind };
    Ok(Node { op, schema: joined, keys, relation: Relation::Table })
}

//! The key of joined rows.

use datafusion::logical_expr::Expr;
use millstream_sql::ast::{Join, JoinKind};
use millstream_sql::{Diagnostic, Span};

use super::condition::Condition;
use crate::node::{Node, Op};
use crate::scope::{ScopedSource, batch_schema, column};
use crate::{ROWTIME, Result};

/// A column of the rows' key, and what it is equal to.
#[derive(Debug, Clone)]
pub(super) struct RowKey {
    /// What has its value in every row.
    equal: Vec<Expr>,
    /// The columns that stand for it in `SELECT`, the one that is preferred first. None: it has a name of
    /// its own, that of the synthetic key.
    columns: Vec<Expr>,
    /// What it is called in messages.
    text: String,
    /// The column of batches that has its value, if the columns do not all have it.
    alias: Option<String>,
}

/// The name of the column with the key of a full join, the one at this place.
pub(super) fn joined_name(at: usize) -> String {
    format!("JOIN.{at}")
}

/// The keys of a source.
pub(super) fn of_source(scoped: &ScopedSource) -> Vec<RowKey> {
    let key = |name: &str| {
        let expr = column(&format!("{}.{name}", scoped.alias));
        RowKey { equal: vec![expr.clone()], columns: vec![expr], text: name.to_owned(), alias: None }
    };
    scoped.source.key.iter().map(|column| key(&column.name)).collect()
}

/// Whether an expression has the value of the rows' only key column.
pub(super) fn is_key(keys: &[RowKey], expr: &Expr) -> bool {
    matches!(keys, [key] if key.equal.contains(expr))
}

/// The key of a join's result: what it compares, and what that was equal to before.
pub(super) fn of_join(left: &[RowKey], condition: &Condition, join: &Join, at: usize) -> Vec<RowKey> {
    let mut key = match left {
        [key] if key.equal.contains(&condition.left) => key.clone(),
        _ => RowKey {
            equal: vec![condition.left.clone()],
            columns: condition.left_column.iter().cloned().collect(),
            text: condition.text.clone(),
            alias: None,
        },
    };
    if join.kind == JoinKind::Full {
        let own = column(&joined_name(at));
        return vec![RowKey { equal: vec![own], columns: Vec::new(), text: condition.text.clone(), alias: None }];
    }
    key.columns.extend(
        condition.right_column.iter().filter(|column| !key.columns.contains(column)).cloned().collect::<Vec<_>>(),
    );
    match join.kind {
        JoinKind::Inner => key.equal.push(condition.right.clone()),
        JoinKind::Right => key.equal = vec![condition.right.clone()],
        JoinKind::Left | JoinKind::Full => {}
    }
    vec![key]
}

/// Gives keys a column of their own where the columns that stand for them do not have their value in every
/// row, or where there are none.
pub(super) fn name_keys(node: Node, keys: &mut [RowKey], synthetic: Option<&str>) -> Node {
    for (at, key) in keys.iter_mut().enumerate() {
        if key.columns.is_empty() {
            key.alias = synthetic.map(str::to_owned);
            key.text = synthetic.unwrap_or_default().to_owned();
        } else if !key.columns.iter().all(|column| key.equal.contains(column)) {
            key.alias = Some(format!("KEY.{at}"));
        }
    }
    let places = keys.iter().zip(&node.keys);
    let aliases: Vec<(String, usize)> = places.filter_map(|(key, at)| Some((key.alias.clone()?, *at))).collect();
    if aliases.is_empty() {
        return node;
    }
    let fields = node.schema.fields();
    let own = fields.iter().filter(|field| field.name() != ROWTIME);
    let added = aliases.iter().filter_map(|(name, at)| Some((name.clone(), fields.get(*at)?)));
    let columns: Vec<_> = own.map(|field| (field.name().clone(), field)).chain(added).collect();
    let exprs = columns.iter().map(|(_, field)| column(field.name())).collect();
    let schema = batch_schema(columns.into_iter().map(|(name, field)| (name, field.data_type().clone())));
    let (keys, relation) = (node.keys.clone(), node.relation);
    Node { op: Op::Project { input: Box::new(node), exprs }, schema, keys, relation }
}

impl RowKey {
    /// Whether no column of a source stands for it.
    pub(super) fn is_synthetic(&self) -> bool {
        self.columns.is_empty()
    }

    /// What must be selected to make this key; the column of `SELECT` that stands for it becomes it.
    pub(super) fn select(&self, items: &mut [(String, Expr)], place: Span) -> Result<(Vec<Expr>, String)> {
        let own = self.alias.as_deref().map(column);
        let synthetic = own.clone().filter(|_| self.is_synthetic());
        let selected = |wanted: &&Expr| items.iter().any(|(_, expr)| expr == *wanted);
        let Some(chosen) = self.columns.iter().chain(&synthetic).find(selected).cloned() else {
            return Ok((own.map_or_else(|| self.columns.clone(), |own| vec![own]), self.text.clone()));
        };
        let mut found = items.iter_mut().filter(|(_, expr)| *expr == chosen);
        if let (Some((name, expr)), second) = (found.next(), found.next()) {
            if let Some((again, _)) = second {
                let message = format!("the key is selected twice, as {name} and as {again}");
                let help = format!("a copy of the key is a value: AS_VALUE({}) AS {again}", self.text);
                return Err(Box::new(Diagnostic::new("E0259", message).at(place, "").help(help)));
            }
            *expr = own.clone().unwrap_or_else(|| chosen.clone());
        }
        Ok((vec![own.unwrap_or(chosen)], self.text.clone()))
    }
}

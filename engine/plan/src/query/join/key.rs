//! The key of joined rows.

use datafusion::logical_expr::Expr;
use millstream_sql::ast::{Join, JoinKind};

use super::condition::Condition;
use crate::ROWTIME;
use crate::node::{Node, Op};
use crate::scope::{ScopedSource, batch_schema, column};

/// A column of the rows' key, and what it is equal to.
#[derive(Debug, Clone)]
pub(super) struct RowKey {
    /// What has its value in every row.
    equal: Vec<Expr>,
    /// The columns that stand for it in `SELECT`, the one that is preferred first. None: it is synthetic.
    columns: Vec<Expr>,
    /// What it is called in messages.
    text: String,
}

/// The name of the column with the key of a full join, the one at this place.
pub(super) fn joined_name(at: usize) -> String {
    format!("JOIN.{at}")
}

/// The keys of a source.
pub(super) fn of_source(scoped: &ScopedSource) -> Vec<RowKey> {
    let key = |name: &str| {
        let expr = column(&format!("{}.{name}", scoped.alias));
        RowKey { equal: vec![expr.clone()], columns: vec![expr], text: name.to_owned() }
    };
    scoped.source.key.iter().map(|column| key(&column.name)).collect()
}

/// Whether an expression has the value of the rows' only key column.
pub(super) fn is_key(keys: &[RowKey], expr: &Expr) -> bool {
    matches!(keys, [key] if key.equal.contains(expr))
}

/// The key of a join's result: what it compares, and what that was equal to before.
pub(super) fn of_join(left: &[RowKey], condition: &Condition, join: &Join, at: usize) -> Vec<RowKey> {
    // An expression has no column, so that the other side's stands for the key.
    let text = match (&condition.left_column, &condition.right_column) {
        (None, Some(Expr::Column(right))) => right.name.clone(),
        _ => condition.text.clone(),
    };
    let mut key = match left {
        [key] if key.equal.contains(&condition.left) => key.clone(),
        _ => RowKey {
            equal: vec![condition.left.clone()],
            columns: condition.left_column.iter().cloned().collect(),
            text,
        },
    };
    if join.kind == JoinKind::Full {
        let own = column(&joined_name(at));
        return vec![RowKey { equal: vec![own], columns: Vec::new(), text: condition.text.clone() }];
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

/// Gives some keys a column of their own: the name of each and the place of its key.
pub(super) fn with_columns(node: Node, names: &[(String, usize)]) -> Node {
    if names.is_empty() {
        return node;
    }
    let fields = node.schema.fields();
    let own = fields.iter().filter(|field| field.name() != ROWTIME);
    let added = names.iter().filter_map(|(name, at)| Some((name.clone(), fields.get(*node.keys.get(*at)?)?)));
    let columns: Vec<_> = own.map(|field| (field.name().clone(), field)).chain(added).collect();
    let exprs = columns.iter().map(|(_, field)| column(field.name())).collect();
    let schema = batch_schema(columns.into_iter().map(|(name, field)| (name, field.data_type().clone())));
    let (keys, relation) = (node.keys.clone(), node.relation);
    Node { op: Op::Project { input: Box::new(node), exprs }, schema, keys, relation }
}

/// What must be selected to make a key.
pub(super) struct Selection {
    pub(super) accepted: Vec<Expr>,
    pub(super) text: String,
    /// The name of the column that the key needs, since what stands for it in `SELECT` does not have its value in
    /// every row.
    pub(super) own_column: Option<String>,
}

impl RowKey {
    /// Whether no column of a source stands for it.
    pub(super) fn is_synthetic(&self) -> bool {
        self.columns.is_empty()
    }

    /// Makes the synthetic key's own column stand for it.
    pub(super) fn name(&mut self, name: &str) {
        self.text = name.to_owned();
        self.columns.push(column(name));
        self.equal.push(column(name));
    }

    /// What must be selected to make this key, the one at this place; the column of `SELECT` that stands for it becomes
    /// it.
    pub(super) fn select(&self, at: usize, items: &mut [(String, Expr)]) -> Selection {
        let text = self.text.clone();
        let is_selected = |wanted: &&Expr| items.iter().any(|(_, expr)| expr == *wanted);
        let Some(chosen) = self.columns.iter().find(is_selected).cloned() else {
            return Selection { accepted: self.columns.clone(), text, own_column: None };
        };
        let own_column = (!self.equal.contains(&chosen)).then(|| format!("KEY.{at}"));
        let accepted = own_column.as_deref().map_or_else(|| chosen.clone(), column);
        items.iter_mut().filter(|(_, expr)| *expr == chosen).for_each(|(_, expr)| *expr = accepted.clone());
        Selection { accepted: vec![accepted], text, own_column }
    }
}

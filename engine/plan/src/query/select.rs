//! Queries without aggregates: scan, join, filter, project.

use datafusion::logical_expr::Expr;
use millstream_sql::ast::{Ident, Query, SelectItem};
use millstream_sql::{Diagnostic, Expr as Ast, ExprKind, Span};

use super::explode::Exploded;
use super::{columns_of, join};
use crate::expression::{Names, Resolver, type_in};
use crate::node::{Node, Op, Relation};
use crate::scope::{Scope, ScopedSource, batch_schema, column};
use crate::{Catalog, Column, Result, ScanColumn, ScanRole};

/// A query planned up to its last projection.
pub(crate) struct Selected {
    /// The projection that makes the columns of `SELECT`; its `keys` are the result's key columns.
    pub(crate) root: Node,
    /// The expressions that must be selected to make a key, and what to call them in messages.
    pub(crate) key_exprs: Vec<(Vec<Expr>, String)>,
    /// The expressions of `SELECT`.
    pub(crate) exprs: Vec<Expr>,
    pub(crate) place: Span,
}

impl Selected {
    pub(crate) fn columns(&self) -> Result<Vec<Column>> {
        columns_of(&self.root, self.place)
    }

    /// The plan for rows that somebody reads.
    pub(crate) fn push(self) -> Node {
        self.root
    }

    /// The plan for rows that are written under these key columns.
    pub(crate) fn sink(self, keys: &[usize]) -> Node {
        Node { keys: keys.to_vec(), ..self.root }
    }

    /// Which columns of `SELECT` are the key. A stream's key may be `free`: then it has only what is selected, in the
    /// order of `SELECT`.
    ///
    /// # Errors
    /// A diagnostic if part of a key that is not free is not selected.
    pub(crate) fn keys(&self, query: &Query, free: bool) -> Result<Vec<usize>> {
        let free = free && self.root.relation == Relation::Stream;
        let mut keys = Vec::new();
        for (accepted, name) in &self.key_exprs {
            let mut places = (0..self.exprs.len()).filter(|at| self.is_one_of(*at, accepted));
            match (places.next(), places.next()) {
                (Some(at), None) => keys.push(at),
                (Some(_), Some(other)) => {
                    let copy = self.root.schema.field(other).name();
                    let message = format!("the key {name} is selected twice, the second time as \"{copy}\"");
                    let help = format!("copy it into the value instead: AS_VALUE({name}) AS {copy}");
                    return Err(Box::new(Diagnostic::new("E0266", message).at(self.place, "").help(help)));
                }
                (None, _) if free => {}
                (None, _) => {
                    let message = format!("the key {name} is missing from the columns of SELECT");
                    let help = format!("select it: SELECT {name}, … FROM {}", query.from.name);
                    return Err(Box::new(Diagnostic::new("E0255", message).at(self.place, "").help(help)));
                }
            }
        }
        if free {
            keys.sort_unstable();
        }
        if !keys.is_empty() && keys.len() == self.exprs.len() {
            let message = "the query selects only key columns, so that its rows would have no value";
            let help = "add a value column, such as AS_VALUE(key) AS copy";
            return Err(Box::new(Diagnostic::new("E0256", message).at(self.place, "").help(help)));
        }
        Ok(keys)
    }
}

impl Selected {
    fn is_one_of(&self, at: usize, accepted: &[Expr]) -> bool {
        self.exprs.get(at).is_some_and(|expr| accepted.contains(expr))
    }
}

impl Names for Scope {
    fn column(&self, source: Option<&Ident>, name: &Ident) -> Result<Expr> {
        Ok(column(&self.resolve(source, name)?.name))
    }

    fn schema(&self) -> arrow::datatypes::SchemaRef {
        Scope::schema(self)
    }
}

/// The span of the select list.
pub(super) fn select_place(query: &Query) -> Span {
    let spans = query.select.iter().map(|item| match item {
        SelectItem::Star { span, .. } => *span,
        SelectItem::StructStar(expr) | SelectItem::Expr { expr, .. } => expr.span,
    });
    spans.reduce(Span::to).unwrap_or(query.span)
}

/// Plans a query without aggregates. `persistent` says that it writes a topic, where a key's window stands already and
/// `*` has no columns for it.
pub(super) fn plan(query: &Query, scope: &Scope, catalog: &Catalog, persistent: bool) -> Result<Selected> {
    let exploded = Exploded::new(scope, catalog);
    let resolver = Resolver { names: scope, catalog };
    let partition_by =
        query.partition_by.iter().map(|expr| Ok((resolver.resolve(expr)?, expr))).collect::<Result<Vec<_>>>()?;
    let is_joined = !query.joins.is_empty();
    let exprs: Vec<&Expr> = partition_by.iter().map(|(expr, _)| expr).collect();
    let rekeys_join = persistent && is_joined && !exprs.is_empty() && !join::keeps_key(query, scope, catalog, &exprs)?;
    let star = Star { persistent, partition_by: &partition_by, rekeys_join };
    let mut items = select_items(query, scope, &Resolver { names: &exploded, catalog }, &star)?;
    let filter = query.filter.as_ref().map(|filter| resolver.predicate(filter)).transpose()?;
    let mut joined = join::plan(query, scope, catalog)?;
    let mut key_exprs = if partition_by.is_empty() { joined.select_keys(&mut items) } else { Vec::new() };
    let mut node = joined.node;
    if let (Some(partition), true) = (query.partition_by.first(), node.relation == Relation::Table) {
        let diagnostic = Diagnostic::new("E0257", "PARTITION BY is for streams, this is a table");
        return Err(Box::new(diagnostic.at(partition.span, "")));
    }
    if !partition_by.is_empty() {
        let is_null = |ast: &Ast| matches!(ast.kind, ExprKind::Literal(millstream_sql::Value::Null));
        key_exprs = partition_by
            .iter()
            .filter(|(_, ast)| !is_null(ast))
            .map(|(expr, ast)| (vec![expr.clone()], ast.to_string()))
            .collect();
    }
    if let Some(predicate) = filter {
        node = filtered(node, predicate);
    }
    node = exploded.applied(node, select_place(query))?;
    projected(node, items, key_exprs, select_place(query))
}

pub(super) fn filtered(input: Node, predicate: Expr) -> Node {
    let (schema, keys, relation) = (input.schema.clone(), input.keys.clone(), input.relation);
    Node { op: Op::Filter { input: Box::new(input), predicate }, schema, keys, relation }
}

/// Adds the last projection.
pub(super) fn projected(
    input: Node,
    items: Vec<(String, Expr)>,
    key_exprs: Vec<(Vec<Expr>, String)>,
    place: Span,
) -> Result<Selected> {
    let mut fields: Vec<(String, arrow::datatypes::DataType)> = Vec::new();
    for (name, expr) in &items {
        if fields.iter().any(|(other, _)| other == name) {
            let diagnostic = Diagnostic::new("E0258", format!("the result has two columns named \"{name}\""));
            return Err(Box::new(diagnostic.at(place, "").help("rename one of them: expression AS name")));
        }
        fields.push((name.clone(), type_in(expr, &input.schema, place)?));
    }
    let exprs: Vec<Expr> = items.into_iter().map(|(_, expr)| expr).collect();
    let keys = key_exprs.iter().filter_map(|(accepted, _)| exprs.iter().position(|e| accepted.contains(e))).collect();
    let relation = input.relation;
    let op = Op::Project { input: Box::new(input), exprs: exprs.clone() };
    let root = Node { op, schema: batch_schema(fields), keys, relation };
    Ok(Selected { root, key_exprs, exprs, place })
}

/// What `*` depends on beside the sources.
pub(super) struct Star<'a> {
    persistent: bool,
    partition_by: &'a [(Expr, &'a Ast)],
    /// Whether the rows of a join get another key than the join gives them.
    rekeys_join: bool,
}

impl Star<'_> {
    /// Behind a grouping, of which the bounds of the source's windows are no part.
    pub(super) fn grouped() -> Self {
        Self { persistent: true, partition_by: &[], rekeys_join: false }
    }

    /// `*` or `source.*`: the columns that it stands for.
    pub(super) fn items(&self, item: &SelectItem, scope: &Scope) -> Result<Vec<(String, Expr)>> {
        let in_join = scope.sources.len() > 1;
        let mut items = Vec::new();
        let own = scope.synthetic_key().filter(|_| matches!(item, SelectItem::Star { source: None, .. }));
        let own = own.map(|name| (name.to_owned(), column(name)));
        // Where the rows get another key, it is a value like those of the sources.
        let is_key = own.as_ref().is_some_and(|(_, key)| self.partition_by.iter().all(|(expr, _)| expr == key));
        items.extend(own.clone().filter(|_| is_key));
        for scoped in scope.starred(item)? {
            let named = |name| if in_join { format!("{}_{name}", scoped.alias) } else { name };
            items.extend(self.columns(scoped, scope).into_iter().map(|(name, expr)| (named(name), expr)));
        }
        items.extend(own.filter(|_| !is_key));
        Ok(items)
    }

    /// The columns that a source gives: its key first, unless the rows get a key of their own; that comes first then,
    /// and the source's key, which is a value now, last. The rows of a join that get a key of their own keep the times
    /// and places of both sides.
    fn columns(&self, scoped: &ScopedSource, scope: &Scope) -> Vec<(String, Expr)> {
        let is_bound = |role: ScanRole| matches!(role, ScanRole::WindowStart | ScanRole::WindowEnd);
        // In a join they are columns of each side.
        let in_join = scope.sources.len() > 1;
        let has_bounds = !self.persistent || in_join;
        let all = scoped.star().filter(|(_, scanned)| has_bounds || !is_bound(scanned.role));
        let all: Vec<_> = all.map(|(name, scanned)| (name.to_owned(), scanned)).collect();
        let rekeyed = match in_join {
            true => self.rekeys_join,
            false => self.persistent && !self.partition_by.is_empty() && !self.keeps_key(&all),
        };
        let (mut keys, values): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(_, scanned)| rekeyed && matches!(scanned.role, ScanRole::Key(_)));
        let mut columns = values;
        if self.rekeys_join {
            columns.extend(scoped.system_columns().map(|(name, scanned)| (name.to_owned(), scanned)));
        }
        columns.append(&mut keys);
        columns.into_iter().map(|(name, scanned)| (name, column(&scope.mark(scanned).name))).collect()
    }

    /// Whether the rows are partitioned by what is their key already.
    fn keeps_key(&self, columns: &[(String, &ScanColumn)]) -> bool {
        let keys = columns.iter().filter(|(_, scanned)| matches!(scanned.role, ScanRole::Key(_)));
        let keys: Vec<Expr> = keys.map(|(_, scanned)| column(&scanned.name)).collect();
        keys.iter().eq(self.partition_by.iter().map(|(expr, _)| expr))
    }

    /// The keys of PARTITION BY that are no columns, so that `*` would not have them.
    fn new_keys(&self, query: &Query, scope: &Scope, names: &mut ItemNames) -> Vec<(String, Expr)> {
        let is_alone = matches!(query.select.as_slice(), [SelectItem::Star { source: None, .. }]);
        let is_null = |ast: &Ast| matches!(ast.kind, ExprKind::Literal(millstream_sql::Value::Null));
        let partition_by = self.partition_by.iter().filter(|(expr, ast)| {
            let starred = scope.sources.iter().flat_map(ScopedSource::star).map(|(_, scanned)| scanned.name.as_str());
            let is_starred = starred.chain(scope.synthetic_key()).any(|name| column(name) == *expr);
            is_alone && self.persistent && !is_starred && !is_null(ast)
        });
        partition_by.map(|(expr, ast)| (names.name(ast, None, scope), expr.clone())).collect()
    }
}

/// The names and expressions of `SELECT`.
fn select_items(query: &Query, scope: &Scope, resolver: &Resolver<'_>, star: &Star<'_>) -> Result<Vec<(String, Expr)>> {
    let mut names = ItemNames::default();
    let mut items = star.new_keys(query, scope, &mut names);
    for item in &query.select {
        match item {
            SelectItem::Star { .. } => items.extend(star.items(item, scope)?),
            SelectItem::StructStar(operand) => items.extend(struct_fields(operand, resolver)?),
            SelectItem::Expr { expr, alias } => {
                let name = names.name(expr, alias.as_ref(), scope);
                items.push((name, resolver.resolve(expr)?));
            }
        }
    }
    Ok(items)
}

/// `struct->*`: its fields.
pub(super) fn struct_fields(operand: &Ast, resolver: &Resolver<'_>) -> Result<Vec<(String, Expr)>> {
    let expr = resolver.resolve(operand)?;
    let ty = resolver.type_of(&expr, operand.span)?;
    let arrow::datatypes::DataType::Struct(fields) = ty else {
        let message = format!("\"->*\" needs a STRUCT, this is {}", crate::types::type_name(&ty));
        return Err(Box::new(Diagnostic::new("E0240", message).at(operand.span, "")));
    };
    let field =
        |name: &String| (name.clone(), datafusion::functions::core::expr_fn::get_field(expr.clone(), name.as_str()));
    Ok(fields.iter().map(|f| field(f.name())).collect())
}

/// Names for results that have none: `KSQL_COL_0`, `KSQL_COL_1` and so on, without those that a source has a
/// column of; a struct's field has its name, with a number if that is taken.
#[derive(Debug, Default)]
pub(super) struct ItemNames {
    generated: usize,
    fields: Vec<String>,
}

impl ItemNames {
    /// The name of a result: its alias, the column or field itself, or a generated one.
    pub(super) fn name(&mut self, expr: &Ast, alias: Option<&Ident>, scope: &Scope) -> String {
        match (alias, &expr.kind) {
            (Some(alias), _) => alias.name.clone(),
            (None, ExprKind::Column { source: Some(source), name }) if scope.is_in_several(&name.name) => {
                format!("{}_{}", source.name, name.name)
            }
            (None, ExprKind::Column { name, .. }) => name.name.clone(),
            (None, ExprKind::Field { name, .. }) => self.field(&name.name, scope),
            (None, _) => self.generate(scope),
        }
    }

    fn field(&mut self, name: &str, scope: &Scope) -> String {
        let is_taken = |name: &str| scope.has_column(name) || self.fields.iter().any(|field| field == name);
        let numbered = (1..).map(|number| format!("{name}_{number}"));
        let free = std::iter::once(name.to_owned()).chain(numbered).find(|name| !is_taken(name)).unwrap_or_default();
        self.fields.push(free.clone());
        free
    }

    fn generate(&mut self, scope: &Scope) -> String {
        loop {
            let name = format!("KSQL_COL_{}", self.generated);
            self.generated += 1;
            if !scope.has_column(&name) {
                return name;
            }
        }
    }
}

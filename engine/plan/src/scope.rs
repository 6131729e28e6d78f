//! The names that an expression can use.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Column as DfColumn;
use datafusion::logical_expr::Expr;
use millstream_sql::Diagnostic;
use millstream_sql::ast::{Ident, Relation, SelectItem};

use crate::node::{Node, Op, Relation as Meaning, ScanColumn, ScanRole};
use crate::{ROWTIME, Result, Source};

/// A source as a query names it.
#[derive(Debug)]
pub(crate) struct ScopedSource {
    pub(crate) alias: String,
    pub(crate) source: Arc<Source>,
    /// Every column it has, by its name in batches: `ALIAS.COLUMN`.
    columns: Vec<ScanColumn>,
}

/// The sources of a query, and which of their columns it has used so far.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    pub(crate) sources: Vec<ScopedSource>,
    used: RefCell<BTreeSet<String>>,
    /// The key of joined rows that no column of a source is.
    synthetic: Option<ScanColumn>,
}

/// A reference to a batch's column by name.
pub(crate) fn column(name: &str) -> Expr {
    Expr::Column(DfColumn::new_unqualified(name))
}

/// A schema of these columns with ROWTIME at its end.
pub(crate) fn batch_schema(fields: impl IntoIterator<Item = (String, DataType)>) -> SchemaRef {
    let fields = fields.into_iter().map(|(name, ty)| Field::new(name, ty, true));
    Arc::new(Schema::new(fields.chain([Field::new(ROWTIME, DataType::Int64, false)]).collect::<Vec<_>>()))
}

impl ScopedSource {
    fn new(alias: String, source: Arc<Source>) -> Self {
        let scan = |name: &str, ty: DataType, role: ScanRole| ScanColumn { name: format!("{alias}.{name}"), ty, role };
        let keys = source.key.iter().enumerate().map(|(at, c)| scan(&c.name, c.arrow_type(), ScanRole::Key(at)));
        let values = source.value.iter().enumerate().map(|(at, c)| scan(&c.name, c.arrow_type(), ScanRole::Value(at)));
        let mut columns: Vec<ScanColumn> = keys.chain(values).collect();
        let headers = source.headers.iter().enumerate();
        columns.extend(headers.map(|(at, h)| scan(&h.column.name, h.column.arrow_type(), ScanRole::Header(at))));
        columns.push(scan("ROWTIME", DataType::Int64, ScanRole::RowTime));
        columns.push(scan("ROWPARTITION", DataType::Int32, ScanRole::RowPartition));
        columns.push(scan("ROWOFFSET", DataType::Int64, ScanRole::RowOffset));
        if source.window.is_some() {
            columns.push(scan("WINDOWSTART", DataType::Int64, ScanRole::WindowStart));
            columns.push(scan("WINDOWEND", DataType::Int64, ScanRole::WindowEnd));
        }
        Self { alias, source, columns }
    }

    fn find(&self, name: &str) -> Option<&ScanColumn> {
        self.columns.iter().find(|column| column.name.get(self.alias.len() + 1..) == Some(name))
    }

    /// The columns that `*` stands for: key and value columns, with window bounds between.
    pub(crate) fn star(&self) -> impl Iterator<Item = (&str, &ScanColumn)> {
        let rank = |column: &ScanColumn| match column.role {
            ScanRole::Key(_) => 0,
            ScanRole::WindowStart | ScanRole::WindowEnd => 1,
            _ => 2,
        };
        let mut columns: Vec<&ScanColumn> = self.columns.iter().collect();
        columns.retain(|c| !matches!(c.role, ScanRole::RowTime | ScanRole::RowPartition | ScanRole::RowOffset));
        columns.sort_by_key(|column| rank(column));
        columns.into_iter().map(|column| (column.name.get(self.alias.len() + 1..).unwrap_or_default(), column))
    }
}

impl ScopedSource {
    /// What every row has beside its columns: its time and its place.
    pub(crate) fn system_columns(&self) -> impl Iterator<Item = (&str, &ScanColumn)> {
        let is_system =
            |c: &&ScanColumn| matches!(c.role, ScanRole::RowTime | ScanRole::RowPartition | ScanRole::RowOffset);
        let columns = self.columns.iter().filter(is_system);
        columns.map(|column| (column.name.get(self.alias.len() + 1..).unwrap_or_default(), column))
    }
}

impl Scope {
    pub(crate) fn add(&mut self, relation: &Relation, source: Arc<Source>) -> Result<()> {
        let name = relation.alias.as_ref().unwrap_or(&relation.name);
        if self.sources.iter().any(|scoped| scoped.alias == name.name) {
            let message = format!("\"{}\" names two sources of the query", name.name);
            let diagnostic = Diagnostic::new("E0230", message).at(name.span, "used again");
            return Err(Box::new(diagnostic.help("give each its own alias: FROM s AS a JOIN s AS b")));
        }
        if self.sources.iter().any(|scoped| scoped.source.topic == source.topic) {
            let message = format!("topic \"{}\" is read twice by the query", source.topic);
            let help = "copy it to another topic first: CREATE STREAM copy AS SELECT * FROM …";
            return Err(Box::new(Diagnostic::new("E0231", message).at(name.span, "read again").help(help)));
        }
        self.sources.push(ScopedSource::new(name.name.clone(), source));
        Ok(())
    }

    /// Declares the key of joined rows that no column of a source is: `ROWKEY`, with a number behind if a
    /// source has a column of that name.
    pub(crate) fn declare_key(&mut self, ty: DataType) {
        let numbered = (1..).map(|number| format!("ROWKEY_{number}"));
        let mut names = std::iter::once("ROWKEY".to_owned()).chain(numbered);
        let name = names.find(|name| !self.has_column(name)).unwrap_or_default();
        self.synthetic = Some(ScanColumn { name, ty, role: ScanRole::Key(0) });
    }

    /// The name of the key of joined rows that no column of a source is, in batches and in statements.
    pub(crate) fn synthetic_key(&self) -> Option<&str> {
        self.synthetic.as_ref().map(|key| key.name.as_str())
    }

    /// The column that a name stands for.
    pub(crate) fn resolve(&self, source: Option<&Ident>, name: &Ident) -> Result<&ScanColumn> {
        if let (None, Some(key)) = (source, &self.synthetic)
            && key.name == name.name
        {
            return Ok(key);
        }
        let mut candidates: Vec<&ScopedSource> = self.sources.iter().collect();
        if let Some(source) = source {
            candidates.retain(|scoped| scoped.alias == source.name);
            if candidates.is_empty() {
                let names: Vec<String> = self.sources.iter().map(|scoped| scoped.alias.clone()).collect();
                let message = format!("\"{}\" is no source of this query", source.name);
                let diagnostic = Diagnostic::new("E0202", message).at(source.span, "not found");
                return Err(Box::new(diagnostic.suggest(&source.name, &names)));
            }
        }
        let found: Vec<_> = candidates.iter().filter_map(|scoped| Some((scoped, scoped.find(&name.name)?))).collect();
        match found.as_slice() {
            [(_, column)] => Ok(self.mark(column)),
            [] => Err(self.unknown(&candidates, name)),
            [(first, _), ..] => {
                let message = format!("column \"{}\" is in several sources", name.name);
                let help = format!("say which: {}.{}", first.alias, name.name);
                Err(Box::new(Diagnostic::new("E0204", message).at(name.span, "ambiguous").help(help)))
            }
        }
    }

    pub(crate) fn mark<'a>(&self, column: &'a ScanColumn) -> &'a ScanColumn {
        self.used.borrow_mut().insert(column.name.clone());
        column
    }

    fn unknown(&self, candidates: &[&ScopedSource], name: &Ident) -> Box<Diagnostic> {
        let names: Vec<String> =
            candidates.iter().flat_map(|scoped| scoped.star().map(|(name, _)| name.to_owned())).collect();
        let place = match candidates {
            [only] => format!("{} \"{}\"", only.source.noun(), only.source.name),
            _ => "any source of the query".to_owned(),
        };
        let message = format!("column \"{}\" does not exist in {place}", name.name);
        let mut diagnostic = Diagnostic::new("E0203", message).at(name.span, "not found");
        if let [only] = candidates {
            diagnostic = diagnostic.note(format!("\"{}\" has: {}", only.source.name, names.join(", ")));
        }
        Box::new(diagnostic.suggest(&name.name, &names))
    }

    /// Whether more than one source has a column of this name.
    pub(crate) fn is_in_several(&self, name: &str) -> bool {
        self.sources.iter().filter(|scoped| scoped.find(name).is_some()).count() > 1
    }

    /// Whether any source has a column of this name.
    pub(crate) fn has_column(&self, name: &str) -> bool {
        self.sources.iter().any(|scoped| scoped.find(name).is_some())
    }

    /// The sources that a `*` covers.
    pub(crate) fn starred(&self, item: &SelectItem) -> Result<Vec<&ScopedSource>> {
        let SelectItem::Star { source: Some(name), .. } = item else { return Ok(self.sources.iter().collect()) };
        match self.sources.iter().find(|scoped| scoped.alias == name.name) {
            Some(scoped) => Ok(vec![scoped]),
            None => {
                let message = format!("\"{}\" is no source of this query", name.name);
                Err(Box::new(Diagnostic::new("E0202", message).at(name.span, "not found")))
            }
        }
    }

    /// The schema of everything, for typing expressions before it is known what is used.
    pub(crate) fn schema(&self) -> SchemaRef {
        let columns = self.sources.iter().flat_map(|scoped| &scoped.columns).chain(&self.synthetic);
        batch_schema(columns.map(|column| (column.name.clone(), column.ty.clone())))
    }

    /// A scan of a source with its key and the columns used so far.
    pub(crate) fn scan(&self, scoped: &ScopedSource) -> Node {
        let used = self.used.borrow();
        let wanted = |column: &&ScanColumn| matches!(column.role, ScanRole::Key(_)) || used.contains(&column.name);
        let columns: Vec<ScanColumn> = scoped.columns.iter().filter(wanted).cloned().collect();
        let keys = (0..scoped.source.key.len()).collect();
        let relation = if scoped.source.is_table() { Meaning::Table } else { Meaning::Stream };
        let schema = batch_schema(columns.iter().map(|column| (column.name.clone(), column.ty.clone())));
        Node { op: Op::Scan { source: Arc::clone(&scoped.source), columns }, schema, keys, relation }
    }
}

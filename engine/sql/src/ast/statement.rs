//! Statements.

use super::{Expr, Ident, Query};
use crate::{Diagnostic, Span, SqlType, Value};

/// A statement of the dialect.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    CreateSource(CreateSource),
    CreateAs(CreateAs),
    InsertInto(InsertInto),
    InsertValues(InsertValues),
    Query(Box<Query>),
    /// A `SELECT` or `WITH` beyond the streaming grammar, left to the batch SQL planner as text; if
    /// that refuses it too, `reason` is why it is no streaming query.
    BatchQuery {
        text: String,
        reason: Diagnostic,
    },
    Show(Show),
    Describe(Describe),
    Explain(Explain),
    Print(Print),
    Assert(Assert),
    Terminate(QuerySelection),
    Pause(QuerySelection),
    Resume(QuerySelection),
    Drop(Drop),
    Alter(AlterSource),
    CreateType {
        name: Ident,
        ty: SqlType,
        if_not_exists: bool,
    },
    DropType {
        name: Ident,
        if_exists: bool,
    },
    Set {
        name: String,
        value: String,
    },
    Unset {
        name: String,
    },
    Define {
        name: String,
        value: String,
    },
    Undefine {
        name: String,
    },
    RunScript {
        path: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    Stream,
    Table,
}

/// `CREATE STREAM|TABLE` over a topic.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateSource {
    pub kind: SourceKind,
    pub or_replace: bool,
    pub if_not_exists: bool,
    /// `CREATE SOURCE …`: read only.
    pub read_only: bool,
    pub name: Ident,
    pub columns: Vec<ColumnDef>,
    pub with: Properties,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDef {
    pub name: Ident,
    pub ty: SqlType,
    pub role: ColumnRole,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnRole {
    Value,
    Key,
    PrimaryKey,
    /// All headers, or the value of the last one of this name.
    Headers(Option<String>),
}

/// `CREATE STREAM|TABLE … AS SELECT …`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateAs {
    pub kind: SourceKind,
    pub or_replace: bool,
    pub if_not_exists: bool,
    pub name: Ident,
    pub with: Properties,
    pub query: Query,
}

#[derive(Debug, Clone, PartialEq)]
pub struct InsertInto {
    pub target: Ident,
    pub with: Properties,
    pub query: Query,
}

#[derive(Debug, Clone, PartialEq)]
pub struct InsertValues {
    pub target: Ident,
    /// None given: all columns in the order of their declaration.
    pub columns: Vec<Ident>,
    pub rows: Vec<Vec<Expr>>,
}

/// The `WITH (…)` of a statement.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Properties {
    pub items: Vec<Property>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    /// Upper-cased.
    pub name: String,
    pub value: Value,
    pub name_span: Span,
    pub value_span: Span,
}

impl Properties {
    /// The property of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Property> {
        self.items.iter().find(|property| property.name == name)
    }
}

/// `ASSERT [NOT EXISTS] …`.
#[derive(Debug, Clone, PartialEq)]
pub struct Assert {
    pub what: Asserted,
    /// Whether it is to be there.
    pub exists: bool,
    /// How long to wait until it is so.
    pub timeout_ms: Option<i64>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Asserted {
    Topic { name: Ident, with: Properties },
    Schema { subject: Option<String>, id: Option<i64> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Show {
    Streams { extended: bool },
    Tables { extended: bool },
    Topics { all: bool },
    Queries { extended: bool },
    Functions,
    Properties,
    Variables,
    Types,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Describe {
    Source { name: Ident, extended: bool },
    Function(Ident),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Explain {
    Query(Ident),
    Statement { statement: Box<Statement>, text: String },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Print {
    pub topic: Ident,
    pub from: PrintFrom,
    pub interval: u64,
    pub limit: Option<u64>,
}

/// Where `PRINT` starts in each partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrintFrom {
    Beginning,
    /// Behind the last record there is.
    End,
    Offset(i64),
    /// So many records before the end.
    Last(i64),
}

#[derive(Debug, Clone, PartialEq)]
pub enum QuerySelection {
    All,
    One(Ident),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Drop {
    pub kind: SourceKind,
    pub if_exists: bool,
    pub name: Ident,
    pub delete_topic: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AlterSource {
    pub kind: SourceKind,
    pub name: Ident,
    pub columns: Vec<ColumnDef>,
}

//! `SELECT` and its clauses.

use super::{Expr, Ident};
use crate::Span;

/// A `SELECT` statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub select: Vec<SelectItem>,
    pub from: Relation,
    pub joins: Vec<Join>,
    pub window: Option<Window>,
    pub filter: Option<Expr>,
    pub group_by: Vec<Expr>,
    pub partition_by: Vec<Expr>,
    pub having: Option<Expr>,
    pub emit: Option<Emit>,
    pub limit: Option<u64>,
    pub span: Span,
}

/// A column of the result, or several.
#[derive(Debug, Clone, PartialEq)]
pub enum SelectItem {
    /// `*` or `source.*`.
    Star {
        source: Option<Ident>,
        span: Span,
    },
    /// `struct->*`.
    StructStar(Expr),
    Expr {
        expr: Expr,
        alias: Option<Ident>,
    },
}

/// A stream or table by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    pub name: Ident,
    pub alias: Option<Ident>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    pub kind: JoinKind,
    pub relation: Relation,
    pub within: Option<Within>,
    pub on: Expr,
    pub span: Span,
}

/// How far apart in time the records of a stream-stream join may be, in ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Within {
    pub before_ms: i64,
    pub after_ms: i64,
    pub grace_ms: Option<i64>,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub kind: WindowKind,
    pub retention_ms: Option<i64>,
    pub grace_ms: Option<i64>,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowKind {
    Tumbling { size_ms: i64 },
    Hopping { size_ms: i64, advance_ms: i64 },
    Session { gap_ms: i64 },
}

impl WindowKind {
    /// How long a window is, or the gap that ends a session.
    #[must_use]
    pub fn length_ms(self) -> i64 {
        match self {
            Self::Tumbling { size_ms } | Self::Hopping { size_ms, .. } => size_ms,
            Self::Session { gap_ms } => gap_ms,
        }
    }
}

/// When results leave a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emit {
    Changes,
    Final,
}

//! Expressions.

use crate::{Span, SqlType, Value};

/// A name: upper-cased unless it was quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ident {
    pub name: String,
    pub span: Span,
}

/// An expression and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    Literal(Value),
    /// A column or a lambda's parameter, with the source's name or alias before it or not.
    Column {
        source: Option<Ident>,
        name: Ident,
    },
    Unary {
        op: UnaryOp,
        operand: Box<Expr>,
    },
    Binary {
        op: BinaryOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    IsNull {
        operand: Box<Expr>,
        negated: bool,
    },
    IsDistinct {
        left: Box<Expr>,
        right: Box<Expr>,
        negated: bool,
    },
    Between {
        operand: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
        negated: bool,
    },
    In {
        operand: Box<Expr>,
        list: Vec<Expr>,
        negated: bool,
    },
    Like {
        operand: Box<Expr>,
        pattern: Box<Expr>,
        escape: Option<char>,
        negated: bool,
    },
    Case {
        operand: Option<Box<Expr>>,
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Cast {
        operand: Box<Expr>,
        ty: SqlType,
    },
    /// `struct->field`.
    Field {
        operand: Box<Expr>,
        name: Ident,
    },
    /// `array[1]` or `map['key']`.
    Index {
        operand: Box<Expr>,
        index: Box<Expr>,
    },
    /// `NAME(…)`; `COUNT(*)` has no arguments and `star`.
    Call {
        name: Ident,
        args: Vec<Expr>,
        star: bool,
        distinct: bool,
    },
    /// `x => …` or `(x, y) => …`.
    Lambda {
        params: Vec<Ident>,
        body: Box<Expr>,
    },
    /// `ARRAY[…]`.
    Array(Vec<Expr>),
    /// `MAP(key := value, …)`.
    Map(Vec<(Expr, Expr)>),
    /// `STRUCT(name := value, …)`.
    Struct(Vec<(Ident, Expr)>),
}

/// Operators with one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOp {
    Not,
    Minus,
    Plus,
}

/// Operators with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOp {
    Or,
    And,
    Eq,
    NotEq,
    Lt,
    LtEq,
    Gt,
    GtEq,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Concat,
}

impl BinaryOp {
    /// How the operator is written.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Or => "OR",
            Self::And => "AND",
            Self::Eq => "=",
            Self::NotEq => "<>",
            Self::Lt => "<",
            Self::LtEq => "<=",
            Self::Gt => ">",
            Self::GtEq => ">=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Concat => "||",
        }
    }

    /// Whether the operator compares.
    #[must_use]
    pub fn is_comparison(self) -> bool {
        matches!(self, Self::Eq | Self::NotEq | Self::Lt | Self::LtEq | Self::Gt | Self::GtEq)
    }
}

impl Expr {
    /// Calls `visit` for this expression and all below it, parents first.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        visit(self);
        for child in self.children() {
            child.walk(visit);
        }
    }

    /// The expressions directly below this one.
    #[must_use]
    pub fn children(&self) -> Vec<&Expr> {
        match &self.kind {
            ExprKind::Literal(_) | ExprKind::Column { .. } => Vec::new(),
            ExprKind::Unary { operand, .. }
            | ExprKind::IsNull { operand, .. }
            | ExprKind::Cast { operand, .. }
            | ExprKind::Field { operand, .. } => vec![operand],
            ExprKind::Binary { left, right, .. } | ExprKind::IsDistinct { left, right, .. } => vec![left, right],
            ExprKind::Between { operand, low, high, .. } => vec![operand, low, high],
            ExprKind::In { operand, list, .. } => std::iter::once(&**operand).chain(list).collect(),
            ExprKind::Like { operand, pattern, .. } => vec![operand, pattern],
            ExprKind::Case { operand, branches, otherwise } => {
                let branches = branches.iter().flat_map(|(when, then)| [when, then]);
                operand.as_deref().into_iter().chain(branches).chain(otherwise.as_deref()).collect()
            }
            ExprKind::Index { operand, index } => vec![operand, index],
            ExprKind::Call { args, .. } | ExprKind::Array(args) => args.iter().collect(),
            ExprKind::Lambda { body, .. } => vec![body],
            ExprKind::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
            ExprKind::Struct(fields) => fields.iter().map(|(_, value)| value).collect(),
        }
    }
}

//! Expressions and queries as text: fully bracketed, so that the text parses back to the same tree.

use std::fmt::{self, Display, Formatter};

use super::{Emit, Expr, ExprKind, Ident, Join, JoinKind, Query, Relation, SelectItem, UnaryOp, Window, WindowKind};
use crate::keyword::is_reserved;

/// The name as it must be written to mean itself.
#[must_use]
pub fn quote_if_needed(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        && !is_reserved(name);
    if plain { name.to_owned() } else { format!("`{}`", name.replace('`', "``")) }
}

impl Display for Ident {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&quote_if_needed(&self.name))
    }
}

struct List<'a, T>(&'a [T]);

impl<T: Display> Display for List<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, item) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{item}")?;
        }
        Ok(())
    }
}

/// An expression with an operator beside it: what would take in more than itself stands in brackets.
struct Operand<'a>(&'a Expr);

impl Display for Operand<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.kind {
            ExprKind::Lambda { .. } => write!(f, "({})", self.0),
            _ => write!(f, "{}", self.0),
        }
    }
}

/// An expression before `->` or `[`, or behind a sign, which bind more tightly than a sign before it; and
/// `--` would start a comment.
struct Primary<'a>(&'a Expr);

impl Display for Primary<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let has_sign = match &self.0.kind {
            ExprKind::Unary { op, .. } => *op != UnaryOp::Not,
            ExprKind::Literal(value) => value.to_literal().starts_with('-'),
            _ => false,
        };
        if has_sign { write!(f, "({})", self.0) } else { write!(f, "{}", Operand(self.0)) }
    }
}

fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Literal(value) => f.write_str(&value.to_literal()),
            ExprKind::Column { source: Some(source), name } => write!(f, "{source}.{name}"),
            ExprKind::Column { source: None, name } => write!(f, "{name}"),
            ExprKind::Unary { op, operand } => match op {
                UnaryOp::Not => write!(f, "(NOT {})", Operand(operand)),
                UnaryOp::Minus => write!(f, "-{}", Primary(operand)),
                UnaryOp::Plus => write!(f, "+{}", Primary(operand)),
            },
            ExprKind::Binary { op, left, right } => {
                write!(f, "({} {} {})", Operand(left), op.symbol(), Operand(right))
            }
            ExprKind::IsNull { operand, negated } => {
                write!(f, "({} IS {}NULL)", Operand(operand), not(*negated))
            }
            ExprKind::IsDistinct { left, right, negated } => {
                write!(f, "({} IS {}DISTINCT FROM {})", Operand(left), not(*negated), Operand(right))
            }
            ExprKind::Between { operand, low, high, negated } => {
                let (operand, low, high) = (Operand(operand), Operand(low), Operand(high));
                write!(f, "({operand} {}BETWEEN {low} AND {high})", not(*negated))
            }
            ExprKind::In { operand, list, negated } => {
                write!(f, "({} {}IN ({}))", Operand(operand), not(*negated), List(list))
            }
            ExprKind::Like { operand, pattern, escape, negated } => {
                write!(f, "({} {}LIKE {}", Operand(operand), not(*negated), Operand(pattern))?;
                if let Some(escape) = escape {
                    write!(f, " ESCAPE '{}'", if *escape == '\'' { "''".to_owned() } else { escape.to_string() })?;
                }
                f.write_str(")")
            }
            ExprKind::Case { operand, branches, otherwise } => {
                f.write_str("(CASE")?;
                if let Some(operand) = operand {
                    write!(f, " {operand}")?;
                }
                for (when, then) in branches {
                    write!(f, " WHEN {when} THEN {then}")?;
                }
                if let Some(otherwise) = otherwise {
                    write!(f, " ELSE {otherwise}")?;
                }
                f.write_str(" END)")
            }
            ExprKind::Cast { operand, ty } => write!(f, "CAST({operand} AS {ty})"),
            ExprKind::Field { operand, name } => write!(f, "{}->{name}", Primary(operand)),
            ExprKind::Index { operand, index } => write!(f, "{}[{index}]", Primary(operand)),
            ExprKind::Call { name, star: true, .. } => write!(f, "{}(*)", name.name),
            ExprKind::Call { name, args, distinct, .. } => {
                write!(f, "{}({}{})", name.name, if *distinct { "DISTINCT " } else { "" }, List(args))
            }
            ExprKind::Lambda { params, body } => write!(f, "({}) => {body}", List(params)),
            ExprKind::Array(items) => write!(f, "ARRAY[{}]", List(items)),
            ExprKind::Map(entries) => write_entries(f, "MAP", entries),
            ExprKind::Struct(fields) => write_entries(f, "STRUCT", fields),
        }
    }
}

fn write_entries<K: Display, V: Display>(f: &mut Formatter<'_>, name: &str, entries: &[(K, V)]) -> fmt::Result {
    write!(f, "{name}(")?;
    for (index, (key, value)) in entries.iter().enumerate() {
        write!(f, "{}{key} := {value}", if index == 0 { "" } else { ", " })?;
    }
    f.write_str(")")
}

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "SELECT {} FROM {}", List(&self.select), self.from)?;
        for join in &self.joins {
            write!(f, " {join}")?;
        }
        if let Some(window) = &self.window {
            write!(f, " {window}")?;
        }
        if let Some(filter) = &self.filter {
            write!(f, " WHERE {filter}")?;
        }
        if !self.group_by.is_empty() {
            write!(f, " GROUP BY {}", List(&self.group_by))?;
        }
        if !self.partition_by.is_empty() {
            write!(f, " PARTITION BY {}", List(&self.partition_by))?;
        }
        if let Some(having) = &self.having {
            write!(f, " HAVING {having}")?;
        }
        match self.emit {
            Some(Emit::Changes) => f.write_str(" EMIT CHANGES")?,
            Some(Emit::Final) => f.write_str(" EMIT FINAL")?,
            None => {}
        }
        if let Some(limit) = self.limit {
            write!(f, " LIMIT {limit}")?;
        }
        Ok(())
    }
}

impl Display for SelectItem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Star { source: Some(source), .. } => write!(f, "{source}.*"),
            Self::Star { source: None, .. } => f.write_str("*"),
            Self::StructStar(expr) => write!(f, "{expr}->*"),
            Self::Expr { expr, alias: Some(alias) } => write!(f, "{expr} AS {alias}"),
            Self::Expr { expr, alias: None } => write!(f, "{expr}"),
        }
    }
}

impl Display for Relation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.alias {
            Some(alias) => write!(f, "{} AS {alias}", self.name),
            None => write!(f, "{}", self.name),
        }
    }
}

impl Display for Join {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            JoinKind::Inner => "INNER",
            JoinKind::Left => "LEFT",
            JoinKind::Right => "RIGHT",
            JoinKind::Full => "FULL",
        };
        write!(f, "{kind} JOIN {}", self.relation)?;
        if let Some(within) = &self.within {
            write!(f, " WITHIN ({} MILLISECONDS, {} MILLISECONDS)", within.before_ms, within.after_ms)?;
            if let Some(grace) = within.grace_ms {
                write!(f, " GRACE PERIOD {grace} MILLISECONDS")?;
            }
        }
        write!(f, " ON {}", self.on)
    }
}

impl Display for Window {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.kind {
            WindowKind::Tumbling { size_ms } => write!(f, "WINDOW TUMBLING (SIZE {size_ms} MILLISECONDS")?,
            WindowKind::Hopping { size_ms, advance_ms } => {
                write!(f, "WINDOW HOPPING (SIZE {size_ms} MILLISECONDS, ADVANCE BY {advance_ms} MILLISECONDS")?;
            }
            WindowKind::Session { gap_ms } => write!(f, "WINDOW SESSION ({gap_ms} MILLISECONDS")?,
        }
        if let Some(retention) = self.retention_ms {
            write!(f, ", RETENTION {retention} MILLISECONDS")?;
        }
        if let Some(grace) = self.grace_ms {
            write!(f, ", GRACE PERIOD {grace} MILLISECONDS")?;
        }
        f.write_str(")")
    }
}

//! What a function's documentation consists of.

use std::fmt::{self, Display, Formatter};

use crate::Overload;

/// An expression and what it gives; tests compute it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// The columns that the expression uses, as in `CREATE STREAM`: `x INT, y STRING`. Scalar functions
    /// have none.
    pub columns: &'static str,
    /// The rows before it, each the JSON of its values: `1, "a"`.
    pub rows: &'static [&'static str],
    /// The expression.
    pub expression: &'static str,
    /// What it gives, as the shell shows it; a table function's rows stand one below the other.
    pub result: &'static str,
}

impl Display for Example {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.expression, self.result)?;
        if self.columns.is_empty() { Ok(()) } else { write!(f, " of ({}): {}", self.columns, self.rows.join("; ")) }
    }
}

/// What kind of function it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One value from the values of one row.
    Scalar,
    /// One value from the rows of a group.
    Aggregate,
    /// Any number of rows from the values of one.
    Table,
}

impl Display for Kind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scalar => "scalar",
            Self::Aggregate => "aggregate",
            Self::Table => "table",
        })
    }
}

/// A function as its users see it.
#[derive(Debug, Clone, Copy)]
pub struct Documentation<'a> {
    /// Its name in upper case.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// What it is about, as a headline.
    pub category: &'static str,
    /// What it does, in a sentence or two.
    pub description: &'static str,
    /// Its signatures.
    pub overloads: &'a [Overload],
    /// Expressions and what they give; at least one.
    pub examples: &'a [Example],
}

impl Documentation<'_> {
    /// Its signatures, each as it is called.
    #[must_use]
    pub fn signatures(&self) -> Vec<String> {
        self.overloads.iter().map(|overload| overload.describe(self.name)).collect()
    }
}

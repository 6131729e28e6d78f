//! The SQL dialect of Millstream, as text and as statements.
//!
//! It is: a lexer that never fails, a parser whose every node knows its place in the source, a
//! printer, diagnostics as data, and what a shell needs to know where a statement ends. It is not: a
//! planner; it knows no stream, no table and no function, does no I/O and never panics.
//!
//! ```
//! use millstream_sql::{Statement, parse_statement};
//!
//! let statement = parse_statement("SELECT id, v * 2 AS twice FROM s WHERE v > 3 EMIT CHANGES").unwrap();
//! let Statement::Query(query) = statement else { panic!() };
//! assert_eq!(query.to_string(), "SELECT ID, (V * 2) AS TWICE FROM S WHERE (V > 3) EMIT CHANGES");
//! ```

pub mod ast;
mod complete;
mod diagnostic;
mod explained;
mod keyword;
mod lexer;
mod parser;
mod span;
mod split;
mod suggest;
mod types;
mod value;
mod variables;

pub use ast::{Expr, ExprKind, Ident, Query, Statement};
pub use complete::{Completion, CompletionKind, Names, complete};
pub use diagnostic::{Diagnostic, Label};
pub use explained::{EXAMPLE_SOURCES, Example, Explained, explanations};
pub use keyword::{KEYWORDS, is_keyword};
pub use lexer::{Token, TokenKind, tokenize};
pub use parser::{parse_expression, parse_statement, parse_type};
pub use span::Span;
pub use split::{Piece, split_statements};
pub use suggest::closest;
pub use types::{Field, SqlType};
pub use value::Value;
pub use variables::substitute;

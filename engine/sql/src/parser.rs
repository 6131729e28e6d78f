//! Tokens to statements.

mod absent;
mod assert;
mod cursor;
mod expression;
mod query;
mod statement;
mod types;

use cursor::Cursor;

use crate::{Diagnostic, Expr, SqlType, Statement};

type Result<T, E = Box<Diagnostic>> = std::result::Result<T, E>;

/// Parses one statement, with or without a semicolon at its end.
///
/// # Errors
/// A diagnostic at the first token that does not fit.
pub fn parse_statement(source: &str) -> Result<Statement, Diagnostic> {
    let mut cursor = Cursor::new(source);
    statement::statement(&mut cursor).and_then(|statement| cursor.finish(statement)).map_err(|error| *error)
}

/// Parses an expression.
///
/// # Errors
/// A diagnostic at the first token that does not fit.
pub fn parse_expression(source: &str) -> Result<Expr, Diagnostic> {
    let mut cursor = Cursor::new(source);
    expression::expression(&mut cursor).and_then(|expr| cursor.finish(expr)).map_err(|error| *error)
}

/// Parses a type.
///
/// # Errors
/// A diagnostic at the first token that does not fit.
pub fn parse_type(source: &str) -> Result<SqlType, Diagnostic> {
    let mut cursor = Cursor::new(source);
    types::sql_type(&mut cursor).and_then(|ty| cursor.finish(ty)).map_err(|error| *error)
}

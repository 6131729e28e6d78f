//! Expressions outside a query of the dialect: without columns, or over columns whose types are told.

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use datafusion::common::Column;
use datafusion::logical_expr::Expr;
use datafusion::prelude::lit;
use millstream_sql::ast::Ident;
use millstream_sql::{Diagnostic, Expr as Ast};

use super::{CONVERT, Names, Resolver, cast_to, common_type, time_literal, wrong};
use crate::coercion::restructured;
use crate::types::type_name;
use crate::{Catalog, Result};

/// A column as an expression names it: with its source or not.
pub type ColumnName = (Option<String>, String);

struct Bound<'a> {
    names: &'a [ColumnName],
    schema: SchemaRef,
}

impl Names for Bound<'_> {
    fn column(&self, source: Option<&Ident>, name: &Ident) -> Result<Expr> {
        let is_it = |(of, column): &&ColumnName| of.as_ref() == source.map(|of| &of.name) && *column == name.name;
        match self.names.iter().position(|column| is_it(&column)) {
            Some(place) => Ok(Expr::Column(Column::new_unqualified(place.to_string()))),
            None => {
                let diagnostic = Diagnostic::new("E0243", format!("\"{}\" is no constant", name.name));
                Err(Box::new(diagnostic.at(name.span, "").help("write texts in single quotes: 'text'")))
            }
        }
    }

    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }
}

/// An expression over columns of these names and types, and the schema that it is of: the columns in their order.
///
/// # Errors
/// A diagnostic if it is none.
pub fn bound(ast: &Ast, columns: &[ColumnName], types: &[DataType], catalog: &Catalog) -> Result<(Expr, SchemaRef)> {
    let fields = types.iter().enumerate().map(|(place, ty)| Field::new(place.to_string(), ty.clone(), true));
    let schema = SchemaRef::new(Schema::new(fields.collect::<Vec<_>>()));
    let names = Bound { names: columns, schema: SchemaRef::clone(&schema) };
    Ok((Resolver { names: &names, catalog }.resolve(ast)?, schema))
}

/// An expression without columns, cast to a type.
///
/// # Errors
/// A diagnostic if it has columns or cannot be of this type.
pub fn constant(ast: &Ast, target: &DataType, catalog: &Catalog) -> Result<Expr> {
    let names = Bound { names: &[], schema: SchemaRef::new(Schema::empty()) };
    let resolver = Resolver { names: &names, catalog };
    let (expr, from) = resolver.typed(ast)?;
    if let Some(ms) = time_literal(ast).filter(|_| matches!(target, DataType::Timestamp(..))) {
        return Ok(cast_to(lit(ms), &DataType::Int64, target));
    }
    let widens = common_type(&from, target).is_some_and(|common| common == *target)
        || (from.is_numeric() && matches!(target, DataType::Decimal128(..) | DataType::Float64))
        || (from == DataType::Utf8
            && matches!(target, DataType::Date32 | DataType::Time32(_) | DataType::Timestamp(..) | DataType::Binary))
        || (from.is_nested() && arrow::compute::can_cast_types(&from, target));
    if widens {
        return Ok(match (&from, target) {
            (DataType::Struct(own), DataType::Struct(fields)) if is_part(own, fields) => {
                restructured(expr, &from, fields)
            }
            _ => cast_to(expr, &from, target),
        });
    }
    let message = format!("expected {}, found {}", type_name(target), type_name(&from));
    Err(Box::new(wrong(message, ast.span, "of another type").help(CONVERT)))
}

/// Whether all fields of a struct are among these: the others are null.
fn is_part(own: &Fields, fields: &Fields) -> bool {
    own.iter().all(|field| fields.iter().any(|other| other.name() == field.name()))
}

//! Types.

use std::collections::BTreeSet;

use super::{Cursor, Result};
use crate::{Diagnostic, Field, Ident, SqlType};

const DECIMAL_PRECISION_MAX: i64 = 38;

pub(super) fn sql_type(cursor: &mut Cursor<'_>) -> Result<SqlType> {
    cursor.nested(parse)
}

fn parse(cursor: &mut Cursor<'_>) -> Result<SqlType> {
    let name = cursor.ident("a type")?;
    Ok(match name.name.as_str() {
        "BOOLEAN" => SqlType::Boolean,
        "INT" | "INTEGER" => SqlType::Int,
        "BIGINT" => SqlType::BigInt,
        "DOUBLE" => SqlType::Double,
        "DECIMAL" | "DEC" => decimal(cursor)?,
        "STRING" => SqlType::String,
        "VARCHAR" => {
            // A length may be given for the sake of other dialects.
            if cursor.accept("(") {
                if !cursor.accept("STRING") {
                    cursor.integer("a length")?;
                }
                cursor.expect(")")?;
            }
            SqlType::String
        }
        "BYTES" => SqlType::Bytes,
        "DATE" => SqlType::Date,
        "TIME" => SqlType::Time,
        "TIMESTAMP" => SqlType::Timestamp,
        "ARRAY" if cursor.accept("<") => {
            let item = sql_type(cursor)?;
            close(cursor)?;
            SqlType::Array(Box::new(item))
        }
        "MAP" if cursor.accept("<") => {
            let key = sql_type(cursor)?;
            cursor.expect(",")?;
            let value = sql_type(cursor)?;
            close(cursor)?;
            SqlType::Map(Box::new(key), Box::new(value))
        }
        "STRUCT" if cursor.accept("<>") => SqlType::Struct(Vec::new()),
        "STRUCT" if cursor.accept("<") => {
            let fields = cursor.list(|cursor| Ok((cursor.ident("a field's name")?, sql_type(cursor)?)))?;
            close(cursor)?;
            distinct_names(fields.iter().map(|(name, _)| name))?;
            SqlType::Struct(fields.into_iter().map(|(name, ty)| Field { name: name.name, ty }).collect())
        }
        _ => SqlType::Named(name.name),
    })
}

/// Refuses a struct two of whose fields have one name.
pub(super) fn distinct_names<'a>(names: impl Iterator<Item = &'a Ident>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(&name.name) {
            let message = format!("the struct has two fields named \"{}\"", name.name);
            let diagnostic = Diagnostic::new("E0111", message).at(name.span, "again");
            return Err(Box::new(diagnostic.help("give it another name")));
        }
    }
    Ok(())
}

fn close(cursor: &mut Cursor<'_>) -> Result<()> {
    cursor.expect(">")
}

fn decimal(cursor: &mut Cursor<'_>) -> Result<SqlType> {
    let start = cursor.here();
    cursor.expect("(")?;
    let precision = cursor.integer("a precision")?;
    let scale = if cursor.accept(",") { cursor.integer("a scale")? } else { 0 };
    cursor.expect(")")?;
    if !(1..=DECIMAL_PRECISION_MAX).contains(&precision) || scale > precision {
        let message = format!("DECIMAL({precision}, {scale}) does not exist");
        let help = format!("the precision is 1 to {DECIMAL_PRECISION_MAX}, the scale 0 to the precision");
        return Err(Box::new(Diagnostic::new("E0106", message).at(cursor.since(start), "").help(help)));
    }
    Ok(SqlType::Decimal(precision as u8, scale as u8))
}

#[cfg(test)]
mod tests {
    use crate::{parse_expression, parse_type};

    #[test]
    fn fields_of_a_struct_have_names_of_their_own() {
        for error in
            [parse_type("STRUCT<a INT, A INT>").unwrap_err(), parse_expression("STRUCT(a := 1, a := 2)").unwrap_err()]
        {
            assert_eq!((error.code, &*error.message), ("E0111", "the struct has two fields named \"A\""));
        }
        assert!(parse_type("STRUCT<a INT, `a` INT>").is_ok());
    }
}

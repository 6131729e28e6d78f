//! SQL types and the Arrow types that hold their values.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use millstream_sql::{Field as SqlField, SqlType};

/// The Arrow type of a SQL type.
#[must_use]
pub fn arrow_type(ty: &SqlType) -> DataType {
    match ty {
        SqlType::Boolean => DataType::Boolean,
        SqlType::Int => DataType::Int32,
        SqlType::BigInt => DataType::Int64,
        SqlType::Double => DataType::Float64,
        SqlType::Decimal(precision, scale) => DataType::Decimal128(*precision, *scale as i8),
        SqlType::String | SqlType::Named(_) => DataType::Utf8,
        SqlType::Bytes => DataType::Binary,
        SqlType::Date => DataType::Date32,
        SqlType::Time => DataType::Time32(TimeUnit::Millisecond),
        SqlType::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, None),
        SqlType::Array(item) => DataType::List(Arc::new(Field::new("item", arrow_type(item), true))),
        SqlType::Map(key, value) => {
            let entries = vec![Field::new("key", arrow_type(key), false), Field::new("value", arrow_type(value), true)];
            DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries.into()), false)), false)
        }
        SqlType::Struct(fields) => {
            let field = |field: &SqlField| Field::new(&field.name, arrow_type(&field.ty), true);
            DataType::Struct(fields.iter().map(field).collect())
        }
    }
}

/// The SQL type of an Arrow type; `None` if no value of the dialect has it.
#[must_use]
pub fn sql_type(ty: &DataType) -> Option<SqlType> {
    Some(match ty {
        DataType::Boolean => SqlType::Boolean,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => SqlType::Int,
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => SqlType::BigInt,
        DataType::Float32 | DataType::Float64 => SqlType::Double,
        DataType::Decimal128(precision, scale) => SqlType::Decimal(*precision, (*scale).max(0) as u8),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => SqlType::String,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => SqlType::Bytes,
        DataType::Date32 => SqlType::Date,
        DataType::Time32(_) => SqlType::Time,
        DataType::Timestamp(..) => SqlType::Timestamp,
        DataType::List(item) => SqlType::Array(Box::new(sql_type(item.data_type())?)),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => match fields.as_ref() {
                [key, value] => {
                    SqlType::Map(Box::new(sql_type(key.data_type())?), Box::new(sql_type(value.data_type())?))
                }
                _ => return None,
            },
            _ => return None,
        },
        DataType::Struct(fields) => {
            let field =
                |field: &Arc<Field>| Some(SqlField { name: field.name().clone(), ty: sql_type(field.data_type())? });
            SqlType::Struct(fields.iter().map(field).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

/// The type as a message names it.
pub(crate) fn type_name(ty: &DataType) -> String {
    if *ty == DataType::Null {
        return "NULL".to_owned();
    }
    sql_type(ty).map_or_else(|| ty.to_string(), |ty| ty.to_string())
}

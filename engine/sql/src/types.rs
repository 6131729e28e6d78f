//! The types of SQL values.

use std::fmt;

use crate::ast::quote_if_needed;

/// A column's type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SqlType {
    /// True or false.
    Boolean,
    /// 32-bit integer.
    Int,
    /// 64-bit integer.
    BigInt,
    /// 64-bit floating point.
    Double,
    /// Exact number: precision (1 to 38) and scale.
    Decimal(u8, u8),
    /// UTF-8 text.
    String,
    /// Bytes.
    Bytes,
    /// Days.
    Date,
    /// Milliseconds of a day.
    Time,
    /// Milliseconds since 1970 in UTC.
    Timestamp,
    /// A list of values of one type.
    Array(Box<SqlType>),
    /// Values by key.
    Map(Box<SqlType>, Box<SqlType>),
    /// Named values.
    Struct(Vec<Field>),
    /// A type made by `CREATE TYPE`, before it is looked up.
    Named(String),
}

/// A field of a struct.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: SqlType,
}

impl SqlType {
    /// Whether values of the type can be calculated with.
    #[must_use]
    pub fn is_numeric(&self) -> bool {
        matches!(self, Self::Int | Self::BigInt | Self::Double | Self::Decimal(..))
    }
}

impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("BOOLEAN"),
            Self::Int => f.write_str("INTEGER"),
            Self::BigInt => f.write_str("BIGINT"),
            Self::Double => f.write_str("DOUBLE"),
            Self::Decimal(precision, scale) => write!(f, "DECIMAL({precision}, {scale})"),
            Self::String => f.write_str("STRING"),
            Self::Bytes => f.write_str("BYTES"),
            Self::Date => f.write_str("DATE"),
            Self::Time => f.write_str("TIME"),
            Self::Timestamp => f.write_str("TIMESTAMP"),
            Self::Array(item) => write!(f, "ARRAY<{item}>"),
            Self::Map(key, value) => write!(f, "MAP<{key}, {value}>"),
            Self::Struct(fields) => {
                f.write_str("STRUCT<")?;
                for (index, field) in fields.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{} {}", quote_if_needed(&field.name), field.ty)?;
                }
                f.write_str(">")
            }
            Self::Named(name) => f.write_str(&quote_if_needed(name)),
        }
    }
}

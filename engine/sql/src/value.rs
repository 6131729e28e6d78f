//! A single SQL value, for literals, inserted rows and results.

use std::fmt::{self, Write};

/// A value of any [`crate::SqlType`].
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// A boolean.
    Boolean(bool),
    /// An `INT` or `BIGINT`.
    Integer(i64),
    /// A `DOUBLE`.
    Double(f64),
    /// A `DECIMAL`: the number without its point, and the number of digits behind the point.
    Decimal(i128, u8),
    /// A `STRING`.
    String(String),
    /// `BYTES`.
    Bytes(Vec<u8>),
    /// A `DATE`: days since 1970-01-01.
    Date(i32),
    /// A `TIME`: milliseconds since midnight.
    Time(i32),
    /// A `TIMESTAMP`: milliseconds since 1970 in UTC.
    Timestamp(i64),
    /// An `ARRAY`.
    Array(Vec<Value>),
    /// A `MAP`; keys are strings.
    Map(Vec<(String, Value)>),
    /// A `STRUCT`.
    Struct(Vec<(String, Value)>),
}

impl Value {
    /// Whether the value is right-aligned in a table.
    #[must_use]
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Integer(_) | Self::Double(_) | Self::Decimal(..))
    }

    /// Appends the value as JSON: decimals as numbers, bytes in base64, dates and times in ISO 8601.
    pub fn write_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Boolean(_) | Self::Integer(_) | Self::Decimal(..) => _ = write!(out, "{self}"),
            Self::Double(value) if value.is_finite() => _ = write!(out, "{self}"),
            Self::Double(_) | Self::Bytes(_) | Self::Date(_) | Self::Time(_) | Self::Timestamp(_) => {
                write_json_string(&self.to_string(), out);
            }
            Self::String(text) => write_json_string(text, out),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write_json(out);
                }
                out.push(']');
            }
            Self::Map(entries) | Self::Struct(entries) => {
                out.push('{');
                for (index, (name, value)) in entries.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_json_string(name, out);
                    out.push(':');
                    value.write_json(out);
                }
                out.push('}');
            }
        }
    }

    /// The value as a literal of the dialect.
    #[must_use]
    pub fn to_literal(&self) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Boolean(value) => if *value { "TRUE" } else { "FALSE" }.to_owned(),
            Self::Double(value) => format!("{value:E}"),
            // Without its point it would be an integer.
            Self::Decimal(value, 0) if i64::try_from(*value).is_ok() => format!("{value}."),
            Self::Integer(_) | Self::Decimal(..) => self.to_string(),
            other => format!("'{}'", other.to_string().replace('\'', "''")),
        }
    }
}

/// Appends a JSON string.
pub(crate) fn write_json_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => _ = write!(out, "\\u{:04x}", c as u32),
            c => out.push(c),
        }
    }
    out.push('"');
}

impl fmt::Display for Value {
    /// The value as a person reads it; in an array or struct, as JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Double(value) => write_double(*value, f),
            Self::Decimal(unscaled, scale) => write_decimal(*unscaled, *scale, f),
            Self::String(text) => f.write_str(text),
            Self::Bytes(bytes) => f.write_str(&base64(bytes)),
            Self::Date(days) => {
                let (year, month, day) = civil(i64::from(*days));
                write!(f, "{year:04}-{month:02}-{day:02}")
            }
            Self::Time(ms) => write_time(i64::from(*ms), f),
            Self::Timestamp(ms) => {
                let (year, month, day) = civil(ms.div_euclid(86_400_000));
                write!(f, "{year:04}-{month:02}-{day:02}T")?;
                write_time(ms.rem_euclid(86_400_000), f)
            }
            Self::Array(_) | Self::Map(_) | Self::Struct(_) => {
                let mut json = String::new();
                self.write_json(&mut json);
                f.write_str(&json)
            }
        }
    }
}

/// As Java prints doubles: always with a point, with an exponent when small or large.
fn write_double(value: f64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let magnitude = value.abs();
    if value.is_nan() {
        f.write_str("NaN")
    } else if value.is_infinite() {
        f.write_str(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else if magnitude != 0.0 && !(1e-3..1e7).contains(&magnitude) {
        let text = format!("{value:E}");
        let (mantissa, exponent) = text.split_once('E').unwrap_or((&text, "0"));
        let point = if mantissa.contains('.') { "" } else { ".0" };
        write!(f, "{mantissa}{point}E{exponent}")
    } else {
        write!(f, "{value:?}")
    }
}

fn write_decimal(unscaled: i128, scale: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = usize::from(scale) + 1);
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
    let sign = if unscaled < 0 { "-" } else { "" };
    let point = if scale == 0 { "" } else { "." };
    write!(f, "{sign}{whole}{point}{fraction}")
}

fn write_time(ms: i64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (seconds, fraction) = (ms / 1000, ms % 1000);
    write!(f, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
    if fraction == 0 { Ok(()) } else { write!(f, ".{fraction:03}") }
}

/// The year, month and day of a day since 1970-01-01 (proleptic Gregorian calendar; Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32| DIGITS.get(bits as usize & 63).copied().map_or('=', char::from);
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let at = |index: usize| chunk.get(index).copied().map_or(0, u32::from);
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        out.push(digit(bits >> 18));
        out.push(digit(bits >> 12));
        out.push(if chunk.len() > 1 { digit(bits >> 6) } else { '=' });
        out.push(if chunk.len() > 2 { digit(bits) } else { '=' });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_well() {
        for (value, text) in [
            (Value::Double(1.0), "1.0"),
            (Value::Double(1e10), "1.0E10"),
            (Value::Double(1.5e-7), "1.5E-7"),
            (Value::Decimal(-5, 2), "-0.05"),
            (Value::Decimal(12_300, 2), "123.00"),
            (Value::Date(15_706), "2013-01-01"),
            (Value::Date(-1), "1969-12-31"),
            (Value::Timestamp(1_357_034_400_001), "2013-01-01T10:00:00.001"),
            (Value::Bytes(b"hello".to_vec()), "aGVsbG8="),
        ] {
            assert_eq!(value.to_string(), text);
        }
    }

    #[test]
    fn json_is_escaped() {
        let value = Value::Struct(vec![("a\"b".to_owned(), Value::Array(vec![Value::String("\u{1}".to_owned())]))]);
        assert_eq!(value.to_string(), r#"{"a\"b":["\u0001"]}"#);
    }
}

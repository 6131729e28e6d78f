//! Values of any type as text and as JSON.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Time32MillisecondType, TimeUnit, TimestampMillisecondType,
};
use base64::Engine;
use serde_json::Value;

use crate::Pattern;

/// A value as text, as Java writes it; `None` for null.
pub(super) fn text_of(array: &ArrayRef, row: usize) -> Option<String> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Null => return None,
        DataType::Float64 => double(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::Binary => base64::engine::general_purpose::STANDARD.encode(array.as_binary::<i32>().value(row)),
        DataType::List(_) | DataType::Map(..) | DataType::Struct(_) => json_of(array, row).to_string(),
        DataType::Date32 | DataType::Time32(_) | DataType::Timestamp(..) => time(array, row),
        _ => arrow::util::display::array_value_to_string(array, row).unwrap_or_default(),
    })
}

/// A value as Java's own collections print it, and a struct as Kafka Connect does.
pub(super) fn java_text(array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return "null".to_owned();
    }
    match array.data_type() {
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            let items: Vec<String> = (0..items.len()).map(|row| java_text(&items, row)).collect();
            format!("[{}]", items.join(", "))
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let [keys, values] = entries.columns() else { return String::new() };
            let entry = |row| format!("{}={}", java_text(keys, row), java_text(values, row));
            let entries: Vec<String> = (0..keys.len()).map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
        DataType::Struct(fields) => {
            let columns = fields.iter().zip(array.as_struct().columns()).filter(|(_, column)| column.is_valid(row));
            let fields: Vec<String> =
                columns.map(|(field, column)| format!("{}={}", field.name(), java_text(column, row))).collect();
            format!("Struct{{{}}}", fields.join(","))
        }
        _ => text_of(array, row).unwrap_or_default(),
    }
}

/// A double as Java prints it: always with a point, with an exponent when small or large.
pub(super) fn double(value: f64) -> String {
    let magnitude = value.abs();
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if value.is_nan() || magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        return format!("{value:?}");
    }
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0E{exponent}"),
        _ => text,
    }
}

fn time(array: &ArrayRef, row: usize) -> String {
    let (pattern, ms) = match array.data_type() {
        DataType::Date32 => ("yyyy-MM-dd", i64::from(array.as_primitive::<Date32Type>().value(row)) * 86_400_000),
        DataType::Time32(TimeUnit::Millisecond) => {
            let ms = i64::from(array.as_primitive::<Time32MillisecondType>().value(row));
            (if ms % 1000 == 0 { "HH:mm:ss" } else { "HH:mm:ss.SSS" }, ms)
        }
        _ => ("yyyy-MM-dd'T'HH:mm:ss.SSS", array.as_primitive::<TimestampMillisecondType>().value(row)),
    };
    Pattern::new(pattern).map(|pattern| pattern.format(ms)).unwrap_or_default()
}

/// A value as JSON.
pub(super) fn json_of(array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Int32 | DataType::Int64 => {
            let text = arrow::util::display::array_value_to_string(array, row).unwrap_or_default();
            text.parse::<i64>().map_or(Value::Null, Value::from)
        }
        DataType::Float64 => Value::from(array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(_, scale) => decimal(array.as_primitive::<Decimal128Type>().value(row), *scale),
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            Value::Array((0..items.len()).map(|row| json_of(&items, row)).collect())
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let entry =
                |row| Some((text_of(entries.columns().first()?, row)?, json_of(entries.columns().get(1)?, row)));
            Value::Object((0..entries.len()).filter_map(entry).collect())
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            let field =
                |(field, column): (&arrow::datatypes::FieldRef, _)| (field.name().clone(), json_of(column, row));
            Value::Object(fields.iter().zip(columns).map(field).collect())
        }
        _ => text_of(array, row).map_or(Value::Null, Value::String),
    }
}

/// A decimal as a JSON number, as exactly as a document's numbers are kept.
fn decimal(unscaled: i128, scale: i8) -> Value {
    let number = unscaled as f64 / 10f64.powi(i32::from(scale));
    if scale <= 0 {
        i64::try_from(unscaled).map_or_else(|_| Value::from(number), Value::from)
    } else {
        Value::from(number)
    }
}

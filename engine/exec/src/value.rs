//! Single values out of arrays.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use millstream_plan::sql::Value;

/// The value of a row. A type that the dialect does not have is shown as text.
#[must_use]
pub fn value_at(array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => Value::Boolean(array.as_boolean().value(row)),
        DataType::Int8 => Value::Integer(array.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => Value::Integer(array.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => Value::Integer(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Value::Integer(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => Value::Integer(array.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => Value::Integer(array.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => Value::Integer(array.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => Value::Decimal(array.as_primitive::<UInt64Type>().value(row).into(), 0),
        DataType::Float32 => Value::Double(array.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => Value::Double(array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(_, scale) => {
            Value::Decimal(array.as_primitive::<Decimal128Type>().value(row), (*scale).max(0) as u8)
        }
        DataType::Utf8 => Value::String(array.as_string::<i32>().value(row).to_owned()),
        DataType::Utf8View => Value::String(array.as_string_view().value(row).to_owned()),
        DataType::LargeUtf8 => Value::String(array.as_string::<i64>().value(row).to_owned()),
        DataType::Binary => Value::Bytes(array.as_binary::<i32>().value(row).to_vec()),
        DataType::Date32 => Value::Date(array.as_primitive::<Date32Type>().value(row)),
        DataType::Time32(_) => Value::Time(array.as_primitive::<Time32MillisecondType>().value(row)),
        DataType::Timestamp(..) => timestamp(array, row),
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            Value::Array((0..items.len()).map(|item| value_at(&items, item)).collect())
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let entry = |at: usize| (value_at(entries.column(0), at).to_string(), value_at(entries.column(1), at));
            Value::Map((0..entries.len()).map(entry).collect())
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            let fields = fields.iter().zip(columns);
            Value::Struct(fields.map(|(field, column)| (field.name().clone(), value_at(column, row))).collect())
        }
        _ => as_text(array, row),
    }
}

fn timestamp(array: &ArrayRef, row: usize) -> Value {
    let target = DataType::Timestamp(arrow::datatypes::TimeUnit::Millisecond, None);
    match arrow::compute::cast(&array.slice(row, 1), &target) {
        Ok(ms) => Value::Timestamp(ms.as_primitive::<arrow::datatypes::TimestampMillisecondType>().value(0)),
        Err(_) => as_text(array, row),
    }
}

fn as_text(array: &ArrayRef, row: usize) -> Value {
    Value::String(arrow::util::display::array_value_to_string(array, row).unwrap_or_default())
}

//! Rows to documents.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType,
};

use super::super::cannot_write;
use crate::Result;

/// Encodes JSON documents.
#[derive(Debug)]
pub(crate) struct JsonEncoder {
    /// Each column's name and what stands before its value: a brace or comma, the name and a colon.
    columns: Vec<(String, Vec<u8>)>,
    wrapped: bool,
}

impl JsonEncoder {
    pub(crate) fn new(columns: &[(String, DataType)], wrapped: bool) -> Self {
        let lead = |(at, (name, _)): (usize, &(String, DataType))| {
            let mut lead = vec![if at == 0 { b'{' } else { b',' }];
            write_string(name, &mut lead);
            lead.push(b':');
            (name.clone(), lead)
        };
        Self { columns: columns.iter().enumerate().map(lead).collect(), wrapped }
    }

    pub(crate) fn encode(&self, arrays: &[ArrayRef], row: usize, out: &mut Vec<u8>) -> Result<bool> {
        if !self.wrapped {
            let Some((array, (name, _))) = arrays.first().zip(self.columns.first()) else { return Ok(false) };
            if array.is_null(row) {
                return Ok(false);
            }
            write_value(array, row, name, out)?;
            return Ok(true);
        }
        if self.columns.is_empty() {
            out.push(b'{');
        }
        for ((name, lead), array) in self.columns.iter().zip(arrays) {
            out.extend_from_slice(lead);
            write_value(array, row, name, out)?;
        }
        out.push(b'}');
        Ok(true)
    }
}

/// Appends a value of a column.
fn write_value(array: &ArrayRef, row: usize, column: &str, out: &mut Vec<u8>) -> Result<()> {
    if array.is_null(row) {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    let mut digits = itoa::Buffer::new();
    match array.data_type() {
        DataType::Utf8 => write_string(array.as_string::<i32>().value(row), out),
        DataType::Int64 => {
            out.extend_from_slice(digits.format(array.as_primitive::<Int64Type>().value(row)).as_bytes());
        }
        DataType::Int32 => {
            out.extend_from_slice(digits.format(array.as_primitive::<Int32Type>().value(row)).as_bytes());
        }
        DataType::Float64 => write_double(array.as_primitive::<Float64Type>().value(row), out),
        DataType::Boolean => {
            out.extend_from_slice(if array.as_boolean().value(row) { b"true" } else { b"false" });
        }
        DataType::Decimal128(..) => {
            out.extend_from_slice(array.as_primitive::<Decimal128Type>().value_as_string(row).as_bytes());
        }
        DataType::Date32 => {
            out.extend_from_slice(digits.format(array.as_primitive::<Date32Type>().value(row)).as_bytes());
        }
        DataType::Time32(_) => {
            out.extend_from_slice(digits.format(array.as_primitive::<Time32MillisecondType>().value(row)).as_bytes());
        }
        DataType::Timestamp(..) => {
            let value = array.as_primitive::<TimestampMillisecondType>().value(row);
            out.extend_from_slice(digits.format(value).as_bytes());
        }
        DataType::Binary => {
            out.push(b'"');
            base64(array.as_binary::<i32>().value(row), out);
            out.push(b'"');
        }
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            out.push(b'[');
            for item in 0..items.len() {
                if item > 0 {
                    out.push(b',');
                }
                write_value(&items, item, column, out)?;
            }
            out.push(b']');
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            out.push(b'{');
            for entry in 0..entries.len() {
                if entry > 0 {
                    out.push(b',');
                }
                let key = keys.as_string_opt::<i32>().ok_or_else(|| cannot_write(column, "its keys are no strings"))?;
                write_string(key.value(entry), out);
                out.push(b':');
                write_value(values, entry, column, out)?;
            }
            out.push(b'}');
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            out.push(b'{');
            for (at, (field, values)) in fields.iter().zip(columns).enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_string(field.name(), out);
                out.push(b':');
                write_value(values, row, column, out)?;
            }
            out.push(b'}');
        }
        other => return Err(cannot_write(column, format!("JSON has no form for type {other}"))),
    }
    Ok(())
}

/// A double with a point or exponent, so that it reads back as one; what JSON has no number for is a string.
fn write_double(value: f64, out: &mut Vec<u8>) {
    use std::io::Write;
    // Writing to a vector does not fail.
    let _ = if value.is_finite() { write!(out, "{value:?}") } else { write!(out, "\"{value}\"") };
}

/// Appends a JSON string.
fn write_string(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut clean_from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(bytes.get(clean_from..at).unwrap_or_default());
        clean_from = at + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                out.extend_from_slice(b"\\u00");
                let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
                out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(bytes.get(clean_from..).unwrap_or_default());
    out.push(b'"');
}

/// Appends bytes in base64.
pub(crate) fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32| DIGITS.get(bits as usize & 63).copied().unwrap_or(b'=');
    for chunk in bytes.chunks(3) {
        let at = |index: usize| chunk.get(index).copied().map_or(0, u32::from);
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        out.push(digit(bits >> 18));
        out.push(digit(bits >> 12));
        out.push(if chunk.len() > 1 { digit(bits >> 6) } else { b'=' });
        out.push(if chunk.len() > 2 { digit(bits) } else { b'=' });
    }
}

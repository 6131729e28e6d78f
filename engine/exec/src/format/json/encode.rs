//! Rows to documents.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType,
};

use super::super::cannot_write;
use super::block::{Block, is_plain};
use crate::Result;
use crate::append::{Constant, append_part};

/// Encodes JSON documents.
#[derive(Debug)]
pub(crate) struct JsonEncoder {
    /// Each column's name and what stands before its value: a brace or comma, the name and a colon.
    columns: Vec<(String, Constant)>,
    wrapped: bool,
}

impl JsonEncoder {
    pub(crate) fn new(columns: &[(String, DataType)], wrapped: bool) -> Self {
        let lead = |(at, (name, _)): (usize, &(String, DataType))| {
            let mut lead = vec![if at == 0 { b'{' } else { b',' }];
            write_string(name, &mut lead);
            lead.push(b':');
            (name.clone(), Constant::new(lead))
        };
        Self { columns: columns.iter().enumerate().map(lead).collect(), wrapped }
    }

    /// Makes ready to encode rows of these columns.
    pub(crate) fn rows<'a>(&'a self, arrays: &'a [ArrayRef]) -> JsonRows<'a> {
        let columns = self.columns.iter().zip(arrays);
        let columns = columns.map(|((name, lead), array)| (name.as_str(), lead, Values::new(array)));
        JsonRows { columns: columns.collect(), wrapped: self.wrapped }
    }
}

/// Rows of columns that have been looked at once.
pub(crate) struct JsonRows<'a> {
    /// Each column's name, what stands before its value, and its values.
    columns: Vec<(&'a str, &'a Constant, Values<'a>)>,
    wrapped: bool,
}

/// A column's values. The types that most columns have are told apart once a batch and not once a value.
enum Values<'a> {
    Text(&'a StringArray),
    BigInt(&'a Int64Array),
    Any(&'a ArrayRef),
}

impl<'a> Values<'a> {
    fn new(array: &'a ArrayRef) -> Self {
        match (array.as_string_opt::<i32>(), array.as_primitive_opt::<Int64Type>()) {
            (Some(text), _) => Self::Text(text),
            (_, Some(numbers)) => Self::BigInt(numbers),
            _ => Self::Any(array),
        }
    }

    #[inline]
    fn write(&self, row: usize, column: &str, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Text(text) if text.is_valid(row) => write_text(text, row, out),
            Self::BigInt(numbers) if numbers.is_valid(row) => write_integer(numbers.value(row), out),
            Self::Any(array) => return write_value(array, row, column, out),
            _ => out.extend_from_slice(b"null"),
        }
        Ok(())
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Text(text) => text.is_null(row),
            Self::BigInt(numbers) => numbers.is_null(row),
            Self::Any(array) => array.is_null(row),
        }
    }
}

impl JsonRows<'_> {
    /// Appends a row's document; false if the only column is null and stands for itself.
    #[inline]
    pub(crate) fn encode(&self, row: usize, out: &mut Vec<u8>) -> Result<bool> {
        if !self.wrapped {
            let Some((name, _, values)) = self.columns.first().filter(|(.., values)| !values.is_null(row)) else {
                return Ok(false);
            };
            values.write(row, name, out)?;
            return Ok(true);
        }
        if self.columns.is_empty() {
            out.push(b'{');
        }
        for (name, lead, values) in &self.columns {
            lead.append_to(out);
            values.write(row, name, out)?;
        }
        out.push(b'}');
        Ok(true)
    }
}

#[inline]
fn write_integer(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
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
        DataType::Int64 => write_integer(array.as_primitive::<Int64Type>().value(row), out),
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
    let _ = match value {
        f64::INFINITY => out.write_all(b"\"Infinity\""),
        f64::NEG_INFINITY => out.write_all(b"\"-Infinity\""),
        value if value.is_nan() => out.write_all(b"\"NaN\""),
        value => write!(out, "{value:?}"),
    };
}

/// Appends a JSON string of a column.
#[inline]
fn write_text(texts: &StringArray, row: usize, out: &mut Vec<u8>) {
    let (bytes, offsets) = (texts.value_data(), texts.value_offsets());
    let [start, end] = [row, row + 1].map(|at| offsets.get(at).map_or(0, |offset| *offset as usize));
    let is_short_and_plain = |block: Block| {
        let special = block.specials().bits() | 1 << Block::BYTES;
        start + special.trailing_zeros() as usize >= end
    };
    // What lies behind a text may be looked at with it.
    if !Block::at(bytes, start).is_some_and(is_short_and_plain) {
        return write_string(texts.value(row), out);
    }
    out.push(b'"');
    append_part(out, bytes, start, end);
    out.push(b'"');
}

/// Appends a JSON string.
fn write_string(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    if is_plain(bytes) {
        out.reserve(bytes.len() + 2);
        out.push(b'"');
        out.extend_from_slice(bytes);
        out.push(b'"');
        return;
    }
    out.push(b'"');
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// The documents of rows of one column, without an object around them.
    fn encode(array: ArrayRef) -> Vec<Option<String>> {
        let encoder = JsonEncoder::new(&[("TEXT".to_owned(), array.data_type().clone())], false);
        let arrays = [array];
        let rows = encoder.rows(&arrays);
        let encode = |row| {
            // What stands there before is left alone.
            let mut out = b"before".to_vec();
            let has_value = rows.encode(row, &mut out).unwrap();
            let text = String::from_utf8(out.strip_prefix(b"before").unwrap().to_vec()).unwrap();
            assert_eq!(has_value, !text.is_empty());
            has_value.then_some(text)
        };
        (0..arrays[0].len()).map(encode).collect()
    }

    fn expected(texts: &[Option<String>]) -> Vec<Option<String>> {
        texts.iter().map(|text| text.as_ref().map(|text| serde_json::to_string(text).unwrap())).collect()
    }

    /// Texts of all lengths around that of a block, with something else than a letter at each place, between
    /// neighbours that must not be taken for them.
    #[test]
    fn texts_are_written_as_serde_json_writes_them() {
        let mut texts = Vec::new();
        for length in 0..=40 {
            texts.push(Some("x".repeat(length)));
            for other in ["\"", "\\", "\n", "\r", "\t", "\0", "\u{1f}", "\u{7f}", "é", "\u{1F980}"] {
                let neighbour = [Some("\"".repeat(17)), None, Some("\"".to_owned()), Some(String::new())];
                for at in 0..length {
                    texts.push(Some(format!("{}{other}{}", "x".repeat(at), "x".repeat(length - 1 - at))));
                    texts.push(neighbour[at % neighbour.len()].clone());
                }
            }
        }
        let array: ArrayRef = Arc::new(StringArray::from(texts.clone()));
        let expected = expected(&texts);
        assert_eq!(encode(Arc::clone(&array)), expected);
        for (from, count) in [(1, 40), (texts.len() / 2, texts.len() / 4), (texts.len() - 3, 3), (5, 0)] {
            assert_eq!(encode(array.slice(from, count)), expected[from..from + count], "{count} rows from {from} on");
        }
    }

    /// Behind the last text there is nothing to look at with it.
    #[test]
    fn the_last_text_may_end_where_the_buffer_does() {
        for length in 0..=40 {
            for text in ["x".repeat(length), "\"".repeat(length), format!("{}\\", "x".repeat(length))] {
                let whole: ArrayRef = Arc::new(StringArray::from(vec![text.clone()]));
                let with_one_before: ArrayRef = Arc::new(StringArray::from(vec!["\"before\"", text.as_str()]));
                let expected = expected(&[Some(text)]);
                assert_eq!(encode(whole), expected);
                assert_eq!(encode(with_one_before.slice(1, 1)), expected);
            }
        }
    }

    #[test]
    fn a_row_is_an_object_of_its_columns() {
        let columns = [("A".to_owned(), DataType::Utf8), ("a \"b\"".to_owned(), DataType::Int64)];
        let encoder = JsonEncoder::new(&columns, true);
        let texts: ArrayRef =
            Arc::new(StringArray::from(vec![Some("é"), None, Some("a text of more than sixteen bytes")]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![None, Some(i64::MIN), Some(0)]));
        let arrays = [texts, numbers];
        let rows = encoder.rows(&arrays);
        for (row, expected) in [
            r#"{"A":"é","a \"b\"":null}"#,
            r#"{"A":null,"a \"b\"":-9223372036854775808}"#,
            r#"{"A":"a text of more than sixteen bytes","a \"b\"":0}"#,
        ]
        .into_iter()
        .enumerate()
        {
            let mut out = Vec::new();
            assert!(rows.encode(row, &mut out).unwrap());
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}

//! Kafka's own primitives: big-endian numbers, text and bytes as they are.

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};

use super::{Unreadable, cannot_write};
use crate::Result;
use crate::append::{append_short, is_ascii};
use crate::column::ColumnBuilder;

/// Decodes a single primitive.
#[derive(Debug)]
pub(crate) struct KafkaDecoder;

impl KafkaDecoder {
    pub(crate) fn decode(&self, bytes: &[u8], columns: &mut [ColumnBuilder]) -> Result<(), Unreadable> {
        let wrong = |ty: &str, expected: usize| format!("{ty} takes {expected} bytes, found {}", bytes.len());
        for column in columns {
            match column {
                ColumnBuilder::Int(values, nulls, _) => {
                    values.push(i32::from_be_bytes(bytes.try_into().map_err(|_| wrong("an INT", 4))?));
                    nulls.append_non_null();
                }
                ColumnBuilder::BigInt(values, nulls, _) => {
                    values.push(i64::from_be_bytes(bytes.try_into().map_err(|_| wrong("a BIGINT", 8))?));
                    nulls.append_non_null();
                }
                ColumnBuilder::Double(values, nulls) => {
                    values.push(f64::from_be_bytes(bytes.try_into().map_err(|_| wrong("a DOUBLE", 8))?));
                    nulls.append_non_null();
                }
                ColumnBuilder::Bytes(builder) => {
                    if builder.is_text() && !is_ascii(bytes) && std::str::from_utf8(bytes).is_err() {
                        return Err("the text is not UTF-8".to_owned());
                    }
                    append_short(&mut builder.bytes, bytes);
                    builder.end_row();
                }
                _ => return Err("format KAFKA holds INT, BIGINT, DOUBLE, STRING or BYTES".to_owned()),
            }
        }
        Ok(())
    }
}

/// Encodes a single primitive.
#[derive(Debug)]
pub(crate) struct KafkaEncoder {
    column: String,
}

impl KafkaEncoder {
    pub(crate) fn new(columns: &[(String, DataType)]) -> Result<Self> {
        match columns {
            [] => Ok(Self { column: String::new() }),
            [(name, _)] => Ok(Self { column: name.clone() }),
            [(name, _), ..] => Err(cannot_write(name, "format KAFKA holds a single column")),
        }
    }

    /// Makes ready to encode rows of these columns.
    pub(crate) fn rows<'a>(&'a self, columns: &'a [ArrayRef]) -> KafkaRows<'a> {
        let values = columns.first().map(|array| match array.as_string_opt() {
            Some(text) => Values::Text(text),
            None => Values::Any(array),
        });
        KafkaRows { column: &self.column, values }
    }
}

/// Rows of a column that has been looked at once.
pub(crate) struct KafkaRows<'a> {
    column: &'a str,
    values: Option<Values<'a>>,
}

enum Values<'a> {
    Text(&'a StringArray),
    Any(&'a ArrayRef),
}

impl KafkaRows<'_> {
    /// Appends a row's value; false if it is null.
    #[inline]
    pub(crate) fn encode(&self, row: usize, out: &mut Vec<u8>) -> Result<bool> {
        match self.values {
            Some(Values::Text(text)) if text.is_valid(row) => {
                append_short(out, text.value(row).as_bytes());
                Ok(true)
            }
            Some(Values::Any(array)) if array.is_valid(row) => self.encode_any(array, row, out).map(|()| true),
            _ => Ok(false),
        }
    }

    fn encode_any(&self, array: &ArrayRef, row: usize, out: &mut Vec<u8>) -> Result<()> {
        match array.data_type() {
            DataType::Int32 => out.extend_from_slice(&array.as_primitive::<Int32Type>().value(row).to_be_bytes()),
            DataType::Int64 => out.extend_from_slice(&array.as_primitive::<Int64Type>().value(row).to_be_bytes()),
            DataType::Float64 => out.extend_from_slice(&array.as_primitive::<Float64Type>().value(row).to_be_bytes()),
            DataType::Binary => out.extend_from_slice(array.as_binary::<i32>().value(row)),
            other => return Err(cannot_write(self.column, format!("format KAFKA has no form for type {other}"))),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn decode(values: &[&[u8]]) -> Result<ArrayRef, Unreadable> {
        let mut column = [ColumnBuilder::new(&DataType::Utf8).unwrap()];
        for value in values {
            KafkaDecoder.decode(value, &mut column)?;
        }
        Ok(column[0].finish().unwrap())
    }

    #[test]
    fn texts_of_any_length_come_back_as_they_went() {
        let mut texts: Vec<Option<String>> = vec![None];
        for length in 0..=17 {
            texts.push(Some("x".repeat(length)));
            texts.extend((0..length).map(|at| Some(format!("{}é{}", "x".repeat(at), "\"".repeat(length - 1 - at)))));
            texts.push(None);
        }
        let array: ArrayRef = Arc::new(StringArray::from(texts.clone()));
        let encoder = KafkaEncoder::new(&[("TEXT".to_owned(), DataType::Utf8)]).unwrap();
        for from in [0, 1, texts.len() / 2, texts.len()] {
            let arrays = [array.slice(from, texts.len() - from)];
            let rows = encoder.rows(&arrays);
            let encoded: Vec<Option<Vec<u8>>> = (0..arrays[0].len())
                .map(|row| {
                    let mut out = b"before".to_vec();
                    let has_value = rows.encode(row, &mut out).unwrap();
                    has_value.then(|| out.strip_prefix(b"before").unwrap().to_vec())
                })
                .collect();
            let expected: Vec<Option<&[u8]>> = texts[from..].iter().map(|t| t.as_deref().map(str::as_bytes)).collect();
            assert_eq!(encoded.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
            let decoded = decode(&encoded.iter().flatten().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
            let found: Vec<Option<&str>> = decoded.as_string::<i32>().iter().collect();
            assert_eq!(found, texts[from..].iter().flatten().map(|t| Some(t.as_str())).collect::<Vec<_>>());
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_wherever_they_stand() {
        for length in [1, 2, 7, 8, 9, 15, 16, 17, 40] {
            for at in 0..length {
                for wrong in [0x80, 0xC3, 0xFF] {
                    let mut bytes = vec![b'x'; length];
                    bytes[at] = wrong;
                    assert_eq!(
                        decode(&[&bytes]).unwrap_err(),
                        "the text is not UTF-8",
                        "{wrong:#x} at {at} of {length}"
                    );
                }
            }
        }
    }
}

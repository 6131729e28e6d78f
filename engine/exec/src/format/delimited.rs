//! Lines of delimited values, quoted where they need it (RFC 4180) and where the writers that ksqlDB uses quote them:
//! the same rows give the same bytes.

use std::borrow::Cow;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::json::{base64, decode_base64, parse_decimal, parse_double};
use super::{Unreadable, cannot_write};
use crate::Result;
use crate::column::ColumnBuilder;

/// Decodes lines.
#[derive(Debug)]
pub(crate) struct DelimitedDecoder {
    delimiter: char,
    declared: usize,
    /// The place of each wanted column in the line.
    positions: Vec<usize>,
}

impl DelimitedDecoder {
    pub(crate) fn new(delimiter: char, declared: usize, positions: Vec<usize>) -> Self {
        Self { delimiter, declared, positions }
    }

    pub(crate) fn decode(&self, bytes: &[u8], columns: &mut [ColumnBuilder]) -> Result<(), Unreadable> {
        let line = std::str::from_utf8(bytes).map_err(|_| "the line is not UTF-8".to_owned())?;
        let values = split(line.trim_end_matches(['\r', '\n']), self.delimiter)?;
        if values.len() != self.declared {
            return Err(format!("expected {} delimited values, found {}", self.declared, values.len()));
        }
        for (column, position) in columns.iter_mut().zip(&self.positions) {
            match values.get(*position) {
                Some(value) if !value.is_empty() => append(value, column)?,
                _ => column.append_null(),
            }
        }
        Ok(())
    }
}

/// The values of a line with their quotes taken off.
fn split(line: &str, delimiter: char) -> Result<Vec<Cow<'_, str>>, Unreadable> {
    let mut values = Vec::new();
    let mut rest = line;
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut value = String::new();
            let mut tail = quoted;
            loop {
                let Some((part, after)) = tail.split_once('"') else {
                    return Err("a quote is never closed".to_owned());
                };
                value.push_str(part);
                tail = after;
                match after.strip_prefix('"') {
                    Some(after) => {
                        value.push('"');
                        tail = after;
                    }
                    None => break,
                }
            }
            values.push(Cow::Owned(value));
            match tail.strip_prefix(delimiter) {
                Some(tail) => rest = tail,
                None if tail.is_empty() => return Ok(values),
                None => return Err("text follows a closing quote".to_owned()),
            }
        } else {
            match rest.split_once(delimiter) {
                Some((value, tail)) => {
                    values.push(Cow::Borrowed(value));
                    rest = tail;
                }
                None => {
                    values.push(Cow::Borrowed(rest));
                    return Ok(values);
                }
            }
        }
    }
}

fn append(value: &str, column: &mut ColumnBuilder) -> Result<(), Unreadable> {
    let wrong = |ty: &str| format!("expected {ty}, found {value:?}");
    let trimmed = value.trim();
    match column {
        ColumnBuilder::Boolean(values, nulls) => {
            values.push(match trimmed.to_ascii_lowercase().as_str() {
                "true" => true,
                "false" => false,
                _ => return Err(wrong("a BOOLEAN")),
            });
            nulls.append_non_null();
        }
        ColumnBuilder::Int(values, nulls, _) => {
            values.push(trimmed.parse().map_err(|_| wrong("an INT"))?);
            nulls.append_non_null();
        }
        ColumnBuilder::BigInt(values, nulls, _) => {
            values.push(trimmed.parse().map_err(|_| wrong("a BIGINT"))?);
            nulls.append_non_null();
        }
        ColumnBuilder::Double(values, nulls) => {
            values.push(parse_double(trimmed.as_bytes()).ok_or_else(|| wrong("a DOUBLE"))?);
            nulls.append_non_null();
        }
        ColumnBuilder::Decimal(values, nulls, precision, scale) => {
            let decimal = parse_decimal(trimmed.as_bytes(), *precision, *scale);
            values.push(decimal.ok_or_else(|| wrong(&format!("a DECIMAL({precision}, {scale})")))?);
            nulls.append_non_null();
        }
        ColumnBuilder::Bytes(builder) if builder.is_text() => {
            builder.bytes.extend_from_slice(value.as_bytes());
            builder.end_row();
        }
        ColumnBuilder::Bytes(builder) => {
            let bytes = decode_base64(trimmed.as_bytes()).ok_or_else(|| wrong("BYTES in base64"))?;
            builder.bytes.extend_from_slice(&bytes);
            builder.end_row();
        }
        _ => return Err("format DELIMITED holds no values of this type".to_owned()),
    }
    Ok(())
}

/// Encodes lines.
#[derive(Debug)]
pub(crate) struct DelimitedEncoder {
    delimiter: char,
}

impl DelimitedEncoder {
    pub(crate) fn new(delimiter: char) -> Self {
        Self { delimiter }
    }

    pub(crate) fn encode(&self, arrays: &[ArrayRef], row: usize, out: &mut Vec<u8>) -> Result<bool> {
        for (at, array) in arrays.iter().enumerate() {
            if at > 0 {
                out.extend_from_slice(self.delimiter.encode_utf8(&mut [0; 4]).as_bytes());
            }
            if array.is_valid(row) {
                self.write(array, row, at == 0, out)?;
            }
        }
        Ok(true)
    }

    fn write(&self, array: &ArrayRef, row: usize, is_first: bool, out: &mut Vec<u8>) -> Result<()> {
        let text = match array.data_type() {
            DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
            DataType::Float64 => format!("{:?}", array.as_primitive::<Float64Type>().value(row)),
            DataType::Date32 => array.as_primitive::<arrow::datatypes::Date32Type>().value(row).to_string(),
            DataType::Time32(_) => {
                array.as_primitive::<arrow::datatypes::Time32MillisecondType>().value(row).to_string()
            }
            DataType::Timestamp(..) => {
                array.as_primitive::<arrow::datatypes::TimestampMillisecondType>().value(row).to_string()
            }
            DataType::Binary => {
                base64(array.as_binary::<i32>().value(row), out);
                return Ok(());
            }
            other if other.is_nested() => return Err(cannot_write("", format!("DELIMITED has no form for {other}"))),
            _ => ArrayFormatter::try_new(array, &FormatOptions::default())?.value(row).to_string(),
        };
        if self.needs_quotes(&text, is_first) {
            out.push(b'"');
            out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
            out.push(b'"');
        } else {
            out.extend_from_slice(text.as_bytes());
        }
        Ok(())
    }

    /// Whether a value is quoted: if it holds what ends it, starts or ends with white space and the like, or, at the
    /// start of a line, with anything but a letter or digit.
    fn needs_quotes(&self, text: &str, is_first: bool) -> bool {
        let Some(first) = text.chars().next() else { return is_first };
        first <= '#'
            || is_first && !first.is_ascii_alphanumeric()
            || text.ends_with(|c| c <= ' ')
            || text.contains([self.delimiter, '"', '\n', '\r'])
    }
}

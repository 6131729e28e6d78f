//! Texts and bytes put together and taken apart: `CONCAT`, `CONCAT_WS`, `SPLIT`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, StringArray};
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;
use memchr::memmem::Finder;

use super::kernel::{Outcome, arg, bytes_at, list_of};
use super::pieces::Pieces;
use super::{Param, Returns, ScalarFunction};
use Param::{Bytes, String as Text};

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    let list = |item| Returns::Type(DataType::List(Arc::new(Field::new("item", item, true))));
    let (text, bytes) = (|| Returns::Type(DataType::Utf8), || Returns::Type(DataType::Binary));
    vec![
        f("CONCAT", "The texts or bytes one after the other; nulls are left out.", ("CONCAT('a', NULL, 'b')", "ab"))
            .variadic(&[Text], text(), concat)
            .variadic(&[Bytes], bytes(), concat),
        f(
            "CONCAT_WS",
            "The texts or bytes with a separator, which comes first, between them; nulls are left out.",
            ("CONCAT_WS('-', 'a', NULL, 'b')", "a-b"),
        )
        .variadic(&[Text, Text], text(), concat_ws)
        .variadic(&[Bytes, Bytes], bytes(), concat_ws),
        f(
            "SPLIT",
            "The parts of a text or of bytes between a delimiter; single characters if that is empty.",
            ("SPLIT('a,b', ',')", "[\"a\",\"b\"]"),
        )
        .overload(&[Text, Text], list(DataType::Utf8), split)
        .overload(&[Bytes, Bytes], list(DataType::Binary), split),
    ]
}

/// A column of texts or of bytes, as bytes.
enum Column<'a> {
    Text(&'a StringArray),
    Bytes(&'a BinaryArray),
}

impl<'a> Column<'a> {
    fn of(array: &'a ArrayRef) -> Result<Self, ArrowError> {
        let text = array.as_string_opt().map(Self::Text);
        let column = text.or_else(|| array.as_binary_opt().map(Self::Bytes));
        column
            .ok_or_else(|| ArrowError::InvalidArgumentError(format!("{} is neither text nor bytes", array.data_type())))
    }

    fn at(&self, row: usize) -> Option<&'a [u8]> {
        match self {
            Self::Text(array) => bytes_at(array, row).map(str::as_bytes),
            Self::Bytes(array) => bytes_at(array, row),
        }
    }
}

fn columns(args: &[ArrayRef]) -> Result<Vec<Column<'_>>, ArrowError> {
    args.iter().map(Column::of).collect()
}

fn concat(args: &[ArrayRef]) -> Outcome {
    let columns = columns(args)?;
    let rows = arg(args, 0)?.len();
    let mut joined = Pieces::with_capacity(rows);
    for row in 0..rows {
        columns.iter().filter_map(|column| column.at(row)).for_each(|piece| joined.add(piece));
        joined.end();
    }
    joined.finish(arg(args, 0)?.data_type())
}

fn concat_ws(args: &[ArrayRef]) -> Outcome {
    let columns = columns(args)?;
    let Some((separators, columns)) = columns.split_first() else { return concat(args) };
    let rows = arg(args, 0)?.len();
    let mut joined = Pieces::with_capacity(rows);
    for row in 0..rows {
        let Some(separator) = separators.at(row) else {
            joined.end_null();
            continue;
        };
        for (place, piece) in columns.iter().filter_map(|column| column.at(row)).enumerate() {
            if place > 0 {
                joined.add(separator);
            }
            joined.add(piece);
        }
        joined.end();
    }
    joined.finish(arg(args, 0)?.data_type())
}

fn split(args: &[ArrayRef]) -> Outcome {
    let (values, delimiters) = (Column::of(arg(args, 0)?)?, Column::of(arg(args, 1)?)?);
    let rows = arg(args, 0)?.len();
    let (mut parts, mut lengths) = (Pieces::with_capacity(rows * 2), Vec::with_capacity(rows));
    let mut finder: Option<Finder<'_>> = None;
    for row in 0..rows {
        let before = parts.len();
        let found = values.at(row).zip(delimiters.at(row));
        match found {
            Some((value, [])) => single_parts(value, matches!(values, Column::Text(_)), &mut parts),
            Some((value, delimiter)) => {
                // Most batches have the same one throughout.
                let known = finder.take().filter(|finder| finder.needle() == delimiter);
                parts_between(value, finder.insert(known.unwrap_or_else(|| Finder::new(delimiter))), &mut parts);
            }
            None => {}
        }
        lengths.push(found.map(|_| parts.len() - before));
    }
    list_of(parts.finish(arg(args, 0)?.data_type())?, &lengths)
}

fn parts_between(value: &[u8], delimiter: &Finder<'_>, parts: &mut Pieces) {
    let mut start = 0;
    for place in delimiter.find_iter(value) {
        parts.push(value.get(start..place).unwrap_or_default());
        start = place + delimiter.needle().len();
    }
    parts.push(value.get(start..).unwrap_or_default());
}

/// The characters of a text or the bytes of bytes; nothing is one part.
fn single_parts(value: &[u8], is_text: bool, parts: &mut Pieces) {
    match std::str::from_utf8(value) {
        _ if value.is_empty() => parts.push(value),
        Ok(text) if is_text => text.chars().for_each(|c| parts.push(c.encode_utf8(&mut [0; 4]).as_bytes())),
        _ => value.chunks(1).for_each(|byte| parts.push(byte)),
    }
}

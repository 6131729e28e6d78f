//! Texts and bytes put together and taken apart: `CONCAT`, `CONCAT_WS`, `SPLIT`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, StringArray};
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;

use super::kernel::{Outcome, arg, bytes_at, list_of};
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

/// Values as an array of the argument's type; pieces of texts at delimiters are texts again.
fn array_like(like: &ArrayRef, values: Vec<Option<Vec<u8>>>) -> ArrayRef {
    if *like.data_type() == DataType::Binary {
        return Arc::new(values.into_iter().collect::<BinaryArray>());
    }
    let text = |value: Option<Vec<u8>>| value.map(|value| String::from_utf8_lossy(&value).into_owned());
    Arc::new(values.into_iter().map(text).collect::<StringArray>())
}

fn concat(args: &[ArrayRef]) -> Outcome {
    let columns = columns(args)?;
    let first = arg(args, 0)?;
    let joined = |row| Some(columns.iter().filter_map(|column| column.at(row)).collect::<Vec<_>>().concat());
    Ok(array_like(first, (0..first.len()).map(joined).collect()))
}

fn concat_ws(args: &[ArrayRef]) -> Outcome {
    let columns = columns(args)?;
    let first = arg(args, 0)?;
    let Some((separators, columns)) = columns.split_first() else { return concat(args) };
    let joined = |row| {
        let separator = separators.at(row)?;
        Some(columns.iter().filter_map(|column| column.at(row)).collect::<Vec<_>>().join(separator))
    };
    Ok(array_like(first, (0..first.len()).map(joined).collect()))
}

fn split(args: &[ArrayRef]) -> Outcome {
    let (values, delimiters) = (Column::of(arg(args, 0)?)?, Column::of(arg(args, 1)?)?);
    let rows = arg(args, 0)?.len();
    let (mut parts, mut lengths) = (Vec::new(), Vec::with_capacity(rows));
    for row in 0..rows {
        let before = parts.len();
        let found = values.at(row).zip(delimiters.at(row));
        if let Some((value, delimiter)) = found {
            parts_of(value, delimiter, matches!(values, Column::Text(_)), &mut parts);
        }
        lengths.push(found.map(|_| parts.len() - before));
    }
    list_of(array_like(arg(args, 0)?, parts), &lengths)
}

fn parts_of(value: &[u8], delimiter: &[u8], is_text: bool, parts: &mut Vec<Option<Vec<u8>>>) {
    if !delimiter.is_empty() {
        let mut rest = value;
        while let Some(place) = rest.windows(delimiter.len()).position(|window| window == delimiter) {
            parts.push(rest.get(..place).map(<[u8]>::to_vec));
            rest = rest.get(place + delimiter.len()..).unwrap_or_default();
        }
        parts.push(Some(rest.to_vec()));
    } else if value.is_empty() {
        parts.push(Some(Vec::new()));
    } else if is_text {
        let text = String::from_utf8_lossy(value);
        parts.extend(text.chars().map(|c| Some(c.to_string().into_bytes())));
    } else {
        parts.extend(value.iter().map(|byte| Some(vec![*byte])));
    }
}

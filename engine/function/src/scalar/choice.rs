//! `ELT` and `FIELD`: a text by its number and the number of a text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int32Array};
use arrow::datatypes::{DataType, Int32Type};

use super::kernel::{at, primitives, strings, text_at, text_rows};
use super::{Param, Returns, ScalarFunction};
use Param::{Int, String as Text};

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    vec![
        f("ELT", "The text with this number, counted from 1; null if there is none.", ("ELT(2, 'a', 'b')", "b"))
            .variadic(&[Int, Text], Returns::Type(DataType::Utf8), |args| {
                let numbers = primitives::<Int32Type>(args, 0)?;
                let texts = columns(args)?;
                text_rows(numbers.len(), |row| {
                    let number = usize::try_from(at(numbers, row)?).ok()?.checked_sub(1)?;
                    text_at(texts.get(number)?, row)
                })
            }),
        f(
            "FIELD",
            "The number of the first text among the ones behind it, counted from 1; 0 if it is none of them.",
            ("FIELD('b', 'a', 'b')", "2"),
        )
        .variadic(&[Text, Text], Returns::Type(DataType::Int32), |args| {
            let wanted = strings(args, 0)?;
            let texts = columns(args)?;
            let number = |row: usize| {
                let Some(wanted) = text_at(wanted, row) else { return 0 };
                texts.iter().position(|texts| text_at(texts, row) == Some(wanted)).map_or(0, |place| place as i32 + 1)
            };
            Ok(Arc::new((0..wanted.len()).map(number).map(Some).collect::<Int32Array>()))
        }),
    ]
}

/// The texts after the first argument.
fn columns(args: &[ArrayRef]) -> Result<Vec<&arrow::array::StringArray>, arrow::error::ArrowError> {
    (1..args.len()).map(|index| strings(args, index)).collect()
}

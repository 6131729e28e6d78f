//! `LPAD` and `RPAD`, of texts and of bytes.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray};
use arrow::datatypes::{DataType, Int32Type};

use super::kernel::{Outcome, at, binaries, bytes_at, primitives, strings, text_at, text_rows};
use super::{Param, Returns, ScalarFunction};
use Param::{Bytes, Int, String as Text};

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    let (text, bytes) = (|| Returns::Type(DataType::Utf8), || Returns::Type(DataType::Binary));
    vec![
        f("LPAD", "The text or bytes filled up on the left, or cut, to a length.", ("LPAD('7', 3, '0')", "007"))
            .overload(&[Text, Int, Text], text(), |args| pad_text(args, true))
            .overload(&[Bytes, Int, Bytes], bytes(), |args| pad_bytes(args, true)),
        f("RPAD", "The text or bytes filled up on the right, or cut, to a length.", ("RPAD('7', 3, '0')", "700"))
            .overload(&[Text, Int, Text], text(), |args| pad_text(args, false))
            .overload(&[Bytes, Int, Bytes], bytes(), |args| pad_bytes(args, false)),
    ]
}

fn pad_text(args: &[ArrayRef], left: bool) -> Outcome {
    let (text, length, padding) = (strings(args, 0)?, primitives::<Int32Type>(args, 1)?, strings(args, 2)?);
    text_rows(text.len(), |row| {
        let (text, padding) =
            (text_at(text, row)?.chars().collect::<Vec<_>>(), text_at(padding, row)?.chars().collect());
        Some(padded(text, at(length, row)?, padding, left)?.into_iter().collect::<String>())
    })
}

fn pad_bytes(args: &[ArrayRef], left: bool) -> Outcome {
    let (bytes, length, padding) = (binaries(args, 0)?, primitives::<Int32Type>(args, 1)?, binaries(args, 2)?);
    let pad = |row| padded(bytes_at(bytes, row)?.to_vec(), at(length, row)?, bytes_at(padding, row)?.to_vec(), left);
    Ok(Arc::new((0..bytes.len()).map(pad).collect::<BinaryArray>()))
}

/// `None` if the length is negative or there is nothing to pad with.
fn padded<T: Copy>(mut items: Vec<T>, length: i32, padding: Vec<T>, left: bool) -> Option<Vec<T>> {
    let length = usize::try_from(length).ok()?;
    if padding.is_empty() {
        return None;
    }
    let missing = length.saturating_sub(items.len());
    items.truncate(length);
    let fill = padding.into_iter().cycle().take(missing);
    Some(if left { fill.chain(items).collect() } else { items.into_iter().chain(fill).collect() })
}

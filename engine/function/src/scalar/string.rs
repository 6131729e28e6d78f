//! Functions of text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListBuilder, StringBuilder};
use arrow::datatypes::{DataType, Field, Int32Type};

use super::kernel::{Outcome, at, boolean_rows, map_text, map_text_to, primitives, strings, text_at, text_rows};
use super::{Param, Returns, ScalarFunction};
use Param::{Int, String as Text};

const TEXT: Returns = Returns::Type(DataType::Utf8);
const INT: Returns = Returns::Type(DataType::Int32);

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    vec![
        f("UCASE", "The text in upper case.", ("UCASE('Ab')", "AB"))
            .overload(&[Text], TEXT, |args| map_text(args, str::to_uppercase)),
        f("LCASE", "The text in lower case.", ("LCASE('Ab')", "ab"))
            .overload(&[Text], TEXT, |args| map_text(args, str::to_lowercase)),
        f("TRIM", "The text without white space at its ends.", ("TRIM('  a b ')", "a b")).overload(
            &[Text],
            TEXT,
            |args| map_text(args, |text| text.trim().to_owned()),
        ),
        f("LEN", "The number of characters.", ("LEN('abc')", "3"))
            .overload(&[Text], INT, |args| map_text_to::<Int32Type>(args, |text| Some(text.chars().count() as i32))),
        f("REVERSE", "The characters in reverse order.", ("REVERSE('abc')", "cba"))
            .overload(&[Text], TEXT, |args| map_text(args, |text| text.chars().rev().collect::<String>())),
        f("INITCAP", "Each word with a capital and then small letters.", ("INITCAP('the sQL')", "The Sql")).overload(
            &[Text],
            TEXT,
            |args| map_text(args, initcap),
        ),
        f(
            "SUBSTRING",
            "The text from a position on, counted from 1, or from the end if negative; with a length.",
            ("SUBSTRING('stream', 2, 3)", "tre"),
        )
        .overload(&[Text, Int], TEXT, substring)
        .overload(&[Text, Int, Int], TEXT, substring),
        f(
            "REPLACE",
            "The text with every occurrence of one text replaced by another.",
            ("REPLACE('a-b-c', '-', '+')", "a+b+c"),
        )
        .overload(&[Text, Text, Text], TEXT, |args| {
            let (text, old, new) = (strings(args, 0)?, strings(args, 1)?, strings(args, 2)?);
            text_rows(text.len(), |row| Some(text_at(text, row)?.replace(text_at(old, row)?, text_at(new, row)?)))
        }),
        f("CONCAT", "The texts one after the other; nulls are left out.", ("CONCAT('a', NULL, 'b')", "ab")).variadic(
            &[Text],
            TEXT,
            concat,
        ),
        f(
            "CONCAT_WS",
            "The texts with a separator between them; nulls are left out.",
            ("CONCAT_WS('-', 'a', NULL, 'b')", "a-b"),
        )
        .variadic(&[Text, Text], TEXT, concat_ws),
        f(
            "INSTR",
            "The position of one text in another, counted from 1; 0 if it is not there.",
            ("INSTR('stream', 'ea')", "4"),
        )
        .overload(&[Text, Text], INT, |args| {
            let (text, part) = (strings(args, 0)?, strings(args, 1)?);
            let position = |row| {
                let text = text_at(text, row)?;
                let place = text.find(text_at(part, row)?);
                Some(place.map_or(0, |at| text.get(..at).map_or(0, |head| head.chars().count() as i32 + 1)))
            };
            Ok(Arc::new((0..text.len()).map(position).collect::<arrow::array::Int32Array>()))
        }),
        f("LPAD", "The text filled up on the left, or cut, to a length.", ("LPAD('7', 3, '0')", "007")).overload(
            &[Text, Int, Text],
            TEXT,
            |args| pad(args, true),
        ),
        f("RPAD", "The text filled up on the right, or cut, to a length.", ("RPAD('7', 3, '0')", "700")).overload(
            &[Text, Int, Text],
            TEXT,
            |args| pad(args, false),
        ),
        f("SPLIT", "The parts of a text between a delimiter.", ("SPLIT('a,b', ',')", "[\"a\",\"b\"]")).overload(
            &[Text, Text],
            Returns::Computed(|_| DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)))),
            split,
        ),
        f("STARTS_WITH", "Whether a text starts with another.", ("STARTS_WITH('stream', 'str')", "true")).overload(
            &[Text, Text],
            Returns::Type(DataType::Boolean),
            |args| {
                let (text, part) = (strings(args, 0)?, strings(args, 1)?);
                boolean_rows(text.len(), |row| Some(text_at(text, row)?.starts_with(text_at(part, row)?)))
            },
        ),
        f("CHR", "The character of a code point.", ("CHR(65)", "A")).overload(&[Int], TEXT, |args| {
            let codes = primitives::<Int32Type>(args, 0)?;
            text_rows(codes.len(), |row| char::from_u32(u32::try_from(at(codes, row)?).ok()?).map(String::from))
        }),
    ]
}

fn initcap(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at_start = true;
    for c in text.chars() {
        if at_start {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        at_start = c.is_whitespace();
    }
    out
}

fn substring(args: &[ArrayRef]) -> Outcome {
    let (text, position) = (strings(args, 0)?, primitives::<Int32Type>(args, 1)?);
    let length = if args.len() > 2 { Some(primitives::<Int32Type>(args, 2)?) } else { None };
    text_rows(text.len(), |row| {
        let text = text_at(text, row)?;
        let count = text.chars().count() as i64;
        let position = i64::from(at(position, row)?);
        let start = if position < 0 { (count + position).max(0) } else { (position - 1).max(0) }.min(count);
        let end = match length {
            Some(length) => (start + i64::from(at(length, row)?).max(0)).min(count),
            None => count,
        };
        Some(text.chars().skip(start as usize).take((end - start) as usize).collect::<String>())
    })
}

fn concat(args: &[ArrayRef]) -> Outcome {
    let columns = (0..args.len()).map(|index| strings(args, index)).collect::<Result<Vec<_>, _>>()?;
    let rows = columns.first().map_or(0, |column| column.len());
    text_rows(rows, |row| Some(columns.iter().filter_map(|column| text_at(column, row)).collect::<String>()))
}

fn concat_ws(args: &[ArrayRef]) -> Outcome {
    let columns = (0..args.len()).map(|index| strings(args, index)).collect::<Result<Vec<_>, _>>()?;
    let Some((separator, columns)) = columns.split_first() else { return concat(args) };
    text_rows(separator.len(), |row| {
        let parts: Vec<&str> = columns.iter().filter_map(|column| text_at(column, row)).collect();
        Some(parts.join(text_at(separator, row)?))
    })
}

fn pad(args: &[ArrayRef], left: bool) -> Outcome {
    let (text, length, padding) = (strings(args, 0)?, primitives::<Int32Type>(args, 1)?, strings(args, 2)?);
    text_rows(text.len(), |row| {
        let (text, padding) = (text_at(text, row)?, text_at(padding, row)?);
        let length = usize::try_from(at(length, row)?).ok()?;
        if padding.is_empty() {
            return None;
        }
        let missing = length.saturating_sub(text.chars().count());
        let fill: String = padding.chars().cycle().take(missing).collect();
        let kept: String = text.chars().take(length).collect();
        Some(if left { fill + &kept } else { kept + &fill })
    })
}

fn split(args: &[ArrayRef]) -> Outcome {
    let (text, delimiter) = (strings(args, 0)?, strings(args, 1)?);
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in 0..text.len() {
        match (text_at(text, row), text_at(delimiter, row)) {
            (Some(text), Some("")) => {
                text.chars().for_each(|c| lists.values().append_value(c.to_string()));
                lists.append(true);
            }
            (Some(text), Some(delimiter)) => {
                text.split(delimiter).for_each(|part| lists.values().append_value(part));
                lists.append(true);
            }
            _ => lists.append(false),
        }
    }
    Ok(Arc::new(lists.finish()))
}

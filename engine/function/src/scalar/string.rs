//! Functions of text.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray, Int32Array, StringArray};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{DataType, Int32Type};
use arrow::error::ArrowError;
use memchr::memmem::Finder;

use super::kernel::{
    Outcome, at, binaries, boolean_rows, bytes_at, map_text, map_text_to, primitives, strings, text_at, text_rows,
};
use super::pieces::Pieces;
use super::{Param, Returns, ScalarFunction};
use Param::{Bytes, Int, String as Text};

const TEXT: Returns = Returns::Type(DataType::Utf8);
const INT: Returns = Returns::Type(DataType::Int32);

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    vec![
        f("UCASE", "The text in upper case.", ("UCASE('Ab')", "AB"))
            .overload(&[Text], TEXT, |args| change_case(args, <[u8]>::make_ascii_uppercase, str::to_uppercase)),
        f("LCASE", "The text in lower case.", ("LCASE('Ab')", "ab"))
            .overload(&[Text], TEXT, |args| change_case(args, <[u8]>::make_ascii_lowercase, str::to_lowercase)),
        f("TRIM", "The text without white space at its ends.", ("TRIM('  a b ')", "a b")).overload(
            &[Text],
            TEXT,
            |args| {
                let texts = strings(args, 0)?;
                text_rows(texts.len(), |row| Some(text_at(texts, row)?.trim()))
            },
        ),
        f("LEN", "The number of characters, or of bytes.", ("LEN('abc')", "3"))
            .overload(&[Bytes], INT, |args| {
                let bytes = binaries(args, 0)?.iter().map(|bytes| bytes.map(|bytes| bytes.len() as i32));
                Ok(Arc::new(bytes.collect::<Int32Array>()))
            })
            .overload(&[Text], INT, characters),
        f("REVERSE", "The characters in reverse order.", ("REVERSE('abc')", "cba"))
            .overload(&[Text], TEXT, |args| map_text(args, |text| text.chars().rev().collect::<String>())),
        f("INITCAP", "Each word with a capital and then small letters.", ("INITCAP('the sQL')", "The Sql")).overload(
            &[Text],
            TEXT,
            |args| map_text(args, initcap),
        ),
        f(
            "SUBSTRING",
            "The text or the bytes from a position on, counted from 1, or from the end if negative; with a length.",
            ("SUBSTRING('stream', 2, 3)", "tre"),
        )
        .overload(&[Text, Int], TEXT, substring)
        .overload(&[Text, Int, Int], TEXT, substring)
        .overload(&[Bytes, Int], Returns::Type(DataType::Binary), substring_of_bytes)
        .overload(&[Bytes, Int, Int], Returns::Type(DataType::Binary), substring_of_bytes),
        f(
            "REPLACE",
            "The text with every occurrence of one text replaced by another.",
            ("REPLACE('a-b-c', '-', '+')", "a+b+c"),
        )
        .overload(&[Text, Text, Text], TEXT, replace),
        f(
            "INSTR",
            "The position of one text in another, counted from 1; 0 if it is not there. The third argument is the \
             position where the search begins, backwards from the end if negative; the fourth is which occurrence.",
            ("INSTR('stream', 'ea')", "4"),
        )
        .example(("INSTR('abcabc', 'b', -1, 2)", "2"))
        .overload(&[Text, Text], INT, instr)
        .overload(&[Text, Text, Int], INT, instr)
        .overload(&[Text, Text, Int, Int], INT, instr),
        f("STARTS_WITH", "Whether a text starts with another.", ("STARTS_WITH('stream', 'str')", "true")).overload(
            &[Text, Text],
            Returns::Type(DataType::Boolean),
            |args| {
                let (text, part) = (strings(args, 0)?, strings(args, 1)?);
                boolean_rows(text.len(), |row| Some(text_at(text, row)?.starts_with(text_at(part, row)?)))
            },
        ),
        f("CHR", "The character of a code point, or of its UTF-16 code written as \\u0041.", ("CHR(65)", "A"))
            .overload(&[Int], TEXT, |args| {
                let codes = primitives::<Int32Type>(args, 0)?;
                text_rows(codes.len(), |row| char::from_u32(u32::try_from(at(codes, row)?).ok()?).map(String::from))
            })
            .overload(&[Text], TEXT, |args| {
                let codes = strings(args, 0)?;
                text_rows(codes.len(), |row| character(text_at(codes, row)?))
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

/// Another case: of all texts at once if they are ASCII, otherwise of one after the other.
fn change_case(args: &[ArrayRef], ascii: fn(&mut [u8]), other: fn(&str) -> String) -> Outcome {
    let texts = strings(args, 0)?;
    let bytes = used_bytes(texts);
    if !bytes.is_ascii() {
        return map_text(args, other);
    }
    let mut bytes = bytes.to_vec();
    ascii(&mut bytes);
    let offsets = match texts.offsets().first() {
        Some(0) => texts.offsets().clone(),
        _ => OffsetBuffer::from_lengths(texts.offsets().lengths()),
    };
    Ok(Arc::new(StringArray::try_new(offsets, Buffer::from_vec(bytes), texts.nulls().cloned())?))
}

/// The bytes of all texts, without those of a buffer that other arrays use as well.
fn used_bytes(texts: &StringArray) -> &[u8] {
    let (first, last) = (texts.offsets().first(), texts.offsets().last());
    let range = first.zip(last).map_or(0..0, |(first, last)| *first as usize..*last as usize);
    texts.value_data().get(range).unwrap_or_default()
}

fn characters(args: &[ArrayRef]) -> Outcome {
    let texts = strings(args, 0)?;
    if used_bytes(texts).is_ascii() {
        let lengths: Vec<i32> = texts.offsets().lengths().map(|length| length as i32).collect();
        return Ok(Arc::new(Int32Array::try_new(lengths.into(), texts.nulls().cloned())?));
    }
    map_text_to::<Int32Type>(args, |text| Some(text.chars().count() as i32))
}

fn replace(args: &[ArrayRef]) -> Outcome {
    let (texts, old, new) = (strings(args, 0)?, strings(args, 1)?, strings(args, 2)?);
    let mut replaced = Pieces::with_capacity(texts.len());
    let mut finder: Option<Finder<'_>> = None;
    for row in 0..texts.len() {
        let (Some(text), Some(old), Some(new)) = (text_at(texts, row), text_at(old, row), text_at(new, row)) else {
            replaced.end_null();
            continue;
        };
        if old.is_empty() {
            replaced.push(text.replace(old, new).as_bytes());
            continue;
        }
        // Most batches replace the same throughout.
        let known = finder.take().filter(|finder| finder.needle() == old.as_bytes());
        let finder = finder.insert(known.unwrap_or_else(|| Finder::new(old)));
        let mut start = 0;
        for place in finder.find_iter(text.as_bytes()) {
            replaced.add(text.as_bytes().get(start..place).unwrap_or_default());
            replaced.add(new.as_bytes());
            start = place + old.len();
        }
        replaced.push(text.as_bytes().get(start..).unwrap_or_default());
    }
    replaced.finish(&DataType::Utf8)
}

fn substring(args: &[ArrayRef]) -> Outcome {
    let texts = strings(args, 0)?;
    let range = ranges(args)?;
    text_rows(texts.len(), |row| {
        let text = text_at(texts, row)?;
        if text.is_ascii() {
            return text.get(range(row, text.len())?);
        }
        let range = range(row, text.chars().count())?;
        let place = |nth| text.char_indices().nth(nth).map_or(text.len(), |(place, _)| place);
        text.get(place(range.start)..place(range.end))
    })
}

fn substring_of_bytes(args: &[ArrayRef]) -> Outcome {
    let bytes = binaries(args, 0)?;
    let range = ranges(args)?;
    let part = |row| {
        let bytes = bytes_at(bytes, row)?;
        bytes.get(range(row, bytes.len())?)
    };
    Ok(Arc::new((0..bytes.len()).map(part).collect::<BinaryArray>()))
}

/// The places that position and length of a row mean in something of some length.
fn ranges(args: &[ArrayRef]) -> Result<impl Fn(usize, usize) -> Option<Range<usize>>, ArrowError> {
    let positions = primitives::<Int32Type>(args, 1)?;
    let lengths = if args.len() > 2 { Some(primitives::<Int32Type>(args, 2)?) } else { None };
    Ok(move |row, count| {
        let (count, position) = (count as i64, i64::from(at(positions, row)?));
        let start = if position < 0 { (count + position).max(0) } else { (position - 1).max(0) }.min(count);
        let end = match lengths {
            Some(lengths) => (start + i64::from(at(lengths, row)?).max(0)).min(count),
            None => count,
        };
        Some(start as usize..end as usize)
    })
}

fn instr(args: &[ArrayRef]) -> Outcome {
    let (texts, parts) = (strings(args, 0)?, strings(args, 1)?);
    let number = |index| if args.len() > index { primitives::<Int32Type>(args, index).map(Some) } else { Ok(None) };
    let (positions, occurrences) = (number(2)?, number(3)?);
    let place = |row: usize| {
        let (text, part) = (text_at(texts, row)?, text_at(parts, row)?);
        let position = positions.map_or(Some(1), |positions| at(positions, row))?;
        let occurrence = occurrences.map_or(Some(1), |occurrences| at(occurrences, row))?;
        Some(find(text, part, position, occurrence).unwrap_or(0))
    };
    Ok(Arc::new((0..texts.len()).map(place).collect::<Int32Array>()))
}

/// The position of an occurrence, counted from 1.
fn find(text: &str, part: &str, position: i32, occurrence: i32) -> Option<i32> {
    let (text, part): (Vec<char>, Vec<char>) = (text.chars().collect(), part.chars().collect());
    let is_there = |start: &usize| text.get(*start..).is_some_and(|rest| rest.starts_with(&part));
    let nth = usize::try_from(occurrence).ok()?.checked_sub(1)?;
    let places = 0..=text.len();
    let found = if position < 0 {
        let last = text.len().checked_sub(position.unsigned_abs() as usize)?;
        places.rev().filter(|start| *start <= last).filter(is_there).nth(nth)?
    } else {
        let first = usize::try_from(position).ok()?.checked_sub(1)?;
        places.filter(|start| *start >= first).filter(is_there).nth(nth)?
    };
    i32::try_from(found + 1).ok()
}

/// The character of UTF-16 code units written as `\\u0041`, two of them for a surrogate pair.
fn character(code: &str) -> Option<String> {
    let units = code.strip_prefix("\\u")?.split("\\u");
    let units = units.map(|unit| u16::from_str_radix(unit, 16).ok().filter(|_| unit.len() == 4));
    String::from_utf16(&units.collect::<Option<Vec<u16>>>()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;

    fn texts(texts: [&str; 4]) -> ArrayRef {
        // A part of an array, as a batch that was cut has it.
        Arc::new(StringArray::from_iter_values(texts).slice(1, 3))
    }

    fn list(array: &ArrayRef) -> Vec<&str> {
        array.as_string::<i32>().iter().flatten().collect()
    }

    #[test]
    fn parts_of_arrays_and_letters_beyond_ascii_are_as_any_other() {
        let upper = |words| change_case(&[texts(words)], <[u8]>::make_ascii_uppercase, str::to_uppercase).unwrap();
        assert_eq!(list(&upper(["ab", "cd", "", "Ef"])), ["CD", "", "EF"]);
        assert_eq!(list(&upper(["ab", "cd", "", "ß"])), ["CD", "", "SS"]);
        for (last, length) in [("Ef", 2), ("äöü", 3)] {
            let lengths = characters(&[texts(["ab", "c", "", last])]).unwrap();
            assert_eq!(lengths.as_primitive::<Int32Type>().values().to_vec(), [1, 0, length]);
        }
    }

    #[test]
    fn what_is_replaced_may_change_from_row_to_row_and_be_nothing() {
        let replaced = |old, new| replace(&[texts(["", "aXbX", "äöä", "ab"]), texts(old), texts(new)]).unwrap();
        assert_eq!(list(&replaced(["", "X", "ä", ""], ["", "--", "", "."])), ["a--b--", "ö", ".a.b."]);
    }

    #[test]
    fn places_are_those_of_characters() {
        let (from, length): (ArrayRef, ArrayRef) =
            (Arc::new(Int32Array::from(vec![2, 2, -2])), Arc::new(Int32Array::from(vec![2, 2, 9])));
        let parts = substring(&[texts(["", "abcd", "äöüß", "€uro"]), from, length]).unwrap();
        assert_eq!(list(&parts), ["bc", "öü", "ro"]);
    }
}

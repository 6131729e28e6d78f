//! `MASK` and its kin: texts whose characters are hidden by their kind.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Int32Type};

use super::kernel::{Outcome, at, failed, primitives, strings, text_at, text_rows};
use super::{Kernel, Param, Returns, ScalarFunction};
use Param::{Int, String as Text};

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    let text = || Returns::Type(DataType::Utf8);
    let counted = |function: ScalarFunction, kernel: Kernel| {
        function.overload(&[Text, Int], text(), kernel).overload(&[Text, Int, Text, Text, Text, Text], text(), kernel)
    };
    vec![
        f(
            "MASK",
            "The text with X for capitals, x for small letters, n for digits and - for everything else, or with \
             these four marks in this order; a mark that is null leaves its characters.",
            ("MASK('My Test $123')", "Xx-Xxxx--nnn"),
        )
        .example(("MASK('Ab1', '*', NULL, '#', '-')", "*b#"))
        .overload(&[Text], text(), |args| mask(args, None))
        .overload(&[Text, Text, Text, Text, Text], text(), |args| mask(args, None)),
        counted(
            f("MASK_LEFT", "Masks so many characters on the left.", ("MASK_LEFT('My Test $123', 4)", "Xx-Xest $123")),
            |args| mask(args, Some(|place, _, n| place < n)),
        ),
        counted(
            f(
                "MASK_RIGHT",
                "Masks so many characters on the right.",
                ("MASK_RIGHT('My Test $123', 4)", "My Test -nnn"),
            ),
            |args| mask(args, Some(|place, length, n| place + n >= length)),
        ),
        counted(
            f(
                "MASK_KEEP_LEFT",
                "Masks all but so many characters on the left.",
                ("MASK_KEEP_LEFT('My Test', 4)", "My Txxx"),
            ),
            |args| mask(args, Some(|place, _, n| place >= n)),
        ),
        counted(
            f("MASK_KEEP_RIGHT", "Masks all but so many on the right.", ("MASK_KEEP_RIGHT('My Test', 4)", "Xx-Test")),
            |args| mask(args, Some(|place, length, n| place + n < length)),
        ),
    ]
}

/// Whether the character at a place of a text of some length is masked, given the function's number.
type IsMasked = fn(usize, usize, usize) -> bool;

fn mask(args: &[ArrayRef], is_masked: Option<IsMasked>) -> Outcome {
    let texts = strings(args, 0)?;
    let counts = if is_masked.is_some() { Some(primitives::<Int32Type>(args, 1)?) } else { None };
    if counts.is_some_and(|counts| counts.iter().flatten().any(|count| count < 0)) {
        return Err(failed("the number of characters must not be negative"));
    }
    let first = 1 + usize::from(counts.is_some());
    let marks = (first..args.len()).map(|index| strings(args, index)).collect::<Result<Vec<_>, _>>()?;
    text_rows(texts.len(), |row| {
        let text = text_at(texts, row)?;
        let count = counts.map_or(Some(0), |counts| at(counts, row))? as usize;
        let length = text.chars().count();
        let mark = |kind: usize, default: char| match marks.get(kind) {
            Some(marks) => text_at(marks, row).and_then(|mark| mark.chars().next()),
            None => Some(default),
        };
        let marks = [mark(0, 'X'), mark(1, 'x'), mark(2, 'n'), mark(3, '-')];
        let masked = |(place, c): (usize, char)| {
            let hidden = is_masked.is_none_or(|is_masked| is_masked(place, length, count));
            if hidden { marks.get(kind(c)).copied().flatten().unwrap_or(c) } else { c }
        };
        Some(text.chars().enumerate().map(masked).collect::<String>())
    })
}

fn kind(c: char) -> usize {
    match c {
        c if c.is_uppercase() => 0,
        c if c.is_lowercase() => 1,
        c if c.is_numeric() => 2,
        _ => 3,
    }
}

//! A batch's columns: one value in sixteen is null.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Float64Array, Int64Array, ListBuilder, StringArray, StringBuilder, TimestampMillisecondArray,
};

use super::ROWS;

/// A number that looks random, for a row.
fn mixed(row: usize) -> u64 {
    (row as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) >> 11
}

fn present(row: usize) -> bool {
    !mixed(row).is_multiple_of(16)
}

fn column<T>(value: impl Fn(u64) -> T) -> impl Iterator<Item = Option<T>> {
    (0..ROWS).map(move |row| present(row).then(|| value(mixed(row) / 16)))
}

/// Texts of 10 to 30 characters, such as people write: words with spaces around them.
pub(super) fn texts() -> Vec<Option<String>> {
    const WORDS: [&str; 8] = ["stream", "Table", "a", "of", "Windows", "changelog", "partition", "by"];
    let word = |number: u64| WORDS.get(number as usize % WORDS.len()).copied().unwrap_or_default();
    let text =
        |number: u64| format!("  {} {}-{} {} ", word(number), word(number / 8), word(number / 64), number % 1000);
    column(text).collect()
}

/// Numbers of either sign.
pub(super) fn integers() -> Vec<Option<i64>> {
    column(|number| (number % 2_000_000) as i64 - 1_000_000).collect()
}

/// The same at other rows and with other nulls.
pub(super) fn other_integers() -> Vec<Option<i64>> {
    let mut integers = integers();
    integers.rotate_left(1);
    integers
}

/// Numbers with three decimal places, of which none lies in the middle between two that have two.
pub(super) fn doubles() -> Vec<Option<f64>> {
    column(|number| (number % 100_000) as f64 / 100.0 + 0.003).collect()
}

/// Documents with two fields and an object that has two.
pub(super) fn documents() -> Vec<Option<String>> {
    let document = |number: u64| {
        let (user, page, ms) = (number % 1000, number % 77, number % 5000);
        format!(r#"{{"user":"user_{user}","page":{{"id":{page},"title":"page {page}"}},"ms":{ms}}}"#)
    };
    column(document).collect()
}

/// Times of about a year, in ms since 1970.
pub(super) fn times() -> Vec<Option<i64>> {
    column(|number| 1_700_000_000_000 + (number % 31_536_000_000) as i64).collect()
}

/// Arrays of up to seven texts; none is null, for what is in that is another thing to everybody.
pub(super) fn arrays() -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for number in (0..ROWS).map(mixed) {
        (0..number % 8).for_each(|item| lists.values().append_value(format!("tag_{}", (number + item * 7) % 20)));
        lists.append(true);
    }
    Arc::new(lists.finish())
}

pub(super) fn text_column(values: &[Option<String>]) -> ArrayRef {
    Arc::new(values.iter().map(Option::as_deref).collect::<StringArray>())
}

pub(super) fn integer_column(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(values.iter().copied().collect::<Int64Array>())
}

pub(super) fn double_column(values: &[Option<f64>]) -> ArrayRef {
    Arc::new(values.iter().copied().collect::<Float64Array>())
}

pub(super) fn time_column(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(values.iter().copied().collect::<TimestampMillisecondArray>())
}

//! Regular expressions.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListBuilder, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field, Int32Type};
use arrow::error::ArrowError;
use regex::Regex;

use super::kernel::{Outcome, at, failed, primitives, strings, text_at};
use super::{Param, Returns, ScalarFunction};
use Param::{Int, String as Text};

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    let text = || Returns::Type(DataType::Utf8);
    let texts = || Returns::Type(DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))));
    vec![
        f(
            "REGEXP_EXTRACT",
            "The first match of a pattern in a text, or a group of it, counted from 1; null if there is none.",
            ("REGEXP_EXTRACT('(.*) (.*)', 'hello there', 2)", "there"),
        )
        .overload(&[Text, Text], text(), extract)
        .overload(&[Text, Text, Int], text(), extract),
        f(
            "REGEXP_EXTRACT_ALL",
            "All matches of a pattern in a text, or a group of each.",
            ("REGEXP_EXTRACT_ALL('(\\w)x', 'ax bx', 1)", "[\"a\",\"b\"]"),
        )
        .overload(&[Text, Text], texts(), extract_all)
        .overload(&[Text, Text, Int], texts(), extract_all),
        f(
            "REGEXP_REPLACE",
            "The text with every match of a pattern replaced; $1 in the replacement is a group.",
            ("REGEXP_REPLACE('baababaa', '(ab)+', 'cat')", "bacataa"),
        )
        .overload(&[Text, Text, Text], text(), replace),
        f(
            "REGEXP_SPLIT_TO_ARRAY",
            "The parts of a text between the matches of a pattern.",
            ("REGEXP_SPLIT_TO_ARRAY('a1b22c', '[0-9]+')", "[\"a\",\"b\",\"c\"]"),
        )
        .overload(&[Text, Text], texts(), split),
    ]
}

/// The compiled patterns of a column; most batches have the same one throughout.
struct Compiled<'a> {
    patterns: &'a StringArray,
    last: Option<(&'a str, Regex)>,
}

impl<'a> Compiled<'a> {
    fn at(&mut self, row: usize) -> Result<Option<&Regex>, ArrowError> {
        let Some(pattern) = text_at(self.patterns, row) else { return Ok(None) };
        if self.last.as_ref().is_none_or(|(last, _)| *last != pattern) {
            let regex = Regex::new(pattern)
                .map_err(|error| failed(format!("the regular expression \"{pattern}\" cannot be used: {error}")))?;
            self.last = Some((pattern, regex));
        }
        Ok(self.last.as_ref().map(|(_, regex)| regex))
    }
}

/// The group that a row asks for, 0 for the whole match; `None` for null.
fn groups(args: &[ArrayRef]) -> Result<impl Fn(usize) -> Option<usize>, ArrowError> {
    let groups = if args.len() > 2 { Some(primitives::<Int32Type>(args, 2)?) } else { None };
    Ok(move |row| groups.map_or(Some(0), |groups| usize::try_from(at(groups, row)?).ok()))
}

fn extract(args: &[ArrayRef]) -> Outcome {
    let (mut compiled, texts) = (Compiled { patterns: strings(args, 0)?, last: None }, strings(args, 1)?);
    let group = groups(args)?;
    let mut result = StringBuilder::new();
    for row in 0..texts.len() {
        let found = compiled
            .at(row)?
            .zip(text_at(texts, row))
            .zip(group(row))
            .and_then(|((regex, text), group)| Some(regex.captures(text)?.get(group)?.as_str()));
        result.append_option(found);
    }
    Ok(Arc::new(result.finish()))
}

fn extract_all(args: &[ArrayRef]) -> Outcome {
    let (mut compiled, texts) = (Compiled { patterns: strings(args, 0)?, last: None }, strings(args, 1)?);
    let group = groups(args)?;
    let mut result = ListBuilder::new(StringBuilder::new());
    for row in 0..texts.len() {
        match compiled.at(row)?.zip(text_at(texts, row)).zip(group(row)) {
            Some(((regex, _), group)) if group >= regex.captures_len() => result.append(false),
            Some(((regex, text), group)) => {
                for captures in regex.captures_iter(text) {
                    result.values().append_option(captures.get(group).map(|found| found.as_str()));
                }
                result.append(true);
            }
            None => result.append(false),
        }
    }
    Ok(Arc::new(result.finish()))
}

fn replace(args: &[ArrayRef]) -> Outcome {
    let (texts, replacements) = (strings(args, 0)?, strings(args, 2)?);
    let mut compiled = Compiled { patterns: strings(args, 1)?, last: None };
    let mut result = StringBuilder::new();
    for row in 0..texts.len() {
        let found = compiled.at(row)?.zip(text_at(texts, row)).zip(text_at(replacements, row));
        result.append_option(found.map(|((regex, text), new)| regex.replace_all(text, replacement(new)).into_owned()));
    }
    Ok(Arc::new(result.finish()))
}

/// A replacement as Java writes it in this library's notation: `$1` ends after its digit, `\$` is a dollar.
fn replacement(java: &str) -> String {
    let mut out = String::with_capacity(java.len());
    let mut chars = java.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('$') => out.push_str("$$"),
                Some(c) => out.push(c),
                None => {}
            },
            '$' if chars.peek().is_some_and(char::is_ascii_digit) => {
                out.push_str("${");
                out.extend(chars.next());
                out.push('}');
            }
            '$' if chars.peek() != Some(&'{') => out.push_str("$$"),
            c => out.push(c),
        }
    }
    out
}

fn split(args: &[ArrayRef]) -> Outcome {
    let (texts, mut compiled) = (strings(args, 0)?, Compiled { patterns: strings(args, 1)?, last: None });
    let mut result = ListBuilder::new(StringBuilder::new());
    for row in 0..texts.len() {
        match compiled.at(row)?.zip(text_at(texts, row)) {
            // Nothing between characters matches: every character is a part.
            Some((regex, text)) if regex.as_str().is_empty() && !text.is_empty() => {
                text.chars().for_each(|c| result.values().append_value(c.to_string()));
                result.append(true);
            }
            Some((regex, text)) => {
                regex.split(text).for_each(|part| result.values().append_value(part));
                result.append(true);
            }
            None => result.append(false),
        }
    }
    Ok(Arc::new(result.finish()))
}

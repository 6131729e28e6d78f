//! Patterns of `LIKE … ESCAPE`.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, StringArray};
use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;

use super::kernel::{arg, strings, text_at};
use super::{Param, Returns, ScalarFunction, Udf};

/// The pattern with a backslash as its escape character, given the pattern and the one that it has. No name that
/// statements can call it by is registered.
#[must_use]
pub fn like_pattern() -> &'static ScalarUDF {
    static FUNCTION: LazyLock<ScalarUDF> = LazyLock::new(|| {
        let function = ScalarFunction::new("LIKE PATTERN", "A pattern of LIKE, escaped by backslashes.", ("", ""));
        let text = &[Param::String, Param::String];
        Udf::of(
            &Arc::new(function.overload(text, Returns::Type(DataType::Utf8), |args| {
                let (patterns, escapes) = (strings(args, 0)?, strings(args, 1)?);
                let escaped = |row| {
                    let escape = text_at(escapes, row)?.chars().next()?;
                    text_at(patterns, row).map(|pattern| with_backslashes(pattern, escape))
                };
                Ok(Arc::new((0..arg(args, 0)?.len()).map(escaped).collect::<StringArray>()))
            })),
            None,
        )
    });
    &FUNCTION
}

fn with_backslashes(pattern: &str, escape: char) -> String {
    let mut result = String::with_capacity(pattern.len() + 4);
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c == escape {
            // At the end it escapes nothing and stands for itself.
            result.extend(['\\', chars.next().unwrap_or(c)]);
        } else if c == '\\' {
            result.push_str("\\\\");
        } else {
            result.push(c);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::with_backslashes;

    #[test]
    fn any_character_can_escape() {
        for (pattern, escape, expected) in [
            ("a!%b%", '!', r"a\%b%"),
            ("!!_", '!', r"\!_"),
            (r"c:\!_", '!', r"c:\\\_"),
            ("100%%", '%', r"100\%"),
            ("x!", '!', r"x\!"),
        ] {
            assert_eq!(with_backslashes(pattern, escape), expected);
        }
    }
}

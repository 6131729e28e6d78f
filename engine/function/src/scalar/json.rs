//! Functions of JSON in text.

use std::sync::Arc;

use arrow::array::Array;
use arrow::datatypes::{DataType, Int32Type};
use serde_json::Value;

use super::kernel::{boolean_rows, map_text_to, strings, text_at, text_rows};
use super::{Param, Returns, ScalarFunction};
use Param::String as Text;

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    vec![
        f(
            "EXTRACTJSONFIELD",
            "What a path like $.a.b[0] finds in a JSON document, as text.",
            ("EXTRACTJSONFIELD('{\"a\":[1,2]}', '$.a[1]')", "2"),
        )
        .overload(&[Text, Text], Returns::Type(DataType::Utf8), |args| {
            let (documents, paths) = (strings(args, 0)?, strings(args, 1)?);
            text_rows(documents.len(), |row| {
                let document: Value = serde_json::from_str(text_at(documents, row)?).ok()?;
                Some(match find(&document, text_at(paths, row)?)? {
                    Value::Null => return None,
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                })
            })
        }),
        f("JSON_ARRAY_LENGTH", "The number of items of a JSON array.", ("JSON_ARRAY_LENGTH('[1, 2]')", "2")).overload(
            &[Text],
            Returns::Type(DataType::Int32),
            |args| {
                map_text_to::<Int32Type>(args, |text| {
                    Some(serde_json::from_str::<Value>(text).ok()?.as_array()?.len() as i32)
                })
            },
        ),
        f("IS_JSON_STRING", "Whether a text is a JSON document.", ("IS_JSON_STRING('{]')", "false")).overload(
            &[Text],
            Returns::Type(DataType::Boolean),
            |args| {
                let texts = strings(args, 0)?;
                boolean_rows(texts.len(), |row| {
                    Some(text_at(texts, row).is_some_and(|text| serde_json::from_str::<Value>(text).is_ok()))
                })
            },
        ),
        f("JSON_KEYS", "The names of a JSON object's fields.", ("JSON_KEYS('{\"a\":1}')", "[\"a\"]")).overload(
            &[Text],
            Returns::Computed(|_| DataType::List(Arc::new(arrow::datatypes::Field::new("item", DataType::Utf8, true)))),
            |args| {
                let texts = strings(args, 0)?;
                let mut lists = arrow::array::ListBuilder::new(arrow::array::StringBuilder::new());
                for row in 0..texts.len() {
                    let document = text_at(texts, row).and_then(|text| serde_json::from_str::<Value>(text).ok());
                    let object = document.as_ref().and_then(Value::as_object);
                    if let Some(object) = object {
                        object.keys().for_each(|key| lists.values().append_value(key));
                    }
                    lists.append(object.is_some());
                }
                Ok(Arc::new(lists.finish()))
            },
        ),
    ]
}

/// Follows a path of `.name` and `[index]` from `$`.
fn find<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    let mut rest = path.strip_prefix('$')?;
    let mut found = document;
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix('[') {
            let (index, tail) = tail.split_once(']')?;
            found = match index.trim_matches(['\'', '"']) {
                name if name.len() < index.len() => found.get(name)?,
                number => found.get(number.parse::<usize>().ok()?)?,
            };
            rest = tail;
        } else {
            let tail = rest.strip_prefix('.')?;
            let end = tail.find(['.', '[']).unwrap_or(tail.len());
            found = found.get(tail.get(..end)?)?;
            rest = tail.get(end..)?;
        }
    }
    Some(found)
}

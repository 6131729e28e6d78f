//! Functions of JSON in text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int32Array, ListBuilder, StringBuilder};
use arrow::datatypes::{DataType, Field};
use serde_json::Value;

use super::display::json_of;
use super::kernel::{Outcome, arg, boolean_rows, strings, text_at, text_rows};
use super::{Param, Returns, ScalarFunction};
use crate::overload::map_of;
use Param::{Any, String as Text};

const TEXT: Returns = Returns::Type(DataType::Utf8);

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    let texts = || Returns::Type(DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))));
    vec![
        f(
            "EXTRACTJSONFIELD",
            "What a path like $.a.b[0] finds in a JSON document, as text.",
            ("EXTRACTJSONFIELD('{\"a\":[1,2]}', '$.a[1]')", "2"),
        )
        .overload(&[Text, Text], TEXT, |args| {
            let (documents, paths) = (strings(args, 0)?, strings(args, 1)?);
            text_rows(documents.len(), |row| {
                let document = document(text_at(documents, row)?)?;
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
                let length = |text: Option<&str>| Some(document(text?)?.as_array()?.len() as i32);
                Ok(Arc::new(strings(args, 0)?.iter().map(length).collect::<Int32Array>()))
            },
        ),
        f(
            "JSON_ARRAY_CONTAINS",
            "Whether a JSON array has an item.",
            ("JSON_ARRAY_CONTAINS('[1, \"a\"]', 'a')", "true"),
        )
        .overload(&[Text, Any], Returns::Type(DataType::Boolean), array_contains),
        f(
            "JSON_CONCAT",
            "JSON objects merged, the last of equal fields counting; anything else as one array.",
            ("JSON_CONCAT('{\"a\":1}', '{\"b\":2}')", "{\"a\":1,\"b\":2}"),
        )
        .example(("JSON_CONCAT('[1]', '2')", "[1,2]"))
        .variadic(&[Text, Text], TEXT, concat),
        f("JSON_ITEMS", "The items of a JSON array, each as JSON.", ("JSON_ITEMS('[1, [2]]')", "[\"1\",\"[2]\"]"))
            .overload(&[Text], texts(), |args| {
                lists(args, |document| Some(document.as_array()?.iter().map(Value::to_string).collect()))
            }),
        f("JSON_KEYS", "The names of a JSON object's fields.", ("JSON_KEYS('{\"a\":1}')", "[\"a\"]")).overload(
            &[Text],
            texts(),
            |args| lists(args, |document| Some(document.as_object()?.keys().cloned().collect())),
        ),
        f(
            "JSON_RECORDS",
            "The fields of a JSON object as a map, each value as JSON.",
            ("JSON_RECORDS('{\"a\":1}')", "{\"a\":\"1\"}"),
        )
        .overload(&[Text], Returns::Type(map_of(DataType::Utf8)), records),
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
        f("TO_JSON_STRING", "A value of any type as JSON.", ("TO_JSON_STRING(ARRAY[1, NULL])", "[1,null]")).overload(
            &[Any],
            TEXT,
            |args| {
                let values = arg(args, 0)?;
                text_rows(values.len(), |row| Some(json_of(values, row).to_string()))
            },
        ),
    ]
}

/// The first document of a text; what follows it is not looked at, as in ksqlDB.
fn document(text: &str) -> Option<Value> {
    serde_json::Deserializer::from_str(text).into_iter().next()?.ok()
}

fn array_contains(args: &[ArrayRef]) -> Outcome {
    let (texts, wanted) = (strings(args, 0)?, arg(args, 1)?);
    boolean_rows(texts.len(), |row| {
        let document = text_at(texts, row).and_then(document);
        let items = document.as_ref().and_then(Value::as_array);
        let wanted = json_of(wanted, row);
        let same = |item: &Value| match (item.as_f64(), wanted.as_f64()) {
            (Some(item), Some(wanted)) => item == wanted,
            _ => *item == wanted,
        };
        Some(items.is_some_and(|items| items.iter().any(same)))
    })
}

fn concat(args: &[ArrayRef]) -> Outcome {
    let columns = (0..args.len()).map(|index| strings(args, index)).collect::<Result<Vec<_>, _>>()?;
    text_rows(columns.first().map_or(0, |column| column.len()), |row| {
        let documents = columns.iter().map(|column| document(text_at(column, row)?));
        let documents = documents.collect::<Option<Vec<Value>>>()?;
        let joined = if documents.iter().all(Value::is_object) {
            let fields = documents.into_iter().filter_map(|document| match document {
                Value::Object(fields) => Some(fields),
                _ => None,
            });
            Value::Object(fields.flatten().collect())
        } else {
            let items = documents.into_iter().flat_map(|document| match document {
                Value::Array(items) => items,
                other => vec![other],
            });
            Value::Array(items.collect())
        };
        Some(joined.to_string())
    })
}

fn lists(args: &[ArrayRef], parts: impl Fn(&Value) -> Option<Vec<String>>) -> Outcome {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for text in strings(args, 0)? {
        let parts = text.and_then(document).and_then(|document| parts(&document));
        parts.iter().flatten().for_each(|part| lists.values().append_value(part));
        lists.append(parts.is_some());
    }
    Ok(Arc::new(lists.finish()))
}

fn records(args: &[ArrayRef]) -> Outcome {
    let (mut keys, mut values, mut lengths) = (StringBuilder::new(), StringBuilder::new(), Vec::new());
    for text in strings(args, 0)? {
        let document = text.and_then(document);
        let fields = document.as_ref().and_then(Value::as_object);
        lengths.push(fields.map(serde_json::Map::len));
        for (key, value) in fields.into_iter().flatten() {
            keys.append_value(key);
            values.append_value(value.to_string());
        }
    }
    super::map::map_of_entries(Arc::new(keys.finish()), Arc::new(values.finish()), &lengths)
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

//! The properties of `WITH (…)`.

use millstream_sql::ast::{Properties, Property};
use millstream_sql::{Diagnostic, Span, Value};

use crate::{Column, Format, FormatKind, Result};

/// What a source or sink gets where its properties say nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Defaults {
    /// The format of keys; KAFKA if there is none.
    pub key_format: Option<FormatKind>,
    /// The format of values; it must be given if there is none.
    pub value_format: Option<FormatKind>,
    /// What the name of a query's topic starts with if it has no name of its own.
    pub topic_prefix: String,
    /// Whether the key of a query's stream has only the columns that are selected, in the order of `SELECT`.
    pub free_keys: bool,
}

impl Defaults {
    /// The format of keys.
    pub(crate) fn key(&self) -> Format {
        Format::new(self.key_format.unwrap_or(FormatKind::Kafka))
    }

    /// The format of values, if there is one.
    pub(crate) fn value(&self) -> Option<Format> {
        self.value_format.map(Format::new)
    }
}

/// The properties that a `WITH` may have.
const PROPERTIES: [&str; 17] = [
    "KAFKA_TOPIC",
    "VALUE_FORMAT",
    "KEY_FORMAT",
    "FORMAT",
    "PARTITIONS",
    "REPLICAS",
    "TIMESTAMP",
    "TIMESTAMP_FORMAT",
    "WINDOW_TYPE",
    "WINDOW_SIZE",
    "WRAP_SINGLE_VALUE",
    "VALUE_DELIMITER",
    "KEY_DELIMITER",
    "RETENTION_MS",
    "VALUE_SCHEMA_FULL_NAME",
    "KEY_SCHEMA_ID",
    "VALUE_SCHEMA_ID",
];

/// A property that had no effect in earlier versions and has no place in new statements. The command log may have it.
const CLEANUP_POLICY: &str = "CLEANUP_POLICY";

/// Refuses properties that nobody knows, and replicas that are none.
pub(crate) fn check_properties(with: &Properties) -> Result<()> {
    for property in &with.items {
        if property.name != CLEANUP_POLICY && !PROPERTIES.contains(&property.name.as_str()) {
            let names: Vec<String> = PROPERTIES.iter().map(|name| (*name).to_owned()).collect();
            let message = format!("property \"{}\" is not known", property.name);
            let diagnostic = Diagnostic::new("E0210", message).at(property.name_span, "unknown");
            return Err(Box::new(diagnostic.suggest(&property.name, &names)));
        }
    }
    integer(with, "REPLICAS", 1)?;
    Ok(())
}

/// How long the topic of a new statement is to keep its records, -1 for ever, and where the statement says so; `None`
/// if it does not.
///
/// This is apart from what is checked of every statement: the command log has some of earlier versions, in which
/// these properties had no effect and could be anything.
///
/// # Errors
/// A diagnostic if that is no such number, or if a policy of cleaning up is to say it.
pub fn retention_ms(with: &Properties) -> Result<Option<(i64, Span)>> {
    if let Some(property) = with.get(CLEANUP_POLICY) {
        let message =
            "property CLEANUP_POLICY cannot be given: streams delete old records, tables keep the last of each key";
        let diagnostic = Diagnostic::new("E0210", message).at(property.name_span, "leave it out");
        return Err(Box::new(diagnostic.help("a Kafka client can change the cleanup.policy of a topic")));
    }
    let place = with.get("RETENTION_MS").map(|property| property.value_span);
    Ok(integer(with, "RETENTION_MS", -1)?.zip(place))
}

pub(crate) fn wrong(property: &Property, expected: &str) -> Box<Diagnostic> {
    let message = format!("property {} cannot be {}: expected {expected}", property.name, property.value.to_literal());
    Box::new(Diagnostic::new("E0211", message).at(property.value_span, ""))
}

pub(crate) fn text<'a>(with: &'a Properties, name: &str) -> Result<Option<&'a str>> {
    match with.get(name) {
        None => Ok(None),
        Some(Property { value: Value::String(text), .. }) => Ok(Some(text)),
        Some(property) => Err(wrong(property, "a string in quotes")),
    }
}

/// The topic that the properties name.
pub(crate) fn topic_name(with: &Properties) -> Result<Option<String>> {
    Ok(text(with, "KAFKA_TOPIC")?.map(str::to_owned))
}

/// A whole number among the properties.
pub(crate) fn integer(with: &Properties, name: &str, least: i64) -> Result<Option<i64>> {
    let Some(property) = with.get(name) else { return Ok(None) };
    let number = match &property.value {
        Value::Integer(number) => Some(*number),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    match number.filter(|number| *number >= least) {
        Some(number) => Ok(Some(number)),
        None => Err(wrong(property, &format!("a whole number from {least} on"))),
    }
}

fn boolean(with: &Properties, name: &str) -> Result<Option<bool>> {
    let Some(property) = with.get(name) else { return Ok(None) };
    match &property.value {
        Value::Boolean(value) => Ok(Some(*value)),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
        _ => Err(wrong(property, "TRUE or FALSE")),
    }
}

/// The formats of keys and values that the properties name, or the defaults.
pub(crate) fn formats(
    with: &Properties,
    (mut key, value): (Format, Option<Format>),
    place: Span,
) -> Result<(Format, Format)> {
    let named = |name: &str| -> Result<Option<FormatKind>> {
        let Some(property) = with.get(name) else { return Ok(None) };
        let kind = text(with, name)?.and_then(FormatKind::parse);
        kind.map(Some).ok_or_else(|| wrong(property, "JSON, DELIMITED, KAFKA or NONE"))
    };
    let both = named("FORMAT")?;
    if both.is_some()
        && let Some(other) = with.get("KEY_FORMAT").or_else(|| with.get("VALUE_FORMAT"))
    {
        let message = format!("FORMAT and {} cannot both be given", other.name);
        return Err(Box::new(Diagnostic::new("E0212", message).at(other.name_span, "remove one of them")));
    }
    if let Some(kind) = named("KEY_FORMAT")?.or(both) {
        key = Format::new(kind);
    }
    let Some(mut value) = named("VALUE_FORMAT")?.or(both).map(Format::new).or(value) else {
        let message = "the format of the values is not given";
        let help = "add WITH (VALUE_FORMAT='JSON') or another of JSON, DELIMITED, KAFKA";
        return Err(Box::new(Diagnostic::new("E0213", message).at(place, "").help(help)));
    };
    value.wrap = boolean(with, "WRAP_SINGLE_VALUE")?.unwrap_or(value.wrap);
    for (name, format) in [("KEY_DELIMITER", &mut key), ("VALUE_DELIMITER", &mut value)] {
        if let (Some(delimiter), Some(property)) = (text(with, name)?, with.get(name)) {
            if format.kind != FormatKind::Delimited {
                let message = format!("{name} is for format DELIMITED, this is {}", format.kind);
                let diagnostic = Diagnostic::new("E0211", message).at(property.name_span, "remove it");
                return Err(Box::new(diagnostic));
            }
            let mut chars = delimiter.chars();
            format.delimiter = match (delimiter.to_ascii_uppercase().as_str(), chars.next(), chars.next()) {
                ("TAB", ..) => '\t',
                ("SPACE", ..) => ' ',
                (_, Some(c), None) => c,
                _ => return Err(wrong(property, "a single character, 'TAB' or 'SPACE'")),
            };
        }
    }
    Ok((key, value))
}

/// Refuses a statement about the wrapping of single columns where it has no meaning.
pub(crate) fn check_wrap(with: &Properties, format: Format, columns: &[Column]) -> Result<()> {
    let Some(property) = with.get("WRAP_SINGLE_VALUE") else { return Ok(()) };
    let (message, help) = match (format.kind, columns) {
        (FormatKind::Json, [_]) => return Ok(()),
        (_, [_]) if !format.wrap => return Ok(()),
        (kind, [_]) => (format!("format {kind} cannot wrap a single value"), "remove WRAP_SINGLE_VALUE or use JSON"),
        (_, columns) => (
            format!("WRAP_SINGLE_VALUE is for values of one column, these have {}", columns.len()),
            "remove WRAP_SINGLE_VALUE",
        ),
    };
    Err(Box::new(Diagnostic::new("E0224", message).at(property.name_span, "").help(help)))
}

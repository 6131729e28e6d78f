//! `CREATE STREAM|TABLE` over a topic.

use millstream_function::Pattern;
use millstream_sql::ast::{ColumnDef, ColumnRole, CreateSource, Ident, Properties, Property, SourceKind};
use millstream_sql::{Diagnostic, Field, SqlType, Value};

use crate::{Catalog, Column, Format, FormatKind, Result, Source, SourceWindow, TimestampColumn};

/// The properties that a `WITH` may have.
const PROPERTIES: [&str; 18] = [
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
    "CLEANUP_POLICY",
    "VALUE_SCHEMA_FULL_NAME",
    "KEY_SCHEMA_ID",
    "VALUE_SCHEMA_ID",
];

/// Names that records have beside their columns.
pub(crate) const PSEUDO_COLUMNS: [&str; 5] = ["ROWTIME", "ROWPARTITION", "ROWOFFSET", "WINDOWSTART", "WINDOWEND"];

/// Plans a declared source. `partitions` is left to who creates the topic.
///
/// # Errors
/// A diagnostic at what is wrong.
pub fn plan_source(create: &CreateSource, catalog: &Catalog, statement: &str) -> Result<Source> {
    check_properties(&create.with)?;
    let mut source = Source {
        name: create.name.name.clone(),
        kind: create.kind,
        topic: topic_name(&create.with)?.unwrap_or_else(|| create.name.name.clone()),
        key: Vec::new(),
        value: Vec::new(),
        key_format: Format::new(FormatKind::Kafka),
        value_format: Format::new(FormatKind::Json),
        window: None,
        retention_ms: None,
        timestamp: None,
        read_only: create.read_only,
        partitions: 0,
        statement: statement.to_owned(),
        query: None,
    };
    columns(create, catalog, &mut source)?;
    (source.key_format, source.value_format) =
        formats(&create.with, (Format::new(FormatKind::Kafka), None), create.name.span)?;
    source.window = window(&create.with)?;
    source.timestamp = timestamp(&create.with, &source)?;
    check_key(create, &source)?;
    Ok(source)
}

/// Refuses properties that nobody knows.
pub(crate) fn check_properties(with: &Properties) -> Result<()> {
    for property in &with.items {
        if !PROPERTIES.contains(&property.name.as_str()) {
            let names: Vec<String> = PROPERTIES.iter().map(|name| (*name).to_owned()).collect();
            let message = format!("property \"{}\" is not known", property.name);
            let diagnostic = Diagnostic::new("E0210", message).at(property.name_span, "unknown");
            return Err(Box::new(diagnostic.suggest(&property.name, &names)));
        }
    }
    Ok(())
}

fn wrong(property: &Property, expected: &str) -> Box<Diagnostic> {
    let message = format!("property {} cannot be {}: expected {expected}", property.name, property.value.to_literal());
    Box::new(Diagnostic::new("E0211", message).at(property.value_span, ""))
}

fn text<'a>(with: &'a Properties, name: &str) -> Result<Option<&'a str>> {
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
    place: millstream_sql::Span,
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

fn columns(create: &CreateSource, catalog: &Catalog, source: &mut Source) -> Result<()> {
    for column in &create.columns {
        let name = &column.name;
        if PSEUDO_COLUMNS.contains(&name.name.as_str()) {
            let message = format!("column \"{}\" has the name of a system column", name.name);
            return Err(Box::new(Diagnostic::new("E0214", message).at(name.span, "choose another name")));
        }
        if source.column(&name.name).is_some() {
            let message = format!("column \"{}\" is declared twice", name.name);
            return Err(Box::new(Diagnostic::new("E0214", message).at(name.span, "declared again")));
        }
        let ty = column_type(&column.ty, catalog, name)?;
        match (&column.role, create.kind) {
            (ColumnRole::Value, _) => source.value.push(Column { name: name.name.clone(), ty }),
            (ColumnRole::Key, SourceKind::Stream) | (ColumnRole::PrimaryKey, SourceKind::Table) => {
                source.key.push(Column { name: name.name.clone(), ty });
            }
            (role, _) => return Err(wrong_role(column, role, source)),
        }
    }
    if source.value.is_empty() && source.key.is_empty() {
        let message = format!("{} \"{}\" has no columns", source.noun(), source.name);
        let help = "declare them: CREATE STREAM s (id BIGINT KEY, v STRING) WITH (…)";
        return Err(Box::new(Diagnostic::new("E0215", message).at(create.name.span, "").help(help)));
    }
    Ok(())
}

fn wrong_role(column: &ColumnDef, role: &ColumnRole, source: &Source) -> Box<Diagnostic> {
    let (message, help) = match role {
        ColumnRole::Headers(_) => ("columns of headers are not there yet".to_owned(), "leave the column out"),
        ColumnRole::Key => (
            format!("column \"{}\" of table \"{}\" cannot be a KEY", column.name.name, source.name),
            "a table has a PRIMARY KEY",
        ),
        _ => (
            format!("column \"{}\" of stream \"{}\" cannot be a PRIMARY KEY", column.name.name, source.name),
            "a stream has a KEY, which need not be unique",
        ),
    };
    Box::new(Diagnostic::new("E0216", message).at(column.name.span, "").help(help))
}

/// A declared type with named types looked up.
///
/// # Errors
/// A diagnostic if a named type does not exist.
pub fn column_type(ty: &SqlType, catalog: &Catalog, place: &Ident) -> Result<SqlType> {
    Ok(match ty {
        SqlType::Named(name) => match catalog.named_type(name) {
            Some(ty) => ty.clone(),
            None => {
                let mut names: Vec<String> = catalog.named_types().map(|(name, _)| name.clone()).collect();
                let builtin = [
                    "BOOLEAN",
                    "INT",
                    "BIGINT",
                    "DOUBLE",
                    "DECIMAL",
                    "STRING",
                    "VARCHAR",
                    "BYTES",
                    "DATE",
                    "TIME",
                    "TIMESTAMP",
                    "ARRAY",
                    "MAP",
                    "STRUCT",
                ];
                names.extend(builtin.iter().map(|name| (*name).to_owned()));
                let message = format!("type \"{name}\" of column \"{}\" does not exist", place.name);
                return Err(Box::new(Diagnostic::new("E0217", message).at(place.span, "").suggest(name, &names)));
            }
        },
        SqlType::Array(item) => SqlType::Array(Box::new(column_type(item, catalog, place)?)),
        SqlType::Map(key, value) => {
            let key = column_type(key, catalog, place)?;
            if key != SqlType::String {
                let message = format!("the map in column \"{}\" has keys of type {key}", place.name);
                return Err(Box::new(Diagnostic::new("E0218", message).at(place.span, "").help("use MAP<STRING, …>")));
            }
            SqlType::Map(Box::new(key), Box::new(column_type(value, catalog, place)?))
        }
        SqlType::Struct(fields) => {
            let resolved = fields
                .iter()
                .map(|field| Ok(Field { name: field.name.clone(), ty: column_type(&field.ty, catalog, place)? }));
            SqlType::Struct(resolved.collect::<Result<_>>()?)
        }
        other => other.clone(),
    })
}

fn window(with: &Properties) -> Result<Option<SourceWindow>> {
    let Some(property) = with.get("WINDOW_TYPE") else { return Ok(None) };
    let kind = text(with, "WINDOW_TYPE")?.unwrap_or_default().to_ascii_uppercase();
    if kind == "SESSION" {
        return Ok(Some(SourceWindow::Session));
    }
    if kind != "TUMBLING" && kind != "HOPPING" {
        return Err(wrong(property, "'TUMBLING', 'HOPPING' or 'SESSION'"));
    }
    let Some(size) = with.get("WINDOW_SIZE") else {
        let diagnostic = Diagnostic::new("E0219", format!("a {kind} source needs its window's size"));
        return Err(Box::new(diagnostic.at(property.value_span, "").help("add WINDOW_SIZE='1 HOUR'")));
    };
    let size_ms = text(with, "WINDOW_SIZE")?.and_then(parse_duration_ms);
    let size_ms = size_ms.ok_or_else(|| wrong(size, "a time like '10 MINUTES'"))?;
    Ok(Some(SourceWindow::Time { size_ms, tumbling: kind == "TUMBLING" }))
}

fn parse_duration_ms(text: &str) -> Option<i64> {
    let (count, unit) = text.trim().split_once(' ')?;
    let unit_ms = match unit.trim().to_ascii_uppercase().trim_end_matches('S') {
        "MILLISECOND" => 1,
        "SECOND" => 1000,
        "MINUTE" => 60_000,
        "HOUR" => 3_600_000,
        "DAY" => 86_400_000,
        _ => return None,
    };
    count.parse::<i64>().ok()?.checked_mul(unit_ms).filter(|ms| *ms > 0)
}

/// The timestamp column that the properties name.
pub(crate) fn timestamp(with: &Properties, source: &Source) -> Result<Option<TimestampColumn>> {
    let format = text(with, "TIMESTAMP_FORMAT")?.map(str::to_owned);
    let Some(name) = text(with, "TIMESTAMP")? else { return Ok(None) };
    let property = with.get("TIMESTAMP").map(|property| property.value_span).unwrap_or_default();
    let quoted = name.strip_prefix('`').and_then(|name| name.strip_suffix('`'));
    let name = quoted.map_or_else(|| name.to_uppercase(), str::to_owned);
    let Some(column) = source.column(&name) else {
        let names: Vec<String> = source.columns().map(|column| column.name.clone()).collect();
        let message =
            format!("the TIMESTAMP column \"{name}\" does not exist in {} \"{}\"", source.noun(), source.name);
        return Err(Box::new(Diagnostic::new("E0220", message).at(property, "not found").suggest(&name, &names)));
    };
    let (fits, help) = match &format {
        Some(_) => (column.ty == SqlType::String, "TIMESTAMP_FORMAT is for columns of type STRING"),
        None => (
            matches!(column.ty, SqlType::BigInt | SqlType::Timestamp),
            "it must be a BIGINT of ms or a TIMESTAMP, or a STRING with TIMESTAMP_FORMAT",
        ),
    };
    if !fits {
        let message = format!("the TIMESTAMP column \"{name}\" is of type {}", column.ty);
        return Err(Box::new(Diagnostic::new("E0220", message).at(property, "").help(help)));
    }
    if let Some(format) = &format
        && let Err(error) = Pattern::new(format)
    {
        return Err(Box::new(Diagnostic::new("E0221", error.to_string()).at(property, "")));
    }
    Ok(Some(TimestampColumn { name, format }))
}

fn check_key(create: &CreateSource, source: &Source) -> Result<()> {
    let place = create.name.span;
    if source.is_table() && source.key.is_empty() {
        let message = format!("table \"{}\" has no primary key", source.name);
        let help = "mark one of its columns: id BIGINT PRIMARY KEY";
        return Err(Box::new(Diagnostic::new("E0222", message).at(place, "").help(help)));
    }
    check_format("key", source.key_format.kind, &source.key, place)?;
    check_format("value", source.value_format.kind, &source.value, place)
}

/// Refuses columns that a format cannot hold.
pub(crate) fn check_format(
    part: &str,
    kind: FormatKind,
    columns: &[Column],
    place: millstream_sql::Span,
) -> Result<()> {
    let refuse =
        |message: String, help: &str| Err(Box::new(Diagnostic::new("E0223", message).at(place, "").help(help)));
    match kind {
        FormatKind::Kafka if columns.len() > 1 => refuse(
            format!("a {part} of format KAFKA holds one column, not {}", columns.len()),
            &format!("use {}_FORMAT='JSON'", part.to_uppercase()),
        ),
        FormatKind::None if !columns.is_empty() => {
            refuse(format!("a {part} of format NONE holds no columns"), "remove the columns or choose another format")
        }
        FormatKind::Kafka | FormatKind::Delimited => {
            let nested = |ty: &SqlType| matches!(ty, SqlType::Array(_) | SqlType::Map(..) | SqlType::Struct(_));
            let primitive = |ty: &SqlType| {
                matches!(ty, SqlType::Int | SqlType::BigInt | SqlType::Double | SqlType::String | SqlType::Bytes)
            };
            let fits = |ty: &SqlType| if kind == FormatKind::Kafka { primitive(ty) } else { !nested(ty) };
            match columns.iter().find(|column| !fits(&column.ty)) {
                Some(column) => refuse(
                    format!("format {kind} cannot hold column \"{}\" of type {}", column.name, column.ty),
                    "use format JSON",
                ),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

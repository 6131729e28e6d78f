//! `CREATE STREAM|TABLE` over a topic.

use millstream_function::Pattern;
use millstream_sql::ast::{ColumnDef, ColumnRole, CreateSource, Ident, Properties, SourceKind};
use millstream_sql::{Diagnostic, Field, SqlType};

use crate::properties::{Defaults, check_properties, check_wrap, formats, text, topic_name, wrong};
use crate::{Catalog, Column, Format, FormatKind, HeaderColumn, Result, Source, SourceWindow, TimestampColumn};

/// Names that records have beside their columns.
pub(crate) const PSEUDO_COLUMNS: [&str; 5] = ["ROWTIME", "ROWPARTITION", "ROWOFFSET", "WINDOWSTART", "WINDOWEND"];

/// Plans a declared source. `partitions` is left to who creates the topic.
///
/// # Errors
/// A diagnostic at what is wrong.
pub fn plan_source(create: &CreateSource, catalog: &Catalog, defaults: &Defaults, statement: &str) -> Result<Source> {
    check_properties(&create.with)?;
    let mut source = Source {
        name: create.name.name.clone(),
        kind: create.kind,
        topic: topic_name(&create.with)?.unwrap_or_else(|| create.name.name.clone()),
        key: Vec::new(),
        value: Vec::new(),
        headers: Vec::new(),
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
        formats(&create.with, (defaults.key(), defaults.value()), create.name.span)?;
    check_wrap(&create.with, source.value_format, &source.value)?;
    source.window = window(&create.with)?;
    source.timestamp = timestamp(&create.with, &source)?;
    check_key(create, &source)?;
    Ok(source)
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
            (ColumnRole::Headers(header), _) => {
                check_header(name, &ty, header.as_deref(), source)?;
                let column = Column { name: name.name.clone(), ty };
                source.headers.push(HeaderColumn { column, header: header.clone() });
            }
            (ColumnRole::Value, _) => source.value.push(Column { name: name.name.clone(), ty }),
            (ColumnRole::Key, SourceKind::Stream) | (ColumnRole::PrimaryKey, SourceKind::Table) => {
                source.key.push(Column { name: name.name.clone(), ty });
            }
            (role, _) => return Err(wrong_role(column, role, source)),
        }
    }
    if source.readable().next().is_none() {
        let message = format!("{} \"{}\" has no columns", source.noun(), source.name);
        let help = "declare them: CREATE STREAM s (id BIGINT KEY, v STRING) WITH (…)";
        return Err(Box::new(Diagnostic::new("E0215", message).at(create.name.span, "").help(help)));
    }
    Ok(())
}

/// Refuses a column of headers that is of another type than headers are, or that is there already.
fn check_header(name: &Ident, ty: &SqlType, header: Option<&str>, source: &Source) -> Result<()> {
    let field = |name: &str, ty| Field { name: name.to_owned(), ty };
    let all = SqlType::Struct(vec![field("KEY", SqlType::String), field("VALUE", SqlType::Bytes)]);
    let expected = if header.is_some() { SqlType::Bytes } else { SqlType::Array(Box::new(all)) };
    let refuse =
        |message: String, help: String| Err(Box::new(Diagnostic::new("E0227", message).at(name.span, "").help(help)));
    if *ty != expected {
        let what = header.map_or("all headers".to_owned(), |header| format!("header '{header}'"));
        let message = format!("column \"{}\" of {what} cannot be of type {ty}", name.name);
        return refuse(
            message,
            format!("write {} {expected} {}", name.name, if header.is_some() { "HEADER('…')" } else { "HEADERS" }),
        );
    }
    match source
        .headers
        .iter()
        .find(|other| other.header.as_deref() == header || header.is_none() || other.header.is_none())
    {
        Some(other) => refuse(
            format!("column \"{}\" has these headers already", other.column.name),
            "keep one of the two: a source has one column of all headers, or one for each header".to_owned(),
        ),
        None => Ok(()),
    }
}

fn wrong_role(column: &ColumnDef, role: &ColumnRole, source: &Source) -> Box<Diagnostic> {
    let (message, help) = match role {
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
        return match with.get("WINDOW_SIZE") {
            None => Ok(Some(SourceWindow::Session)),
            Some(size) => {
                let diagnostic = Diagnostic::new("E0219", "a SESSION window has no size: it ends when nothing comes");
                Err(Box::new(diagnostic.at(size.name_span, "").help("remove WINDOW_SIZE")))
            }
        };
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
    if source.window.is_some() && source.key.is_empty() {
        let message = format!("{} \"{}\" is windowed and has no key", source.noun(), source.name);
        let help = "the window is part of the key: mark a column as KEY";
        return Err(Box::new(Diagnostic::new("E0222", message).at(place, "").help(help)));
    }
    check_format("key", source.key_format.kind, &source.key, place)?;
    check_key_types(&source.key, place)?;
    check_format("value", source.value_format.kind, &source.value, place)
}

/// Refuses keys that have no single form as bytes.
pub(crate) fn check_key_types(key: &[Column], place: millstream_sql::Span) -> Result<()> {
    fn has_map(ty: &SqlType) -> bool {
        match ty {
            SqlType::Map(..) => true,
            SqlType::Array(item) => has_map(item),
            SqlType::Struct(fields) => fields.iter().any(|field| has_map(&field.ty)),
            _ => false,
        }
    }
    let Some(column) = key.iter().find(|column| has_map(&column.ty)) else { return Ok(()) };
    let message = format!("key column \"{}\" is of type {}", column.name, column.ty);
    let help = "a MAP has no order, so that equal keys could have other bytes: use another column or an element of it";
    Err(Box::new(Diagnostic::new("E0225", message).at(place, "").help(help)))
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

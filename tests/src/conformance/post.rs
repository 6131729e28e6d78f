//! What must be in the catalog after a case.

use millstream_log::Log;
use millstream_plan::{Column, Source, SourceWindow};
use millstream_sql::ast::{ColumnDef, ColumnRole};
use millstream_sql::{Statement, parse_statement};
use regex::Regex;

use super::case::Case;
use super::json::Json;
use super::session::Session;

/// What the names of internal topics start with; cases name some, but they need not be there.
const INTERNAL: &str = "_confluent-ksql-";

/// Checks `post` of a case.
pub(crate) fn check(session: &Session, case: &Case) -> Result<(), String> {
    let Some(post) = &case.post else { return Ok(()) };
    for wanted in post.get("sources").map(Json::items).unwrap_or_default() {
        let name = wanted.get("name").map(Json::to_text).unwrap_or_default();
        let catalog = session.engine.catalog();
        let source = catalog.source(&name).ok_or_else(|| format!("post: there is no source {name}"))?;
        check_source(wanted, source).map_err(|difference| format!("post: source {name}: {difference}"))?;
    }
    let Some(topics) = post.get("topics") else { return Ok(()) };
    if let Some(pattern) = topics.get("blacklist") {
        check_blacklist(session, &pattern.to_text())?;
    }
    for wanted in topics.get("topics").map(Json::items).unwrap_or_default() {
        let name = wanted.get("name").map(Json::to_text).unwrap_or_default();
        if !name.starts_with(INTERNAL) {
            check_topic(session, &name, wanted).map_err(|difference| format!("post: topic {name}: {difference}"))?;
        }
    }
    Ok(())
}

fn check_blacklist(session: &Session, pattern: &str) -> Result<(), String> {
    let pattern = Regex::new(&format!("^(?:{pattern})$")).map_err(|error| error.to_string())?;
    let topics = session.log.topics().map_err(|error| error.to_string())?;
    match topics.iter().find(|topic| pattern.is_match(&topic.name)) {
        Some(topic) => Err(format!("post: topic {} must not be there", topic.name)),
        None => Ok(()),
    }
}

fn check_topic(session: &Session, name: &str, wanted: &Json) -> Result<(), String> {
    let topic = session.log.topic(name).map_err(|error| error.to_string())?.ok_or("it is not there")?;
    if let Some(partitions) = wanted.get("partitions") {
        equal("partitions", partitions, &topic.partitions.to_string())?;
    }
    if wanted.get("keySchema").or_else(|| wanted.get("valueSchema")).is_some() {
        return Err("the engine registers no schemas".to_owned());
    }
    match session.source_over(name) {
        Some(source) => check_formats(wanted, source),
        None => Err("no stream or table is over it".to_owned()),
    }
}

fn check_source(wanted: &Json, source: &Source) -> Result<(), String> {
    if let Some(kind) = wanted.get("type") {
        equal("type", &Json::String(kind.to_text().to_lowercase()), source.noun())?;
    }
    if let Some(schema) = wanted.get("schema") {
        check_schema(&schema.to_text(), source)?;
    }
    if let Some(read_only) = wanted.get("isSource") {
        equal("isSource", read_only, &source.read_only.to_string())?;
    }
    check_formats(wanted, source)
}

/// Formats, as sources and topics both state them.
fn check_formats(wanted: &Json, source: &Source) -> Result<(), String> {
    let name_of = |format: &Json| format.get("format").cloned().unwrap_or_else(|| format.clone());
    if let Some(format) = wanted.get("keyFormat") {
        equal("keyFormat", &name_of(format), &source.key_format.kind.to_string())?;
        check_window(format.get("windowInfo").unwrap_or(format), source)?;
    }
    if let Some(format) = wanted.get("valueFormat") {
        equal("valueFormat", &name_of(format), &source.value_format.kind.to_string())?;
    }
    if let Some(features) = wanted.get("valueFeatures") {
        let unwrapped = features.items().iter().any(|feature| feature.to_text() == "UNWRAP_SINGLES");
        equal("valueFeatures: UNWRAP_SINGLES", &Json::Bool(unwrapped), &(!source.value_format.wrap).to_string())?;
    }
    // Single columns of keys are never wrapped, which is what `keyFeatures` state.
    Ok(())
}

fn check_window(wanted: &Json, source: &Source) -> Result<(), String> {
    let kind = match source.window {
        Some(SourceWindow::Session) => "SESSION",
        Some(SourceWindow::Time { tumbling: true, .. }) => "TUMBLING",
        Some(SourceWindow::Time { .. }) => "HOPPING",
        None => "none",
    };
    if let Some(ty) = wanted.get("windowType").or_else(|| wanted.get("type")) {
        equal("windowType", ty, kind)?;
    }
    match (wanted.get("windowSize"), source.window) {
        (Some(size @ Json::Number(_)), Some(SourceWindow::Time { size_ms, .. })) => {
            equal("windowSize", size, &size_ms.to_string())
        }
        _ => Ok(()),
    }
}

fn equal(what: &str, expected: &Json, found: &str) -> Result<(), String> {
    if expected.to_text() == found { Ok(()) } else { Err(format!("{what}: expected {expected}, found {found}")) }
}

/// The columns of a schema as cases write it, `K INT KEY, V STRING`.
pub(crate) fn columns(schema: &str) -> Result<Vec<ColumnDef>, String> {
    let statement = format!("CREATE STREAM S ({schema}) WITH (KAFKA_TOPIC='S', VALUE_FORMAT='JSON')");
    match parse_statement(&statement) {
        Ok(Statement::CreateSource(create)) => Ok(create.columns),
        Ok(_) => Err(format!("{schema} is no schema")),
        Err(error) => Err(format!("{schema} is no schema: {error}")),
    }
}

fn check_schema(schema: &str, source: &Source) -> Result<(), String> {
    let columns = columns(schema)?;
    let is_key = |column: &&ColumnDef| matches!(column.role, ColumnRole::Key | ColumnRole::PrimaryKey);
    let text = |columns: Vec<&ColumnDef>| -> Vec<String> {
        columns.into_iter().map(|column| format!("{} {}", column.name.name, column.ty)).collect()
    };
    let found = |columns: &[Column]| -> Vec<String> {
        columns.iter().map(|column| format!("{} {}", column.name, column.ty)).collect()
    };
    let keys = text(columns.iter().filter(is_key).collect());
    let values = text(columns.iter().filter(|column| !is_key(column)).collect());
    for (part, expected, found) in [("key", keys, found(&source.key)), ("value", values, found(&source.value))] {
        if expected != found {
            return Err(format!("{part} columns: expected {}, found {}", expected.join(", "), found.join(", ")));
        }
    }
    Ok(())
}

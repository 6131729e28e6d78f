//! `DESCRIBE`.

use std::sync::atomic::Ordering;

use millstream_function::registry;
use millstream_sql::Diagnostic;
use millstream_sql::ast::{Describe, Ident};

use super::Engine;
use crate::{Result, RowSet};

impl Engine {
    pub(super) fn describe(&self, what: &Describe) -> Result<RowSet> {
        match what {
            Describe::Function(name) => describe_function(name),
            Describe::Source { name, extended } => self.describe_source(name, *extended),
        }
    }

    fn describe_source(&self, name: &Ident, extended: bool) -> Result<RowSet> {
        let state = self.state();
        let source = state.catalog.expect(name)?;
        let key = if source.is_table() { "primary key" } else { "key" };
        let keys = source.key.iter().map(|column| (column, key));
        let values = source.value.iter().map(|column| (column, ""));
        let columns = keys.chain(values).chain(source.headers.iter().map(|header| (&header.column, "headers")));
        let row = |name: &str, value: String, role: &str| vec![name.to_owned(), value, role.to_owned()];
        let mut rows: Vec<_> = columns.map(|(column, role)| row(&column.name, column.ty.to_string(), role)).collect();
        if extended {
            let mut detail = |name: &str, value: String| rows.push(row(name, value, "property"));
            detail("kind", source.noun().to_owned());
            let partitions = if source.partitions == 1 { "partition" } else { "partitions" };
            detail("topic", format!("{} ({} {partitions})", source.topic, source.partitions));
            if let Some(topic) = self.log.topic(&source.topic)? {
                let config = &topic.config;
                let retention = match config.retention_ms {
                    _ if config.is_compacted() => "the newest record of each key".to_owned(),
                    0.. if config.is_deleted() => format!("{} ms", config.retention_ms),
                    _ => "for ever".to_owned(),
                };
                detail("retention", retention);
            }
            detail("key format", source.key_format.kind.to_string());
            detail("value format", source.value_format.kind.to_string());
            if let Some(timestamp) = &source.timestamp {
                detail("timestamp", timestamp.name.clone());
            }
            if let Some(window) = source.window {
                detail("window", format!("{window:?}"));
            }
            for query in state.queries.values() {
                let reads = query.plan.root.sources().iter().any(|read| read.name == source.name);
                let writes = query.plan.sink.as_ref().is_some_and(|sink| sink.name == source.name);
                let shared = &query.shared;
                let counts = format!(
                    "{} ({} rows in, {} rows out, {} failed, {} late)",
                    shared.id,
                    shared.rows_in.load(Ordering::Relaxed),
                    shared.rows_out.load(Ordering::Relaxed),
                    shared.errors.load(Ordering::Relaxed),
                    shared.late.load(Ordering::Relaxed),
                );
                if reads {
                    detail("read by", counts.clone());
                }
                if writes {
                    detail("written by", counts);
                }
            }
            detail("statement", source.statement.clone());
        }
        Ok(RowSet::of_text(&["column", "type", "role"], rows))
    }
}

fn describe_function(name: &Ident) -> Result<RowSet> {
    let Some(function) = registry().describe(&name.name) else {
        let diagnostic = Diagnostic::new("E0206", format!("function {} does not exist", name.name));
        return Err(diagnostic.at(name.span, "not found").suggest(&name.name, &registry().names()).into());
    };
    let row = |what: &str, text: String| vec![what.to_owned(), text];
    let mut rows = vec![row("what it does", function.description.to_owned())];
    rows.push(row("kind", format!("{}: {}", function.kind, function.category.to_lowercase())));
    rows.extend(function.signatures().into_iter().map(|signature| row("signature", signature)));
    rows.extend(function.examples.iter().map(|example| row("example", example.to_string())));
    Ok(RowSet::of_text(&["of", function.name], rows))
}

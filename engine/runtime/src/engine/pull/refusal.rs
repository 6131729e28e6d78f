//! Why a pull query is refused, in the dialect's words and with its places.

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use millstream_function::registry;
use millstream_plan::{Catalog, Output, plan_query};
use millstream_sql::{Diagnostic, Ident, Span, Statement, parse_statement, tokenize};

/// Explains an error of DataFusion's planner. `reason` is why the text is no query of the dialect, if it is none.
///
/// A query of the dialect is planned once more by the dialect's own planner, whose errors know their places; what
/// that finds nothing wrong with is told from DataFusion's error.
pub(super) fn refusal(
    error: &DataFusionError,
    reason: Option<&Diagnostic>,
    catalog: &Catalog,
    text: &str,
) -> Box<Diagnostic> {
    if let Ok(Statement::Query(query)) = parse_statement(text)
        && let Err(diagnostic) = plan_query(&query, catalog, Output::Push)
    {
        return diagnostic;
    }
    let message = error.strip_backtrace();
    if let Some(name) = quoted_after(&message, "table '") {
        let name = name.rsplit('.').next().unwrap_or_default();
        let ident = Ident { name: name.to_owned(), span: place_of(text, name).unwrap_or_default() };
        if let Err(diagnostic) = catalog.expect(&ident) {
            return diagnostic;
        }
    }
    if let Some(name) = quoted_after(&message, "Invalid function '") {
        if registry().table(&name.to_uppercase()).is_some() {
            let message = format!("table function {} is for queries with EMIT CHANGES", name.to_uppercase());
            let diagnostic = Diagnostic::new("E0242", message).help("add EMIT CHANGES, or use UNNEST(array)");
            return Box::new(placed(diagnostic, text, name, ""));
        }
        let message = format!("function {} does not exist", name.to_uppercase());
        let diagnostic = Diagnostic::new("E0206", message).suggest(&name.to_uppercase(), &registry().names());
        return Box::new(placed(diagnostic, text, name, "not found"));
    }
    match (error.find_root(), reason) {
        (DataFusionError::SchemaError(error, _), _) => schema_error(error, text),
        // Neither grammar takes it: the dialect's own error knows the place.
        (DataFusionError::SQL(..), Some(reason)) => Box::new(reason.clone()),
        (_, reason) => {
            let message = message.split_once(": ").map_or(message.as_str(), |(_, message)| message);
            let diagnostic = Diagnostic::new("E0350", format!("the query cannot be answered: {message}"));
            Box::new(match reason {
                Some(reason) => diagnostic.note(format!("it is no streaming query because {}", reason.message)),
                None => diagnostic,
            })
        }
    }
}

fn schema_error(error: &SchemaError, text: &str) -> Box<Diagnostic> {
    let diagnostic = match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let names: Vec<String> = valid_fields.iter().map(|field| field.name.clone()).collect();
            let source = field.relation.as_ref().or_else(|| valid_fields.iter().find_map(|f| f.relation.as_ref()));
            let message = match source {
                Some(source) => format!("column \"{}\" does not exist in \"{source}\"", field.name),
                None => format!("column \"{}\" does not exist", field.name),
            };
            let diagnostic = Diagnostic::new("E0203", message).suggest(&field.name, &names);
            placed(diagnostic, text, &field.name, "not found")
        }
        SchemaError::AmbiguousReference { field } => {
            let message = format!("column \"{}\" is in several sources", field.name);
            let diagnostic = Diagnostic::new("E0204", message).help(format!("say which: source.{}", field.name));
            placed(diagnostic, text, &field.name, "of which source?")
        }
        other => Diagnostic::new("E0350", format!("the query cannot be answered: {other}")),
    };
    Box::new(diagnostic)
}

fn placed(diagnostic: Diagnostic, text: &str, name: &str, label: &str) -> Diagnostic {
    match place_of(text, name) {
        Some(span) => diagnostic.at(span, label),
        None => diagnostic,
    }
}

/// Where a text names something first.
fn place_of(text: &str, name: &str) -> Option<Span> {
    let is_it = |written: &str| written.trim_matches(['`', '"']).eq_ignore_ascii_case(name);
    tokenize(text).into_iter().map(|token| token.span).find(|span| is_it(span.of(text)))
}

fn quoted_after<'a>(message: &'a str, lead: &str) -> Option<&'a str> {
    message.split_once(lead)?.1.split('\'').next()
}

//! Pull queries: any SQL that DataFusion knows, over tables as they are now and streams from their
//! beginning to now.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::prelude::{SessionConfig, SessionContext};
use millstream_exec::value_at;
use millstream_function::registry;
use millstream_plan::{ROWTIME, sql_type};
use millstream_sql::{Diagnostic, TokenKind, tokenize};

use super::Engine;
use crate::materialized::{SourceTable, columns_of};
use crate::{Error, Result, RowSet};

impl Engine {
    /// Answers a query. `reason` is why it is no streaming query, to be told if it is no batch query either.
    pub(super) fn pull(&self, text: &str, reason: Option<&Diagnostic>) -> Result<RowSet> {
        let catalog = self.state().catalog.clone();
        let config = SessionConfig::new()
            .set_bool("datafusion.sql_parser.enable_ident_normalization", false)
            .with_information_schema(false);
        let context = SessionContext::new_with_config(config);
        // What DataFusion has itself, under the same name, takes all that batch SQL may hand to it.
        let own = context.state();
        for (function, udf) in registry().scalars() {
            if !own.scalar_functions().contains_key(&function.name.to_ascii_lowercase()) {
                context.register_udf(udf.as_ref().clone());
            }
        }
        let words = words(text);
        for source in catalog.sources().filter(|source| words.contains(&source.name)) {
            let named = |name: &&&str| words.iter().any(|word| word == **name);
            let system: Vec<&str> = ["ROWPARTITION", "ROWOFFSET"].iter().filter(named).copied().collect();
            let table = SourceTable {
                log: Arc::clone(&self.log),
                tables: Arc::clone(&self.tables),
                source: Arc::clone(source),
                columns: columns_of(source, &system),
                with_rowtime: named(&&ROWTIME),
            };
            context.register_table(datafusion::common::TableReference::bare(source.name.as_str()), Arc::new(table))?;
        }
        let batch_sql = to_batch_sql(text);
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.map_err(|source| Error::Start { what: "a pull query", source })?;
        let result = runtime.block_on(async {
            let frame = context.sql(&batch_sql).await?;
            let schema = Arc::clone(frame.schema().inner());
            frame.collect().await.map(|batches| (schema, batches))
        });
        match (result, reason) {
            (Ok((schema, batches)), _) => Ok(row_set(&schema, &batches)),
            (Err(error), reason) => Err(refusal(&error.strip_backtrace(), reason, &catalog, text)),
        }
    }
}

/// What to say when DataFusion refuses: a source that does not exist is the commonest reason.
fn refusal(error: &str, reason: Option<&Diagnostic>, catalog: &millstream_plan::Catalog, text: &str) -> Error {
    if let Some((_, rest)) = error.split_once("table '") {
        let name = rest.split('\'').next().unwrap_or_default().rsplit('.').next().unwrap_or_default();
        let place = tokenize(text).into_iter().find(|token| token.span.of(text).eq_ignore_ascii_case(name));
        let ident =
            millstream_sql::Ident { name: name.to_owned(), span: place.map(|token| token.span).unwrap_or_default() };
        if let Err(diagnostic) = catalog.expect(&ident) {
            return diagnostic.into();
        }
    }
    let message = error.split_once(": ").map_or(error, |(_, message)| message);
    let mut diagnostic = Diagnostic::new("E0350", format!("the query cannot be answered: {message}"));
    if let Some(reason) = reason {
        diagnostic = diagnostic.note(format!("it is no streaming query because {}", reason.message));
    }
    diagnostic.into()
}

/// The names that occur in a text, as the dialect spells them.
fn words(text: &str) -> Vec<String> {
    let word = |token: millstream_sql::Token| match token.kind {
        TokenKind::Word => Some(token.span.of(text).to_uppercase()),
        TokenKind::QuotedName => Some(inner(token.span.of(text))),
        _ => None,
    };
    tokenize(text).into_iter().filter_map(word).collect()
}

fn inner(quoted: &str) -> String {
    let mark = quoted.chars().next().unwrap_or('"');
    let text = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    text.replace(&format!("{mark}{mark}"), &mark.to_string())
}

/// The dialect's spelling in standard SQL: names in upper case unless quoted, backticks as double quotes,
/// and `a->b` as `a['b']`.
fn to_batch_sql(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut after_arrow = false;
    for token in tokenize(text) {
        let piece = token.span.of(text);
        match token.kind {
            TokenKind::Symbol if piece == "->" => after_arrow = true,
            TokenKind::Space if after_arrow => {}
            TokenKind::Word | TokenKind::QuotedName if after_arrow => {
                let name = if token.kind == TokenKind::Word { piece.to_uppercase() } else { inner(piece) };
                out.push_str(&format!("['{}']", name.replace('\'', "''")));
                after_arrow = false;
            }
            TokenKind::Word => out.push_str(&piece.to_uppercase()),
            TokenKind::QuotedName => out.push_str(&format!("\"{}\"", inner(piece).replace('"', "\"\""))),
            _ => out.push_str(piece),
        }
    }
    out
}

fn row_set(schema: &arrow::datatypes::Schema, batches: &[RecordBatch]) -> RowSet {
    let ty = |ty| sql_type(ty).map_or_else(|| ty.to_string(), |ty| ty.to_string());
    let columns = schema.fields().iter().map(|field| (field.name().clone(), ty(field.data_type()))).collect();
    let rows_of = |batch: &RecordBatch| {
        (0..batch.num_rows())
            .map(|row| batch.columns().iter().map(|column| value_at(column, row)).collect())
            .collect::<Vec<_>>()
    };
    RowSet { columns, rows: batches.iter().flat_map(rows_of).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dialect_is_spelt_as_batch_sql() {
        assert_eq!(
            to_batch_sql("select a->b, `x y`, 'a->b' from t -- c"),
            "SELECT A['B'], \"x y\", 'a->b' FROM T -- c"
        );
    }
}

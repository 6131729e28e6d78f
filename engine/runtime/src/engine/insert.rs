//! `INSERT INTO … VALUES`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Schema};
use millstream_exec::{Batch, Context, SinkEncoder, evaluate_constant};
use millstream_log::WriteBatch;
use millstream_plan::{Catalog, ROWTIME, Source, constant};
use millstream_sql::ast::{Ident, InsertValues};
use millstream_sql::{Diagnostic, Expr};

use super::Engine;
use crate::Result;
use crate::sink::Sink;

impl Engine {
    pub(super) fn insert_values(&self, insert: &InsertValues) -> Result<String> {
        let (catalog, source) = {
            let state = self.state();
            (state.catalog.clone(), Arc::clone(state.catalog.expect(&insert.target)?))
        };
        if source.read_only || source.window.is_some() {
            let why = if source.read_only { "read only" } else { "windowed" };
            let message = format!("cannot insert into {} \"{}\": it is {why}", source.noun(), source.name);
            return Err(Diagnostic::new("E0330", message).at(insert.target.span, "").into());
        }
        let schema = Arc::new(Schema::new(
            source
                .columns()
                .map(|column| Field::new(&column.name, column.arrow_type(), true))
                .chain([Field::new(ROWTIME, DataType::Int64, false)])
                .collect::<Vec<_>>(),
        ));
        let keys: Vec<usize> = (0..source.key.len()).collect();
        let encoder = SinkEncoder::new(&source, &schema, &keys)?;
        let mut sink = Sink::new(&source.topic, source.partitions, encoder, 0);
        for values in &insert.rows {
            let columns = self.row(insert, values, &source, &catalog)?;
            let row = Batch::new(RecordBatch::try_new(Arc::clone(&schema), columns)?);
            sink.write(&row, &mut Context::default())?;
        }
        self.log.write(WriteBatch { batches: sink.finish()?, offsets: Vec::new() })?.wait()?;
        let count = insert.rows.len();
        Ok(format!("{count} {} inserted", if count == 1 { "row" } else { "rows" }))
    }

    /// One row as arrays of length one, ROWTIME last.
    fn row(&self, insert: &InsertValues, values: &[Expr], source: &Source, catalog: &Catalog) -> Result<Vec<ArrayRef>> {
        let place =
            values.iter().map(|value| value.span).reduce(millstream_sql::Span::to).unwrap_or(insert.target.span);
        let declared: Vec<String> = source.columns().map(|column| column.name.clone()).collect();
        let names: Vec<String> = match insert.columns.as_slice() {
            [] => declared.clone(),
            columns => columns.iter().map(|column| column.name.clone()).collect(),
        };
        let is_header = |column: &&Ident| source.headers.iter().any(|header| header.column.name == column.name);
        if let Some(header) = insert.columns.iter().find(is_header) {
            let message = format!("column \"{}\" is read from headers and cannot be inserted into", header.name);
            return Err(Diagnostic::new("E0334", message).at(header.span, "").help("leave the column out").into());
        }
        if let Some(unknown) = insert.columns.iter().find(|column| !is_column(column, &declared)) {
            let message =
                format!("column \"{}\" does not exist in {} \"{}\"", unknown.name, source.noun(), source.name);
            let diagnostic = Diagnostic::new("E0203", message).at(unknown.span, "not found");
            return Err(diagnostic.suggest(&unknown.name, &declared).into());
        }
        let is_repeated = |at: &usize| names.iter().take(*at).any(|name| Some(name) == names.get(*at));
        if let Some(repeated) = (0..names.len()).find(is_repeated).and_then(|at| insert.columns.get(at)) {
            let message = format!("column \"{}\" is named twice", repeated.name);
            return Err(Diagnostic::new("E0331", message).at(repeated.span, "again").help("name it once").into());
        }
        if names.len() != values.len() {
            let message = format!("expected {} values, found {}", names.len(), values.len());
            let diagnostic = Diagnostic::new("E0331", message).at(place, "");
            return Err(diagnostic.help(format!("the columns are {}", names.join(", "))).into());
        }
        let value_of = |name: &str| names.iter().position(|other| other == name).and_then(|at| values.get(at));
        let mut columns = Vec::new();
        for column in source.columns() {
            columns.push(match value_of(&column.name) {
                Some(value) => evaluate(value, &column.arrow_type(), catalog)?,
                None => new_null_array(&column.arrow_type(), 1),
            });
        }
        let missing_key = columns.iter().take(source.key.len()).any(|column| column.null_count() > 0);
        if source.is_table() && missing_key {
            let message = format!("a row of table \"{}\" needs a value for its primary key", source.name);
            return Err(Diagnostic::new("E0332", message).at(place, "").into());
        }
        columns.push(match value_of(ROWTIME) {
            Some(value) => evaluate(value, &DataType::Int64, catalog)?,
            None => Arc::new(Int64Array::from(vec![self.log.now_ms()])),
        });
        Ok(columns)
    }
}

fn is_column(column: &Ident, declared: &[String]) -> bool {
    column.name == ROWTIME || declared.contains(&column.name)
}

fn evaluate(value: &Expr, ty: &DataType, catalog: &Catalog) -> Result<ArrayRef> {
    let expr = constant(value, ty, catalog)?;
    let scalar = evaluate_constant(&expr).map_err(|error| {
        let message = format!("{value} is no value of its column: {error}");
        Diagnostic::new("E0333", message).at(value.span, "")
    })?;
    Ok(scalar.to_array_of_size(1)?)
}

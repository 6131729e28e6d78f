//! Pull queries: any SQL that DataFusion knows, over tables as they are now and streams from their
//! beginning to now.

mod dialect;
mod lookup;
mod refusal;
mod spelling;
pub(super) mod strict;
mod text_sum;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use arrow::array::RecordBatch;
use datafusion::execution::{FunctionRegistry, SendableRecordBatchStream};
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use millstream_exec::value_at;
use millstream_function::registry;
use millstream_plan::{Catalog, ROWTIME, sql_type};
use millstream_sql::Diagnostic;

use super::Engine;
use crate::memory::Memory;
use crate::scan::columns_of;
use crate::source_table::SourceTable;
use crate::tail::{Reader, Tail};
use crate::{Error, Result, Row, RowStream, StreamEvent};
use dialect::lift;
use refusal::refusal;
use spelling::{to_batch_sql, words};
use text_sum::TextSum;

impl Engine {
    /// Answers a query, planned here and executed on a thread of its own, so that whoever asked can go away.
    /// `reason` is why it is no streaming query, to be told if it is no batch query either.
    pub(super) fn pull(&self, text: &str, reason: Option<&Diagnostic>) -> Result<RowStream> {
        let catalog = self.state().catalog.clone();
        let names = words(text);
        let context = self.pull_context(&catalog, &names)?;
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.map_err(|source| Error::Start { what: "a pull query", source })?;
        let (lifted, udfs) = lift(text, &catalog)?;
        udfs.into_iter().for_each(|udf| context.register_udf(udf));
        let frame = runtime.block_on(context.sql(&to_batch_sql(&lifted)));
        let frame = frame.map_err(|error| refusal(&error, reason, &catalog, text))?;
        let columns = columns(&frame, &names, &catalog);
        let memory = self.memory.clone();
        let mut stream = Tail::new().start_bounded("a pull query", columns, move |reader| {
            runtime.block_on(async {
                let batches = frame.execute_stream().await.map_err(|error| memory.explain(error))?;
                hand_on_all(batches, reader, &memory).await
            })
        })?;
        stream.query_id = self.transient_id("query", "pull");
        Ok(stream)
    }

    /// What a query may name: the functions, and those sources that occur in its text.
    fn pull_context(&self, catalog: &Catalog, names: &[String]) -> Result<SessionContext> {
        let named = |name: &str| names.iter().any(|word| word == name);
        let is_limited = named("LIMIT");
        let mut config = SessionConfig::new()
            .set_bool("datafusion.sql_parser.enable_ident_normalization", false)
            .with_sort_spill_reservation_bytes(self.memory.sort_reservation_bytes())
            .with_information_schema(false);
        if is_limited {
            // LIMIT takes the first rows, which several partitions would mix up.
            config = config.with_target_partitions(1);
        }
        let mut context = SessionContext::new_with_config_rt(config, Arc::clone(self.memory.environment()));
        context.register_expr_planner(Arc::new(TextSum))?;
        let own = context.state();
        for udf in registry().batch_scalars(|name| own.scalar_functions().get(name).cloned()) {
            context.register_udf(udf);
        }
        for source in catalog.sources().filter(|source| names.contains(&source.name)) {
            let system: Vec<&str> = ["ROWPARTITION", "ROWOFFSET"].into_iter().filter(|name| named(name)).collect();
            let table = SourceTable {
                log: Arc::clone(&self.log),
                tables: Arc::clone(&self.tables),
                memory: self.memory.clone(),
                source: Arc::clone(source),
                columns: columns_of(source, &system),
                with_rowtime: named(ROWTIME),
                in_key_order: is_limited,
            };
            context.register_table(datafusion::common::TableReference::bare(source.name.as_str()), Arc::new(table))?;
        }
        Ok(context)
    }
}

/// Hands batches on until there are no more or the reader has gone. DataFusion's operators give way now and then;
/// whether anybody still waits is looked at whenever they do.
async fn hand_on_all(mut batches: SendableRecordBatchStream, reader: &Reader, memory: &Memory) -> Result<()> {
    loop {
        let next = poll_fn(|task| if reader.has_gone() { Poll::Ready(None) } else { batches.as_mut().poll_next(task) });
        let Some(batch) = next.await else { return Ok(()) };
        let batch = batch.map_err(|error| memory.explain(error))?;
        if !reader.hand_on(StreamEvent::Rows(rows(&batch))) {
            return Ok(());
        }
    }
}

fn rows(batch: &RecordBatch) -> Vec<Row> {
    let row = |row: usize| Row::from(batch.columns().iter().map(|column| value_at(column, row)).collect::<Vec<_>>());
    (0..batch.num_rows()).map(row).collect()
}

/// The result's columns. Those that the text gives no name have the dialect's: `KSQL_COL_` and a number.
fn columns(frame: &DataFrame, names: &[String], catalog: &Catalog) -> Vec<(String, String)> {
    let is_column =
        |name: &String| name.starts_with("WINDOW") || catalog.sources().any(|source| source.column(name).is_some());
    let mut generated = 0;
    let column = |field: &Arc<arrow::datatypes::Field>| {
        let name = field.name();
        // A field of a struct has the field's name.
        let inner = name.strip_suffix(']').and_then(|name| name.rsplit_once('[')).map(|(_, inner)| inner.to_owned());
        let name =
            [Some(name.clone()), inner].into_iter().flatten().find(|name| names.contains(name) || is_column(name));
        let ty = field.data_type();
        let ty = sql_type(ty).map_or_else(|| ty.to_string(), |ty| ty.to_string());
        let name = name.unwrap_or_else(|| {
            generated += 1;
            format!("KSQL_COL_{}", generated - 1)
        });
        (name, ty)
    };
    frame.schema().inner().fields().iter().map(column).collect()
}

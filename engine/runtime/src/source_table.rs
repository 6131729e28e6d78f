//! A source as batch queries see it.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::TableType;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use millstream_exec::key_order;
use millstream_log::Log;
use millstream_plan::{ScanColumn, ScanRole, Source};

use crate::Result;
use crate::history::History;
use crate::materialized::Tables;
use crate::memory::{Account, Memory};
use crate::scan::{project, schema_of};
use crate::wanted_keys::{bound_values, wanted_keys};

/// A stream is its history; a table the latest row of each key, of which only those are looked at that a query names.
pub(crate) struct SourceTable {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) tables: Arc<Tables>,
    pub(crate) memory: Memory,
    pub(crate) source: Arc<Source>,
    /// The columns that a query can name; system columns only if its text does, so that `*` leaves them out.
    pub(crate) columns: Vec<ScanColumn>,
    pub(crate) with_rowtime: bool,
    /// Whether the rows of a table come in the order of their partitions and keys, so that the first ones are always the same.
    pub(crate) in_key_order: bool,
}

impl std::fmt::Debug for SourceTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SourceTable({})", self.source.name)
    }
}

impl SourceTable {
    fn is_table(&self) -> bool {
        self.source.is_table() && !self.source.key.is_empty()
    }

    fn keys(&self) -> impl Iterator<Item = (&str, DataType)> {
        let keys = self.columns.iter().filter(|column| matches!(column.role, ScanRole::Key(_)));
        keys.map(|column| (column.name.as_str(), column.ty.clone()))
    }

    /// Where the rows of these columns come from.
    fn partition(&self, schema: &SchemaRef, filters: &[Expr]) -> Result<Arc<dyn PartitionStream>> {
        let is_wanted = |name: &str| schema.column_with_name(name).is_some();
        if !self.is_table() {
            // Only what the query reads is decoded.
            let columns = self.columns.iter().filter(|column| is_wanted(&column.name)).cloned().collect();
            let (log, source) = (Arc::clone(&self.log), Arc::clone(&self.source));
            return Ok(Arc::new(History { log, source, columns, schema: Arc::clone(schema) }));
        }
        let keys = wanted_keys(filters, &self.keys().collect::<Vec<_>>());
        let mut rows = self.tables.rows(&*self.log, &self.source, keys.as_deref())?;
        if self.in_key_order {
            rows = in_key_order(&rows, &self.source)?;
        }
        let wanted: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        let rows = project(&rows, &wanted)?;
        let account = self.memory.account("the rows of a pull query");
        account.set(rows.get_array_memory_size())?;
        Ok(Arc::new(Snapshot { rows, schema: Arc::clone(schema), _account: account }))
    }
}

fn in_key_order(rows: &RecordBatch, source: &Source) -> Result<RecordBatch> {
    // The key's columns come first, then the bounds of windows.
    let (keys, others) = rows.columns().split_at(source.key.len().min(rows.num_columns()));
    let bounds = match others {
        [start, end, ..] if source.window.is_some() => Some([start, end]),
        _ => None,
    };
    let Some(partitions) = rows.column_by_name("ROWPARTITION") else { return Ok(rows.clone()) };
    Ok(take_record_batch(rows, &key_order(source, partitions.as_primitive(), keys, bounds)?)?)
}

/// Rows of a table as they were when the query began.
struct Snapshot {
    rows: RecordBatch,
    schema: SchemaRef,
    _account: Account,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Snapshot({} rows)", self.rows.num_rows())
    }
}

/// So many rows are handed on at a time, so that whoever takes them can give way in between.
const ROWS_AT_A_TIME: usize = 8192;

impl PartitionStream for Snapshot {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = self.rows.clone();
        let starts = (0..rows.num_rows()).step_by(ROWS_AT_A_TIME);
        let batches = starts.map(move |start| Ok(rows.slice(start, ROWS_AT_A_TIME.min(rows.num_rows() - start))));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), futures_util::stream::iter(batches)))
    }
}

#[async_trait]
impl TableProvider for SourceTable {
    fn schema(&self) -> SchemaRef {
        let all = schema_of(&self.columns);
        if self.with_rowtime {
            return all;
        }
        let places: Vec<usize> = (0..self.columns.len()).collect();
        all.project(&places).map_or(all, Arc::new)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> datafusion::error::Result<Vec<TableProviderFilterPushDown>> {
        let names_keys = |filter: &&Expr| {
            if self.is_table() && self.keys().any(|(key, _)| bound_values(filter, key).is_some()) {
                TableProviderFilterPushDown::Inexact
            } else {
                TableProviderFilterPushDown::Unsupported
            }
        };
        Ok(filters.iter().map(names_keys).collect())
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(places) => Arc::new(self.schema().project(places)?),
            None => self.schema(),
        };
        let partition = self.partition(&schema, filters).map_err(|error| DataFusionError::External(Box::new(error)))?;
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![partition], None, [], false, limit)?))
    }
}

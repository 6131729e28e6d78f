//! Topics as tables for batch queries.
//!
//! A stream is read from its beginning to where it ends at that moment. A table is kept in memory once
//! somebody has asked for it, and brought up to date from its topic with each query. Both show what is
//! committed and nothing else, and no query waits for a task.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::{filter_record_batch, take_record_batch};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::{MemTable, TableType};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use millstream_exec::{Batch, Context, KeyedTable, SourceDecoder, key_order};
use millstream_log::{Log, TopicPartition};
use millstream_plan::{ROWTIME, ScanColumn, ScanRole, Source, SourceWindow};

use crate::Result;
use crate::input::Input;

/// All columns of a source by the names that batch SQL uses, with the system columns that are wanted.
pub(crate) fn columns_of(source: &Source, system: &[&str]) -> Vec<ScanColumn> {
    let column = |name: &str, ty, role| ScanColumn { name: name.to_owned(), ty, role };
    let mut columns = Vec::new();
    for (at, key) in source.key.iter().enumerate() {
        columns.push(column(&key.name, key.arrow_type(), ScanRole::Key(at)));
    }
    if source.window.is_some() {
        columns.push(column("WINDOWSTART", DataType::Int64, ScanRole::WindowStart));
        columns.push(column("WINDOWEND", DataType::Int64, ScanRole::WindowEnd));
    }
    for (at, value) in source.value.iter().enumerate() {
        columns.push(column(&value.name, value.arrow_type(), ScanRole::Value(at)));
    }
    for (at, header) in source.headers.iter().enumerate() {
        columns.push(column(&header.column.name, header.column.arrow_type(), ScanRole::Header(at)));
    }
    for name in system {
        match *name {
            "ROWPARTITION" => columns.push(column(name, DataType::Int32, ScanRole::RowPartition)),
            "ROWOFFSET" => columns.push(column(name, DataType::Int64, ScanRole::RowOffset)),
            _ => {}
        }
    }
    columns
}

fn schema_of(columns: &[ScanColumn]) -> SchemaRef {
    let fields = columns.iter().map(|column| Field::new(&column.name, column.ty.clone(), true));
    Arc::new(Schema::new(fields.chain([Field::new(ROWTIME, DataType::Int64, true)]).collect::<Vec<_>>()))
}

/// The inputs of all partitions of a source.
fn inputs(log: &dyn Log, source: &Source, columns: &[ScanColumn]) -> Result<Vec<Input>> {
    let schema = schema_of(columns);
    let partitions = log.topic(&source.topic)?.map_or(0, |topic| topic.partitions);
    let input = |number: i32| {
        let partition = TopicPartition::new(source.topic.as_str(), number);
        let (start, _) = log.offsets(&partition)?;
        let decoder = SourceDecoder::new(source, columns, SchemaRef::clone(&schema))?;
        Input::new(log, partition, number as usize, decoder, start, None)
    };
    (0..partitions).map(input).collect()
}

/// A table in memory and how far its topic was read.
struct Materialized {
    source: Arc<Source>,
    columns: Vec<ScanColumn>,
    inputs: Vec<Input>,
    table: KeyedTable,
    /// The latest window of each partition, from which on the source's retention counts back.
    latest: HashMap<i32, i64>,
}

impl Materialized {
    fn new(log: &dyn Log, source: &Arc<Source>) -> Result<Self> {
        let columns = columns_of(source, &["ROWPARTITION", "ROWOFFSET"]);
        let key_types = columns.iter().filter(|column| is_key(column)).map(|column| column.ty.clone());
        let table = KeyedTable::new(schema_of(&columns), &key_types.collect::<Vec<_>>())?;
        let inputs = inputs(log, source, &columns)?;
        Ok(Self { source: Arc::clone(source), inputs, columns, table, latest: HashMap::new() })
    }

    /// Reads what has come since the last time.
    fn catch_up(&mut self, log: &dyn Log) -> Result<()> {
        let mut context = Context::default();
        let mut inputs = std::mem::take(&mut self.inputs);
        for input in &mut inputs {
            // Up to what is the end now: a topic that grows faster than it is read must not hold the query.
            let end = log.offsets(&input.partition)?.1;
            while input.fill(log, Some(end), &mut context)? {
                let Some(batch) = input.take() else { break };
                if let Some(times) = self.window_times(&batch.rows) {
                    let latest = self.latest.entry(input.partition.partition).or_insert(i64::MIN);
                    *latest = arrow::compute::max(times).unwrap_or(*latest).max(*latest);
                }
                let keys = self.keys(&batch.rows);
                self.table.upsert(&batch, &keys)?;
            }
        }
        self.inputs = inputs;
        Ok(())
    }

    fn column<'a>(&self, rows: &'a RecordBatch, role: ScanRole) -> Option<&'a ArrayRef> {
        rows.columns().get(self.columns.iter().position(|column| column.role == role)?)
    }

    /// What tells the age of windows: their start, or a session's end.
    fn window_times<'a>(&self, rows: &'a RecordBatch) -> Option<&'a Int64Array> {
        let is_session = self.source.window == Some(SourceWindow::Session);
        let role = if is_session { ScanRole::WindowEnd } else { ScanRole::WindowStart };
        self.column(rows, role).map(|times| times.as_primitive::<Int64Type>())
    }

    fn keys(&self, rows: &RecordBatch) -> Vec<ArrayRef> {
        let keys = self.columns.iter().zip(rows.columns()).filter(|(column, _)| is_key(column));
        keys.map(|(_, array)| Arc::clone(array)).collect()
    }

    /// The rows whose windows have not passed the source's retention. The others leave the memory once they are
    /// the greater part.
    fn rows(&mut self) -> Result<RecordBatch> {
        let rows = self.table.rows()?;
        let (Some(retention_ms), Some(times), Some(partitions)) =
            (self.source.retention_ms, self.window_times(&rows), self.column(&rows, ScanRole::RowPartition))
        else {
            return Ok(rows);
        };
        let partitions = partitions.as_primitive::<Int32Type>().values();
        let is_kept = |(time, partition): (&i64, &i32)| {
            let latest = self.latest.get(partition);
            Some(latest.is_none_or(|latest| *time > latest.saturating_sub(retention_ms)))
        };
        let kept: BooleanArray = times.values().iter().zip(partitions).map(is_kept).collect();
        let kept = filter_record_batch(&rows, &kept)?;
        if kept.num_rows() * 2 < rows.num_rows() {
            let keys = self.keys(&kept);
            let types: Vec<DataType> = keys.iter().map(|key| key.data_type().clone()).collect();
            self.table = KeyedTable::new(kept.schema(), &types)?;
            self.table.upsert(&Batch::new(kept.clone()), &keys)?;
        }
        Ok(kept)
    }
}

fn is_key(column: &ScanColumn) -> bool {
    matches!(column.role, ScanRole::Key(_) | ScanRole::WindowStart | ScanRole::WindowEnd)
}

/// The tables that somebody has asked for.
#[derive(Default)]
pub(crate) struct Tables {
    /// Each table has a lock of its own, so that one that is read for the first time holds up no other.
    tables: Mutex<HashMap<String, Arc<Mutex<Option<Materialized>>>>>,
}

impl std::fmt::Debug for Tables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tables")
    }
}

impl Tables {
    /// Forgets a table.
    pub(crate) fn forget(&self, name: &str) {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    fn rows(&self, log: &dyn Log, source: &Arc<Source>) -> Result<RecordBatch> {
        let slot = {
            let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(tables.entry(source.name.clone()).or_default())
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        // A source that was replaced has other columns or another topic.
        if slot.as_ref().is_some_and(|table| table.source != *source) {
            *slot = None;
        }
        if slot.is_none() {
            *slot = Some(Materialized::new(log, source)?);
        }
        match slot.as_mut() {
            Some(table) => {
                if let Err(error) = table.catch_up(log) {
                    // What was read but not taken in would be missing for ever.
                    *slot = None;
                    return Err(error);
                }
                table.rows()
            }
            None => Ok(RecordBatch::new_empty(Arc::new(Schema::empty()))),
        }
    }
}

/// A source as DataFusion sees it.
pub(crate) struct SourceTable {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) tables: Arc<Tables>,
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
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
        if self.with_rowtime {
            names.push(ROWTIME.to_owned());
        }
        names
    }

    /// The rows of these columns, as they are now.
    fn read(&self, wanted: &[String]) -> Result<Vec<RecordBatch>> {
        if self.source.is_table() && !self.source.key.is_empty() {
            let mut rows = self.tables.rows(&*self.log, &self.source)?;
            if self.in_key_order {
                rows = in_key_order(&rows, &self.source)?;
            }
            return Ok(vec![project(&rows, wanted)?]);
        }
        // Only what the query reads is decoded.
        let columns: Vec<ScanColumn> =
            self.columns.iter().filter(|column| wanted.contains(&column.name)).cloned().collect();
        let mut context = Context::default();
        let mut batches = Vec::new();
        for input in &mut inputs(&*self.log, &self.source, &columns)? {
            let end = self.log.offsets(&input.partition)?.1;
            while input.fill(&*self.log, Some(end), &mut context)? {
                let Some(batch) = input.take() else { break };
                batches.push(project(&live_rows(batch)?, wanted)?);
            }
        }
        Ok(batches)
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

/// A record without a value is no row of a stream.
fn live_rows(batch: Batch) -> Result<RecordBatch> {
    let Some(live) = batch.live.clone() else { return Ok(batch.rows) };
    Ok(batch.filter(&BooleanArray::new(live, None))?.rows)
}

fn project(rows: &RecordBatch, wanted: &[String]) -> Result<RecordBatch> {
    let places = wanted.iter().map(|name| rows.schema().index_of(name)).collect::<std::result::Result<Vec<_>, _>>()?;
    let projected = rows.project(&places)?;
    let fields: Vec<Field> =
        projected.schema().fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(projected.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), projected.columns().to_vec(), &options)?)
}

#[async_trait]
impl TableProvider for SourceTable {
    fn schema(&self) -> SchemaRef {
        let all = schema_of(&self.columns);
        if self.with_rowtime {
            return all;
        }
        let fields = all.fields().iter().take(self.columns.len()).cloned().collect::<Vec<_>>();
        Arc::new(Schema::new(fields))
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let names = self.names();
        let wanted: Vec<String> = match projection {
            Some(places) => places.iter().filter_map(|at| names.get(*at).cloned()).collect(),
            None => names,
        };
        let batches = self.read(&wanted).map_err(|error| DataFusionError::External(Box::new(error)))?;
        let schema = self.schema();
        let places = wanted.iter().map(|name| schema.index_of(name)).collect::<std::result::Result<Vec<_>, _>>()?;
        let table = MemTable::try_new(Arc::new(schema.project(&places)?), vec![batches])?;
        table.scan(state, None, &[], limit).await
    }
}

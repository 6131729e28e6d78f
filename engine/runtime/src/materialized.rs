//! Tables in memory, for batch queries.
//!
//! A table is kept once somebody has asked for it, and brought up to date from its topic with each query. It shows what
//! is committed and nothing else, and no query waits for a task. Tables that nobody reads at the moment make room
//! where memory runs short.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use millstream_exec::{Batch, Context, KeyedTable};
use millstream_log::Log;
use millstream_plan::{ScanColumn, ScanRole, Source, SourceWindow};

use crate::Result;
use crate::input::Input;
use crate::memory::{Account, Memory};
use crate::scan::{columns_of, inputs, schema_of};

/// A table in memory and how far its topic was read.
struct Materialized {
    source: Arc<Source>,
    columns: Vec<ScanColumn>,
    inputs: Vec<Input>,
    table: KeyedTable,
    /// The latest window of each partition, from which on the source's retention counts back.
    latest: HashMap<i32, i64>,
    /// How many keys there were when closed windows and deleted rows were last looked for.
    swept_keys: usize,
    account: Account,
}

/// A table of fewer keys is not worth sweeping.
const SWEPT_KEYS_MIN: usize = 1024;

impl Materialized {
    fn new(log: &dyn Log, source: &Arc<Source>, memory: &Memory) -> Result<Self> {
        let columns = columns_of(source, &["ROWPARTITION", "ROWOFFSET"]);
        let table = empty_table(&columns)?;
        let inputs = inputs(log, source, &columns)?;
        let account = memory.account(&format!("the rows of table {}", source.name));
        let (source, latest) = (Arc::clone(source), HashMap::new());
        Ok(Self { source, inputs, columns, table, latest, swept_keys: SWEPT_KEYS_MIN, account })
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
        if self.table.len_max() >= self.swept_keys.saturating_mul(2) {
            self.sweep()?;
        }
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

    /// The rows of these keys, or all.
    fn rows(&self, keys: Option<&[ArrayRef]>) -> Result<RecordBatch> {
        let rows = match keys {
            Some(keys) => self.table.rows_of(keys)?,
            None => self.table.rows()?,
        };
        self.retained(rows)
    }

    /// The rows whose windows have not passed the source's retention.
    fn retained(&self, rows: RecordBatch) -> Result<RecordBatch> {
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
        Ok(filter_record_batch(&rows, &kept)?)
    }

    /// Lets keys leave the memory whose rows are deleted or past retention, if they are the greater part.
    fn sweep(&mut self) -> Result<()> {
        let kept = self.rows(None)?;
        if kept.num_rows() * 2 <= self.table.len_max() {
            let keys = self.keys(&kept);
            self.table = empty_table(&self.columns)?;
            self.table.upsert(&Batch::new(kept), &keys)?;
        }
        self.swept_keys = self.table.len_max().max(SWEPT_KEYS_MIN);
        Ok(())
    }
}

/// A table of these columns, by their keys and also by the windows of a key.
fn empty_table(columns: &[ScanColumn]) -> Result<KeyedTable> {
    let types = |is_wanted: fn(&ScanColumn) -> bool| -> Vec<DataType> {
        columns.iter().filter(|column| is_wanted(column)).map(|column| column.ty.clone()).collect()
    };
    let (key_types, inner) = (types(is_key), types(|column| matches!(column.role, ScanRole::Key(_))));
    let table = KeyedTable::new(schema_of(columns), &key_types)?;
    Ok(if inner.len() < key_types.len() { table.indexed_by(&inner)? } else { table })
}

fn is_key(column: &ScanColumn) -> bool {
    matches!(column.role, ScanRole::Key(_) | ScanRole::WindowStart | ScanRole::WindowEnd)
}

/// A table that may not have been read yet. Each has a lock of its own, so that one that is read for the first time
/// holds up no other.
type Slot = Arc<Mutex<Option<Materialized>>>;

/// The tables that somebody has asked for.
pub(crate) struct Tables {
    memory: Memory,
    slots: Mutex<HashMap<String, Slot>>,
}

impl std::fmt::Debug for Tables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tables")
    }
}

impl Tables {
    pub(crate) fn new(memory: Memory) -> Self {
        Self { memory, slots: Mutex::default() }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<String, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a table.
    pub(crate) fn forget(&self, name: &str) {
        self.slots().remove(name);
    }

    /// Forgets all tables that nobody reads at the moment, since their memory is needed; false if there are none.
    pub(crate) fn make_room(&self) -> bool {
        let slots: Vec<Slot> = self.slots().values().cloned().collect();
        slots.iter().filter(|slot| slot.try_lock().is_ok_and(|mut table| table.take().is_some())).count() > 0
    }

    /// The rows of a table as they are now: those of some keys, or all.
    pub(crate) fn rows(&self, log: &dyn Log, source: &Arc<Source>, keys: Option<&[ArrayRef]>) -> Result<RecordBatch> {
        let slot = Arc::clone(self.slots().entry(source.name.clone()).or_default());
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        // A source that was replaced has other columns or another topic.
        let mut table = match slot.take().filter(|table| table.source == *source) {
            Some(table) => table,
            None => Materialized::new(log, source, &self.memory)?,
        };
        // On a failure the table is not put back: what was read but not taken in would be missing for ever.
        table.catch_up(log)?;
        let bytes = table.table.size_bytes();
        if let Err(error) = table.account.set(bytes) {
            if !self.make_room() {
                return Err(error);
            }
            table.account.set(bytes)?;
        }
        let rows = table.rows(keys)?;
        *slot = Some(table);
        Ok(rows)
    }
}

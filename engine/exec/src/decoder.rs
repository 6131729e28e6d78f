//! Records of a topic to batches.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::SchemaRef;
use millstream_function::Pattern;
use millstream_plan::{ScanColumn, ScanRole, Source, SourceWindow};

use crate::codec;
use crate::column::ColumnBuilder;
use crate::format::{Decoder, Target};
use crate::headers::{HeaderRows, last_values};
use crate::window_key;
use crate::{Batch, Context, Error, OldRows, Result, RowError};

/// Collects records and turns them into a batch. A record that cannot be read is left out and reported.
#[derive(Debug)]
pub struct SourceDecoder {
    schema: SchemaRef,
    rows: Rows,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Source(Box<SourceRecords>),
    /// The rows of an internal topic, with all columns but ROWTIME in the value.
    Internal {
        columns: Vec<ColumnBuilder>,
        /// Of a table: the rows that are replaced, and where there are some.
        old: Option<(Vec<ColumnBuilder>, Vec<bool>)>,
        fingerprint: u32,
    },
}

/// What is the same for records of every kind.
#[derive(Debug, Default)]
struct Rows {
    rowtimes: Vec<i64>,
    live: Vec<bool>,
    offsets: Vec<i64>,
    headers: HeaderRows,
    /// The places of the records that could not be read.
    bad: Vec<usize>,
    any_dead: bool,
}

impl Rows {
    fn with_capacity(rows: usize) -> Self {
        let (rowtimes, offsets) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        Self { rowtimes, live: Vec::with_capacity(rows), offsets, ..Self::default() }
    }
}

#[derive(Debug)]
struct SourceRecords {
    format: String,
    is_table: bool,
    has_key: bool,
    key: Decoder,
    key_columns: Vec<ColumnBuilder>,
    value: Decoder,
    value_columns: Vec<ColumnBuilder>,
    window: Option<SourceWindow>,
    window_start: Vec<i64>,
    window_end: Vec<i64>,
    /// Whether somebody reads ROWPARTITION or ROWOFFSET; the two columns are empty otherwise.
    wants_place: bool,
    partitions: Vec<i32>,
    offsets: Vec<i64>,
    timestamp: Option<Timestamp>,
    /// The columns of headers: the header's name, or none for all.
    headers: Vec<Option<String>>,
    /// Where each column of the batch comes from: its place among the decoded columns of its part.
    layout: Vec<(ScanRole, usize)>,
}

/// The value column that ROWTIME is read from.
#[derive(Debug)]
struct Timestamp {
    in_key: bool,
    at: usize,
    pattern: Option<Pattern>,
}

impl SourceDecoder {
    /// A decoder of these columns of a source.
    ///
    /// # Errors
    /// If a column is of a type that no column can have.
    pub fn new(source: &Source, columns: &[ScanColumn], schema: SchemaRef) -> Result<Self> {
        let (mut keys, mut values, mut layout) = (Vec::new(), Vec::new(), Vec::new());
        for column in columns {
            let place = match column.role {
                ScanRole::Key(at) => add(&mut keys, &source.key, at),
                ScanRole::Value(at) => add(&mut values, &source.value, at),
                ScanRole::Header(at) => at,
                _ => 0,
            };
            layout.push((column.role, place));
        }
        let mut timestamp = None;
        if let Some(column) = &source.timestamp {
            let position = |columns: &[millstream_plan::Column]| columns.iter().position(|c| c.name == column.name);
            let pattern = column.format.as_deref().map(Pattern::new).transpose();
            let pattern = pattern.map_err(|error| Error::Internal(error.to_string()))?;
            timestamp = match (position(&source.key), position(&source.value)) {
                (Some(at), _) => Some(Timestamp { in_key: true, at: add(&mut keys, &source.key, at), pattern }),
                (_, Some(at)) => Some(Timestamp { in_key: false, at: add(&mut values, &source.value, at), pattern }),
                _ => None,
            };
        }
        let builders = |targets: &[Target]| -> Result<Vec<ColumnBuilder>> {
            targets.iter().map(|target| ColumnBuilder::new(&target.ty)).collect()
        };
        let records = SourceRecords {
            format: format!("{} {} from topic {}", source.value_format.kind, source.name, source.topic),
            is_table: source.is_table(),
            has_key: !source.key.is_empty(),
            key: Decoder::new(source.key_format, source.key.len(), true, &keys),
            key_columns: builders(&keys)?,
            value: Decoder::new(source.value_format, source.value.len(), false, &values),
            value_columns: builders(&values)?,
            window: source.window,
            window_start: Vec::new(),
            window_end: Vec::new(),
            wants_place: layout.iter().any(|(role, _)| matches!(role, ScanRole::RowPartition | ScanRole::RowOffset)),
            partitions: Vec::new(),
            offsets: Vec::new(),
            timestamp,
            headers: source.headers.iter().map(|column| column.header.clone()).collect(),
            layout,
        };
        Ok(Self { schema, rows: Rows::default(), kind: Kind::Source(Box::new(records)) })
    }

    /// A decoder of an internal topic's rows; those of a table tell what they replace.
    ///
    /// # Errors
    /// If a column is of a type that no column can have.
    pub fn internal(schema: SchemaRef, is_table: bool) -> Result<Self> {
        let types: Vec<_> = schema.fields().iter().map(|field| field.data_type().clone()).collect();
        let types = types.get(..types.len().saturating_sub(1)).unwrap_or_default();
        let builders = || types.iter().map(ColumnBuilder::new).collect::<Result<Vec<_>>>();
        let columns = builders()?;
        let old = if is_table { Some((builders()?, Vec::new())) } else { None };
        let fingerprint = codec::fingerprint(types);
        Ok(Self { schema, rows: Rows::default(), kind: Kind::Internal { columns, old, fingerprint } })
    }

    /// The number of records since the last batch.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.rowtimes.len()
    }

    /// Whether no record came since the last batch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a header to the record that is pushed next.
    pub fn add_header(&mut self, name: &str, value: Option<&[u8]>) {
        self.rows.headers.add(name, value);
    }

    /// Adds a record.
    pub fn push(
        &mut self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp_ms: i64,
        place: (i32, i64),
        context: &mut Context,
    ) {
        let at = self.rows.rowtimes.len();
        self.rows.offsets.push(place.1);
        self.rows.headers.end_row();
        let outcome = match &mut self.kind {
            Kind::Source(records) => records.push(key, value, timestamp_ms, place),
            Kind::Internal { columns, old, fingerprint } => {
                read_internal(value, columns, old.as_mut(), *fingerprint).map(|live| (timestamp_ms, live))
            }
        };
        match outcome {
            Ok((rowtime, live)) => {
                self.rows.rowtimes.push(rowtime);
                self.rows.live.push(live);
                self.rows.any_dead |= !live;
            }
            Err(reason) => {
                self.kind.make_null(at);
                self.rows.rowtimes.push(timestamp_ms);
                self.rows.live.push(false);
                self.rows.bad.push(at);
                let what = match &self.kind {
                    Kind::Source(records) => format!("reading {}", records.format),
                    Kind::Internal { .. } => "reading an internal topic".to_owned(),
                };
                context.report(|| RowError { what, reason, place: Some(place) });
            }
        }
    }

    /// The batch of all records since the last one, and the offset of each of its rows.
    ///
    /// # Errors
    /// If a decoded column is not valid.
    pub fn finish(&mut self) -> Result<(Batch, Vec<i64>)> {
        let room = Rows::with_capacity(self.len());
        let mut rows = std::mem::replace(&mut self.rows, room);
        let is_wanted = matches!(&self.kind, Kind::Source(records) if records.reads_headers());
        let headers = rows.headers.finish(is_wanted)?;
        let rowtime: ArrayRef = Arc::new(Int64Array::from(rows.rowtimes));
        let mut window = None;
        let mut columns = match &mut self.kind {
            Kind::Source(records) => {
                window = records.take_window();
                records.take_columns(&rowtime, window.as_ref(), headers.as_ref())?
            }
            Kind::Internal { columns, .. } => columns.iter_mut().map(ColumnBuilder::finish).collect::<Result<_>>()?,
        };
        let count = rowtime.len();
        let old = match &mut self.kind {
            Kind::Internal { old: Some((columns, live)), .. } => {
                let mut columns = columns.iter_mut().map(ColumnBuilder::finish).collect::<Result<Vec<_>>>()?;
                columns.push(Arc::clone(&rowtime));
                let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
                Some(OldRows { rows, live: BooleanBuffer::from(std::mem::take(live)) })
            }
            _ => None,
        };
        columns.push(rowtime);
        let live = rows.any_dead.then(|| BooleanBuffer::from(rows.live));
        let decoded = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        let batch = Batch { rows: decoded, live, window, headers, old };
        if rows.bad.is_empty() {
            return Ok((batch, rows.offsets));
        }
        let mut keep = vec![true; count];
        for at in rows.bad {
            if let Some(keep) = keep.get_mut(at) {
                *keep = false;
            }
        }
        let offsets = rows.offsets.iter().zip(&keep).filter(|(_, keep)| **keep).map(|(offset, _)| *offset).collect();
        Ok((batch.filter(&BooleanArray::from(keep))?, offsets))
    }
}

/// Adds a column to those that are decoded unless it is there, and returns its place.
fn add(targets: &mut Vec<Target>, declared: &[millstream_plan::Column], position: usize) -> usize {
    if let Some(at) = targets.iter().position(|target| target.position == position) {
        return at;
    }
    if let Some(column) = declared.get(position) {
        targets.push(Target { position, name: column.name.clone(), ty: column.arrow_type() });
    }
    targets.len().saturating_sub(1)
}

impl Kind {
    /// Makes a row of nulls of what a record that failed has left behind the first `rows` rows.
    #[cold]
    fn make_null(&mut self, rows: usize) {
        let reset = |columns: &mut [ColumnBuilder]| {
            for column in columns {
                column.truncate(rows);
                column.append_null();
            }
        };
        match self {
            Self::Source(records) => {
                reset(&mut records.key_columns);
                reset(&mut records.value_columns);
            }
            Self::Internal { columns, old, .. } => {
                reset(columns);
                if let Some((columns, live)) = old {
                    reset(columns);
                    live.truncate(rows);
                    live.push(false);
                }
            }
        }
    }
}

fn read_internal(
    value: Option<&[u8]>,
    columns: &mut [ColumnBuilder],
    old: Option<&mut (Vec<ColumnBuilder>, Vec<bool>)>,
    fingerprint: u32,
) -> Result<bool, String> {
    let mut rest = codec::read_header(value.unwrap_or_default(), fingerprint)?;
    let flags = codec::RowFlags::read(&mut rest).ok_or("a record is cut off")?;
    codec::read_row(&mut rest, columns).ok_or("a record is cut off")?;
    if let Some((columns, live)) = old {
        let replaces = flags.old == Some(true);
        if replaces {
            codec::read_row(&mut rest, columns).ok_or("a record is cut off")?;
        } else {
            columns.iter_mut().for_each(ColumnBuilder::append_null);
        }
        live.push(replaces);
    }
    Ok(flags.live)
}

impl SourceRecords {
    fn push(
        &mut self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp_ms: i64,
        (partition, offset): (i32, i64),
    ) -> Result<(i64, bool), String> {
        if self.wants_place {
            self.partitions.push(partition);
            self.offsets.push(offset);
        }
        let key = self.split_window(key)?;
        match key {
            Some(key) => {
                if !self.key.decode(key, &mut self.key_columns).map_err(|reason| format!("in the key: {reason}"))? {
                    self.key_columns.iter_mut().for_each(ColumnBuilder::append_null);
                }
            }
            None if self.is_table && self.has_key => return Err("a table's record needs a key".to_owned()),
            None => self.key_columns.iter_mut().for_each(ColumnBuilder::append_null),
        }
        let live = match value {
            Some(value) => self.value.decode(value, &mut self.value_columns)?,
            None => false,
        };
        if !live {
            self.value_columns.iter_mut().for_each(ColumnBuilder::append_null);
        }
        let rowtime = match &self.timestamp {
            Some(timestamp) if live || timestamp.in_key => {
                let columns = if timestamp.in_key { &self.key_columns } else { &self.value_columns };
                let time = columns.get(timestamp.at).and_then(|column| last_time(column, timestamp.pattern.as_ref()));
                time.ok_or("its timestamp column has no valid time")?
            }
            _ => timestamp_ms,
        };
        if rowtime < 0 {
            return Err(format!("its time {rowtime} lies before 1970"));
        }
        Ok((rowtime, live))
    }

    /// Takes the window off a key.
    fn split_window<'k>(&mut self, key: Option<&'k [u8]>) -> Result<Option<&'k [u8]>, String> {
        let Some(window) = self.window else { return Ok(key) };
        // The bounds keep step with the records also when the key is bad.
        let split = key.and_then(|key| window_key::split(key, window));
        let (start, end) = split.map_or((0, 0), |(_, start, end)| (start, end));
        self.window_start.push(start);
        self.window_end.push(end);
        match split {
            Some((key, ..)) => Ok(Some(key)),
            None => Err("the key carries no window".to_owned()),
        }
    }

    fn take_window(&mut self) -> Option<[ArrayRef; 2]> {
        self.window?;
        let start: ArrayRef = Arc::new(Int64Array::from(std::mem::take(&mut self.window_start)));
        let end: ArrayRef = Arc::new(Int64Array::from(std::mem::take(&mut self.window_end)));
        Some([start, end])
    }

    /// Whether somebody reads a column of headers.
    fn reads_headers(&self) -> bool {
        self.layout.iter().any(|(role, _)| matches!(role, ScanRole::Header(_)))
    }

    fn take_columns(
        &mut self,
        rowtime: &ArrayRef,
        window: Option<&[ArrayRef; 2]>,
        headers: Option<&ArrayRef>,
    ) -> Result<Vec<ArrayRef>> {
        let keys = self.key_columns.iter_mut().map(ColumnBuilder::finish).collect::<Result<Vec<_>>>()?;
        let values = self.value_columns.iter_mut().map(ColumnBuilder::finish).collect::<Result<Vec<_>>>()?;
        let partitions: ArrayRef = Arc::new(Int32Array::from(std::mem::take(&mut self.partitions)));
        let offsets: ArrayRef = Arc::new(Int64Array::from(std::mem::take(&mut self.offsets)));
        let missing = || Error::Internal("a scanned column was not decoded".to_owned());
        let column = |(role, at): &(ScanRole, usize)| match role {
            ScanRole::Key(_) => keys.get(*at).cloned().ok_or_else(missing),
            ScanRole::Value(_) => values.get(*at).cloned().ok_or_else(missing),
            ScanRole::Header(at) => match (headers, self.headers.get(*at)) {
                (Some(headers), Some(Some(name))) => last_values(headers, name),
                (Some(headers), Some(None)) => Ok(Arc::clone(headers)),
                _ => Err(missing()),
            },
            ScanRole::RowTime => Ok(Arc::clone(rowtime)),
            ScanRole::RowPartition => Ok(Arc::clone(&partitions)),
            ScanRole::RowOffset => Ok(Arc::clone(&offsets)),
            ScanRole::WindowStart => window.map(|[start, _]| Arc::clone(start)).ok_or_else(missing),
            ScanRole::WindowEnd => window.map(|[_, end]| Arc::clone(end)).ok_or_else(missing),
        };
        self.layout.iter().map(column).collect()
    }
}

/// The time that was appended last.
fn last_time(column: &ColumnBuilder, pattern: Option<&Pattern>) -> Option<i64> {
    match (column, pattern) {
        (ColumnBuilder::BigInt(values, nulls, _), _) => {
            let last = values.len().checked_sub(1)?;
            (nulls.is_valid(last)).then(|| values.last().copied()).flatten()
        }
        (ColumnBuilder::Bytes(builder), Some(pattern)) => pattern.parse(builder.last_text()?).ok(),
        _ => None,
    }
}

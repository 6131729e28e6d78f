//! Batches to records of a topic.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use millstream_plan::{Format, Source, SourceWindow};

use crate::codec;
use crate::format::{Encoder, RowEncoder};
use crate::sink_time::SinkTime;
use crate::window_key;
use crate::{Batch, Context, Error, OldRows, Result, RowError};

/// Writes rows as keys and values.
#[derive(Debug)]
pub struct SinkEncoder {
    keys: Vec<usize>,
    values: Vec<usize>,
    key: Encoder,
    value: ValueEncoder,
    window: Option<SourceWindow>,
    is_table: bool,
    /// Whether a key of several columns is written though all of them are null.
    keeps_null_keys: bool,
    time: Option<SinkTime>,
    key_bytes: Vec<u8>,
    value_bytes: Vec<u8>,
}

#[derive(Debug)]
enum ValueEncoder {
    Format(Encoder),
    /// All columns in our own encoding, for an internal topic.
    Internal {
        fingerprint: u32,
    },
}

/// A value encoder with the columns of a batch.
enum ValueRows<'a> {
    Format(RowEncoder<'a>),
    Internal { fingerprint: u32, rows: codec::RowWriter<'a>, old: Option<(codec::RowWriter<'a>, &'a OldRows)> },
}

fn named(schema: &SchemaRef, places: &[usize]) -> Vec<(String, DataType)> {
    let fields = places.iter().filter_map(|at| schema.fields().get(*at));
    fields.map(|field| (field.name().clone(), field.data_type().clone())).collect()
}

impl SinkEncoder {
    /// An encoder of the rows of a sink; `keys` are the places of its key columns.
    ///
    /// # Errors
    /// If the format cannot hold the columns.
    pub fn new(sink: &Source, schema: &SchemaRef, keys: &[usize]) -> Result<Self> {
        let count = schema.fields().len().saturating_sub(1);
        let values: Vec<usize> = (0..count).filter(|at| !keys.contains(at)).collect();
        Ok(Self {
            keys: keys.to_vec(),
            key: Encoder::new(sink.key_format, true, &named(schema, keys))?,
            value: ValueEncoder::Format(Encoder::new(sink.value_format, false, &named(schema, &values))?),
            values,
            window: sink.window,
            is_table: sink.is_table(),
            keeps_null_keys: false,
            time: None,
            key_bytes: Vec::new(),
            value_bytes: Vec::new(),
        })
    }

    /// The encoder of a query's results, whose records may have times of their own.
    ///
    /// # Errors
    /// If the column of the times is not there.
    pub fn of_query(mut self, sink: &Source, schema: &SchemaRef, keeps_null_keys: bool) -> Result<Self> {
        self.keeps_null_keys = keeps_null_keys;
        self.time = sink.timestamp.as_ref().map(|column| SinkTime::new(column, schema)).transpose()?;
        Ok(self)
    }

    /// An encoder of the rows of a repartition topic.
    ///
    /// # Errors
    /// If the key's format cannot hold the key columns.
    pub fn internal(schema: &SchemaRef, keys: &[usize], key_format: Format) -> Result<Self> {
        let count = schema.fields().len().saturating_sub(1);
        let values: Vec<usize> = (0..count).collect();
        let fingerprint = codec::fingerprint(schema.fields().iter().take(count).map(|field| field.data_type()));
        Ok(Self {
            keys: keys.to_vec(),
            key: Encoder::new(key_format, true, &named(schema, keys))?,
            value: ValueEncoder::Internal { fingerprint },
            values,
            window: None,
            is_table: false,
            keeps_null_keys: true,
            time: None,
            key_bytes: Vec::new(),
            value_bytes: Vec::new(),
        })
    }

    /// Hands every row to `write`: its place, the key's bytes without and with its window, the value's bytes and the time. Rows
    /// of a table without a key are left out, as are rows whose time cannot be read; these are reported.
    ///
    /// # Errors
    /// A value that the format cannot hold.
    pub fn encode(
        &mut self,
        batch: &Batch,
        context: &mut Context,
        mut write: impl FnMut(usize, Option<KeyBytes<'_>>, Option<&[u8]>, i64),
    ) -> Result<()> {
        let columns = batch.rows.columns();
        let pick =
            |places: &[usize]| -> Vec<ArrayRef> { places.iter().filter_map(|at| columns.get(*at).cloned()).collect() };
        let (keys, values) = (pick(&self.keys), pick(&self.values));
        let old_values: Vec<ArrayRef> = match &batch.old {
            Some(old) => self.values.iter().filter_map(|at| old.rows.columns().get(*at).cloned()).collect(),
            None => Vec::new(),
        };
        let rowtimes = batch.rowtimes()?;
        let bounds = match (&batch.window, self.window) {
            (Some([start, end]), Some(window)) => {
                Some((window, start.as_primitive::<Int64Type>(), end.as_primitive::<Int64Type>()))
            }
            (None, Some(_)) => return Err(Error::Internal("rows of a windowed sink have no window".to_owned())),
            _ => None,
        };
        let key_rows = self.key.rows(&keys);
        let value_rows = match &self.value {
            ValueEncoder::Format(encoder) => ValueRows::Format(encoder.rows(&values)),
            ValueEncoder::Internal { fingerprint } => {
                let old = batch.old.as_ref().map(|old| (codec::RowWriter::new(&old_values), old));
                ValueRows::Internal { fingerprint: *fingerprint, rows: codec::RowWriter::new(&values), old }
            }
        };
        let drops_nulls = keys.len() == 1 || !self.keeps_null_keys;
        let may_be_null = drops_nulls && keys.iter().all(|key| key.null_count() > 0);
        for row in 0..batch.len() {
            let live = batch.is_live(row);
            let time = match self.time.as_ref().filter(|_| live).map(|time| (time, time.read(batch, row))) {
                None => rowtimes.value(row),
                Some((_, Ok(ms))) => ms,
                Some((time, Err(reason))) => {
                    context.report(|| RowError { what: time.describe(), reason, place: None });
                    continue;
                }
            };
            self.key_bytes.clear();
            let is_null = keys.is_empty() || may_be_null && keys.iter().all(|key| key.is_null(row));
            let has_key = !is_null && key_rows.encode(row, &mut self.key_bytes)?;
            if self.is_table && !has_key {
                continue;
            }
            let inner = self.key_bytes.len();
            if let Some((window, start, end)) = bounds {
                window_key::append(&mut self.key_bytes, window, start.value(row), end.value(row));
            }
            let key = has_key.then(|| KeyBytes { bytes: &self.key_bytes, inner });
            self.value_bytes.clear();
            let has_value = match &value_rows {
                ValueRows::Format(rows) => live && rows.encode(row, &mut self.value_bytes)?,
                ValueRows::Internal { fingerprint, rows, old } => {
                    codec::write_header(*fingerprint, &mut self.value_bytes);
                    let old = old.as_ref().map(|(rows, old)| (rows, old.is_live(row)));
                    codec::RowFlags { live, old: old.as_ref().map(|(_, live)| *live) }.write(&mut self.value_bytes);
                    rows.write(row, &mut self.value_bytes)?;
                    if let Some((rows, true)) = old {
                        rows.write(row, &mut self.value_bytes)?;
                    }
                    true
                }
            };
            write(row, key, has_value.then_some(self.value_bytes.as_slice()), time);
        }
        Ok(())
    }
}

/// A record's key.
#[derive(Debug, Clone, Copy)]
pub struct KeyBytes<'a> {
    /// With its window.
    pub bytes: &'a [u8],
    inner: usize,
}

impl<'a> KeyBytes<'a> {
    /// Without its window: what decides the partition.
    #[must_use]
    pub fn inner(&self) -> &'a [u8] {
        self.bytes.get(..self.inner).unwrap_or(self.bytes)
    }
}

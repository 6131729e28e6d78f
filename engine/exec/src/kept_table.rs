//! A table that an operator keeps.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, SchemaRef};

use crate::operator::StateChange;
use crate::rows::RowsBuilder;
use crate::{Batch, Error, KeyedTable, OldRows, Result, codec};

/// An input's rows as a table: the latest of each key.
///
/// It needs no changelog if its rows can be read again from the topics that they came from; otherwise it
/// writes one. An entry's key is the row of the table's key columns, its value a header, ROWTIME and the
/// row; a deletion has no value.
#[derive(Debug)]
pub(crate) struct KeptTable {
    table: KeyedTable,
    schema: SchemaRef,
    keys: Vec<usize>,
    key_types: Vec<DataType>,
    fingerprint: u32,
    /// What changed since the last drain; none: there is no changelog.
    changed: Option<HashMap<Vec<u8>, Option<Vec<u8>>>>,
}

impl KeptTable {
    /// An empty table. `windowed`: whether the window that a row's key carries is part of its key; `logged`:
    /// whether there is a changelog.
    pub(crate) fn new(schema: &SchemaRef, keys: &[usize], windowed: bool, logged: bool) -> Result<Self> {
        let missing = || Error::Internal("a table's key is missing".to_owned());
        let types = keys.iter().map(|at| schema.fields().get(*at).map(|field| field.data_type().clone()));
        let mut key_types: Vec<DataType> = types.collect::<Option<_>>().ok_or_else(missing)?;
        if windowed {
            key_types.extend([DataType::Int64, DataType::Int64]);
        }
        let columns = schema.fields().iter().map(|field| field.data_type());
        Ok(Self {
            table: KeyedTable::new(Arc::clone(schema), &key_types)?,
            schema: Arc::clone(schema),
            keys: keys.to_vec(),
            fingerprint: codec::fingerprint(key_types.iter().chain(columns)),
            key_types,
            changed: logged.then(HashMap::new),
        })
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.table.size_bytes()
    }

    /// The types of its key, with those of the bounds of its windows if there are any.
    pub(crate) fn key_types(&self) -> &[DataType] {
        &self.key_types
    }

    /// The types of its columns without ROWTIME.
    fn column_types(&self) -> impl Iterator<Item = &DataType> {
        let fields = self.schema.fields();
        fields.iter().take(fields.len().saturating_sub(1)).map(|field| field.data_type())
    }

    /// The rows of a batch that have a key, and their keys: the key columns, and the bounds of the windows if
    /// there are any.
    pub(crate) fn keyed(&self, batch: Batch) -> Result<(Batch, Vec<ArrayRef>)> {
        let keys = self.keys_of(&batch)?;
        let columns = keys.get(..self.keys.len()).unwrap_or_default();
        if columns.iter().any(|key| key.null_count() == 0) {
            return Ok((batch, keys));
        }
        let has_key = |row| Some(columns.iter().any(|key| key.is_valid(row)));
        let batch = batch.filter(&(0..batch.len()).map(has_key).collect::<BooleanArray>())?;
        let keys = self.keys_of(&batch)?;
        Ok((batch, keys))
    }

    fn keys_of(&self, batch: &Batch) -> Result<Vec<ArrayRef>> {
        let mut keys: Vec<ArrayRef> = self.keys.iter().map(|at| batch.column(*at).cloned()).collect::<Result<_>>()?;
        keys.extend(batch.window.iter().flatten().cloned());
        Ok(keys)
    }

    /// Puts rows in the place of earlier ones of their keys and returns what each has replaced.
    pub(crate) fn replace(&mut self, batch: &Batch, keys: &[ArrayRef]) -> Result<OldRows> {
        self.note(batch, keys)?;
        self.table.replace(batch, keys)
    }

    /// Puts rows in the place of earlier ones of their keys and tells which have replaced one.
    pub(crate) fn put(&mut self, batch: &Batch, keys: &[ArrayRef]) -> Result<Vec<bool>> {
        self.note(batch, keys)?;
        self.table.put(batch, keys)
    }

    /// The latest rows of keys, nulls for those that are not there, and which are.
    pub(crate) fn get(&self, keys: &[ArrayRef]) -> Result<(RecordBatch, Vec<bool>)> {
        self.table.get(keys)
    }

    fn note(&mut self, batch: &Batch, keys: &[ArrayRef]) -> Result<()> {
        let Some(changed) = &mut self.changed else { return Ok(()) };
        let columns = batch.rows.columns();
        let columns = columns.get(..columns.len().saturating_sub(1)).unwrap_or_default();
        let times = batch.rowtimes()?;
        for row in 0..batch.len() {
            let mut key = Vec::new();
            codec::write_row(keys, row, &mut key)?;
            let mut value = None;
            if batch.is_live(row) {
                let bytes = value.insert(Vec::new());
                codec::write_header(self.fingerprint, bytes);
                bytes.extend_from_slice(&times.value(row).to_le_bytes());
                codec::write_row(columns, row, bytes)?;
            }
            changed.insert(key, value);
        }
        Ok(())
    }

    /// Hands out what has changed, with keys that start with `tag`.
    pub(crate) fn drain(&mut self, tag: u8, write: &mut dyn FnMut(StateChange<'_>)) {
        let mut tagged = Vec::new();
        for (key, value) in self.changed.iter_mut().flat_map(HashMap::drain) {
            tagged.clear();
            tagged.push(tag);
            tagged.extend_from_slice(&key);
            write((&tagged, value.as_deref()));
        }
    }

    /// Takes those entries of the changelog whose keys start with `tag`.
    pub(crate) fn restore(&mut self, tag: u8, entries: &[StateChange<'_>]) -> Result<()> {
        let (mut keys, mut columns) = (RowsBuilder::new(&self.key_types)?, RowsBuilder::new(self.column_types())?);
        let (mut times, mut live) = (Vec::new(), Vec::new());
        for (key, value) in entries {
            let Some((_, key)) = key.split_first().filter(|(found, _)| **found == tag) else { continue };
            keys.read(key)?;
            live.push(value.is_some());
            match value {
                Some(value) => {
                    let unreadable = |reason| Error::State { operator: "Join".to_owned(), reason };
                    let rest = codec::read_header(value, self.fingerprint).map_err(unreadable)?;
                    let cut_off = || unreadable("a row is cut off".to_owned());
                    let (time, row) = rest.split_first_chunk::<8>().ok_or_else(cut_off)?;
                    times.push(i64::from_le_bytes(*time));
                    columns.read(row)?;
                }
                None => {
                    times.push(0);
                    columns.append_null();
                }
            }
        }
        let mut arrays = columns.finish()?;
        arrays.push(Arc::new(Int64Array::from(times)));
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), arrays)?;
        let batch = Batch { live: Some(BooleanBuffer::from(live)), ..Batch::new(rows) };
        self.table.upsert(&batch, &keys.finish()?)
    }
}

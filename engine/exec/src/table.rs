//! The latest row of every key, in memory.

use arrow::array::{ArrayRef, Int64Array, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::{concat_batches, interleave_record_batch};
use arrow::datatypes::{DataType, SchemaRef};

use crate::groups::Groups;
use crate::{Batch, OldRows, Result};

/// A table: batches of rows, and for each key where its latest row lies.
///
/// Rows are never moved one by one. A new batch becomes a chunk; chunks of like size are merged, so that
/// there are few of them however small the batches are, and rows that were replaced go when their
/// chunk is merged.
#[derive(Debug)]
pub struct KeyedTable {
    schema: SchemaRef,
    groups: Groups,
    /// Where each slot's latest row lies: chunk and row.
    latest: Vec<Option<(usize, usize)>>,
    chunks: Vec<Chunk>,
    index: Option<PrefixIndex>,
}

/// The slots of all keys that begin alike: the windows of a key.
#[derive(Debug)]
struct PrefixIndex {
    columns: usize,
    prefixes: Groups,
    slots: Vec<Vec<u32>>,
}

impl PrefixIndex {
    /// Takes note of the keys of new slots, those from `known` on.
    fn add(&mut self, keys: &[ArrayRef], slots: &[u32], known: usize) -> Result<()> {
        let (mut prefixes, mut next) = (Vec::new(), known);
        self.prefixes.intern(keys.get(..self.columns).unwrap_or(keys), &mut prefixes)?;
        self.slots.resize_with(self.prefixes.len(), Vec::new);
        for (slot, prefix) in slots.iter().zip(prefixes) {
            // New slots are counted up as their keys first come.
            if *slot as usize == next
                && let Some(list) = self.slots.get_mut(prefix as usize)
            {
                list.push(*slot);
                next += 1;
            }
        }
        Ok(())
    }

    fn size_bytes(&self) -> usize {
        let lists: usize = self.slots.capacity() * size_of::<Vec<u32>>();
        self.prefixes.size_bytes() + lists
    }
}

#[derive(Debug)]
struct Chunk {
    rows: RecordBatch,
    /// The slot of each row.
    slots: Vec<u32>,
    size_bytes: usize,
}

impl Chunk {
    fn new(rows: RecordBatch, slots: Vec<u32>) -> Self {
        let size_bytes = rows.get_array_memory_size() + slots.capacity() * size_of::<u32>();
        Self { rows, slots, size_bytes }
    }
}

impl KeyedTable {
    /// An empty table of rows of this schema with keys of these types.
    ///
    /// # Errors
    /// If keys cannot be of these types.
    pub fn new(schema: SchemaRef, key_types: &[DataType]) -> Result<Self> {
        Ok(Self { schema, groups: Groups::new(key_types)?, latest: Vec::new(), chunks: Vec::new(), index: None })
    }

    /// The same table, still empty, with an index by the first columns of its keys, for [`KeyedTable::rows_of`].
    ///
    /// # Errors
    /// If keys cannot be of these types.
    pub fn indexed_by(mut self, prefix_types: &[DataType]) -> Result<Self> {
        let (columns, prefixes) = (prefix_types.len(), Groups::new(prefix_types)?);
        self.index = Some(PrefixIndex { columns, prefixes, slots: Vec::new() });
        Ok(self)
    }

    /// How much memory rows and keys take, about.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(|chunk| chunk.size_bytes).sum();
        let index = self.index.as_ref().map_or(0, PrefixIndex::size_bytes);
        // A slot is listed in the index, too.
        let slot = size_of::<Option<(usize, usize)>>() + size_of::<u32>();
        self.groups.size_bytes() + index + self.latest.capacity() * slot + chunks
    }

    /// Puts the rows of a batch in the place of earlier ones of their keys; rows without a value delete.
    ///
    /// # Errors
    /// None in practice.
    pub fn upsert(&mut self, batch: &Batch, keys: &[ArrayRef]) -> Result<()> {
        self.add(batch, keys, |_| {})?;
        self.merge()
    }

    /// Puts the rows of a batch in the place of earlier ones of their keys, as `upsert` does, and tells which have
    /// replaced one.
    ///
    /// # Errors
    /// None in practice.
    pub(crate) fn put(&mut self, batch: &Batch, keys: &[ArrayRef]) -> Result<Vec<bool>> {
        let mut replaced = Vec::with_capacity(batch.len());
        self.add(batch, keys, |old| replaced.push(old.is_some()))?;
        self.merge()?;
        Ok(replaced)
    }

    /// Puts the rows of a batch in the place of earlier ones of their keys, as `upsert` does, and returns what
    /// each has replaced. A batch may have several rows of one key.
    ///
    /// # Errors
    /// None in practice.
    pub fn replace(&mut self, batch: &Batch, keys: &[ArrayRef]) -> Result<OldRows> {
        let mut places = Vec::with_capacity(batch.len());
        self.add(batch, keys, |old| places.push(old))?;
        let live = places.iter().map(Option::is_some).collect();
        let old = OldRows { rows: self.at(&places)?, live };
        self.merge()?;
        Ok(old)
    }

    /// Appends a batch as a chunk; `replaced` is told, row by row, where the row lies that it replaces.
    fn add(
        &mut self,
        batch: &Batch,
        keys: &[ArrayRef],
        mut replaced: impl FnMut(Option<(usize, usize)>),
    ) -> Result<()> {
        let (mut slots, known) = (Vec::new(), self.groups.len());
        self.groups.intern(keys, &mut slots)?;
        if let Some(index) = &mut self.index {
            index.add(keys, &slots, known)?;
        }
        self.latest.resize(self.groups.len(), None);
        let chunk = self.chunks.len();
        for (row, slot) in slots.iter().enumerate() {
            if let Some(latest) = self.latest.get_mut(*slot as usize) {
                let new = batch.is_live(row).then_some((chunk, row));
                replaced(std::mem::replace(latest, new));
            }
        }
        self.chunks.push(Chunk::new(batch.rows.clone(), slots));
        Ok(())
    }

    /// Merges the last chunks as long as they are of like size.
    fn merge(&mut self) -> Result<()> {
        while let [.., before, last] = self.chunks.as_slice() {
            if last.slots.len() * 2 < before.slots.len() {
                return Ok(());
            }
            let at = self.chunks.len() - 2;
            let (mut batches, mut slots) = (Vec::new(), Vec::new());
            for (chunk, Chunk { rows, slots: old, .. }) in self.chunks.iter().enumerate().skip(at) {
                let is_latest =
                    |(row, slot): &(usize, &u32)| self.latest.get(**slot as usize) == Some(&Some((chunk, *row)));
                let (places, kept): (Vec<u32>, Vec<u32>) =
                    old.iter().enumerate().filter(is_latest).map(|(row, slot)| (row as u32, *slot)).unzip();
                batches.push(arrow::compute::take_record_batch(rows, &UInt32Array::from(places))?);
                slots.extend(kept);
            }
            let rows = concat_batches(&self.schema, &batches)?;
            self.chunks.truncate(at);
            for (row, slot) in slots.iter().enumerate() {
                if let Some(latest) = self.latest.get_mut(*slot as usize) {
                    *latest = Some((at, row));
                }
            }
            self.chunks.push(Chunk::new(rows, slots));
        }
        Ok(())
    }

    /// The latest rows of these keys, nulls for keys that are not there, and which are.
    ///
    /// # Errors
    /// None in practice.
    pub fn get(&self, keys: &[ArrayRef]) -> Result<(RecordBatch, Vec<bool>)> {
        let slots = self.groups.find(keys)?;
        let places: Vec<Option<(usize, usize)>> =
            slots.iter().map(|slot| self.latest.get((*slot)? as usize).copied().flatten()).collect();
        let found = places.iter().map(Option::is_some).collect();
        Ok((self.at(&places)?, found))
    }

    /// The rows at these places; in the others a row of nulls whose ROWTIME is 0.
    fn at(&self, places: &[Option<(usize, usize)>]) -> Result<RecordBatch> {
        let fields = self.schema.fields();
        let missing = fields.iter().map(|field| match field.is_nullable() {
            true => Ok(new_null_array(field.data_type(), 1)),
            false => Ok(arrow::compute::cast(&Int64Array::from(vec![0]), field.data_type())?),
        });
        // The row that stands for what is missing comes first.
        let missing = RecordBatch::try_new(SchemaRef::clone(&self.schema), missing.collect::<Result<_>>()?)?;
        let batches: Vec<&RecordBatch> =
            std::iter::once(&missing).chain(self.chunks.iter().map(|chunk| &chunk.rows)).collect();
        let indices: Vec<(usize, usize)> =
            places.iter().map(|place| place.map_or((0, 0), |(chunk, row)| (chunk + 1, row))).collect();
        Ok(interleave_record_batch(&batches, &indices)?)
    }

    /// All rows, in the order of their keys' first coming.
    ///
    /// # Errors
    /// None in practice.
    pub fn rows(&self) -> Result<RecordBatch> {
        self.gather(self.latest.iter().flatten().copied().collect())
    }

    /// The rows of these keys, in the order of the keys; with an index, all rows whose keys begin with one of these.
    ///
    /// # Errors
    /// None in practice.
    pub fn rows_of(&self, keys: &[ArrayRef]) -> Result<RecordBatch> {
        let latest = |slot: &u32| self.latest.get(*slot as usize).copied().flatten();
        let places = match &self.index {
            None => self.groups.find(keys)?.iter().flatten().filter_map(latest).collect(),
            Some(index) => {
                let prefixes = index.prefixes.find(keys)?.into_iter().flatten();
                let slots = prefixes.filter_map(|prefix| index.slots.get(prefix as usize)).flatten();
                slots.filter_map(latest).collect()
            }
        };
        self.gather(places)
    }

    /// How many rows there are at most: some of them may have been replaced or deleted.
    #[must_use]
    pub fn len_max(&self) -> usize {
        self.latest.len()
    }

    fn gather(&self, places: Vec<(usize, usize)>) -> Result<RecordBatch> {
        if places.is_empty() {
            return Ok(RecordBatch::new_empty(SchemaRef::clone(&self.schema)));
        }
        let references: Vec<&RecordBatch> = self.chunks.iter().map(|chunk| &chunk.rows).collect();
        Ok(interleave_record_batch(&references, &places)?)
    }
}

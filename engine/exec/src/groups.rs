//! Numbers for keys.

use std::hash::BuildHasher;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow::row::{Row, RowConverter, Rows, SortField};
use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::Result;

/// Stands for a key that has no slot yet.
const NO_SLOT: u32 = u32::MAX;

/// Gives every distinct key a number, its slot, in the order of their coming.
///
/// Keys are kept in Arrow's row encoding, in memory only: it may change with Arrow's version.
#[derive(Debug)]
pub(crate) struct Groups {
    converter: RowConverter,
    rows: Rows,
    /// The hash and the slot of every key: with the hash at hand neither growth nor a near miss has to look
    /// at a key.
    slots: HashTable<(u64, u32)>,
    hasher: DefaultHashBuilder,
    /// Of the keys at hand; kept for its room.
    hashes: Vec<u64>,
}

impl Groups {
    pub(crate) fn new(types: &[DataType]) -> Result<Self> {
        let converter = RowConverter::new(types.iter().cloned().map(SortField::new).collect())?;
        let rows = converter.empty_rows(0, 0);
        Ok(Self { converter, rows, slots: HashTable::new(), hasher: DefaultHashBuilder::default(), hashes: Vec::new() })
    }

    /// The number of slots given out so far.
    pub(crate) fn len(&self) -> usize {
        self.rows.num_rows()
    }

    /// How much memory keys and slots take.
    pub(crate) fn size_bytes(&self) -> usize {
        // The table has a byte of its own for each slot.
        self.rows.size() + self.slots.capacity() * (size_of::<(u64, u32)>() + 1)
    }

    /// The slots of keys, new ones for new keys.
    ///
    /// In three passes, since what takes the time with many groups is memory that no cache holds: short loops whose
    /// turns need nothing of one another let the processor wait for many places at once.
    pub(crate) fn intern(&mut self, keys: &[ArrayRef], slots: &mut Vec<u32>) -> Result<()> {
        let found = self.converter.convert_columns(keys)?;
        let mut hashes = std::mem::take(&mut self.hashes);
        hashes.clear();
        hashes.extend(found.iter().map(|row| self.hasher.hash_one(row.as_ref())));
        slots.clear();
        // The first slot with a key's hash is nearly always the key's own.
        slots.extend(hashes.iter().map(|hash| {
            let likely = self.slots.find(*hash, |(other, _)| other == hash);
            likely.map_or(NO_SLOT, |(_, slot)| *slot)
        }));
        for ((row, slot), hash) in found.iter().zip(slots).zip(&hashes) {
            if *slot == NO_SLOT || self.rows.row(*slot as usize) != row {
                *slot = self.intern_row(row, *hash);
            }
        }
        self.hashes = hashes;
        Ok(())
    }

    fn intern_row(&mut self, row: Row<'_>, hash: u64) -> u32 {
        let rows = &self.rows;
        let is_same = |(other, slot): &(u64, u32)| *other == hash && rows.row(*slot as usize) == row;
        match self.slots.entry(hash, is_same, |(hash, _)| *hash) {
            Entry::Occupied(entry) => entry.get().1,
            Entry::Vacant(entry) => {
                let slot = rows.num_rows() as u32;
                entry.insert((hash, slot));
                self.rows.push(row);
                slot
            }
        }
    }

    /// The slots of keys that are known.
    pub(crate) fn find(&self, keys: &[ArrayRef]) -> Result<Vec<Option<u32>>> {
        let wanted = self.converter.convert_columns(keys)?;
        let find = |row: arrow::row::Row<'_>| {
            let hash = self.hasher.hash_one(row.as_ref());
            let is_same = |(other, slot): &(u64, u32)| *other == hash && self.rows.row(*slot as usize) == row;
            self.slots.find(hash, is_same).map(|(_, slot)| *slot)
        };
        Ok(wanted.iter().map(find).collect())
    }

    /// The keys of slots, as columns.
    pub(crate) fn keys(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(self.converter.convert_rows(slots.iter().map(|slot| self.rows.row(*slot as usize)))?)
    }

    /// Forgets all keys but those of these slots, which get the numbers 0, 1, … in this order.
    pub(crate) fn retain(&mut self, keep: &[u32]) {
        let mut rows = self.converter.empty_rows(keep.len(), 0);
        for slot in keep {
            rows.push(self.rows.row(*slot as usize));
        }
        self.rows = rows;
        self.slots.clear();
        for slot in 0..keep.len() as u32 {
            let hash = self.hasher.hash_one(self.rows.row(slot as usize).as_ref());
            self.slots.insert_unique(hash, (hash, slot), |(hash, _)| *hash);
        }
    }
}

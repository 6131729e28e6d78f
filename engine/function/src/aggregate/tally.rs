//! Functions whose state is how often each value occurs: `HISTOGRAM` and `ATTR`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, MapArray, StructArray, new_null_array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type};
use arrow::error::ArrowError;

use super::cells::{Cell, Cells, Held, list_of};
use super::{AggregateFunction, GroupStates, argument, at, vec_bytes};
use crate::overload::{Param, Returns};

/// As in ksqlDB: further values of a histogram are dropped.
const VALUES_MAX: usize = 1000;

pub(super) fn all() -> Vec<AggregateFunction> {
    let f = AggregateFunction::new;
    vec![
        f("HISTOGRAM", "How often each text that is not null occurs, of at most 1000 texts.", |args, _| {
            Ok(Box::new(Tally::new(args, Kind::Histogram)?))
        })
        .example("x STRING", &["\"a\"", "\"b\"", "\"a\""], ("HISTOGRAM(x)['a']", "2"))
        .retracting()
        .overload(&[Param::String], Returns::Computed(|_| DataType::Map(entries(), false))),
        f("ATTR", "The value that all rows have, null if they have different ones.", |args, _| {
            Ok(Box::new(Tally::new(args, Kind::Attribute)?))
        })
        .example("x INT", &["1", "1"], ("ATTR(x)", "1"))
        .example("x INT", &["1", "2"], ("ATTR(x)", "NULL"))
        .retracting()
        .overload(&[Param::Any], Returns::Same(0)),
    ]
}

fn entries() -> FieldRef {
    let key = Field::new("key", DataType::Utf8, false);
    let value = Field::new("value", DataType::Int64, true);
    Arc::new(Field::new("entries", DataType::Struct(Fields::from(vec![key, value])), false))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Histogram,
    Attribute,
}

#[derive(Debug)]
struct Tally {
    kind: Kind,
    ty: DataType,
    cells: Cells,
    counts: Vec<BTreeMap<Cell, i64>>,
    held: Held,
}

impl Tally {
    fn new(args: &[DataType], kind: Kind) -> Result<Self, ArrowError> {
        let ty = args.first().cloned().unwrap_or(DataType::Null);
        Ok(Self { kind, cells: Cells::new(&ty)?, ty, counts: Vec::new(), held: Held::default() })
    }

    fn add(&mut self, slot: u32, cell: &[u8], by: i64) -> Result<(), ArrowError> {
        let counts = at(&mut self.counts, slot)?;
        if let Some(count) = counts.get_mut(cell) {
            *count += by;
            if *count <= 0 {
                counts.remove(cell);
                self.held.remove(cell);
            }
        } else if by > 0 && (self.kind == Kind::Attribute || counts.len() < VALUES_MAX) {
            counts.insert(cell.into(), by);
            self.held.add(cell);
        }
        Ok(())
    }

    fn each(&mut self, slots: &[u32], args: &[ArrayRef], by: i64) -> Result<(), ArrowError> {
        let values = argument(args, 0)?;
        let nulls = values.logical_nulls().filter(|_| self.kind == Kind::Histogram);
        let rows = self.cells.rows(values)?;
        for (row, &slot) in slots.iter().enumerate() {
            if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                self.add(slot, rows.row(row).data(), by)?;
            }
        }
        Ok(())
    }

    fn counted(&self, slot: u32) -> impl Iterator<Item = (&Cell, &i64)> {
        self.counts.get(slot as usize).into_iter().flatten()
    }

    /// The values of all slots, how often each occurs, and how many there are of each slot.
    fn flat(&self, slots: &[u32]) -> Result<(ArrayRef, ArrayRef, OffsetBuffer<i32>), ArrowError> {
        let counted = || slots.iter().flat_map(|slot| self.counted(*slot));
        let values = self.cells.array(counted().map(|(cell, _)| cell.as_ref()))?;
        let counts: Int64Array = counted().map(|(_, count)| Some(*count)).collect();
        let offsets = OffsetBuffer::from_lengths(slots.iter().map(|slot| self.counted(*slot).count()));
        Ok((values, Arc::new(counts), offsets))
    }
}

impl GroupStates for Tally {
    fn resize(&mut self, slots: usize) {
        self.held.resize(slots);
        self.counts.resize_with(slots, BTreeMap::new);
    }

    fn update(&mut self, slots: &[u32], args: &[ArrayRef]) -> Result<(), ArrowError> {
        self.each(slots, args, 1)
    }

    fn retract(&mut self, slots: &[u32], args: &[ArrayRef]) -> Result<(), ArrowError> {
        self.each(slots, args, -1)
    }

    fn merge(&mut self, into: u32, from: u32) -> Result<(), ArrowError> {
        for (cell, count) in std::mem::take(at(&mut self.counts, from)?) {
            self.held.remove(&cell);
            self.add(into, &cell, count)?;
        }
        Ok(())
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef, ArrowError> {
        if self.kind == Kind::Histogram {
            let (values, counts, offsets) = self.flat(slots)?;
            let DataType::Struct(fields) = entries().data_type().clone() else {
                return Err(ArrowError::SchemaError("a map has no entries".to_owned()));
            };
            let rows = StructArray::try_new(fields, vec![values, counts], None)?;
            return Ok(Arc::new(MapArray::try_new(entries(), offsets, rows, None, false)?));
        }
        let null = self.cells.rows(&new_null_array(&self.ty, 1))?;
        let null = null.row(0);
        let value = |slot: &u32| {
            let mut counted = self.counted(*slot);
            match (counted.next(), counted.next()) {
                (Some((cell, _)), None) => cell.as_ref(),
                _ => null.data(),
            }
        };
        self.cells.array(slots.iter().map(value))
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>, ArrowError> {
        let (values, counts, offsets) = self.flat(slots)?;
        let list = |items: ArrayRef| -> Result<ArrayRef, ArrowError> {
            let field = Arc::new(Field::new("item", items.data_type().clone(), true));
            Ok(Arc::new(ListArray::try_new(field, offsets.clone(), items, None)?))
        };
        Ok(vec![list(values)?, list(counts)?])
    }

    fn restore(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<(), ArrowError> {
        let (values, counts) = (argument(state, 0)?.as_list::<i32>(), argument(state, 1)?.as_list::<i32>());
        for (row, &slot) in slots.iter().enumerate() {
            let cells = self.cells.rows(&values.value(row))?;
            let counts = counts.value(row);
            let counts = counts.as_primitive::<Int64Type>().values();
            self.clear(slot);
            cells.iter().for_each(|cell| self.held.add(cell.data()));
            let counted = cells.iter().zip(counts).map(|(cell, count)| (Cell::from(cell.data()), *count));
            *at(&mut self.counts, slot)? = counted.collect();
        }
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![list_of(&self.ty), list_of(&DataType::Int64)]
    }

    fn clear(&mut self, slot: u32) {
        if let Some(counts) = self.counts.get_mut(slot as usize) {
            std::mem::take(counts).keys().for_each(|cell| self.held.remove(cell));
        }
    }

    fn size_bytes(&self) -> usize {
        vec_bytes(&self.counts) + self.held.bytes()
    }
}

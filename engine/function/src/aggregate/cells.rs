//! Single values as bytes.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, StructArray, UInt32Array, make_array, new_empty_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{SortColumn, lexsort_to_indices, take};
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};

/// A value as bytes that are equal where values are and sort as values do; null is a value and the least.
pub(super) type Cell = Box<[u8]>;

/// Turns the values of one type into cells and back. Cells stay in memory: their form may change with
/// Arrow's version.
#[derive(Debug)]
pub(super) struct Cells {
    ty: DataType,
    converter: RowConverter,
    has_maps: bool,
}

/// How much memory the cells of all slots take.
#[derive(Debug, Default)]
pub(super) struct Held {
    bytes: usize,
}

/// What a cell takes beside its bytes: where it lies, its length, and the allocator's own.
const CELL_BYTES: usize = 32;

impl Held {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn add(&mut self, cell: &[u8]) {
        self.bytes += cell.len() + CELL_BYTES;
    }

    pub(super) fn remove(&mut self, cell: &[u8]) {
        self.bytes = self.bytes.saturating_sub(cell.len() + CELL_BYTES);
    }

    pub(super) fn replace(&mut self, old: Option<&[u8]>, new: Option<&[u8]>) {
        old.into_iter().for_each(|cell| self.remove(cell));
        new.into_iter().for_each(|cell| self.add(cell));
    }

    /// As [`super::GroupStates::resize`]: states shrink to nothing or not at all.
    pub(super) fn resize(&mut self, slots: usize) {
        if slots == 0 {
            self.bytes = 0;
        }
    }
}

/// The list type of these items.
pub(super) fn list_of(item: &DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item.clone(), true)))
}

fn contains_map(ty: &DataType) -> bool {
    match ty {
        DataType::Map(..) => true,
        DataType::List(item) => contains_map(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| contains_map(field.data_type())),
        _ => false,
    }
}

impl Cells {
    /// # Errors
    /// If Arrow cannot sort values of the type.
    pub(super) fn new(ty: &DataType) -> Result<Self, ArrowError> {
        let converter = RowConverter::new(vec![SortField::new(ty.clone())])?;
        Ok(Self { ty: ty.clone(), converter, has_maps: contains_map(ty) })
    }

    /// The cells of an array, one a row.
    pub(super) fn rows(&self, values: &ArrayRef) -> Result<Rows, ArrowError> {
        if self.has_maps {
            return self.converter.convert_columns(&[sort_maps(values)?]);
        }
        self.converter.convert_columns(&[Arc::clone(values)])
    }

    /// The values of cells.
    pub(super) fn array<'a>(&self, cells: impl IntoIterator<Item = &'a [u8]>) -> Result<ArrayRef, ArrowError> {
        let parser = self.converter.parser();
        let mut columns = self.converter.convert_rows(cells.into_iter().map(|cell| parser.parse(cell)))?;
        Ok(columns.pop().unwrap_or_else(|| new_empty_array(&self.ty)))
    }

    /// Lists of cells as an array.
    pub(super) fn lists(&self, lists: &[Vec<&[u8]>]) -> Result<ListArray, ArrowError> {
        let offsets = OffsetBuffer::from_lengths(lists.iter().map(Vec::len));
        let items = self.array(lists.iter().flatten().copied())?;
        ListArray::try_new(Arc::new(Field::new("item", self.ty.clone(), true)), offsets, items, None)
    }
}

/// The same values with the entries of every map in the order of their keys: the order in which they came means
/// nothing.
fn sort_maps(values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match values.data_type() {
        DataType::Map(entries, _) => sort_map(values.as_map(), entries),
        DataType::List(item) => {
            let list = values.as_list::<i32>();
            let items = sort_maps(list.values())?;
            Ok(Arc::new(ListArray::try_new(Arc::clone(item), list.offsets().clone(), items, list.nulls().cloned())?))
        }
        DataType::Struct(fields) if !fields.is_empty() => {
            let columns = values.as_struct().columns().iter().map(sort_maps).collect::<Result<_, _>>()?;
            Ok(Arc::new(StructArray::try_new(fields.clone(), columns, values.nulls().cloned())?))
        }
        _ => Ok(make_array(values.to_data())),
    }
}

fn sort_map(map: &MapArray, entries: &FieldRef) -> Result<ArrayRef, ArrowError> {
    let (keys, values) = (map.keys(), sort_maps(map.values())?);
    let mut places: Vec<u32> = Vec::with_capacity(keys.len());
    let mut lengths = Vec::with_capacity(map.len());
    for row in map.offsets().windows(2) {
        let [start, end] = row else { continue };
        let (start, count) = (*start as usize, (*end - *start) as usize);
        let column = SortColumn { values: keys.slice(start, count), options: None };
        places.extend(lexsort_to_indices(&[column], None)?.values().iter().map(|at| at + start as u32));
        lengths.push(count);
    }
    let places = UInt32Array::from(places);
    let columns = vec![take(keys, &places, None)?, take(&values, &places, None)?];
    let rows = StructArray::try_new(map.entries().fields().clone(), columns, None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, rows, map.nulls().cloned(), false)?))
}

#[cfg(test)]
mod tests {
    use arrow::array::Int32Builder;
    use arrow::array::{Int32Array, MapBuilder, StringBuilder};

    use super::*;

    #[test]
    fn cells_sort_as_values_do_and_come_back() {
        let values: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), None, Some(-3)]));
        let cells = Cells::new(values.data_type()).unwrap();
        let rows = cells.rows(&values).unwrap();
        let mut sorted: Vec<&[u8]> = rows.iter().map(|row| row.data()).collect();
        sorted.sort();
        let back = cells.array(sorted).unwrap();
        assert_eq!(back.as_ref(), &Int32Array::from(vec![None, Some(-3), Some(7)]));
    }

    #[test]
    fn maps_are_equal_whatever_the_order_of_their_entries() {
        let mut builder = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
        for keys in [["a", "b"], ["b", "a"]] {
            for key in keys {
                builder.keys().append_value(key);
                builder.values().append_value(if key == "a" { 1 } else { 2 });
            }
            builder.append(true).unwrap();
        }
        let values: ArrayRef = Arc::new(builder.finish());
        let cells = Cells::new(values.data_type()).unwrap();
        let rows = cells.rows(&values).unwrap();
        assert_eq!(rows.row(0), rows.row(1));
    }
}

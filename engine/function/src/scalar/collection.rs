//! Functions of arrays and maps.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::compute::kernels::cmp;
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;

use super::kernel::{Outcome, arg, boolean_rows};
use super::{Param, Returns, ScalarFunction};
use Param::{Any, Array as List, Map};

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    vec![
        f("ARRAY_LENGTH", "The number of items of an array.", ("ARRAY_LENGTH(ARRAY[1, 2])", "2")).overload(
            &[List],
            Returns::Type(DataType::Int32),
            |args| {
                let lists = lists(args)?;
                let length = |row| lists.is_valid(row).then(|| lists.value_length(row));
                Ok(Arc::new((0..lists.len()).map(length).collect::<Int32Array>()))
            },
        ),
        f("ARRAY_CONTAINS", "Whether an array has an item.", ("ARRAY_CONTAINS(ARRAY[1, 2], 2)", "true")).overload(
            &[List, Any],
            Returns::Type(DataType::Boolean),
            array_contains,
        ),
        f("MAP_KEYS", "The keys of a map.", ("MAP_KEYS(MAP('a' := 1))", "[\"a\"]")).overload(
            &[Map],
            Returns::Computed(|args| entries_type(args, 0)),
            |args| map_part(args, 0),
        ),
        f("MAP_VALUES", "The values of a map.", ("MAP_VALUES(MAP('a' := 1))", "[1]")).overload(
            &[Map],
            Returns::Computed(|args| entries_type(args, 1)),
            |args| map_part(args, 1),
        ),
        f(
            "ELEMENT_AT",
            "The item of an array at a place, counted from 1, or from the end if negative; the value of a \
           map's key. Written `array[1]` and `map['key']`.",
            ("ELEMENT_AT(ARRAY[1, 2], -1)", "2"),
        )
        .overload(&[List, Param::Int], Returns::Computed(item_type), array_element)
        .overload(&[Map, Param::String], Returns::Computed(value_type), map_element),
    ]
}

fn item_type(args: &[DataType]) -> DataType {
    match args.first() {
        Some(DataType::List(item)) => item.data_type().clone(),
        _ => DataType::Null,
    }
}

fn value_type(args: &[DataType]) -> DataType {
    item_type(&[entries_type(args, 1)])
}

fn array_element(args: &[ArrayRef]) -> Outcome {
    let lists = lists(args)?;
    let places = super::kernel::primitives::<arrow::datatypes::Int32Type>(args, 1)?;
    let index = |row: usize| {
        let place = super::kernel::at(places, row)?;
        let length = lists.is_valid(row).then(|| lists.value_length(row))?;
        let at = if place < 0 { length + place } else { place - 1 };
        let start = lists.offsets().get(row)?;
        (0..length).contains(&at).then_some((start + at) as u32)
    };
    let indices: arrow::array::UInt32Array = (0..lists.len()).map(index).collect();
    arrow::compute::take(lists.values(), &indices, None)
}

fn map_element(args: &[ArrayRef]) -> Outcome {
    let map = arg(args, 0)?.as_map_opt().ok_or_else(|| ArrowError::InvalidArgumentError("no map".to_owned()))?;
    let names = super::kernel::strings(std::slice::from_ref(map.keys()), 0)?.clone();
    let wanted = super::kernel::strings(args, 1)?;
    let index = |row: usize| {
        let name = super::kernel::text_at(wanted, row)?;
        let (start, end) = (*map.offsets().get(row)? as usize, *map.offsets().get(row + 1)? as usize);
        let found = (start..end).rev().find(|&at| map.is_valid(row) && names.value(at) == name)?;
        Some(found as u32)
    };
    let indices: arrow::array::UInt32Array = (0..map.len()).map(index).collect();
    arrow::compute::take(map.values(), &indices, None)
}

fn lists(args: &[ArrayRef]) -> Result<&ListArray, ArrowError> {
    let array = arg(args, 0)?;
    array.as_list_opt().ok_or_else(|| ArrowError::InvalidArgumentError(format!("{} is no array", array.data_type())))
}

fn array_contains(args: &[ArrayRef]) -> Outcome {
    let lists = lists(args)?;
    let wanted = arrow::compute::cast(arg(args, 1)?, &lists.value_type())?;
    let mut found = Vec::with_capacity(lists.len());
    for row in 0..lists.len() {
        if lists.is_null(row) {
            found.push(Some(false));
            continue;
        }
        let items = lists.value(row);
        found.push(Some(if wanted.is_null(row) {
            items.null_count() > 0
        } else {
            let equal = cmp::eq(&items, &arrow::array::Scalar::new(wanted.slice(row, 1)))?;
            equal.true_count() > 0
        }));
    }
    boolean_rows(found.len(), |row| found.get(row).copied().flatten())
}

fn entries_type(args: &[DataType], part: usize) -> DataType {
    let entries = match args.first() {
        Some(DataType::Map(entries, _)) => entries.data_type(),
        _ => &DataType::Null,
    };
    let item = match entries {
        DataType::Struct(fields) => fields.get(part).map_or(DataType::Null, |field| field.data_type().clone()),
        _ => DataType::Null,
    };
    DataType::List(Arc::new(Field::new("item", item, true)))
}

fn map_part(args: &[ArrayRef], part: usize) -> Outcome {
    let array = arg(args, 0)?;
    let map = array
        .as_map_opt()
        .ok_or_else(|| ArrowError::InvalidArgumentError(format!("{} is no map", array.data_type())))?;
    let items = Arc::clone(if part == 0 { map.keys() } else { map.values() });
    let field = Arc::new(Field::new("item", items.data_type().clone(), true));
    let offsets = OffsetBuffer::new(map.offsets().inner().clone());
    Ok(Arc::new(ListArray::try_new(field, offsets, items, map.nulls().cloned())?))
}

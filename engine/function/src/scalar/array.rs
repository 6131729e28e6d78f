//! Functions of arrays.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int32Builder, Int64Array, ListArray, StringArray, UInt32Array,
};
use arrow::compute::kernels::cmp;
use arrow::datatypes::{DataType, Field, Int32Type};
use arrow::error::ArrowError;

use super::display::text_of;
use super::kernel::{
    Outcome, arg, at, boolean_rows, failed, items_at, list_of, list_of_taken, lists, primitives, strings, text_at,
    text_rows,
};
use super::math::integers;
use super::{Param, Returns, ScalarFunction};
use Param::{Any, Array as List, BigInt, Int, SameArray, String as Text};

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    vec![
        f("ARRAY_LENGTH", "The number of items of an array.", ("ARRAY_LENGTH(ARRAY[1, 2])", "2")).overload(
            &[List],
            Returns::Type(DataType::Int32),
            |args| {
                let lists = lists(args, 0)?;
                let length = |row| lists.is_valid(row).then(|| lists.value_length(row));
                Ok(Arc::new((0..lists.len()).map(length).collect::<Int32Array>()))
            },
        ),
        f("ARRAY_CONTAINS", "Whether an array has an item.", ("ARRAY_CONTAINS(ARRAY[1, 2], 2)", "true")).overload(
            &[List, Any],
            Returns::Type(DataType::Boolean),
            contains,
        ),
        f(
            "ARRAY_CONCAT",
            "The items of both arrays; an array that is null is left out.",
            ("ARRAY_CONCAT(ARRAY[1], ARRAY[2, 1])", "[1,2,1]"),
        )
        .overload(&[SameArray, SameArray], Returns::Same(0), concat),
        f(
            "ARRAY_REMOVE",
            "The array without the items that equal a value.",
            ("ARRAY_REMOVE(ARRAY[1, 2, 1], 1)", "[2]"),
        )
        .overload(&[List, Any], Returns::Same(0), remove),
        f(
            "ARRAY_JOIN",
            "The items of an array as one text with a delimiter between them, a comma if none is given.",
            ("ARRAY_JOIN(ARRAY[1, NULL, 3], '-')", "1-null-3"),
        )
        .overload(&[List], Returns::Type(DataType::Utf8), join)
        .overload(&[List, Text], Returns::Type(DataType::Utf8), join),
        f(
            "SLICE",
            "The items from one place to another, both counted from 1.",
            ("SLICE(ARRAY[1, 2, 3, 4], 2, 3)", "[2,3]"),
        )
        .overload(&[List, Int, Int], Returns::Same(0), slice),
        f(
            "GENERATE_SERIES",
            "The numbers from one to another, by a step if one is given.",
            ("GENERATE_SERIES(1, 5, 2)", "[1,3,5]"),
        )
        .example(("GENERATE_SERIES(3, 1)", "[3,2,1]"))
        .overload(&[Int, Int], numbers(DataType::Int32), |args| series(args, &DataType::Int32))
        .overload(&[Int, Int, Int], numbers(DataType::Int32), |args| series(args, &DataType::Int32))
        .overload(&[BigInt, BigInt], numbers(DataType::Int64), |args| series(args, &DataType::Int64))
        .overload(&[BigInt, BigInt, Int], numbers(DataType::Int64), |args| series(args, &DataType::Int64)),
        f(
            "ELEMENT_AT",
            "The item of an array at a place, counted from 1, or from the end if negative; the value of a \
             map's key. Written `array[1]` and `map['key']`.",
            ("ELEMENT_AT(ARRAY[1, 2], -1)", "2"),
        )
        .overload(&[List, Int], Returns::Computed(item_type), element)
        .overload(&[Param::Map, Text], Returns::Computed(super::map::value_type), super::map::element),
    ]
}

fn numbers(item: DataType) -> Returns {
    Returns::Type(DataType::List(Arc::new(Field::new("item", item, true))))
}

/// The type of an array's items.
pub(super) fn item_type(args: &[DataType]) -> DataType {
    match args.first() {
        Some(DataType::List(item)) => item.data_type().clone(),
        _ => DataType::Null,
    }
}

fn element(args: &[ArrayRef]) -> Outcome {
    let (lists, places) = (lists(args, 0)?, primitives::<Int32Type>(args, 1)?);
    let place = |row: usize| {
        let (items, place) = (items_at(lists, row)?, i64::from(at(places, row)?));
        let length = items.len() as i64;
        let offset = if place < 0 { length + place } else { place - 1 };
        (0..length).contains(&offset).then(|| (items.start as i64 + offset) as u32)
    };
    let places: UInt32Array = (0..lists.len()).map(place).collect();
    arrow::compute::take(lists.values(), &places, None)
}

/// For every item of every row, whether it equals the row's value; null equals null.
fn equal_items(lists: &ListArray, wanted: &ArrayRef) -> Result<BooleanArray, ArrowError> {
    let mut row_of_item = vec![0u32; lists.values().len()];
    for row in 0..lists.len() {
        if let Some(items) = items_at(lists, row).and_then(|items| row_of_item.get_mut(items)) {
            items.fill(row as u32);
        }
    }
    let wanted = arrow::compute::cast(wanted, &lists.value_type())?;
    let wanted = arrow::compute::take(&wanted, &UInt32Array::from(row_of_item), None)?;
    if lists.value_type().is_nested() {
        let mut rows = super::set::row_codes(&[lists.values(), &wanted])?.into_iter();
        let (Some(items), Some(wanted)) = (rows.next(), rows.next()) else { return Err(failed("nothing to compare")) };
        return Ok(items.iter().zip(wanted.iter()).map(|(a, b)| Some(a == b)).collect());
    }
    cmp::not_distinct(lists.values(), &wanted)
}

fn contains(args: &[ArrayRef]) -> Outcome {
    let (lists, wanted) = (lists(args, 0)?, arg(args, 1)?);
    if let (Some(texts), Some(wanted)) = (lists.values().as_string_opt::<i32>(), wanted.as_string_opt::<i32>()) {
        // No text is copied to stand beside each item.
        return boolean_rows(lists.len(), |row| {
            let wanted = text_at(wanted, row);
            Some(items_at(lists, row).is_some_and(|mut items| items.any(|item| text_at(texts, item) == wanted)))
        });
    }
    let equal = equal_items(lists, wanted)?;
    let found = |row: usize| Some(items_at(lists, row).is_some_and(|mut items| items.any(|item| equal.value(item))));
    Ok(Arc::new((0..lists.len()).map(found).collect::<BooleanArray>()))
}

fn remove(args: &[ArrayRef]) -> Outcome {
    let lists = lists(args, 0)?;
    let equal = equal_items(lists, arg(args, 1)?)?;
    let (mut places, mut lengths) = (Vec::new(), Vec::with_capacity(lists.len()));
    for row in 0..lists.len() {
        let before = places.len();
        let items = items_at(lists, row);
        places.extend(items.clone().into_iter().flatten().filter(|item| !equal.value(*item)).map(|item| item as u32));
        lengths.push(items.map(|_| places.len() - before));
    }
    list_of_taken(lists.values(), places, &lengths)
}

fn concat(args: &[ArrayRef]) -> Outcome {
    let (left, right) = (lists(args, 0)?, lists(args, 1)?);
    let items = arrow::compute::concat(&[left.values(), right.values()])?;
    let shift = left.values().len() as u32;
    let (mut places, mut lengths) = (Vec::new(), Vec::with_capacity(left.len()));
    for row in 0..left.len() {
        let (left, right) = (items_at(left, row), items_at(right, row));
        let length = |items: &Option<std::ops::Range<usize>>| items.as_ref().map_or(0, ExactSizeIterator::len);
        lengths.push((left.is_some() || right.is_some()).then(|| length(&left) + length(&right)));
        places.extend(left.into_iter().flatten().map(|item| item as u32));
        places.extend(right.into_iter().flatten().map(|item| item as u32 + shift));
    }
    list_of_taken(&items, places, &lengths)
}

fn join(args: &[ArrayRef]) -> Outcome {
    let lists = lists(args, 0)?;
    let delimiters: Option<&StringArray> = if args.len() > 1 { Some(strings(args, 1)?) } else { None };
    if lists.value_type().is_nested() {
        return Err(failed("the items must not be arrays, maps or structs"));
    }
    text_rows(lists.len(), |row| {
        let items = items_at(lists, row)?;
        let delimiter = delimiters.map_or(Some(","), |delimiters| text_at(delimiters, row)).unwrap_or_default();
        let texts = items.map(|item| text_of(lists.values(), item).unwrap_or_else(|| "null".to_owned()));
        Some(texts.collect::<Vec<_>>().join(delimiter))
    })
}

fn slice(args: &[ArrayRef]) -> Outcome {
    let lists = lists(args, 0)?;
    let (from, to) = (primitives::<Int32Type>(args, 1)?, primitives::<Int32Type>(args, 2)?);
    let (mut places, mut lengths) = (Vec::new(), Vec::with_capacity(lists.len()));
    for row in 0..lists.len() {
        let Some(items) = items_at(lists, row) else {
            lengths.push(None);
            continue;
        };
        // A bound that is null is the array's own.
        let length = items.len() as i64;
        let start = at(from, row).map_or(0, |from| i64::from(from) - 1);
        let end = at(to, row).map_or(length, i64::from);
        if start < 0 || end > length || start > end {
            lengths.push(None);
            continue;
        }
        places.extend((start..end).map(|item| (items.start as i64 + item) as u32));
        lengths.push(Some((end - start) as usize));
    }
    list_of_taken(lists.values(), places, &lengths)
}

/// A series is at most as long as this; a longer one would take all memory.
const SERIES_MAX: u64 = 1_000_000;

fn series(args: &[ArrayRef], item: &DataType) -> Outcome {
    let (from, to) = (integers(arg(args, 0)?)?, integers(arg(args, 1)?)?);
    let steps = if args.len() > 2 { Some(integers(arg(args, 2)?)?) } else { None };
    let (mut items, mut lengths) = (Vec::new(), Vec::with_capacity(from.len()));
    for row in 0..from.len() {
        let (Some(from), Some(to)) = (at(&from, row), at(&to, row)) else {
            lengths.push(None);
            continue;
        };
        let default = if to < from { Some(-1) } else { Some(1) };
        let Some(step) = steps.as_ref().map_or(default, |steps| at(steps, row)) else {
            lengths.push(None);
            continue;
        };
        if step == 0 || (step > 0) != (to >= from) && to != from {
            return Err(failed(format!("a series from {from} to {to} cannot go by {step}")));
        }
        let count = from.abs_diff(to) / step.unsigned_abs() + 1;
        if count > SERIES_MAX {
            return Err(failed(format!("a series of {count} numbers is too long: at most {SERIES_MAX}")));
        }
        items.extend((0..count as i64).map(|index| from + index * step));
        lengths.push(Some(count as usize));
    }
    let items: ArrayRef = match item {
        DataType::Int32 => {
            let mut narrow = Int32Builder::with_capacity(items.len());
            items.iter().for_each(|item| narrow.append_value(*item as i32));
            Arc::new(narrow.finish())
        }
        _ => Arc::new(Int64Array::from(items)),
    };
    list_of(items, &lengths)
}

//! Functions of maps.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, MapArray, StringArray, StringBuilder, StructArray, UInt32Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields};

use super::kernel::{Outcome, arg, booleans, entries_at, failed, items_at, list_of, lists, maps, strings, text_at};
use super::{Param, Returns, ScalarFunction};
use crate::overload::{map_of, map_value};
use Param::{Array as List, Boolean, Map, SameMap, String as Text};

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    vec![
        f("MAP_KEYS", "The keys of a map.", ("MAP_KEYS(MAP('a' := 1))", "[\"a\"]")).overload(
            &[Map],
            Returns::Type(list_type(DataType::Utf8)),
            |args| part(args, 0),
        ),
        f("MAP_VALUES", "The values of a map.", ("MAP_VALUES(MAP('a' := 1))", "[1]")).overload(
            &[Map],
            Returns::Computed(|args| list_type(value_type(args))),
            |args| part(args, 1),
        ),
        f(
            "MAP_UNION",
            "The entries of both maps; of a key that is in both the second map's.",
            ("MAP_UNION(MAP('a' := 1, 'b' := 2), MAP('b' := 3))", "{\"a\":1,\"b\":3}"),
        )
        .overload(&[SameMap, SameMap], Returns::Same(0), union),
        f("AS_MAP", "The map of these keys and values.", ("AS_MAP(ARRAY['a', 'b'], ARRAY[1, 2])", "{\"a\":1,\"b\":2}"))
            .overload(
                &[List, List],
                Returns::Computed(|args| map_of(super::array::item_type(args.get(1..).unwrap_or(&[])))),
                as_map,
            ),
        f(
            "ENTRIES",
            "The entries of a map as structs of K and V, by their keys if the second argument is true.",
            ("ENTRIES(MAP('a' := 1), true)", "[{\"K\":\"a\",\"V\":1}]"),
        )
        .overload(&[Map, Boolean], Returns::Computed(|args| list_type(entry_type(value_type(args)))), entries),
        f(
            "SPLIT_TO_MAP",
            "The map that a text like a:=1&b:=2 stands for, given the delimiters of entries and of keys.",
            ("SPLIT_TO_MAP('a=1&b=2', '&', '=')", "{\"a\":\"1\",\"b\":\"2\"}"),
        )
        .overload(&[Text, Text, Text], Returns::Type(map_of(DataType::Utf8)), split_to_map),
    ]
}

fn list_type(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, true)))
}

/// The type of a map's values.
pub(super) fn value_type(args: &[DataType]) -> DataType {
    args.first().map_or(DataType::Null, map_value)
}

fn entry_fields(value: DataType) -> Fields {
    Fields::from(vec![Field::new("K", DataType::Utf8, true), Field::new("V", value, true)])
}

fn entry_type(value: DataType) -> DataType {
    DataType::Struct(entry_fields(value))
}

fn part(args: &[ArrayRef], part: usize) -> Outcome {
    let maps = maps(args, 0)?;
    let items = Arc::clone(if part == 0 { maps.keys() } else { maps.values() });
    let field = Arc::new(Field::new("item", items.data_type().clone(), true));
    let offsets = OffsetBuffer::new(maps.offsets().inner().clone());
    Ok(Arc::new(arrow::array::ListArray::try_new(field, offsets, items, maps.nulls().cloned())?))
}

fn keys(maps: &MapArray) -> Result<&StringArray, arrow::error::ArrowError> {
    strings(std::slice::from_ref(maps.keys()), 0)
}

/// The value of a key.
pub(super) fn element(args: &[ArrayRef]) -> Outcome {
    let (maps, wanted) = (maps(args, 0)?, strings(args, 1)?);
    let keys = keys(maps)?;
    let place = |row: usize| {
        let wanted = text_at(wanted, row)?;
        entries_at(maps, row)?.rev().find(|&entry| keys.value(entry) == wanted).map(|entry| entry as u32)
    };
    let places: UInt32Array = (0..maps.len()).map(place).collect();
    arrow::compute::take(maps.values(), &places, None)
}

/// Maps of so many entries a row, none for null.
pub(crate) fn map_of_entries(keys: ArrayRef, values: ArrayRef, lengths: &[Option<usize>]) -> Outcome {
    let DataType::Map(entries, _) = map_of(values.data_type().clone()) else { return Err(failed("no map")) };
    let DataType::Struct(fields) = entries.data_type().clone() else { return Err(failed("no map")) };
    let structs = StructArray::try_new(fields, vec![keys, values], None)?;
    let offsets = OffsetBuffer::from_lengths(lengths.iter().map(|length| length.unwrap_or(0)));
    let nulls: NullBuffer = lengths.iter().map(Option::is_some).collect();
    Ok(Arc::new(MapArray::try_new(entries, offsets, structs, Some(nulls), false)?))
}

fn union(args: &[ArrayRef]) -> Outcome {
    let (first, second) = (maps(args, 0)?, maps(args, 1)?);
    let all_keys = arrow::compute::concat(&[first.keys(), second.keys()])?;
    let all_values = arrow::compute::concat(&[first.values(), second.values()])?;
    let names = strings(std::slice::from_ref(&all_keys), 0)?;
    let shift = first.keys().len();
    let (mut key_places, mut value_places, mut lengths) = (Vec::new(), Vec::new(), Vec::with_capacity(first.len()));
    for row in 0..first.len() {
        let (left, right) = (entries_at(first, row), entries_at(second, row));
        if left.is_none() && right.is_none() {
            lengths.push(None);
            continue;
        }
        let start = key_places.len();
        let mut place_of: HashMap<&str, usize> = HashMap::new();
        let right = right.into_iter().flatten().map(|entry| entry + shift);
        for entry in left.into_iter().flatten().chain(right) {
            let place = *place_of.entry(names.value(entry)).or_insert(key_places.len());
            if place == key_places.len() {
                key_places.push(entry as u32);
                value_places.push(entry as u32);
            } else if let Some(value) = value_places.get_mut(place) {
                *value = entry as u32;
            }
        }
        lengths.push(Some(key_places.len() - start));
    }
    let keys = arrow::compute::take(&all_keys, &UInt32Array::from(key_places), None)?;
    let values = arrow::compute::take(&all_values, &UInt32Array::from(value_places), None)?;
    map_of_entries(keys, values, &lengths)
}

fn as_map(args: &[ArrayRef]) -> Outcome {
    let (key_lists, value_lists) = (lists(args, 0)?, lists(args, 1)?);
    let names = arrow::compute::cast(key_lists.values(), &DataType::Utf8)?;
    let names = strings(std::slice::from_ref(&names), 0)?;
    let (mut keys, mut places, mut lengths) = (StringBuilder::new(), Vec::new(), Vec::new());
    for row in 0..key_lists.len() {
        let pairs = items_at(key_lists, row).zip(items_at(value_lists, row));
        lengths.push(pairs.clone().map(|(keys, values)| keys.len().min(values.len())));
        for (key, value) in pairs.into_iter().flat_map(|(keys, values)| keys.zip(values)) {
            keys.append_value(text_at(names, key).unwrap_or("null"));
            places.push(value as u32);
        }
    }
    let values = arrow::compute::take(value_lists.values(), &UInt32Array::from(places), None)?;
    map_of_entries(Arc::new(keys.finish()), values, &lengths)
}

fn entries(args: &[ArrayRef]) -> Outcome {
    let (maps, sorted) = (maps(args, 0)?, booleans(args, 1)?);
    let names = keys(maps)?;
    let (mut places, mut lengths) = (Vec::new(), Vec::with_capacity(maps.len()));
    for row in 0..maps.len() {
        let Some(entries) = entries_at(maps, row) else {
            lengths.push(None);
            continue;
        };
        let mut entries: Vec<u32> = entries.map(|entry| entry as u32).collect();
        if sorted.is_valid(row) && sorted.value(row) {
            entries.sort_by_key(|entry| names.value(*entry as usize));
        }
        lengths.push(Some(entries.len()));
        places.append(&mut entries);
    }
    let places = UInt32Array::from(places);
    let keys = arrow::compute::take(maps.keys(), &places, None)?;
    let values = arrow::compute::take(maps.values(), &places, None)?;
    let structs = StructArray::try_new(entry_fields(values.data_type().clone()), vec![keys, values], None)?;
    list_of(Arc::new(structs), &lengths)
}

fn split_to_map(args: &[ArrayRef]) -> Outcome {
    let (texts, entry_marks, key_marks) = (strings(args, 0)?, strings(args, 1)?, strings(args, 2)?);
    let (mut keys, mut values, mut lengths) = (StringBuilder::new(), StringBuilder::new(), Vec::new());
    for row in 0..arg(args, 0)?.len() {
        let given = (text_at(texts, row), text_at(entry_marks, row), text_at(key_marks, row));
        let (Some(text), Some(entry_mark), Some(key_mark)) = given else {
            lengths.push(None);
            continue;
        };
        if entry_mark.is_empty() || key_mark.is_empty() {
            lengths.push(None);
            continue;
        }
        let mut found: Vec<(&str, &str)> = Vec::new();
        for (key, value) in text.split(entry_mark).filter_map(|entry| entry.split_once(key_mark)) {
            // Of entries with one key the last one counts.
            found.retain(|(earlier, _)| *earlier != key);
            found.push((key, value));
        }
        lengths.push(Some(found.len()));
        for (key, value) in found {
            keys.append_value(key);
            values.append_value(value);
        }
    }
    map_of_entries(Arc::new(keys.finish()), Arc::new(values.finish()), &lengths)
}

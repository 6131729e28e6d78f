//! Functions that compare the items of arrays: order and sets.
//!
//! All items of a batch are turned into comparable bytes at once ([`Rows`]), whatever their type.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, ListArray, UInt32Array};
use arrow::compute::SortOptions;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};

use super::array::item_type;
use super::kernel::{Outcome, failed, items_at, list_of_taken, lists, strings, text_at};
use super::{Param, Returns, ScalarFunction};
use Param::{Array as List, SameArray, String as Text};

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    let item = || Returns::Computed(item_type);
    let both = &[SameArray, SameArray];
    vec![
        f("ARRAY_MAX", "The greatest item of an array; nulls are left out.", ("ARRAY_MAX(ARRAY[1, NULL, 3])", "3"))
            .overload(&[List], item(), |args| extreme(args, true)),
        f("ARRAY_MIN", "The least item of an array; nulls are left out.", ("ARRAY_MIN(ARRAY[1, NULL, 3])", "1"))
            .overload(&[List], item(), |args| extreme(args, false)),
        f(
            "ARRAY_SORT",
            "The items in order, nulls last; from the greatest to the least if the second argument is 'DESC'.",
            ("ARRAY_SORT(ARRAY[2, 3, 1], 'DESC')", "[3,2,1]"),
        )
        .overload(&[List], Returns::Same(0), sort)
        .overload(&[List, Text], Returns::Same(0), sort),
        f("ARRAY_DISTINCT", "Each item once, where it comes first.", ("ARRAY_DISTINCT(ARRAY[1, 2, 1])", "[1,2]"))
            .overload(&[List], Returns::Same(0), |args| {
                let lists = lists(args, 0)?;
                set(&[lists], |_, _| true)
            }),
        f(
            "ARRAY_EXCEPT",
            "Each item of the first array that is not in the second, once.",
            ("ARRAY_EXCEPT(ARRAY[1, 2, 3], ARRAY[2])", "[1,3]"),
        )
        .overload(both, Returns::Same(0), |args| two(args, |in_second| !in_second)),
        f(
            "ARRAY_INTERSECT",
            "Each item that is in both arrays, once.",
            ("ARRAY_INTERSECT(ARRAY[1, 2, 3], ARRAY[3, 2])", "[2,3]"),
        )
        .overload(both, Returns::Same(0), |args| two(args, |in_second| in_second)),
        f(
            "ARRAY_UNION",
            "Each item that is in one of the arrays, once.",
            ("ARRAY_UNION(ARRAY[1, 2], ARRAY[2, 3])", "[1,2,3]"),
        )
        .overload(both, Returns::Same(0), |args| set(&[lists(args, 0)?, lists(args, 1)?], |_, _| true)),
    ]
}

/// The values of arrays of one type as bytes that compare as the values do.
pub(super) fn row_codes(arrays: &[&ArrayRef]) -> Result<Vec<Rows>, ArrowError> {
    coded(arrays, SortOptions::default())
}

fn coded(arrays: &[&ArrayRef], options: SortOptions) -> Result<Vec<Rows>, ArrowError> {
    let Some(first) = arrays.first() else { return Ok(Vec::new()) };
    let field = SortField::new_with_options(first.data_type().clone(), options);
    let converter = RowConverter::new(vec![field])?;
    arrays.iter().map(|array| converter.convert_columns(std::slice::from_ref(*array))).collect()
}

fn extreme(args: &[ArrayRef], greatest: bool) -> Outcome {
    let lists = lists(args, 0)?;
    let codes = coded(&[lists.values()], SortOptions::default())?;
    let codes = codes.first().ok_or_else(|| failed("nothing to compare"))?;
    let best = |row: usize| {
        let items = items_at(lists, row)?.filter(|item| lists.values().is_valid(*item));
        let best = if greatest {
            items.max_by_key(|item| codes.row(*item))
        } else {
            items.min_by_key(|item| codes.row(*item))
        };
        best.map(|item| item as u32)
    };
    let places: UInt32Array = (0..lists.len()).map(best).collect();
    arrow::compute::take(lists.values(), &places, None)
}

fn sort(args: &[ArrayRef]) -> Outcome {
    let lists = lists(args, 0)?;
    let orders = if args.len() > 1 { Some(strings(args, 1)?) } else { None };
    let ascending = coded(&[lists.values()], SortOptions { descending: false, nulls_first: false })?;
    let descending = coded(&[lists.values()], SortOptions { descending: true, nulls_first: false })?;
    let (Some(ascending), Some(descending)) = (ascending.first(), descending.first()) else {
        return Err(failed("nothing to compare"));
    };
    let (mut places, mut lengths) = (Vec::new(), Vec::with_capacity(lists.len()));
    for row in 0..lists.len() {
        let codes = match orders.map(|orders| text_at(orders, row).map(str::to_ascii_uppercase)) {
            None => Some(ascending),
            Some(Some(order)) if order.starts_with("ASC") => Some(ascending),
            Some(Some(order)) if order.starts_with("DESC") => Some(descending),
            Some(_) => None,
        };
        let Some((items, codes)) = items_at(lists, row).zip(codes) else {
            lengths.push(None);
            continue;
        };
        lengths.push(Some(items.len()));
        let start = places.len();
        places.extend(items.map(|item| item as u32));
        if let Some(sorted) = places.get_mut(start..) {
            sorted.sort_by_key(|item| codes.row(*item as usize));
        }
    }
    list_of_taken(lists.values(), places, &lengths)
}

/// The first array's items, each once, of which `keep` wants to know only whether they are in the second.
fn two(args: &[ArrayRef], keep: fn(bool) -> bool) -> Outcome {
    let (first, second) = (lists(args, 0)?, lists(args, 1)?);
    let mut codes = row_codes(&[first.values(), second.values()])?.into_iter();
    let (Some(_), Some(codes)) = (codes.next(), codes.next()) else { return Err(failed("nothing to compare")) };
    let others: Vec<Option<HashSet<&[u8]>>> = (0..second.len())
        .map(|row| Some(items_at(second, row)?.map(|item| codes.row(item).data()).collect()))
        .collect();
    let kept = |row: usize, item: &[u8]| {
        let others = others.get(row).and_then(Option::as_ref);
        others.is_some_and(|others| keep(others.contains(item)))
    };
    let result = set(&[first], kept)?;
    // Without a second array there is no result.
    arrow::compute::nullif(&result, &arrow::compute::is_null(second)?)
}

/// The items of arrays one after the other, each once, and only those that `keep` wants of a row.
fn set(arrays: &[&ListArray], keep: impl Fn(usize, &[u8]) -> bool) -> Outcome {
    let values: Vec<&ArrayRef> = arrays.iter().map(|lists| lists.values()).collect();
    let codes = row_codes(&values)?;
    let items = arrow::compute::concat(&values.iter().map(AsRef::as_ref).collect::<Vec<_>>())?;
    let rows = arrays.first().map_or(0, |lists| lists.len());
    let (mut places, mut lengths) = (Vec::new(), Vec::with_capacity(rows));
    let mut seen: HashSet<&[u8]> = HashSet::new();
    for row in 0..rows {
        seen.clear();
        let (mut shift, mut length) = (0, Some(0));
        for (lists, codes) in arrays.iter().zip(&codes) {
            match items_at(lists, row) {
                Some(found) => {
                    for item in found {
                        let code = codes.row(item).data();
                        if keep(row, code) && seen.insert(code) {
                            places.push((item + shift) as u32);
                            length = length.map(|length| length + 1);
                        }
                    }
                }
                None => length = None,
            }
            shift += lists.values().len();
        }
        if length.is_none() {
            places.truncate(lengths.iter().map(|length: &Option<usize>| length.unwrap_or(0)).sum());
        }
        lengths.push(length);
    }
    list_of_taken(&items, places, &lengths)
}

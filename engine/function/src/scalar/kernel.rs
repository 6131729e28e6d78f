//! The few shapes that most kernels have.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, GenericByteArray, ListArray, MapArray, PrimitiveArray,
    StringArray, StringBuilder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{ArrowPrimitiveType, ByteArrayType, Field};
use arrow::error::ArrowError;

pub(crate) type Outcome = Result<ArrayRef, ArrowError>;

/// The argument at this place.
pub(super) fn arg(args: &[ArrayRef], index: usize) -> Result<&ArrayRef, ArrowError> {
    args.get(index).ok_or_else(|| ArrowError::InvalidArgumentError(format!("argument {} is missing", index + 1)))
}

/// The text argument at this place.
pub(super) fn strings(args: &[ArrayRef], index: usize) -> Result<&StringArray, ArrowError> {
    let array = arg(args, index)?;
    array.as_string_opt().ok_or_else(|| wrong_type(array))
}

/// The argument of bytes at this place.
pub(super) fn binaries(args: &[ArrayRef], index: usize) -> Result<&BinaryArray, ArrowError> {
    let array = arg(args, index)?;
    array.as_binary_opt().ok_or_else(|| wrong_type(array))
}

/// The argument of booleans at this place.
pub(super) fn booleans(args: &[ArrayRef], index: usize) -> Result<&BooleanArray, ArrowError> {
    let array = arg(args, index)?;
    array.as_boolean_opt().ok_or_else(|| wrong_type(array))
}

/// The argument of arrays at this place.
pub(super) fn lists(args: &[ArrayRef], index: usize) -> Result<&ListArray, ArrowError> {
    let array = arg(args, index)?;
    array.as_list_opt().ok_or_else(|| wrong_type(array))
}

/// The argument of maps at this place.
pub(super) fn maps(args: &[ArrayRef], index: usize) -> Result<&MapArray, ArrowError> {
    let array = arg(args, index)?;
    array.as_map_opt().ok_or_else(|| wrong_type(array))
}

/// The primitive argument at this place.
pub(super) fn primitives<T: ArrowPrimitiveType>(
    args: &[ArrayRef],
    index: usize,
) -> Result<&PrimitiveArray<T>, ArrowError> {
    let array = arg(args, index)?;
    array.as_primitive_opt().ok_or_else(|| wrong_type(array))
}

fn wrong_type(array: &ArrayRef) -> ArrowError {
    ArrowError::InvalidArgumentError(format!("an argument cannot be of type {}", array.data_type()))
}

/// Text to text; null stays null.
pub(super) fn map_text<S: AsRef<str>>(args: &[ArrayRef], f: impl Fn(&str) -> S) -> Outcome {
    let array = strings(args, 0)?;
    Ok(Arc::new(array.iter().map(|text| text.map(&f)).collect::<StringArray>()))
}

/// Text to a primitive; null stays null.
pub(super) fn map_text_to<T: ArrowPrimitiveType>(args: &[ArrayRef], f: impl Fn(&str) -> Option<T::Native>) -> Outcome {
    let array = strings(args, 0)?;
    Ok(Arc::new(array.iter().map(|text| text.and_then(&f)).collect::<PrimitiveArray<T>>()))
}

/// Primitive to primitive; null stays null.
pub(super) fn map<A: ArrowPrimitiveType, B: ArrowPrimitiveType>(
    args: &[ArrayRef],
    f: impl Fn(A::Native) -> B::Native,
) -> Outcome {
    Ok(Arc::new(primitives::<A>(args, 0)?.unary::<_, B>(f)))
}

/// Row numbers to optional texts.
pub(super) fn text_rows<S: AsRef<str>>(rows: usize, f: impl Fn(usize) -> Option<S>) -> Outcome {
    Ok(Arc::new((0..rows).map(f).collect::<StringArray>()))
}

/// Row numbers to optional booleans.
pub(super) fn boolean_rows(rows: usize, f: impl Fn(usize) -> Option<bool>) -> Outcome {
    Ok(Arc::new((0..rows).map(f).collect::<BooleanArray>()))
}

/// The array with false in the place of null.
pub(super) fn null_is_false(array: &BooleanArray) -> BooleanArray {
    // Arrow's kernel takes only arrays that have a null.
    if array.null_count() == 0 { array.clone() } else { arrow::compute::prep_null_mask_filter(array) }
}

/// The text of a row, `None` for null.
pub(super) fn text_at(array: &StringArray, row: usize) -> Option<&str> {
    bytes_at(array, row)
}

/// The text or the bytes of a row, `None` for null.
pub(super) fn bytes_at<T: ByteArrayType>(array: &GenericByteArray<T>, row: usize) -> Option<&T::Native> {
    array.is_valid(row).then(|| array.value(row))
}

/// Texts to text; null if one is null.
pub(super) fn texts_to_text<const N: usize, S: AsRef<str>>(
    args: &[ArrayRef],
    f: impl Fn([&str; N]) -> Result<Option<S>, ArrowError>,
) -> Outcome {
    let columns = (0..N).map(|index| strings(args, index)).collect::<Result<Vec<_>, _>>()?;
    let rows = columns.first().map_or(0, |column| column.len());
    let mut result = StringBuilder::with_capacity(rows, rows * 16);
    for row in 0..rows {
        let texts: Option<Vec<&str>> = columns.iter().map(|column| text_at(column, row)).collect();
        match texts.and_then(|texts| <[&str; N]>::try_from(texts).ok()) {
            Some(texts) => result.append_option(f(texts)?),
            None => result.append_null(),
        }
    }
    Ok(Arc::new(result.finish()))
}

/// The places of a row's items among all items; `None` for null.
pub(crate) fn items_at(lists: &ListArray, row: usize) -> Option<std::ops::Range<usize>> {
    let (start, end) = (*lists.offsets().get(row)?, *lists.offsets().get(row + 1)?);
    lists.is_valid(row).then_some(start as usize..end as usize)
}

/// The places of a row's entries among all entries; `None` for null.
pub(crate) fn entries_at(maps: &MapArray, row: usize) -> Option<std::ops::Range<usize>> {
    let (start, end) = (*maps.offsets().get(row)?, *maps.offsets().get(row + 1)?);
    maps.is_valid(row).then_some(start as usize..end as usize)
}

/// Arrays of items: so many for each row, none for null.
pub(crate) fn list_of(items: ArrayRef, lengths: &[Option<usize>]) -> Outcome {
    let field = Arc::new(Field::new("item", items.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(lengths.iter().map(|length| length.unwrap_or(0)));
    let nulls: NullBuffer = lengths.iter().map(Option::is_some).collect();
    Ok(Arc::new(ListArray::try_new(field, offsets, items, Some(nulls))?))
}

/// Arrays of some of the items, by their places.
pub(super) fn list_of_taken(items: &ArrayRef, places: Vec<u32>, lengths: &[Option<usize>]) -> Outcome {
    list_of(arrow::compute::take(items, &arrow::array::UInt32Array::from(places), None)?, lengths)
}

/// A row's error.
pub(super) fn failed(reason: impl Into<String>) -> ArrowError {
    ArrowError::ComputeError(reason.into())
}

/// The value of a row, `None` for null.
pub(super) fn at<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, row: usize) -> Option<T::Native> {
    array.is_valid(row).then(|| array.value(row))
}

//! The few shapes that most kernels have.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray, StringArray};
use arrow::datatypes::ArrowPrimitiveType;
use arrow::error::ArrowError;

pub(super) type Outcome = Result<ArrayRef, ArrowError>;

/// The argument at this place.
pub(super) fn arg(args: &[ArrayRef], index: usize) -> Result<&ArrayRef, ArrowError> {
    args.get(index).ok_or_else(|| ArrowError::InvalidArgumentError(format!("argument {} is missing", index + 1)))
}

/// The text argument at this place.
pub(super) fn strings(args: &[ArrayRef], index: usize) -> Result<&StringArray, ArrowError> {
    let array = arg(args, index)?;
    array.as_string_opt().ok_or_else(|| wrong_type(array))
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

/// The value of a row, `None` for null.
pub(super) fn text_at(array: &StringArray, row: usize) -> Option<&str> {
    array.is_valid(row).then(|| array.value(row))
}

/// The value of a row, `None` for null.
pub(super) fn at<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, row: usize) -> Option<T::Native> {
    array.is_valid(row).then(|| array.value(row))
}

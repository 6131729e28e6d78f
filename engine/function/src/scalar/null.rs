//! Functions of nulls.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::compute::is_not_null;
use arrow::compute::kernels::{cmp, zip};

use super::kernel::{Outcome, arg, null_is_false};
use super::{Param, Returns, ScalarFunction};
use Param::Any;

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    vec![
        f("COALESCE", "The first value that is not null.", ("COALESCE(NULL, 2, 3)", "2")).variadic(
            &[Any],
            Returns::Same(0),
            coalesce,
        ),
        f("IFNULL", "The first value, or the second if it is null.", ("IFNULL(NULL, 2)", "2")).overload(
            &[Any, Any],
            Returns::Same(0),
            coalesce,
        ),
        f("NULLIF", "Null if both values are equal, else the first.", ("NULLIF(1, 1)", "NULL")).overload(
            &[Any, Any],
            Returns::Same(0),
            nullif,
        ),
        f("AS_VALUE", "The value itself: copies a key column into the value of a row.", ("AS_VALUE(1)", "1")).overload(
            &[Any],
            Returns::Same(0),
            |args| arg(args, 0).cloned(),
        ),
    ]
}

fn nullif(args: &[ArrayRef]) -> Outcome {
    let (value, other) = (arg(args, 0)?, arg(args, 1)?);
    let equal = if value.data_type().is_nested() {
        let codes = super::set::row_codes(&[value, other])?;
        let mut rows = codes.iter().map(|rows| rows.iter());
        let (Some(values), Some(others)) = (rows.next(), rows.next()) else { return Ok(Arc::clone(value)) };
        values.zip(others).map(|(value, other)| Some(value == other)).collect::<BooleanArray>()
    } else {
        null_is_false(&cmp::eq(value, other)?)
    };
    arrow::compute::nullif(value, &equal)
}

fn coalesce(args: &[ArrayRef]) -> Outcome {
    let mut result = Arc::clone(arg(args, 0)?);
    for other in args.get(1..).unwrap_or_default() {
        if result.null_count() == 0 {
            break;
        }
        result = zip::zip(&is_not_null(&result)?, &result, other)?;
    }
    Ok(result)
}

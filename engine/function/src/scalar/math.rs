//! Functions of numbers.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int32Type, Int64Type};
use arrow::error::ArrowError;

use super::kernel::{Outcome, arg, map, null_is_false, primitives};
use super::{Param, Returns, ScalarFunction};
use Param::{BigInt, Comparable, Decimal, Double, Int};

const DOUBLE: Returns = Returns::Type(DataType::Float64);
const BIGINT: Returns = Returns::Type(DataType::Int64);
const INT: Returns = Returns::Type(DataType::Int32);

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    vec![
        f("ABS", "The number without its sign.", ("ABS(-2)", "2"))
            .overload(&[Int], INT, |args| map::<Int32Type, Int32Type>(args, i32::wrapping_abs))
            .overload(&[BigInt], BIGINT, |args| map::<Int64Type, Int64Type>(args, i64::wrapping_abs))
            .overload(&[Double], DOUBLE, |args| map::<Float64Type, Float64Type>(args, f64::abs))
            .overload(&[Decimal], Returns::Same(0), |args| {
                let decimals = primitives::<Decimal128Type>(args, 0)?;
                let result = decimals.unary::<_, Decimal128Type>(i128::wrapping_abs);
                Ok(Arc::new(result.with_data_type(decimals.data_type().clone())))
            }),
        f("SIGN", "-1, 0 or 1, as the number is negative, zero or positive.", ("SIGN(-3)", "-1"))
            .overload(&[Int], INT, |args| map::<Int32Type, Int32Type>(args, i32::signum))
            .overload(&[BigInt], INT, |args| map::<Int64Type, Int32Type>(args, |value| value.signum() as i32))
            .overload(&[Decimal], INT, |args| {
                let decimals = primitives::<Decimal128Type>(args, 0)?;
                Ok(Arc::new(decimals.unary::<_, Int32Type>(|value| value.signum() as i32)))
            })
            .overload(&[Double], INT, |args| {
                map::<Float64Type, Int32Type>(args, |value| if value > 0.0 { 1 } else { -i32::from(value < 0.0) })
            }),
        f("GREATEST", "The greatest of the values; nulls are left out.", ("GREATEST(1, NULL, 3)", "3")).variadic(
            &[Comparable],
            Returns::Same(0),
            |args| extreme(args, true),
        ),
        f("LEAST", "The least of the values; nulls are left out.", ("LEAST(1, NULL, 3)", "1")).variadic(
            &[Comparable],
            Returns::Same(0),
            |args| extreme(args, false),
        ),
    ]
}

fn extreme(args: &[ArrayRef], greatest: bool) -> Outcome {
    let mut best = Arc::clone(arg(args, 0)?);
    for other in args.get(1..).unwrap_or_default() {
        let better = if greatest {
            arrow::compute::kernels::cmp::gt(other, &best)?
        } else {
            arrow::compute::kernels::cmp::lt(other, &best)?
        };
        let replace = arrow::compute::or_kleene(&better, &arrow::compute::is_null(&best)?)?;
        let replace = arrow::compute::and(&null_is_false(&replace), &arrow::compute::is_not_null(other)?)?;
        best = arrow::compute::kernels::zip::zip(&replace, other, &best)?;
    }
    Ok(best)
}

/// The integers of an array, for functions that take an `INT` or a `BIGINT`.
pub(super) fn integers(array: &ArrayRef) -> Result<Int64Array, ArrowError> {
    let cast = arrow::compute::cast(array, &DataType::Int64)?;
    primitives::<Int64Type>(std::slice::from_ref(&cast), 0).cloned()
}

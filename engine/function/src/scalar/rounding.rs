//! `CEIL`, `FLOOR`, `ROUND` and `TRUNC`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Decimal128Array};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int32Type, Int64Type};

use super::kernel::{Outcome, arg, at, map, primitives};
use super::{Kernel, Param, Returns, ScalarFunction};
use Param::{BigInt, Decimal, Double, Int};

const DOUBLE: Returns = Returns::Type(DataType::Float64);
const BIGINT: Returns = Returns::Type(DataType::Int64);
const INT: Returns = Returns::Type(DataType::Int32);

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    let round =
        f("ROUND", "The number rounded half up, to a whole one or to some places.", ("ROUND(2.345E0, 2)", "2.35"));
    let trunc = f("TRUNC", "The number cut off, to a whole one or to some places.", ("TRUNC(2.345E0, 2)", "2.34"));
    vec![
        whole(f("CEIL", "The smallest whole number that is not less.", ("CEIL(1.2E0)", "2.0")))
            .overload(&[Double], DOUBLE, |args| map::<Float64Type, Float64Type>(args, f64::ceil))
            .overload(&[Decimal], Returns::Same(0), |args| decimals(args, false, &|x, unit| -(-x).div_euclid(unit))),
        whole(f("FLOOR", "The greatest whole number that is not greater.", ("FLOOR(1.8E0)", "1.0")))
            .overload(&[Double], DOUBLE, |args| map::<Float64Type, Float64Type>(args, f64::floor))
            .overload(&[Decimal], Returns::Same(0), |args| decimals(args, false, &i128::div_euclid)),
        places(
            whole(round.example(("ROUND(-1.5)", "-1"))),
            |args| map::<Float64Type, Int64Type>(args, |value| (value + 0.5).floor() as i64),
            |args| decimals(args, true, &half_up),
            |args| doubles(args, |scaled| floor(scaled + 0.5), 0.5),
            |args| decimals(args, false, &half_up),
        ),
        places(
            whole(trunc.example(("TRUNC(-1.7)", "-1"))),
            |args| map::<Float64Type, Int64Type>(args, |value| value.trunc() as i64),
            |args| decimals(args, true, &std::ops::Div::div),
            |args| doubles(args, f64::trunc, 0.0),
            |args| decimals(args, false, &std::ops::Div::div),
        ),
    ]
}

/// A function whose integers are whole already.
fn whole(function: ScalarFunction) -> ScalarFunction {
    function
        .overload(&[Int], INT, |args| arg(args, 0).cloned())
        .overload(&[BigInt], BIGINT, |args| arg(args, 0).cloned())
}

fn places(
    function: ScalarFunction,
    double: Kernel,
    decimal: Kernel,
    doubles: Kernel,
    decimals: Kernel,
) -> ScalarFunction {
    function
        .overload(&[Double], BIGINT, double)
        .overload(&[Decimal], Returns::Computed(whole_decimal), decimal)
        .overload(&[Double, Int], DOUBLE, doubles)
        .overload(&[Decimal, Int], Returns::Same(0), decimals)
}

/// The type of a decimal's whole part, with a digit more since rounding may carry.
fn whole_decimal(args: &[DataType]) -> DataType {
    match args.first() {
        Some(DataType::Decimal128(precision, scale)) => {
            DataType::Decimal128((*precision as i8 - scale + 1).clamp(1, 38) as u8, 0)
        }
        _ => DataType::Decimal128(38, 0),
    }
}

fn half_up(x: i128, unit: i128) -> i128 {
    x.div_euclid(unit) + i128::from(x.rem_euclid(unit) >= unit - unit / 2)
}

/// Rounds to the places of the second argument, 0 without one. `divide` divides by the unit of the last place.
/// The result is of the argument's scale unless it is to be whole.
fn decimals(args: &[ArrayRef], to_whole: bool, divide: &dyn Fn(i128, i128) -> i128) -> Outcome {
    let values = primitives::<Decimal128Type>(args, 0)?;
    let places = if args.len() > 1 { Some(primitives::<Int32Type>(args, 1)?) } else { None };
    let scale = i64::from(values.scale());
    let round = |row: usize| {
        let value = at(values, row)?;
        let places = places.map_or(Some(0), |places| at(places, row))?;
        let dropped = scale - i64::from(places);
        if dropped <= 0 {
            return Some(value);
        }
        let unit = u32::try_from(dropped).ok().and_then(|dropped| 10i128.checked_pow(dropped));
        let Some(unit) = unit else { return Some(0) };
        let units = divide(value, unit);
        if to_whole { Some(units) } else { units.checked_mul(unit) }
    };
    let result: Decimal128Array = (0..values.len()).map(round).collect();
    let ty = values.data_type().clone();
    Ok(Arc::new(result.with_data_type(if to_whole { whole_decimal(&[ty]) } else { ty })))
}

/// Rounds to the places of the second argument. `round` goes to the next whole number from those on whose fraction is
/// `edge`.
fn doubles(args: &[ArrayRef], round: impl Fn(f64) -> f64, edge: f64) -> Outcome {
    let (values, places) = (primitives::<Float64Type>(args, 0)?, primitives::<Int32Type>(args, 1)?);
    let rounded = |value, places| {
        round_surely(value, places, &round, edge).unwrap_or_else(|| round_as_written(value, places, &round))
    };
    Ok(Arc::new(arrow::compute::binary::<_, _, _, Float64Type>(values, places, rounded)?))
}

/// `f64::floor`, which takes a call where the processor need not have the instruction.
fn floor(value: f64) -> f64 {
    if value.abs() > 1e15 {
        return value.floor();
    }
    let whole = value as i64 as f64;
    if whole > value { whole - 1.0 } else { whole }
}

/// The powers of ten of which the lower ones are exact.
const EXACT_POWERS: [f64; 16] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// The rounded value where it is so far from the edge that the error of a multiplication does not matter. It is a whole
/// number divided by a power of ten, both exact, and so the same as the text of that number read.
fn round_surely(value: f64, places: i32, round: impl Fn(f64) -> f64, edge: f64) -> Option<f64> {
    let unit = *EXACT_POWERS.get(usize::try_from(places).ok()?)?;
    let scaled = value * unit;
    // Up to here the error is far below a thousandth of the last place.
    if scaled.is_nan() || scaled.abs() > 1e9 {
        return None;
    }
    let from_edge = (scaled - floor(scaled) - edge).abs();
    (1e-3..=0.999).contains(&from_edge).then(|| round(scaled) / unit)
}

/// Through decimal text, so that 2.345 rounds as it is written and not as it is stored.
fn round_as_written(value: f64, places: i32, round: impl Fn(f64) -> f64) -> f64 {
    let scaled: f64 = format!("{value}e{places}").parse().unwrap_or(f64::NAN);
    let rounded = round(scaled);
    if !value.is_finite() || !rounded.is_finite() {
        return value;
    }
    format!("{rounded}e{}", -i64::from(places)).parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_rounds_as_what_is_written() {
        let (half_up, mut sure) = (|scaled: f64| floor(scaled + 0.5), 0);
        assert_eq!([-1.5, -1.0, -0.2, 0.2, 1e16].map(floor), [-2.0, -1.0, -1.0, 0.0, 1e16]);
        for step in -50_000..50_000 {
            for (value, places) in
                [(f64::from(step) / 1000.0, 2), (f64::from(step) * 0.777, 1), (f64::from(step) / 7e6, 9)]
            {
                for (round, edge) in [(&half_up as &dyn Fn(f64) -> f64, 0.5), (&f64::trunc, 0.0)] {
                    if let Some(rounded) = round_surely(value, places, round, edge) {
                        let written = round_as_written(value, places, round);
                        assert_eq!(rounded.to_bits(), written.to_bits(), "{value} to {places}: {rounded}, {written}");
                        sure += 1;
                    }
                }
            }
        }
        assert!(sure > 400_000, "only {sure} went the short way");
    }
}

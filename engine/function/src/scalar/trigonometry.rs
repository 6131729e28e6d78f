//! Functions of angles, logarithms and the like: from doubles to a double.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array};
use arrow::datatypes::{DataType, Float64Type};

use super::kernel::{Outcome, arg, map, primitives};
use super::{Param, Returns, ScalarFunction};
use Param::Double;

const DOUBLE: Returns = Returns::Type(DataType::Float64);

/// A function of one double; the kernel is a constant because kernels capture nothing.
macro_rules! of_one {
    ($name:literal, $description:literal, $example:literal = $result:literal, $f:expr) => {
        ScalarFunction::new($name, $description, ($example, $result))
            .overload(&[Double], DOUBLE, |args| map::<Float64Type, Float64Type>(args, $f))
    };
}

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    vec![
        of_one!("ACOS", "The angle in radians whose cosine this is.", "ACOS(1.0E0)" = "0.0", f64::acos),
        of_one!("ASIN", "The angle in radians whose sine this is.", "ASIN(0.0E0)" = "0.0", f64::asin),
        of_one!("ATAN", "The angle in radians whose tangent this is.", "ATAN(0.0E0)" = "0.0", f64::atan),
        of_one!("COS", "The cosine of an angle in radians.", "COS(0.0E0)" = "1.0", f64::cos),
        of_one!("COSH", "The hyperbolic cosine.", "COSH(0.0E0)" = "1.0", f64::cosh),
        of_one!("COT", "The cotangent of an angle in radians.", "COT(0.0E0)" = "Infinity", |x: f64| 1.0 / x.tan()),
        of_one!("SIN", "The sine of an angle in radians.", "SIN(0.0E0)" = "0.0", f64::sin),
        of_one!("SINH", "The hyperbolic sine.", "SINH(0.0E0)" = "0.0", f64::sinh),
        of_one!("TAN", "The tangent of an angle in radians.", "TAN(0.0E0)" = "0.0", f64::tan),
        of_one!("TANH", "The hyperbolic tangent.", "TANH(0.0E0)" = "0.0", f64::tanh),
        of_one!("DEGREES", "An angle in radians as degrees.", "DEGREES(PI())" = "180.0", f64::to_degrees),
        of_one!("RADIANS", "An angle in degrees as radians.", "RADIANS(180)" = "3.141592653589793", f64::to_radians),
        of_one!("CBRT", "The cube root.", "CBRT(27.0E0)" = "3.0", f64::cbrt),
        of_one!("EXP", "e to this power.", "EXP(0.0E0)" = "1.0", f64::exp),
        of_one!("LN", "The natural logarithm.", "LN(1.0E0)" = "0.0", f64::ln),
        of_one!("SQRT", "The square root.", "SQRT(9.0E0)" = "3.0", f64::sqrt),
        f("ATAN2", "The angle in radians of the point (x, y), given as y and x.", ("ATAN2(0.0E0, 1.0E0)", "0.0"))
            .overload(&[Double, Double], DOUBLE, |args| of_two(args, f64::atan2)),
        f("POWER", "The first number to the power of the second.", ("POWER(2.0E0, 3.0E0)", "8.0")).overload(
            &[Double, Double],
            DOUBLE,
            |args| of_two(args, f64::powf),
        ),
        f("LOG", "The natural logarithm, or the logarithm to a base that comes first.", ("LOG(2, 8)", "3.0"))
            .example(("LOG(1)", "0.0"))
            .overload(&[Double], DOUBLE, |args| map::<Float64Type, Float64Type>(args, f64::ln))
            .overload(&[Double, Double], DOUBLE, |args| {
                of_two(args, |base, x| if base <= 0.0 || base == 1.0 { f64::NAN } else { x.ln() / base.ln() })
            }),
        f("PI", "The number pi.", ("PI()", "3.141592653589793")).overload(&[], DOUBLE, |args| {
            Ok(Arc::new(Float64Array::from(vec![std::f64::consts::PI; arg(args, 0)?.len()])))
        }),
    ]
}

fn of_two(args: &[ArrayRef], f: impl Fn(f64, f64) -> f64) -> Outcome {
    let (a, b) = (primitives::<Float64Type>(args, 0)?, primitives::<Float64Type>(args, 1)?);
    let result: Float64Array = arrow::compute::binary(a, b, f)?;
    Ok(Arc::new(result))
}

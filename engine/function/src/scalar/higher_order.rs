//! The documentation of the functions that take lambdas; a planner resolves their calls (`crate::lambda`).

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use super::kernel::{Outcome, failed};
use super::{Param, Returns, ScalarFunction};
use Param::{Any, Array as List, Lambda, Map};

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    let any = || Returns::Type(DataType::Null);
    vec![
        f(
            "TRANSFORM",
            "The array of what a lambda makes of each item; the map of what two lambdas make of each key and each value.",
            ("TRANSFORM(ARRAY[1, 2], x => x * 10)", "[10,20]"),
        )
        .example(("TRANSFORM(MAP('a' := 1), (k, v) => UCASE(k), (k, v) => v + 1)", "{\"A\":2}"))
        .overload(&[List, Lambda(1)], any(), unresolved)
        .overload(&[Map, Lambda(2), Lambda(2)], any(), unresolved),
        f(
            "FILTER",
            "The items or entries for which a lambda is true.",
            ("FILTER(ARRAY[1, 5, 9], x => x > 3)", "[5,9]"),
        )
        .example(("FILTER(MAP('a' := 1, 'b' := 2), (k, v) => v > 1)", "{\"b\":2}"))
        .overload(&[List, Lambda(1)], any(), unresolved)
        .overload(&[Map, Lambda(2)], any(), unresolved),
        f(
            "REDUCE",
            "What a lambda makes of a state and the items one after the other; the state itself if there are none.",
            ("REDUCE(ARRAY[1, 2, 3], 10, (s, x) => s + x)", "16"),
        )
        .example(("REDUCE(MAP('a' := 1, 'b' := 2), 0, (s, k, v) => s + v)", "3"))
        .overload(&[List, Any, Lambda(2)], any(), unresolved)
        .overload(&[Map, Any, Lambda(3)], any(), unresolved),
    ]
}

fn unresolved(_args: &[ArrayRef]) -> Outcome {
    Err(failed("a lambda cannot be called here"))
}

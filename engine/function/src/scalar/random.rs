//! Values that nobody can foresee.

use std::sync::Arc;

use arrow::array::{Array, Float64Array};
use arrow::datatypes::DataType;
use uuid::Uuid;

use super::kernel::{arg, binaries, bytes_at, text_rows};
use super::{Param, Returns, ScalarFunction};

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    vec![
        f("RANDOM", "A random number from 0 up to, but not including, 1.", ("RANDOM() < 1", "true"))
            .volatile()
            .overload(&[], Returns::Type(DataType::Float64), |args| {
                // 53 random bits are as many as a double holds; the version and the variant lie above them.
                let random = |_| (Uuid::new_v4().as_u128() & ((1 << 53) - 1)) as f64 / (1u64 << 53) as f64;
                Ok(Arc::new((0..arg(args, 0)?.len()).map(random).map(Some).collect::<Float64Array>()))
            }),
        f(
            "UUID",
            "A random universally unique identifier (version 4), or the one whose 16 bytes these are.",
            ("UUID(TO_BYTES('237e9877e79b12d4a765321741963000', 'hex'))", "237e9877-e79b-12d4-a765-321741963000"),
        )
        .volatile()
        .overload(&[], Returns::Type(DataType::Utf8), |args| {
            text_rows(arg(args, 0)?.len(), |_| Some(Uuid::new_v4().to_string()))
        })
        .overload(&[Param::Bytes], Returns::Type(DataType::Utf8), |args| {
            let bytes = binaries(args, 0)?;
            text_rows(bytes.len(), |row| Uuid::from_slice(bytes_at(bytes, row)?).ok().map(|uuid| uuid.to_string()))
        }),
    ]
}

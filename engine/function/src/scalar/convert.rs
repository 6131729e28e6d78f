//! Moments as numbers and in other time zones.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::{Array, Int32Array, Int64Array, PrimitiveArray};
use arrow::datatypes::{DataType, Date32Type, Int32Type, Int64Type, TimestampMillisecondType};
use arrow::error::ArrowError;

use super::date::{TIMESTAMP, Zones};
use super::kernel::{arg, at, map, primitives, strings};
use super::{Param, Returns, ScalarFunction};
use crate::pattern::DAY_MS;
use Param::{BigInt, Date, Int, String as Text, Timestamp};

const BIGINT: Returns = Returns::Type(DataType::Int64);
const INT: Returns = Returns::Type(DataType::Int32);

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    vec![
        f(
            "UNIX_TIMESTAMP",
            "A timestamp, or the present moment, as ms since 1970.",
            ("UNIX_TIMESTAMP(FROM_UNIXTIME(5))", "5"),
        )
        .volatile()
        .overload(&[], BIGINT, |args| Ok(Arc::new(Int64Array::from(vec![now_ms(); arg(args, 0)?.len()]))))
        .overload(&[Timestamp], BIGINT, |args| map::<TimestampMillisecondType, Int64Type>(args, |ms| ms)),
        f("UNIX_DATE", "A date, or the present one, as days since 1970.", ("UNIX_DATE(FROM_DAYS(3))", "3"))
            .volatile()
            .overload(&[], INT, |args| {
                let today = now_ms().div_euclid(DAY_MS) as i32;
                Ok(Arc::new(Int32Array::from(vec![today; arg(args, 0)?.len()])))
            })
            .overload(&[Date], INT, |args| map::<Date32Type, Int32Type>(args, |days| days)),
        f("FROM_UNIXTIME", "The timestamp at some ms since 1970.", ("FROM_UNIXTIME(0)", "1970-01-01T00:00:00"))
            .overload(&[BigInt], TIMESTAMP, |args| map::<Int64Type, TimestampMillisecondType>(args, |ms| ms)),
        f("FROM_DAYS", "The date at some days since 1970.", ("FROM_DAYS(1)", "1970-01-02")).overload(
            &[Int],
            Returns::Type(DataType::Date32),
            |args| map::<Int32Type, Date32Type>(args, |days| days),
        ),
        f(
            "CONVERT_TZ",
            "What the clocks of a second time zone show when those of the first one show a timestamp.",
            ("CONVERT_TZ(FROM_UNIXTIME(0), 'UTC', '+02:00')", "1970-01-01T02:00:00"),
        )
        .overload(&[Timestamp, Text, Text], TIMESTAMP, |args| {
            let times = primitives::<TimestampMillisecondType>(args, 0)?;
            let (mut from, mut to) = (Zones::new(Some(strings(args, 1)?)), Zones::new(Some(strings(args, 2)?)));
            let mut convert = |row: usize| match (at(times, row), from.at(row)?, to.at(row)?) {
                (Some(time), Some(from), Some(to)) => {
                    let utc_ms = from.to_utc_ms(time);
                    Ok(Some(utc_ms + i64::from(to.offset_at(utc_ms)) * 1000))
                }
                _ => Ok(None),
            };
            let converted = (0..times.len()).map(&mut convert);
            Ok(Arc::new(converted.collect::<Result<PrimitiveArray<TimestampMillisecondType>, ArrowError>>()?))
        }),
    ]
}

/// The wall clock. Nothing but the two functions without arguments reads it.
fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

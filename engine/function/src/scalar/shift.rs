//! Dates, times and timestamps moved by units of time: `DATEADD`, `TIMEADD`, `TIMESTAMPADD` and their opposites.

use std::sync::Arc;

use arrow::array::{ArrayRef, PrimitiveArray};
use arrow::datatypes::{ArrowPrimitiveType, Date32Type, Int64Type, Time32MillisecondType, TimestampMillisecondType};
use arrow::error::ArrowError;

use super::date::{DATE, TIME, TIMESTAMP};
use super::kernel::{Outcome, at, failed, primitives, strings, text_at};
use super::{Param, ScalarFunction};
use crate::pattern::DAY_MS;
use Param::{BigInt, Date, Time, TimeUnit as Unit, Timestamp};

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    vec![
        f(
            "DATEADD",
            "A date later by a number of units of time; what is less than a day is left out.",
            ("DATEADD(DAYS, 3, FROM_DAYS(0))", "1970-01-04"),
        )
        .overload(&[Unit, BigInt, Date], DATE, |args| dates(args, 1)),
        f(
            "DATESUB",
            "A date earlier by a number of units of time; what is less than a day is left out.",
            ("DATESUB(DAYS, 3, FROM_DAYS(3))", "1970-01-01"),
        )
        .overload(&[Unit, BigInt, Date], DATE, |args| dates(args, -1)),
        f(
            "TIMEADD",
            "A time of day later by a number of units of time, past midnight if need be.",
            ("TIMEADD(HOURS, 2, PARSE_TIME('23', 'HH'))", "01:00:00"),
        )
        .overload(&[Unit, BigInt, Time], TIME, |args| times(args, 1)),
        f(
            "TIMESUB",
            "A time of day earlier by a number of units of time.",
            ("TIMESUB(HOURS, 2, PARSE_TIME('01', 'HH'))", "23:00:00"),
        )
        .overload(&[Unit, BigInt, Time], TIME, |args| times(args, -1)),
        f(
            "TIMESTAMPADD",
            "A timestamp later by a number of units of time.",
            ("TIMESTAMPADD(MINUTES, 1, FROM_UNIXTIME(0))", "1970-01-01T00:01:00"),
        )
        .overload(&[Unit, BigInt, Timestamp], TIMESTAMP, |args| timestamps(args, 1)),
        f(
            "TIMESTAMPSUB",
            "A timestamp earlier by a number of units of time.",
            ("TIMESTAMPSUB(SECONDS, 1, FROM_UNIXTIME(1000))", "1970-01-01T00:00:00"),
        )
        .overload(&[Unit, BigInt, Timestamp], TIMESTAMP, |args| timestamps(args, -1)),
    ]
}

fn dates(args: &[ArrayRef], sign: i64) -> Outcome {
    shift::<Date32Type>(args, |days, ms| {
        let moved = i64::from(days).checked_add(sign * (ms / DAY_MS))?;
        moved.try_into().ok()
    })
}

fn times(args: &[ArrayRef], sign: i64) -> Outcome {
    shift::<Time32MillisecondType>(args, |time, ms| {
        Some((i64::from(time) + sign * (ms % DAY_MS)).rem_euclid(DAY_MS) as i32)
    })
}

fn timestamps(args: &[ArrayRef], sign: i64) -> Outcome {
    shift::<TimestampMillisecondType>(args, |timestamp, ms| timestamp.checked_add(sign * ms))
}

/// Moves each value by its row's number of units, which is given in ms.
fn shift<T: ArrowPrimitiveType>(args: &[ArrayRef], moved: impl Fn(T::Native, i64) -> Option<T::Native>) -> Outcome {
    let (units, counts, values) = (strings(args, 0)?, primitives::<Int64Type>(args, 1)?, primitives::<T>(args, 2)?);
    let shift = |row: usize| match (text_at(units, row), at(counts, row), at(values, row)) {
        (Some(unit), Some(count), Some(value)) => {
            let result = milliseconds(unit, count).and_then(|ms| moved(value, ms));
            result.map(Some).ok_or_else(|| failed(format!("a time cannot be moved by {count} {unit}")))
        }
        _ => Ok(None),
    };
    Ok(Arc::new((0..values.len()).map(shift).collect::<Result<PrimitiveArray<T>, ArrowError>>()?))
}

const UNITS: [&str; 8] =
    ["NANOSECONDS", "MICROSECONDS", "MILLISECONDS", "SECONDS", "MINUTES", "HOURS", "DAYS", "WEEKS"];

/// The unit of time that a word means, in the plural and in capitals.
#[must_use]
pub fn time_unit(word: &str) -> Option<&'static str> {
    UNITS
        .into_iter()
        .find(|unit| unit.eq_ignore_ascii_case(word) || unit.trim_end_matches('S').eq_ignore_ascii_case(word))
}

/// The ms of a number of units, cut off.
fn milliseconds(unit: &str, count: i64) -> Option<i64> {
    let unit_ms = match unit {
        "NANOSECONDS" => return Some(count / 1_000_000),
        "MICROSECONDS" => return Some(count / 1000),
        "MILLISECONDS" => 1,
        "SECONDS" => 1000,
        "MINUTES" => 60_000,
        "HOURS" => 3_600_000,
        "DAYS" => DAY_MS,
        "WEEKS" => 7 * DAY_MS,
        _ => return None,
    };
    count.checked_mul(unit_ms)
}

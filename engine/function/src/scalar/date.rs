//! Functions of dates and times.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, PrimitiveArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Int32Type, Int64Type, Time32MillisecondType, TimeUnit,
    TimestampMillisecondType,
};
use arrow::error::ArrowError;

use super::kernel::{Outcome, arg, at, map, primitives, strings, text_at, text_rows};
use super::math::integers;
use super::{Param, Returns, ScalarFunction};
use crate::Pattern;
use Param::{BigInt, Date, Int, String as Text, Time, Timestamp};

const DAY_MS: i64 = 86_400_000;
const TEXT: Returns = Returns::Type(DataType::Utf8);
const BIGINT: Returns = Returns::Type(DataType::Int64);
const INT: Returns = Returns::Type(DataType::Int32);
const DATE: Returns = Returns::Type(DataType::Date32);
const TIME: Returns = Returns::Type(DataType::Time32(TimeUnit::Millisecond));
const TIMESTAMP: Returns = Returns::Type(DataType::Timestamp(TimeUnit::Millisecond, None));

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    vec![
        f("UNIX_TIMESTAMP", "A timestamp as ms since 1970.", ("UNIX_TIMESTAMP(FROM_UNIXTIME(5))", "5")).overload(
            &[Timestamp],
            BIGINT,
            |args| map::<TimestampMillisecondType, Int64Type>(args, |ms| ms),
        ),
        f("FROM_UNIXTIME", "The timestamp at some ms since 1970.", ("FROM_UNIXTIME(0)", "1970-01-01T00:00:00"))
            .overload(&[BigInt], TIMESTAMP, |args| map::<Int64Type, TimestampMillisecondType>(args, |ms| ms)),
        f("UNIX_DATE", "A date as days since 1970.", ("UNIX_DATE(FROM_DAYS(3))", "3"))
            .overload(&[Date], INT, |args| map::<Date32Type, Int32Type>(args, |days| days)),
        f("FROM_DAYS", "The date at some days since 1970.", ("FROM_DAYS(1)", "1970-01-02")).overload(
            &[Int],
            DATE,
            |args| map::<Int32Type, Date32Type>(args, |days| days),
        ),
        f(
            "TIMESTAMPTOSTRING",
            "Some ms since 1970 as text, in UTC.",
            ("TIMESTAMPTOSTRING(0, 'yyyy-MM-dd HH:mm')", "1970-01-01 00:00"),
        )
        .overload(&[BigInt, Text], TEXT, |args| format::<Int64Type>(args, |ms| ms)),
        f(
            "STRINGTOTIMESTAMP",
            "The ms since 1970 that a text stands for.",
            ("STRINGTOTIMESTAMP('1970-01-02', 'yyyy-MM-dd')", "86400000"),
        )
        .overload(&[Text, Text], BIGINT, |args| parse::<Int64Type>(args, |ms| ms)),
        f("FORMAT_TIMESTAMP", "A timestamp as text, in UTC.", ("FORMAT_TIMESTAMP(FROM_UNIXTIME(0), 'HH:mm')", "00:00"))
            .overload(&[Timestamp, Text], TEXT, |args| format::<TimestampMillisecondType>(args, |ms| ms)),
        f(
            "PARSE_TIMESTAMP",
            "The timestamp that a text stands for.",
            ("PARSE_TIMESTAMP('2013-01-01 10', 'yyyy-MM-dd HH')", "2013-01-01T10:00:00"),
        )
        .overload(&[Text, Text], TIMESTAMP, |args| parse::<TimestampMillisecondType>(args, |ms| ms)),
        f("FORMAT_DATE", "A date as text.", ("FORMAT_DATE(FROM_DAYS(0), 'yyyy/MM/dd')", "1970/01/01")).overload(
            &[Date, Text],
            TEXT,
            |args| format::<Date32Type>(args, |days| i64::from(days) * DAY_MS),
        ),
        f("PARSE_DATE", "The date that a text stands for.", ("PARSE_DATE('2013/01/01', 'yyyy/MM/dd')", "2013-01-01"))
            .overload(&[Text, Text], DATE, |args| parse::<Date32Type>(args, |ms| ms.div_euclid(DAY_MS) as i32)),
        f("FORMAT_TIME", "A time of day as text.", ("FORMAT_TIME(PARSE_TIME('10', 'HH'), 'HH:mm')", "10:00")).overload(
            &[Time, Text],
            TEXT,
            |args| format::<Time32MillisecondType>(args, i64::from),
        ),
        f("PARSE_TIME", "The time of day that a text stands for.", ("PARSE_TIME('10:30', 'HH:mm')", "10:30:00"))
            .overload(&[Text, Text], TIME, |args| {
                parse::<Time32MillisecondType>(args, |ms| ms.rem_euclid(DAY_MS) as i32)
            }),
        f(
            "TIMESTAMPADD",
            "A timestamp moved by a number of units of time.",
            ("TIMESTAMPADD('MINUTES', 1, FROM_UNIXTIME(0))", "1970-01-01T00:01:00"),
        )
        .overload(&[Text, BigInt, Timestamp], TIMESTAMP, |args| shift(args, 1)),
        f(
            "TIMESTAMPSUB",
            "A timestamp moved back by a number of units of time.",
            ("TIMESTAMPSUB('SECONDS', 1, FROM_UNIXTIME(1000))", "1970-01-01T00:00:00"),
        )
        .overload(&[Text, BigInt, Timestamp], TIMESTAMP, |args| shift(args, -1)),
    ]
}

/// The compiled pattern of a row; most batches have the same one throughout.
struct Patterns<'a> {
    array: &'a arrow::array::StringArray,
    last: Option<(&'a str, Pattern)>,
}

impl<'a> Patterns<'a> {
    fn at(&mut self, row: usize) -> Result<Option<&Pattern>, ArrowError> {
        let Some(text) = text_at(self.array, row) else { return Ok(None) };
        if self.last.as_ref().is_none_or(|(last, _)| *last != text) {
            self.last = Some((text, Pattern::new(text).map_err(|error| ArrowError::ComputeError(error.to_string()))?));
        }
        Ok(self.last.as_ref().map(|(_, pattern)| pattern))
    }
}

fn format<T: ArrowPrimitiveType>(args: &[ArrayRef], to_ms: impl Fn(T::Native) -> i64) -> Outcome {
    let values = primitives::<T>(args, 0)?;
    let mut patterns = Patterns { array: strings(args, 1)?, last: None };
    let mut texts = Vec::with_capacity(values.len());
    for row in 0..values.len() {
        let pattern = patterns.at(row)?;
        texts.push(at(values, row).zip(pattern).map(|(value, pattern)| pattern.format(to_ms(value))));
    }
    text_rows(texts.len(), |row| texts.get(row)?.as_deref())
}

fn parse<T: ArrowPrimitiveType>(args: &[ArrayRef], from_ms: impl Fn(i64) -> T::Native) -> Outcome {
    let texts = strings(args, 0)?;
    let mut patterns = Patterns { array: strings(args, 1)?, last: None };
    let mut values = Vec::with_capacity(texts.len());
    for row in 0..texts.len() {
        values.push(match text_at(texts, row).zip(patterns.at(row)?) {
            Some((text, pattern)) => {
                let ms = pattern.parse(text).map_err(|error| ArrowError::ComputeError(error.to_string()))?;
                Some(from_ms(ms))
            }
            None => None,
        });
    }
    Ok(Arc::new(values.into_iter().collect::<PrimitiveArray<T>>()))
}

fn shift(args: &[ArrayRef], sign: i64) -> Outcome {
    let units = strings(args, 0)?;
    let counts = integers(arg(args, 1)?)?;
    let times = primitives::<TimestampMillisecondType>(args, 2)?;
    let mut shifted = Vec::with_capacity(times.len());
    for row in 0..times.len() {
        shifted.push(match (text_at(units, row), at(&counts, row), at(times, row)) {
            (Some(unit), Some(count), Some(time)) => {
                let unit_ms = unit_ms(unit)?;
                Some(time + sign * count * unit_ms)
            }
            _ => None,
        });
    }
    Ok(Arc::new(shifted.into_iter().collect::<PrimitiveArray<TimestampMillisecondType>>()))
}

fn unit_ms(unit: &str) -> Result<i64, ArrowError> {
    Ok(match unit.trim_end_matches(['S', 's']).to_ascii_uppercase().as_str() {
        "MILLISECOND" => 1,
        "SECOND" => 1000,
        "MINUTE" => 60_000,
        "HOUR" => 3_600_000,
        "DAY" => DAY_MS,
        _ => return Err(ArrowError::ComputeError(format!("\"{unit}\" is no unit of time"))),
    })
}

//! Dates and times as text and back, by patterns as Java's `DateTimeFormatter` has them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, PrimitiveArray, StringArray, StringBuilder};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Int32Type, Int64Type, Time32MillisecondType, TimeUnit,
    TimestampMillisecondType,
};
use arrow::error::ArrowError;

use super::kernel::{Outcome, at, failed, primitives, strings, text_at};
use super::{Param, Returns, ScalarFunction};
use crate::pattern::DAY_MS;
use crate::{Pattern, PatternError, Zone};
use Param::{BigInt, Date, Int, String as Text, Time, Timestamp};

const TEXT: Returns = Returns::Type(DataType::Utf8);
const BIGINT: Returns = Returns::Type(DataType::Int64);
const INT: Returns = Returns::Type(DataType::Int32);
pub(super) const DATE: Returns = Returns::Type(DataType::Date32);
pub(super) const TIME: Returns = Returns::Type(DataType::Time32(TimeUnit::Millisecond));
pub(super) const TIMESTAMP: Returns = Returns::Type(DataType::Timestamp(TimeUnit::Millisecond, None));

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    vec![
        f(
            "TIMESTAMPTOSTRING",
            "Some ms since 1970 as text, in a time zone or in UTC.",
            ("TIMESTAMPTOSTRING(0, 'yyyy-MM-dd HH:mm')", "1970-01-01 00:00"),
        )
        .example(("TIMESTAMPTOSTRING(0, 'yyyy-MM-dd HH:mm zzz', 'Europe/Paris')", "1970-01-01 01:00 CET"))
        .overload(&[BigInt, Text], TEXT, |args| format::<Int64Type>(args, |ms| ms))
        .overload(&[BigInt, Text, Text], TEXT, |args| format::<Int64Type>(args, |ms| ms)),
        f(
            "STRINGTOTIMESTAMP",
            "The ms since 1970 that a text stands for, in a time zone or in UTC.",
            ("STRINGTOTIMESTAMP('1970-01-02', 'yyyy-MM-dd')", "86400000"),
        )
        .overload(&[Text, Text], BIGINT, |args| parse::<Int64Type>(args, |ms| ms))
        .overload(&[Text, Text, Text], BIGINT, |args| parse::<Int64Type>(args, |ms| ms)),
        f("DATETOSTRING", "Some days since 1970 as text.", ("DATETOSTRING(1, 'yyyy-MM-dd')", "1970-01-02")).overload(
            &[Int, Text],
            TEXT,
            |args| format::<Int32Type>(args, |days| i64::from(days) * DAY_MS),
        ),
        f(
            "STRINGTODATE",
            "The days since 1970 that a text stands for.",
            ("STRINGTODATE('1970-01-02', 'yyyy-MM-dd')", "1"),
        )
        .overload(&[Text, Text], INT, |args| parse::<Int32Type>(args, |ms| ms.div_euclid(DAY_MS) as i32)),
        f(
            "FORMAT_TIMESTAMP",
            "A timestamp as text, in a time zone or in UTC.",
            ("FORMAT_TIMESTAMP(FROM_UNIXTIME(0), 'HH:mm', '+01:00')", "01:00"),
        )
        .overload(&[Timestamp, Text], TEXT, |args| format::<TimestampMillisecondType>(args, |ms| ms))
        .overload(&[Timestamp, Text, Text], TEXT, |args| format::<TimestampMillisecondType>(args, |ms| ms)),
        f(
            "PARSE_TIMESTAMP",
            "The timestamp that a text stands for, in a time zone or in UTC.",
            ("PARSE_TIMESTAMP('2013-01-01 10', 'yyyy-MM-dd HH')", "2013-01-01T10:00:00"),
        )
        .overload(&[Text, Text], TIMESTAMP, |args| parse::<TimestampMillisecondType>(args, |ms| ms))
        .overload(&[Text, Text, Text], TIMESTAMP, |args| parse::<TimestampMillisecondType>(args, |ms| ms)),
        f("FORMAT_DATE", "A date as text.", ("FORMAT_DATE(FROM_DAYS(0), 'yyyy/MM/dd')", "1970/01/01")).overload(
            &[Date, Text],
            TEXT,
            |args| format::<Date32Type>(args, |days| i64::from(days) * DAY_MS),
        ),
        f(
            "PARSE_DATE",
            "The date that the beginning of a text stands for.",
            ("PARSE_DATE('2013/01/01', 'yyyy/MM/dd')", "2013-01-01"),
        )
        .overload(&[Text, Text], DATE, |args| {
            parse_by::<Date32Type>(args, |pattern, text, zone| {
                Ok(pattern.parse_start(text, zone)?.0.div_euclid(DAY_MS) as i32)
            })
        }),
        f("FORMAT_TIME", "A time of day as text.", ("FORMAT_TIME(PARSE_TIME('10', 'HH'), 'HH:mm')", "10:00")).overload(
            &[Time, Text],
            TEXT,
            |args| format::<Time32MillisecondType>(args, i64::from),
        ),
        f("PARSE_TIME", "The time of day that a text stands for.", ("PARSE_TIME('10:30', 'HH:mm')", "10:30:00"))
            .overload(&[Text, Text], TIME, |args| {
                parse::<Time32MillisecondType>(args, |ms| ms.rem_euclid(DAY_MS) as i32)
            }),
    ]
}

/// The compiled patterns of a column; most batches have the same one throughout.
struct Patterns<'a> {
    array: &'a StringArray,
    last: Option<(&'a str, Pattern)>,
}

impl Patterns<'_> {
    fn at(&mut self, row: usize) -> Result<Option<&Pattern>, ArrowError> {
        let Some(text) = text_at(self.array, row) else { return Ok(None) };
        if self.last.as_ref().is_none_or(|(last, _)| *last != text) {
            self.last = Some((text, Pattern::new(text).map_err(|error| failed(error.to_string()))?));
        }
        Ok(self.last.as_ref().map(|(_, pattern)| pattern))
    }
}

/// The time zones of a column, UTC without one; most batches have the same one throughout.
pub(super) struct Zones<'a> {
    array: Option<&'a StringArray>,
    last: Option<(&'a str, Zone)>,
}

impl<'a> Zones<'a> {
    pub(super) fn new(array: Option<&'a StringArray>) -> Self {
        Self { array, last: None }
    }

    /// The zones of the argument at this place, if there is one.
    fn of(args: &'a [ArrayRef], index: usize) -> Result<Self, ArrowError> {
        Ok(Self::new(if args.len() > index { Some(strings(args, index)?) } else { None }))
    }

    pub(super) fn at(&mut self, row: usize) -> Result<Option<Zone>, ArrowError> {
        let Some(array) = self.array else { return Ok(Some(Zone::UTC)) };
        let Some(name) = text_at(array, row) else { return Ok(None) };
        if self.last.is_none_or(|(last, _)| last != name) {
            let zone = Zone::named(name);
            self.last = Some((name, zone.ok_or_else(|| failed(format!("there is no time zone \"{name}\"")))?));
        }
        Ok(self.last.map(|(_, zone)| zone))
    }
}

fn format<T: ArrowPrimitiveType>(args: &[ArrayRef], to_ms: impl Fn(T::Native) -> i64) -> Outcome {
    let values = primitives::<T>(args, 0)?;
    let mut patterns = Patterns { array: strings(args, 1)?, last: None };
    let mut zones = Zones::of(args, 2)?;
    let mut texts = StringBuilder::with_capacity(values.len(), values.len() * 16);
    for row in 0..values.len() {
        match (at(values, row), patterns.at(row)?, zones.at(row)?) {
            (Some(value), Some(pattern), Some(zone)) => {
                pattern.write_in(to_ms(value), zone, &mut texts);
                // What has been written so far is the row.
                texts.append_value("");
            }
            _ => texts.append_null(),
        }
    }
    Ok(Arc::new(texts.finish()))
}

fn parse<T: ArrowPrimitiveType>(args: &[ArrayRef], from_ms: impl Fn(i64) -> T::Native) -> Outcome {
    parse_by::<T>(args, |pattern, text, zone| Ok(from_ms(pattern.parse_in(text, zone)?)))
}

fn parse_by<T: ArrowPrimitiveType>(
    args: &[ArrayRef],
    parse: impl Fn(&Pattern, &str, Zone) -> Result<T::Native, PatternError>,
) -> Outcome {
    let texts = strings(args, 0)?;
    let mut patterns = Patterns { array: strings(args, 1)?, last: None };
    let mut zones = Zones::of(args, 2)?;
    let mut parse = |row: usize| match (text_at(texts, row), patterns.at(row)?, zones.at(row)?) {
        (Some(text), Some(pattern), Some(zone)) => {
            parse(pattern, text, zone).map(Some).map_err(|error| failed(error.to_string()))
        }
        _ => Ok(None),
    };
    let values = (0..texts.len()).map(&mut parse).collect::<Result<PrimitiveArray<T>, ArrowError>>()?;
    Ok(Arc::new(values))
}

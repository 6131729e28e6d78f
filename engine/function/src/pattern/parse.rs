//! Text as times.

use super::civil::{DAY_MS, DAYS, MONTHS, days_from_civil};
use super::{Item, Pattern, PatternError};
use crate::Zone;

impl Pattern {
    /// The time in ms since 1970 UTC that a text stands for; what it does not name is 1970-01-01 00:00 UTC.
    ///
    /// # Errors
    /// If the text does not fit the pattern or names no time.
    pub fn parse(&self, text: &str) -> Result<i64, PatternError> {
        self.parse_in(text, Zone::UTC)
    }

    /// The same for clocks of a zone, unless the text names one itself.
    ///
    /// # Errors
    /// If the text does not fit the pattern or names no time.
    pub fn parse_in(&self, text: &str, zone: Zone) -> Result<i64, PatternError> {
        match self.parse_start(text, zone)? {
            (ms, "") => Ok(ms),
            (_, rest) => Err(PatternError(format!("the text \"{text}\" goes on after the pattern with \"{rest}\""))),
        }
    }

    /// The same for the beginning of a text, with what comes behind it.
    ///
    /// # Errors
    /// If the text does not begin as the pattern or names no time.
    pub(crate) fn parse_start<'a>(&self, text: &'a str, zone: Zone) -> Result<(i64, &'a str), PatternError> {
        let mut parts = Parts::default();
        let mut rest = text;
        for (index, item) in self.items.iter().enumerate() {
            let fits = match item {
                Item::Literal(literal) => rest.strip_prefix(literal.as_str()).map(|tail| rest = tail).is_some(),
                Item::Field(letter, count) => {
                    // Digits run together when the next item is a number as well.
                    let next_is_number = matches!(self.items.get(index + 1), Some(Item::Field(..)));
                    parts.read(*letter, *count, next_is_number, &mut rest).is_some()
                }
            };
            if !fits {
                return Err(PatternError(format!("the text \"{text}\" does not fit the pattern at \"{rest}\"")));
            }
        }
        let local_ms = parts.local_ms();
        let moment = local_ms.map(|local_ms| parts.zone.unwrap_or(zone).to_utc_ms(local_ms));
        let moment = moment.ok_or_else(|| PatternError(format!("the text \"{text}\" names no time")))?;
        Ok((moment, rest))
    }
}

#[derive(Default)]
struct Parts {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: i64,
    afternoon: Option<bool>,
    minute: i64,
    second: i64,
    millisecond: i64,
    zone: Option<Zone>,
}

impl Parts {
    fn read(&mut self, letter: char, count: usize, next_is_number: bool, rest: &mut &str) -> Option<()> {
        let digits_max =
            if next_is_number { count } else { count.max(if letter == 'y' || letter == 'u' { 9 } else { 2 }) };
        match letter {
            'y' | 'u' => {
                let year = digits(rest, count.min(2), if count == 2 { 2 } else { digits_max })?;
                self.year = Some(if count == 2 { 2000 + year } else { year });
            }
            'M' | 'L' if count >= 3 => self.month = Some(name(rest, &MONTHS, count == 3)? + 1),
            'M' | 'L' => self.month = Some(digits(rest, count, digits_max)?),
            'd' => self.day = Some(digits(rest, count, digits_max)?),
            'D' => self.day_of_year = Some(digits(rest, count, 3)?),
            'H' | 'k' | 'h' | 'K' => self.hour = digits(rest, count, digits_max)? % if letter == 'H' { 25 } else { 24 },
            'm' => self.minute = digits(rest, count, digits_max)?,
            's' => self.second = digits(rest, count, digits_max)?,
            'S' => {
                let length = rest.bytes().take_while(u8::is_ascii_digit).take(count).count();
                let fraction = digits(rest, count.min(length.max(1)), count)?;
                self.millisecond = (fraction * 1000).checked_div(10i64.checked_pow(length as u32)?)?;
            }
            'a' => {
                let half = name(rest, &["AM", "PM"], false)?;
                self.afternoon = Some(half == 1);
            }
            'E' => _ = name(rest, &DAYS, count <= 3)?,
            'G' => _ = name(rest, &["BC", "AD"], false)?,
            'n' | 'N' | 'e' | 'w' | 'Q' | 'q' => _ = digits(rest, count, digits_max.max(9))?,
            _ => self.zone = Some(zone(rest)?),
        }
        Some(())
    }

    fn local_ms(&self) -> Option<i64> {
        let (year, month, day) = (self.year.unwrap_or(1970), self.month.unwrap_or(1), self.day.unwrap_or(1));
        let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let month_days = match month {
            2 => 28 + i64::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let hour = match self.afternoon {
            Some(afternoon) => self.hour % 12 + if afternoon { 12 } else { 0 },
            None => self.hour,
        };
        let valid = (1..=12).contains(&month) && (1..=month_days).contains(&day);
        if !valid || hour > 23 || self.minute > 59 || self.second > 59 {
            return None;
        }
        let days = match self.day_of_year {
            Some(day_of_year) => days_from_civil(year, 1, 1) + day_of_year - 1,
            None => days_from_civil(year, month, day),
        };
        let minutes = hour * 60 + self.minute;
        Some(days * DAY_MS + minutes * 60_000 + self.second * 1000 + self.millisecond)
    }
}

fn digits(rest: &mut &str, min: usize, max: usize) -> Option<i64> {
    let length = rest.bytes().take_while(u8::is_ascii_digit).take(max).count();
    if length < min.max(1) {
        return None;
    }
    let (number, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    number.parse().ok()
}

fn name(rest: &mut &str, names: &[&str], short: bool) -> Option<i64> {
    let found = names.iter().enumerate().find_map(|(index, name)| {
        let name = if short { name.get(..3).unwrap_or(name) } else { name };
        let matches = rest.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name));
        matches.then_some((index, name.len()))
    });
    let (index, length) = found?;
    *rest = rest.get(length..)?;
    Some(index as i64)
}

/// A zone's name or offset: as many characters as can be part of one and are one.
fn zone(rest: &mut &str) -> Option<Zone> {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | ':' | '/' | '_');
    let length = rest.find(|c: char| !part(c)).unwrap_or(rest.len());
    let (zone, length) = (1..=length).rev().find_map(|length| Some((Zone::named(rest.get(..length)?)?, length)))?;
    *rest = rest.get(length..)?;
    Some(zone)
}

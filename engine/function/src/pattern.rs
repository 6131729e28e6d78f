//! Patterns of dates and times as Java's `DateTimeFormatter` writes them: `yyyy-MM-dd'T'HH:mm:ss.SSSX`.

use std::fmt::Write;

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    items: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    /// A letter repeated so many times.
    Field(char, usize),
    Literal(String),
}

/// Why a pattern or a text cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const DAY_MS: i64 = 86_400_000;

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// If it has a letter that is not supported or a quote that is not closed.
    pub fn new(pattern: &str) -> Result<Self, PatternError> {
        let mut items = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            if c == '\'' {
                let mut literal = String::new();
                loop {
                    match chars.next() {
                        Some('\'') if chars.next_if_eq(&'\'').is_some() => literal.push('\''),
                        Some('\'') => break,
                        Some(c) => literal.push(c),
                        None => {
                            return Err(PatternError(format!("the quote in pattern \"{pattern}\" is never closed")));
                        }
                    }
                }
                items.push(Item::Literal(if literal.is_empty() { "'".to_owned() } else { literal }));
            } else if c.is_ascii_alphabetic() {
                let mut count = 1;
                while chars.next_if_eq(&c).is_some() {
                    count += 1;
                }
                if !"yuMdHhmsSaEXxZDkL".contains(c) {
                    let reason =
                        format!("the letter {c} in pattern \"{pattern}\" is not supported; put text in quotes");
                    return Err(PatternError(reason));
                }
                items.push(Item::Field(c, count));
            } else {
                items.push(Item::Literal(c.to_string()));
            }
        }
        Ok(Self { items })
    }

    /// A time in ms since 1970 UTC as text.
    #[must_use]
    pub fn format(&self, timestamp_ms: i64) -> String {
        let days = timestamp_ms.div_euclid(DAY_MS);
        let ms = timestamp_ms.rem_euclid(DAY_MS);
        let (year, month, day) = civil_from_days(days);
        let mut out = String::new();
        for item in &self.items {
            let Item::Field(letter, count) = item else {
                if let Item::Literal(text) = item {
                    out.push_str(text);
                }
                continue;
            };
            let width = *count;
            let hour12 = (ms / 3_600_000 + 11) % 12 + 1;
            let _ = match letter {
                'y' | 'u' if width == 2 => write!(out, "{:02}", year.rem_euclid(100)),
                'y' | 'u' => write!(out, "{year:0width$}"),
                'M' | 'L' if width >= 3 => {
                    let name = MONTHS.get(month as usize - 1).copied().unwrap_or_default();
                    out.write_str(if width == 3 { name.get(..3).unwrap_or(name) } else { name })
                }
                'M' | 'L' => write!(out, "{month:0width$}"),
                'd' => write!(out, "{day:0width$}"),
                'D' => write!(out, "{:0width$}", days - days_from_civil(year, 1, 1) + 1),
                'H' => write!(out, "{:0width$}", ms / 3_600_000),
                'k' => write!(out, "{:0width$}", (ms / 3_600_000 + 23) % 24 + 1),
                'h' => write!(out, "{hour12:0width$}"),
                'm' => write!(out, "{:0width$}", ms / 60_000 % 60),
                's' => write!(out, "{:0width$}", ms / 1000 % 60),
                'S' => {
                    let nanos = format!("{:09}", ms % 1000 * 1_000_000);
                    out.write_str(nanos.get(..width.min(9)).unwrap_or(&nanos))
                }
                'a' => out.write_str(if ms < DAY_MS / 2 { "AM" } else { "PM" }),
                'E' => {
                    let name = DAYS.get((days + 3).rem_euclid(7) as usize).copied().unwrap_or_default();
                    out.write_str(if width <= 3 { name.get(..3).unwrap_or(name) } else { name })
                }
                'X' => out.write_str("Z"),
                'x' | 'Z' if width >= 3 && *letter == 'x' => out.write_str("+00:00"),
                _ => out.write_str("+0000"),
            };
        }
        out
    }

    /// The time in ms since 1970 UTC that a text stands for; what it does not name is 1970-01-01 00:00 UTC.
    ///
    /// # Errors
    /// If the text does not fit the pattern or names no time.
    pub fn parse(&self, text: &str) -> Result<i64, PatternError> {
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
        if !rest.is_empty() {
            return Err(PatternError(format!("the text \"{text}\" goes on after the pattern with \"{rest}\"")));
        }
        parts.timestamp_ms().ok_or_else(|| PatternError(format!("the text \"{text}\" names no time")))
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
    offset_minutes: i64,
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
            'H' | 'k' | 'h' => self.hour = digits(rest, count, digits_max)? % if letter == 'H' { 25 } else { 24 },
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
            _ => self.offset_minutes = offset(rest)?,
        }
        Some(())
    }

    fn timestamp_ms(&self) -> Option<i64> {
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
        let minutes = hour * 60 + self.minute - self.offset_minutes;
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

/// `Z`, `+02`, `+0200` or `+02:00`, in minutes.
fn offset(rest: &mut &str) -> Option<i64> {
    if let Some(tail) = rest.strip_prefix('Z') {
        *rest = tail;
        return Some(0);
    }
    let sign = if rest.starts_with('-') { -1 } else { 1 };
    *rest = rest.strip_prefix(['+', '-'])?;
    let hours = digits(rest, 2, 2)?;
    *rest = rest.strip_prefix(':').unwrap_or(rest);
    let minutes = digits(rest, 2, 2).unwrap_or(0);
    Some(sign * (hours * 60 + minutes))
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar (Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day_of_year - (153 * shifted_month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_format_and_parse_back() {
        for (pattern, text, ms) in [
            ("yyyy-MM-dd'T'HH:mm:ssX", "2013-01-01T10:00:00Z", 1_357_034_400_000),
            ("yyyy-MM-dd HH:mm:ss.SSS", "2013-01-01 10:00:00.042", 1_357_034_400_042),
            ("dd MMM yyyy", "09 Feb 2020", 1_581_206_400_000),
            ("yyyyMMddHHmmss", "20130101100000", 1_357_034_400_000),
            ("h:mm a", "3:05 PM", 54_300_000),
        ] {
            let compiled = Pattern::new(pattern).unwrap();
            assert_eq!(compiled.parse(text), Ok(ms), "{pattern}");
            assert_eq!(compiled.format(ms), text, "{pattern}");
        }
        let offset = Pattern::new("yyyy-MM-dd'T'HH:mm:ssXXX").unwrap();
        assert_eq!(offset.parse("2013-01-01T12:00:00+02:00"), Ok(1_357_034_400_000));
    }

    #[test]
    fn wrong_texts_and_patterns_are_refused() {
        let day = Pattern::new("yyyy-MM-dd").unwrap();
        for text in ["2013-02-30", "2013-13-01", "2013-1-1", "x", "2013-01-01 "] {
            assert!(day.parse(text).is_err(), "{text}");
        }
        assert!(Pattern::new("yyyy q").is_err());
        assert!(Pattern::new("'open").is_err());
    }
}

//! Times as text.

use std::fmt::Write;

use super::civil::{DAY_MS, DAYS, MONTHS, civil_from_days, days_from_civil};
use super::{Item, Pattern};
use crate::Zone;

impl Pattern {
    /// A time in ms since 1970 UTC as text.
    #[must_use]
    pub fn format(&self, timestamp_ms: i64) -> String {
        self.format_in(timestamp_ms, Zone::UTC)
    }

    /// A time in ms since 1970 UTC as the clocks of a zone show it.
    #[must_use]
    pub fn format_in(&self, utc_ms: i64, zone: Zone) -> String {
        let mut out = String::new();
        self.write_in(utc_ms, zone, &mut out);
        out
    }

    /// Writes what [`Pattern::format_in`] gives.
    pub(crate) fn write_in(&self, utc_ms: i64, zone: Zone, out: &mut impl Write) {
        let offset_seconds = zone.offset_at(utc_ms);
        let timestamp_ms = utc_ms + i64::from(offset_seconds) * 1000;
        let days = timestamp_ms.div_euclid(DAY_MS);
        let ms = timestamp_ms.rem_euclid(DAY_MS);
        let (year, month, day) = civil_from_days(days);
        for item in &self.items {
            // Neither a text nor a column of texts refuses what is written.
            let Item::Field(letter, count) = item else {
                if let Item::Literal(text) = item {
                    let _ = out.write_str(text);
                }
                continue;
            };
            let width = *count;
            let hour12 = (ms / 3_600_000 + 11) % 12 + 1;
            let _ = match letter {
                'G' => out.write_str(if year > 0 { "AD" } else { "BC" }),
                'Q' | 'q' => number(out, (month + 2) / 3, width),
                'e' => number(out, (days + 4).rem_euclid(7) + 1, width),
                'w' => number(out, week_of_year(days, year), width),
                'n' => number(out, ms % 1000 * 1_000_000, width),
                'N' => number(out, ms * 1_000_000, width),
                'y' | 'u' if width == 2 => number(out, year.rem_euclid(100), 2),
                'y' | 'u' => number(out, year, width),
                'M' | 'L' if width >= 3 => {
                    let name = MONTHS.get(month as usize - 1).copied().unwrap_or_default();
                    out.write_str(if width == 3 { name.get(..3).unwrap_or(name) } else { name })
                }
                'M' | 'L' => number(out, month, width),
                'd' => number(out, day, width),
                'D' => number(out, days - days_from_civil(year, 1, 1) + 1, width),
                'H' => number(out, ms / 3_600_000, width),
                'K' => number(out, ms / 3_600_000 % 12, width),
                'k' => number(out, (ms / 3_600_000 + 23) % 24 + 1, width),
                'h' => number(out, hour12, width),
                'm' => number(out, ms / 60_000 % 60, width),
                's' => number(out, ms / 1000 % 60, width),
                'S' if width == 3 => number(out, ms % 1000, 3),
                'S' => {
                    let nanos = format!("{:09}", ms % 1000 * 1_000_000);
                    out.write_str(nanos.get(..width.min(9)).unwrap_or(&nanos))
                }
                'a' => out.write_str(if ms < DAY_MS / 2 { "AM" } else { "PM" }),
                'E' => {
                    let name = DAYS.get((days + 3).rem_euclid(7) as usize).copied().unwrap_or_default();
                    out.write_str(if width <= 3 { name.get(..3).unwrap_or(name) } else { name })
                }
                'X' if offset_seconds == 0 => out.write_str("Z"),
                'X' | 'x' if width == 1 && offset_seconds % 3600 == 0 => {
                    out.write_str(zone.offset_text(utc_ms, false).get(..3).unwrap_or_default())
                }
                'X' | 'x' => out.write_str(&zone.offset_text(utc_ms, width >= 3)),
                'Z' => out.write_str(&zone.offset_text(utc_ms, width >= 5)),
                'O' if offset_seconds == 0 => out.write_str("GMT"),
                'O' => write!(out, "GMT{}", zone.offset_text(utc_ms, true)),
                'V' => out.write_str(&zone.id()),
                _ => out.write_str(&zone.short_name(utc_ms)),
            };
        }
    }
}

/// A number with zeros before it.
fn number(out: &mut impl Write, number: i64, width: usize) -> std::fmt::Result {
    let mut text = [b'0'; 20];
    if number < 0 || width > text.len() {
        return write!(out, "{number:0width$}");
    }
    let (mut rest, mut from) = (number, text.len());
    for (place, digit) in text.iter_mut().enumerate().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        from = place;
        if rest == 0 {
            break;
        }
    }
    let text = text.get(from.min(text.len() - width)..).and_then(|digits| std::str::from_utf8(digits).ok());
    out.write_str(text.unwrap_or_default())
}

/// The number of a week that begins on a Sunday; the first one has 1 January.
fn week_of_year(days: i64, year: i64) -> i64 {
    let first = days_from_civil(year, 1, 1);
    (days - first + (first + 4).rem_euclid(7)) / 7 + 1
}

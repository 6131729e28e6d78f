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
        let offset_seconds = zone.offset_at(utc_ms);
        let timestamp_ms = utc_ms + i64::from(offset_seconds) * 1000;
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
                'G' => out.write_str(if year > 0 { "AD" } else { "BC" }),
                'Q' | 'q' => write!(out, "{:0width$}", (month + 2) / 3),
                'e' => write!(out, "{:0width$}", (days + 4).rem_euclid(7) + 1),
                'w' => write!(out, "{:0width$}", week_of_year(days, year)),
                'n' => write!(out, "{:0width$}", ms % 1000 * 1_000_000),
                'N' => write!(out, "{:0width$}", ms * 1_000_000),
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
                'K' => write!(out, "{:0width$}", ms / 3_600_000 % 12),
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
        out
    }
}

/// The number of a week that begins on a Sunday; the first one has 1 January.
fn week_of_year(days: i64, year: i64) -> i64 {
    let first = days_from_civil(year, 1, 1);
    (days - first + (first + 4).rem_euclid(7)) / 7 + 1
}

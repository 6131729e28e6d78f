//! Points in time as users write them, of which the later parts may be left out.

use super::{DAY_MS, Pattern};

const PATTERNS: [&str; 10] = [
    "yyyy",
    "yyyy-MM-dd",
    "yyyy-MM-dd'T'HH",
    "yyyy-MM-dd'T'HH:mm",
    "yyyy-MM-dd'T'HH:mm:ss",
    "yyyy-MM-dd'T'HH:mm:ss.SSS",
    "yyyy-MM-dd'T'HH:mmX",
    "yyyy-MM-dd'T'HH:mm:ssX",
    "yyyy-MM-dd'T'HH:mm:ss.SSSX",
    "yyyy-MM",
];

/// A time as users write it, in ms since 1970 UTC: `2013-01-01`, `2013-01-01T10:00`, with seconds,
/// milliseconds and an offset if wanted.
#[must_use]
pub fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim().replacen(' ', "T", 1);
    // The end of a day is the start of the next.
    if let Some(day) = text.strip_suffix("T24").or_else(|| text.strip_suffix("T24:00")) {
        return parse_time(day)?.checked_add(DAY_MS);
    }
    PATTERNS.iter().find_map(|pattern| Pattern::new(pattern).ok()?.parse(&text).ok())
}

//! Time zones: offsets, regions, and the short names that people write.

use std::fmt::Write;

use chrono::{DateTime, LocalResult, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::{OffsetName, Tz};

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// A fixed offset from UTC, in seconds.
    Offset(i32),
    /// A region, whose offset changes.
    Region(Tz),
}

/// Short names and the regions that they stand for, as Java reads them.
const SHORT_NAMES: [(&str, Tz); 23] = [
    ("PST", Tz::America__Los_Angeles),
    ("PDT", Tz::America__Los_Angeles),
    ("MST", Tz::America__Denver),
    ("MDT", Tz::America__Denver),
    ("CST", Tz::America__Chicago),
    ("CDT", Tz::America__Chicago),
    ("EST", Tz::America__New_York),
    ("EDT", Tz::America__New_York),
    ("AKST", Tz::America__Anchorage),
    ("AKDT", Tz::America__Anchorage),
    ("HST", Tz::Pacific__Honolulu),
    ("BST", Tz::Europe__London),
    ("WET", Tz::Europe__Lisbon),
    ("WEST", Tz::Europe__Lisbon),
    ("CET", Tz::Europe__Paris),
    ("CEST", Tz::Europe__Paris),
    ("EET", Tz::Europe__Bucharest),
    ("EEST", Tz::Europe__Bucharest),
    ("MSK", Tz::Europe__Moscow),
    ("IST", Tz::Asia__Kolkata),
    ("JST", Tz::Asia__Tokyo),
    ("AEST", Tz::Australia__Sydney),
    ("AEDT", Tz::Australia__Sydney),
];

impl Zone {
    /// UTC.
    pub const UTC: Self = Self::Offset(0);

    /// The zone of a name: `UTC`, `Z`, `+02:00`, `UTC+2`, `Europe/London`, `PST`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let bare = ["UTC", "GMT", "UT"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
        if bare.is_empty() || bare.eq_ignore_ascii_case("Z") {
            return (!name.is_empty()).then_some(Self::UTC);
        }
        if let Some(offset) = offset(bare) {
            return Some(offset);
        }
        if let Some((_, region)) = SHORT_NAMES.iter().find(|(short, _)| short.eq_ignore_ascii_case(name)) {
            return Some(Self::Region(*region));
        }
        name.parse().ok().map(Self::Region)
    }

    /// The offset in seconds at a moment in ms since 1970 UTC.
    #[must_use]
    pub fn offset_at(self, utc_ms: i64) -> i32 {
        match self {
            Self::Offset(seconds) => seconds,
            Self::Region(region) => local(region, utc_ms).map_or(0, |time| time.offset().fix().local_minus_utc()),
        }
    }

    /// The moment in ms since 1970 UTC at which clocks of the zone show a time. A time that they show twice
    /// is the first; one that they skip is as much later as they skip.
    #[must_use]
    pub fn to_utc_ms(self, local_ms: i64) -> i64 {
        let Self::Region(region) = self else { return local_ms - i64::from(self.offset_at(0)) * 1000 };
        let Some(time) = DateTime::<Utc>::from_timestamp_millis(local_ms) else { return local_ms };
        let naive: NaiveDateTime = time.naive_utc();
        match region.from_local_datetime(&naive) {
            LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => time.timestamp_millis(),
            LocalResult::None => local_ms - i64::from(self.offset_at(local_ms - 86_400_000)) * 1000,
        }
    }

    /// The short name that the zone has at a moment: `PST`, `BST`, `+02:00`.
    #[must_use]
    pub fn short_name(self, utc_ms: i64) -> String {
        match self {
            Self::Offset(0) => "UTC".to_owned(),
            Self::Offset(_) => self.offset_text(utc_ms, true),
            Self::Region(region) => local(region, utc_ms)
                .and_then(|time| time.offset().abbreviation().map(str::to_owned))
                .unwrap_or_else(|| region.name().to_owned()),
        }
    }

    /// The name of the zone itself: `Europe/London`, `UTC`.
    #[must_use]
    pub fn id(self) -> String {
        match self {
            Self::Region(region) => region.name().to_owned(),
            Self::Offset(_) => self.short_name(0),
        }
    }

    /// The offset at a moment: `+02:00` or `+0200`.
    #[must_use]
    pub fn offset_text(self, utc_ms: i64, colon: bool) -> String {
        let seconds = self.offset_at(utc_ms);
        let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
        let mut text = String::new();
        let _ = write!(text, "{sign}{:02}{}{:02}", minutes / 60, if colon { ":" } else { "" }, minutes % 60);
        text
    }
}

fn local(region: Tz, utc_ms: i64) -> Option<DateTime<Tz>> {
    Some(DateTime::<Utc>::from_timestamp_millis(utc_ms)?.with_timezone(&region))
}

/// `+2`, `+02`, `+0200`, `+02:00`.
fn offset(text: &str) -> Option<Zone> {
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let digits: String = text.get(1..)?.chars().filter(|c| *c != ':').collect();
    let all_digits = !digits.is_empty() && digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: i32 = all_digits.then(|| digits.parse().ok())??;
    let (hours, minutes) = if digits.len() > 2 { (number / 100, number % 100) } else { (number, 0) };
    (hours <= 18 && minutes < 60).then_some(Zone::Offset(sign * (hours * 3600 + minutes * 60)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_names_and_offsets() {
        let summer_ms = 1_526_075_913_000;
        for (name, short, offset) in [
            ("UTC", "UTC", "+00:00"),
            ("Z", "UTC", "+00:00"),
            ("+02:00", "+02:00", "+02:00"),
            ("GMT-3", "-03:00", "-03:00"),
            ("Europe/London", "BST", "+01:00"),
            ("PST", "PDT", "-07:00"),
        ] {
            let zone = Zone::named(name).unwrap();
            assert_eq!(
                (zone.short_name(summer_ms).as_str(), zone.offset_text(summer_ms, true).as_str()),
                (short, offset)
            );
            let local_ms = summer_ms + i64::from(zone.offset_at(summer_ms)) * 1000;
            assert_eq!(zone.to_utc_ms(local_ms), summer_ms, "{name}");
        }
        for name in ["", "Nowhere/City", "+99", "+2x"] {
            assert_eq!(Zone::named(name), None, "{name}");
        }
    }
}

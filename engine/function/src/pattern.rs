//! Patterns of dates and times as Java's `DateTimeFormatter` writes them: `yyyy-MM-dd'T'HH:mm:ss.SSSX`.

mod civil;
mod format;
mod instant;
mod parse;

pub(crate) use civil::DAY_MS;
pub use instant::parse_time;

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

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// If it has a letter that stands for nothing or a quote that is not closed.
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
                if !"GyuMLdDHkKhmsSnNaEeXxZzVOQqw".contains(c) {
                    let reason = format!(
                        "the letter {c} in pattern \"{pattern}\" stands for no part of a time; put text in quotes"
                    );
                    return Err(PatternError(reason));
                }
                items.push(Item::Field(c, count));
            } else {
                items.push(Item::Literal(c.to_string()));
            }
        }
        Ok(Self { items })
    }
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
    fn clocks_of_a_zone_show_other_times() {
        let zone = crate::Zone::named("Europe/London").unwrap();
        let pattern = Pattern::new("yyyy-MM-dd HH:mm:ss zzz XXX VV").unwrap();
        let text = "2018-05-11 22:58:33 BST +01:00 Europe/London";
        assert_eq!(pattern.format_in(1_526_075_913_000, zone), text);
        let local = Pattern::new("yyyy-MM-dd HH:mm:ss").unwrap();
        assert_eq!(local.parse_in("2018-05-11 22:58:33", zone), Ok(1_526_075_913_000));
        let named = Pattern::new("yyyy-MM-dd HH:mm:ss zzz").unwrap();
        assert_eq!(named.parse_in("2018-05-11 14:58:33 PST", zone), Ok(1_526_075_913_000));
    }

    #[test]
    fn wrong_texts_and_patterns_are_refused() {
        let day = Pattern::new("yyyy-MM-dd").unwrap();
        for text in ["2013-02-30", "2013-13-01", "2013-1-1", "x", "2013-01-01 "] {
            assert!(day.parse(text).is_err(), "{text}");
        }
        assert!(Pattern::new("yyyy b").is_err());
        assert!(Pattern::new("'open").is_err());
    }
}

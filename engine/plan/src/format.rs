//! How keys and values are written in topics.

use std::fmt;

/// A serialization format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormatKind {
    /// A JSON document a record.
    Json,
    /// One line of delimited values.
    Delimited,
    /// A single primitive in Kafka's own encoding.
    Kafka,
    /// Nothing: the key or value is always null.
    None,
}

impl FormatKind {
    /// The format of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "JSON" => Self::Json,
            "DELIMITED" => Self::Delimited,
            "KAFKA" => Self::Kafka,
            "NONE" => Self::None,
            _ => return None,
        })
    }
}

impl fmt::Display for FormatKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "JSON",
            Self::Delimited => "DELIMITED",
            Self::Kafka => "KAFKA",
            Self::None => "NONE",
        })
    }
}

/// A format and its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Which format.
    pub kind: FormatKind,
    /// What separates delimited values.
    pub delimiter: char,
    /// Whether a single column is written as an object with one field.
    pub wrap: bool,
}

impl Format {
    /// The format with its default settings.
    #[must_use]
    pub fn new(kind: FormatKind) -> Self {
        Self { kind, delimiter: ',', wrap: true }
    }
}

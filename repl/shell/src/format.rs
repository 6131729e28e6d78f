//! The forms of results.

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns under a line.
    Table,
    /// Aligned columns in a frame.
    Box,
    /// A line a column.
    Vertical,
    /// One JSON array of objects.
    Json,
    /// One JSON object a line.
    Ndjson,
    /// Values between commas (RFC 4180).
    Csv,
    /// Values between tabs.
    Tsv,
    /// A table of Markdown.
    Markdown,
    /// Values between tabs, without a header.
    Raw,
}

const NAMES: [(&str, Format); 10] = [
    ("table", Format::Table),
    ("tabular", Format::Table),
    ("box", Format::Box),
    ("vertical", Format::Vertical),
    ("json", Format::Json),
    ("ndjson", Format::Ndjson),
    ("csv", Format::Csv),
    ("tsv", Format::Tsv),
    ("markdown", Format::Markdown),
    ("raw", Format::Raw),
];

impl Format {
    /// The format of this name, whatever its case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, format)| *format)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| name)
    }

    /// All names, one by one.
    pub(crate) fn all() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// All names.
    #[must_use]
    pub fn names() -> String {
        NAMES.map(|(name, _)| name).join(", ")
    }
}

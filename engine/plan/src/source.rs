//! Streams and tables.

use arrow::datatypes::DataType;
use millstream_sql::SqlType;
use millstream_sql::ast::SourceKind;

use crate::{Format, arrow_type};

/// A column of a stream or table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its SQL type.
    pub ty: SqlType,
}

impl Column {
    /// The Arrow type of its values.
    #[must_use]
    pub fn arrow_type(&self) -> DataType {
        arrow_type(&self.ty)
    }
}

/// The windows that the keys of a topic carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceWindow {
    /// Windows of this length: the key is followed by the start.
    Time {
        /// The length.
        size_ms: i64,
        /// Whether windows follow each other without overlap.
        tumbling: bool,
    },
    /// Sessions: the key is followed by the end and the start.
    Session,
}

/// Where a record's time comes from if not from the record itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampColumn {
    /// The column.
    pub name: String,
    /// The pattern of its text; `None` for a `BIGINT` of ms or a `TIMESTAMP`.
    pub format: Option<String>,
}

/// A column with headers of the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderColumn {
    /// Its name and type: BYTES for one header, an array of all of them otherwise.
    pub column: Column,
    /// The header whose last value it is; `None`: all headers.
    pub header: Option<String>,
}

/// A stream or table over a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Stream or table.
    pub kind: SourceKind,
    /// The topic with its records.
    pub topic: String,
    /// The columns in the records' keys.
    pub key: Vec<Column>,
    /// The columns in the records' values.
    pub value: Vec<Column>,
    /// The columns that are read from the records' headers. They are not written.
    pub headers: Vec<HeaderColumn>,
    /// How keys are written.
    pub key_format: Format,
    /// How values are written.
    pub value_format: Format,
    /// The windows of its keys.
    pub window: Option<SourceWindow>,
    /// Of a windowed table: how long a window can be looked up after later ones have come; `None`: for ever.
    pub retention_ms: Option<i64>,
    /// Where ROWTIME comes from.
    pub timestamp: Option<TimestampColumn>,
    /// Whether nothing may be inserted.
    pub read_only: bool,
    /// The number of partitions of its topic.
    pub partitions: i32,
    /// The statement that made it.
    pub statement: String,
    /// The query that writes it, if a query made it.
    pub query: Option<String>,
}

impl Source {
    /// What the source is, for messages: "stream" or "table".
    #[must_use]
    pub fn noun(&self) -> &'static str {
        match self.kind {
            SourceKind::Stream => "stream",
            SourceKind::Table => "table",
        }
    }

    /// Whether it is a table.
    #[must_use]
    pub fn is_table(&self) -> bool {
        self.kind == SourceKind::Table
    }

    /// Key columns, then value columns.
    pub fn columns(&self) -> impl Iterator<Item = &Column> {
        self.key.iter().chain(&self.value)
    }

    /// All columns that a query can read: key, value, headers.
    pub fn readable(&self) -> impl Iterator<Item = &Column> {
        self.columns().chain(self.headers.iter().map(|header| &header.column))
    }

    /// The column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.readable().find(|column| column.name == name)
    }
}

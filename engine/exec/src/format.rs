//! Keys and values as bytes.

mod delimited;
mod json;
mod kafka;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use millstream_plan::{Format, FormatKind};

use crate::column::ColumnBuilder;
use crate::{Error, Result};

pub(crate) use delimited::{DelimitedDecoder, DelimitedEncoder};
pub use json::JsonDecoder;
pub(crate) use json::{JsonEncoder, JsonRows};
pub(crate) use kafka::{KafkaDecoder, KafkaEncoder, KafkaRows};

/// Why the bytes of one record cannot be read.
pub(crate) type Unreadable = String;

/// A column that a decoder fills.
#[derive(Debug)]
pub(crate) struct Target {
    /// Its place among all declared columns of the key or value.
    pub(crate) position: usize,
    pub(crate) name: String,
    pub(crate) ty: DataType,
}

/// Reads keys or values into columns. Each call to `decode` appends one row to every column or, if it
/// fails, none that counts: the caller makes up for it with nulls.
#[derive(Debug)]
pub(crate) enum Decoder {
    Json(JsonDecoder),
    Delimited(DelimitedDecoder),
    Kafka(KafkaDecoder),
    None,
}

impl Decoder {
    /// A decoder for `targets` out of `declared` columns.
    pub(crate) fn new(format: Format, declared: usize, is_key: bool, targets: &[Target]) -> Self {
        match format.kind {
            FormatKind::Json => {
                let wrapped = if is_key { declared != 1 } else { format.wrap || declared != 1 };
                Self::Json(JsonDecoder::new(targets.iter().map(|target| target.name.clone()).collect(), wrapped))
            }
            FormatKind::Delimited => {
                let positions = targets.iter().map(|target| target.position).collect();
                Self::Delimited(DelimitedDecoder::new(format.delimiter, declared, positions))
            }
            FormatKind::Kafka => Self::Kafka(KafkaDecoder),
            FormatKind::None => Self::None,
        }
    }

    pub(crate) fn decode(&mut self, bytes: &[u8], columns: &mut [ColumnBuilder]) -> Result<bool, Unreadable> {
        match self {
            Self::Json(decoder) => decoder.decode(bytes, columns),
            Self::Delimited(decoder) => decoder.decode(bytes, columns).map(|()| true),
            Self::Kafka(decoder) => decoder.decode(bytes, columns).map(|()| true),
            Self::None => {
                columns.iter_mut().for_each(ColumnBuilder::append_null);
                Ok(true)
            }
        }
    }
}

/// Writes rows of columns as keys or values.
#[derive(Debug)]
pub(crate) enum Encoder {
    Json(JsonEncoder),
    Delimited(DelimitedEncoder),
    Kafka(KafkaEncoder),
    None,
}

impl Encoder {
    pub(crate) fn new(format: Format, is_key: bool, columns: &[(String, DataType)]) -> Result<Self> {
        Ok(match format.kind {
            FormatKind::Json => {
                let wrapped = if is_key { columns.len() != 1 } else { format.wrap || columns.len() != 1 };
                Self::Json(JsonEncoder::new(columns, wrapped))
            }
            FormatKind::Delimited => Self::Delimited(DelimitedEncoder::new(format.delimiter)),
            FormatKind::Kafka => Self::Kafka(KafkaEncoder::new(columns)?),
            FormatKind::None => Self::None,
        })
    }

    /// Makes ready to encode rows of these columns.
    pub(crate) fn rows<'a>(&'a self, columns: &'a [ArrayRef]) -> RowEncoder<'a> {
        match self {
            Self::Json(encoder) => RowEncoder::Json(encoder.rows(columns)),
            Self::Delimited(encoder) => RowEncoder::Delimited(encoder, columns),
            Self::Kafka(encoder) => RowEncoder::Kafka(encoder.rows(columns)),
            Self::None => RowEncoder::None,
        }
    }
}

/// An encoder with the columns of a batch.
pub(crate) enum RowEncoder<'a> {
    Json(JsonRows<'a>),
    Delimited(&'a DelimitedEncoder, &'a [ArrayRef]),
    Kafka(KafkaRows<'a>),
    None,
}

impl RowEncoder<'_> {
    /// Appends a row to `out`; false if the key or value is null.
    #[inline]
    pub(crate) fn encode(&self, row: usize, out: &mut Vec<u8>) -> Result<bool> {
        match self {
            Self::Json(rows) => rows.encode(row, out),
            Self::Delimited(encoder, columns) => encoder.encode(columns, row, out),
            Self::Kafka(rows) => rows.encode(row, out),
            Self::None => Ok(false),
        }
    }
}

/// What to say when a column cannot be written.
pub(crate) fn cannot_write(column: &str, reason: impl Into<String>) -> Error {
    Error::Serialize { column: column.to_owned(), reason: reason.into() }
}

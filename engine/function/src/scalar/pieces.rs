//! Texts or bytes of rows, put together piece by piece.

use std::sync::Arc;

use arrow::array::{BinaryArray, NullBufferBuilder, StringArray};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::kernel::{Outcome, failed};

/// Rows under construction, all in one buffer: no row has an allocation of its own.
pub(super) struct Pieces {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    nulls: NullBufferBuilder,
}

impl Pieces {
    pub(super) fn with_capacity(rows: usize) -> Self {
        let (bytes, ends) = (Vec::with_capacity(rows * 16), Vec::with_capacity(rows));
        Self { bytes, ends, nulls: NullBufferBuilder::new(rows) }
    }

    /// The number of rows that have ended.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Adds a piece to the row.
    pub(super) fn add(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
    }

    /// Ends the row.
    pub(super) fn end(&mut self) {
        self.ends.push(self.bytes.len());
        self.nulls.append_non_null();
    }

    /// A row that is null, of which there is no piece yet.
    pub(super) fn end_null(&mut self) {
        self.ends.push(self.bytes.len());
        self.nulls.append_null();
    }

    /// A row of one piece.
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.add(piece);
        self.end();
    }

    /// An array of texts or, if that is the type, of bytes.
    pub(super) fn finish(mut self, ty: &DataType) -> Outcome {
        if i32::try_from(self.bytes.len()).is_err() {
            return Err(failed("the texts of a batch are longer than 2 GiB"));
        }
        let offsets = std::iter::once(0).chain(self.ends).map(|end| end as i32).collect::<Vec<_>>();
        let (offsets, bytes, nulls) =
            (OffsetBuffer::new(offsets.into()), Buffer::from_vec(self.bytes), self.nulls.finish());
        Ok(match ty {
            DataType::Binary => Arc::new(BinaryArray::try_new(offsets, bytes, nulls)?),
            DataType::Utf8 => Arc::new(StringArray::try_new(offsets, bytes, nulls)?),
            other => return Err(ArrowError::InvalidArgumentError(format!("{other} is neither text nor bytes"))),
        })
    }
}

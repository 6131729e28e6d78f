//! What the two sides of a foreign-key join send each other.

use arrow::array::{Array, ArrayRef};

use crate::{Result, codec};

/// What a row of the left table asks of the right table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instruction {
    /// It no longer refers to this key.
    Forget,
    /// It refers to this key; the answer may be that there is no row.
    Answer,
    /// It refers to this key; there is an answer only if there is a row.
    AnswerIfThere,
}

impl Instruction {
    pub(super) fn code(self) -> i32 {
        match self {
            Self::Forget => 0,
            Self::Answer => 1,
            Self::AnswerIfThere => 2,
        }
    }

    pub(super) fn of(code: i32) -> Option<Self> {
        [Self::Forget, Self::Answer, Self::AnswerIfThere].into_iter().find(|instruction| instruction.code() == code)
    }
}

/// A number that tells a row from the one that it replaces: FNV-1a of the row. It is kept with
/// subscriptions, so that it must stay the same from version to version.
pub(super) fn row_hash(columns: &[ArrayRef], row: usize, buffer: &mut Vec<u8>) -> Result<i64> {
    buffer.clear();
    codec::write_row(columns, row, buffer)?;
    let hash = buffer
        .iter()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    Ok(hash.cast_signed())
}

/// Whether two columns have the same value in a row.
pub(super) fn same_value(a: &ArrayRef, b: &ArrayRef, row: usize) -> Result<bool> {
    if a.is_null(row) || b.is_null(row) {
        return Ok(a.is_null(row) && b.is_null(row));
    }
    let (mut left, mut right) = (Vec::new(), Vec::new());
    codec::write_row(std::slice::from_ref(a), row, &mut left)?;
    codec::write_row(std::slice::from_ref(b), row, &mut right)?;
    Ok(left == right)
}

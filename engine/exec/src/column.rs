//! Arrays under construction.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, ListArray,
    MapArray, NullArray, NullBufferBuilder, StringArray, StructArray, Time32MillisecondArray,
    TimestampMillisecondArray,
};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, FieldRef, TimeUnit};

use crate::append::append_part;
use crate::{Error, Result};

/// A column that values are appended to, one a row. The decoder of a format appends by variant, so
/// that no row costs a virtual call.
#[derive(Debug)]
pub enum ColumnBuilder {
    /// `BOOLEAN`.
    Boolean(Vec<bool>, NullBufferBuilder),
    /// `INT`, `DATE` and `TIME`.
    Int(Vec<i32>, NullBufferBuilder, DataType),
    /// `BIGINT` and `TIMESTAMP`.
    BigInt(Vec<i64>, NullBufferBuilder, DataType),
    /// `DOUBLE`.
    Double(Vec<f64>, NullBufferBuilder),
    /// `DECIMAL`.
    Decimal(Vec<i128>, NullBufferBuilder, u8, i8),
    /// `STRING` and `BYTES`.
    Bytes(BytesBuilder),
    /// `ARRAY`: the items and where each row's end.
    List(Box<ColumnBuilder>, Vec<i32>, NullBufferBuilder, FieldRef),
    /// `MAP`: keys, values and where each row's end.
    Map(Box<ColumnBuilder>, Box<ColumnBuilder>, Vec<i32>, NullBufferBuilder, FieldRef),
    /// `STRUCT`.
    Struct(Vec<ColumnBuilder>, NullBufferBuilder, arrow::datatypes::Fields),
    /// A column of nothing.
    Null(usize),
}

/// Text or bytes of rows, one behind the other.
#[derive(Debug)]
pub struct BytesBuilder {
    /// The bytes of all rows.
    pub bytes: Vec<u8>,
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
    is_text: bool,
}

impl BytesBuilder {
    /// Adds a row: the bytes of `source` from `start` on, up to `end`.
    // Inlined like the copy itself, see `append.rs`.
    #[inline(always)]
    pub(crate) fn append_part(&mut self, source: &[u8], start: usize, end: usize) {
        append_part(&mut self.bytes, source, start, end);
        self.end_row();
    }

    /// Ends a row that has a value: what was added to `bytes` since the last row.
    // It ends the copy of each value, see `append.rs`.
    #[inline(always)]
    pub fn end_row(&mut self) {
        self.offsets.push(self.bytes.len() as i32);
        self.nulls.append_non_null();
    }

    /// Whether the column is `STRING` rather than `BYTES`.
    #[inline]
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.is_text
    }

    /// The text of the last row, `None` if that is null.
    #[must_use]
    pub fn last_text(&self) -> Option<&str> {
        let [.., start, end] = self.offsets.as_slice() else { return None };
        if !self.nulls.is_valid(self.offsets.len() - 2) {
            return None;
        }
        std::str::from_utf8(self.bytes.get(*start as usize..*end as usize)?).ok()
    }

    fn end_null(&mut self) {
        self.bytes.truncate(self.offsets.last().copied().unwrap_or(0) as usize);
        self.offsets.push(self.bytes.len() as i32);
        self.nulls.append_null();
    }
}

/// Takes all values and leaves room for as many: the next batch is as long as this one, give or take.
fn take_all<T>(values: &mut Vec<T>) -> Vec<T> {
    let room = Vec::with_capacity(values.len());
    std::mem::replace(values, room)
}

/// Takes the offsets of a column, whose first is 0 for ever.
fn take_offsets(offsets: &mut Vec<i32>) -> OffsetBuffer<i32> {
    let taken = take_all(offsets);
    offsets.push(0);
    OffsetBuffer::new(taken.into())
}

fn nulls() -> NullBufferBuilder {
    NullBufferBuilder::new(0)
}

impl ColumnBuilder {
    /// An empty column of a type.
    ///
    /// # Errors
    /// If no column of the dialect has the type.
    pub fn new(ty: &DataType) -> Result<Self> {
        Ok(match ty {
            DataType::Null => Self::Null(0),
            DataType::Boolean => Self::Boolean(Vec::new(), nulls()),
            DataType::Int32 | DataType::Date32 | DataType::Time32(TimeUnit::Millisecond) => {
                Self::Int(Vec::new(), nulls(), ty.clone())
            }
            DataType::Int64 | DataType::Timestamp(TimeUnit::Millisecond, None) => {
                Self::BigInt(Vec::new(), nulls(), ty.clone())
            }
            DataType::Float64 => Self::Double(Vec::new(), nulls()),
            DataType::Decimal128(precision, scale) => Self::Decimal(Vec::new(), nulls(), *precision, *scale),
            DataType::Utf8 | DataType::Binary => Self::Bytes(BytesBuilder {
                bytes: Vec::new(),
                offsets: vec![0],
                nulls: nulls(),
                is_text: *ty == DataType::Utf8,
            }),
            DataType::List(item) => {
                Self::List(Box::new(Self::new(item.data_type())?), vec![0], nulls(), Arc::clone(item))
            }
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) => match fields.as_ref() {
                    [key, value] => Self::Map(
                        Box::new(Self::new(key.data_type())?),
                        Box::new(Self::new(value.data_type())?),
                        vec![0],
                        nulls(),
                        Arc::clone(entries),
                    ),
                    _ => return Err(unsupported(ty)),
                },
                _ => return Err(unsupported(ty)),
            },
            DataType::Struct(fields) => {
                let columns = fields.iter().map(|field| Self::new(field.data_type())).collect::<Result<_>>()?;
                Self::Struct(columns, nulls(), fields.clone())
            }
            other => return Err(unsupported(other)),
        })
    }

    /// Appends a null.
    pub fn append_null(&mut self) {
        match self {
            Self::Boolean(values, nulls) => {
                values.push(false);
                nulls.append_null();
            }
            Self::Int(values, nulls, _) => {
                values.push(0);
                nulls.append_null();
            }
            Self::BigInt(values, nulls, _) => {
                values.push(0);
                nulls.append_null();
            }
            Self::Double(values, nulls) => {
                values.push(0.0);
                nulls.append_null();
            }
            Self::Decimal(values, nulls, ..) => {
                values.push(0);
                nulls.append_null();
            }
            Self::Bytes(builder) => builder.end_null(),
            Self::List(_, offsets, nulls, _) | Self::Map(_, _, offsets, nulls, _) => {
                offsets.push(offsets.last().copied().unwrap_or(0));
                nulls.append_null();
            }
            Self::Struct(columns, nulls, _) => {
                columns.iter_mut().for_each(Self::append_null);
                nulls.append_null();
            }
            Self::Null(rows) => *rows += 1,
        }
    }

    /// Takes everything behind the first `rows` rows off again, also what a row that failed half-way has
    /// left in the columns below.
    pub fn truncate(&mut self, rows: usize) {
        match self {
            Self::Boolean(values, nulls) => {
                values.truncate(rows);
                nulls.truncate(rows);
            }
            Self::Int(values, nulls, _) => {
                values.truncate(rows);
                nulls.truncate(rows);
            }
            Self::BigInt(values, nulls, _) => {
                values.truncate(rows);
                nulls.truncate(rows);
            }
            Self::Double(values, nulls) => {
                values.truncate(rows);
                nulls.truncate(rows);
            }
            Self::Decimal(values, nulls, ..) => {
                values.truncate(rows);
                nulls.truncate(rows);
            }
            Self::Bytes(builder) => {
                builder.offsets.truncate(rows + 1);
                builder.bytes.truncate(builder.offsets.last().copied().unwrap_or(0) as usize);
                builder.nulls.truncate(rows);
            }
            Self::List(items, offsets, nulls, _) => {
                offsets.truncate(rows + 1);
                nulls.truncate(rows);
                items.truncate(offsets.last().copied().unwrap_or(0) as usize);
            }
            Self::Map(keys, values, offsets, nulls, _) => {
                offsets.truncate(rows + 1);
                nulls.truncate(rows);
                let entries = offsets.last().copied().unwrap_or(0) as usize;
                keys.truncate(entries);
                values.truncate(entries);
            }
            Self::Struct(columns, nulls, _) => {
                columns.iter_mut().for_each(|column| column.truncate(rows));
                nulls.truncate(rows);
            }
            Self::Null(count) => *count = rows.min(*count),
        }
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Boolean(values, _) => values.len(),
            Self::Int(values, ..) => values.len(),
            Self::BigInt(values, ..) => values.len(),
            Self::Double(values, _) => values.len(),
            Self::Decimal(values, ..) => values.len(),
            Self::Bytes(builder) => builder.offsets.len() - 1,
            Self::List(_, offsets, ..) | Self::Map(_, _, offsets, ..) => offsets.len() - 1,
            Self::Struct(_, nulls, _) => nulls.len(),
            Self::Null(rows) => *rows,
        }
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the rows as an array and starts anew.
    ///
    /// # Errors
    /// If text is not UTF-8 or a decimal has too many digits.
    pub fn finish(&mut self) -> Result<ArrayRef> {
        Ok(match self {
            Self::Boolean(values, nulls) => {
                let values = arrow::buffer::BooleanBuffer::from(take_all(values));
                Arc::new(BooleanArray::new(values, nulls.finish()))
            }
            Self::Int(values, nulls, ty) => {
                let values: ScalarBuffer<i32> = take_all(values).into();
                match ty {
                    DataType::Date32 => Arc::new(Date32Array::new(values, nulls.finish())),
                    DataType::Time32(_) => Arc::new(Time32MillisecondArray::new(values, nulls.finish())),
                    _ => Arc::new(Int32Array::new(values, nulls.finish())),
                }
            }
            Self::BigInt(values, nulls, ty) => {
                let values: ScalarBuffer<i64> = take_all(values).into();
                match ty {
                    DataType::Timestamp(..) => Arc::new(TimestampMillisecondArray::new(values, nulls.finish())),
                    _ => Arc::new(Int64Array::new(values, nulls.finish())),
                }
            }
            Self::Double(values, nulls) => Arc::new(Float64Array::new(take_all(values).into(), nulls.finish())),
            Self::Decimal(values, nulls, precision, scale) => {
                let array = Decimal128Array::new(take_all(values).into(), nulls.finish());
                Arc::new(array.with_precision_and_scale(*precision, *scale)?)
            }
            Self::Bytes(builder) => {
                let bytes = Buffer::from_vec(take_all(&mut builder.bytes));
                let offsets = take_offsets(&mut builder.offsets);
                let nulls = builder.nulls.finish();
                if builder.is_text {
                    Arc::new(StringArray::try_new(offsets, bytes, nulls)?)
                } else {
                    Arc::new(BinaryArray::try_new(offsets, bytes, nulls)?)
                }
            }
            Self::List(items, offsets, nulls, field) => {
                let offsets = take_offsets(offsets);
                Arc::new(ListArray::try_new(Arc::clone(field), offsets, items.finish()?, nulls.finish())?)
            }
            Self::Map(keys, values, offsets, nulls, entries) => {
                let offsets = take_offsets(offsets);
                let DataType::Struct(fields) = entries.data_type() else {
                    return Err(unsupported(entries.data_type()));
                };
                let rows = StructArray::try_new(fields.clone(), vec![keys.finish()?, values.finish()?], None)?;
                Arc::new(MapArray::try_new(Arc::clone(entries), offsets, rows, nulls.finish(), false)?)
            }
            Self::Struct(columns, nulls, fields) => {
                let rows = nulls.len();
                let arrays = columns.iter_mut().map(Self::finish).collect::<Result<Vec<_>>>()?;
                if arrays.is_empty() {
                    return Ok(Arc::new(StructArray::new_empty_fields(rows, nulls.finish())));
                }
                Arc::new(StructArray::try_new(fields.clone(), arrays, nulls.finish())?)
            }
            Self::Null(rows) => Arc::new(NullArray::new(std::mem::take(rows))),
        })
    }
}

fn unsupported(ty: &DataType) -> Error {
    Error::Internal(format!("no column can be of type {ty}"))
}

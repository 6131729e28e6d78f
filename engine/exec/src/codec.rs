//! Rows in our own topics: repartition and changelog (`docs/formats/internal-rows.md`).
//!
//! A row is its columns' values one after the other; a value is a zero byte for null, or a one and the
//! value: integers and floats little-endian, text and bytes behind their length (u32), arrays and maps
//! behind their count (u32), structs field by field.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType,
};

use crate::column::ColumnBuilder;
use crate::{Error, Result};

/// The first byte of every record.
pub(crate) const FORMAT_VERSION: u8 = 1;

/// A number that changes with the columns' types: FNV-1a of their names.
pub(crate) fn fingerprint<'a>(types: impl IntoIterator<Item = &'a DataType>) -> u32 {
    let mut hash = 0x811c_9dc5u32;
    for ty in types {
        for byte in ty.to_string().bytes().chain([b';']) {
            hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
    hash
}

/// Appends the version and the fingerprint that every record starts with.
pub(crate) fn write_header(fingerprint: u32, out: &mut Vec<u8>) {
    out.push(FORMAT_VERSION);
    out.extend_from_slice(&fingerprint.to_le_bytes());
}

/// Takes the header off a record.
pub(crate) fn read_header(record: &[u8], fingerprint: u32) -> Result<&[u8], String> {
    let Some((version, rest)) = record.split_first() else { return Err("a record is empty".to_owned()) };
    if *version != FORMAT_VERSION {
        return Err(format!("format version {version} is not known, expected {FORMAT_VERSION}"));
    }
    let (found, rest) = rest.split_first_chunk::<4>().ok_or("a record is cut off")?;
    if u32::from_le_bytes(*found) != fingerprint {
        return Err("its columns are of other types than the query's".to_owned());
    }
    Ok(rest)
}

/// What a row of an internal topic consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowFlags {
    /// Whether the row has a value.
    pub(crate) live: bool,
    /// Whether it replaces another row, which then follows it; `None`: that is not known.
    pub(crate) old: Option<bool>,
}

impl RowFlags {
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let old = self.old.map_or(0, |live| if live { 6 } else { 4 });
        out.push(u8::from(self.live) | old);
    }

    pub(crate) fn read(bytes: &mut &[u8]) -> Option<Self> {
        let [flags] = chunk::<1>(bytes)?;
        Some(Self { live: flags & 1 != 0, old: (flags & 4 != 0).then_some(flags & 2 != 0) })
    }
}

/// Columns whose rows are to be written. The types that most columns have are told apart once a batch and
/// not once a value.
pub(crate) struct RowWriter<'a>(Vec<Values<'a>>);

enum Values<'a> {
    Text(&'a StringArray),
    BigInt(&'a Int64Array),
    Any(&'a ArrayRef),
}

impl<'a> RowWriter<'a> {
    pub(crate) fn new(columns: &'a [ArrayRef]) -> Self {
        let values = |array: &'a ArrayRef| match (array.as_string_opt::<i32>(), array.as_primitive_opt::<Int64Type>()) {
            (Some(text), _) if text.null_count() == 0 => Values::Text(text),
            (_, Some(numbers)) if numbers.null_count() == 0 => Values::BigInt(numbers),
            _ => Values::Any(array),
        };
        Self(columns.iter().map(values).collect())
    }

    /// Appends a row.
    #[inline]
    pub(crate) fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        for values in &self.0 {
            match values {
                Values::Text(text) => {
                    out.push(1);
                    write_bytes(text.value(row).as_bytes(), out);
                }
                Values::BigInt(numbers) => {
                    out.push(1);
                    out.extend_from_slice(&numbers.value(row).to_le_bytes());
                }
                Values::Any(array) => write_value(array, row, out)?,
            }
        }
        Ok(())
    }
}

/// Appends a row.
pub(crate) fn write_row(columns: &[ArrayRef], row: usize, out: &mut Vec<u8>) -> Result<()> {
    columns.iter().try_for_each(|column| write_value(column, row, out))
}

fn write_length(length: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&(length as u32).to_le_bytes());
}

fn write_value(array: &ArrayRef, row: usize, out: &mut Vec<u8>) -> Result<()> {
    if array.is_null(row) {
        out.push(0);
        return Ok(());
    }
    out.push(1);
    match array.data_type() {
        DataType::Null => {}
        DataType::Boolean => out.push(u8::from(array.as_boolean().value(row))),
        DataType::Int32 => out.extend_from_slice(&array.as_primitive::<Int32Type>().value(row).to_le_bytes()),
        DataType::Date32 => out.extend_from_slice(&array.as_primitive::<Date32Type>().value(row).to_le_bytes()),
        DataType::Time32(_) => {
            out.extend_from_slice(&array.as_primitive::<Time32MillisecondType>().value(row).to_le_bytes());
        }
        DataType::Int64 => out.extend_from_slice(&array.as_primitive::<Int64Type>().value(row).to_le_bytes()),
        DataType::Timestamp(..) => {
            out.extend_from_slice(&array.as_primitive::<TimestampMillisecondType>().value(row).to_le_bytes());
        }
        DataType::Float64 => out.extend_from_slice(&array.as_primitive::<Float64Type>().value(row).to_le_bytes()),
        DataType::Decimal128(..) => {
            out.extend_from_slice(&array.as_primitive::<Decimal128Type>().value(row).to_le_bytes());
        }
        DataType::Utf8 => write_bytes(array.as_string::<i32>().value(row).as_bytes(), out),
        DataType::Binary => write_bytes(array.as_binary::<i32>().value(row), out),
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            write_length(items.len(), out);
            (0..items.len()).try_for_each(|item| write_value(&items, item, out))?;
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            write_length(entries.len(), out);
            (0..entries.len()).try_for_each(|entry| write_row(entries.columns(), entry, out))?;
        }
        DataType::Struct(_) => write_row(array.as_struct().columns(), row, out)?,
        other => return Err(Error::Internal(format!("no state can be of type {other}"))),
    }
    Ok(())
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Reads a row into columns and moves past it; `None` if it is cut off.
pub(crate) fn read_row(bytes: &mut &[u8], columns: &mut [ColumnBuilder]) -> Option<()> {
    columns.iter_mut().try_for_each(|column| read_value(bytes, column))
}

fn chunk<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = bytes.split_first_chunk::<N>()?;
    *bytes = tail;
    Some(*head)
}

fn read_length(bytes: &mut &[u8]) -> Option<usize> {
    Some(u32::from_le_bytes(chunk(bytes)?) as usize)
}

fn read_value(bytes: &mut &[u8], column: &mut ColumnBuilder) -> Option<()> {
    if chunk::<1>(bytes)? == [0] {
        column.append_null();
        return Some(());
    }
    match column {
        ColumnBuilder::Null(rows) => *rows += 1,
        ColumnBuilder::Boolean(values, nulls) => {
            values.push(chunk::<1>(bytes)? != [0]);
            nulls.append_non_null();
        }
        ColumnBuilder::Int(values, nulls, _) => {
            values.push(i32::from_le_bytes(chunk(bytes)?));
            nulls.append_non_null();
        }
        ColumnBuilder::BigInt(values, nulls, _) => {
            values.push(i64::from_le_bytes(chunk(bytes)?));
            nulls.append_non_null();
        }
        ColumnBuilder::Double(values, nulls) => {
            values.push(f64::from_le_bytes(chunk(bytes)?));
            nulls.append_non_null();
        }
        ColumnBuilder::Decimal(values, nulls, ..) => {
            values.push(i128::from_le_bytes(chunk(bytes)?));
            nulls.append_non_null();
        }
        ColumnBuilder::Bytes(builder) => {
            let length = read_length(bytes)?;
            let (value, tail) = bytes.split_at_checked(length)?;
            *bytes = tail;
            builder.bytes.extend_from_slice(value);
            builder.end_row();
        }
        ColumnBuilder::List(items, offsets, nulls, _) => {
            for _ in 0..read_length(bytes)? {
                read_value(bytes, items)?;
            }
            offsets.push(items.len() as i32);
            nulls.append_non_null();
        }
        ColumnBuilder::Map(keys, values, offsets, nulls, _) => {
            for _ in 0..read_length(bytes)? {
                read_value(bytes, keys)?;
                read_value(bytes, values)?;
            }
            offsets.push(values.len() as i32);
            nulls.append_non_null();
        }
        ColumnBuilder::Struct(columns, nulls, _) => {
            read_row(bytes, columns)?;
            nulls.append_non_null();
        }
    }
    Some(())
}

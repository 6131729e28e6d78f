//! The order of rows as the bytes of their keys have it.

use arrow::array::{ArrayRef, AsArray, Int32Array, UInt32Array};
use arrow::datatypes::{DataType, Int64Type};
use millstream_plan::Source;

use crate::Result;
use crate::format::Encoder;
use crate::window_key;

/// The places of rows in the order of their partitions and there of the bytes that their keys have on the source's topic,
/// with their windows; `keys` are the columns of the key, `bounds` the start and the end of the window.
///
/// # Errors
/// A key that the format cannot hold.
pub fn key_order(
    source: &Source,
    partitions: &Int32Array,
    keys: &[ArrayRef],
    bounds: Option<[&ArrayRef; 2]>,
) -> Result<UInt32Array> {
    let columns: Vec<(String, DataType)> =
        source.key.iter().map(|column| (column.name.clone(), column.arrow_type())).collect();
    let encoder = Encoder::new(source.key_format, true, &columns)?;
    let rows = encoder.rows(keys);
    let window = source
        .window
        .zip(bounds)
        .map(|(window, bounds)| (window, bounds.map(|times| times.as_primitive::<Int64Type>())));
    let encoded = |row: u32| {
        let (at, mut bytes) = (row as usize, Vec::new());
        rows.encode(at, &mut bytes)?;
        if let Some((window, [start, end])) = window {
            window_key::append(&mut bytes, window, start.value(at), end.value(at));
        }
        Ok((partitions.value(at), bytes, row))
    };
    let mut encoded = (0..partitions.len() as u32).map(encoded).collect::<Result<Vec<_>>>()?;
    encoded.sort_unstable();
    Ok(encoded.into_iter().map(|(.., row)| row).collect::<Vec<_>>().into())
}

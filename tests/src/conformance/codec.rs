//! Keys and values of a case as bytes and back, by the format and columns of the source over a topic.

use millstream_plan::{Column, Format, FormatKind, Source, SourceWindow};
use millstream_sql::{SqlType, Value};

use super::base64;
use super::case::{Record, Window};
use super::case_log::Stored;
use super::json::Json;

/// An input as it lies in its topic, and the length of its key without the window.
pub(crate) fn encode(record: &Record, source: Option<&Source>) -> (Stored, usize) {
    let mut key = match source {
        Some(source) => part_bytes(&record.key, source.key_format, &source.key),
        None => untyped_bytes(&record.key),
    };
    let value = match source {
        Some(source) => part_bytes(&record.value, source.value_format, &source.value),
        None => untyped_bytes(&record.value),
    };
    let inner_length = key.as_ref().map_or(0, Vec::len);
    if let (Some(key), Some(window)) = (&mut key, record.window) {
        // As Kafka Streams encodes windowed keys.
        if window.is_session {
            key.extend_from_slice(&window.end.to_be_bytes());
        }
        key.extend_from_slice(&window.start.to_be_bytes());
    }
    let timestamp_ms = record.timestamp_ms.unwrap_or(0);
    (Stored { key, value, timestamp_ms, headers: record.headers.clone() }, inner_length)
}

/// The key of a record, and its window if the source's keys have windows.
pub(crate) fn decode_key(bytes: Option<&[u8]>, source: &Source) -> (Json, Option<Window>) {
    let Some(bytes) = bytes else { return (Json::Null, None) };
    let (bytes, window) = match source.window.and_then(|kind| split_window(bytes, kind)) {
        Some((bytes, window)) => (bytes, Some(window)),
        None => (bytes, None),
    };
    (part_json(bytes, source.key_format, &source.key), window)
}

/// The value of a record.
pub(crate) fn decode_value(bytes: Option<&[u8]>, source: &Source) -> Json {
    bytes.map_or(Json::Null, |bytes| part_json(bytes, source.value_format, &source.value))
}

/// The type of a key or value as a whole: that of its only column where that stands alone, else a struct.
pub(crate) fn part_type(format: Format, columns: &[Column], is_key: bool) -> SqlType {
    match columns {
        [only] if is_key || !format.wrap || format.kind == FormatKind::Kafka => only.ty.clone(),
        columns => SqlType::Struct(
            columns
                .iter()
                .map(|column| millstream_sql::Field { name: column.name.clone(), ty: column.ty.clone() })
                .collect(),
        ),
    }
}

fn split_window(bytes: &[u8], kind: SourceWindow) -> Option<(&[u8], Window)> {
    let (rest, start) = bytes.split_last_chunk::<8>()?;
    let start = i64::from_be_bytes(*start);
    match kind {
        SourceWindow::Time { size_ms, .. } => Some((rest, Window { start, end: start + size_ms, is_session: false })),
        SourceWindow::Session => {
            let (rest, end) = rest.split_last_chunk::<8>()?;
            Some((rest, Window { start, end: i64::from_be_bytes(*end), is_session: true }))
        }
    }
}

fn untyped_bytes(part: &Json) -> Option<Vec<u8>> {
    (*part != Json::Null).then(|| part.to_text().into_bytes())
}

fn part_bytes(part: &Json, format: Format, columns: &[Column]) -> Option<Vec<u8>> {
    if *part == Json::Null {
        return None;
    }
    match format.kind {
        FormatKind::Json => Some(part.to_string().into_bytes()),
        FormatKind::Delimited => untyped_bytes(part),
        FormatKind::Kafka => {
            columns.first().and_then(|column| primitive_bytes(part, &column.ty)).or_else(|| untyped_bytes(part))
        }
        FormatKind::None => None,
    }
}

fn primitive_bytes(part: &Json, ty: &SqlType) -> Option<Vec<u8>> {
    let text = part.to_text();
    match ty {
        SqlType::Int => text.parse::<i32>().ok().map(|number| number.to_be_bytes().to_vec()),
        SqlType::BigInt => text.parse::<i64>().ok().map(|number| number.to_be_bytes().to_vec()),
        SqlType::Double => text.parse::<f64>().ok().map(|number| number.to_be_bytes().to_vec()),
        SqlType::Bytes => base64::decode(&text).ok(),
        _ => None,
    }
}

fn part_json(bytes: &[u8], format: Format, columns: &[Column]) -> Json {
    let text = || String::from_utf8_lossy(bytes).into_owned();
    match format.kind {
        FormatKind::Json => Json::parse(&text()).unwrap_or_else(|_| Json::String(text())),
        FormatKind::Kafka => match columns {
            [column] => primitive_json(bytes, &column.ty).unwrap_or_else(|| Json::String(text())),
            _ => Json::String(text()),
        },
        FormatKind::Delimited | FormatKind::None => Json::String(text()),
    }
}

fn primitive_json(bytes: &[u8], ty: &SqlType) -> Option<Json> {
    Some(match ty {
        SqlType::Int => Json::Number(i32::from_be_bytes(bytes.try_into().ok()?).to_string()),
        SqlType::BigInt => Json::Number(i64::from_be_bytes(bytes.try_into().ok()?).to_string()),
        SqlType::Double => Json::Number(format!("{:?}", f64::from_be_bytes(bytes.try_into().ok()?))),
        SqlType::Bytes => Json::String(Value::Bytes(bytes.to_vec()).to_string()),
        _ => return None,
    })
}

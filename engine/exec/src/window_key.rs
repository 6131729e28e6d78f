//! The windows of keys on topics, as Kafka Streams writes them: behind the key its window's start for
//! windows of a fixed length, its end and start for sessions; 8 bytes each, big-endian.

use millstream_plan::SourceWindow;

/// Splits a key into the inner key, the window's start and its end.
pub(crate) fn split(key: &[u8], window: SourceWindow) -> Option<(&[u8], i64, i64)> {
    let (rest, start) = key.split_last_chunk::<8>()?;
    let start = i64::from_be_bytes(*start);
    match window {
        SourceWindow::Time { size_ms, .. } => Some((rest, start, start.saturating_add(size_ms))),
        SourceWindow::Session => {
            let (rest, end) = rest.split_last_chunk::<8>()?;
            Some((rest, start, i64::from_be_bytes(*end)))
        }
    }
}

/// Appends a window to a key.
pub(crate) fn append(key: &mut Vec<u8>, window: SourceWindow, start: i64, end: i64) {
    if window == SourceWindow::Session {
        key.extend_from_slice(&end.to_be_bytes());
    }
    key.extend_from_slice(&start.to_be_bytes());
}

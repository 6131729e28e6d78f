//! Short values: how they are copied, and whether they are ASCII, which is asked before a copy.
//!
//! Nearly all values are short, and are copied and looked at without a loop and without the call that a copy of unknown
//! length is. The functions are `inline(always)`: the compiler makes calls of some of them otherwise, and saves and
//! reloads around each what it has in registers. With what `column.rs` and `format/json` inline, a row of a filter over
//! page views went from 3,900 to 3,420 instructions.

/// Values of at most so many bytes are copied as if they had as many.
const SHORT_BYTES: usize = 16;

/// Appends the bytes of `source` from `start` up to `end`; nothing if it has no such bytes.
///
/// A copy of a fixed size is two instructions where another one is a call.
#[inline(always)]
pub(crate) fn append_part(out: &mut Vec<u8>, source: &[u8], start: usize, end: usize) {
    let length = end.wrapping_sub(start);
    match source.get(start..).and_then(<[u8]>::first_chunk::<SHORT_BYTES>) {
        Some(short) if length <= SHORT_BYTES => {
            let end = out.len() + length;
            out.extend_from_slice(short);
            out.truncate(end);
        }
        _ => out.extend_from_slice(source.get(start..end).unwrap_or_default()),
    }
}

/// Appends bytes of which nothing is known but that most are a few.
#[inline(always)]
pub(crate) fn append_short(out: &mut Vec<u8>, bytes: &[u8]) {
    match short(bytes) {
        Some([first, last]) => {
            let end = out.len() + bytes.len();
            out.extend_from_slice(first);
            out.truncate(end - last.len());
            out.extend_from_slice(last);
        }
        None => out.extend_from_slice(bytes),
    }
}

/// Whether bytes are ASCII, of which nothing is known but that most are a few.
#[inline(always)]
pub(crate) fn is_ascii(bytes: &[u8]) -> bool {
    match short(bytes) {
        Some(halves) => halves.into_iter().all(|half| u64::from_le_bytes(*half) & 0x8080_8080_8080_8080 == 0),
        None => bytes.is_ascii(),
    }
}

/// Bytes of eight to sixteen in two parts, which overlap unless they are sixteen.
#[inline(always)]
fn short(bytes: &[u8]) -> Option<[&[u8; 8]; 2]> {
    if bytes.len() > SHORT_BYTES {
        return None;
    }
    Some([bytes.first_chunk()?, bytes.last_chunk()?])
}

/// A short text that is appended often, with what lies behind it.
#[derive(Debug)]
pub(crate) struct Constant {
    padded: Vec<u8>,
    length: usize,
}

impl Constant {
    pub(crate) fn new(mut bytes: Vec<u8>) -> Self {
        let length = bytes.len();
        bytes.resize(length + SHORT_BYTES, 0);
        Self { padded: bytes, length }
    }

    #[inline(always)]
    pub(crate) fn append_to(&self, out: &mut Vec<u8>) {
        append_part(out, &self.padded, 0, self.length);
    }
}

#[cfg(test)]
mod tests {
    use super::{Constant, append_part, append_short, is_ascii};

    #[test]
    fn bytes_of_any_length_are_appended_and_looked_at_as_a_whole() {
        for length in 0..40u8 {
            let mut bytes: Vec<u8> = (0..length).collect();
            let mut out = b"before".to_vec();
            append_short(&mut out, &bytes);
            assert_eq!(out, [b"before", bytes.as_slice()].concat());
            assert!(is_ascii(&bytes));
            for at in 0..bytes.len() {
                bytes[at] |= 0x80;
                assert!(!is_ascii(&bytes));
                bytes[at] &= 0x7F;
            }
        }
    }

    #[test]
    fn what_is_appended_is_the_part_whatever_lies_behind_it() {
        let source: Vec<u8> = (0..40).collect();
        for start in 0..=40 {
            for end in start..=40 {
                let mut out = b"before".to_vec();
                append_part(&mut out, &source, start, end);
                assert_eq!(out, [b"before", &source[start..end]].concat());
            }
        }
        let mut out = Vec::new();
        for (start, end) in [(30, 41), (3, 2), (40, 39), (41, 41), (41, 40), (usize::MAX, 1)] {
            append_part(&mut out, &source, start, end);
            assert!(out.is_empty(), "from {start} to {end} there are no bytes");
        }
        for text in ["", ",\"a\":", "longer than sixteen bytes"] {
            Constant::new(text.into()).append_to(&mut out);
            assert_eq!(out, text.as_bytes());
            out.clear();
        }
    }
}

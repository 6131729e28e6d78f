//! Sixteen bytes of a document looked at as one.

use wide::u8x16;

/// The number of bytes of a block.
const BYTES: usize = 16;

/// Sixteen bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block(u8x16);

impl Block {
    /// The block at a place, if the document is long enough.
    #[inline]
    pub(super) fn at(document: &[u8], at: usize) -> Option<Self> {
        let bytes = document.get(at..)?.first_chunk::<BYTES>()?;
        Some(Self(u8x16::from(*bytes)))
    }

    /// A bit for each quote, backslash and control character, the first byte's lowest.
    #[inline]
    fn specials(self) -> u32 {
        let quote = self.0.simd_eq(u8x16::splat(b'"'));
        let backslash = self.0.simd_eq(u8x16::splat(b'\\'));
        let control = self.0.min(u8x16::splat(0x1F)).simd_eq(self.0);
        (quote | backslash | control).to_bitmask()
    }

    /// How many decimal digits come first.
    #[inline]
    pub(super) fn digits(self) -> usize {
        let value = self.0 - u8x16::splat(b'0');
        let digit = value.min(u8x16::splat(9)).simd_eq(value);
        (!digit.to_bitmask()).trailing_zeros() as usize
    }
}

/// Whether a document is all ASCII, a block at a time.
#[inline]
pub(super) fn is_ascii(document: &[u8]) -> bool {
    let (blocks, _) = document.as_chunks::<BYTES>();
    let Some(last) = document.last_chunk::<BYTES>() else { return document.is_ascii() };
    // The last block may overlap the one before it: a byte may be looked at twice.
    let seen = blocks.iter().fold(u8x16::from(*last), |seen, block| seen | u8x16::from(*block));
    // The highest bit of each byte is what makes a mask of bytes as they are.
    seen.to_bitmask() == 0
}

/// Where the next quote, backslash or control character stands from a place on; the document's length if
/// there is none.
#[inline]
pub(super) fn next_special(document: &[u8], mut at: usize) -> usize {
    while let Some(block) = Block::at(document, at) {
        let specials = block.specials();
        if specials != 0 {
            return at + specials.trailing_zeros() as usize;
        }
        at += BYTES;
    }
    // Of the last block those bytes count that lie behind the place.
    let rest = document.len().saturating_sub(at);
    let overlap = BYTES - rest;
    match document.len().checked_sub(BYTES).and_then(|start| Block::at(document, start)) {
        Some(block) => at + ((block.specials() >> overlap).trailing_zeros() as usize).min(rest),
        None => {
            let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
            at + document.get(at..).unwrap_or_default().iter().position(is_special).unwrap_or(rest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Block, is_ascii, next_special};

    /// Each answer at each place of documents shorter and longer than a block, against one byte after
    /// the other.
    #[test]
    fn a_block_answers_as_its_bytes_do() {
        let mixed = [b"a\xC3\xA90\x1F\\".as_slice(), &[b'9'; 15], b"\x7F"].concat();
        let documents: [&[u8]; 4] = [b"12\"a", b"0123456789abcdef0123456789", b"no specials at all, only text", &mixed];
        for document in documents {
            assert_eq!(is_ascii(document), document.is_ascii());
            for at in 0..=document.len() {
                let rest = &document[at..];
                let special = |byte: &u8| *byte == b'"' || *byte == b'\\' || *byte < 0x20;
                let expected = rest.iter().position(special).unwrap_or(rest.len());
                assert_eq!(next_special(document, at), at + expected);
                if let Some(block) = Block::at(document, at) {
                    let is_other = |byte: &u8| !byte.is_ascii_digit();
                    assert_eq!(block.digits(), rest[..16].iter().position(is_other).unwrap_or(16));
                }
            }
        }
    }
}

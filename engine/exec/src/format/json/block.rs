//! Sixteen bytes looked at as one.

use std::ops::{BitOr, BitOrAssign};

use wide::u8x16;

/// Sixteen bytes, or what is true of each of them: all its bits are set, or none.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Block(u8x16);

impl Block {
    /// The number of bytes of a block.
    pub(super) const BYTES: usize = 16;
    pub(super) const ZERO: Self = Self(u8x16::ZERO);
    pub(super) const ONES: Self = Self(u8x16::MAX);

    #[inline]
    pub(super) fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(u8x16::from(bytes))
    }

    /// The block at a place, if there are as many bytes.
    #[inline]
    pub(super) fn at(bytes: &[u8], at: usize) -> Option<Self> {
        Some(Self::new(*bytes.get(at..)?.first_chunk()?))
    }

    /// Which bytes are quotes.
    #[inline]
    pub(super) fn quotes(self) -> Self {
        Self(self.0.simd_eq(u8x16::splat(b'"')))
    }

    /// Which bytes are backslashes.
    #[inline]
    pub(super) fn backslashes(self) -> Self {
        Self(self.0.simd_eq(u8x16::splat(b'\\')))
    }

    /// Which bytes are control characters.
    #[inline]
    pub(super) fn controls(self) -> Self {
        Self(self.0.min(u8x16::splat(0x1F)).simd_eq(self.0))
    }

    /// Which bytes may not stand in a string as they are.
    #[inline]
    pub(super) fn specials(self) -> Self {
        self.quotes() | self.backslashes() | self.controls()
    }

    /// The lesser one of each two bytes.
    #[inline]
    pub(super) fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    /// How many decimal digits come first.
    #[inline]
    pub(super) fn digits(self) -> usize {
        let value = self.0 - u8x16::splat(b'0');
        let digit = value.min(u8x16::splat(9)).simd_eq(value);
        (!digit.to_bitmask()).trailing_zeros() as usize
    }

    /// Whether so many bytes, sixteen at most, are the same from the first on.
    #[inline]
    pub(super) fn starts_as(self, other: Self, count: usize) -> bool {
        // What lies behind the block differs: the mask has no bits there.
        let differs = !self.0.simd_eq(other.0).to_bitmask();
        differs.trailing_zeros() as usize >= count
    }

    /// The highest bit of each byte, the first byte's lowest.
    #[inline]
    pub(super) fn bits(self) -> u32 {
        self.0.to_bitmask()
    }
}

impl BitOr for Block {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Block {
    #[inline]
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

/// Whether text has neither a quote nor a backslash nor a control character.
#[inline]
pub(super) fn is_plain(text: &[u8]) -> bool {
    let is_plain = |block: &[u8; Block::BYTES]| Block::new(*block).specials().bits() == 0;
    let (blocks, rest) = text.as_chunks();
    match text.last_chunk() {
        // The last block may overlap the one before it: a byte may be looked at twice.
        Some(last) => blocks.iter().chain([last]).all(is_plain),
        None => rest.iter().all(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Block, is_plain};

    /// Each answer for each part of texts, against one byte after the other.
    #[test]
    fn a_block_answers_as_its_bytes_do() {
        let mixed = [b"a\xC3\xA90\x1F\\".as_slice(), &[b'9'; 15], b"\x7F"].concat();
        let texts: [&[u8]; 4] = [b"12\"a", b"0123456789abcdef0123456789", b"no specials at all, only text", &mixed];
        for text in texts {
            for at in 0..=text.len() {
                let rest = &text[at..];
                let is_special = |byte: u8| matches!(byte, b'"' | b'\\' | 0..0x20);
                assert_eq!(is_plain(rest), !rest.iter().any(|byte| is_special(*byte)));
                let Some(block) = Block::at(text, at) else { continue };
                let bytes = &rest[..16];
                let bits =
                    |is: &dyn Fn(u8) -> bool| bytes.iter().rev().fold(0, |bits, byte| bits << 1 | u32::from(is(*byte)));
                assert_eq!(block.digits(), bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(16));
                assert_eq!(block.quotes().bits(), bits(&|byte| byte == b'"'));
                assert_eq!(block.backslashes().bits(), bits(&|byte| byte == b'\\'));
                assert_eq!(block.controls().bits(), bits(&|byte| byte < 0x20));
                assert_eq!(block.specials().bits(), bits(&is_special));
                assert_eq!(block.min(Block::ONES).bits(), block.bits());
                assert_eq!(block.bits(), bits(&|byte| byte >= 0x80));
                let other = Block::new(*b"0123456789abcdef");
                for count in 0..=16 {
                    assert_eq!(block.starts_as(other, count), bytes[..count] == b"0123456789abcdef"[..count]);
                }
            }
        }
    }
}

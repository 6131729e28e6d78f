//! A document and where its strings may end.
//!
//! One pass over a document notes each quote, backslash and control character as a bit, so that a string's
//! end is found by counting zeros instead of looking at its bytes (Langdale and Lemire, "Parsing Gigabytes
//! of JSON per Second", 2019).

use super::block::Block;
use super::value::Kind;

/// The bytes of a word: as many as it has bits.
const WORD_BYTES: usize = 64;

/// A document that has been looked through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Document<'a> {
    pub(super) bytes: &'a [u8],
    /// The quotes, backslashes and control characters of sixty-four bytes each, the lowest bit the first byte's;
    /// and a word of zeros, since two are looked at together.
    specials: &'a [u64],
    /// Whether all bytes are ASCII: then no string need be checked.
    pub(super) is_ascii: bool,
    /// Whether the document has no backslash and no control character either, so that every special is a quote.
    pub(super) is_plain: bool,
}

/// The memory for what is noted of a document.
#[derive(Debug, Default)]
pub(super) struct Specials(Vec<u64>);

impl Specials {
    /// Looks through a document.
    #[inline]
    pub(super) fn note<'a>(&'a mut self, bytes: &'a [u8]) -> Document<'a> {
        // In most documents quotes are all there is.
        let (mut seen, mut lowest, mut backslashes) = (Block::ZERO, Block::ONES, Block::ZERO);
        self.note_each(bytes, |block| {
            seen |= block;
            lowest = lowest.min(block);
            backslashes |= block.backslashes();
            block.quotes()
        });
        let has_others = (backslashes | lowest.controls()).bits() != 0;
        if has_others {
            self.note_all(bytes);
        }
        let is_ascii = seen.bits() == 0;
        Document { bytes, specials: &self.0, is_ascii, is_plain: is_ascii && !has_others }
    }

    #[cold]
    fn note_all(&mut self, bytes: &[u8]) {
        self.note_each(bytes, Block::specials);
    }

    /// Takes note of the bytes that `look` picks out of each block.
    ///
    /// It may see bytes a second time and the spaces that a short document is filled up with. Neither adds anything
    /// to what it gathers: seen twice is seen, and a space is of no kind that is looked for.
    // `look` keeps what it gathers in registers.
    #[inline(always)]
    fn note_each(&mut self, bytes: &[u8], mut look: impl FnMut(Block) -> Block) {
        let mut note = |word: &[u8; WORD_BYTES]| {
            let (blocks, _) = word.as_chunks();
            let bits = |(at, block): (usize, &[u8; Block::BYTES])| {
                u64::from(look(Block::new(*block)).bits()) << (at * Block::BYTES)
            };
            blocks.iter().enumerate().map(bits).fold(0, |word, bits| word | bits)
        };
        let Self(specials) = self;
        let (words, rest) = bytes.as_chunks::<WORD_BYTES>();
        specials.clear();
        specials.extend(words.iter().map(&mut note));
        let last = match bytes.last_chunk::<WORD_BYTES>() {
            Some(_) if rest.is_empty() => 0,
            // Those of its bytes that were looked at before are shifted out.
            Some(last) => note(last) >> (WORD_BYTES - rest.len()),
            None => {
                let mut padded = [b' '; WORD_BYTES];
                padded.iter_mut().zip(rest).for_each(|(padded, byte)| *padded = *byte);
                note(&padded)
            }
        };
        specials.extend([last, 0]);
    }
}

impl<'a> Document<'a> {
    /// Where the next quote, backslash or control character stands from a place on, if it is not far.
    #[inline]
    fn special_near(&self, at: usize) -> Option<usize> {
        let (word, bit) = (at / WORD_BYTES, at % WORD_BYTES);
        let [low, high] = self.specials.get(word..)?.first_chunk()?;
        // The sixty-four bytes from the place on; a shift by 64 is none.
        let ahead = low >> bit | (high << 1) << (WORD_BYTES - 1 - bit);
        if ahead == 0 { None } else { Some(at + ahead.trailing_zeros() as usize) }
    }

    /// Where the next quote, backslash or control character stands from a place on; the document's length if
    /// there is none.
    #[inline]
    pub(super) fn next_special(&self, at: usize) -> usize {
        self.special_near(at).unwrap_or_else(|| self.special_far(at))
    }

    #[cold]
    fn special_far(&self, from: usize) -> usize {
        let mut words = self.specials.iter().enumerate().skip(from / WORD_BYTES);
        let first = words.next().map(|(word, specials)| (word, specials >> (from % WORD_BYTES) << (from % WORD_BYTES)));
        let rest = words.map(|(word, specials)| (word, *specials));
        match first.into_iter().chain(rest).find(|(_, specials)| *specials != 0) {
            Some((word, specials)) => word * WORD_BYTES + specials.trailing_zeros() as usize,
            None => self.bytes.len(),
        }
    }

    /// Passes a string of up to 63 bytes in a plain document, or a whole number of up to 16 digits before a comma or
    /// a brace: what nearly every value is. `None`: look closely.
    #[inline]
    pub(super) fn simple_value(&self, start: usize) -> Option<(Kind, usize)> {
        if self.bytes.get(start) == Some(&b'"') {
            return if self.is_plain { Some((Kind::String, self.special_near(start + 1)? + 1)) } else { None };
        }
        let digits = Block::at(self.bytes, start)?.digits();
        let end = start + digits;
        let is_whole = matches!(self.bytes.get(end), Some(b',' | b'}'));
        let is_number = is_whole && digits > 0 && (digits == 1 || self.bytes.get(start) != Some(&b'0'));
        is_number.then_some((Kind::Number, end))
    }
}

#[cfg(test)]
mod tests {
    use super::Specials;

    /// Each answer at each place of documents shorter and longer than a word, against one byte after the other.
    #[test]
    fn specials_are_where_they_stand() {
        let mut specials = Specials::default();
        for length in [0, 1, 15, 16, 63, 64, 65, 127, 128, 200, 300] {
            for every in [1, 3, 50, 64, 150, 1000] {
                for special in [b'"', b'\\', 0, 0x1F] {
                    let bytes: Vec<u8> = (0..length)
                        .map(|at| if at % every == every - 1 { special } else { b' ' + at as u8 % 2 })
                        .collect();
                    let document = specials.note(&bytes);
                    assert!(document.is_ascii);
                    for at in 0..=length {
                        let expected = bytes[at..].iter().position(|byte| *byte == special);
                        assert_eq!(document.next_special(at), expected.map_or(length, |found| at + found));
                    }
                }
            }
        }
    }

    #[test]
    fn a_byte_beyond_ascii_is_seen_wherever_it_stands() {
        let mut specials = Specials::default();
        for length in [1, 16, 63, 64, 65, 130] {
            for at in 0..length {
                let mut bytes = vec![b'a'; length];
                bytes[at] = 0xC3;
                assert!(!specials.note(&bytes).is_ascii);
                bytes[at] = 0x7F;
                assert!(specials.note(&bytes).is_ascii);
            }
        }
    }
}

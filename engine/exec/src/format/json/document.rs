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
    /// Whether the whole document is UTF-8: then each of its strings is, since quotes do not cut characters.
    pub(super) is_utf8: bool,
    /// Whether that is so and the document has no backslash and no control character, so that every special is a
    /// quote.
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
        let is_utf8 = is_ascii || std::str::from_utf8(bytes).is_ok();
        Document { bytes, specials: &self.0, is_utf8, is_plain: is_utf8 && !has_others }
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
    use super::{Kind, Specials};

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
                    assert!(document.is_utf8);
                    for at in 0..=length {
                        let expected = bytes[at..].iter().position(|byte| *byte == special);
                        assert_eq!(document.next_special(at), expected.map_or(length, |found| at + found));
                    }
                }
            }
        }
    }

    #[test]
    fn a_byte_that_is_no_text_is_seen_wherever_it_stands() {
        let mut specials = Specials::default();
        for length in [2, 16, 63, 64, 65, 130] {
            for at in 0..length - 1 {
                for (pair, is_utf8) in [(b"\xC3a", false), (b"a\x80", false), (b"\xC3\xA9", true), (b"\x7Fa", true)] {
                    let mut bytes = vec![b'a'; length];
                    bytes[at..at + 2].copy_from_slice(pair);
                    let document = specials.note(&bytes);
                    assert_eq!(
                        (document.is_utf8, document.is_plain),
                        (is_utf8, is_utf8),
                        "{pair:?} at {at} of {length}"
                    );
                }
            }
        }
    }

    /// Documents of all kinds of bytes, mixed in ever other ways, against one byte after the other.
    #[test]
    fn mixed_specials_are_where_they_stand_and_make_a_document_less_plain() {
        let kinds: [&[u8]; 4] = [b"ab\"", b"abc\"\\", b"abcdefgh\"\x1F", b"abcdefghijklmnopq\"\\\x00"];
        let mut specials = Specials::default();
        let mut random = 1u32;
        for length in (0..=200).step_by(7).chain([63, 64, 65, 128]) {
            for kind in kinds {
                let mut next = |_| {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    kind[(random >> 16) as usize % kind.len()]
                };
                let bytes: Vec<u8> = (0..length).map(&mut next).collect();
                let document = specials.note(&bytes);
                assert_eq!(document.is_plain, bytes.iter().all(|byte| *byte != b'\\' && *byte >= b' '));
                for at in 0..=length {
                    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
                    let expected = bytes[at..].iter().position(is_special);
                    assert_eq!(document.next_special(at), expected.map_or(length, |found| at + found));
                }
            }
        }
    }

    #[test]
    fn a_document_is_plain_unless_it_has_a_backslash_or_a_control_character_wherever_that_stands() {
        let mut specials = Specials::default();
        for length in [1, 15, 16, 17, 63, 64, 65, 130] {
            for at in 0..length {
                for (byte, is_plain) in [
                    (b'"', true),
                    (b' ', true),
                    (0x7F, true),
                    (b'\\', false),
                    (0, false),
                    (0x1F, false),
                    (b'\n', false),
                ] {
                    let mut bytes = vec![b'a'; length];
                    bytes[at] = byte;
                    assert_eq!(specials.note(&bytes).is_plain, is_plain, "{byte:#x} at {at} of {length}");
                }
            }
        }
    }

    /// What a simple value is found to be where some bytes stand before it.
    fn simple_value(before: usize, text: &[u8]) -> Option<(Kind, usize)> {
        let bytes = [vec![b' '; before].as_slice(), text].concat();
        let mut specials = Specials::default();
        let (kind, end) = specials.note(&bytes).simple_value(before)?;
        Some((kind, end - before))
    }

    #[test]
    fn simple_values_are_short_strings_and_whole_numbers() {
        let accented = "\"déjà vu\", and more";
        assert_eq!(simple_value(3, accented.as_bytes()), Some((Kind::String, 11)));
        assert_eq!(simple_value(3, &[accented.as_bytes(), b"\xC3"].concat()), None);
        for before in [0, 1, 47, 48, 62, 63, 64, 65] {
            for length in 0..=70 {
                let string = format!("\"{}\"", "x".repeat(length));
                let expected = (length < 64).then_some((Kind::String, length + 2));
                for behind in ["", ",", "\"", "}                 "] {
                    let text = format!("{string}{behind}");
                    assert_eq!(simple_value(before, text.as_bytes()), expected, "{text} behind {before}");
                }
                assert_eq!(simple_value(before, &string.as_bytes()[..=length]), None, "it has no end");
                let escaped = string.replacen('"', "\"\\n", 1);
                assert_eq!(simple_value(before, escaped.as_bytes()), None);
            }
            for length in 1..=18 {
                let digits = &"123456789012345678"[..length];
                let expected = (length <= 16).then_some((Kind::Number, length));
                for behind in [",\"and more that follows", "}                      "] {
                    let text = format!("{digits}{behind}");
                    assert_eq!(simple_value(before, text.as_bytes()), expected, "{text} behind {before}");
                }
                // Too near to the document's end to be looked at as a block.
                let at_end = (length == 16).then_some((Kind::Number, 16));
                let near_end = simple_value(before, format!("{digits}}}").as_bytes());
                assert_eq!(near_end, at_end.or(expected.filter(|_| length + 1 >= 16)), "{digits} at the end");
            }
            let behind = ",\"and more that follows";
            assert_eq!(simple_value(before, format!("0{behind}").as_bytes()), Some((Kind::Number, 1)));
            for other in ["01", "-1", "1.5", "1e3", "1 ", "1]", "", "true", "null", "{}", "[]", "x"] {
                assert_eq!(simple_value(before, format!("{other}{behind}").as_bytes()), None, "{other}");
            }
        }
    }
}

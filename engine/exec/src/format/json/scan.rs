//! A scanner that checks the whole syntax of a document but builds nothing.
//!
//! It accepts exactly what RFC 8259 does, with nesting bounded. Strings are passed eight bytes at a
//! time: a word is looked at as a whole for a quote, a backslash or a control character.

use super::super::Unreadable;

/// Arrays and objects may nest this deep.
const DEPTH_MAX: usize = 127;
const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    True,
    False,
    Number,
    /// With or without escapes.
    String {
        escaped: bool,
    },
    Array,
    Object,
}

/// A value within the document; a string's range is without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A place in a document.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    pub(super) fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    pub(super) fn error(&self, expected: &str) -> Unreadable {
        match self.bytes.get(self.at) {
            Some(byte) => {
                format!("not valid JSON at byte {}: expected {expected}, found {:?}", self.at, char::from(*byte))
            }
            None => format!("not valid JSON: it ends at byte {} where {expected} was expected", self.at),
        }
    }

    /// Reads `byte` if it comes next.
    #[inline]
    pub(super) fn accept(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    #[inline]
    pub(super) fn expect(&mut self, byte: u8, expected: &str) -> Result<(), Unreadable> {
        if self.accept(byte) { Ok(()) } else { Err(self.error(expected)) }
    }

    /// Passes over one value of any kind.
    pub(super) fn value(&mut self, depth: usize) -> Result<Raw, Unreadable> {
        let start = self.at;
        let kind = match self.peek() {
            Some(b'"') => {
                self.at += 1;
                let start = self.at;
                let escaped = self.string()?;
                return Ok(Raw { kind: Kind::String { escaped }, start, end: self.at - 1 });
            }
            Some(b'{') => {
                self.object(depth)?;
                Kind::Object
            }
            Some(b'[') => {
                self.array(depth)?;
                Kind::Array
            }
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                Kind::Number
            }
            Some(b't') => self.word(b"true", Kind::True)?,
            Some(b'f') => self.word(b"false", Kind::False)?,
            Some(b'n') => self.word(b"null", Kind::Null)?,
            _ => return Err(self.error("a value")),
        };
        Ok(Raw { kind, start, end: self.at })
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<Kind, Unreadable> {
        if self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            return Ok(kind);
        }
        Err(self.error("true, false or null"))
    }

    fn object(&mut self, depth: usize) -> Result<(), Unreadable> {
        self.deeper(depth)?;
        self.at += 1;
        self.skip_space();
        if self.accept(b'}') {
            return Ok(());
        }
        loop {
            self.expect(b'"', "a field's name")?;
            self.string()?;
            self.colon()?;
            self.value(depth + 1)?;
            if !self.comma(b'}')? {
                return Ok(());
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), Unreadable> {
        self.deeper(depth)?;
        self.at += 1;
        self.skip_space();
        if self.accept(b']') {
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            if !self.comma(b']')? {
                return Ok(());
            }
        }
    }

    fn deeper(&self, depth: usize) -> Result<(), Unreadable> {
        if depth < DEPTH_MAX { Ok(()) } else { Err(format!("JSON nests more than {DEPTH_MAX} levels deep")) }
    }

    /// Passes over a colon and the space around it.
    #[inline]
    pub(super) fn colon(&mut self) -> Result<(), Unreadable> {
        self.skip_space();
        self.expect(b':', "a colon")?;
        self.skip_space();
        Ok(())
    }

    /// Passes over what follows an item: true if another item comes, false if `close` came.
    #[inline]
    pub(super) fn comma(&mut self, close: u8) -> Result<bool, Unreadable> {
        self.skip_space();
        if self.accept(b',') {
            self.skip_space();
            return Ok(true);
        }
        self.expect(close, "a comma or the end")?;
        Ok(false)
    }

    /// Passes over a string whose opening quote has been read, including the closing one; true if it
    /// has escapes.
    #[inline]
    pub(super) fn string(&mut self) -> Result<bool, Unreadable> {
        let start = self.at;
        let mut escaped = false;
        let mut high_bits = 0u64;
        loop {
            let (words, _) = self.bytes.get(self.at..).unwrap_or_default().as_chunks::<8>();
            let mut passed = 0;
            for word in words {
                let word = u64::from_le_bytes(*word);
                let special = special_bytes(word);
                if special != 0 {
                    let before = special.trailing_zeros() / 8;
                    high_bits |= word & HIGHS & ((1u64 << (before * 8)) - 1);
                    passed += before as usize;
                    break;
                }
                high_bits |= word & HIGHS;
                passed += 8;
            }
            self.at += passed;
            match self.peek() {
                Some(b'"') => {
                    let text = self.bytes.get(start..self.at).unwrap_or_default();
                    if high_bits != 0 && std::str::from_utf8(text).is_err() {
                        return Err(format!("not valid JSON: the string at byte {start} is not UTF-8"));
                    }
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(byte) if byte < 0x20 => return Err(self.error("no control character in a string")),
                Some(byte) => {
                    high_bits |= u64::from(byte & 0x80);
                    self.at += 1;
                }
                None => return Err(self.error("the end of a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Unreadable> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.at += 1;
                let first = self.hex()?;
                match first {
                    0xD800..=0xDBFF => {
                        // A leading surrogate must be followed by a trailing one.
                        let escaped = self.accept(b'\\') && self.accept(b'u');
                        if !(escaped && (0xDC00..=0xDFFF).contains(&self.hex()?)) {
                            return Err(self.error("the second half of a surrogate pair"));
                        }
                        Ok(())
                    }
                    0xDC00..=0xDFFF => Err(self.error("the first half of a surrogate pair before the second")),
                    _ => Ok(()),
                }
            }
            _ => Err(self.error("an escape")),
        }
    }

    /// Four hexadecimal digits.
    pub(super) fn hex(&mut self) -> Result<u32, Unreadable> {
        let mut value = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            value = value * 16 + digit.ok_or_else(|| self.error("four hexadecimal digits"))?;
            self.at += 1;
        }
        Ok(value)
    }

    #[inline]
    fn number(&mut self) -> Result<(), Unreadable> {
        self.accept(b'-');
        if !self.accept(b'0') && self.digits() == 0 {
            return Err(self.error("a digit"));
        }
        if self.accept(b'.') && self.digits() == 0 {
            return Err(self.error("a digit behind the point"));
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if !self.accept(b'+') {
                self.accept(b'-');
            }
            if self.digits() == 0 {
                return Err(self.error("a digit of the exponent"));
            }
        }
        Ok(())
    }

    #[inline]
    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }
}

/// The high bit of each byte that is a quote, a backslash or a control character. Bits above the lowest
/// one set may be wrong, as borrows run upwards.
#[inline]
fn special_bytes(word: u64) -> u64 {
    let zero_bytes = |x: u64| x.wrapping_sub(ONES) & !x & HIGHS;
    let quote = zero_bytes(word ^ (ONES * b'"' as u64));
    let backslash = zero_bytes(word ^ (ONES * b'\\' as u64));
    let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
    quote | backslash | control
}

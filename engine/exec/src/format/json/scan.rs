//! A scanner that checks the whole syntax of a document but builds nothing.
//!
//! It accepts exactly what RFC 8259 does, with nesting bounded. Where strings end is known before
//! (`document.rs`).

use super::super::Unreadable;
use super::document::Document;
use super::value::{Kind, Raw};

/// Arrays and objects may nest this deep.
const DEPTH_MAX: usize = 127;

/// The document is not JSON; the scanner knows why. It has no size, so that results of the scanner's
/// many small steps fit into a register.
#[derive(Debug, Clone, Copy)]
pub(super) struct Malformed;

#[derive(Debug, Clone, Copy)]
enum Problem {
    /// What was expected where the scanner stands.
    Expected(&'static str),
    /// The string that starts here has bytes that are no text.
    NotUtf8(usize),
    TooDeep,
}

/// A place in a document.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    pub(super) document: Document<'a>,
    pub(super) at: usize,
    problem: Problem,
}

impl<'a> Scanner<'a> {
    /// A scanner from a place of a document on.
    #[inline]
    pub(super) fn new(document: Document<'a>, at: usize) -> Self {
        Self { document, at, problem: Problem::Expected("JSON") }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.document.bytes.get(self.at).copied()
    }

    #[inline]
    pub(super) fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// Takes note of what was expected here.
    #[cold]
    pub(super) fn expected(&mut self, what: &'static str) -> Malformed {
        self.problem = Problem::Expected(what);
        Malformed
    }

    /// Why the document is not JSON.
    pub(super) fn explain(&self, _: Malformed) -> Unreadable {
        match (self.problem, self.document.bytes.get(self.at)) {
            (Problem::Expected(what), Some(byte)) => {
                format!("not valid JSON at byte {}: expected {what}, found {:?}", self.at, char::from(*byte))
            }
            (Problem::Expected(what), None) => {
                format!("not valid JSON: it ends at byte {} where {what} was expected", self.at)
            }
            (Problem::NotUtf8(start), _) => format!("not valid JSON: the string at byte {start} is not UTF-8"),
            (Problem::TooDeep, _) => format!("JSON nests more than {DEPTH_MAX} levels deep"),
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
    pub(super) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), Malformed> {
        if self.accept(byte) { Ok(()) } else { Err(self.expected(expected)) }
    }

    /// Passes over one value of any kind.
    pub(super) fn value(&mut self, depth: usize) -> Result<Kind, Malformed> {
        if let Some((kind, end)) = self.document.simple_value(self.at) {
            self.at = end;
            return Ok(kind);
        }
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                Ok(if self.string()? { Kind::EscapedString } else { Kind::String })
            }
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                Ok(Kind::Number)
            }
            _ => self.other_value(depth),
        }
    }

    /// A value that is neither a string nor a number.
    fn other_value(&mut self, depth: usize) -> Result<Kind, Malformed> {
        match self.peek() {
            Some(b'{') => {
                self.object(depth)?;
                Ok(Kind::Object)
            }
            Some(b'[') => {
                self.array(depth)?;
                Ok(Kind::Array)
            }
            Some(b't') => self.word(b"true", Kind::True),
            Some(b'f') => self.word(b"false", Kind::False),
            Some(b'n') => self.word(b"null", Kind::Null),
            _ => Err(self.expected("a value")),
        }
    }

    /// Passes over one value and tells where it lies.
    pub(super) fn raw_value(&mut self, depth: usize) -> Result<Raw, Malformed> {
        let start = self.at;
        let kind = self.value(depth)?;
        Ok(Raw::new(kind, start, self.at))
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<Kind, Malformed> {
        if self.document.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            return Ok(kind);
        }
        Err(self.expected("true, false or null"))
    }

    fn object(&mut self, depth: usize) -> Result<(), Malformed> {
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

    fn array(&mut self, depth: usize) -> Result<(), Malformed> {
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

    fn deeper(&mut self, depth: usize) -> Result<(), Malformed> {
        if depth < DEPTH_MAX {
            return Ok(());
        }
        self.problem = Problem::TooDeep;
        Err(Malformed)
    }

    /// Passes over a colon and the space around it.
    #[inline]
    pub(super) fn colon(&mut self) -> Result<(), Malformed> {
        self.skip_space();
        self.expect(b':', "a colon")?;
        self.skip_space();
        Ok(())
    }

    /// Passes over what follows an item: true if another item comes, false if `close` came.
    #[inline]
    pub(super) fn comma(&mut self, close: u8) -> Result<bool, Malformed> {
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
    pub(super) fn string(&mut self) -> Result<bool, Malformed> {
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at = self.document.next_special(self.at);
            match self.peek() {
                Some(b'"') => {
                    if !self.document.is_utf8 {
                        self.check_utf8(start)?;
                    }
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.expected("no control character in a string")),
                None => return Err(self.expected("the end of a string")),
            }
        }
    }

    /// Tells whether this is the string that keeps the document from being UTF-8.
    #[cold]
    fn check_utf8(&mut self, start: usize) -> Result<(), Malformed> {
        let text = self.document.bytes.get(start..self.at).unwrap_or_default();
        if std::str::from_utf8(text).is_ok() {
            return Ok(());
        }
        self.problem = Problem::NotUtf8(start);
        Err(Malformed)
    }

    fn escape(&mut self) -> Result<(), Malformed> {
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
                            return Err(self.expected("the second half of a surrogate pair"));
                        }
                        Ok(())
                    }
                    0xDC00..=0xDFFF => Err(self.expected("the first half of a surrogate pair before the second")),
                    _ => Ok(()),
                }
            }
            _ => Err(self.expected("an escape")),
        }
    }

    /// Four hexadecimal digits.
    fn hex(&mut self) -> Result<u32, Malformed> {
        let mut value = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(16)) else {
                return Err(self.expected("four hexadecimal digits"));
            };
            value = value * 16 + digit;
            self.at += 1;
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<(), Malformed> {
        self.accept(b'-');
        if !self.accept(b'0') && self.digits() == 0 {
            return Err(self.expected("a digit"));
        }
        if self.accept(b'.') && self.digits() == 0 {
            return Err(self.expected("a digit behind the point"));
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if !self.accept(b'+') {
                self.accept(b'-');
            }
            if self.digits() == 0 {
                return Err(self.expected("a digit of the exponent"));
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

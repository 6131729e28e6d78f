//! A value within a document: what it is and where it lies.

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// There is no such value.
    Missing,
    Null,
    True,
    False,
    Number,
    String,
    EscapedString,
    Array,
    Object,
}

/// A value within the document; a string's range is without its quotes. Small enough to be handed on in
/// registers: no document has 4 GiB, as no record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Raw {
    start: u32,
    end: u32,
    pub(super) kind: Kind,
}

impl Raw {
    /// No value.
    pub(super) const MISSING: Self = Self { start: 0, end: 0, kind: Kind::Missing };

    /// The value of this kind from its first byte to behind its last.
    #[inline]
    pub(super) fn new(kind: Kind, start: usize, end: usize) -> Self {
        let quote = u32::from(matches!(kind, Kind::String | Kind::EscapedString));
        Self { start: start as u32 + quote, end: end as u32 - quote, kind }
    }

    /// The value's bytes, without the quotes of a string.
    #[inline]
    pub(super) fn bytes(self, document: &[u8]) -> &[u8] {
        document.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// Where the value starts and ends, without the quotes of a string.
    #[inline]
    pub(super) fn place(self) -> (usize, usize) {
        (self.start as usize, self.end as usize)
    }

    /// The place behind the bracket or brace that an array or object starts with.
    pub(super) fn inside(self) -> usize {
        self.start as usize + 1
    }
}

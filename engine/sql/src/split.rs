//! Where one statement ends and the next begins.

use crate::{Span, TokenKind, tokenize};

/// A statement's text within a longer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The statement without its semicolon and the white space around it.
    pub text: &'a str,
    /// Where it stands.
    pub span: Span,
    /// Whether a semicolon ends it.
    pub is_complete: bool,
}

/// Splits a text at the semicolons outside of quotes and comments. Pieces of nothing but white space
/// and comments are left out.
#[must_use]
pub fn split_statements(source: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut first: Option<usize> = None;
    let mut last = 0;
    for token in tokenize(source) {
        if token.kind == TokenKind::Symbol && token.span.of(source) == ";" {
            if let Some(start) = first.take() {
                let span = Span::new(start, last);
                pieces.push(Piece { text: span.of(source), span, is_complete: true });
            }
        } else if !token.kind.is_trivia() {
            first.get_or_insert(token.span.start);
            last = token.span.end;
        }
    }
    if let Some(start) = first {
        let span = Span::new(start, last);
        pieces.push(Piece { text: span.of(source), span, is_complete: false });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semicolons_in_quotes_and_comments_do_not_count() {
        let source = "SELECT ';' -- a;\nFROM s; /* ; */ ;; SHOW `;`";
        let pieces: Vec<_> = split_statements(source).into_iter().map(|p| (p.text, p.is_complete)).collect();
        assert_eq!(pieces, [("SELECT ';' -- a;\nFROM s", true), ("SHOW `;`", false)]);
    }
}

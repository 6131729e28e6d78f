//! Text to tokens. Never fails: what is no token is a token that says so.

use crate::Span;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A keyword or an unquoted name.
    Word,
    /// A name in backticks or double quotes.
    QuotedName,
    /// A string in single quotes; a quote inside is doubled.
    String,
    /// Digits only.
    Integer,
    /// Digits with a point.
    Decimal,
    /// Digits with an exponent.
    Float,
    /// An operator or punctuation.
    Symbol,
    /// `${name}`.
    Variable,
    /// White space.
    Space,
    /// `-- …` or `/* … */`.
    Comment,
    /// A string, name or comment that the text ends in.
    Unterminated,
    /// A character that no token starts with.
    Unknown,
}

impl TokenKind {
    /// Whether the parser passes over it.
    #[must_use]
    pub fn is_trivia(self) -> bool {
        matches!(self, Self::Space | Self::Comment)
    }
}

/// A piece of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it is; the tokens of a text cover it without gaps.
    pub span: Span,
}

/// Operators and punctuation, longer ones before their prefixes.
const SYMBOLS: &[&str] = &[
    "->", "=>", ":=", "<>", "!=", "<=", ">=", "||", "::", "=", "<", ">", "+", "-", "*", "/", "%", "(", ")", "[", "]",
    "{", "}", ",", ".", ";", ":", "\\",
];

/// Cuts the text into tokens.
#[must_use]
pub fn tokenize(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(rest) = source.get(start..).filter(|rest| !rest.is_empty()) {
        let (kind, length) = next_token(rest);
        let end = start + length.max(1);
        tokens.push(Token { kind, span: Span::new(start, end) });
        start = end;
    }
    tokens
}

fn next_token(rest: &str) -> (TokenKind, usize) {
    let mut chars = rest.chars();
    let first = chars.next().unwrap_or(' ');
    let second = chars.next().unwrap_or(' ');
    match first {
        c if c.is_whitespace() => (TokenKind::Space, run(rest, char::is_whitespace)),
        '-' if second == '-' => (TokenKind::Comment, run(rest, |c| c != '\n')),
        '/' if second == '*' => enclosed(rest, TokenKind::Comment, rest.find("*/").map(|at| at + 2)),
        '\'' => enclosed(rest, TokenKind::String, quoted_end(rest, '\'')),
        '"' | '`' => enclosed(rest, TokenKind::QuotedName, quoted_end(rest, first)),
        '$' if second == '{' => enclosed(rest, TokenKind::Variable, rest.find('}').map(|at| at + 1)),
        c if c.is_ascii_digit() || (c == '.' && second.is_ascii_digit()) => number(rest),
        c if is_word_start(c) => (TokenKind::Word, run(rest, is_word)),
        c => match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            Some(symbol) => (TokenKind::Symbol, symbol.len()),
            None => (TokenKind::Unknown, c.len_utf8()),
        },
    }
}

fn is_word_start(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '@'
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '@' | '$')
}

fn run(rest: &str, belongs: impl Fn(char) -> bool) -> usize {
    rest.find(|c| !belongs(c)).unwrap_or(rest.len())
}

fn enclosed(rest: &str, kind: TokenKind, end: Option<usize>) -> (TokenKind, usize) {
    end.map_or((TokenKind::Unterminated, rest.len()), |end| (kind, end))
}

/// The end of a quoted piece in which a doubled quote stands for one.
fn quoted_end(rest: &str, quote: char) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return Some(at + 1);
        }
    }
    None
}

fn number(rest: &str) -> (TokenKind, usize) {
    let digits = |from: usize| rest.get(from..).map_or(0, |tail| run(tail, |c| c.is_ascii_digit()));
    let mut end = digits(0);
    let mut kind = TokenKind::Integer;
    if rest.get(end..).is_some_and(|tail| tail.starts_with('.')) {
        end += 1 + digits(end + 1);
        kind = TokenKind::Decimal;
    }
    let exponent = rest.get(end..).unwrap_or_default();
    if exponent.starts_with(['e', 'E']) {
        let sign = usize::from(exponent.get(1..).is_some_and(|tail| tail.starts_with(['+', '-'])));
        let length = digits(end + 1 + sign);
        if length > 0 {
            end += 1 + sign + length;
            kind = TokenKind::Float;
        }
    }
    // A name may start with digits.
    if kind == TokenKind::Integer && rest.get(end..).is_some_and(|tail| tail.starts_with(is_word_start)) {
        return (TokenKind::Word, run(rest, is_word));
    }
    (kind, end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds(source: &str) -> Vec<(TokenKind, &str)> {
        let tokens = tokenize(source).into_iter().filter(|token| !token.kind.is_trivia());
        tokens.map(|token| (token.kind, token.span.of(source))).collect()
    }

    #[test]
    fn words_numbers_and_quotes() {
        use TokenKind::*;
        assert_eq!(
            kinds("a->b[1] 'it''s' `x y` 1.5 .5 2e-3 3e ${v} -- c\n/* d */ 'open"),
            [
                (Word, "a"),
                (Symbol, "->"),
                (Word, "b"),
                (Symbol, "["),
                (Integer, "1"),
                (Symbol, "]"),
                (String, "'it''s'"),
                (QuotedName, "`x y`"),
                (Decimal, "1.5"),
                (Decimal, ".5"),
                (Float, "2e-3"),
                (Word, "3e"),
                (Variable, "${v}"),
                (Unterminated, "'open"),
            ]
        );
    }

    proptest! {
        #[test]
        fn the_tokens_cover_any_text(source in "\\PC*") {
            let tokens = tokenize(&source);
            let text: String = tokens.iter().map(|token| token.span.of(&source)).collect();
            prop_assert_eq!(text, source);
        }
    }
}

//! A place in the tokens of a statement.

use super::Result;
use super::statement::STATEMENT_WORDS;
use crate::keyword::{KEYWORDS, is_keyword, is_reserved};
use crate::{Diagnostic, Ident, Span, Token, TokenKind, closest, tokenize};

/// Expressions, types and statements may nest this deep; deeper ones are refused rather than
/// overflowing the stack.
const DEPTH_MAX: usize = 100;

/// A chain such as `a + b + c` is a tree that is as high as the chain is long; whoever walks or drops
/// a higher one could overflow the stack.
const HEIGHT_MAX: usize = 500;

/// So much of a token is repeated in a message.
const SHOWN_CHARS_MAX: usize = 60;

pub(super) struct Cursor<'a> {
    source: &'a str,
    tokens: Vec<Token>,
    index: usize,
    depth: usize,
    /// The height of the highest tree made since the innermost [`Cursor::nested`] began.
    height: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        let tokens = tokenize(source).into_iter().filter(|token| !token.kind.is_trivia()).collect();
        Self { source, tokens, index: 0, depth: 0, height: 0 }
    }

    pub(super) fn source(&self) -> &'a str {
        self.source
    }

    /// Checks that nothing but a semicolon is left.
    pub(super) fn finish<T>(&mut self, parsed: T) -> Result<T> {
        self.accept(";");
        if self.peek().is_some() { Err(self.unexpected("the end of the statement")) } else { Ok(parsed) }
    }

    pub(super) fn peek(&self) -> Option<Token> {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<Token> {
        self.tokens.get(self.index + ahead).copied()
    }

    pub(super) fn text(&self, token: Token) -> &'a str {
        token.span.of(self.source)
    }

    pub(super) fn next(&mut self) -> Option<Token> {
        let token = self.peek()?;
        self.index += 1;
        Some(token)
    }

    /// A place to return to with [`Cursor::rewind`].
    pub(super) fn mark(&self) -> usize {
        self.index
    }

    pub(super) fn rewind(&mut self, mark: usize) {
        self.index = mark;
    }

    /// Where the next token is, or where the source ends.
    pub(super) fn here(&self) -> Span {
        let end = self.source.trim_end().len();
        self.peek().map_or(Span::new(end, end), |token| token.span)
    }

    /// From `start` to the end of the last token read.
    pub(super) fn since(&self, start: Span) -> Span {
        let last = self.index.checked_sub(1).and_then(|at| self.tokens.get(at));
        last.map_or(start, |token| start.to(token.span))
    }

    /// Runs a parser one level deeper.
    pub(super) fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= DEPTH_MAX {
            let message = format!("the statement nests more than {DEPTH_MAX} levels deep");
            return Err(Box::new(Diagnostic::new("E0104", message).at(self.here(), "too deep").help("take it apart")));
        }
        self.depth += 1;
        let outer = std::mem::take(&mut self.height);
        let parsed = parse(self);
        self.height = outer.max(self.height + 1);
        self.depth -= 1;
        parsed
    }

    /// Notes that what was parsed since the innermost [`Cursor::nested`] began goes below a new node.
    pub(super) fn link(&mut self) -> Result<()> {
        self.height += 1;
        if self.height <= HEIGHT_MAX {
            return Ok(());
        }
        let message = format!("the expression chains more than {HEIGHT_MAX} operators");
        let help = "split it, or compare with a list: x IN (…, …)";
        Err(Box::new(Diagnostic::new("E0104", message).at(self.here(), "too long").help(help)))
    }

    /// Whether the next tokens are these words or symbols.
    pub(super) fn at(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(ahead, word)| {
            self.peek_at(ahead).is_some_and(|token| {
                matches!(token.kind, TokenKind::Word | TokenKind::Symbol) && self.text(token).eq_ignore_ascii_case(word)
            })
        })
    }

    /// Whether this word stands anywhere from here on, not counting names in quotes.
    pub(super) fn has_word(&self, word: &str) -> bool {
        let rest = self.tokens.get(self.index..).unwrap_or_default();
        rest.iter().any(|token| token.kind == TokenKind::Word && self.text(*token).eq_ignore_ascii_case(word))
    }

    /// Reads these space-separated words or symbols if they come next.
    pub(super) fn accept(&mut self, words: &str) -> bool {
        let words: Vec<&str> = words.split(' ').collect();
        let found = self.at(&words);
        if found {
            self.index += words.len();
        }
        found
    }

    /// Reads these words or symbols or fails.
    pub(super) fn expect(&mut self, words: &str) -> Result<()> {
        if self.accept(words) { Ok(()) } else { Err(self.unexpected(&format!("\"{words}\""))) }
    }

    /// Reads one of these words and says which.
    pub(super) fn one_of(&mut self, words: &[&'static str]) -> Result<&'static str> {
        match words.iter().find(|word| self.accept(word)) {
            Some(word) => Ok(word),
            None => {
                let list: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                Err(self.unexpected(&list.join(" or ")))
            }
        }
    }

    /// A name: a word that is not reserved, or a quoted name.
    pub(super) fn ident(&mut self, what: &str) -> Result<Ident> {
        let Some(token) = self.peek() else { return Err(self.unexpected(what)) };
        let text = self.text(token);
        let name = match token.kind {
            TokenKind::QuotedName => unquote(text),
            TokenKind::Word if !is_reserved(text) => text.to_uppercase(),
            TokenKind::Word => {
                let error = self.unexpected(what);
                return Err(Box::new(
                    error.help(format!("\"{text}\" is a keyword; write `{text}` to use it as a name")),
                ));
            }
            _ => return Err(self.unexpected(what)),
        };
        self.index += 1;
        Ok(Ident { name, span: token.span })
    }

    /// A string in single quotes.
    pub(super) fn string(&mut self, what: &str) -> Result<String> {
        match self.peek() {
            Some(token) if token.kind == TokenKind::String => {
                self.index += 1;
                Ok(unquote(self.text(token)))
            }
            _ => Err(self.unexpected(what)),
        }
    }

    pub(super) fn integer(&mut self, what: &str) -> Result<i64> {
        let number = self.peek().filter(|token| token.kind == TokenKind::Integer);
        match number.and_then(|token| self.text(token).parse().ok()) {
            Some(number) => {
                self.index += 1;
                Ok(number)
            }
            None => Err(self.unexpected(what)),
        }
    }

    /// `item, item, …`.
    pub(super) fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.accept(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// What to say when the next token is not what was expected.
    pub(super) fn unexpected(&self, expected: &str) -> Box<Diagnostic> {
        let here = self.here();
        let Some(token) = self.peek() else {
            let message = format!("the statement ends where {expected} was expected");
            return Box::new(Diagnostic::new("E0101", message).at(here, "ends here"));
        };
        let text = self.text(token);
        let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
        let cut = if shown.len() < text.len() { "…" } else { "" };
        let diagnostic = match token.kind {
            TokenKind::Unterminated => {
                let what = if text.starts_with("/*") { "comment" } else { "quote" };
                return Box::new(
                    Diagnostic::new("E0102", format!("the {what} that starts here is never closed"))
                        .at(Span::new(token.span.start, token.span.start + 1), "starts here")
                        .help(format!("close the {what}")),
                );
            }
            TokenKind::Unknown => Diagnostic::new("E0103", format!("the character {text:?} has no meaning here"))
                .help("remove it, or put it in quotes if it belongs to a name or a string"),
            _ => Diagnostic::new("E0101", format!("expected {expected}, found \"{shown}{cut}\"")),
        };
        let diagnostic = diagnostic.at(here, "not expected here");
        let slip = token.kind == TokenKind::Word && !is_keyword(text);
        let meant = if slip { closest(text, KEYWORDS.iter().copied()) } else { None };
        Box::new(match meant {
            Some(keyword) => diagnostic.help(format!("did you mean \"{keyword}\"?")),
            None if self.starts_statement(token) => {
                diagnostic.help(format!("end the statement before \"{shown}\" with a semicolon"))
            }
            None => diagnostic,
        })
    }

    /// Whether a word that statements start with is the first one of a line other than the first.
    fn starts_statement(&self, token: Token) -> bool {
        let before = self.source.get(..token.span.start).unwrap_or_default();
        let line = before.rsplit_once('\n').map(|(_, line)| line);
        let text = self.text(token);
        line.is_some_and(|line| line.trim().is_empty())
            && STATEMENT_WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
    }
}

/// A quoted token's content.
fn unquote(text: &str) -> String {
    let Some(quote) = text.chars().next() else { return String::new() };
    let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    inner.replace(&format!("{quote}{quote}"), &quote.to_string())
}

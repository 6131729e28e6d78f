//! The line editor's knowledge of the dialect.

use std::borrow::Cow;
use std::cell::RefCell;

use millstream_sql::{Names, TokenKind, complete, is_keyword, split_statements, tokenize};
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hinter, HistoryHinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use crate::style::Role;

/// Completion, highlighting, hints and the decision whether a statement is complete.
pub(crate) struct Editor {
    /// Refreshed before every prompt.
    pub(crate) names: RefCell<Names>,
    pub(crate) color: bool,
    hinter: HistoryHinter,
}

/// Words that are commands without a semicolon.
const COMMANDS: [&str; 12] = [
    "help", "exit", "quit", "clear", "history", "version", "output", "server", "spool", "request", "define", "undefine",
];

/// Whether a line is a command of the shell, which needs no semicolon.
pub(crate) fn is_command(line: &str) -> bool {
    let word = line.split_whitespace().next().unwrap_or_default().trim_end_matches(';').to_ascii_lowercase();
    word.starts_with('\\') || COMMANDS.contains(&word.as_str())
}

impl Editor {
    pub(crate) fn new(color: bool) -> Self {
        Self { names: RefCell::default(), color, hinter: HistoryHinter::new() }
    }

    fn knows(&self, word: &str) -> bool {
        let upper = word.to_uppercase();
        let names = self.names.borrow();
        is_keyword(word)
            || names.functions.iter().any(|(name, _)| *name == upper)
            || names
                .sources
                .iter()
                .any(|(name, _, columns)| *name == upper || columns.iter().any(|(column, _)| *column == upper))
    }
}

impl Helper for Editor {}

impl Validator for Editor {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let input = context.input();
        let open = split_statements(input).last().is_some_and(|piece| !piece.is_complete);
        Ok(if open && !is_command(input) { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl Completer for Editor {
    type Candidate = Pair;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = line.get(..position).unwrap_or(line);
        // What stands before the last finished statement does not matter.
        let offset =
            split_statements(before).iter().rfind(|piece| piece.is_complete).map_or(0, |piece| piece.span.end + 1);
        let statement = before.get(offset..).unwrap_or_default();
        let (start, found) = complete(statement, &self.names.borrow());
        let pair = |completion: millstream_sql::Completion| Pair {
            display: if completion.detail.is_empty() {
                completion.text.clone()
            } else {
                format!("{}  {}", completion.text, completion.detail)
            },
            replacement: completion.text,
        };
        Ok((offset + start, found.into_iter().map(pair).collect()))
    }
}

impl Hinter for Editor {
    type Hint = String;

    fn hint(&self, line: &str, position: usize, context: &Context<'_>) -> Option<String> {
        if line.is_empty() { None } else { self.hinter.hint(line, position, context) }
    }
}

impl Highlighter for Editor {
    fn highlight<'l>(&self, line: &'l str, _position: usize) -> Cow<'l, str> {
        if !self.color {
            return Cow::Borrowed(line);
        }
        let tokens = tokenize(line);
        let mut out = String::with_capacity(line.len() * 2);
        for (at, token) in tokens.iter().enumerate() {
            let text = token.span.of(line);
            let is_last = at + 1 == tokens.len();
            let role = match token.kind {
                TokenKind::Word if is_keyword(text) => Some(Role::Keyword),
                // A word that is being typed is not wrong yet.
                TokenKind::Word if !is_last && !is_command(line) && !self.knows(text) => Some(Role::Unknown),
                TokenKind::String => Some(Role::Text),
                TokenKind::Integer | TokenKind::Decimal | TokenKind::Float => Some(Role::Number),
                TokenKind::Comment => Some(Role::Comment),
                TokenKind::Unterminated => Some(Role::Text),
                TokenKind::Unknown => Some(Role::Error),
                _ => None,
            };
            out.push_str(&role.map_or_else(|| text.to_owned(), |role| role.paint(text, true)));
        }
        Cow::Owned(out)
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(Role::Dim.paint(hint, self.color))
    }

    fn highlight_char(&self, _line: &str, _position: usize, _kind: CmdKind) -> bool {
        self.color
    }
}

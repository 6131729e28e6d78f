//! The line editor's knowledge of the dialect.

use std::borrow::Cow;
use std::cell::RefCell;

use millstream_sql::{Names, Piece, Token, TokenKind, complete, is_keyword, split_statements, tokenize};
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter, HistoryHinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use crate::Format;
use crate::brackets::matching_brackets;
use crate::commands::{Argument, COMMANDS, Known, ended_by_go, find, is_command};
use crate::help::page_names;
use crate::style::Role;

/// Completion, highlighting, hints and the decision whether a statement is complete.
pub(crate) struct Editor {
    /// Refreshed before every prompt.
    pub(crate) names: RefCell<Names>,
    pub(crate) color: bool,
    /// Nothing has been typed yet.
    pub(crate) is_first: bool,
    hinter: HistoryHinter,
    files: FilenameCompleter,
}

/// What the first empty line says.
const TIP: &str = "try \\demo, or help; Tab completes";
/// Candidates are padded to this width before what they are is said.
const CANDIDATE_WIDTH: usize = 20;

impl Editor {
    pub(crate) fn new(color: bool) -> Self {
        Self {
            names: RefCell::default(),
            color,
            is_first: true,
            hinter: HistoryHinter::new(),
            files: FilenameCompleter::new(),
        }
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
        let is_open = |piece: &Piece<'_>| !piece.is_complete && ended_by_go(piece.text).is_none();
        let open = split_statements(input).last().is_some_and(is_open);
        Ok(if open && !is_command(input) { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl Editor {
    /// The completion of a command or its argument, if the line is one.
    fn complete_command(&self, before: &str, context: &Context<'_>) -> Option<rustyline::Result<(usize, Vec<Pair>)>> {
        // A command is complete once a space follows it.
        let (argument, written) = match find(before) {
            Some((known, rest)) if !rest.is_empty() || before.ends_with([' ', '@']) => (known.argument, rest.len()),
            _ if before.starts_with('\\') => {
                let fits = |known: &Known| {
                    let spelling = known.spellings.iter().find(|spelling| spelling.starts_with(before))?;
                    Some(candidate(spelling, known.says))
                };
                return Some(Ok((0, COMMANDS.iter().filter_map(fits).collect())));
            }
            _ => return None,
        };
        let start = before.len() - written;
        let word = before.get(start..).unwrap_or_default().to_lowercase();
        let of = |words: &mut dyn Iterator<Item = String>| -> Vec<Pair> {
            words.filter(|text| text.to_lowercase().starts_with(&word)).map(|text| candidate(&text, "")).collect()
        };
        let names = self.names.borrow();
        let found = match argument {
            Argument::None => return None,
            Argument::File => return Some(self.files.complete(before, before.len(), context)),
            Argument::Words(words) => of(&mut words.iter().map(|word| (*word).to_owned())),
            Argument::Format => of(&mut Format::all().map(str::to_owned)),
            Argument::HelpTopic => of(&mut page_names().map(str::to_owned)),
            Argument::Function => of(&mut names.functions.iter().map(|(name, _)| name.clone())),
            Argument::Source => of(&mut names.sources.iter().map(|(name, ..)| name.clone())),
        };
        Some(Ok((start, found)))
    }

    /// Whether a word stands where a source or a column is named, and names neither.
    fn is_unknown(&self, line: &str, tokens: &[Token], at: usize) -> bool {
        let Some(word) = tokens.get(at) else { return false };
        let text = |token: &Token| token.span.of(line);
        let before = tokens.get(..at).unwrap_or_default();
        let start = before.iter().rposition(|token| text(token) == ";").map_or(0, |end| end + 1);
        let before = before.get(start..).unwrap_or_default().iter().filter(|token| !token.kind.is_trivia());
        let before: Vec<&str> = before.map(text).collect();
        let after = tokens.get(at + 1..).unwrap_or_default().iter().find(|token| !token.kind.is_trivia());
        let is = |word: Option<&&str>, list: &[&str]| {
            word.is_some_and(|word| list.iter().any(|other| other.eq_ignore_ascii_case(word)))
        };
        let in_query = is(before.iter().find(|word| word.eq_ignore_ascii_case("SELECT")), &["SELECT"]);
        let declares = is(before.first(), &["CREATE", "DEFINE", "UNDEFINE", "SET", "UNSET", "RUN", "ALTER"]);
        let follows = is(before.last(), &["AS", "->", "PRINT", "TERMINATE", "PAUSE", "RESUME", "EXPLAIN"]);
        let is_variable = line.get(..word.span.start).is_some_and(|text| text.ends_with("${"));
        let qualifies = after.is_some_and(|token| text(token) == ".");
        let name = text(word);
        let is_alias = aliases(line, tokens).iter().any(|alias| alias.eq_ignore_ascii_case(name));
        !((declares && !in_query) || follows || is_variable || qualifies || is_alias || self.knows(name))
    }
}

/// The names that a statement gives to its sources and columns.
fn aliases<'l>(line: &'l str, tokens: &[Token]) -> Vec<&'l str> {
    let words: Vec<&str> =
        tokens.iter().filter(|token| !token.kind.is_trivia()).map(|token| token.span.of(line)).collect();
    let alias = |three: &[&'l str]| match three {
        [before, _, alias] if ["FROM", "JOIN"].iter().any(|word| word.eq_ignore_ascii_case(before)) => Some(*alias),
        [_, before, alias] if before.eq_ignore_ascii_case("AS") => Some(*alias),
        _ => None,
    };
    words.windows(3).filter_map(alias).collect()
}

fn candidate(text: &str, detail: &str) -> Pair {
    let display = if detail.is_empty() { text.to_owned() } else { format!("{text:<CANDIDATE_WIDTH$} {detail}") };
    Pair { display, replacement: text.to_owned() }
}

impl Completer for Editor {
    type Candidate = Pair;

    fn complete(&self, line: &str, position: usize, context: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = line.get(..position).unwrap_or(line);
        if let Some(found) = self.complete_command(before, context) {
            return found;
        }
        // What stands before the last finished statement does not matter.
        let offset =
            split_statements(before).iter().rfind(|piece| piece.is_complete).map_or(0, |piece| piece.span.end + 1);
        let statement = before.get(offset..).unwrap_or_default();
        let (start, found) = complete(statement, &self.names.borrow());
        let pairs = found.iter().map(|completion| candidate(&completion.text, &completion.detail)).collect();
        Ok((offset + start, pairs))
    }
}

/// What is shown in grey behind what was typed.
pub(crate) struct Suggestion {
    text: String,
    /// Whether the right arrow takes it.
    is_taken: bool,
}

impl Hint for Suggestion {
    fn display(&self) -> &str {
        &self.text
    }

    fn completion(&self) -> Option<&str> {
        self.is_taken.then_some(self.text.as_str())
    }
}

impl Hinter for Editor {
    type Hint = Suggestion;

    fn hint(&self, line: &str, position: usize, context: &Context<'_>) -> Option<Suggestion> {
        let note = |text: &str| Some(Suggestion { text: text.to_owned(), is_taken: false });
        if line.is_empty() {
            return if self.is_first { note(TIP) } else { None };
        }
        if line.ends_with('\n') {
            // The line before goes on here.
            let open = tokenize(line).into_iter().rev().find(|token| !token.kind.is_trivia());
            return match open.map(|token| (token.kind, token.span.of(line))) {
                Some((TokenKind::Unterminated, text)) if text.starts_with("/*") => note("… until the comment ends: */"),
                Some((TokenKind::Unterminated, _)) => note("… until the quote is closed"),
                _ => note("… until ;"),
            };
        }
        let text = self.hinter.hint(line, position, context)?;
        Some(Suggestion { text: text.lines().next().unwrap_or_default().to_owned(), is_taken: true })
    }
}

impl Highlighter for Editor {
    fn highlight<'l>(&self, line: &'l str, position: usize) -> Cow<'l, str> {
        if !self.color {
            return Cow::Borrowed(line);
        }
        let tokens = tokenize(line);
        let pair = matching_brackets(line, &tokens, position);
        let is_statement = !is_command(line);
        let mut out = String::with_capacity(line.len() * 2);
        for (at, token) in tokens.iter().enumerate() {
            let text = token.span.of(line);
            let is_last = at + 1 == tokens.len();
            let role = match token.kind {
                TokenKind::Word if is_keyword(text) => Some(Role::Keyword),
                // A word that is being typed is not wrong yet.
                TokenKind::Word if !is_last && is_statement && self.is_unknown(line, &tokens, at) => {
                    Some(Role::Unknown)
                }
                TokenKind::String => Some(Role::Text),
                TokenKind::Integer | TokenKind::Decimal | TokenKind::Float => Some(Role::Number),
                TokenKind::Comment => Some(Role::Comment),
                TokenKind::Unterminated => Some(Role::Text),
                TokenKind::Unknown => Some(Role::Error),
                _ if pair.is_some_and(|pair| pair.contains(&at)) => Some(Role::Bracket),
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

//! Errors as data: whoever shows them renders them.

use std::fmt::{self, Write};

use crate::Span;

/// A place in the statement and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What, in a few words; may be empty.
    pub text: String,
}

/// What is wrong with a statement.
///
/// The message starts lower-case, names the object and its kind, and says what was expected and found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable code, such as `E0203`.
    pub code: &'static str,
    /// One line without a full stop.
    pub message: String,
    /// The places concerned; the first is the main one.
    pub labels: Vec<Label>,
    /// Facts that help to understand.
    pub notes: Vec<String>,
    /// What to do, as an imperative sentence.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic without a place.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), labels: Vec::new(), notes: Vec::new(), help: None }
    }

    /// Points at a place.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Suggests the name that was probably meant, if there is one.
    #[must_use]
    pub fn suggest(self, written: &str, candidates: &[String]) -> Self {
        match crate::closest(written, candidates.iter().map(String::as_str)) {
            Some(name) => self.help(format!("did you mean \"{name}\"?")),
            None => self,
        }
    }

    /// The diagnostic with the lines of the source it speaks of, as compilers print it.
    #[must_use]
    pub fn render(&self, source: &str) -> String {
        self.render_at(source, 0, |line, column| format!("line {line}, column {column}"))
    }

    /// The same for a statement of a script, before which come so many lines, and so many characters of its own
    /// first line.
    #[must_use]
    pub fn render_in(&self, source: &str, script: &str, lines_before: usize, chars_before: usize) -> String {
        self.render_at(source, lines_before, |line, column| {
            let column = if line == lines_before + 1 { column + chars_before } else { column };
            format!("{script}:{line}:{column}")
        })
    }

    fn render_at(&self, source: &str, lines_before: usize, place_name: impl Fn(usize, usize) -> String) -> String {
        let mut out = format!("error[{}]: {}\n", self.code, shown(&self.message));
        let mut places: Vec<Place<'_>> = self.labels.iter().map(|label| Place::of(label, source)).collect();
        places.iter_mut().for_each(|place| place.line += lines_before);
        let width = places.iter().map(|place| place.line.to_string().len()).max().unwrap_or(0);
        for (index, place) in places.iter().enumerate() {
            if index == 0 {
                let _ = writeln!(out, "{:width$}--> {}", "", place_name(place.line, place.column));
                let _ = writeln!(out, "{:width$} |", "");
            }
            let _ = writeln!(out, "{:width$} | {}", place.line, place.text);
            let carets = "^".repeat(place.length);
            let _ = writeln!(out, "{:width$} | {}{carets} {}", "", place.indent, place.label);
        }
        for note in &self.notes {
            let _ = writeln!(out, "{:width$} = note: {note}", "");
        }
        if let Some(help) = &self.help {
            let _ = writeln!(out, "{:width$} = help: {help}", "");
        }
        out.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }
}

/// So much of a line is shown before and behind the start of what is marked.
const LINE_CHARS_MAX: usize = 120;
/// So much of a message is shown: it may name what was written, and that may be megabytes.
const TEXT_CHARS_MAX: usize = 1_000;

/// The text, or its two ends if it is very long, without what a terminal would obey.
fn shown(text: &str) -> String {
    let visible = |c: char| if c.is_control() && !matches!(c, '\t' | '\n') { char::REPLACEMENT_CHARACTER } else { c };
    let half = TEXT_CHARS_MAX / 2;
    let Some((middle, _)) = text.char_indices().nth(half) else { return text.chars().map(visible).collect() };
    let tail_start = text.char_indices().rev().nth(half - 1).map_or(middle, |(at, _)| at);
    let (head, tail) = text.split_at(middle);
    let between = if tail_start > middle { "…" } else { "" };
    let tail = if tail_start > middle { text.get(tail_start..).unwrap_or_default() } else { tail };
    head.chars().chain(between.chars()).chain(tail.chars()).map(visible).collect()
}

struct Place<'a> {
    line: usize,
    column: usize,
    text: String,
    indent: String,
    length: usize,
    label: &'a str,
}

impl<'a> Place<'a> {
    fn of(label: &'a Label, source: &'a str) -> Self {
        let start = (0..=label.span.start.min(source.len())).rev().find(|&at| source.is_char_boundary(at)).unwrap_or(0);
        let before = source.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let text = source.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
        let lead = source.get(line_start..start).unwrap_or_default();
        let marked = source.get(start..label.span.end.min(line_start + text.len())).unwrap_or_default();
        let (line, column) = (before.matches('\n').count() + 1, lead.chars().count() + 1);
        // Of a long line the part around the place.
        let skipped = lead.char_indices().rev().nth(LINE_CHARS_MAX - 1).map_or(0, |(at, _)| at);
        let lead = lead.get(skipped..).unwrap_or_default();
        let tail = text.get(skipped + lead.len()..).unwrap_or_default();
        let tail_end = tail.char_indices().nth(LINE_CHARS_MAX).map_or(tail.len(), |(at, _)| at);
        let (before, behind) = (if skipped > 0 { "…" } else { "" }, if tail_end < tail.len() { "…" } else { "" });
        let blank = |c: char| if c == '\t' { '\t' } else { ' ' };
        Self {
            line,
            column,
            text: shown(&format!("{before}{lead}{}{behind}", tail.get(..tail_end).unwrap_or_default())),
            indent: before.chars().map(|_| ' ').chain(lead.chars().map(blank)).collect(),
            length: marked.chars().take(LINE_CHARS_MAX).count().max(1),
            label: &label.text,
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        for note in &self.notes {
            write!(f, "\nnote: {note}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\nhelp: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_shows_the_line_with_a_caret() {
        let source = "SELECT count(*) FROM orders\nGROUP BY custmer_id";
        let names = ["ORDER_ID".to_owned(), "CUSTOMER_ID".to_owned()];
        let diagnostic = Diagnostic::new("E0203", "column \"CUSTMER_ID\" does not exist in stream \"ORDERS\"")
            .at(Span::new(37, 47), "not found")
            .suggest("CUSTMER_ID", &names);
        let expected = "\
error[E0203]: column \"CUSTMER_ID\" does not exist in stream \"ORDERS\"
 --> line 2, column 10
  |
2 | GROUP BY custmer_id
  |          ^^^^^^^^^^ not found
  = help: did you mean \"CUSTOMER_ID\"?";
        assert_eq!(diagnostic.render(source), expected);
    }

    #[test]
    fn a_span_beyond_the_source_is_no_panic() {
        let _ = Diagnostic::new("E0101", "x").at(Span::new(90, 99), "y").render("é");
        let _ = Diagnostic::new("E0101", "x").at(Span::new(1, 1), "y").render("é");
    }
}

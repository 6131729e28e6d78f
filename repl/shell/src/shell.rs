//! Statements and commands, one after the other.

mod changelog;
mod controls;
mod keyboard;
mod pager;
mod perform;
mod showing;
mod sink;
mod status;
mod stream;
mod waiting;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use millstream_sql::ast::Show;
use millstream_sql::{Diagnostic, Statement, Value, parse_statement, substitute};

use crate::commands::{Command, ended_by_go, find};
use crate::render::{Frame, Renderer};
use crate::style::Role;
use crate::{Exit, Failure, Format, Outcome, Session, Table};
use pager::{Paged, Pager};
use sink::Files;

/// How the shell behaves.
#[derive(Debug, Clone)]
pub struct ShellOptions {
    /// The form of results.
    pub format: Format,
    /// Whether results may have colours.
    pub color: bool,
    /// Whether messages may have colours.
    pub color_errors: bool,
    /// Whether the terminal knows more than ASCII.
    pub unicode: bool,
    /// Whether somebody sits before it: then acknowledgements, footers and progress are written.
    pub is_terminal: bool,
    /// The greatest number of rows of a result.
    pub limit: Option<usize>,
    /// How long a statement may take.
    pub timeout: Option<Duration>,
    /// A result that goes on ends once nothing has come for so long.
    pub until_idle: Option<Duration>,
    /// Set by the interrupt key, taken by what it interrupts.
    pub interrupted: Arc<AtomicBool>,
}

/// When a row is shown with a line a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expanded {
    Off,
    On,
    /// When it is wider than the terminal.
    Auto,
}

/// What is shown of a push query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    Tail,
    Changelog,
}

impl View {
    fn name(self) -> &'static str {
        match self {
            Self::Tail => "tail: rows as they come",
            Self::Changelog => "changelog: what each row does",
        }
    }
}

/// A session and what the user has chosen.
pub struct Shell<'a> {
    pub(crate) session: Box<dyn Session + 'a>,
    pub(crate) options: ShellOptions,
    pub(crate) variables: BTreeMap<String, String>,
    timing: bool,
    expanded: Expanded,
    view: View,
    files: Files,
    pager: Pager,
    /// The last result and the last statement, to be shown or run again.
    last: Option<Table>,
    last_statement: Option<String>,
    pub(crate) history: Vec<String>,
    /// What was typed for the next prompt while a query had the keyboard.
    pub(crate) typed: String,
    /// Whether the keys of push queries were told.
    has_hinted: bool,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Done,
    Failed(Exit),
    Leave,
}

/// Where a statement stands in a script.
#[derive(Debug, Clone, Copy)]
struct Origin<'o> {
    /// The script's name.
    name: &'o str,
    /// How many lines of it come before the statement, and how many characters of its first line.
    lines_before: usize,
    chars_before: usize,
}

/// Scripts that run scripts may nest this deep.
const SCRIPT_DEPTH_MAX: usize = 16;
/// How often a waiting result looks for the interrupt key.
const POLL: Duration = Duration::from_millis(50);

impl<'a> Shell<'a> {
    /// A shell over a session.
    #[must_use]
    pub fn new(session: Box<dyn Session + 'a>, options: ShellOptions) -> Self {
        Self {
            session,
            options,
            variables: BTreeMap::new(),
            timing: false,
            expanded: Expanded::Off,
            view: View::Tail,
            files: Files::default(),
            pager: Pager::of_environment(),
            last: None,
            last_statement: None,
            history: Vec::new(),
            typed: String::new(),
            has_hinted: false,
        }
    }

    /// Defines a variable.
    pub fn define(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Runs one command or statement that somebody typed.
    pub(crate) fn run(&mut self, text: &str, out: &mut dyn Write) -> io::Result<Step> {
        self.run_at(text, 0, None, out)
    }

    fn run_at(
        &mut self,
        text: &str,
        depth: usize,
        origin: Option<Origin<'_>>,
        out: &mut dyn Write,
    ) -> io::Result<Step> {
        // A script's statements come through here themselves: their results must not reach the files twice.
        let runs_others = |command| matches!(command, Command::RunScript | Command::Demo);
        if find(text).is_some_and(|(known, _)| runs_others(known.command)) {
            return Ok(self.command(text, depth, out)?.unwrap_or(Step::Done));
        }
        if let Some((statement, go)) = ended_by_go(text) {
            self.last_statement = Some(statement.to_owned());
            return self.run_at(go, depth, origin, out);
        }
        let mut sink = self.files.over(out);
        match self.command(text, depth, &mut sink)? {
            Some(step) => Ok(step),
            None => {
                self.last_statement = Some(text.to_owned());
                self.statement_from(text, depth, origin, &mut sink)
            }
        }
    }

    fn statement_at(&mut self, text: &str, depth: usize, out: &mut dyn Write) -> io::Result<Step> {
        self.statement_from(text, depth, None, out)
    }

    /// Runs one statement and writes what it gives.
    fn statement_from(
        &mut self,
        text: &str,
        depth: usize,
        origin: Option<Origin<'_>>,
        out: &mut dyn Write,
    ) -> io::Result<Step> {
        if self.options.is_terminal {
            // An interrupt that came while the user was typing was meant for the line.
            self.options.interrupted.store(false, Ordering::Release);
        } else if self.options.interrupted.load(Ordering::Acquire) {
            return Ok(Step::Failed(Exit::Interrupted));
        }
        let variables = &self.variables;
        let text = match substitute(text, |name| variables.get(name).cloned()) {
            Ok(text) => text,
            Err(diagnostic) => return self.refuse(&diagnostic, text, origin),
        };
        match parse_statement(&text) {
            Ok(Statement::Define { name, value }) => {
                if self.options.is_terminal {
                    self.report(&format!("variable {name} is '{value}'"))?;
                }
                self.variables.insert(name, value);
                return Ok(Step::Done);
            }
            Ok(Statement::Undefine { name }) => {
                self.variables.remove(&name);
                return Ok(Step::Done);
            }
            Ok(Statement::RunScript { path }) => return self.run_file(&path, depth + 1, out),
            Ok(Statement::Show(Show::Variables)) => {
                let text = |text: &String| Value::String(text.clone());
                let rows = self.variables.iter().map(|(name, value)| vec![text(name), text(value)]).collect();
                let columns = ["name", "value"].map(|name| (name.to_owned(), "STRING".to_owned())).to_vec();
                return self.table(Table { columns, rows }, Instant::now(), out);
            }
            _ => {}
        }
        let started = Instant::now();
        match self.session.execute(&text) {
            Ok(Outcome::Message(message)) => {
                let plan = text.trim_start().to_ascii_uppercase().starts_with("EXPLAIN");
                if plan {
                    writeln!(out, "{}", message.trim_end())?;
                } else if self.options.is_terminal {
                    self.report(&message)?;
                }
                self.footer(None, &[], started)?;
                Ok(Step::Done)
            }
            Ok(Outcome::Table(mut table)) => {
                table.rows.truncate(self.options.limit.unwrap_or(usize::MAX));
                self.table(table, started, out)
            }
            Ok(Outcome::Stream(rows)) => self.stream(rows, started, out),
            Err(Failure::Statement(diagnostic)) => self.refuse(&diagnostic, text.trim(), origin),
            Err(Failure::Other(reason)) => {
                self.report_error(&reason)?;
                self.report_origin(origin)?;
                Ok(Step::Failed(Exit::Failed))
            }
        }
    }

    /// Writes a whole result and keeps it to be shown again.
    fn table(&mut self, table: Table, started: Instant, out: &mut dyn Write) -> io::Result<Step> {
        let mut renderer = self.renderer(&table.columns, false);
        let mut screen = self.paged(out);
        if !table.rows.is_empty() {
            renderer.rows(&table.rows, &mut screen)?;
        }
        renderer.end(&mut screen)?;
        self.leave(screen)?;
        self.footer(Some(table.rows.len()), &[], started)?;
        self.last = Some(table);
        Ok(Step::Done)
    }

    /// The screen for a result that ends, which the pager takes over when it gets too high.
    fn paged<'w>(&self, out: &'w mut dyn Write) -> Paged<'w> {
        let size = if self.options.is_terminal { terminal_size::terminal_size() } else { None };
        match (&self.pager.command, size) {
            (Some(command), Some((width, height))) if !self.files.is_redirected() => {
                let size = (usize::from(width.0), usize::from(height.0));
                Paged::new(out, command.clone(), size, self.files.spool_file())
            }
            _ => Paged::through(out),
        }
    }

    /// Ends the output of a result.
    fn leave(&self, screen: Paged<'_>) -> io::Result<()> {
        match screen.end()? {
            Some(reason) => self.report_error(&reason),
            None => Ok(()),
        }
    }

    fn renderer(&self, columns: &[(String, String)], is_endless: bool) -> Renderer {
        let size = if self.options.is_terminal { terminal_size::terminal_size() } else { None };
        let frame = Frame {
            color: self.options.color,
            unicode: self.options.unicode,
            width: size.map(|(terminal_size::Width(width), _)| usize::from(width)),
            // Of a result that ends one header is enough.
            height: size.filter(|_| is_endless).map(|(_, terminal_size::Height(height))| usize::from(height)),
            vertical_if_wide: self.expanded == Expanded::Auto,
        };
        let format = if self.expanded == Expanded::On { Format::Vertical } else { self.options.format };
        Renderer::new(format, columns, frame)
    }

    fn footer(&self, rows: Option<usize>, notes: &[String], started: Instant) -> io::Result<()> {
        if !self.options.is_terminal {
            return Ok(());
        }
        let mut parts = Vec::new();
        if let Some(rows) = rows {
            parts.push(format!("{rows} {}", if rows == 1 { "row" } else { "rows" }));
        }
        parts.extend_from_slice(notes);
        if self.timing || rows.is_some() {
            parts.push(format!("{:.3} s", started.elapsed().as_secs_f64()));
        }
        if parts.is_empty() {
            return Ok(());
        }
        self.report(&Role::Dim.paint(&format!("({})", parts.join(", ")), self.options.color_errors))
    }

    pub(crate) fn report(&self, message: &str) -> io::Result<()> {
        writeln!(io::stderr().lock(), "{message}")
    }

    /// Reports an error that has no place in a statement.
    fn report_error(&self, reason: &str) -> io::Result<()> {
        self.report(&format!("{}: {reason}", Role::Error.paint("error", self.options.color_errors)))
    }

    /// Reports what is wrong with a statement, at its place in the script if it is from one.
    fn refuse(&self, diagnostic: &Diagnostic, text: &str, origin: Option<Origin<'_>>) -> io::Result<Step> {
        let rendered = match origin {
            Some(Origin { name, lines_before, chars_before }) => {
                diagnostic.render_in(text, name, lines_before, chars_before)
            }
            None => diagnostic.render(text),
        };
        let (head, rest) = rendered.split_once(": ").unwrap_or((&rendered, ""));
        self.report(&format!("{}: {rest}", Role::Error.paint(head, self.options.color_errors)))?;
        if diagnostic.labels.is_empty() {
            self.report_origin(origin)?;
        }
        Ok(Step::Failed(Exit::Failed))
    }

    fn report_origin(&self, origin: Option<Origin<'_>>) -> io::Result<()> {
        match origin {
            Some(Origin { name, lines_before, .. }) => self.report(&format!("  in {name}:{}", lines_before + 1)),
            None => Ok(()),
        }
    }

    fn run_file(&mut self, path: &str, depth: usize, out: &mut dyn Write) -> io::Result<Step> {
        let outcome = if depth > SCRIPT_DEPTH_MAX {
            Err(format!("scripts run each other more than {SCRIPT_DEPTH_MAX} deep: {path}"))
        } else {
            std::fs::read_to_string(path).map_err(|error| format!("cannot read script {path}: {error}"))
        };
        match outcome {
            Ok(text) => self.script(&text, path, depth, out),
            Err(reason) => {
                self.report_error(&reason)?;
                Ok(Step::Failed(Exit::Failed))
            }
        }
    }

    /// Runs statements until one fails.
    fn script(&mut self, text: &str, name: &str, depth: usize, out: &mut dyn Write) -> io::Result<Step> {
        for piece in millstream_sql::split_statements(text) {
            let step = self.piece(&piece, text, name, 0, depth, out)?;
            if step != Step::Done {
                return Ok(step);
            }
        }
        Ok(Step::Done)
    }

    /// Runs a piece of a script; `lines_before` come before the text that it is a piece of.
    pub(crate) fn piece(
        &mut self,
        piece: &millstream_sql::Piece<'_>,
        text: &str,
        name: &str,
        lines_before: usize,
        depth: usize,
        out: &mut dyn Write,
    ) -> io::Result<Step> {
        let before = text.get(..piece.span.start).unwrap_or_default();
        let chars_before = before.rsplit('\n').next().unwrap_or_default().chars().count();
        let lines_before = lines_before + before.matches('\n').count();
        // What stands on the command line is no place to look at.
        let origin = (name != "-e").then_some(Origin { name, lines_before, chars_before });
        self.run_at(piece.text, depth, origin, out)
    }
}

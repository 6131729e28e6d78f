//! Statements and commands, one after the other.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use millstream_sql::{Statement, parse_statement, substitute};

use crate::help::{DEMO, help};
use crate::render::Renderer;
use crate::style::Role;
use crate::{Event, Exit, Format, Outcome, RowSource, Session};

/// How the shell behaves.
#[derive(Debug, Clone)]
pub struct ShellOptions {
    /// The form of results.
    pub format: Format,
    /// Whether results may have colours.
    pub color: bool,
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

/// A session and what the user has chosen.
pub struct Shell<'a> {
    pub(crate) session: Box<dyn Session + 'a>,
    pub(crate) options: ShellOptions,
    pub(crate) variables: BTreeMap<String, String>,
    timing: bool,
    pub(crate) history: Vec<String>,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Done,
    Failed(Exit),
    Leave,
}

/// Scripts that run scripts may nest this deep.
const SCRIPT_DEPTH_MAX: usize = 16;
/// How often a waiting result looks for the interrupt key.
const POLL: Duration = Duration::from_millis(50);

impl<'a> Shell<'a> {
    /// A shell over a session.
    #[must_use]
    pub fn new(session: Box<dyn Session + 'a>, options: ShellOptions) -> Self {
        Self { session, options, variables: BTreeMap::new(), timing: false, history: Vec::new() }
    }

    /// Defines a variable.
    pub fn define(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Runs a command of the shell if the line is one.
    pub(crate) fn command(&mut self, line: &str, out: &mut dyn Write) -> io::Result<Option<Step>> {
        let line = line.trim().trim_end_matches(';').trim();
        let (word, rest) = line.split_once(char::is_whitespace).map_or((line, ""), |(word, rest)| (word, rest.trim()));
        let text = match word.to_ascii_lowercase().as_str() {
            "help" | "\\help" | "\\h" | "\\?" => help(rest),
            "exit" | "quit" | "\\q" => return Ok(Some(Step::Leave)),
            "version" => format!("millstream {}", env!("CARGO_PKG_VERSION")),
            "server" => "the engine runs in this process".to_owned(),
            "clear" => "\x1b[2J\x1b[H".to_owned(),
            "history" => self.history.join("\n"),
            "output" | "\\output" => self.set_output(rest),
            "\\x" => self.set_output("vertical"),
            "\\timing" => {
                self.timing = !self.timing;
                format!("timing is {}", if self.timing { "on" } else { "off" })
            }
            "\\topics" => return self.statement("SHOW TOPICS", out).map(Some),
            "\\queries" | "\\lag" => return self.statement("SHOW QUERIES", out).map(Some),
            "\\d" if rest.is_empty() => {
                self.statement("SHOW STREAMS", out)?;
                return self.statement("SHOW TABLES", out).map(Some);
            }
            "\\d" => return self.statement(&format!("DESCRIBE {rest} EXTENDED"), out).map(Some),
            "\\demo" => return self.script(DEMO, "\\demo", 0, out).map(Some),
            "request" if rest.to_ascii_lowercase().starts_with("pipelining") => {
                "statements run one after the other".to_owned()
            }
            "set" if rest.to_ascii_lowercase().starts_with("cli") => "tables are as wide as their values".to_owned(),
            command if command.starts_with('\\') => {
                self.report(&format!("error: command {command} is not known\nhelp: type help"))?;
                return Ok(Some(Step::Failed(Exit::Failed)));
            }
            _ => return Ok(None),
        };
        writeln!(out, "{text}")?;
        Ok(Some(Step::Done))
    }

    fn set_output(&mut self, name: &str) -> String {
        match Format::parse(name) {
            Some(format) => {
                self.options.format = format;
                format!("output is {}", name.to_lowercase())
            }
            None => format!("error: output \"{name}\" is not known\nhelp: it is one of {}", Format::names()),
        }
    }

    /// Runs one statement and writes what it gives.
    pub(crate) fn statement(&mut self, text: &str, out: &mut dyn Write) -> io::Result<Step> {
        self.statement_at(text, 0, out)
    }

    fn statement_at(&mut self, text: &str, depth: usize, out: &mut dyn Write) -> io::Result<Step> {
        if self.options.is_terminal {
            // An interrupt that came while the user was typing was meant for the line.
            self.options.interrupted.store(false, Ordering::Release);
        } else if self.options.interrupted.load(Ordering::Acquire) {
            return Ok(Step::Failed(Exit::Interrupted));
        }
        let variables = &self.variables;
        let text = match substitute(text, |name| variables.get(name).cloned()) {
            Ok(text) => text,
            Err(diagnostic) => return self.refuse(&diagnostic.render(text)),
        };
        match parse_statement(&text) {
            Ok(Statement::Define { name, value }) => {
                self.variables.insert(name, value);
                return Ok(Step::Done);
            }
            Ok(Statement::Undefine { name }) => {
                self.variables.remove(&name);
                return Ok(Step::Done);
            }
            Ok(Statement::RunScript { path }) => return self.run_file(&path, depth + 1, out),
            _ => {}
        }
        let started = Instant::now();
        match self.session.execute(&text) {
            Ok(Outcome::Message(message)) => {
                let plan = text.trim_start().to_ascii_uppercase().starts_with("EXPLAIN");
                if plan {
                    writeln!(out, "{message}")?;
                } else if self.options.is_terminal {
                    self.report(&message)?;
                }
                self.footer(None, started)?;
                Ok(Step::Done)
            }
            Ok(Outcome::Table(mut table)) => {
                table.rows.truncate(self.options.limit.unwrap_or(usize::MAX));
                let mut renderer = self.renderer(&table.columns);
                if !table.rows.is_empty() {
                    renderer.rows(&table.rows, out)?;
                }
                renderer.end(out)?;
                self.footer(Some(table.rows.len()), started)?;
                Ok(Step::Done)
            }
            Ok(Outcome::Stream(mut rows)) => self.stream(&mut *rows, started, out),
            Err(failure) => self.refuse(&failure.text),
        }
    }

    fn renderer(&self, columns: &[(String, String)]) -> Renderer {
        let width = if self.options.is_terminal { terminal_size::terminal_size() } else { None };
        let width = width.map(|(terminal_size::Width(width), _)| usize::from(width));
        Renderer::new(self.options.format, columns, self.options.color, width)
    }

    /// Writes rows as they come until the result ends, is interrupted or one of the limits is reached.
    fn stream(&mut self, rows: &mut dyn RowSource, started: Instant, out: &mut dyn Write) -> io::Result<Step> {
        let mut renderer = self.renderer(rows.columns());
        let mut count = 0;
        let mut last_row = Instant::now();
        let mut catching_up = false;
        let step = loop {
            if self.options.interrupted.swap(false, Ordering::AcqRel) {
                break if self.options.is_terminal { Step::Done } else { Step::Failed(Exit::Interrupted) };
            }
            if self.options.timeout.is_some_and(|timeout| started.elapsed() >= timeout) {
                self.report("error: the statement took longer than --timeout")?;
                break Step::Failed(Exit::Timeout);
            }
            if self.options.until_idle.is_some_and(|idle| last_row.elapsed() >= idle) {
                break Step::Done;
            }
            match rows.next(POLL) {
                Event::Rows(mut batch) => {
                    self.progress(&mut catching_up, 0, 0)?;
                    let left = self.options.limit.map_or(usize::MAX, |limit| limit - count);
                    batch.truncate(left);
                    count += batch.len();
                    last_row = Instant::now();
                    renderer.rows(&batch, out)?;
                    if self.options.limit == Some(count) {
                        break Step::Done;
                    }
                }
                Event::Progress { behind, total } => self.progress(&mut catching_up, behind, total)?,
                Event::Idle => {}
                Event::End => break Step::Done,
                Event::Failed(reason) => {
                    self.report(&format!("error: {reason}"))?;
                    break Step::Failed(Exit::Failed);
                }
            }
        };
        self.progress(&mut catching_up, 0, 0)?;
        renderer.end(out)?;
        self.footer(Some(count), started)?;
        Ok(step)
    }

    /// One line on the terminal while a query reads what was there before it.
    fn progress(&self, shown: &mut bool, behind: i64, total: i64) -> io::Result<()> {
        if !self.options.is_terminal || (!*shown && behind < 10_000) {
            return Ok(());
        }
        let mut error = io::stderr().lock();
        if behind < 10_000 {
            *shown = false;
            return write!(error, "\r\x1b[K");
        }
        *shown = true;
        let percent = 100 - behind.min(total) * 100 / total.max(1);
        write!(error, "\r\x1b[Kcatching up {percent} % · {behind} of {total} records to read")?;
        error.flush()
    }

    fn footer(&self, rows: Option<usize>, started: Instant) -> io::Result<()> {
        if !self.options.is_terminal {
            return Ok(());
        }
        let mut parts = Vec::new();
        if let Some(rows) = rows {
            parts.push(format!("{rows} {}", if rows == 1 { "row" } else { "rows" }));
        }
        if self.timing || rows.is_some() {
            parts.push(format!("{:.3} s", started.elapsed().as_secs_f64()));
        }
        if parts.is_empty() {
            return Ok(());
        }
        self.report(&Role::Dim.paint(&format!("({})", parts.join(", ")), self.options.color))
    }

    pub(crate) fn report(&self, message: &str) -> io::Result<()> {
        writeln!(io::stderr().lock(), "{message}")
    }

    fn refuse(&self, text: &str) -> io::Result<Step> {
        let (head, rest) = text.split_once(": ").unwrap_or((text, ""));
        let head = if rest.is_empty() {
            head.to_owned()
        } else {
            format!("{}: ", Role::Error.paint(head, self.options.color))
        };
        self.report(&format!("{head}{rest}"))?;
        Ok(Step::Failed(Exit::Failed))
    }

    fn run_file(&mut self, path: &str, depth: usize, out: &mut dyn Write) -> io::Result<Step> {
        if depth > SCRIPT_DEPTH_MAX {
            return self.refuse(&format!("error: scripts run each other more than {SCRIPT_DEPTH_MAX} deep: {path}"));
        }
        match std::fs::read_to_string(path) {
            Ok(text) => self.script(&text, path, depth, out),
            Err(error) => self.refuse(&format!("error: cannot read script {path}: {error}")),
        }
    }

    /// Runs statements until one fails.
    pub(crate) fn script(&mut self, text: &str, name: &str, depth: usize, out: &mut dyn Write) -> io::Result<Step> {
        for piece in millstream_sql::split_statements(text) {
            let step = match self.command(piece.text, out)? {
                Some(step) => step,
                None => self.statement_at(piece.text, depth, out)?,
            };
            match step {
                Step::Done => {}
                Step::Leave => return Ok(Step::Leave),
                Step::Failed(exit) => {
                    let before = text.get(..piece.span.start).unwrap_or_default();
                    self.report(&format!("  in {name}, line {}", before.matches('\n').count() + 1))?;
                    return Ok(Step::Failed(exit));
                }
            }
        }
        Ok(Step::Done)
    }
}

//! Results that are higher than the screen.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;

use unicode_width::UnicodeWidthStr;

/// What shows long results if `$PAGER` does not say.
const DEFAULT: &str = "less";
/// How less behaves unless `$LESS` says: it shows colours, cuts long lines, and leaves what it has shown on the screen.
const LESS: &str = "RSX";
/// The exit code of a shell that does not find the program.
const NOT_FOUND: i32 = 127;

/// Whether and by what long results are shown.
#[derive(Debug, Clone)]
pub(crate) struct Pager {
    pub(crate) command: Option<String>,
}

impl Pager {
    /// As `$PAGER` says; without it results are written to the screen.
    pub(crate) fn of_environment() -> Self {
        Self { command: std::env::var("PAGER").ok().filter(|command| !command.trim().is_empty()) }
    }

    pub(crate) fn turn(&mut self, on: bool) {
        self.command = on.then(|| Self::of_environment().command.unwrap_or_else(|| DEFAULT.to_owned()));
    }
}

/// Writes a result to the screen, or through the pager once it is known to be higher.
pub(crate) struct Paged<'w> {
    screen: &'w mut dyn Write,
    state: State,
}

enum State {
    /// As it comes.
    Through,
    Holding(Held),
    Paging(Paging),
}

/// What is held back until it is known whether it fits.
struct Held {
    bytes: Vec<u8>,
    /// Lines of the screen that are used up to here.
    lines: usize,
    counted: usize,
    screen: (usize, usize),
    command: String,
    copy: Option<Arc<File>>,
}

struct Paging {
    child: Child,
    /// None once the reader has had enough.
    input: Option<ChildStdin>,
    /// Gets what the pager gets.
    copy: Option<Arc<File>>,
    command: String,
}

impl<'w> Paged<'w> {
    /// A screen that everything is written to as it comes.
    pub(crate) fn through(screen: &'w mut dyn Write) -> Self {
        Self { screen, state: State::Through }
    }

    /// A screen of so many columns and lines.
    pub(crate) fn new(
        screen: &'w mut dyn Write,
        command: String,
        columns_and_lines: (usize, usize),
        copy: Option<Arc<File>>,
    ) -> Self {
        let held = Held { bytes: Vec::new(), lines: 0, counted: 0, screen: columns_and_lines, command, copy };
        Self { screen, state: State::Holding(held) }
    }

    /// Whether the reader of the pager has had enough.
    pub(crate) fn is_left(&self) -> bool {
        matches!(&self.state, State::Paging(paging) if paging.input.is_none())
    }

    /// Writes what was held back, or waits until the reader leaves the pager; says what went wrong with it.
    pub(crate) fn end(self) -> io::Result<Option<String>> {
        match self.state {
            State::Through => {}
            State::Holding(held) => self.screen.write_all(&held.bytes)?,
            State::Paging(Paging { mut child, input, command, .. }) => {
                drop(input);
                let is_missing = child.wait()?.code() == Some(NOT_FOUND);
                return Ok(is_missing.then(|| {
                    format!("pager \"{command}\" is not found\nhelp: \\pager off shows results without one, \\last the last one again")
                }));
            }
        }
        self.screen.flush()?;
        Ok(None)
    }
}

impl Held {
    /// Whether there is more than the screen shows above the footer and the next prompt.
    fn is_too_high(&mut self) -> bool {
        let (columns, lines_max) = self.screen;
        while let Some(length) = self.bytes.get(self.counted..).and_then(|rest| rest.iter().position(|b| *b == b'\n')) {
            let line = self.bytes.get(self.counted..self.counted + length).unwrap_or_default();
            self.lines += String::from_utf8_lossy(line).width().div_ceil(columns.max(1)).max(1);
            self.counted += length + 1;
        }
        self.lines + 2 > lines_max
    }

    fn start(&self) -> io::Result<Paging> {
        let mut command = Command::new("sh");
        command.args(["-c", &self.command]).stdin(Stdio::piped());
        if std::env::var_os("LESS").is_none() {
            command.env("LESS", LESS);
        }
        let mut child = command.spawn()?;
        let input = child.stdin.take();
        Ok(Paging { child, input, copy: self.copy.clone(), command: self.command.clone() })
    }
}

impl Paging {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(file) = &self.copy {
            (&**file).write_all(bytes)?;
        }
        let Some(input) = &mut self.input else { return Ok(()) };
        match input.write_all(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.input = None;
                Ok(())
            }
            written => written,
        }
    }
}

impl Write for Paged<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.state {
            State::Through => return self.screen.write(bytes),
            State::Paging(paging) => paging.write(bytes)?,
            State::Holding(held) => {
                held.bytes.extend_from_slice(bytes);
                if held.is_too_high() {
                    let mut paging = held.start()?;
                    paging.write(&held.bytes)?;
                    self.state = State::Paging(paging);
                }
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match &self.state {
            State::Through => self.screen.flush(),
            _ => Ok(()),
        }
    }
}

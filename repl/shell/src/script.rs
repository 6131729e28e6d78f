//! Statements that nobody types.

use std::io::{self, BufRead, Write};

use crate::Exit;
use crate::shell::{Shell, Step};

/// Statements and where they are from.
pub enum Script {
    /// A text.
    Text {
        /// For messages: a file's path, or `-e`.
        name: String,
        /// The statements.
        text: String,
    },
    /// Lines that come one by one; a statement runs as soon as it is complete.
    Lines {
        /// For messages.
        name: String,
        /// The lines.
        lines: Box<dyn BufRead>,
    },
}

/// Runs scripts one after the other, up to the first statement that fails unless `keep_going`.
///
/// # Errors
/// If the output cannot be written or lines cannot be read.
pub fn run_scripts(
    shell: &mut Shell<'_>,
    scripts: Vec<Script>,
    keep_going: bool,
    out: &mut dyn Write,
) -> io::Result<Exit> {
    let mut run = Run { shell, keep_going, exit: Exit::Ok };
    for script in scripts {
        let goes_on = match script {
            Script::Text { name, text } => run.text(&text, &name, 0, out)?,
            Script::Lines { name, lines } => run.lines(lines, &name, out)?,
        };
        if !goes_on {
            break;
        }
    }
    Ok(run.exit)
}

struct Run<'r, 's> {
    shell: &'r mut Shell<'s>,
    keep_going: bool,
    exit: Exit,
}

impl Run<'_, '_> {
    /// Runs the statements of a text; false if nothing more is to be run.
    fn text(&mut self, text: &str, name: &str, lines_before: usize, out: &mut dyn Write) -> io::Result<bool> {
        for piece in millstream_sql::split_statements(text) {
            match self.shell.piece(&piece, text, name, lines_before, 0, out)? {
                Step::Done => {}
                Step::Leave => return Ok(false),
                Step::Failed(failed) => {
                    self.exit = failed;
                    if !self.keep_going || failed == Exit::Interrupted {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    /// Runs each statement when the line with its semicolon has come.
    fn lines(&mut self, mut lines: Box<dyn BufRead>, name: &str, out: &mut dyn Write) -> io::Result<bool> {
        let (mut text, mut lines_before) = (String::new(), 0);
        loop {
            let mut line = Vec::new();
            if lines.read_until(b'\n', &mut line)? == 0 {
                return self.text(&text, name, lines_before, out);
            }
            let line = String::from_utf8(line).map_err(|_| {
                let at = lines_before + text.matches('\n').count() + 1;
                let help = "statements are text in UTF-8; `millstream produce` loads data";
                io::Error::new(io::ErrorKind::InvalidData, format!("{name} is not UTF-8 in line {at}\nhelp: {help}"))
            })?;
            text.push_str(&line);
            // Only a semicolon can end a statement, so that a long one is not looked at again with each of its lines.
            let is_open = || millstream_sql::split_statements(&text).last().is_some_and(|piece| !piece.is_complete);
            if !line.contains(';') || is_open() {
                continue;
            }
            if !self.text(&text, name, lines_before, out)? {
                return Ok(false);
            }
            lines_before += text.matches('\n').count();
            text.clear();
        }
    }
}

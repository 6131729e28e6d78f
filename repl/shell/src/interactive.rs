//! The shell on a terminal.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use millstream_sql::split_statements;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor as LineEditor};

use crate::Exit;
use crate::commands::is_command;
use crate::editor::Editor;
use crate::shell::{Shell, Step};

const PROMPT: &str = "millstream> ";

/// Reads and runs statements until the user leaves.
///
/// # Errors
/// If the terminal cannot be used.
pub fn interactive(shell: &mut Shell<'_>) -> io::Result<Exit> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .history_ignore_space(true)
        .history_ignore_dups(true)
        .map_err(io::Error::other)?
        .max_history_size(10_000)
        .map_err(io::Error::other)?
        .build();
    let mut editor = LineEditor::<Editor, FileHistory>::with_config(config).map_err(io::Error::other)?;
    editor.set_helper(Some(Editor::new(shell.options.color)));
    let history = history_file();
    if let Some(path) = &history {
        // A file that cannot be read is a shell without a memory, no reason not to open.
        let _ = editor.load_history(path);
        shell.history.extend(editor.history().iter().cloned());
    }
    shell.report(&format!(
        "Millstream {} over {}. Statements end with ';'. help lists them, \\demo shows some at work, Ctrl-D leaves.",
        env!("CARGO_PKG_VERSION"),
        shell.session.place()
    ))?;
    loop {
        if let Some(helper) = editor.helper_mut() {
            *helper.names.borrow_mut() = shell.session.names();
        }
        let typed = std::mem::take(&mut shell.typed);
        let read = editor.readline_with_initial(PROMPT, (typed.trim_end(), ""));
        if let Some(helper) = editor.helper_mut() {
            helper.is_first = false;
        }
        match read {
            Ok(input) => {
                remember(&mut editor, shell, history.as_deref(), &input);
                if run(shell, &input)? == Step::Leave {
                    break;
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(io::Error::other(error)),
        }
    }
    Ok(Exit::Ok)
}

type Line = LineEditor<Editor, FileHistory>;

/// Keeps what was typed, in the file too, so that nothing is lost with the process.
fn remember(editor: &mut Line, shell: &mut Shell<'_>, file: Option<&Path>, input: &str) {
    if input.trim().is_empty() || input.starts_with(char::is_whitespace) || carries_secret(input) {
        return;
    }
    shell.history.push(input.to_owned());
    let added = editor.add_history_entry(input).unwrap_or(false);
    if let (true, Some(path)) = (added, file) {
        // A shell that cannot remember still works.
        let _ = editor.append_history(path);
    }
}

fn run(shell: &mut Shell<'_>, input: &str) -> io::Result<Step> {
    let mut out = io::stdout();
    if is_command(input) {
        return shell.run(input.trim().trim_end_matches(';'), &mut out);
    }
    for piece in split_statements(input) {
        let step = shell.run(piece.text, &mut out)?;
        if step != Step::Done {
            return Ok(step);
        }
    }
    Ok(Step::Done)
}

/// A line that names a password is not kept.
fn carries_secret(input: &str) -> bool {
    let lower = input.to_ascii_lowercase();
    ["password", "secret", "sasl.jaas"].iter().any(|word| lower.contains(word))
}

/// `$XDG_STATE_HOME/millstream/history`, by default under `~/.local/state`.
fn history_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let dir = state.filter(|dir| dir.is_absolute()).or_else(home)?.join("millstream");
    DirBuilder::new().recursive(true).mode(0o700).create(&dir).ok()?;
    let path = dir.join("history");
    // Made with its mode before anything is written to it: it is for its owner only at every moment.
    OpenOptions::new().create(true).append(true).mode(0o600).open(&path).ok()?;
    Some(path)
}

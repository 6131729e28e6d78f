//! The shell on a terminal.

use std::io;
use std::path::PathBuf;

use millstream_sql::split_statements;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor as LineEditor};

use crate::Exit;
use crate::editor::{Editor, is_command};
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
        // A first start has no history.
        let _ = editor.load_history(path);
    }
    shell.report("Millstream. Statements end with ';'. help lists them, \\demo shows some at work, Ctrl-D leaves.")?;
    loop {
        if let Some(helper) = editor.helper_mut() {
            *helper.names.borrow_mut() = shell.session.names();
        }
        match editor.readline(PROMPT) {
            Ok(input) => {
                if !carries_secret(&input) && !input.trim().is_empty() {
                    editor.add_history_entry(input.as_str()).map_err(io::Error::other)?;
                    shell.history.push(input.clone());
                }
                if run(shell, &input)? == Step::Leave {
                    break;
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(io::Error::other(error)),
        }
    }
    if let Some(path) = &history {
        save_history(&mut editor, path)?;
    }
    Ok(Exit::Ok)
}

fn run(shell: &mut Shell<'_>, input: &str) -> io::Result<Step> {
    let mut out = io::stdout();
    if is_command(input)
        && let Some(step) = shell.command(input, &mut out)?
    {
        return Ok(step);
    }
    for piece in split_statements(input) {
        let step = match shell.command(piece.text, &mut out)? {
            Some(step) => step,
            None => shell.statement(piece.text, &mut out)?,
        };
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
    std::fs::create_dir_all(&dir).ok()?;
    Some(dir.join("history"))
}

fn save_history(editor: &mut LineEditor<Editor, FileHistory>, path: &PathBuf) -> io::Result<()> {
    editor.save_history(path).map_err(io::Error::other)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

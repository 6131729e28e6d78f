//! Statements that nobody types.

use std::io::{self, Write};

use crate::Exit;
use crate::shell::{Shell, Step};

/// A text of statements and where it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// For messages: a file's path, or `-e`.
    pub name: String,
    /// The statements.
    pub text: String,
}

/// Runs scripts one after the other, up to the first statement that fails unless `keep_going`.
///
/// # Errors
/// If the output cannot be written.
pub fn run_scripts(
    shell: &mut Shell<'_>,
    scripts: &[Script],
    keep_going: bool,
    out: &mut dyn Write,
) -> io::Result<Exit> {
    let mut exit = Exit::Ok;
    for script in scripts {
        let pieces = millstream_sql::split_statements(&script.text);
        for piece in pieces {
            let step = match shell.command(piece.text, out)? {
                Some(step) => step,
                None => shell.statement(piece.text, out)?,
            };
            match step {
                Step::Done => {}
                Step::Leave => return Ok(exit),
                Step::Failed(failed) => {
                    exit = failed;
                    if script.name != "-e" {
                        let before = script.text.get(..piece.span.start).unwrap_or_default();
                        shell.report(&format!("  in {}, line {}", script.name, before.matches('\n').count() + 1))?;
                    }
                    if !keep_going || failed == Exit::Interrupted {
                        return Ok(exit);
                    }
                }
            }
        }
    }
    Ok(exit)
}

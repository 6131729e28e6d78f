//! The shell and scripts.

use std::io::{IsTerminal, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use millstream_shell::{Color, Format, Script, Shell, ShellOptions, interactive, run_scripts};

use crate::arguments::{Arguments, ColorChoice};
use crate::embedded::EmbeddedSession;
use crate::failure::{Failure, Result};

/// The exit code of a program that was interrupted.
const INTERRUPTED: i32 = 130;

pub(crate) fn run(arguments: &Arguments) -> Result<u8> {
    let scripts = scripts(arguments)?;
    let options = options(arguments, scripts.is_none())?;
    let is_interactive = options.is_terminal;
    let interrupted = Arc::clone(&options.interrupted);
    let handler = move || {
        // The second one in a row ends the program whatever it does.
        if interrupted.swap(true, Ordering::AcqRel) && !is_interactive {
            std::process::exit(INTERRUPTED);
        }
    };
    ctrlc::set_handler(handler).map_err(|error| Failure::new(format!("cannot catch the interrupt key: {error}")))?;
    let mut shell = Shell::new(Box::new(EmbeddedSession::open(arguments)?), options);
    for variable in &arguments.variable {
        let (name, value) = variable
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("expected NAME=VALUE behind -v, found {variable}")))?;
        shell.define(name, value);
    }
    let exit = match scripts {
        Some(scripts) => {
            let mut out = std::io::stdout().lock();
            let exit = run_scripts(&mut shell, &scripts, arguments.keep_going, &mut out)?;
            out.flush()?;
            exit
        }
        None => interactive(&mut shell)?,
    };
    Ok(exit as u8)
}

/// The scripts to run, `None` for a shell on a terminal.
fn scripts(arguments: &Arguments) -> Result<Option<Vec<Script>>> {
    let mut scripts = Vec::new();
    for path in &arguments.file {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
        scripts.push(Script { name: path.display().to_string(), text });
    }
    scripts.extend(arguments.execute.iter().map(|text| Script { name: "-e".to_owned(), text: text.clone() }));
    if scripts.is_empty() && !std::io::stdin().is_terminal() {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes)?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let position = error.utf8_error().valid_up_to();
            let help = "statements are text in UTF-8; `millstream produce` loads data";
            Failure::new(format!("standard input is not UTF-8 at byte {position}\nhelp: {help}"))
        })?;
        scripts.push(Script { name: "standard input".to_owned(), text });
    }
    Ok(if scripts.is_empty() { None } else { Some(scripts) })
}

fn options(arguments: &Arguments, is_interactive: bool) -> Result<ShellOptions> {
    let stdout_is_terminal = std::io::stdout().is_terminal();
    let format = match &arguments.output {
        Some(name) => Format::parse(name).ok_or_else(|| {
            Failure::usage(format!("output \"{name}\" is not known\nhelp: it is one of {}", Format::names()))
        })?,
        None if stdout_is_terminal => Format::Table,
        None => Format::Ndjson,
    };
    let color = match arguments.color {
        ColorChoice::Auto => Color::Auto,
        ColorChoice::Always => Color::Always,
        ColorChoice::Never => Color::Never,
    };
    let seconds = |name: &str, value: Option<f64>| {
        value
            .map(Duration::try_from_secs_f64)
            .transpose()
            .map_err(|_| Failure::usage(format!("{name} needs a number of seconds")))
    };
    Ok(ShellOptions {
        format,
        color: color.on(stdout_is_terminal),
        is_terminal: is_interactive && stdout_is_terminal,
        limit: arguments.limit,
        timeout: seconds("--timeout", arguments.timeout)?,
        until_idle: seconds("--until-idle", arguments.until_idle)?,
        interrupted: Arc::new(AtomicBool::new(false)),
    })
}

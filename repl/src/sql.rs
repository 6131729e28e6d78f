//! The shell and scripts.

use std::ffi::OsStr;
use std::io::{BufReader, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use millstream_shell::{Color, Format, Script, Shell, ShellOptions, interactive, run_scripts};

use crate::arguments::{Arguments, ColorChoice};
use crate::embedded::EmbeddedSession;
use crate::failure::{Failure, Result};
use crate::kafka::Unasked;

/// The exit code of a program that was interrupted.
const INTERRUPTED: i32 = 130;

pub(crate) fn run(arguments: &Arguments) -> Result<u8> {
    let scripts = scripts(arguments)?;
    let options = options(arguments, scripts.is_none())?;
    let is_interactive = options.is_terminal;
    // Scripts end soon, and several may run at a time.
    let unasked = if scripts.is_none() { Unasked::Offer } else { Unasked::Refrain };
    let interrupted = Arc::clone(&options.interrupted);
    // Only the interrupt key is caught: a program that is asked to end by SIGTERM does, and its log survives that.
    let handler = move || {
        // The second one in a row ends the program whatever it does.
        if interrupted.swap(true, Ordering::AcqRel) && !is_interactive {
            std::process::exit(INTERRUPTED);
        }
    };
    ctrlc::set_handler(handler).map_err(|error| Failure::new(format!("cannot catch the interrupt key: {error}")))?;
    let mut shell = Shell::new(Box::new(EmbeddedSession::open(arguments, unasked)?), options);
    for variable in &arguments.variable {
        let (name, value) = variable
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("expected NAME=VALUE behind -v, found {variable}")))?;
        shell.define(name, value);
    }
    let exit = match scripts {
        Some(scripts) => {
            let mut out = std::io::stdout().lock();
            let exit = run_scripts(&mut shell, scripts, arguments.keep_going, &mut out)?;
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
    let lines =
        || Script::Lines { name: "standard input".to_owned(), lines: Box::new(BufReader::new(std::io::stdin())) };
    for path in &arguments.file {
        if path.as_os_str() == OsStr::new("-") {
            scripts.push(lines());
            continue;
        }
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
        scripts.push(Script::Text { name: path.display().to_string(), text });
    }
    scripts.extend(arguments.execute.iter().map(|text| Script::Text { name: "-e".to_owned(), text: text.clone() }));
    if scripts.is_empty() && !std::io::stdin().is_terminal() {
        scripts.push(lines());
    }
    Ok(if scripts.is_empty() { None } else { Some(scripts) })
}

/// Whether the terminal's encoding knows more than ASCII; where there is no terminal it does not matter.
fn knows_unicode() -> bool {
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(std::env::var_os).find(|value| !value.is_empty());
    let is_utf8 =
        |locale: std::ffi::OsString| locale.to_string_lossy().to_uppercase().replace('-', "").contains("UTF8");
    std::env::var_os("TERM").is_none_or(|term| term != "dumb") && locale.is_none_or(is_utf8)
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
    Ok(ShellOptions {
        format,
        color: color.on(stdout_is_terminal),
        color_errors: color.on(std::io::stderr().is_terminal()),
        unicode: !stdout_is_terminal || knows_unicode(),
        is_terminal: is_interactive && stdout_is_terminal,
        limit: arguments.limit,
        timeout: arguments.timeout,
        until_idle: arguments.until_idle,
        interrupted: Arc::new(AtomicBool::new(false)),
    })
}

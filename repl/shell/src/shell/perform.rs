//! What the shell's own commands do.

use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use millstream_sql::{Value, closest};

use super::{Expanded, POLL, Shell, Step, View};
use crate::commands::{COMMANDS, Command, file_argument, find};
use crate::help::{DEMO, DEMO_SOURCES, Help, help};
use crate::{Exit, Format, Outcome, Table};

/// What is said when there is nothing to run again.
const NOTHING_YET: &str = "there is no statement to run again yet";
/// How often `\watch` asks if it is not told.
const WATCH_SECONDS: f64 = 2.0;

impl Shell<'_> {
    /// Runs a command of the shell if the line is one.
    pub(crate) fn command(&mut self, line: &str, depth: usize, out: &mut dyn Write) -> io::Result<Option<Step>> {
        let Some((known, rest)) = find(line) else {
            return if line.starts_with('\\') { self.unknown_command(line).map(Some) } else { Ok(None) };
        };
        let step = match known.command {
            Command::Statement => return Ok(None),
            Command::Leave => Step::Leave,
            Command::Help => self.show_help(rest, out)?,
            Command::Version => tell(out, &format!("millstream {}", env!("CARGO_PKG_VERSION")))?,
            Command::Server => tell(out, &self.session.place())?,
            Command::History => tell(out, &self.history.join("\n"))?,
            Command::Clear => {
                if self.options.is_terminal {
                    write!(out, "\x1b[2J\x1b[H")?;
                    out.flush()?;
                }
                Step::Done
            }
            Command::Output => self.set_output(rest)?,
            Command::Expanded => self.set_expanded(rest)?,
            Command::View => self.set_view(rest)?,
            Command::Timing => {
                self.timing = !self.timing;
                self.notice(&format!("timing is {}", if self.timing { "on" } else { "off" }))?
            }
            Command::Topics => self.statement_at("SHOW TOPICS", depth, out)?,
            Command::Queries => self.statement_at("SHOW QUERIES", depth, out)?,
            Command::Lag => {
                let table = self.session.lag();
                self.table(table, Instant::now(), out)?
            }
            Command::Tables => self.statement_at("SHOW TABLES", depth, out)?,
            Command::Streams => self.statement_at("SHOW STREAMS", depth, out)?,
            Command::Functions if rest.is_empty() => self.statement_at("SHOW FUNCTIONS", depth, out)?,
            Command::Functions => self.show_help(&format!("FUNCTION {rest}"), out)?,
            Command::Describe => self.describe(rest, depth, out)?,
            Command::Demo => self.demo(rest, depth, out)?,
            Command::Pipelining => self.notice("statements run one after the other")?,
            Command::SetCli => self.notice("tables fit the terminal")?,
            Command::RunScript => self.run_file(file_argument(rest), depth + 1, out)?,
            Command::Spool => {
                let path = (!rest.is_empty() && !rest.eq_ignore_ascii_case("off")).then(|| file_argument(rest));
                let done = self.files.spool(path);
                self.to_file(done, path)?
            }
            Command::Out => {
                let path = (!rest.is_empty()).then(|| file_argument(rest));
                let done = self.files.redirect(path);
                self.to_file(done, path)?
            }
            Command::Last => self.show_last(rest, out)?,
            Command::Go => self.go(rest, depth, out)?,
            Command::GoExpanded => {
                let before = std::mem::replace(&mut self.expanded, Expanded::On);
                let step = self.go(rest, depth, out);
                self.expanded = before;
                step?
            }
            Command::Pager => self.set_pager(rest)?,
            Command::Watch => self.watch(rest, depth, out)?,
        };
        Ok(Some(step))
    }

    fn unknown_command(&self, line: &str) -> io::Result<Step> {
        let word = line.split_whitespace().next().unwrap_or_default().trim_end_matches(';');
        let spellings = COMMANDS.iter().flat_map(|known| known.spellings).copied();
        let help = match closest(word, spellings) {
            Some(close) => format!("did you mean \"{close}\"?"),
            None => "help lists the commands".to_owned(),
        };
        self.fail(&format!("command {word} is not known\nhelp: {help}"))
    }

    fn fail(&self, message: &str) -> io::Result<Step> {
        self.report_error(message)?;
        Ok(Step::Failed(Exit::Failed))
    }

    /// Acknowledges a command: to whoever sits there, never into the data.
    fn notice(&self, text: &str) -> io::Result<Step> {
        if self.options.is_terminal {
            self.report(text)?;
        }
        Ok(Step::Done)
    }

    fn to_file(&self, outcome: io::Result<()>, path: Option<&str>) -> io::Result<Step> {
        match (outcome, path) {
            (Err(error), path) => self.fail(&format!("cannot write {}: {error}", path.unwrap_or_default())),
            (Ok(()), Some(path)) => self.notice(&format!("results go to {path}")),
            (Ok(()), None) => self.notice("results go to the screen"),
        }
    }

    fn show_help(&mut self, about: &str, out: &mut dyn Write) -> io::Result<Step> {
        let about = about.trim();
        let functions: Vec<String> = self.session.names().functions.into_iter().map(|(name, _)| name).collect();
        self.tell_help(help(about, &functions), out)
    }

    fn tell_help(&mut self, help: Help<'_>, out: &mut dyn Write) -> io::Result<Step> {
        match help {
            Help::Text(text) => tell(out, &text),
            Help::Instead(note, found) => {
                writeln!(out, "{note}\n")?;
                self.tell_help(*found, out)
            }
            Help::Function(function) => match self.session.execute(&format!("DESCRIBE FUNCTION {function}")) {
                // As text: a table would cut what is to be read.
                Ok(Outcome::Table(table)) => tell(out, &format!("{function}\n{}", pairs(&table.rows))),
                _ => self.statement_at(&format!("DESCRIBE FUNCTION {function}"), 0, out),
            },
        }
    }

    fn format_named(&self, name: &str) -> io::Result<Option<Format>> {
        let format = Format::parse(name);
        if format.is_none() {
            let help = match closest(name, Format::all()) {
                Some(close) => format!("did you mean \"{close}\"?"),
                None => format!("it is one of {}", Format::names()),
            };
            self.report_error(&format!("output \"{name}\" is not known\nhelp: {help}"))?;
        }
        Ok(format)
    }

    fn set_output(&mut self, name: &str) -> io::Result<Step> {
        if name.is_empty() {
            return self.notice(&format!("output is {}", self.options.format.name()));
        }
        let Some(format) = self.format_named(name)? else { return Ok(Step::Failed(Exit::Failed)) };
        self.options.format = format;
        self.notice(&format!("output is {}", name.to_lowercase()))
    }

    fn set_expanded(&mut self, how: &str) -> io::Result<Step> {
        self.expanded = match how.to_ascii_lowercase().as_str() {
            "" if self.expanded == Expanded::On => Expanded::Off,
            "" | "on" => Expanded::On,
            "off" => Expanded::Off,
            "auto" => Expanded::Auto,
            _ => return self.fail(&format!("expected on, off or auto behind \\x, found \"{how}\"")),
        };
        self.notice(match self.expanded {
            Expanded::On => "a line a column",
            Expanded::Off => "a line a row",
            Expanded::Auto => "a line a column where a row is too wide",
        })
    }

    fn set_view(&mut self, name: &str) -> io::Result<Step> {
        self.view = match name.to_ascii_lowercase().as_str() {
            "tail" => View::Tail,
            "changelog" => View::Changelog,
            _ => return self.fail(&format!("expected tail or changelog behind \\view, found \"{name}\"")),
        };
        self.notice(&format!("push queries show the {}", name.to_ascii_lowercase()))
    }

    fn describe(&mut self, name: &str, depth: usize, out: &mut dyn Write) -> io::Result<Step> {
        if name.is_empty() {
            self.statement_at("SHOW STREAMS", depth, out)?;
            return self.statement_at("SHOW TABLES", depth, out);
        }
        let describe = format!("DESCRIBE {name} EXTENDED");
        let is_drawn = self.options.is_terminal && matches!(self.options.format, Format::Table | Format::Box);
        match self.session.execute(&describe) {
            Ok(Outcome::Table(Table { columns, rows })) if is_drawn => {
                // What is no column is text, which a table would cut.
                let is_property = |row: &Vec<Value>| row.last().is_some_and(|role| role.to_string() == "property");
                let (mut properties, rows): (Vec<_>, _) = rows.into_iter().partition(is_property);
                properties.iter_mut().for_each(|row| row.truncate(2));
                self.table(Table { columns, rows }, Instant::now(), out)?;
                tell(out, &pairs(&properties))?;
            }
            _ => {
                let step = self.statement_at(&describe, depth, out)?;
                if step != Step::Done {
                    return Ok(step);
                }
            }
        }
        self.statement_at(&format!("SELECT * FROM {name} LIMIT 1"), depth, out)
    }

    fn demo(&mut self, rest: &str, depth: usize, out: &mut dyn Write) -> io::Result<Step> {
        let run = !rest.eq_ignore_ascii_case("stop");
        if run {
            let step = self.script(DEMO_SOURCES, "\\demo", depth, out)?;
            if step != Step::Done {
                return Ok(step);
            }
        }
        match self.session.demo(run) {
            Err(reason) => self.fail(&reason),
            Ok(()) if run => tell(out, DEMO.trim_end()),
            Ok(()) => self.notice("nothing more is written to demo_orders"),
        }
    }

    fn show_last(&mut self, format: &str, out: &mut dyn Write) -> io::Result<Step> {
        let Some(table) = self.last.take() else { return self.fail("there is no result yet") };
        let before = self.options.format;
        if !format.is_empty() {
            match self.format_named(format)? {
                Some(format) => self.options.format = format,
                None => {
                    self.last = Some(table);
                    return Ok(Step::Failed(Exit::Failed));
                }
            }
        }
        let shown = self.table(table, Instant::now(), out);
        self.options.format = before;
        shown
    }

    /// Runs the last statement again, into a file if one is named.
    fn go(&mut self, path: &str, depth: usize, out: &mut dyn Write) -> io::Result<Step> {
        let Some(statement) = self.last_statement.clone() else { return self.fail(NOTHING_YET) };
        if path.is_empty() {
            return self.statement_at(&statement, depth, out);
        }
        let path = file_argument(path);
        let mut file = match std::fs::File::create(path) {
            Ok(file) => file,
            Err(error) => return self.fail(&format!("cannot write {path}: {error}")),
        };
        let before = self.pager.command.take();
        let step = self.statement_at(&statement, depth, &mut file);
        self.pager.command = before;
        step
    }

    fn set_pager(&mut self, how: &str) -> io::Result<Step> {
        match how.to_ascii_lowercase().as_str() {
            "" => {}
            "on" => self.pager.turn(true),
            "off" => self.pager.turn(false),
            _ => return self.fail(&format!("expected on or off behind \\pager, found \"{how}\"")),
        }
        self.notice(&match &self.pager.command {
            Some(command) => format!("results higher than the screen are shown by {command}"),
            None => "results are written to the screen, however high".to_owned(),
        })
    }

    fn watch(&mut self, seconds: &str, depth: usize, out: &mut dyn Write) -> io::Result<Step> {
        let seconds = if seconds.is_empty() { Some(WATCH_SECONDS) } else { seconds.parse().ok() };
        let Some(pause) = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) else {
            return self.fail("expected a number of seconds behind \\watch");
        };
        let Some(statement) = self.last_statement.clone() else { return self.fail(NOTHING_YET) };
        // Nobody wants to leave a pager every second.
        let pager = self.pager.command.take();
        let step = self.run_again_and_again(&statement, pause, depth, out);
        self.pager.command = pager;
        step
    }

    fn run_again_and_again(
        &mut self,
        statement: &str,
        pause: Duration,
        depth: usize,
        out: &mut dyn Write,
    ) -> io::Result<Step> {
        loop {
            let step = self.statement_at(statement, depth, out)?;
            let asked = Instant::now();
            while asked.elapsed() < pause && step == Step::Done {
                if self.options.interrupted.swap(false, Ordering::AcqRel) {
                    return Ok(Step::Done);
                }
                std::thread::sleep(POLL.min(pause));
            }
            if step != Step::Done {
                return Ok(step);
            }
        }
    }
}

/// Names and texts, a line a pair.
fn pairs(rows: &[Vec<Value>]) -> String {
    let texts = |row: &Vec<Value>| row.iter().map(Value::to_string).collect::<Vec<_>>();
    let width = rows.iter().filter_map(|row| row.first()).map(|name| name.to_string().chars().count()).max();
    let line = |row: &Vec<Value>| match texts(row).as_slice() {
        [name, text, ..] => format!("  {name:<width$}  {text}", width = width.unwrap_or(0)),
        _ => String::new(),
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn tell(out: &mut dyn Write, text: &str) -> io::Result<Step> {
    writeln!(out, "{text}")?;
    Ok(Step::Done)
}

//! The shell on a terminal: keys go in, and what a user would see on the screen comes out.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::termios::{Termios, tcgetattr};
use rexpect::process::{PtyProcess, WaitStatus};
use tempfile::TempDir;

/// What the shell writes when it waits for a statement.
pub(crate) const PROMPT: &str = "millstream>";

/// Keys, as terminals send them.
pub(crate) const ENTER: &str = "\r";
pub(crate) const TAB: &str = "\t";
pub(crate) const UP: &str = "\x1b[A";
pub(crate) const RIGHT: &str = "\x1b[C";
pub(crate) const CTRL_C: &str = "\x03";
pub(crate) const CTRL_D: &str = "\x04";
pub(crate) const CTRL_R: &str = "\x12";
pub(crate) const CTRL_U: &str = "\x15";
pub(crate) const CTRL_Z: &str = "\x1a";
pub(crate) const ESCAPE: &str = "\x1b";
const CTRL_L: &str = "\x0c";

const ROWS: u16 = 40;
const COLUMNS: u16 = 100;
/// How long anything may take to appear, also in a debug build on a busy machine.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// How often the screen is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How long a user waits after an interrupt before typing on.
const AFTER_INTERRUPT: Duration = Duration::from_millis(500);

/// How often what runs is interrupted until it ends.
const INTERRUPT_EVERY: Duration = Duration::from_millis(300);

/// A user with a data directory and a folder for what the shell remembers.
pub(crate) struct User {
    dir: TempDir,
}

impl User {
    pub(crate) fn new() -> Self {
        Self { dir: TempDir::new().unwrap() }
    }

    /// The folder the shell is started in.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// What `$XDG_STATE_HOME` is.
    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Opens the shell and waits for its first prompt.
    pub(crate) fn shell(&self) -> Terminal {
        self.shell_with(&[], &[])
    }

    /// Opens the shell with arguments and environment variables.
    pub(crate) fn shell_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Terminal {
        let terminal = self.start(args, environment);
        terminal.wait_for_prompt();
        terminal
    }

    /// Starts the program on a terminal and waits for nothing.
    pub(crate) fn start(&self, args: &[&str], environment: &[(&str, &str)]) -> Terminal {
        // Shells have what they start in the background of a script ignore the signal to quit, and that may be these
        // tests. (`env` of GNU.)
        self.start_by("exec env --default-signal=QUIT \"$0\" \"$@\"", args, environment)
    }

    /// Starts the program by a script, for which it is `"$0" "$@"`.
    pub(crate) fn start_by(&self, script: &str, args: &[&str], environment: &[(&str, &str)]) -> Terminal {
        let mut command = Command::new("bash");
        // A new pseudo-terminal has no size, and the library that opens it turns off the echo.
        command.args(["-c", &format!("stty echo rows {ROWS} cols {COLUMNS}; {script}")]);
        command
            .arg(env!("CARGO_BIN_EXE_millstream"))
            .arg("--data")
            .arg(self.data())
            .args(["--listeners", "none"])
            .args(args);
        command.current_dir(self.dir()).env("XDG_STATE_HOME", self.state()).env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR").env_remove("PAGER").envs(environment.iter().copied());
        Terminal::run(command)
    }
}

/// A screen and a keyboard.
pub(crate) struct Terminal {
    process: PtyProcess,
    keyboard: File,
    screen: Arc<Mutex<vt100::Parser>>,
}

impl Terminal {
    fn run(command: Command) -> Self {
        let size = |length| NonZeroU16::new(length).unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(size(ROWS), size(COLUMNS), 0)));
        let mut process = PtyProcess::new(command).unwrap();
        // A shell that is asked to end may hold on to its terminal; when a test is over it is killed.
        process.set_kill_timeout(Some(100));
        let keyboard = process.get_file_handle().unwrap();
        let mut output = process.get_file_handle().unwrap();
        let shown = Arc::clone(&screen);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                shown.lock().unwrap().process(&bytes[..count]);
            }
        });
        Self { process, keyboard, screen }
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
        if keys == CTRL_C {
            // What is typed before an interrupt has come through is thrown away with the line, as terminals do.
            thread::sleep(AFTER_INTERRUPT);
        }
    }

    /// The lines on the screen, without white space behind them and empty ones below them.
    pub(crate) fn text(&self) -> String {
        let text = self.screen.lock().unwrap().screen().contents();
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned()
    }

    /// Whether the program has asked for pasted text to be marked.
    pub(crate) fn marks_pastes(&self) -> bool {
        self.screen.lock().unwrap().screen().bracketed_paste()
    }

    /// Waits until something is so, and returns the screen as it is then.
    pub(crate) fn wait_until(&self, what: &str, is_so: impl Fn(&Self) -> bool) -> String {
        let started = Instant::now();
        while !is_so(self) {
            assert!(started.elapsed() < WAIT_MAX, "expected {what} on the screen:\n{}", self.text());
            thread::sleep(LOOK_EVERY);
        }
        self.text()
    }

    /// Interrupts what runs until the screen shows a text. What is pressed before it runs counts for the line
    /// that was typed, so once may not be enough.
    pub(crate) fn interrupt_until(&mut self, text: &str) -> String {
        let started = Instant::now();
        while !self.text().contains(text) {
            assert!(started.elapsed() < WAIT_MAX, "expected {text:?} on the screen:\n{}", self.text());
            self.press(CTRL_C);
            thread::sleep(INTERRUPT_EVERY);
        }
        self.text()
    }

    /// Waits until the screen shows a text.
    pub(crate) fn wait(&self, text: &str) -> String {
        self.wait_until(&format!("{text:?}"), |terminal| terminal.text().contains(text))
    }

    /// The line that the shell waits in, if nothing is typed in it. What stands behind the cursor is no more
    /// than a hint.
    fn empty_prompt(&self) -> Option<u16> {
        let parser = self.screen.lock().unwrap();
        let (row, column) = parser.screen().cursor_position();
        let line = parser.screen().rows(0, COLUMNS).nth(row.into())?;
        (line.starts_with(PROMPT) && usize::from(column) == PROMPT.len() + 1).then_some(row)
    }

    /// Waits until the shell waits for a statement.
    pub(crate) fn wait_for_prompt(&self) -> String {
        self.wait_until("an empty prompt", |terminal| terminal.empty_prompt().is_some())
    }

    /// Clears the screen, which leaves the empty line that is to be typed in.
    pub(crate) fn clear(&mut self) {
        self.press(CTRL_L);
        self.wait_until("only the prompt", |terminal| {
            terminal.empty_prompt() == Some(0) && terminal.text().lines().count() == 1
        });
    }

    /// Runs a statement or command on a clear screen and returns what is shown below it, up to the next prompt.
    pub(crate) fn enter(&mut self, input: &str) -> String {
        self.clear();
        self.press(input);
        self.press(ENTER);
        let screen = self.wait_until("the next prompt", |terminal| terminal.empty_prompt().is_some_and(|row| row > 0));
        let lines: Vec<&str> = screen.lines().collect();
        lines[input.lines().count()..lines.len() - 1].join("\n")
    }

    /// Whether the character at the start of a text on the screen is shown like this.
    pub(crate) fn is_at(&self, text: &str, look: impl Fn(&vt100::Cell) -> bool) -> bool {
        let parser = self.screen.lock().unwrap();
        let screen = parser.screen();
        let mut rows = screen.rows(0, COLUMNS).enumerate();
        let found = rows.find_map(|(row, line)| line.find(text).map(|at| (row, line[..at].chars().count())));
        let (row, column) = found.unwrap_or_else(|| panic!("expected {text:?} on the screen:\n{}", screen.contents()));
        screen.cell(u16::try_from(row).unwrap(), u16::try_from(column).unwrap()).is_some_and(look)
    }

    /// The mode of the terminal.
    pub(crate) fn mode(&self) -> Termios {
        tcgetattr(&self.keyboard).unwrap()
    }

    /// Sends a signal to the program.
    pub(crate) fn signal(&mut self, signal: rexpect::process::Signal) {
        self.process.signal(signal).unwrap();
    }

    /// Waits for the end of the program and returns its exit code, none if a signal has ended it.
    pub(crate) fn wait_for_end(&mut self) -> Option<i32> {
        let started = Instant::now();
        loop {
            match self.process.status() {
                Some(WaitStatus::Exited(_, code)) => return Some(code),
                Some(WaitStatus::StillAlive) => {}
                _ => return None,
            }
            assert!(started.elapsed() < WAIT_MAX, "the shell goes on:\n{}", self.text());
            thread::sleep(LOOK_EVERY);
        }
    }
}

//! The terminal, which is given back as it was found.

use std::io::{stdin, stdout};
use std::thread;

use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};

/// Sees to it that a program which is asked to end leaves the terminal as it is now. It has to be called before any
/// thread is started: threads inherit that these signals wait for the one that is started here.
pub(crate) fn restore_at_end() {
    let Ok(found) = tcgetattr(stdin()) else { return };
    let signals = [Signal::SIGTERM, Signal::SIGQUIT].into_iter().filter(|signal| !is_ignored(*signal));
    let signals: SigSet = signals.collect();
    if signals.thread_block().is_err() {
        return;
    }
    let wait = move || {
        let Ok(signal) = signals.wait() else { return };
        restore(&found);
        // Now it does what it does without us.
        let _ = signals.thread_unblock();
        let _ = raise(signal);
    };
    if thread::Builder::new().name("terminal".to_owned()).spawn(wait).is_err() {
        // Nobody would take them.
        let _ = signals.thread_unblock();
    }
}

/// Whether who started the program has it ignore the signal, as shells have what they start in the background of a script
/// ignore the signal to quit. Only Linux tells without unsafe code.
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    ignored.is_some_and(|bits| bits >> (signal as i32 - 1) & 1 == 1)
}

fn restore(found: &Termios) {
    // In the background it is somebody else's terminal now.
    if tcgetpgrp(stdin()) == Ok(getpgrp()) {
        let _ = tcsetattr(stdin(), SetArg::TCSANOW, found);
        // A query at the terminal asks for pasted text to be marked. Written past the lock, which nobody may give back.
        let _ = nix::unistd::write(stdout(), b"\x1b[?2004l");
    }
}

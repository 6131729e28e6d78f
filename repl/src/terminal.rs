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
    let signals: SigSet = [Signal::SIGTERM, Signal::SIGQUIT].into_iter().collect();
    if signals.thread_block().is_err() {
        return;
    }
    let wait = move || {
        while let Ok(signal) = signals.wait() {
            let in_use = tcgetattr(stdin());
            restore(&found);
            // Now it does what it does without us.
            let _ = signals.thread_unblock();
            let _ = raise(signal);
            // Who started us has us ignore this one, as `nohup` does with another.
            let _ = signals.thread_block();
            if let (true, Ok(in_use)) = (is_ours(), in_use) {
                let _ = tcsetattr(stdin(), SetArg::TCSANOW, &in_use);
            }
        }
    };
    if thread::Builder::new().name("terminal".to_owned()).spawn(wait).is_err() {
        // Nobody would take them.
        let _ = signals.thread_unblock();
    }
}

/// Whether we are in the foreground; otherwise it is somebody else's terminal now.
fn is_ours() -> bool {
    tcgetpgrp(stdin()) == Ok(getpgrp())
}

fn restore(found: &Termios) {
    if is_ours() {
        let _ = tcsetattr(stdin(), SetArg::TCSANOW, found);
        // A query at the terminal asks for pasted text to be marked. Written past the lock, which nobody may give back.
        let _ = nix::unistd::write(stdout(), b"\x1b[?2004l");
    }
}

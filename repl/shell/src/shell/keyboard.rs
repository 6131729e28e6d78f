//! Single keys of the terminal, which come at once instead of by the line.

use std::io::{self, Write, stdin};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{
    _POSIX_VDISABLE, LocalFlags, SetArg, SpecialCharacterIndices as Special, Termios, tcgetattr, tcsetattr,
};
use nix::unistd::{Pid, read};

/// A key, or what comes like one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    Text(char),
    Enter,
    Backspace,
    /// Ctrl-U, as in every line that is edited.
    ClearLine,
    Escape,
    /// Ctrl-Z.
    Suspend,
    /// What was pasted in one go, which is no key press.
    Paste(String),
    /// One that no program of this kind gives a meaning, such as an arrow.
    Other,
}

const ESCAPE: u8 = 0x1b;
/// Terminals mark a paste if they are asked to.
const MARK_PASTES: &str = "\x1b[?2004h";
const MARK_NO_PASTES: &str = "\x1b[?2004l";
const PASTE_START: &[u8] = b"200~";
const PASTE_END: &[u8] = b"\x1b[201~";
/// What starts like the sequence of a key and does not go on for so long is the escape key.
const SEQUENCE_GAP_MAX: Duration = Duration::from_millis(25);
/// A paste that does not go on for so long is over.
const PASTE_GAP_MAX: Duration = Duration::from_secs(1);
/// How much that was typed before is kept at most.
const TYPED_BYTES_MAX: usize = 64 << 10;
/// A stop reaches this process by any of its threads, at most so much later.
const STOP_WAIT: Duration = Duration::from_millis(50);

/// The terminal's keyboard, from when it is taken until it is dropped: what is typed comes key by key and is not
/// shown. The interrupt key interrupts as ever.
pub(super) struct Keyboard {
    /// The mode in which the terminal was found, and gets back.
    found: Termios,
    /// The start of a key whose rest is on its way. Bytes are read one by one, so that whatever is typed behind the
    /// last key stays in the terminal, for the line editor.
    bytes: Vec<u8>,
    last_byte: Instant,
}

impl Keyboard {
    /// Takes the keyboard, and what was typed before; none if standard input is no terminal.
    pub(super) fn take() -> io::Result<Option<(Self, String)>> {
        let Ok(found) = tcgetattr(stdin()) else { return Ok(None) };
        let keyboard = Self { found, bytes: Vec::new(), last_byte: Instant::now() };
        keyboard.set_mode()?;
        let mut typed = Vec::new();
        while let Some(byte) = keyboard.byte()?.filter(|_| typed.len() < TYPED_BYTES_MAX) {
            typed.push(byte);
        }
        // Only now: a mark within what was typed before would be taken for a part of it.
        write_out(MARK_PASTES)?;
        Ok(Some((keyboard, text(&typed))))
    }

    fn set_mode(&self) -> io::Result<()> {
        let mut mode = self.found.clone();
        mode.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::IEXTEN);
        // A read gives what there is and never waits. Ctrl-Z comes as a key: the mode is to be given back first.
        for (at, value) in [(Special::VMIN, 0), (Special::VTIME, 0), (Special::VSUSP, _POSIX_VDISABLE)] {
            if let Some(character) = mode.control_chars.get_mut(at as usize) {
                *character = value;
            }
        }
        Ok(tcsetattr(stdin(), SetArg::TCSANOW, &mode)?)
    }

    fn leave(&self) -> io::Result<()> {
        tcsetattr(stdin(), SetArg::TCSANOW, &self.found)?;
        write_out(MARK_NO_PASTES)
    }

    /// Stops this process as Ctrl-Z does, with the terminal as it was found, until somebody lets it go on.
    pub(super) fn suspend(&self) -> io::Result<()> {
        self.leave()?;
        kill(Pid::from_raw(0), Signal::SIGTSTP)?;
        std::thread::sleep(STOP_WAIT);
        self.set_mode()?;
        write_out(MARK_PASTES)
    }

    /// The next key, if one was pressed.
    pub(super) fn next(&mut self) -> io::Result<Option<Key>> {
        loop {
            if let Some(key) = self.decoded(false) {
                return Ok(Some(key));
            }
            match self.byte()? {
                Some(byte) => {
                    self.bytes.push(byte);
                    self.last_byte = Instant::now();
                }
                None => {
                    let is_paste = self.bytes.len() > PASTE_START.len() + 1;
                    let gap_max = if is_paste { PASTE_GAP_MAX } else { SEQUENCE_GAP_MAX };
                    let is_all = !self.bytes.is_empty() && self.last_byte.elapsed() >= gap_max;
                    return Ok(if is_all { self.decoded(true) } else { None });
                }
            }
        }
    }

    fn decoded(&mut self, is_all: bool) -> Option<Key> {
        let (key, length) = decode(&self.bytes, is_all)?;
        self.bytes.drain(..length);
        Some(key)
    }

    fn byte(&self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        match read(stdin(), &mut byte) {
            Ok(0) | Err(Errno::EINTR | Errno::EAGAIN) => Ok(None),
            Ok(_) => Ok(byte.first().copied()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = self.leave();
    }
}

fn write_out(sequence: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(sequence.as_bytes())?;
    out.flush()
}

/// What was typed or pasted, as a text that can be edited.
fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// The first key of some bytes and their number; none if more of it is to come. With `is_all` nothing more comes.
fn decode(bytes: &[u8], is_all: bool) -> Option<(Key, usize)> {
    let (first, rest) = bytes.split_first()?;
    let key = match first {
        &ESCAPE => return escape(rest, is_all).map(|(key, length)| (key, length + 1)),
        0x80.. => return character(bytes, is_all),
        b'\r' | b'\n' => Key::Enter,
        0x08 | 0x7f => Key::Backspace,
        0x15 => Key::ClearLine,
        0x1a => Key::Suspend,
        0..b' ' => Key::Other,
        byte => Key::Text(char::from(*byte)),
    };
    Some((key, 1))
}

/// The key that an escape and what follows it stand for, and the number of bytes behind the escape.
fn escape(rest: &[u8], is_all: bool) -> Option<(Key, usize)> {
    let whole = |key: Key| (key, rest.len());
    match rest {
        [] => is_all.then_some((Key::Escape, 0)),
        [b'[', sequence @ ..] => match sequence.strip_prefix(PASTE_START) {
            Some(pasted) => match pasted.strip_suffix(PASTE_END) {
                Some(pasted) => Some(whole(Key::Paste(text(pasted)))),
                None => is_all.then(|| whole(Key::Paste(text(pasted)))),
            },
            None => match sequence.iter().position(|byte| (0x40..=0x7e).contains(byte)) {
                Some(end) => Some((Key::Other, end + 2)),
                None => is_all.then_some(whole(Key::Other)),
            },
        },
        [b'O', _, ..] => Some((Key::Other, 2)),
        [b'O'] => is_all.then_some(whole(Key::Other)),
        _ => Some((Key::Escape, 0)),
    }
}

/// A character of several bytes.
fn character(bytes: &[u8], is_all: bool) -> Option<(Key, usize)> {
    let (valid, broken) = match std::str::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            (std::str::from_utf8(valid).unwrap_or_default(), Some(error))
        }
    };
    match (valid.chars().next(), broken.map(|error| error.error_len())) {
        (Some(first), _) => Some((Key::Text(first), first.len_utf8())),
        (None, Some(None)) if !is_all => None,
        (None, length) => Some((Key::Other, length.flatten().unwrap_or(bytes.len()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys of bytes that come one by one.
    fn keys(bytes: &[u8]) -> Vec<Key> {
        let (mut keys, mut start) = (Vec::new(), Vec::new());
        for byte in bytes {
            start.push(*byte);
            while let Some((key, length)) = decode(&start, false) {
                keys.push(key);
                start.drain(..length);
            }
        }
        while let Some((key, length)) = decode(&start, true) {
            keys.push(key);
            start.drain(..length);
        }
        assert!(start.is_empty(), "{start:?} is left over");
        keys
    }

    #[test]
    fn keys_are_told_apart() {
        assert_eq!(keys(b"q /"), [Key::Text('q'), Key::Text(' '), Key::Text('/')]);
        assert_eq!(keys("é日".as_bytes()), [Key::Text('é'), Key::Text('日')]);
        assert_eq!(keys(b"\r\n\x7f\x08\x15\x1a\x04"), {
            use Key::{Backspace, ClearLine, Enter, Other, Suspend};
            [Enter, Enter, Backspace, Backspace, ClearLine, Suspend, Other]
        });
        for sequence in ["\x1b[A", "\x1b[1;5C", "\x1b[3~", "\x1bOP", "\x1b[", "\x1bO"] {
            assert_eq!(keys(sequence.as_bytes()), [Key::Other], "{sequence:?}");
            if sequence.len() > 2 {
                assert_eq!(keys(format!("{sequence}q").as_bytes()), [Key::Other, Key::Text('q')], "{sequence:?}");
            }
        }
    }

    #[test]
    fn an_escape_that_nothing_follows_is_the_escape_key() {
        assert_eq!(decode(b"\x1b", false), None);
        assert_eq!(keys(b"\x1b"), [Key::Escape]);
        assert_eq!(keys(b"\x1bv"), [Key::Escape, Key::Text('v')]);
        assert_eq!(keys(b"\x1b\x1b[A"), [Key::Escape, Key::Other]);
    }

    #[test]
    fn a_paste_is_one_thing() {
        let pasted = Key::Paste("SHOW STREAMS;\n\u{fffd}".to_owned());
        assert_eq!(keys(b"\x1b[200~SHOW \x07STREAMS;\r\xff\x1b[201~q"), [pasted, Key::Text('q')]);
        assert_eq!(keys(b"\x1b[200~q"), [Key::Paste("q".to_owned())]);
    }

    #[test]
    fn bytes_that_are_no_text_are_no_key() {
        assert_eq!(decode(&[0xe6, 0x97], false), None);
        assert_eq!(keys(&[0xff, b'q']), [Key::Other, Key::Text('q')]);
        assert_eq!(keys(&[0xe6, b'q']), [Key::Other, Key::Text('q')]);
        assert_eq!(keys(&[0xe6, 0x97]), [Key::Other]);
    }
}

//! One line below the results that tells how things are and leaves no trace.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use crate::style::Role;

/// What is supposed if the terminal does not say how wide it is.
const WIDTH: usize = 80;

/// The line where the cursor is, as long as nothing else is written in it.
#[derive(Debug, Default)]
pub(super) struct StatusLine {
    shown: String,
}

impl StatusLine {
    /// Shows a text instead of the one before; of one that is too wide only the end.
    pub(super) fn show(&mut self, text: &str, color: bool) -> io::Result<()> {
        // A line that wraps cannot be written over, and the cursor needs a place.
        let width = terminal_size::terminal_size().map_or(WIDTH, |(width, _)| usize::from(width.0));
        let text = end_of(text, width.saturating_sub(1));
        if text == self.shown {
            return Ok(());
        }
        let mut error = io::stderr().lock();
        write!(error, "\r\x1b[K{}", Role::Dim.paint(text, color))?;
        text.clone_into(&mut self.shown);
        error.flush()
    }

    /// Leaves the line empty.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        if self.shown.is_empty() {
            return Ok(());
        }
        self.shown.clear();
        let mut error = io::stderr().lock();
        write!(error, "\r\x1b[K")?;
        error.flush()
    }
}

/// The end of a text that is so wide at most.
fn end_of(text: &str, width_max: usize) -> &str {
    let mut chars = text.chars();
    // Measured anew each time: a text is not as wide as its characters are together.
    while chars.as_str().width() > width_max && chars.next().is_some() {}
    chars.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_text_that_is_too_wide_the_end_is_shown() {
        assert_eq!(end_of("/milk", 9), "/milk");
        assert_eq!(end_of("/milk", 3), "ilk");
        assert_eq!(end_of("日本", 3), "本");
        assert_eq!(end_of("", 0), "");
        // A control character, and two characters that are wider together than one by one.
        assert_eq!(end_of(&"\t".repeat(90), 80).len(), 80);
        assert_eq!(end_of(&"\u{2764}\u{fe0f}".repeat(80), 80).width(), 80);
    }
}

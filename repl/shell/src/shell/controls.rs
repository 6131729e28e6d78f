//! What the keys do while a push query runs.

use std::io;

use super::keyboard::{Key, Keyboard};
use super::status::StatusLine;

/// What the user wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// No more rows.
    End,
    /// The other view.
    SwitchView,
    /// Only rows that contain a text; all if it is empty.
    Filter(String),
    /// To know the keys.
    Keys,
}

/// The keys of a push query, and what they have changed so far.
pub(super) struct Controls {
    /// None if nobody sits there.
    keyboard: Option<Keyboard>,
    is_paused: bool,
    /// The filter that is being typed.
    prompt: Option<String>,
    /// Whether the keys were told to someone who pressed others.
    told: bool,
    /// What was typed for the next prompt.
    typed: String,
}

impl Controls {
    /// Without keys.
    pub(super) fn none() -> Self {
        Self { keyboard: None, is_paused: false, prompt: None, told: false, typed: String::new() }
    }

    /// With the keys of the terminal, if there is one.
    pub(super) fn take() -> io::Result<Self> {
        Ok(match Keyboard::take()? {
            Some((keyboard, typed)) => Self { keyboard: Some(keyboard), typed, ..Self::none() },
            None => Self::none(),
        })
    }

    /// Whether keys are read, and not shown by the terminal.
    pub(super) fn are_taken(&self) -> bool {
        self.keyboard.is_some()
    }

    /// Gives the keyboard back and returns what was typed for the next prompt.
    pub(super) fn give_back(self) -> String {
        self.typed
    }

    /// What the next key asks for that others have to do; none if no more keys were pressed.
    pub(super) fn next(&mut self, status: &mut StatusLine) -> io::Result<Option<Wish>> {
        while let Some(keyboard) = &mut self.keyboard {
            let Some(key) = keyboard.next()? else { break };
            if key == Key::Suspend {
                status.clear()?;
                keyboard.suspend()?;
            } else if let Some(wish) = self.press(key) {
                return Ok(Some(wish));
            }
        }
        Ok(None)
    }

    fn press(&mut self, key: Key) -> Option<Wish> {
        if let Some(text) = &mut self.prompt {
            match key {
                Key::Text(c) => text.push(c),
                Key::Paste(pasted) => text.push_str(pasted.lines().next().unwrap_or_default()),
                Key::Backspace => _ = text.pop(),
                Key::ClearLine => text.clear(),
                Key::Enter => return self.prompt.take().map(Wish::Filter),
                Key::Escape => self.prompt = None,
                Key::Suspend | Key::Other => {}
            }
            return None;
        }
        match key {
            Key::Text('q') => Some(Wish::End),
            Key::Text('v') => Some(Wish::SwitchView),
            Key::Text('?') => Some(Wish::Keys),
            Key::Text('/') => {
                self.prompt = Some(String::new());
                None
            }
            Key::Text(' ') => {
                self.is_paused = !self.is_paused;
                None
            }
            Key::Paste(pasted) => {
                self.typed.push_str(&pasted);
                None
            }
            // It does nothing, and is no secret.
            _ => (!std::mem::replace(&mut self.told, true)).then_some(Wish::Keys),
        }
    }

    /// What is said while rows have to wait; none if they do not have to.
    pub(super) fn says(&self, waiting: &str) -> Option<String> {
        match &self.prompt {
            Some(text) => Some(format!("/{text}")),
            None => self.is_paused.then(|| format!("paused, {waiting}; Space goes on")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What keys ask for, one after the other.
    fn press(controls: &mut Controls, keys: &str) -> Vec<Wish> {
        let key = |c| match c {
            '\n' => Key::Enter,
            '\x1b' => Key::Escape,
            '\x7f' => Key::Backspace,
            '\x15' => Key::ClearLine,
            '\x04' => Key::Other,
            c => Key::Text(c),
        };
        keys.chars().filter_map(|c| controls.press(key(c))).collect()
    }

    #[test]
    fn space_pauses_and_goes_on() {
        let mut controls = Controls::none();
        assert_eq!(press(&mut controls, " "), []);
        assert_eq!(controls.says("2 rows wait").as_deref(), Some("paused, 2 rows wait; Space goes on"));
        assert_eq!(press(&mut controls, "v?"), [Wish::SwitchView, Wish::Keys]);
        assert_eq!((press(&mut controls, " "), controls.says("")), (vec![], None));
        assert_eq!(press(&mut controls, "q"), [Wish::End]);
    }

    #[test]
    fn a_filter_is_typed_in_a_line_of_its_own() {
        let mut controls = Controls::none();
        assert_eq!(press(&mut controls, "/q v?"), []);
        assert_eq!(controls.says("").as_deref(), Some("/q v?"));
        assert_eq!(press(&mut controls, "\x7f\x04\n"), [Wish::Filter("q v".to_owned())]);
        assert_eq!(controls.says(""), None);
        assert_eq!(press(&mut controls, "/tea\x15\n"), [Wish::Filter(String::new())]);
        assert_eq!(press(&mut controls, "/tea\x1bq"), [Wish::End]);
        press(&mut controls, "/");
        assert_eq!(controls.press(Key::Paste("a b\nc".to_owned())), None);
        assert_eq!(press(&mut controls, "\n"), [Wish::Filter("a b".to_owned())]);
    }

    #[test]
    fn keys_that_mean_nothing_show_those_that_do_once() {
        let mut controls = Controls::none();
        assert_eq!(press(&mut controls, "x\x1by\x04z"), [Wish::Keys]);
        assert_eq!(press(&mut controls, "?"), [Wish::Keys]);
    }

    #[test]
    fn what_is_pasted_waits_for_the_prompt() {
        let mut controls = Controls::none();
        assert_eq!(controls.press(Key::Paste("SELECT q FROM s;".to_owned())), None);
        assert_eq!(controls.give_back(), "SELECT q FROM s;");
    }
}

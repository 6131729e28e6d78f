//! Colours, which never carry meaning alone.

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether to use colours on an output that is a terminal or not.
    #[must_use]
    pub fn on(self, is_terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }
}

/// The roles that text has; the codes are those of the sixteen colours, which every theme defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Keyword,
    Text,
    Number,
    Comment,
    Unknown,
    /// A bracket whose partner is at the cursor.
    Bracket,
    Dim,
    Error,
}

impl Role {
    fn code(self) -> &'static str {
        match self {
            Self::Keyword => "1;34",
            Self::Text => "32",
            Self::Number => "36",
            Self::Comment | Self::Dim => "90",
            Self::Unknown => "4",
            Self::Bracket => "1;33",
            Self::Error => "1;31",
        }
    }

    pub(crate) fn paint(self, text: &str, color: bool) -> String {
        if color { format!("\x1b[{}m{text}\x1b[0m", self.code()) } else { text.to_owned() }
    }
}

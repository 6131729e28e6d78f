//! The shell's own commands: one table that the parser, help and completion read.

use millstream_sql::{TokenKind, tokenize};

/// What a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Leave,
    Version,
    Server,
    Clear,
    History,
    Output,
    Expanded,
    View,
    Timing,
    Topics,
    Queries,
    Lag,
    Describe,
    Demo,
    Spool,
    Out,
    Last,
    Watch,
    Go,
    GoExpanded,
    Pager,
    Tables,
    Streams,
    Functions,
    RunScript,
    /// Accepted for those who come from ksqlDB's shell; there is nothing to choose.
    Pipelining,
    SetCli,
    /// A statement that needs no semicolon here.
    Statement,
}

/// What completes a command's argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Argument {
    None,
    Words(&'static [&'static str]),
    Source,
    Function,
    Format,
    HelpTopic,
    File,
}

/// A command and how it is written.
#[derive(Debug)]
pub(crate) struct Known {
    /// Its spellings, in lower case; the first one is shown.
    pub(crate) spellings: &'static [&'static str],
    pub(crate) command: Command,
    pub(crate) argument: Argument,
    /// How its argument is called in help.
    pub(crate) usage: &'static str,
    pub(crate) says: &'static str,
}

impl Known {
    /// Whether the overview leaves it out, so that it fits a screen: another one's line names it, or it does nothing.
    pub(crate) fn is_minor(&self) -> bool {
        use Command::{GoExpanded, Pipelining, SetCli, Streams, Tables};
        matches!(self.command, GoExpanded | Pipelining | SetCli | Streams | Tables)
    }
}

const fn known(
    spellings: &'static [&'static str],
    command: Command,
    argument: Argument,
    usage: &'static str,
    says: &'static str,
) -> Known {
    Known { spellings, command, argument, usage, says }
}

/// Every command, in the order of help.
pub(crate) const COMMANDS: &[Known] = &[
    known(
        &["help", "\\help", "\\h", "\\?"],
        Command::Help,
        Argument::HelpTopic,
        "[TOPIC]",
        "this, or a statement, function or error code",
    ),
    known(
        &["output", "\\output"],
        Command::Output,
        Argument::Format,
        "[FORMAT]",
        "the form of results: table, box, vertical, json, ndjson, csv, tsv, markdown, raw",
    ),
    known(
        &["\\x"],
        Command::Expanded,
        Argument::Words(&["on", "off", "auto"]),
        "[on|off|auto]",
        "a line a column; auto: when a row is too wide",
    ),
    known(
        &["\\view"],
        Command::View,
        Argument::Words(&["tail", "changelog"]),
        "tail|changelog",
        "what push queries show: rows, or what each does to a table",
    ),
    known(&["run script", "\\i", "@"], Command::RunScript, Argument::File, "FILE", "run a file of statements"),
    known(
        &["define"],
        Command::Statement,
        Argument::None,
        "NAME = 'VALUE'",
        "then ${NAME} stands for VALUE; undefine NAME",
    ),
    known(&["undefine"], Command::Statement, Argument::None, "NAME", "forget a variable"),
    known(
        &["\\d"],
        Command::Describe,
        Argument::Source,
        "[NAME]",
        "streams and tables (\\ds, \\dt: either), or one of them",
    ),
    known(&["\\dt"], Command::Tables, Argument::None, "", "the tables"),
    known(&["\\ds"], Command::Streams, Argument::None, "", "the streams"),
    known(&["\\df"], Command::Functions, Argument::Function, "[NAME]", "the functions, or one of them"),
    known(&["\\topics"], Command::Topics, Argument::None, "", "the topics"),
    known(&["\\queries"], Command::Queries, Argument::None, "", "the persistent queries"),
    known(&["\\lag"], Command::Lag, Argument::None, "", "how far each query is, by partition"),
    known(&["\\last"], Command::Last, Argument::Format, "[FORMAT]", "the last result again, in another form"),
    known(
        &["\\g"],
        Command::Go,
        Argument::File,
        "[FILE]",
        "the last statement again, or ends one; \\gx: a line a column",
    ),
    known(&["\\gx"], Command::GoExpanded, Argument::File, "[FILE]", "the same with a line a column"),
    known(
        &["\\watch"],
        Command::Watch,
        Argument::None,
        "[SECONDS]",
        "the last statement again and again, until Ctrl-C",
    ),
    known(&["spool"], Command::Spool, Argument::File, "FILE|off", "write what is shown to a file, too"),
    known(&["\\o"], Command::Out, Argument::File, "[FILE]", "write results to a file; alone: to the screen again"),
    known(
        &["\\pager", "\\pset pager"],
        Command::Pager,
        Argument::Words(&["on", "off"]),
        "[on|off]",
        "show results higher than the screen by $PAGER",
    ),
    known(&["\\timing"], Command::Timing, Argument::None, "", "show how long statements take"),
    known(
        &["\\demo"],
        Command::Demo,
        Argument::Words(&["stop"]),
        "[stop]",
        "sample topics that grow, and queries to try on them",
    ),
    known(&["history"], Command::History, Argument::None, "", "what was typed"),
    known(&["clear"], Command::Clear, Argument::None, "", "clear the screen"),
    known(&["version"], Command::Version, Argument::None, "", "the version"),
    known(&["server"], Command::Server, Argument::None, "", "where the engine runs"),
    known(
        &["request pipelining"],
        Command::Pipelining,
        Argument::None,
        "",
        "accepted; statements run one after the other",
    ),
    known(&["set cli"], Command::SetCli, Argument::None, "", "accepted; tables fit the terminal"),
    known(&["exit", "quit", "\\q"], Command::Leave, Argument::None, "", "leave; so does Ctrl-D"),
];

/// The command that a line is, and its argument; none if the line is something else.
pub(crate) fn find(line: &str) -> Option<(&'static Known, &str)> {
    let line = line.trim().trim_end_matches(';').trim_end();
    if line.contains('\n') {
        return None;
    }
    COMMANDS.iter().find_map(|known| {
        let rest = known.spellings.iter().find_map(|spelling| strip_words(line, spelling))?;
        Some((known, rest.trim()))
    })
}

/// What follows the words of a spelling, whatever their case and the space between them.
fn strip_words<'l>(line: &'l str, spelling: &str) -> Option<&'l str> {
    if spelling == "@" {
        return line.strip_prefix('@');
    }
    let mut rest = line;
    for word in spelling.split(' ') {
        let trimmed = rest.trim_start();
        let head = trimmed.get(..word.len()).filter(|head| head.eq_ignore_ascii_case(word))?;
        rest = trimmed.get(head.len()..)?;
        if !rest.is_empty() && !rest.starts_with(char::is_whitespace) {
            return None;
        }
    }
    Some(rest)
}

/// Whether a line needs no semicolon: a command, or what looks like one.
pub(crate) fn is_command(line: &str) -> bool {
    find(line).is_some() || (line.trim_start().starts_with('\\') && !line.contains('\n'))
}

/// A statement that a `\\g` ends, as in psql, and that command; none if the text has none behind a statement.
pub(crate) fn ended_by_go(text: &str) -> Option<(&str, &str)> {
    let last_line = text.trim_end().rfind('\n').map_or(0, |end| end + 1);
    let tokens = tokenize(text);
    let at = tokens.iter().rev().find(|token| token.kind == TokenKind::Symbol && token.span.of(text) == "\\")?;
    let (statement, go) = text.split_at_checked(at.span.start)?;
    let is_go = find(go).is_some_and(|(known, _)| matches!(known.command, Command::Go | Command::GoExpanded));
    let is_whole = at.span.start >= last_line && statement.ends_with(char::is_whitespace);
    (is_go && is_whole && !statement.trim().is_empty()).then_some((statement.trim(), go.trim()))
}

/// The name of a file as an argument: in quotes or not.
pub(crate) fn file_argument(argument: &str) -> &str {
    let inner = |quote: char| argument.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inner('\'').or_else(|| inner('"')).unwrap_or(argument)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_statements() {
        let found = |line: &str| find(line).map(|(known, rest)| (known.command, rest.to_owned()));
        assert_eq!(found("RUN  script 'a b.sql';"), Some((Command::RunScript, "'a b.sql'".to_owned())));
        assert_eq!(found("@a.sql"), Some((Command::RunScript, "a.sql".to_owned())));
        assert_eq!(found("\\d orders"), Some((Command::Describe, "orders".to_owned())));
        assert_eq!(found("define x = 'y'"), Some((Command::Statement, "x = 'y'".to_owned())));
        assert_eq!(found("history\nof"), None);
        assert_eq!(found("helpless"), None);
        assert_eq!(found("set 'a' = 'b'"), None);
        assert_eq!(ended_by_go("SELECT 1\n\\g"), Some(("SELECT 1", "\\g")));
        assert_eq!(ended_by_go("SELECT 1 \\gx 'a b'"), Some(("SELECT 1", "\\gx 'a b'")));
        assert_eq!(ended_by_go("SELECT '\\g"), None);
        assert_eq!(ended_by_go("SELECT 1 \\g\n, 2"), None);
        assert_eq!(ended_by_go(" \\g"), None);
        assert!(is_command("\\topcis"));
        assert_eq!(file_argument("'a b.sql'"), "a b.sql");
    }
}

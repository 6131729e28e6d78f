//! What `help` says.

mod pages;

use millstream_sql::{EXAMPLE_SOURCES, Example, Explained, closest, explanations};

use crate::commands::COMMANDS;
use pages::{Page, pages};

/// Behind what speaks of streams and tables.
const SEE_SOURCES: &str = "help EXAMPLES shows what these speak of";

fn commands() -> String {
    let line = |known: &crate::commands::Known| {
        let spelling = known.spellings.first().copied().unwrap_or_default();
        format!("  {:<24} {}", format!("{spelling} {}", known.usage), known.says)
    };
    let lines: Vec<String> = COMMANDS.iter().filter(|known| !known.is_minor()).map(line).collect();
    format!(
        "Commands of the shell, without a semicolon:\n{}\n\nTab completes, Ctrl-R searches the history, Ctrl-C ends what runs, Ctrl-D leaves.",
        lines.join("\n")
    )
}

/// The names of all pages, some a line.
fn names() -> String {
    let names: Vec<&str> = page_names().collect();
    let lines: Vec<String> = names.chunks(6).map(|names| format!("  {}", names.join(", "))).collect();
    lines.join(",\n")
}

/// The names that there is a page on.
pub(crate) fn page_names() -> impl Iterator<Item = &'static str> {
    pages().map(Page::name)
}

/// What an error code means.
fn code(Explained { code, text, example }: &Explained) -> String {
    let lines = |sql: &str| sql.replace("; ", ";\n         ");
    match example {
        Some(Example { wrong, right }) => {
            format!("{code}: {text}\n\nrefused: {}\nright:   {}\n\n{SEE_SOURCES}", lines(wrong), lines(right))
        }
        None => format!("{code}: {text}"),
    }
}

/// What there is on something.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Help<'f> {
    Text(String),
    /// A function, which the session describes.
    Function(&'f str),
    /// What is closest to something that there is nothing on.
    Instead(String, Box<Help<'f>>),
}

/// The overview, or the help on a statement, a function or an error's code.
pub(crate) fn help<'f>(about: &str, functions: &'f [String]) -> Help<'f> {
    let upper = about.trim().trim_end_matches(';').to_uppercase();
    let words: Vec<&str> = upper.split_whitespace().collect();
    let about = words.join(" ");
    if about == "EXAMPLES" {
        return Help::Text(format!("The examples of help are over these:\n\n{}", EXAMPLE_SOURCES.trim_end()));
    }
    if about.is_empty() {
        return Help::Text(format!(
            "Statements end with a semicolon; help NAME shows one:\n{}\n\n{}",
            names(),
            commands()
        ));
    }
    if let Some(function) = about.strip_prefix("FUNCTION ") {
        return function_help(function, functions);
    }
    if let Some(explained) = explanations().find(|explained| explained.code == about) {
        return Help::Text(code(explained));
    }
    if let Some(page) = pages().find(|page| page.name() == about) {
        return page_help(page);
    }
    if let Some(function) = functions.iter().find(|name| **name == about) {
        return Help::Function(function);
    }
    let by_word = |page: &Page| page.name().split(' ').any(|word| words.contains(&word));
    let found = page_also_on(&about).or_else(|| pages().find(|page| page.name().starts_with(&about)));
    if let Some(page) = found.or_else(|| pages().find(by_word)) {
        return page_help(page);
    }
    closest_help(&about, functions)
}

/// The help on what somebody may have meant.
fn closest_help<'f>(about: &str, functions: &'f [String]) -> Help<'f> {
    let mut names: Vec<&'f str> = functions.iter().map(String::as_str).collect();
    for name in pages().flat_map(|page| page.others().chain([page.name()])) {
        names.push(name);
    }
    let Some(close) = closest(about, names) else { return no_help(about) };
    let page = pages().find(|page| page.name() == close).or_else(|| page_also_on(close));
    let found = page.map_or(Help::Function(close), page_help);
    Help::Instead(format!("there is no help on \"{about}\"; the closest is {close}"), Box::new(found))
}

fn page_also_on(about: &str) -> Option<Page> {
    pages().find(|page| page.others().any(|name| name == about))
}

fn page_help<'f>(page: Page) -> Help<'f> {
    Help::Text(format!("{}\n\n{SEE_SOURCES}", page.text()))
}

/// The help on a function, also of those that only queries that end can call.
fn function_help<'f>(about: &str, functions: &'f [String]) -> Help<'f> {
    if let Some(function) = functions.iter().find(|name| *name == about) {
        return Help::Function(function);
    }
    if let Some(page) = page_also_on(about) {
        return page_help(page);
    }
    match closest(about, functions.iter().map(String::as_str)) {
        Some(close) => Help::Instead(
            format!("there is no function {about}; the closest is {close}"),
            Box::new(Help::Function(close)),
        ),
        None => Help::Text(format!("there is no function {about}\nhelp: SHOW FUNCTIONS lists them")),
    }
}

fn no_help<'f>(about: &str) -> Help<'f> {
    let names: Vec<&str> = page_names().collect();
    Help::Text(format!(
        "there is no help on \"{about}\"\nhelp: there is on {}, every function and every error code",
        names.join(", ")
    ))
}

/// What `\demo` declares.
pub(crate) const DEMO_SOURCES: &str = include_str!("../../../queries/demo/sources.sql");

/// What `\demo` says when orders come.
pub(crate) const DEMO: &str = concat!(
    "Orders come into the stream demo_orders from now on, ten a second; \\demo stop ends them. Try:\n\n",
    include_str!("../../../queries/demo/query.sql")
);

#[cfg(test)]
mod tests {
    use super::*;

    /// The first line of what there is on something, behind what it is instead of.
    fn first_line(about: &str) -> String {
        let functions = ["INSERT", "LOG", "SUBSTRING"].map(str::to_owned);
        fn line(help: Help<'_>) -> String {
            match help {
                Help::Text(text) => text.lines().next().unwrap_or_default().to_owned(),
                Help::Function(name) => format!("function {name}"),
                Help::Instead(note, found) => format!("{note} | {}", line(*found)),
            }
        }
        line(help(about, &functions))
    }

    #[test]
    fn help_is_found_by_what_is_meant() {
        for (about, found) in [
            ("create  stream;", "CREATE STREAM: declare a stream"),
            ("csas", "CREATE STREAM: declare a stream"),
            ("group by", "CREATE TABLE: "),
            ("tumbling", "WINDOW: "),
            ("window", "WINDOW: "),
            ("insert", "INSERT: "),
            ("insert into orders", "INSERT: "),
            ("function insert", "function INSERT"),
            ("substring", "function SUBSTRING"),
            ("FUNCTION lag", "WINDOW FUNCTIONS: "),
            ("lag", "WINDOW FUNCTIONS: "),
            ("e0203", "E0203: "),
            ("creat stream", "CREATE STREAM: "),
            ("selct", "there is no help on \"SELCT\"; the closest is SELECT | SELECT: "),
            ("tumblng", "there is no help on \"TUMBLNG\"; the closest is TUMBLING | WINDOW: "),
            ("substrng", "there is no help on \"SUBSTRNG\"; the closest is SUBSTRING | function SUBSTRING"),
            ("function substrng", "there is no function SUBSTRNG; the closest is SUBSTRING | function SUBSTRING"),
            ("function select", "there is no function SELECT"),
            ("xyzzy", "there is no help on \"XYZZY\""),
            ("examples", "The examples of help are over these:"),
            ("", "Statements end with a semicolon"),
        ] {
            let line = first_line(about);
            assert!(line.starts_with(found), "{about}: {line}");
        }
    }
}

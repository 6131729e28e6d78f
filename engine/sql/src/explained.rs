//! What the error codes mean, each with statements that are refused and ones that are right.

mod declarations;
mod expressions;
mod joins;
mod names;
mod queries;
mod statements;
mod syntax;

/// An explanation of an error code.
#[derive(Debug)]
pub struct Explained {
    /// The code.
    pub code: &'static str,
    /// What it means.
    pub text: &'static str,
    /// How it comes about and how it is mended; none if no short statement provokes it.
    pub example: Option<Example>,
}

/// Statements over [`EXAMPLE_SOURCES`].
#[derive(Debug)]
pub struct Example {
    /// Statements, the last of which is refused.
    pub wrong: &'static str,
    /// What to write instead.
    pub right: &'static str,
}

/// The streams and tables that the examples speak of, and those of the shell's help.
pub const EXAMPLE_SOURCES: &str = include_str!("../../../queries/help/sources.sql");

const fn explained(code: &'static str, text: &'static str, wrong: &'static str, right: &'static str) -> Explained {
    Explained { code, text, example: Some(Example { wrong, right }) }
}

const fn without_example(code: &'static str, text: &'static str) -> Explained {
    Explained { code, text, example: None }
}

/// The explanation of every code there is, by code.
pub fn explanations() -> impl Iterator<Item = &'static Explained> {
    let themes = [
        syntax::EXPLAINED,
        names::EXPLAINED,
        declarations::EXPLAINED,
        expressions::EXPLAINED,
        queries::EXPLAINED,
        joins::EXPLAINED,
        statements::EXPLAINED,
    ];
    themes.into_iter().flatten()
}

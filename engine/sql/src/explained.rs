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

/// The streams and tables that the examples speak of.
pub const EXAMPLE_SOURCES: &str = "\
CREATE STREAM orders (id BIGINT KEY, item STRING, amount DOUBLE, user_id BIGINT, tags ARRAY<STRING>, address STRUCT<city STRING>)
  WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON', PARTITIONS=1);
CREATE STREAM payments (id BIGINT KEY, order_id BIGINT, paid DOUBLE)
  WITH (KAFKA_TOPIC='payments', VALUE_FORMAT='JSON', PARTITIONS=1);
CREATE TABLE users (id BIGINT PRIMARY KEY, name STRING, city STRING)
  WITH (KAFKA_TOPIC='users', VALUE_FORMAT='JSON', PARTITIONS=1);";

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

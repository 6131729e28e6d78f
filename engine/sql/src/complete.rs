//! What may be typed next.

use crate::{KEYWORDS, Token, TokenKind, tokenize};

/// What a completion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompletionKind {
    /// A word of the dialect.
    Keyword,
    /// A stream or a table.
    Source,
    /// A column of a source that the statement reads.
    Column,
    /// A function.
    Function,
    /// A topic.
    Topic,
    /// The id of a query.
    Query,
    /// The name of a property, or a value it can have.
    Property,
}

/// A text that may be typed next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// What replaces the word at the cursor.
    pub text: String,
    /// What it is.
    pub kind: CompletionKind,
    /// What to show beside it: a type, a kind of source.
    pub detail: String,
}

/// The names that completion chooses from.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Streams and tables: name, what it is, and its columns with their types.
    pub sources: Vec<(String, String, Vec<(String, String)>)>,
    /// Topics.
    pub topics: Vec<String>,
    /// Functions with their signatures.
    pub functions: Vec<(String, String)>,
    /// Ids of running queries.
    pub queries: Vec<String>,
    /// Settings and their values.
    pub settings: Vec<(String, String)>,
}

const WITH_PROPERTIES: &[(&str, &[&str])] = &[
    ("KAFKA_TOPIC", &[]),
    ("VALUE_FORMAT", &["JSON", "DELIMITED", "KAFKA", "NONE"]),
    ("KEY_FORMAT", &["KAFKA", "JSON", "DELIMITED", "NONE"]),
    ("FORMAT", &["JSON", "DELIMITED", "KAFKA"]),
    ("PARTITIONS", &[]),
    ("REPLICAS", &[]),
    ("RETENTION_MS", &[]),
    ("TIMESTAMP", &[]),
    ("TIMESTAMP_FORMAT", &[]),
    ("WRAP_SINGLE_VALUE", &["TRUE", "FALSE"]),
    ("WINDOW_TYPE", &["TUMBLING", "HOPPING", "SESSION"]),
    ("WINDOW_SIZE", &[]),
    ("VALUE_DELIMITER", &["TAB", "SPACE"]),
    ("KEY_DELIMITER", &["TAB", "SPACE"]),
];
const UNITS: &[&str] = &["MILLISECONDS", "SECONDS", "MINUTES", "HOURS", "DAYS"];

/// What may stand at the end of `before`, and where the word that it completes starts.
#[must_use]
pub fn complete(before: &str, names: &Names) -> (usize, Vec<Completion>) {
    let tokens: Vec<Token> = tokenize(before).into_iter().filter(|token| !token.kind.is_trivia()).collect();
    let start = match tokens.last() {
        Some(last) if last.span.end == before.len() && last.kind == TokenKind::Word => last.span.start,
        Some(last) if last.kind == TokenKind::Unterminated => last.span.start + 1,
        _ => before.len(),
    };
    let written = before.get(start..).unwrap_or_default().to_uppercase();
    let context: Vec<&str> =
        tokens.iter().filter(|token| token.span.end <= start).map(|token| token.span.of(before)).collect();
    let in_quotes = tokens.last().is_some_and(|last| last.kind == TokenKind::Unterminated);
    let mut found = if in_quotes { in_string(&context, names) } else { candidates(&context, before, names) };
    found.retain(|candidate| candidate.text.to_uppercase().starts_with(&written));
    found.dedup_by(|a, b| a.text == b.text);
    (start, found)
}

fn completion(text: &str, kind: CompletionKind, detail: &str) -> Completion {
    Completion { text: text.to_owned(), kind, detail: detail.to_owned() }
}

fn word_is(word: Option<&&str>, list: &[&str]) -> bool {
    word.is_some_and(|word| list.iter().any(|item| item.eq_ignore_ascii_case(word)))
}

/// Inside a quote that is not closed.
fn in_string(context: &[&str], names: &Names) -> Vec<Completion> {
    let mut words = context.iter().rev();
    let last = words.next();
    // The quote itself is not part of the context.
    if word_is(last, &["SET", "UNSET"]) {
        let settings = names.settings.iter();
        return settings.map(|(name, value)| completion(name, CompletionKind::Property, value)).collect();
    }
    if word_is(last, &["PRINT"]) {
        return topics(names);
    }
    if word_is(last, &["="]) {
        let property = words.next();
        if word_is(property, &["KAFKA_TOPIC"]) {
            return topics(names);
        }
        let values = WITH_PROPERTIES.iter().find(|(name, _)| word_is(property, &[name])).map_or(&[][..], |(_, v)| v);
        return values.iter().map(|value| completion(value, CompletionKind::Property, "")).collect();
    }
    Vec::new()
}

fn topics(names: &Names) -> Vec<Completion> {
    names.topics.iter().map(|topic| completion(topic, CompletionKind::Topic, "topic")).collect()
}

fn sources(names: &Names) -> Vec<Completion> {
    names.sources.iter().map(|(name, what, _)| completion(name, CompletionKind::Source, what)).collect()
}

fn candidates(context: &[&str], before: &str, names: &Names) -> Vec<Completion> {
    let last = context.last();
    if word_is(last, &["FROM", "JOIN", "INTO", "DESCRIBE", "EXTENDED"]) {
        return sources(names);
    }
    if word_is(last, &["PRINT"]) {
        return topics(names);
    }
    if word_is(last, &["TERMINATE", "PAUSE", "RESUME", "EXPLAIN"]) {
        let mut found: Vec<_> = names.queries.iter().map(|id| completion(id, CompletionKind::Query, "query")).collect();
        found.push(completion("ALL", CompletionKind::Keyword, ""));
        return found;
    }
    let second_last = context.len().checked_sub(2).and_then(|at| context.get(at));
    if word_is(last, &["STREAM", "TABLE", "EXISTS"]) && word_is(context.first(), &["DROP"]) {
        return sources(names);
    }
    if last.is_some_and(|word| word.chars().all(|c| c.is_ascii_digit()))
        && word_is(second_last, &["SIZE", "BY", "(", "PERIOD", "RETENTION", "WITHIN"])
    {
        return UNITS.iter().map(|unit| completion(unit, CompletionKind::Keyword, "")).collect();
    }
    if in_with(context) && word_is(last, &["(", ","]) {
        let properties = WITH_PROPERTIES.iter();
        return properties.map(|(name, _)| completion(name, CompletionKind::Property, "")).collect();
    }
    let mut found = Vec::new();
    if !context.is_empty() {
        found.extend(columns(before, names));
    }
    let in_query = context.iter().any(|word| word.eq_ignore_ascii_case("SELECT"));
    if in_query {
        let functions = names.functions.iter();
        found.extend(functions.map(|(name, signature)| completion(name, CompletionKind::Function, signature)));
    }
    found.extend(KEYWORDS.iter().map(|keyword| completion(keyword, CompletionKind::Keyword, "")));
    found
}

/// Whether the cursor is inside the brackets of a `WITH`.
fn in_with(context: &[&str]) -> bool {
    let mut depth = 0;
    for (index, word) in context.iter().enumerate().rev() {
        match *word {
            ")" => depth += 1,
            "(" if depth > 0 => depth -= 1,
            "(" => return word_is(index.checked_sub(1).and_then(|at| context.get(at)), &["WITH"]),
            _ => {}
        }
    }
    false
}

/// The columns of the sources that the statement names anywhere.
fn columns(statement: &str, names: &Names) -> Vec<Completion> {
    let upper = statement.to_uppercase();
    let words: Vec<&str> = upper.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let in_scope: Vec<_> = names.sources.iter().filter(|(name, ..)| words.contains(&name.as_str())).collect();
    // Before FROM is written nothing is in scope yet, so everything is offered.
    let everything: Vec<_> = names.sources.iter().collect();
    let scope = if in_scope.is_empty() { everything } else { in_scope };
    let of_source = |(source, _, columns): &(String, String, Vec<(String, String)>)| {
        let describe =
            |(name, ty): &(String, String)| completion(name, CompletionKind::Column, &format!("{ty}  {source}"));
        columns.iter().map(describe).collect::<Vec<_>>()
    };
    scope.into_iter().flat_map(of_source).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            sources: vec![
                ("ORDERS".to_owned(), "stream".to_owned(), vec![("AMOUNT".to_owned(), "BIGINT".to_owned())]),
                ("USERS".to_owned(), "table".to_owned(), vec![("NAME".to_owned(), "STRING".to_owned())]),
            ],
            topics: vec!["orders".to_owned()],
            functions: vec![("AVG".to_owned(), "AVG(number)".to_owned())],
            queries: vec!["CTAS_A_1".to_owned()],
            settings: vec![("auto.offset.reset".to_owned(), "latest".to_owned())],
        }
    }

    fn texts(before: &str) -> Vec<String> {
        complete(before, &names()).1.into_iter().map(|completion| completion.text).collect()
    }

    #[test]
    fn candidates_fit_the_place() {
        assert_eq!(texts("SELECT * FROM "), ["ORDERS", "USERS"]);
        assert_eq!(texts("select * from u"), ["USERS"]);
        assert_eq!(texts("SELECT AM"), ["AMOUNT"]);
        assert_eq!(
            texts("SELECT a"),
            ["AMOUNT", "AVG", "ADD", "ADVANCE", "AFTER", "ALL", "ALTER", "AND", "ARRAY", "AS", "ASSERT", "AT"]
        );
        assert!(!texts("SELECT * FROM orders WHERE ").contains(&"NAME".to_owned()));
        assert_eq!(texts("TERMINATE c"), ["CTAS_A_1"]);
        assert_eq!(texts("CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='o"), ["orders"]);
        assert_eq!(texts("CREATE STREAM s (a INT) WITH (VALUE_FORMAT='j"), ["JSON"]);
        assert_eq!(texts("CREATE STREAM s (a INT) WITH (KA"), ["KAFKA_TOPIC"]);
        assert_eq!(texts("SELECT * FROM s WINDOW TUMBLING (SIZE 5 M"), ["MILLISECONDS", "MINUTES"]);
        assert_eq!(texts("SET 'auto"), ["auto.offset.reset"]);
        assert_eq!(complete("SELECT AM", &names()).0, 7);
    }
}

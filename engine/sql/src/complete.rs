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
const TYPES: &[&str] = &[
    "BOOLEAN",
    "INT",
    "BIGINT",
    "DOUBLE",
    "DECIMAL(",
    "STRING",
    "BYTES",
    "DATE",
    "TIME",
    "TIMESTAMP",
    "ARRAY<",
    "MAP<STRING, ",
    "STRUCT<",
];
const SETTING_VALUES: &[(&str, &[&str])] = &[
    ("'auto.offset.reset'", &["earliest", "latest"]),
    ("'processing.guarantee'", &["exactly_once_v2", "at_least_once"]),
];

/// What may follow a word, where that is little.
const FOLLOWS: &[(&[&str], &[&str])] = &[
    (
        &["SHOW", "LIST"],
        &["STREAMS", "TABLES", "TOPICS", "QUERIES", "FUNCTIONS", "PROPERTIES", "TYPES", "VARIABLES", "ALL TOPICS"],
    ),
    (&["CREATE"], &["STREAM", "TABLE", "OR REPLACE", "TYPE", "SOURCE"]),
    (&["REPLACE", "SOURCE"], &["STREAM", "TABLE"]),
    (&["DROP"], &["STREAM", "TABLE", "TYPE"]),
    (&["ALTER"], &["STREAM", "TABLE"]),
    (&["INSERT"], &["INTO"]),
    (&["EMIT"], &["CHANGES", "FINAL"]),
    (&["GROUP", "PARTITION", "ORDER"], &["BY"]),
    (&["WINDOW"], &["TUMBLING (SIZE ", "HOPPING (SIZE ", "SESSION ("]),
    (&["ADVANCE"], &["BY"]),
    (&["GRACE"], &["PERIOD"]),
    (&["IS"], &["NULL", "NOT NULL", "DISTINCT FROM"]),
    (&["RUN"], &["SCRIPT"]),
    (&["LEFT", "RIGHT", "FULL", "INNER", "OUTER"], &["JOIN"]),
    (&["DELETE"], &["TOPIC"]),
];

/// What a statement can start with.
const STARTS: &[&str] = &[
    "ALTER",
    "ASSERT",
    "CREATE",
    "DEFINE",
    "DESCRIBE",
    "DROP",
    "EXPLAIN",
    "INSERT INTO",
    "LIST",
    "PAUSE",
    "PRINT",
    "RESUME",
    "RUN SCRIPT",
    "SELECT",
    "SET",
    "SHOW",
    "TERMINATE",
    "UNDEFINE",
    "UNSET",
];

/// What can stand in the midst of a query.
const IN_QUERY: &[&str] = &[
    "AND",
    "ARRAY[",
    "AS",
    "BETWEEN",
    "CASE",
    "CAST(",
    "DISTINCT",
    "ELSE",
    "EMIT CHANGES",
    "EMIT FINAL",
    "END",
    "FALSE",
    "FROM",
    "FULL JOIN",
    "GROUP BY",
    "HAVING",
    "IN",
    "INNER JOIN",
    "IS",
    "JOIN",
    "LEFT JOIN",
    "LIKE",
    "LIMIT",
    "MAP(",
    "NOT",
    "NULL",
    "ON",
    "OR",
    "ORDER BY",
    "PARTITION BY",
    "RIGHT JOIN",
    "STRUCT(",
    "THEN",
    "TRUE",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITHIN",
];

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
    let is_before = |token: &&Token| token.span.end <= start && token.kind != TokenKind::Unterminated;
    let context: Vec<&str> = tokens.iter().filter(is_before).map(|token| token.span.of(before)).collect();
    let in_quotes = tokens.last().is_some_and(|last| last.kind == TokenKind::Unterminated);
    let mut found = if in_quotes { in_string(&context, names) } else { candidates(&context, names) };
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
    if word_is(last, &["="]) { property_values(words.next(), names, "") } else { Vec::new() }
}

/// The values of a property or setting, each in quotes of this kind.
fn property_values(property: Option<&&str>, names: &Names, quote: &str) -> Vec<Completion> {
    if word_is(property, &["KAFKA_TOPIC"]) && quote.is_empty() {
        return topics(names);
    }
    let known = WITH_PROPERTIES.iter().chain(SETTING_VALUES);
    let values = known.into_iter().find(|(name, _)| word_is(property, &[name])).map_or(&[][..], |(_, values)| values);
    values.iter().map(|value| completion(&format!("{quote}{value}{quote}"), CompletionKind::Property, "")).collect()
}

fn words_of(words: &[&str]) -> Vec<Completion> {
    words.iter().map(|word| completion(word, CompletionKind::Keyword, "")).collect()
}

fn functions(names: &Names) -> Vec<Completion> {
    names.functions.iter().map(|(name, signature)| completion(name, CompletionKind::Function, signature)).collect()
}

fn topics(names: &Names) -> Vec<Completion> {
    names.topics.iter().map(|topic| completion(topic, CompletionKind::Topic, "topic")).collect()
}

fn sources(names: &Names) -> Vec<Completion> {
    names.sources.iter().map(|(name, what, _)| completion(name, CompletionKind::Source, what)).collect()
}

fn candidates(context: &[&str], names: &Names) -> Vec<Completion> {
    let Some(last) = context.last() else { return words_of(STARTS) };
    let last = Some(last);
    let second_last = context.len().checked_sub(2).and_then(|at| context.get(at));
    if word_is(last, &["."]) {
        return second_last.map_or_else(Vec::new, |qualifier| columns_of(qualifier, context, names));
    }
    if word_is(last, &["->"]) {
        return second_last.map_or_else(Vec::new, |column| fields_of(column, context, names));
    }
    if word_is(last, &["FUNCTION"]) {
        return functions(names);
    }
    if word_is(context.first(), &["PRINT"]) && context.len() > 1 {
        return words_of(if word_is(last, &["FROM"]) {
            &["BEGINNING", "OFFSET"]
        } else {
            &["FROM BEGINNING", "FROM OFFSET", "INTERVAL", "LIMIT"]
        });
    }
    if word_is(last, &["FROM", "JOIN", "INTO", "DESCRIBE", "EXTENDED"]) {
        return sources(names);
    }
    if word_is(last, &["PRINT"]) {
        return topics(names);
    }
    if word_is(last, &["TERMINATE", "PAUSE", "RESUME", "EXPLAIN"]) {
        let mut found: Vec<_> = names.queries.iter().map(|id| completion(id, CompletionKind::Query, "query")).collect();
        if !word_is(last, &["EXPLAIN"]) {
            found.push(completion("ALL", CompletionKind::Keyword, ""));
        }
        return found;
    }
    if word_is(last, &["STREAM", "TABLE", "EXISTS"]) && word_is(context.first(), &["DROP", "ALTER"]) {
        return sources(names);
    }
    if let Some((_, follows)) = FOLLOWS.iter().find(|(words, _)| word_is(last, words)) {
        return words_of(follows);
    }
    if word_is(last, &["("]) && word_is(second_last, &["TUMBLING", "HOPPING"]) {
        return words_of(&["SIZE"]);
    }
    if last.is_some_and(|word| word.chars().all(|c| c.is_ascii_digit()))
        && word_is(second_last, &["SIZE", "BY", "(", "PERIOD", "RETENTION", "WITHIN"])
    {
        return words_of(UNITS);
    }
    if in_with(context) {
        if word_is(last, &["(", ","]) {
            let properties = WITH_PROPERTIES.iter();
            return properties.map(|(name, _)| completion(name, CompletionKind::Property, "")).collect();
        }
        return if word_is(last, &["="]) { property_values(second_last, names, "'") } else { Vec::new() };
    }
    let in_query = context.iter().any(|word| word.eq_ignore_ascii_case("SELECT"));
    if !in_query && word_is(context.first(), &["CREATE"]) && context.contains(&"(") {
        let names_column = word_is(second_last, &["(", ","]);
        return words_of(if names_column { TYPES } else { &["KEY", "PRIMARY KEY", "HEADERS", "WITH ("] });
    }
    if let ([insert, into, source, rest @ ..], false) = (context, in_query)
        && insert.eq_ignore_ascii_case("INSERT")
        && into.eq_ignore_ascii_case("INTO")
    {
        let open = rest.contains(&"(") && !rest.contains(&")");
        return if open { columns_of(source, context, names) } else { words_of(&["VALUES (", "SELECT", "("]) };
    }
    if in_query {
        let mut found = columns(context, names);
        found.extend(functions(names));
        found.extend(words_of(IN_QUERY));
        return found;
    }
    words_of(KEYWORDS)
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

type NamedSource = (String, String, Vec<(String, String)>);

/// The sources that the statement names anywhere; before FROM is written nothing is in scope yet, so that
/// everything is.
fn scope<'n>(context: &[&str], names: &'n Names) -> Vec<&'n NamedSource> {
    let is_named = |(name, ..): &&NamedSource| context.iter().any(|word| word.eq_ignore_ascii_case(name));
    let named: Vec<_> = names.sources.iter().filter(is_named).collect();
    if named.is_empty() { names.sources.iter().collect() } else { named }
}

fn columns(context: &[&str], names: &Names) -> Vec<Completion> {
    scope(context, names).into_iter().flat_map(describe).collect()
}

fn describe((source, _, columns): &NamedSource) -> Vec<Completion> {
    let column = |(name, ty): &(String, String)| completion(name, CompletionKind::Column, &format!("{ty}  {source}"));
    columns.iter().map(column).collect()
}

/// The columns of a source, by its name or the name that the statement gives it.
fn columns_of(qualifier: &str, context: &[&str], names: &Names) -> Vec<Completion> {
    let after_source = |words: &[&str]| match words {
        [before, source, alias] | [before, source, _, alias]
            if word_is(Some(before), &["FROM", "JOIN"]) && alias.eq_ignore_ascii_case(qualifier) =>
        {
            Some((*source).to_owned())
        }
        _ => None,
    };
    let aliased = context.windows(3).find_map(after_source).or_else(|| {
        let with_as = |words: &&[&str]| words.get(2).is_some_and(|word| word.eq_ignore_ascii_case("AS"));
        context.windows(4).filter(with_as).find_map(after_source)
    });
    let source = aliased.as_deref().unwrap_or(qualifier);
    names.sources.iter().filter(|(name, ..)| name.eq_ignore_ascii_case(source)).flat_map(describe).collect()
}

/// The fields of a column that is a struct, from its type as it is written.
fn fields_of(column: &str, context: &[&str], names: &Names) -> Vec<Completion> {
    let columns = scope(context, names).into_iter().flat_map(|(.., columns)| columns);
    let ty = columns.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(column)).map(|(_, ty)| ty.as_str());
    let Some(inner) = ty.and_then(|ty| ty.strip_prefix("STRUCT<")?.strip_suffix('>')) else { return Vec::new() };
    let (mut depth, mut fields, mut start) = (0, Vec::new(), 0);
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '<' | '(' => depth += 1,
            '>' | ')' => depth -= 1,
            ',' if depth == 0 => {
                fields.push(inner.get(start..at).unwrap_or_default().trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    let field = |field: &str| {
        let (name, ty) = field.split_once(' ')?;
        Some(completion(name.trim_matches('`'), CompletionKind::Column, ty))
    };
    fields.into_iter().filter_map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            sources: vec![
                ("ORDERS".to_owned(), "stream".to_owned(), vec![("AMOUNT".to_owned(), "BIGINT".to_owned())]),
                (
                    "USERS".to_owned(),
                    "table".to_owned(),
                    vec![
                        ("NAME".to_owned(), "STRING".to_owned()),
                        ("HOME".to_owned(), "STRUCT<CITY STRING, AT ARRAY<INT>>".to_owned()),
                    ],
                ),
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
        assert_eq!(texts("SELECT a"), ["AMOUNT", "AVG", "AND", "ARRAY[", "AS"]);
        assert_eq!(texts("SELECT o. FROM orders o WHERE o."), ["AMOUNT"]);
        assert_eq!(texts("SELECT * FROM users AS u WHERE u."), ["NAME", "HOME"]);
        assert_eq!(texts("SELECT home->"), ["CITY", "AT"]);
        assert_eq!(texts("CREATE STREAM s (a B"), ["BOOLEAN", "BIGINT", "BYTES"]);
        assert_eq!(texts("INSERT INTO users ("), ["NAME", "HOME"]);
        assert_eq!(texts("SHOW T"), ["TABLES", "TOPICS", "TYPES"]);
        assert_eq!(
            texts("CREATE STREAM s (a INT) WITH (VALUE_FORMAT="),
            ["'JSON'", "'DELIMITED'", "'KAFKA'", "'NONE'"]
        );
        assert_eq!(texts("CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='"), ["orders"]);
        assert_eq!(texts("SET 'auto.offset.reset' = '"), ["earliest", "latest"]);
        assert_eq!(texts("D"), ["DEFINE", "DESCRIBE", "DROP"]);
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

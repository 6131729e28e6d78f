//! Whatever the text: statements or diagnostics, in bounded time, and never a panic.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::ops::Range;
use std::time::Duration;

use millstream_sql::{
    Diagnostic, KEYWORDS, Names, Statement, complete, parse_expression, parse_statement, parse_type, split_statements,
    substitute, tokenize,
};
use proptest::prelude::*;

/// Statements of every kind and with every kind of expression, to start from.
const STATEMENTS: &[&str] = &[
    "CREATE OR REPLACE STREAM IF NOT EXISTS s (id BIGINT KEY, v STRUCT<a INT, `b c` ARRAY<STRING>>, m MAP<STRING, DECIMAL(4, 2)>, h BYTES HEADER ('h')) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=4, RETENTION_MS=-1)",
    "CREATE SOURCE TABLE t (id STRING PRIMARY KEY, \"quoted name\" VARCHAR(STRING)) WITH ('kafka_topic'='t', FORMAT='JSON')",
    "CREATE TABLE a WITH (PARTITIONS=1) AS SELECT k, COUNT(*) AS n, SUM(v * 2) FROM s WINDOW HOPPING (SIZE 1 HOUR, ADVANCE BY 5 MINUTES, RETENTION 2 DAYS, GRACE PERIOD 0 SECONDS) WHERE v > 1.50 GROUP BY (k, m['x']) HAVING COUNT(*) > 1e3 EMIT FINAL",
    "CREATE STREAM j AS SELECT a.*, b->*, c.x AS y FROM s a LEFT OUTER JOIN t AS b WITHIN (1 HOUR, 5 MINUTES) GRACE PERIOD 1 MINUTE ON a.id = b.id INNER JOIN u c ON a.id = c.id PARTITION BY a.id EMIT CHANGES",
    "INSERT INTO a WITH (QUERY_ID='q') SELECT * FROM b WINDOW SESSION (30 SECONDS) EMIT CHANGES LIMIT 10",
    "INSERT INTO a (x, `y z`, rowtime) VALUES (1, 'it''s', -5), (NULL, TRUE, 9223372036854775807), (ARRAY[1, 2], MAP('a' := 1), STRUCT(b := 0.5))",
    "SELECT CASE WHEN a IS NOT NULL AND NOT b OR c THEN -1 ELSE CAST(d->e[1]->f AS MAP<STRING, ARRAY<DECIMAL(38, 10)>>) END AS x FROM s WHERE a NOT BETWEEN 1 AND 2 OR b LIKE '%x!%' ESCAPE '!' OR c IN (1, 2, 3) OR d IS DISTINCT FROM e EMIT CHANGES",
    "SELECT TRANSFORM(m, (k, v) => UCASE(k), (k, v) => v + 1), REDUCE(a, 0, (s, x) => s + x), FILTER(a, x => x % 2 = 0) FROM s WINDOW TUMBLING (SIZE 10 SECONDS) EMIT CHANGES",
    "SELECT a, RANK() OVER (PARTITION BY b ORDER BY c DESC) FROM t ORDER BY a LIMIT 3",
    "WITH x AS (SELECT 1) SELECT * FROM x UNION ALL VALUES (2)",
    "SHOW ALL TOPICS",
    "LIST STREAMS EXTENDED",
    "DESCRIBE a EXTENDED",
    "DESCRIBE FUNCTION LEFT",
    "EXPLAIN CTAS_A_1",
    "EXPLAIN SELECT * FROM a WHERE b = 'é' EMIT CHANGES",
    "PRINT 'some-topic' FROM BEGINNING INTERVAL 2 LIMIT 3",
    "TERMINATE ALL",
    "PAUSE ctas_a_1",
    "RESUME x",
    "TERMINATE QUERY x",
    "DROP STREAM IF EXISTS a DELETE TOPIC",
    "ALTER STREAM a ADD COLUMN x INT, ADD y STRUCT<>",
    "CREATE TYPE address AS STRUCT<street STRING, nr INT>",
    "DROP TYPE IF EXISTS address",
    "SET 'auto.offset.reset' = 'earliest'",
    "UNSET 'auto.offset.reset'",
    "DEFINE x = '${y}'",
    "UNDEFINE x",
    "RUN SCRIPT 'a.sql'",
];

/// Tokens that are no keywords.
const OTHER_TOKENS: &[&str] = &[
    "a",
    "b1",
    "_",
    "@x",
    "é",
    "ß",
    "日本",
    "`x y`",
    "`a``b`",
    "\"q\"",
    "'s'",
    "'it''s'",
    "''",
    "0",
    "1",
    "007",
    "9223372036854775807",
    "9223372036854775808",
    "99999999999999999999999999999999999999999",
    "1.",
    ".5",
    "1.50",
    "1e3",
    "1E-400",
    "1e999",
    "->",
    "=>",
    ":=",
    "<>",
    "!=",
    "<=",
    ">=",
    "||",
    "::",
    "=",
    "<",
    ">",
    "+",
    "-",
    "*",
    "/",
    "%",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ".",
    ";",
    ":",
    "\\",
    "${v}",
    "--",
    "/*",
    "*/",
    "'",
    "`",
    "\"",
    "$",
    "#",
    "\u{0}",
    "\u{feff}",
    "\n",
    "\t",
    "🦀",
    "e\u{301}",
];

/// Any parse of a few kilobytes takes less than this of a core, also in a debug build.
const SHORT_PARSE_MAX: Duration = Duration::from_secs(5);
/// Any parse of a text of megabytes.
const LONG_PARSE_MAX: Duration = Duration::from_secs(60);

/// The time that this thread has run: a busy machine makes the clock on the wall say anything. Zero where the
/// system does not tell, which is elsewhere than on Linux.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(stat.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0))
}

fn spent(since: Duration) -> Duration {
    cpu_time().saturating_sub(since)
}

/// Every place that is named in a tree's debug output. The trees have a span in nearly every node, and
/// walking them would be a second copy of their definition.
fn spans(debug: &str) -> Vec<Range<usize>> {
    let after = debug.split("Span { start: ").skip(1);
    after
        .filter_map(|rest| {
            let (start, rest) = rest.split_once(", end: ")?;
            let (end, _) = rest.split_once(" }")?;
            Some(start.parse().ok()?..end.parse().ok()?)
        })
        .collect()
}

/// A tree's debug output without the places.
fn shape(tree: &impl std::fmt::Debug) -> String {
    let debug = format!("{tree:?}");
    let mut parts = debug.split("Span { start: ");
    let mut shape = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shape.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    shape
}

fn assert_within(source: &str, span: Range<usize>, what: &str) {
    assert!(span.start <= span.end && span.end <= source.len(), "{what}: {span:?} is not within {source:?}");
    for at in [span.start, span.end] {
        assert!(source.is_char_boundary(at), "{what}: {at} is inside a character of {source:?}");
    }
}

fn check_diagnostic(source: &str, diagnostic: &Diagnostic) {
    assert!(!diagnostic.message.is_empty() && diagnostic.code.starts_with('E'), "{diagnostic:?}");
    for label in &diagnostic.labels {
        assert_within(source, label.span.start..label.span.end, &diagnostic.message);
    }
    assert!(diagnostic.render(source).starts_with("error["));
}

/// The tree or the diagnostic of a parse, with every place in it checked.
fn checked<T: std::fmt::Debug>(source: &str, parsed: Result<T, Diagnostic>) -> Option<T> {
    match parsed {
        Ok(tree) => {
            for span in spans(&format!("{tree:?}")) {
                assert_within(source, span, "a node");
            }
            Some(tree)
        }
        Err(diagnostic) => {
            check_diagnostic(source, &diagnostic);
            None
        }
    }
}

/// Parses a text in every way there is.
fn check(source: &str) {
    let started = cpu_time();
    let mut end = 0;
    for token in tokenize(source) {
        assert_eq!(token.span.start, end, "a gap between tokens of {source:?}");
        end = token.span.end;
        assert_within(source, token.span.start..token.span.end, "a token");
    }
    assert_eq!(end, source.len(), "the tokens do not cover {source:?}");
    for piece in split_statements(source) {
        assert_within(source, piece.span.start..piece.span.end, "a statement");
        if let Some(statement) = checked(piece.text, parse_statement(piece.text)) {
            check_printed(&statement);
        }
    }
    if let Some(statement) = checked(source, parse_statement(source)) {
        check_printed(&statement);
    }
    if let Some(expr) = checked(source, parse_expression(source)) {
        check_same(source, &expr, parse_expression);
    }
    if let Some(ty) = checked(source, parse_type(source)) {
        check_same(source, &ty, parse_type);
    }
    if let Err(diagnostic) = substitute(source, |name| (name == "v").then(|| "1".to_owned())) {
        check_diagnostic(source, &diagnostic);
    }
    let middle = (0..=source.len() / 2).rev().find(|&at| source.is_char_boundary(at)).unwrap();
    for cursor in [0, middle, source.len()] {
        let (start, _) = complete(&source[..cursor], &Names::default());
        assert!(start <= cursor && source.is_char_boundary(start), "completion starts at {start} of {source:?}");
    }
    assert!(spent(started) < SHORT_PARSE_MAX, "{:?} for {source:?}", spent(started));
}

/// What is printed parses back to the same tree.
fn check_same<T: std::fmt::Display + std::fmt::Debug>(
    source: &str,
    tree: &T,
    parse: impl Fn(&str) -> Result<T, Diagnostic>,
) {
    let printed = tree.to_string();
    match parse(&printed) {
        Ok(again) => assert_eq!(shape(&again), shape(tree), "{source:?} is printed as {printed:?}"),
        Err(error) => panic!("{source:?} is printed as {printed:?}, which is refused: {error}"),
    }
}

/// Queries, expressions and types have a printer; other statements are kept as they were typed.
fn check_printed(statement: &Statement) {
    let query = match statement {
        Statement::Query(query) => &**query,
        Statement::CreateAs(create) => &create.query,
        Statement::InsertInto(insert) => &insert.query,
        Statement::InsertValues(insert) => {
            for value in insert.rows.iter().flatten() {
                check_same(&value.to_string(), value, parse_expression);
            }
            return;
        }
        Statement::CreateSource(create) => {
            for column in &create.columns {
                check_same(&column.ty.to_string(), &column.ty, parse_type);
            }
            return;
        }
        Statement::CreateType { ty, .. } => return check_same(&ty.to_string(), ty, parse_type),
        Statement::Explain(millstream_sql::ast::Explain::Statement { statement, .. }) => {
            return check_printed(statement);
        }
        _ => return,
    };
    check_same("a query", query, |text| match parse_statement(text)? {
        Statement::Query(query) => Ok(*query),
        other => panic!("{text:?} is printed for a query and is {other:?}"),
    });
}

/// A deletion, doubling or swap of a run of tokens, or a token put in.
#[derive(Debug, Clone)]
enum Mutation {
    Delete(prop::sample::Index, usize),
    Double(prop::sample::Index, usize),
    Swap(prop::sample::Index, prop::sample::Index),
    Put(prop::sample::Index, &'static str),
    /// A cut in the middle of a token.
    Cut(prop::sample::Index),
}

fn mutate(source: &str, mutation: &Mutation) -> String {
    let mut tokens: Vec<&str> = tokenize(source).iter().map(|token| token.span.of(source)).collect();
    let count = tokens.len();
    if count == 0 {
        return String::new();
    }
    match mutation {
        Mutation::Delete(at, length) => {
            let at = at.index(count);
            tokens.drain(at..(at + length).min(count));
        }
        Mutation::Double(at, length) => {
            let at = at.index(count);
            let run = tokens[at..(at + length).min(count)].to_vec();
            tokens.splice(at..at, run);
        }
        Mutation::Swap(left, right) => tokens.swap(left.index(count), right.index(count)),
        Mutation::Put(at, token) => tokens.insert(at.index(count), token),
        Mutation::Cut(at) => {
            let boundaries: Vec<usize> = source.char_indices().map(|(at, _)| at).collect();
            return source[..boundaries[at.index(boundaries.len())]].to_owned();
        }
    }
    tokens.concat()
}

fn any_token() -> impl Strategy<Value = &'static str> {
    prop_oneof![prop::sample::select(KEYWORDS), prop::sample::select(OTHER_TOKENS)]
}

fn any_mutation() -> impl Strategy<Value = Mutation> {
    let place = any::<prop::sample::Index>;
    prop_oneof![
        (place(), 1..6usize).prop_map(|(at, length)| Mutation::Delete(at, length)),
        (place(), 1..12usize).prop_map(|(at, length)| Mutation::Double(at, length)),
        (place(), place()).prop_map(|(left, right)| Mutation::Swap(left, right)),
        (place(), any_token()).prop_map(|(at, token)| Mutation::Put(at, token)),
        place().prop_map(Mutation::Cut),
    ]
}

/// A text that is an expression: random tokens hardly ever are one, so that the printer would see little.
fn any_expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(
        &[
            "a",
            "s.b",
            "`x y`",
            "LEFT",
            "1",
            "0",
            "12345678901234567890",
            "1.",
            ".5",
            "1.50",
            "1e3",
            "2.5e-7",
            "'it''s'",
            "NULL",
            "true",
            "date",
            "``",
        ][..],
    );
    leaf.prop_map(str::to_owned).prop_recursive(6, 60, 4, |inner| {
        let two = (inner.clone(), inner.clone());
        let binary = prop::sample::select(
            &[
                "+",
                "-",
                "*",
                "/",
                "%",
                "||",
                "=",
                "<>",
                "<",
                ">=",
                "AND",
                "OR",
                "IS DISTINCT FROM",
                "IS NOT DISTINCT FROM",
                "LIKE",
                "NOT LIKE",
            ][..],
        );
        let before = prop::sample::select(&["-", "+", "NOT ", "- ", "-(", "x => ", "(x, y) => "][..]);
        let behind = prop::sample::select(
            &[
                "[1]",
                "->f",
                "->`g h`",
                " IS NULL",
                " IS NOT NULL",
                " BETWEEN 1 AND 2",
                " NOT BETWEEN a AND b + 1",
                " IN (1, -2)",
                " NOT IN (a)",
                " LIKE 'x' ESCAPE '!'",
                " LIKE 'x' ESCAPE ''''",
            ][..],
        );
        let around = prop::sample::select(
            &[
                ("(", ")"),
                ("CAST(", " AS DECIMAL(4, 2))"),
                ("CAST(", " AS `my type`)"),
                ("f(", ")"),
                ("COUNT(DISTINCT ", ")"),
                ("ARRAY[", ", 1]"),
                ("MAP('k' := ", ")"),
                ("STRUCT(`a b` := ", ", c := 1)"),
                ("CASE WHEN a THEN ", " END"),
                ("CASE ", " WHEN 1 THEN 2 ELSE 3 END"),
                ("a[", "]"),
            ][..],
        );
        prop_oneof![
            (two, binary).prop_map(|((left, right), op)| format!("{left} {op} {right}")),
            (inner.clone(), before)
                .prop_map(|(operand, op)| format!("{op}{operand}{}", if op.ends_with('(') { ")" } else { "" })),
            (inner.clone(), behind).prop_map(|(operand, op)| format!("{operand}{op}")),
            (inner.clone(), around).prop_map(|(operand, (open, close))| format!("{open}{operand}{close}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(source in any::<String>()) {
        check(&source);
    }

    #[test]
    fn any_tokens(tokens in prop::collection::vec(any_token(), 0..40), spaced in any::<bool>()) {
        check(&tokens.join(if spaced { " " } else { "" }));
    }

    #[test]
    fn statements_with_slips(
        source in prop::sample::select(STATEMENTS),
        mutations in prop::collection::vec(any_mutation(), 0..5),
    ) {
        check(&mutations.iter().fold(source.to_owned(), |text, mutation| mutate(&text, mutation)));
    }

    #[test]
    fn two_statements_grown_together(
        left in prop::sample::select(STATEMENTS), right in prop::sample::select(STATEMENTS),
        cut in any::<prop::sample::Index>(), from in any::<prop::sample::Index>(),
    ) {
        let head = mutate(left, &Mutation::Cut(cut));
        let tail = &right[mutate(right, &Mutation::Cut(from)).len()..];
        check(&format!("{head}{tail}"));
    }

    #[test]
    fn expressions_print_as_they_parse(source in any_expression()) {
        check(&source);
        check(&format!("SELECT {source} AS x FROM s GROUP BY {source}, b PARTITION BY ({source}) EMIT CHANGES"));
    }
}

#[test]
fn statements_print_as_they_parse() {
    for source in STATEMENTS {
        let parsed = parse_statement(source);
        assert!(parsed.is_ok(), "{source}: {parsed:?}");
        check(source);
    }
}

/// What makes a parser that goes down one level for each piece run out of stack, or one that tries
/// twice at each level never end; parsed on a stack as small as that of a test or a server's thread.
#[test]
fn no_repetition_overflows_the_stack_or_takes_for_ever() {
    const UNITS: &[&str] = &[
        "(",
        "((a)",
        "a + ",
        "a = ",
        "NOT ",
        "- ",
        "-",
        "+",
        "a OR ",
        "a->",
        "->a",
        "[",
        "[1]",
        "a[",
        " IS NULL",
        "x => ",
        "(x, y) => ",
        "(a, ",
        "f(",
        "f(a, ",
        "CASE ",
        "CASE WHEN a THEN ",
        "CAST(",
        "ARRAY[",
        "MAP(a := ",
        "STRUCT(a := ",
        "a BETWEEN ",
        "a IN (",
        "a LIKE ",
        "a.",
        "a, ",
        "1",
        "'",
        "''",
        "`",
        "\"",
        "/*",
        "--\n",
        "EXPLAIN ",
        "SELECT ",
        "SELECT a FROM ",
        "CREATE STREAM a AS ",
        "INSERT INTO a ",
        "INSERT INTO a VALUES (",
        "GROUP BY ",
        "GROUP BY (",
        "JOIN b ON a = b ",
        "ARRAY<",
        "STRUCT<a ",
        "MAP<STRING, ",
        "CREATE TYPE a AS ARRAY<",
        "DEFINE ",
        "WITH (",
        "${",
        "${v}",
        ";",
        "é",
        "🦀",
        "\u{0}",
        "x ",
        "abcdefghij",
        "ADD COLUMN a INT, ",
        "WITHIN (",
        "::",
        "{",
    ];
    const HEADS: &[&str] = &[
        "",
        "SELECT ",
        "SELECT a FROM b WHERE ",
        "SELECT a FROM b GROUP BY (",
        "SELECT a FROM b ",
        "CREATE TYPE a AS ",
        "INSERT INTO a VALUES (",
        "CREATE STREAM a (",
    ];
    let parse_all = || {
        for unit in UNITS {
            for head in HEADS {
                let started = cpu_time();
                let text = format!("{head}{} EMIT CHANGES", unit.repeat(5_000));
                let _ = parse_statement(&text).map_err(|error| error.render(&text));
                let _ = parse_expression(&text);
                let _ = parse_type(&text);
                let _ = split_statements(&text);
                assert!(spent(started) < SHORT_PARSE_MAX, "{head:?} {unit:?}: {:?}", spent(started));
            }
        }
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    thread.spawn(parse_all).unwrap().join().unwrap();
}

#[test]
fn megabytes_are_parsed_or_refused_in_bounded_time() {
    // Less of what is many tokens, which take longer each.
    let few = ["a", "1", "'", "(", "1 + ", "🦀"].map(|unit| (unit, 4 << 20));
    let many = ["a ", "a, ", ";", "-- x\n", "f(1), "].map(|unit| (unit, 1 << 20));
    for (unit, bytes) in few.into_iter().chain(many) {
        let started = cpu_time();
        let text = format!("SELECT {}", unit.repeat(bytes / unit.len()));
        if let Err(diagnostic) = parse_statement(&text) {
            check_diagnostic(&text, &diagnostic);
            // What is shown to a person is no second copy of the statement.
            let shown = diagnostic.render(&text).len();
            assert!(shown < 10_000, "{unit:?}: a diagnostic of {shown} bytes");
        }
        let _ = split_statements(&text).len();
        assert!(spent(started) < LONG_PARSE_MAX, "{unit:?}: {:?}", spent(started));
    }
}

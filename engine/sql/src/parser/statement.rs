//! Statements, by their first words.

use super::assert::assert;
use super::expression::expression;
use super::query::query;
use super::types::sql_type;
use super::{Cursor, Result};
use crate::ast::{
    AlterSource, ColumnDef, ColumnRole, CreateAs, CreateSource, Describe, Drop, Explain, InsertInto, InsertValues,
    Print, PrintFrom, Properties, Property, QuerySelection, Show, SourceKind,
};
use crate::{Diagnostic, Ident, Statement, TokenKind, Value, closest};

pub(super) const STATEMENT_WORDS: [&str; 21] = [
    "SELECT",
    "CREATE",
    "INSERT",
    "SHOW",
    "LIST",
    "ASSERT",
    "DESCRIBE",
    "EXPLAIN",
    "PRINT",
    "TERMINATE",
    "PAUSE",
    "RESUME",
    "DROP",
    "ALTER",
    "SET",
    "UNSET",
    "DEFINE",
    "UNDEFINE",
    "RUN",
    "WITH",
    "VALUES",
];

pub(super) fn statement(cursor: &mut Cursor<'_>) -> Result<Statement> {
    super::absent::refuse(cursor)?;
    if cursor.at(&["SELECT"]) {
        return select(cursor);
    }
    if cursor.at(&["WITH"]) || cursor.at(&["VALUES"]) || cursor.at(&["("]) {
        let reason = cursor.unexpected("a streaming statement");
        return Ok(batch_query(cursor, *reason));
    }
    if cursor.accept("CREATE") {
        return create(cursor);
    }
    if cursor.accept("INSERT INTO") {
        return insert(cursor);
    }
    if cursor.accept("SHOW") || cursor.accept("LIST") {
        return show(cursor).map(Statement::Show);
    }
    if cursor.accept("DESCRIBE") {
        return describe(cursor);
    }
    if cursor.accept("EXPLAIN") {
        return explain(cursor).map(Statement::Explain);
    }
    if cursor.accept("PRINT") {
        return print(cursor).map(Statement::Print);
    }
    if cursor.accept("ASSERT") {
        return assert(cursor).map(Statement::Assert);
    }
    if cursor.accept("TERMINATE") {
        cursor.accept("QUERY");
        return query_selection(cursor).map(Statement::Terminate);
    }
    if cursor.accept("PAUSE") {
        return query_selection(cursor).map(Statement::Pause);
    }
    if cursor.accept("RESUME") {
        return query_selection(cursor).map(Statement::Resume);
    }
    if cursor.accept("DROP") {
        return drop(cursor);
    }
    if cursor.accept("ALTER") {
        return alter(cursor).map(Statement::Alter);
    }
    setting(cursor)
}

fn setting(cursor: &mut Cursor<'_>) -> Result<Statement> {
    if cursor.accept("SET") {
        let name = cursor.string("a property's name in quotes")?;
        cursor.expect("=")?;
        let value = cursor.string("a value in quotes")?;
        return Ok(Statement::Set { name, value });
    }
    if cursor.accept("UNSET") {
        return Ok(Statement::Unset { name: cursor.string("a property's name in quotes")? });
    }
    if cursor.accept("DEFINE") {
        let name = word(cursor)?;
        cursor.expect("=")?;
        return Ok(Statement::Define { name, value: cursor.string("a value in quotes")? });
    }
    if cursor.accept("UNDEFINE") {
        return Ok(Statement::Undefine { name: word(cursor)? });
    }
    if cursor.accept("RUN SCRIPT") {
        return Ok(Statement::RunScript { path: cursor.string("a file's path in quotes")? });
    }
    let mut error = cursor.unexpected("a statement");
    if let Some(token) = cursor.peek().filter(|token| token.kind == TokenKind::Word) {
        let meant = closest(cursor.text(token), STATEMENT_WORDS);
        error.help = Some(match meant {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => "statements start with SELECT, CREATE, INSERT, SHOW, DESCRIBE, DROP and the like".to_owned(),
        });
    }
    Err(error)
}

/// A word as it was written: variables' names keep their case.
fn word(cursor: &mut Cursor<'_>) -> Result<String> {
    let ident = cursor.ident("a variable's name")?;
    Ok(ident.span.of(cursor.source()).to_owned())
}

/// A streaming query; what it cannot express but batch SQL can is kept as text.
fn select(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let mark = cursor.mark();
    let parsed = query(cursor).and_then(|query| cursor.finish(query));
    match parsed {
        Ok(query) => Ok(Statement::Query(Box::new(query))),
        Err(reason) if !matches!(reason.code, "E0102" | "E0104" | "E0107") => {
            cursor.rewind(mark);
            if cursor.has_word("EMIT") { Err(reason) } else { Ok(batch_query(cursor, *reason)) }
        }
        Err(reason) => Err(reason),
    }
}

fn batch_query(cursor: &mut Cursor<'_>, reason: Diagnostic) -> Statement {
    while cursor.peek().is_some_and(|token| cursor.text(token) != ";") {
        cursor.next();
    }
    Statement::BatchQuery { text: cursor.source().trim().trim_end_matches(';').to_owned(), reason }
}

fn source_kind(cursor: &mut Cursor<'_>) -> Result<SourceKind> {
    Ok(match cursor.one_of(&["STREAM", "TABLE"])? {
        "STREAM" => SourceKind::Stream,
        _ => SourceKind::Table,
    })
}

fn create(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let or_replace = cursor.accept("OR REPLACE");
    if cursor.accept("TYPE") {
        let if_not_exists = cursor.accept("IF NOT EXISTS");
        let name = cursor.ident("a type's name")?;
        cursor.expect("AS")?;
        return Ok(Statement::CreateType { name, ty: sql_type(cursor)?, if_not_exists });
    }
    let read_only = cursor.accept("SOURCE");
    let kind = source_kind(cursor)?;
    let if_not_exists = cursor.accept("IF NOT EXISTS");
    let name = cursor.ident("a name")?;
    let columns = if cursor.accept("(") { columns(cursor)? } else { Vec::new() };
    let with = properties(cursor)?;
    if columns.is_empty() && !read_only && cursor.accept("AS") {
        let query = query(cursor)?;
        return Ok(Statement::CreateAs(CreateAs { kind, or_replace, if_not_exists, name, with, query }));
    }
    let create = CreateSource { kind, or_replace, if_not_exists, read_only, name, columns, with };
    Ok(Statement::CreateSource(create))
}

fn columns(cursor: &mut Cursor<'_>) -> Result<Vec<ColumnDef>> {
    if cursor.accept(")") {
        return Ok(Vec::new());
    }
    let columns = cursor.list(|cursor| {
        let name = cursor.ident("a column's name")?;
        let ty = sql_type(cursor)?;
        Ok(ColumnDef { name, ty, role: column_role(cursor)? })
    })?;
    cursor.expect(")")?;
    Ok(columns)
}

fn column_role(cursor: &mut Cursor<'_>) -> Result<ColumnRole> {
    Ok(if cursor.accept("PRIMARY KEY") {
        ColumnRole::PrimaryKey
    } else if cursor.accept("KEY") {
        ColumnRole::Key
    } else if cursor.accept("HEADERS") {
        ColumnRole::Headers(None)
    } else if cursor.accept("HEADER (") {
        let name = cursor.string("a header's name in quotes")?;
        cursor.expect(")")?;
        ColumnRole::Headers(Some(name))
    } else {
        ColumnRole::Value
    })
}

pub(super) fn properties(cursor: &mut Cursor<'_>) -> Result<Properties> {
    let start = cursor.here();
    if !cursor.accept("WITH (") {
        return Ok(Properties::default());
    }
    let items = if cursor.at(&[")"]) { Vec::new() } else { cursor.list(property)? };
    cursor.expect(")")?;
    Ok(Properties { items, span: cursor.since(start) })
}

fn property(cursor: &mut Cursor<'_>) -> Result<Property> {
    let name_span = cursor.here();
    let name = match cursor.string("a property's name") {
        Ok(name) => name.to_uppercase(),
        Err(_) => cursor.ident("a property's name")?.name,
    };
    cursor.expect("=")?;
    let value_span = cursor.here();
    let literal = expression(cursor)?;
    let value = match literal.kind {
        crate::ExprKind::Literal(value) if value != Value::Null => value,
        _ => {
            let message = format!("property {name} needs a literal: a string in quotes, a number, TRUE or FALSE");
            return Err(Box::new(Diagnostic::new("E0108", message).at(literal.span, "not a literal")));
        }
    };
    Ok(Property { name, value, name_span, value_span: cursor.since(value_span) })
}

fn insert(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let target = cursor.ident("the name of a stream or table")?;
    let mark = cursor.mark();
    let columns = if cursor.accept("(") {
        let columns = cursor.list(|cursor| cursor.ident("a column's name"))?;
        cursor.expect(")")?;
        columns
    } else {
        Vec::new()
    };
    if cursor.accept("VALUES") {
        let rows = cursor.list(|cursor| {
            cursor.expect("(")?;
            let row = cursor.list(expression)?;
            cursor.expect(")")?;
            Ok(row)
        })?;
        return Ok(Statement::InsertValues(InsertValues { target, columns, rows }));
    }
    cursor.rewind(mark);
    let with = properties(cursor)?;
    if !cursor.at(&["SELECT"]) {
        return Err(cursor.unexpected("\"VALUES\" or \"SELECT\""));
    }
    Ok(Statement::InsertInto(InsertInto { target, with, query: query(cursor)? }))
}

fn show(cursor: &mut Cursor<'_>) -> Result<Show> {
    let all = cursor.accept("ALL");
    let what =
        cursor.one_of(&["STREAMS", "TABLES", "TOPICS", "QUERIES", "FUNCTIONS", "PROPERTIES", "VARIABLES", "TYPES"])?;
    let extended = cursor.accept("EXTENDED");
    Ok(match what {
        "STREAMS" => Show::Streams { extended },
        "TABLES" => Show::Tables { extended },
        "TOPICS" => Show::Topics { all },
        "QUERIES" => Show::Queries { extended },
        "FUNCTIONS" => Show::Functions,
        "PROPERTIES" => Show::Properties,
        "VARIABLES" => Show::Variables,
        _ => Show::Types,
    })
}

fn describe(cursor: &mut Cursor<'_>) -> Result<Statement> {
    if cursor.accept("FUNCTION") {
        return Ok(Statement::Describe(Describe::Function(any_name(cursor, "a function's name")?)));
    }
    for (words, show) in [("STREAMS", Show::Streams { extended: true }), ("TABLES", Show::Tables { extended: true })] {
        if cursor.accept(words) {
            cursor.accept("EXTENDED");
            return Ok(Statement::Show(show));
        }
    }
    let extended = cursor.accept("EXTENDED");
    let name = cursor.ident("the name of a stream or table")?;
    Ok(Statement::Describe(Describe::Source { name, extended: cursor.accept("EXTENDED") || extended }))
}

fn explain(cursor: &mut Cursor<'_>) -> Result<Explain> {
    let start = cursor.here().start;
    if cursor.peek_at(1).is_none_or(|token| cursor.text(token) == ";") {
        return Ok(Explain::Query(query_id(cursor)?));
    }
    let statement = Box::new(cursor.nested(statement)?);
    let text = cursor.source().get(start..).unwrap_or_default().trim().trim_end_matches(';').to_owned();
    Ok(Explain::Statement { statement, text })
}

/// The name of something outside the catalog, in quotes or not. Such names are case-sensitive, so that a bare word
/// is taken as it is written.
pub(super) fn outer_name(cursor: &mut Cursor<'_>, what: &str) -> Result<Ident> {
    match cursor.peek() {
        Some(token) if token.kind == TokenKind::String => {
            let name = cursor.string(what)?;
            Ok(Ident { name, span: token.span })
        }
        Some(token) if token.kind == TokenKind::Word => {
            cursor.next();
            Ok(Ident { name: cursor.text(token).to_owned(), span: token.span })
        }
        _ => cursor.ident(what),
    }
}

fn print(cursor: &mut Cursor<'_>) -> Result<Print> {
    let topic = outer_name(cursor, "a topic")?;
    let from = print_from(cursor)?;
    let interval = if cursor.accept("INTERVAL") || cursor.accept("SAMPLE") {
        cursor.integer("a number of records")?.unsigned_abs().max(1)
    } else {
        1
    };
    let limit = if cursor.accept("LIMIT") { Some(cursor.integer("a number of records")?.unsigned_abs()) } else { None };
    Ok(Print { topic, from, interval, limit })
}

/// `FROM BEGINNING`, `[FROM] OFFSET n`, or `[FROM] OFFSET -n` for the last n records, as kcat has it.
fn print_from(cursor: &mut Cursor<'_>) -> Result<PrintFrom> {
    if cursor.accept("FROM BEGINNING") {
        return Ok(PrintFrom::Beginning);
    }
    let names_from = cursor.accept("FROM");
    if !cursor.accept("OFFSET") {
        return if names_from { Err(cursor.unexpected("BEGINNING or OFFSET")) } else { Ok(PrintFrom::End) };
    }
    let from_end = cursor.accept("-");
    let offset = cursor.integer("an offset")?;
    Ok(if from_end { PrintFrom::Last(offset) } else { PrintFrom::Offset(offset) })
}

fn query_selection(cursor: &mut Cursor<'_>) -> Result<QuerySelection> {
    if cursor.accept("ALL") { Ok(QuerySelection::All) } else { query_id(cursor).map(QuerySelection::One) }
}

/// A query's id, which may be any word, and whose case does not matter.
fn query_id(cursor: &mut Cursor<'_>) -> Result<Ident> {
    any_name(cursor, "a query's id")
}

fn any_name(cursor: &mut Cursor<'_>, what: &str) -> Result<Ident> {
    match cursor.peek() {
        Some(token) if token.kind == TokenKind::Word => {
            cursor.next();
            Ok(Ident { name: cursor.text(token).to_uppercase(), span: token.span })
        }
        _ => cursor.ident(what),
    }
}

fn drop(cursor: &mut Cursor<'_>) -> Result<Statement> {
    if cursor.accept("TYPE") {
        let if_exists = cursor.accept("IF EXISTS");
        return Ok(Statement::DropType { name: cursor.ident("a type's name")?, if_exists });
    }
    let kind = source_kind(cursor)?;
    let if_exists = cursor.accept("IF EXISTS");
    let name = cursor.ident("the name of a stream or table")?;
    let delete_topic = cursor.accept("DELETE TOPIC");
    Ok(Statement::Drop(Drop { kind, if_exists, name, delete_topic }))
}

fn alter(cursor: &mut Cursor<'_>) -> Result<AlterSource> {
    let kind = source_kind(cursor)?;
    let name = cursor.ident("the name of a stream or table")?;
    let columns = cursor.list(|cursor| {
        cursor.expect("ADD")?;
        cursor.accept("COLUMN");
        let name = cursor.ident("a column's name")?;
        Ok(ColumnDef { name, ty: sql_type(cursor)?, role: ColumnRole::Value })
    })?;
    Ok(AlterSource { kind, name, columns })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_statement;

    fn parsed(source: &str) -> Statement {
        parse_statement(source).unwrap_or_else(|error| panic!("{}", error.render(source)))
    }

    #[test]
    fn sources_are_declared() {
        let Statement::CreateSource(create) = parsed(
            "CREATE OR REPLACE TABLE IF NOT EXISTS t (id BIGINT PRIMARY KEY, v STRUCT<a INT, `b c` ARRAY<STRING>>, \
             h ARRAY<STRUCT<key STRING, value BYTES>> HEADERS) WITH (KAFKA_TOPIC='t', format='JSON', PARTITIONS=4);",
        ) else {
            panic!()
        };
        assert!(create.or_replace && create.if_not_exists && create.kind == SourceKind::Table);
        assert_eq!(create.columns[1].ty.to_string(), "STRUCT<A INTEGER, `b c` ARRAY<STRING>>");
        assert_eq!(create.columns[2].role, ColumnRole::Headers(None));
        assert_eq!(create.with.get("FORMAT").unwrap().value, Value::String("JSON".to_owned()));
        assert_eq!(create.with.get("PARTITIONS").unwrap().value, Value::Integer(4));
    }

    #[test]
    fn every_other_statement_parses() {
        for source in [
            "CREATE STREAM a WITH (PARTITIONS=1) AS SELECT * FROM b EMIT CHANGES",
            "CREATE TABLE a AS SELECT k, COUNT(*) FROM b GROUP BY k",
            "INSERT INTO a SELECT * FROM b",
            "INSERT INTO a (x, y) VALUES (1, 'z'), (2, NULL)",
            "SHOW ALL TOPICS",
            "LIST STREAMS EXTENDED",
            "DESCRIBE a EXTENDED",
            "DESCRIBE STREAMS EXTENDED",
            "DESCRIBE FUNCTION LEFT",
            "EXPLAIN CTAS_A_1",
            "EXPLAIN SELECT * FROM a EMIT CHANGES",
            "PRINT some_Topic FROM BEGINNING LIMIT 3",
            "PRINT some_Topic FROM OFFSET 12 INTERVAL 2 LIMIT 3",
            "PRINT some_Topic OFFSET -5",
            "PRINT 'some-topic'",
            "TERMINATE ALL",
            "PAUSE ctas_a_1",
            "RESUME ALL",
            "DROP STREAM IF EXISTS a DELETE TOPIC",
            "ALTER STREAM a ADD COLUMN x INT, ADD y STRING",
            "CREATE TYPE address AS STRUCT<a INT>",
            "DROP TYPE IF EXISTS address",
            "SET 'auto.offset.reset' = 'earliest'",
            "UNSET 'auto.offset.reset'",
            "DEFINE x = 'y'",
            "UNDEFINE x",
            "RUN SCRIPT 'a.sql'",
        ] {
            parsed(source);
        }
    }

    #[test]
    fn batch_sql_is_kept_as_text_unless_it_emits() {
        let source = "SELECT a, rank() OVER (ORDER BY b) FROM t ORDER BY a;";
        assert!(matches!(parsed(source), Statement::BatchQuery { text, .. } if text.ends_with("ORDER BY a")));
        assert!(matches!(parsed("WITH x AS (SELECT 1) SELECT * FROM x"), Statement::BatchQuery { .. }));
        assert!(parse_statement("SELECT a FROM t ORDER BY a EMIT CHANGES").is_err());
    }

    #[test]
    fn a_misspelt_statement_gets_a_suggestion() {
        let error = parse_statement("CRAETE STREAM a").unwrap_err();
        assert_eq!(error.help.as_deref(), Some("did you mean \"CREATE\"?"));
    }
}

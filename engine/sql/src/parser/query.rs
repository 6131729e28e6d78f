//! `SELECT` and its clauses.

use super::expression::expression;
use super::{Cursor, Result};
use crate::ast::{Emit, Join, JoinKind, Query, Relation, SelectItem, Window, WindowKind, Within};
use crate::{Diagnostic, Expr, Ident, TokenKind};

pub(super) fn query(cursor: &mut Cursor<'_>) -> Result<Query> {
    let start = cursor.here();
    cursor.expect("SELECT")?;
    let select = cursor.list(select_item)?;
    cursor.expect("FROM")?;
    let from = relation(cursor)?;
    let mut joins = Vec::new();
    while let Some(join) = join(cursor)? {
        joins.push(join);
    }
    let window = if cursor.at(&["WINDOW"]) { Some(window(cursor)?) } else { None };
    let filter = if cursor.accept("WHERE") { Some(expression(cursor)?) } else { None };
    let group_by = if cursor.accept("GROUP BY") { keys(cursor)? } else { Vec::new() };
    let partition_by = if cursor.accept("PARTITION BY") { keys(cursor)? } else { Vec::new() };
    let having = if cursor.accept("HAVING") { Some(expression(cursor)?) } else { None };
    let emit = if cursor.accept("EMIT") {
        Some(match cursor.one_of(&["CHANGES", "FINAL"])? {
            "FINAL" => Emit::Final,
            _ => Emit::Changes,
        })
    } else {
        None
    };
    let limit = if cursor.accept("LIMIT") { Some(cursor.integer("a number of rows")?.unsigned_abs()) } else { None };
    let span = cursor.since(start);
    Ok(Query { select, from, joins, window, filter, group_by, partition_by, having, emit, limit, span })
}

fn select_item(cursor: &mut Cursor<'_>) -> Result<SelectItem> {
    let start = cursor.here();
    if cursor.accept("*") {
        return Ok(SelectItem::Star { source: None, span: start });
    }
    let mark = cursor.mark();
    if let Ok(source) = cursor.ident("a source")
        && cursor.accept(". *")
    {
        return Ok(SelectItem::Star { source: Some(source), span: cursor.since(start) });
    }
    cursor.rewind(mark);
    let expr = expression(cursor)?;
    if cursor.accept("-> *") {
        return Ok(SelectItem::StructStar(expr));
    }
    Ok(SelectItem::Expr { expr, alias: alias(cursor)? })
}

fn alias(cursor: &mut Cursor<'_>) -> Result<Option<Ident>> {
    if cursor.accept("AS") {
        return cursor.ident("an alias").map(Some);
    }
    // Clauses that may follow start with words that could be names.
    let clauses = ["WINDOW", "WITHIN", "EMIT", "PARTITION", "GRACE"];
    match cursor.peek() {
        Some(token) if matches!(token.kind, TokenKind::Word | TokenKind::QuotedName) => {
            let text = cursor.text(token).to_ascii_uppercase();
            let is_name = !clauses.contains(&text.as_str()) && !crate::keyword::is_reserved(&text);
            if is_name { cursor.ident("an alias").map(Some) } else { Ok(None) }
        }
        _ => Ok(None),
    }
}

fn relation(cursor: &mut Cursor<'_>) -> Result<Relation> {
    let name = cursor.ident("the name of a stream or table")?;
    Ok(Relation { name, alias: alias(cursor)? })
}

fn join(cursor: &mut Cursor<'_>) -> Result<Option<Join>> {
    let start = cursor.here();
    let kinds =
        [("INNER", JoinKind::Inner), ("LEFT", JoinKind::Left), ("RIGHT", JoinKind::Right), ("FULL", JoinKind::Full)];
    let kind = if cursor.accept("JOIN") {
        JoinKind::Inner
    } else if let Some((_, kind)) = kinds.iter().find(|(word, _)| cursor.accept(word)) {
        if *kind != JoinKind::Inner {
            cursor.accept("OUTER");
        }
        cursor.expect("JOIN")?;
        *kind
    } else {
        return Ok(None);
    };
    let relation = relation(cursor)?;
    let within = if cursor.at(&["WITHIN"]) { Some(within(cursor)?) } else { None };
    cursor.expect("ON")?;
    let on = expression(cursor)?;
    Ok(Some(Join { kind, relation, within, on, span: cursor.since(start) }))
}

fn within(cursor: &mut Cursor<'_>) -> Result<Within> {
    let start = cursor.here();
    cursor.expect("WITHIN")?;
    let (before_ms, after_ms) = if cursor.accept("(") {
        let before = duration(cursor)?;
        cursor.expect(",")?;
        let after = duration(cursor)?;
        cursor.expect(")")?;
        (before, after)
    } else {
        let both = duration(cursor)?;
        (both, both)
    };
    let grace_ms = if cursor.accept("GRACE PERIOD") { Some(duration(cursor)?) } else { None };
    Ok(Within { before_ms, after_ms, grace_ms, span: cursor.since(start) })
}

fn window(cursor: &mut Cursor<'_>) -> Result<Window> {
    let start = cursor.here();
    cursor.expect("WINDOW")?;
    // A name for the window may stand before its kind.
    if !["TUMBLING", "HOPPING", "SESSION"].iter().any(|kind| cursor.at(&[kind])) {
        let mark = cursor.mark();
        if cursor.ident("a kind of window").is_err()
            || !["TUMBLING", "HOPPING", "SESSION"].iter().any(|kind| cursor.at(&[kind]))
        {
            cursor.rewind(mark);
        }
    }
    let kind = cursor.one_of(&["TUMBLING", "HOPPING", "SESSION"])?;
    cursor.expect("(")?;
    let kind = match kind {
        "TUMBLING" => {
            cursor.expect("SIZE")?;
            WindowKind::Tumbling { size_ms: positive(cursor)? }
        }
        "HOPPING" => {
            cursor.expect("SIZE")?;
            let size_ms = positive(cursor)?;
            cursor.expect(", ADVANCE BY")?;
            let place = cursor.here();
            let advance_ms = positive(cursor)?;
            if advance_ms > size_ms {
                let message = "a hopping window advances by more than its size, so that records fall between windows";
                let help = "make ADVANCE BY at most SIZE";
                return Err(Box::new(Diagnostic::new("E0107", message).at(cursor.since(place), "").help(help)));
            }
            WindowKind::Hopping { size_ms, advance_ms }
        }
        _ => WindowKind::Session { gap_ms: positive(cursor)? },
    };
    let retention_ms = if cursor.accept(", RETENTION") { Some(duration(cursor)?) } else { None };
    let grace_ms = if cursor.accept(", GRACE PERIOD") { Some(duration(cursor)?) } else { None };
    cursor.expect(")")?;
    Ok(Window { kind, retention_ms, grace_ms, span: cursor.since(start) })
}

fn positive(cursor: &mut Cursor<'_>) -> Result<i64> {
    let place = cursor.here();
    match duration(cursor)? {
        0 => Err(Box::new(Diagnostic::new("E0107", "a window must be longer than 0").at(cursor.since(place), ""))),
        ms => Ok(ms),
    }
}

/// `5 MINUTES` in ms.
pub(super) fn duration(cursor: &mut Cursor<'_>) -> Result<i64> {
    let place = cursor.here();
    let count = cursor.integer("a number of units of time")?;
    const UNITS: [(&str, i64); 7] = [
        ("MILLISECOND", 1),
        ("SECOND", 1000),
        ("MINUTE", 60_000),
        ("HOUR", 3_600_000),
        ("DAY", 86_400_000),
        ("MONTH", 30 * 86_400_000),
        ("YEAR", 365 * 86_400_000),
    ];
    let unit = UNITS.iter().find(|(unit, _)| cursor.accept(unit) || cursor.accept(&format!("{unit}S")));
    let Some((_, unit_ms)) = unit else {
        return Err(cursor.unexpected("a unit of time (MILLISECONDS, SECONDS, MINUTES, HOURS, DAYS)"));
    };
    count.checked_mul(*unit_ms).ok_or_else(|| {
        Box::new(Diagnostic::new("E0107", "the time exceeds 292 million years").at(cursor.since(place), "too long"))
    })
}

/// `a, b` or `(a, b)`.
fn keys(cursor: &mut Cursor<'_>) -> Result<Vec<Expr>> {
    let mark = cursor.mark();
    if cursor.accept("(") {
        if cursor.accept(")") {
            return Ok(Vec::new());
        }
        let list = cursor.list(expression);
        let next_starts_clause = |cursor: &Cursor<'_>| {
            cursor.peek().is_none_or(|token| {
                token.kind == TokenKind::Word
                    && !matches!(
                        cursor.text(token).to_ascii_uppercase().as_str(),
                        "IS" | "IN" | "LIKE" | "BETWEEN" | "NOT" | "AND" | "OR"
                    )
                    || matches!(cursor.text(token), ";" | ")")
            })
        };
        if let Ok(list) = list
            && cursor.accept(")")
            && next_starts_clause(cursor)
        {
            return Ok(list);
        }
        cursor.rewind(mark);
    }
    cursor.list(expression)
}

#[cfg(test)]
mod tests {
    use crate::{Statement, parse_statement};

    #[test]
    fn queries_print_as_they_parse() {
        for source in [
            "SELECT * FROM S EMIT CHANGES",
            "SELECT A.*, B->*, (C + 1) AS D FROM S AS A WHERE (C > 1) EMIT CHANGES LIMIT 5",
            "SELECT K, COUNT(*) AS N FROM S WINDOW TUMBLING (SIZE 60000 MILLISECONDS, RETENTION 1 MILLISECONDS, GRACE PERIOD 2 MILLISECONDS) GROUP BY K HAVING (COUNT(*) > 1) EMIT FINAL",
            "SELECT K FROM S WINDOW HOPPING (SIZE 10 MILLISECONDS, ADVANCE BY 5 MILLISECONDS) GROUP BY K, J",
            "SELECT K FROM S WINDOW SESSION (10 MILLISECONDS) GROUP BY K",
            "SELECT A.X FROM S AS A LEFT JOIN T AS B WITHIN (1 MILLISECONDS, 2 MILLISECONDS) GRACE PERIOD 3 MILLISECONDS ON (A.X = B.X) INNER JOIN U ON (A.X = U.X) PARTITION BY A.X",
        ] {
            let statement = parse_statement(source).unwrap_or_else(|error| panic!("{}", error.render(source)));
            let Statement::Query(query) = statement else { panic!("{source}") };
            assert_eq!(query.to_string(), source);
        }
    }

    #[test]
    fn a_wrong_clause_is_pointed_at() {
        let source = "SELECT * FROM s WHER a > 1 EMIT CHANGES";
        let error = parse_statement(source).unwrap_err();
        assert!(error.render(source).contains("did you mean"), "{}", error.render(source));
    }
}

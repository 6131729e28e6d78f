//! Expressions, by precedence climbing.

use super::types::{distinct_names, sql_type};
use super::{Cursor, Result};
use crate::ast::{BinaryOp, UnaryOp};
use crate::{Diagnostic, Expr, ExprKind, Ident, Span, TokenKind, Value};

/// How tightly operators bind, loosest first.
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARISON: u8 = 4;
const SUM: u8 = 5;
const PRODUCT: u8 = 6;
const SIGN: u8 = 7;

pub(super) fn expression(cursor: &mut Cursor<'_>) -> Result<Expr> {
    binary(cursor, OR)
}

/// An expression whose operators bind at least as tightly as `level`.
fn binary(cursor: &mut Cursor<'_>, level: u8) -> Result<Expr> {
    cursor.nested(|cursor| {
        let mut left = unary(cursor, level)?;
        loop {
            let start = left.span;
            if level <= COMPARISON && at_predicate(cursor) {
                left = predicate(cursor, left)?;
                cursor.link()?;
            } else if let Some((op, op_level)) = operator(cursor).filter(|(_, op_level)| *op_level >= level) {
                cursor.next();
                let right = binary(cursor, op_level + 1)?;
                cursor.link()?;
                let kind = ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) };
                left = Expr { kind, span: cursor.since(start) };
            } else {
                return Ok(left);
            }
        }
    })
}

fn operator(cursor: &Cursor<'_>) -> Option<(BinaryOp, u8)> {
    let token = cursor.peek()?;
    if !matches!(token.kind, TokenKind::Word | TokenKind::Symbol) {
        return None;
    }
    Some(match cursor.text(token).to_ascii_uppercase().as_str() {
        "OR" => (BinaryOp::Or, OR),
        "AND" => (BinaryOp::And, AND),
        "=" => (BinaryOp::Eq, COMPARISON),
        "<>" | "!=" => (BinaryOp::NotEq, COMPARISON),
        "<" => (BinaryOp::Lt, COMPARISON),
        "<=" => (BinaryOp::LtEq, COMPARISON),
        ">" => (BinaryOp::Gt, COMPARISON),
        ">=" => (BinaryOp::GtEq, COMPARISON),
        "+" => (BinaryOp::Add, SUM),
        "-" => (BinaryOp::Subtract, SUM),
        "||" => (BinaryOp::Concat, SUM),
        "*" => (BinaryOp::Multiply, PRODUCT),
        "/" => (BinaryOp::Divide, PRODUCT),
        "%" => (BinaryOp::Modulo, PRODUCT),
        _ => return None,
    })
}

fn at_predicate(cursor: &Cursor<'_>) -> bool {
    let words: [&[&str]; 7] =
        [&["IS"], &["BETWEEN"], &["IN"], &["LIKE"], &["NOT", "BETWEEN"], &["NOT", "IN"], &["NOT", "LIKE"]];
    words.iter().any(|words| cursor.at(words))
}

/// `IS NULL`, `BETWEEN`, `IN`, `LIKE` and their negations.
fn predicate(cursor: &mut Cursor<'_>, operand: Expr) -> Result<Expr> {
    let start = operand.span;
    let operand = Box::new(operand);
    let kind = if cursor.accept("IS") {
        let negated = cursor.accept("NOT");
        match cursor.one_of(&["NULL", "DISTINCT"])? {
            "NULL" => ExprKind::IsNull { operand, negated },
            _ => {
                cursor.expect("FROM")?;
                ExprKind::IsDistinct { left: operand, right: Box::new(binary(cursor, SUM)?), negated }
            }
        }
    } else {
        let negated = cursor.accept("NOT");
        match cursor.one_of(&["BETWEEN", "IN", "LIKE"])? {
            "BETWEEN" => {
                let low = Box::new(binary(cursor, SUM)?);
                cursor.expect("AND")?;
                ExprKind::Between { operand, low, high: Box::new(binary(cursor, SUM)?), negated }
            }
            "IN" => {
                cursor.expect("(")?;
                let list = cursor.list(expression)?;
                cursor.expect(")")?;
                ExprKind::In { operand, list, negated }
            }
            _ => {
                let pattern = Box::new(binary(cursor, SUM)?);
                ExprKind::Like { operand, pattern, escape: escape(cursor)?, negated }
            }
        }
    };
    Ok(Expr { kind, span: cursor.since(start) })
}

fn escape(cursor: &mut Cursor<'_>) -> Result<Option<char>> {
    if !cursor.accept("ESCAPE") {
        return Ok(None);
    }
    let mark = cursor.mark();
    let text = cursor.string("an escape character")?;
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Ok(Some(c)),
        _ => {
            cursor.rewind(mark);
            Err(cursor.unexpected("a single escape character"))
        }
    }
}

fn unary(cursor: &mut Cursor<'_>, level: u8) -> Result<Expr> {
    let start = cursor.here();
    let (op, operand_level) = if level <= NOT && cursor.accept("NOT") {
        (UnaryOp::Not, NOT)
    } else if cursor.accept("-") {
        (UnaryOp::Minus, SIGN)
    } else if cursor.accept("+") {
        (UnaryOp::Plus, SIGN)
    } else {
        return postfix(cursor);
    };
    // The least BIGINT: without its sign it is none.
    if op == UnaryOp::Minus && cursor.peek().is_some_and(|token| cursor.text(token) == "9223372036854775808") {
        cursor.next();
        return Ok(Expr { kind: ExprKind::Literal(Value::Integer(i64::MIN)), span: cursor.since(start) });
    }
    let operand = binary(cursor, operand_level)?;
    let span = cursor.since(start);
    let kind = match (op, operand.kind) {
        (UnaryOp::Minus, ExprKind::Literal(Value::Integer(value))) => {
            ExprKind::Literal(Value::Integer(value.wrapping_neg()))
        }
        (UnaryOp::Minus, ExprKind::Literal(Value::Double(value))) => ExprKind::Literal(Value::Double(-value)),
        (UnaryOp::Minus, ExprKind::Literal(Value::Decimal(value, scale))) => {
            ExprKind::Literal(Value::Decimal(-value, scale))
        }
        (op, kind) => ExprKind::Unary { op, operand: Box::new(Expr { kind, span: operand.span }) },
    };
    Ok(Expr { kind, span })
}

/// A primary expression with `->field` and `[index]` behind it.
fn postfix(cursor: &mut Cursor<'_>) -> Result<Expr> {
    let mut expr = primary(cursor)?;
    loop {
        let start = expr.span;
        let operand = Box::new(expr);
        let kind = if cursor.at(&["->"]) && !cursor.at(&["->", "*"]) {
            cursor.next();
            ExprKind::Field { operand, name: any_word(cursor)? }
        } else if cursor.accept("[") {
            let index = Box::new(expression(cursor)?);
            cursor.expect("]")?;
            ExprKind::Index { operand, index }
        } else {
            return Ok(*operand);
        };
        cursor.link()?;
        expr = Expr { kind, span: cursor.since(start) };
    }
}

/// A field's name: after an arrow even a keyword is one.
fn any_word(cursor: &mut Cursor<'_>) -> Result<Ident> {
    match cursor.peek() {
        Some(token) if token.kind == TokenKind::Word => {
            cursor.next();
            Ok(Ident { name: cursor.text(token).to_uppercase(), span: token.span })
        }
        _ => cursor.ident("a field's name"),
    }
}

fn primary(cursor: &mut Cursor<'_>) -> Result<Expr> {
    let start = cursor.here();
    let Some(token) = cursor.peek() else { return Err(cursor.unexpected("an expression")) };
    let text = cursor.text(token);
    let literal = |cursor: &mut Cursor<'_>, value: Value| {
        cursor.next();
        Ok(Expr { kind: ExprKind::Literal(value), span: start })
    };
    match token.kind {
        TokenKind::String => {
            let text = cursor.string("a string")?;
            Ok(Expr { kind: ExprKind::Literal(Value::String(text)), span: start })
        }
        TokenKind::Integer => match text.parse() {
            Ok(value) => literal(cursor, Value::Integer(value)),
            Err(_) => {
                let message = format!("{text} is too large for a BIGINT");
                let help = format!("write it as a DECIMAL: {text}.0");
                Err(Box::new(Diagnostic::new("E0109", message).at(start, "too large").help(help)))
            }
        },
        TokenKind::Decimal => decimal(cursor, text),
        TokenKind::Float => match text.parse::<f64>() {
            Ok(value) if value.is_finite() => literal(cursor, Value::Double(value)),
            _ => Err(cursor.unexpected("a number that a DOUBLE can hold")),
        },
        TokenKind::Symbol if text == "(" => parenthesised(cursor),
        TokenKind::Word => match text.to_ascii_uppercase().as_str() {
            "NULL" => literal(cursor, Value::Null),
            "TRUE" => literal(cursor, Value::Boolean(true)),
            "FALSE" => literal(cursor, Value::Boolean(false)),
            "CASE" => case(cursor),
            "CAST" if cursor.accept("CAST (") => cast(cursor, start),
            "ARRAY" if cursor.accept("ARRAY [") => array(cursor, start),
            "MAP" if cursor.accept("MAP (") => map(cursor, start),
            "STRUCT" if cursor.accept("STRUCT (") => structure(cursor, start),
            _ => name(cursor),
        },
        TokenKind::QuotedName => name(cursor),
        _ => Err(cursor.unexpected("an expression")),
    }
}

/// A number too long for an integer, or with a point: exact, as long as 38 digits suffice.
fn decimal(cursor: &mut Cursor<'_>, text: &str) -> Result<Expr> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction}");
    let span = cursor.here();
    let significant = digits.trim_start_matches('0').len();
    let value = digits.parse().ok().filter(|_| significant <= 38 && fraction.len() <= 38);
    match value {
        Some(unscaled) => {
            cursor.next();
            Ok(Expr { kind: ExprKind::Literal(Value::Decimal(unscaled, fraction.len() as u8)), span })
        }
        None => Err(cursor.unexpected("a number of at most 38 digits")),
    }
}

/// `(expression)` or the parameters of a lambda.
fn parenthesised(cursor: &mut Cursor<'_>) -> Result<Expr> {
    let start = cursor.here();
    let mark = cursor.mark();
    cursor.expect("(")?;
    if let Ok(params) = cursor.list(|cursor| cursor.ident("a parameter"))
        && cursor.accept(") =>")
    {
        return lambda(cursor, params, start);
    }
    cursor.rewind(mark);
    cursor.expect("(")?;
    let inner = expression(cursor)?;
    cursor.expect(")")?;
    Ok(Expr { span: cursor.since(start), ..inner })
}

fn lambda(cursor: &mut Cursor<'_>, params: Vec<Ident>, start: Span) -> Result<Expr> {
    let body = Box::new(expression(cursor)?);
    Ok(Expr { kind: ExprKind::Lambda { params, body }, span: cursor.since(start) })
}

fn case(cursor: &mut Cursor<'_>) -> Result<Expr> {
    let start = cursor.here();
    cursor.expect("CASE")?;
    let operand = if cursor.at(&["WHEN"]) { None } else { Some(Box::new(expression(cursor)?)) };
    let mut branches = Vec::new();
    while cursor.accept("WHEN") {
        let when = expression(cursor)?;
        cursor.expect("THEN")?;
        branches.push((when, expression(cursor)?));
    }
    if branches.is_empty() {
        return Err(cursor.unexpected("\"WHEN\""));
    }
    let otherwise = if cursor.accept("ELSE") { Some(Box::new(expression(cursor)?)) } else { None };
    cursor.expect("END")?;
    Ok(Expr { kind: ExprKind::Case { operand, branches, otherwise }, span: cursor.since(start) })
}

fn cast(cursor: &mut Cursor<'_>, start: Span) -> Result<Expr> {
    let operand = Box::new(expression(cursor)?);
    cursor.expect("AS")?;
    let ty = sql_type(cursor)?;
    cursor.expect(")")?;
    Ok(Expr { kind: ExprKind::Cast { operand, ty }, span: cursor.since(start) })
}

fn array(cursor: &mut Cursor<'_>, start: Span) -> Result<Expr> {
    let items = if cursor.at(&["]"]) { Vec::new() } else { cursor.list(expression)? };
    cursor.expect("]")?;
    Ok(Expr { kind: ExprKind::Array(items), span: cursor.since(start) })
}

fn map(cursor: &mut Cursor<'_>, start: Span) -> Result<Expr> {
    let entry = |cursor: &mut Cursor<'_>| {
        let key = expression(cursor)?;
        cursor.expect(":=")?;
        Ok((key, expression(cursor)?))
    };
    let entries = if cursor.at(&[")"]) { Vec::new() } else { cursor.list(entry)? };
    cursor.expect(")")?;
    Ok(Expr { kind: ExprKind::Map(entries), span: cursor.since(start) })
}

fn structure(cursor: &mut Cursor<'_>, start: Span) -> Result<Expr> {
    let field = |cursor: &mut Cursor<'_>| {
        let name = any_word(cursor)?;
        cursor.expect(":=")?;
        Ok((name, expression(cursor)?))
    };
    let fields = if cursor.at(&[")"]) { Vec::new() } else { cursor.list(field)? };
    cursor.expect(")")?;
    distinct_names(fields.iter().map(|(name, _)| name))?;
    Ok(Expr { kind: ExprKind::Struct(fields), span: cursor.since(start) })
}

/// A column, a function call or a lambda of one parameter.
fn name(cursor: &mut Cursor<'_>) -> Result<Expr> {
    let start = cursor.here();
    let is_call = cursor.peek().is_some_and(|token| token.kind == TokenKind::Word)
        && cursor.peek_at(1).is_some_and(|token| cursor.text(token) == "(");
    let first = if is_call { any_word(cursor)? } else { cursor.ident("an expression")? };
    let kind = if is_call {
        call(cursor, first)?
    } else if cursor.accept("=>") {
        return lambda(cursor, vec![first], start);
    } else if cursor.at(&["."]) && !cursor.at(&[".", "*"]) {
        cursor.next();
        ExprKind::Column { source: Some(first), name: any_word(cursor)? }
    } else {
        ExprKind::Column { source: None, name: first }
    };
    Ok(Expr { kind, span: cursor.since(start) })
}

fn call(cursor: &mut Cursor<'_>, name: Ident) -> Result<ExprKind> {
    cursor.expect("(")?;
    if cursor.accept("* )") {
        return Ok(ExprKind::Call { name, args: Vec::new(), star: true, distinct: false });
    }
    let distinct = cursor.accept("DISTINCT");
    let args = if cursor.at(&[")"]) { Vec::new() } else { cursor.list(expression)? };
    cursor.expect(")")?;
    Ok(ExprKind::Call { name, args, star: false, distinct })
}

#[cfg(test)]
mod tests {
    use crate::parse_expression;
    use proptest::prelude::*;

    fn printed(source: &str) -> String {
        parse_expression(source).unwrap_or_else(|error| panic!("{}", error.render(source))).to_string()
    }

    #[test]
    fn operators_bind_as_in_sql() {
        for (source, expected) in [
            ("a + b * c - d", "((A + (B * C)) - D)"),
            ("not a = b and c or d", "(((NOT (A = B)) AND C) OR D)"),
            ("a->b->c[1] + 1", "(A->B->C[1] + 1)"),
            ("s.a->b[1]->c", "S.A->B[1]->C"),
            ("-a * -2", "(-A * -2)"),
            ("a between 1 and 2 and b", "((A BETWEEN 1 AND 2) AND B)"),
            ("a not in (1, 2) or b is not null", "((A NOT IN (1, 2)) OR (B IS NOT NULL))"),
            ("a like 'x%' escape '!' ", "(A LIKE 'x%' ESCAPE '!')"),
            ("a is distinct from b + 1", "(A IS DISTINCT FROM (B + 1))"),
            ("transform(m, (k, v) => k, x => x + 1)", "TRANSFORM(M, (K, V) => K, (X) => (X + 1))"),
            ("case a when 1 then 'x' else 'y' end", "(CASE A WHEN 1 THEN 'x' ELSE 'y' END)"),
            ("cast(a as map<string, array<decimal(4,2)>>)", "CAST(A AS MAP<STRING, ARRAY<DECIMAL(4, 2)>>)"),
            ("struct(a := 1, `b` := array[1.50, 2])", "STRUCT(A := 1, `b` := ARRAY[1.50, 2])"),
            ("map('a' := 1)['a']", "MAP('a' := 1)['a']"),
            ("replace(a, left(b, 1), date)", "REPLACE(A, LEFT(B, 1), DATE)"),
            ("count(*) > 1e3", "(COUNT(*) > 1E3)"),
        ] {
            assert_eq!(printed(source), expected);
            assert_eq!(printed(expected), expected, "printing {source} parses back");
        }
    }

    #[test]
    fn errors_point_at_the_token() {
        let error = parse_expression("a + from").unwrap_err();
        assert_eq!(error.message, "expected an expression, found \"from\"");
        assert_eq!((error.labels[0].span.start, error.labels[0].span.end), (4, 8));
        let error = parse_expression(&"(".repeat(5000)).unwrap_err();
        assert!(error.message.contains("levels deep"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(source in "\\PC*") {
            let _ = parse_expression(&source);
            let _ = crate::parse_statement(&source);
        }

        #[test]
        fn no_mix_of_words_makes_the_parser_panic(words in proptest::collection::vec("SELECT|FROM|a|WHERE|\\(|\\)|,|1|'x'|->|CREATE|STREAM|WITH|=|CASE|WINDOW|JOIN|WITHIN|EMIT|CHANGES|=>|\\[|\\*", 0..20)) {
            let _ = crate::parse_statement(&words.join(" "));
        }
    }
}

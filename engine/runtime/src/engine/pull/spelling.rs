//! The dialect's spelling of batch SQL.

use millstream_plan::parse_time;
use millstream_sql::{Token, TokenKind, tokenize};

/// The names that occur in a text, as the dialect spells them.
pub(super) fn words(text: &str) -> Vec<String> {
    let word = |token: Token| match token.kind {
        TokenKind::Word => Some(token.span.of(text).to_uppercase()),
        TokenKind::QuotedName => Some(inner(token.span.of(text))),
        _ => None,
    };
    tokenize(text).into_iter().filter_map(word).collect()
}

fn inner(quoted: &str) -> String {
    let mark = quoted.chars().next().unwrap_or('"');
    let text = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    text.replace(&format!("{mark}{mark}"), &mark.to_string())
}

/// The dialect's spelling in standard SQL: names in upper case unless quoted, backticks as double quotes,
/// and `a->b` as `a['b']`.
pub(super) fn to_batch_sql(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut after_arrow = false;
    let tokens = tokenize(text);
    for (at, token) in tokens.iter().enumerate() {
        let piece = token.span.of(text);
        match token.kind {
            TokenKind::String => match parse_time(&inner(piece)).filter(|_| meets_time(&tokens, at, text)) {
                Some(ms) => out.push_str(&ms.to_string()),
                None => out.push_str(piece),
            },
            TokenKind::Symbol if piece == "->" => after_arrow = true,
            TokenKind::Space if after_arrow => {}
            TokenKind::Word | TokenKind::QuotedName if after_arrow => {
                let name = if token.kind == TokenKind::Word { piece.to_uppercase() } else { inner(piece) };
                out.push_str(&format!("['{}']", name.replace('\'', "''")));
                after_arrow = false;
            }
            TokenKind::Word => out.push_str(&piece.to_uppercase()),
            TokenKind::QuotedName => out.push_str(&format!("\"{}\"", inner(piece).replace('"', "\"\""))),
            _ => out.push_str(piece),
        }
    }
    out
}

/// Whether a token is compared with a time in ms: with ROWTIME or the bounds of a window.
fn meets_time(tokens: &[Token], at: usize, text: &str) -> bool {
    let is_word = |token: &&Token| !token.kind.is_trivia();
    let before: Vec<String> = tokens.iter().take(at).rev().filter(is_word).take(4).map(|t| upper(t, text)).collect();
    let after: Vec<String> = tokens.iter().skip(at + 1).filter(is_word).take(2).map(|t| upper(t, text)).collect();
    let is_time =
        |word: Option<&String>| matches!(word.map(String::as_str), Some("ROWTIME" | "WINDOWSTART" | "WINDOWEND"));
    let compares = |word: Option<&String>| {
        matches!(word.map(String::as_str), Some("=" | "<>" | "!=" | "<" | "<=" | ">" | ">=" | "BETWEEN"))
    };
    let is_between = |at: usize| before.get(at).is_some_and(|word| word == "BETWEEN") && is_time(before.get(at + 1));
    compares(before.first()) && is_time(before.get(1))
        || compares(after.first()) && is_time(after.get(1))
        || before.first().is_some_and(|word| word == "AND") && is_between(2)
}

fn upper(token: &Token, text: &str) -> String {
    token.span.of(text).to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dialect_is_spelt_as_batch_sql() {
        assert_eq!(
            to_batch_sql("select a->b, `x y`, 'a->b' from t -- c"),
            "SELECT A['B'], \"x y\", 'a->b' FROM T -- c"
        );
        assert_eq!(
            to_batch_sql("rowtime > '1970-01-02' and windowstart between '1970' and '1970-01-02' and '1970' < v"),
            "ROWTIME > 86400000 AND WINDOWSTART BETWEEN 0 AND 86400000 AND '1970' < V"
        );
    }
}

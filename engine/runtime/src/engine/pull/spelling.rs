//! The dialect's spelling of batch SQL.

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
    for token in tokenize(text) {
        let piece = token.span.of(text);
        match token.kind {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dialect_is_spelt_as_batch_sql() {
        assert_eq!(
            to_batch_sql("select a->b, `x y`, 'a->b' from t -- c"),
            "SELECT A['B'], \"x y\", 'a->b' FROM T -- c"
        );
    }
}

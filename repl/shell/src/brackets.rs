//! Brackets that belong together.

use millstream_sql::{Token, TokenKind};

const PAIRS: [(&str, &str); 3] = [("(", ")"), ("[", "]"), ("{", "}")];

/// The bracket beside the cursor and its partner, as places among the tokens.
pub(crate) fn matching_brackets(line: &str, tokens: &[Token], position: usize) -> Option<[usize; 2]> {
    let symbols = || tokens.iter().enumerate().filter(|(_, token)| token.kind == TokenKind::Symbol);
    let text = |token: &Token| token.span.of(line);
    let is_beside = |token: &Token| token.span.end == position || token.span.start == position;
    let bracket = symbols().filter(|(_, token)| is_beside(token)).find_map(|(at, token)| {
        let pair = PAIRS.iter().find(|(open, close)| [*open, *close].contains(&text(token)))?;
        Some((at, text(token), pair))
    });
    let (at, own, (open, close)) = bracket?;
    let mut depth = 0;
    let mut closes = |(_, token): &(usize, &Token)| {
        depth += i32::from(text(token) == *open) - i32::from(text(token) == *close);
        depth == 0
    };
    let partner = if own == *open {
        symbols().filter(|(other, _)| *other >= at).find(&mut closes)
    } else {
        let before: Vec<_> = symbols().filter(|(other, _)| *other <= at).collect();
        before.into_iter().rev().find(&mut closes)
    };
    Some([at, partner?.0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bracket_finds_its_partner() {
        let line = "f((a) + ')' [1])";
        let tokens = millstream_sql::tokenize(line);
        let places =
            |position| matching_brackets(line, &tokens, position).map(|pair| pair.map(|at| tokens[at].span.start));
        assert_eq!(places(line.len()), Some([15, 1]));
        assert_eq!(places(3), Some([2, 4]));
        assert_eq!(places(7), None);
    }
}

//! `${name}` in statements.

use crate::{Diagnostic, TokenKind, tokenize};

/// Puts the variables' values in the place of `${name}`, also inside strings and quoted names.
///
/// # Errors
/// A diagnostic at the first variable that is not defined.
pub fn substitute(source: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String, Diagnostic> {
    if !source.contains("${") {
        return Ok(source.to_owned());
    }
    let mut out = String::with_capacity(source.len());
    for token in tokenize(source) {
        let text = token.span.of(source);
        if token.kind == TokenKind::Comment {
            out.push_str(text);
            continue;
        }
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, tail)) = after.split_once('}') else { break };
            out.push_str(before);
            let value = lookup(name.trim()).ok_or_else(|| {
                let message = format!("variable \"{}\" is not defined", name.trim());
                Diagnostic::new("E0105", message)
                    .at(token.span, "used here")
                    .help(format!("define it: DEFINE {} = 'value';", name.trim()))
            })?;
            out.push_str(&value);
            rest = tail;
        }
        out.push_str(rest);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_everywhere_but_in_comments() {
        let lookup = |name: &str| (name == "v").then(|| "x".to_owned());
        let source = "SELECT ${v} FROM `${v}_s` WHERE a = '${v}' -- ${w}";
        assert_eq!(substitute(source, lookup).unwrap(), "SELECT x FROM `x_s` WHERE a = 'x' -- ${w}");
        assert!(substitute("SELECT ${w}", lookup).unwrap_err().message.contains("\"w\""));
    }
}

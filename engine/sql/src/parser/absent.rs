//! Statements of ksqlDB that are no part of Millstream, and what to do instead.

use super::{Cursor, Result};
use crate::Diagnostic;

const CONNECTORS: (&str, &str) = (
    "connectors are not part of Millstream",
    "produce the records to a topic, with `millstream produce` or INSERT INTO … VALUES, and CREATE STREAM over it",
);
const SYSTEM: (&str, &str) = ("ALTER SYSTEM is not part of Millstream", "use SET 'setting' = 'value'");

const ABSENT: [(&[&str], (&str, &str)); 11] = [
    (&["CREATE", "SOURCE", "CONNECTOR"], CONNECTORS),
    (&["CREATE", "SINK", "CONNECTOR"], CONNECTORS),
    (&["DROP", "CONNECTOR"], CONNECTORS),
    (&["SHOW", "CONNECTORS"], CONNECTORS),
    (&["LIST", "CONNECTORS"], CONNECTORS),
    (&["SHOW", "SOURCE", "CONNECTORS"], CONNECTORS),
    (&["SHOW", "SINK", "CONNECTORS"], CONNECTORS),
    (&["LIST", "SOURCE", "CONNECTORS"], CONNECTORS),
    (&["LIST", "SINK", "CONNECTORS"], CONNECTORS),
    (&["SHOW", "CONNECTOR", "PLUGINS"], CONNECTORS),
    (&["ALTER", "SYSTEM"], SYSTEM),
];

/// Refuses a statement that will never be one.
pub(super) fn refuse(cursor: &mut Cursor<'_>) -> Result<()> {
    // A source may be called CONNECTOR.
    let described = cursor.at(&["DESCRIBE", "CONNECTOR"])
        && cursor.peek_at(2).is_some_and(|token| ![";", "EXTENDED"].contains(&&*cursor.text(token).to_uppercase()));
    let found = ABSENT.iter().find(|(words, _)| cursor.at(words));
    let (length, (message, help)) = match found {
        Some((words, why)) => (words.len(), *why),
        None if described => (2, CONNECTORS),
        None => return Ok(()),
    };
    let start = cursor.here();
    for _ in 0..length {
        cursor.next();
    }
    Err(Box::new(Diagnostic::new("E0110", message).at(cursor.since(start), "").help(help)))
}

#[cfg(test)]
mod tests {
    use crate::parse_statement;

    #[test]
    fn statements_that_are_no_part_are_named() {
        for source in [
            "CREATE SOURCE CONNECTOR c WITH ('a'='b')",
            "CREATE SINK CONNECTOR IF NOT EXISTS c WITH ('a'='b')",
            "DROP CONNECTOR IF EXISTS c",
            "LIST SOURCE CONNECTORS",
            "DESCRIBE CONNECTOR c",
            "ALTER SYSTEM 'a'='b'",
        ] {
            let error = parse_statement(source).unwrap_err();
            assert!(error.code == "E0110" && error.message.ends_with("not part of Millstream"), "{source}");
        }
        assert!(parse_statement("DESCRIBE connector EXTENDED").is_ok());
        assert!(parse_statement("CREATE SOURCE STREAM connector (a INT) WITH (a=1)").is_ok());
    }
}

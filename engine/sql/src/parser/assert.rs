//! `ASSERT`.

use super::query::duration;
use super::statement::{outer_name, properties};
use super::{Cursor, Result};
use crate::Diagnostic;
use crate::ast::{Assert, Asserted};

/// What follows `ASSERT`.
pub(super) fn assert(cursor: &mut Cursor<'_>) -> Result<Assert> {
    let exists = !cursor.accept("NOT EXISTS");
    let what = if cursor.accept("TOPIC") {
        topic(cursor)?
    } else if cursor.accept("SCHEMA") {
        schema(cursor)?
    } else {
        return Err(cursor.unexpected("\"TOPIC\" or \"SCHEMA\""));
    };
    let timeout_ms = if cursor.accept("TIMEOUT") { Some(duration(cursor)?) } else { None };
    Ok(Assert { what, exists, timeout_ms })
}

fn topic(cursor: &mut Cursor<'_>) -> Result<Asserted> {
    let name = outer_name(cursor, "a topic's name")?;
    let with = properties(cursor)?;
    match with.items.iter().find(|property| !matches!(property.name.as_str(), "PARTITIONS" | "REPLICAS")) {
        None => Ok(Asserted::Topic { name, with }),
        Some(other) => {
            let message = format!("property {} of a topic cannot be asserted", other.name);
            let diagnostic = Diagnostic::new("E0108", message).at(other.name_span, "not here");
            Err(Box::new(diagnostic.help("PARTITIONS and REPLICAS can")))
        }
    }
}

fn schema(cursor: &mut Cursor<'_>) -> Result<Asserted> {
    let subject = match cursor.accept("SUBJECT") {
        true => Some(outer_name(cursor, "a subject's name")?.name),
        false => None,
    };
    let id = if cursor.accept("ID") { Some(cursor.integer("a schema's id")?) } else { None };
    if subject.is_none() && id.is_none() {
        return Err(cursor.unexpected("\"SUBJECT\" or \"ID\""));
    }
    Ok(Asserted::Schema { subject, id })
}

#[cfg(test)]
mod tests {
    use crate::ast::Asserted;
    use crate::{Statement, parse_statement};

    #[test]
    fn assertions_say_what_is_to_be_there_and_how_long_to_wait() {
        let parsed = parse_statement("ASSERT NOT EXISTS TOPIC t WITH (PARTITIONS=2) TIMEOUT 3 SECONDS").unwrap();
        let Statement::Assert(assert) = parsed else { panic!("{parsed:?}") };
        assert!(!assert.exists && assert.timeout_ms == Some(3000));
        assert!(matches!(assert.what, Asserted::Topic { with, .. } if with.get("PARTITIONS").is_some()));
        let parsed = parse_statement("ASSERT SCHEMA SUBJECT 'orders-value' ID 7").unwrap();
        let Statement::Assert(assert) = parsed else { panic!("{parsed:?}") };
        assert!(matches!(assert.what, Asserted::Schema { subject: Some(s), id: Some(7) } if s == "orders-value"));
        for wrong in ["ASSERT t", "ASSERT TOPIC", "ASSERT SCHEMA", "ASSERT TOPIC t WITH (KAFKA_TOPIC='t')"] {
            assert!(parse_statement(wrong).is_err(), "{wrong}");
        }
    }
}

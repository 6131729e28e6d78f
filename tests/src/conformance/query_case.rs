//! A case of `query`: statements, records, and the records that come of them.

use std::collections::BTreeMap;

use super::case::{Case, Record};
use super::session::{Flow, Session, statements};
use super::{compare, post, refusal};

/// Runs a case.
///
/// # Errors
/// The first difference from what the case expects.
pub(crate) fn run(case: &Case) -> Result<(), String> {
    let mut session = Session::open(case, Flow::RecordByRecord)?;
    let statements = statements(case);
    for (at, text) in statements.iter().enumerate() {
        match session.execute(text) {
            Ok(_) => {}
            Err(error) if case.expect_error && at + 1 == statements.len() => return refusal::check(&error),
            Err(error) => return Err(format!("statement {}: {error}", at + 1)),
        }
    }
    session.produce(&case.inputs)?;
    match session.run_record_by_record(&case.inputs) {
        Ok(()) if case.expect_error => return Err("expected a refusal, but everything was accepted".to_owned()),
        Ok(()) => {}
        Err(reason) if case.expect_error => return refusal::check_text(&reason),
        Err(reason) => return Err(format!("a query has failed: {reason}")),
    }
    check_outputs(&session, case)?;
    post::check(&session, case)
}

fn check_outputs(session: &Session, case: &Case) -> Result<(), String> {
    let mut topics: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
    for output in &case.outputs {
        topics.entry(&output.topic).or_default().push(output);
    }
    for (topic, expected) in topics {
        let source =
            session.source_over(topic).ok_or_else(|| format!("topic {topic}: no stream or table is over it"))?;
        let found = session.log.written(topic).map_err(|error| error.to_string())?;
        compare::records(
            &expected,
            found.first().map(Vec::as_slice).unwrap_or_default(),
            source,
            !case.inputs.is_empty(),
        )
        .map_err(|difference| format!("topic {topic}: {difference}"))?;
    }
    Ok(())
}

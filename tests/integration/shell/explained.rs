//! The examples of error codes do what they say.

use std::collections::BTreeMap;
use std::sync::Arc;

use millstream_log::{EmbeddedLog, LogOptions};
use millstream_runtime::{Engine, EngineOptions, Error, Settings};
use millstream_sql::ast::Statement;
use millstream_sql::{Diagnostic, EXAMPLE_SOURCES, explanations, parse_statement, split_statements, substitute};

/// Runs statements over the sources of the examples in a log of their own, up to the first one that is refused.
fn run(sql: &str) -> Result<(), (String, Box<Diagnostic>)> {
    let log = Arc::new(EmbeddedLog::open(LogOptions::in_memory()).unwrap());
    let engine = Engine::open(log, &EngineOptions::default()).unwrap();
    let (mut settings, mut variables) = (Settings::default(), BTreeMap::new());
    for script in [EXAMPLE_SOURCES, sql] {
        for piece in split_statements(script) {
            let refused = |diagnostic| (piece.text.to_owned(), diagnostic);
            let text = substitute(piece.text, |name| variables.get(name).cloned());
            let text = text.map_err(|diagnostic| refused(Box::new(diagnostic)))?;
            // Variables are the shell's.
            if let Ok(Statement::Define { name, value }) = parse_statement(&text) {
                variables.insert(name, value);
                continue;
            }
            match engine.execute(&text, &mut settings) {
                Ok(_) => {}
                Err(Error::Statement(diagnostic)) => return Err(refused(diagnostic)),
                Err(error) => panic!("{text}: {error}"),
            }
        }
    }
    Ok(())
}

#[test]
fn examples_of_codes_are_refused_with_them_and_mended_as_they_say() {
    let mut wrong = Vec::new();
    for explained in explanations() {
        let Some(example) = &explained.example else { continue };
        let last = split_statements(example.wrong).last().unwrap().text.to_owned();
        match run(example.wrong) {
            Err((text, diagnostic)) if diagnostic.code == explained.code && text == last => {}
            found => wrong.push(format!("{}: {} gives {found:?}", explained.code, example.wrong)),
        }
        if let Err(refused) = run(example.right) {
            wrong.push(format!("{}: {} gives {refused:?}", explained.code, example.right));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_statement_that_is_nested_too_deeply_has_a_code() {
    let nested = format!("SELECT {}id{} FROM orders EMIT CHANGES;", "(".repeat(500), ")".repeat(500));
    assert_eq!(run(&nested).unwrap_err().1.code, "E0104");
}

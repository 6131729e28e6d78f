//! The runner on cases of its own: what passes, what fails, and why.

use std::path::Path;

use super::{Count, Options, Report, run};

fn report(folder: &Path, only: Option<(&str, &str)>) -> Result<Report, String> {
    let only = only.map(|(file, part)| (file.to_owned(), part.to_owned()));
    let mut report = run(&Options { folder: folder.to_owned(), only, threads: 2 })?;
    report.verbose = true;
    Ok(report)
}

/// A folder with one file of `query` cases and one of `rest` cases.
fn folder() -> tempfile::TempDir {
    let orders =
        "\"CREATE STREAM orders (id BIGINT KEY, price INT) WITH (kafka_topic='orders', value_format='JSON');\"";
    let totals = "\"CREATE TABLE totals AS SELECT id, SUM(price) AS total FROM orders GROUP BY id;\"";
    let inputs = r#"[{"topic": "orders", "key": 1, "value": {"price": 5}, "timestamp": 10},
        {"topic": "orders", "key": 1, "value": {"price": 6}, "timestamp": 20}]"#;
    let outputs = |second: i64| {
        format!(
            r#"[{{"topic": "TOTALS", "key": 1, "value": {{"TOTAL": 5}}, "timestamp": 10}},
            {{"topic": "TOTALS", "key": 1, "value": {{"total": {second}}}, "timestamp": 20}}]"#
        )
    };
    let case = |name: &str, rest: &str| format!(r#"{{"name": "{name}", "statements": [{orders}, {totals}], {rest}}}"#);
    let wrong = r#""SELECT nothing FROM orders EMIT CHANGES;""#;
    let query = [
        case("every update", &format!("\"inputs\": {inputs}, \"outputs\": {}", outputs(11))),
        case("a wrong sum", &format!("\"inputs\": {inputs}, \"outputs\": {}", outputs(12))),
        case("no refusal", "\"expectError\": true"),
        format!(r#"{{"name": "a refusal", "statements": [{orders}, {wrong}], "expectError": true}}"#),
        format!(r#"{{"name": "an early refusal", "statements": [{wrong}, {orders}], "expectError": true}}"#),
        case("a schema", r#""post": {"sources": [{"name": "TOTALS", "type": "table", "schema": "id BIGINT KEY, total INT"}]}"#),
        r#"{"name": "a format", "statements": ["CREATE STREAM s (a INT) WITH (kafka_topic='s', value_format='AVRO');"]}"#
            .to_owned(),
    ];
    let rows =
        r#"{"query": [{"header": {"schema": "`ID` BIGINT KEY, `TOTAL` INTEGER"}}, {"row": {"columns": [1, 11]}}]}"#;
    let rest = format!(
        r#"{{"name": "a look-up", "statements": [{orders}, {totals}, "SELECT * FROM totals;"], "inputs": {inputs},
        "responses": [{{"admin": {{}}}}, {{"admin": {{}}}}, {rows}]}}"#
    );
    let folder = tempfile::tempdir().unwrap();
    for (name, cases) in [("query", query.join(",\n")), ("rest", rest)] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        std::fs::write(folder.path().join(name).join("orders.json"), format!("{{\"tests\": [{cases}]}}")).unwrap();
    }
    folder
}

#[test]
fn cases_pass_and_fail_for_what_they_state() {
    let folder = folder();
    let report = report(folder.path(), None).unwrap();
    let text = report.to_string();
    assert_eq!(report.results, Count { passed: 3, all: 5 }, "{text}");
    assert_eq!(report.refusals, Count { passed: 1, all: 3 }, "{text}");
    assert_eq!(report.plain_results, Count { passed: 3, all: 4 }, "{text}");
    assert_eq!((report.passed(), report.failed()), (4, 4), "{text}");
    for line in [
        "  failed: a wrong sum\n    topic TOTALS: record 1: value->TOTAL: expected 12, found 11",
        "  failed: no refusal\n    expected a refusal",
        "  failed: an early refusal\n    statement 1: ",
        "  failed: a format\n",
        "refusals: 1/3 passed\n",
    ] {
        assert!(text.contains(line), "{line} is missing:\n{text}");
    }
    assert!(text.ends_with("4 passed, 4 failed"), "{text}");
}

#[test]
fn cases_are_selected_by_file_and_name() {
    let folder = folder();
    let report = |only| report(&folder.path().join("query"), Some(only));
    assert_eq!(report(("orders.json", "")).unwrap().to_string().lines().next(), Some("orders.json 3/7"));
    assert_eq!(report(("orders", "every")).unwrap().results, Count { passed: 1, all: 1 });
    assert!(report(("others", "")).is_err());
}

#[test]
fn a_folder_without_cases_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(report(folder.path(), None).is_err());
    assert!(report(&folder.path().join("missing"), None).is_err());
}

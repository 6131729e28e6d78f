//! The documentation of the functions: every example is computed, and `docs/functions.md` is what the
//! registry says. `UPDATE_GOLDEN=1` writes the page.

use std::collections::BTreeMap;
use std::fmt::Write;

use millstream_exec::{Context, Pipeline, value_at};
use millstream_function::{Documentation, Example, registry};
use millstream_plan::{Catalog, Defaults, Output, plan_query, plan_source};
use millstream_sql::{Statement, parse_statement};

use crate::support;

/// What an expression gives over a stream of these columns and rows, as the shell shows it.
fn compute(example: &Example, is_aggregate: bool) -> Result<String, String> {
    let columns = if example.columns.is_empty() { String::new() } else { format!(", {}", example.columns) };
    let create =
        format!("CREATE STREAM s (v INT{columns}) WITH (KAFKA_TOPIC = 's', VALUE_FORMAT = 'JSON', PARTITIONS = 1)");
    let Statement::CreateSource(source) = parse_statement(&create).unwrap() else { panic!("{create}") };
    let mut catalog = Catalog::default();
    let source =
        plan_source(&source, &catalog, &Defaults::default(), &create).map_err(|error| error.render(&create))?;
    let names: Vec<String> = source.value.iter().map(|column| column.name.clone()).collect();
    catalog.insert(std::sync::Arc::new(source));

    let group = if is_aggregate { " GROUP BY v" } else { "" };
    let select = format!("SELECT {} AS result FROM s{group} EMIT CHANGES", example.expression);
    let query = match parse_statement(&select).map_err(|error| error.render(&select))? {
        Statement::Query(query) => query,
        Statement::BatchQuery { reason, .. } => return Err(reason.render(&select)),
        other => return Err(format!("it is no query: {other:?}")),
    };
    let plan = plan_query(&query, &catalog, Output::Push).map_err(|error| error.render(&select))?;

    let mut context = Context::default();
    let (mut pipeline, leaves) = Pipeline::whole(&plan.root).map_err(|error| error.to_string())?;
    let mut decoder = leaves[0].decoder().map_err(|error| error.to_string())?;
    for row in if example.rows.is_empty() { &[""] } else { example.rows } {
        let values: Vec<serde_json::Value> = serde_json::from_str(&format!("[{row}]")).unwrap();
        let row: BTreeMap<_, _> = names.iter().zip([serde_json::json!(1)].into_iter().chain(values)).collect();
        decoder.push(None, Some(serde_json::to_string(&row).unwrap().as_bytes()), 0, (0, 0), &mut context);
    }
    let (batch, _) = decoder.finish().map_err(|error| error.to_string())?;
    let mut results = Vec::new();
    pipeline.process(0, batch, &mut context, &mut results).map_err(|error| error.to_string())?;
    pipeline.flush(&mut context, &mut results).map_err(|error| error.to_string())?;
    match (context.errors.first(), results.last()) {
        (Some(error), _) => Err(format!("{}: {}", error.what, error.reason)),
        (None, Some(result)) => {
            let column = result.column(0).unwrap();
            let values: Vec<String> = (0..result.len()).map(|row| value_at(column, row).to_string()).collect();
            Ok(values.join("\n"))
        }
        (None, None) => Err("nothing came out".to_owned()),
    }
}

#[test]
fn functions_compute_what_their_documentation_shows() {
    let mut wrong = Vec::new();
    for function in registry().documentation() {
        if function.examples.is_empty() {
            wrong.push(format!("{} has no example", function.name));
        }
        for example in function.examples {
            let (expression, documented) = (example.expression, example.result);
            match compute(example, function.kind == millstream_function::Kind::Aggregate) {
                Ok(found) if found == documented => {}
                Ok(found) => wrong.push(format!("{expression} gives {found}, documented is {documented}")),
                Err(reason) => wrong.push(format!("{expression} fails: {reason}")),
            }
        }
    }
    assert!(wrong.is_empty(), "examples in the functions' documentation are wrong:\n{}", wrong.join("\n"));
}

/// The page of all functions.
fn page() -> String {
    let mut categories: BTreeMap<&str, Vec<Documentation<'_>>> = BTreeMap::new();
    for function in registry().documentation() {
        categories.entry(function.category).or_default().push(function);
    }
    let mut page = String::from(
        "# Functions\n\nWritten from the registry by `UPDATE_GOLDEN=1 cargo test functions`; every example is run by a test. \
         In the shell, `SHOW FUNCTIONS` lists them and `DESCRIBE FUNCTION name` shows one.\n",
    );
    for (category, functions) in categories {
        let _ = write!(page, "\n## {category}\n");
        for function in functions {
            let _ = write!(page, "\n### {}\n\n{}\n\n```\n", function.name, function.description);
            for signature in function.signatures() {
                let _ = writeln!(page, "{signature}");
            }
            let _ = write!(page, "```\n\n");
            for example in function.examples {
                let _ = writeln!(page, "- {}", shown(example));
            }
        }
    }
    page
}

fn shown(example: &Example) -> String {
    let shown = format!("`{}` gives `{}`", example.expression, example.result.replace('\n', "`, `"));
    if example.columns.is_empty() {
        return shown;
    }
    let rows: Vec<String> = example.rows.iter().map(|row| format!("`{row}`")).collect();
    format!("over rows of `{}` {}: {shown}", example.columns, rows.join(", "))
}

#[test]
fn the_page_of_functions_is_what_the_registry_says() {
    let path = support::root().join("docs/functions.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page(), "docs/functions.md is stale; write it with UPDATE_GOLDEN=1");
}

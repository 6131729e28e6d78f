//! A case of `rest`: what push, pull and insert statements answer.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use millstream_runtime::{Response, Row, StreamEvent};
use millstream_sql::{SqlType, Statement, Value, parse_statement, parse_type};

use super::case::Case;
use super::case_log::Stored;
use super::json::Json;
use super::session::{Flow, Session, statements};
use super::{compare, post, refusal};

/// A result that goes on is taken to be complete when nothing has come for so long.
const SILENCE: Duration = Duration::from_millis(1000);

/// What a statement has answered.
enum Answer {
    Admin,
    Rows(Rows),
}

struct Rows {
    columns: Vec<(String, String)>,
    query_id: String,
    rows: Vec<Row>,
    /// Whether the result is complete: a query that goes on has reached its limit.
    has_ended: bool,
    /// Whether only a limit can have ended it: a push query's, or that of a pull query with as many rows.
    is_limited: bool,
}

/// Runs a case.
///
/// # Errors
/// The first difference from what the case expects.
pub(crate) fn run(case: &Case) -> Result<(), String> {
    let mut session = Session::open(case, Flow::InBulk)?;
    let statements = statements(case);
    let is_select = |text: &&str| text.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("SELECT"));
    let first_select = statements.iter().position(is_select).unwrap_or(statements.len());
    let mut answers = Vec::new();
    for (at, text) in statements.iter().enumerate() {
        if at == first_select && !case.push_first {
            produce(&session, case)?;
        }
        if at >= first_select {
            session.catch_up()?;
        }
        let is_last = at + 1 == statements.len();
        let response = match session.execute(text) {
            Ok(response) => response,
            Err(error) if case.expect_error && is_last => return check_refusal(case, &error),
            Err(error) => return Err(format!("statement {}: {error}", at + 1)),
        };
        if at == first_select && case.push_first {
            produce(&session, case)?;
            session.catch_up()?;
        }
        let statement = parse_statement(text);
        if !matches!(statement, Ok(Statement::InsertValues(_))) {
            let mut answer = answer(response, case.responses.get(answers.len()))?;
            if let (Answer::Rows(found), Ok(Statement::Query(query))) = (&mut answer, &statement) {
                found.is_limited |= query.limit.is_some_and(|limit| found.rows.len() as u64 >= limit);
            }
            answers.push(answer);
        }
    }
    if case.expect_error {
        return Err("expected a refusal, but everything was accepted".to_owned());
    }
    if first_select == statements.len() {
        produce(&session, case)?;
        session.catch_up()?;
    }
    check_answers(case, &answers)?;
    check_outputs(&session, case)
}

/// Appends the inputs topic by topic.
fn produce(session: &Session, case: &Case) -> Result<(), String> {
    let mut topics: Vec<&str> = Vec::new();
    for input in &case.inputs {
        if !topics.contains(&input.topic.as_str()) {
            topics.push(&input.topic);
        }
    }
    topics.iter().try_for_each(|topic| session.produce(case.inputs.iter().filter(|input| input.topic == *topic)))
}

fn check_refusal(case: &Case, error: &millstream_runtime::Error) -> Result<(), String> {
    match case.expect_status {
        // A refusal that blames the statement is what a server answers with 400.
        None | Some(400) => refusal::check(error),
        Some(status) => Err(format!("expected status {status}, which the runner does not know: {error}")),
    }
}

fn answer(response: Response, expected: Option<&Json>) -> Result<Answer, String> {
    Ok(match response {
        Response::Message(_) => Answer::Admin,
        Response::Rows(rows) => {
            let (columns, rows) = (rows.columns, rows.rows.into_iter().map(Row::from).collect());
            Answer::Rows(Rows { columns, query_id: String::new(), rows, has_ended: true, is_limited: false })
        }
        Response::Stream(stream) if stream.is_bounded => {
            let (columns, query_id) = (stream.columns.clone(), stream.query_id.clone());
            let rows = stream.collect().map_err(|reason| format!("the query has failed: {reason}"))?.rows;
            let rows = rows.into_iter().map(Row::from).collect();
            Answer::Rows(Rows { columns, query_id, rows, has_ended: true, is_limited: false })
        }
        Response::Stream(stream) => {
            let entries = expected.and_then(|response| response.get("query")).map(Json::items).unwrap_or_default();
            let wanted = entries.iter().filter(|entry| entry.get("row").is_some()).count();
            let ends = entries.iter().any(|entry| entry.get("finalMessage").is_some());
            let (columns, query_id) = (stream.columns.clone(), stream.query_id.clone());
            let mut result = Rows { columns, query_id, rows: Vec::new(), has_ended: false, is_limited: true };
            while ends || result.rows.len() < wanted {
                match stream.next(SILENCE) {
                    StreamEvent::Rows(rows) => result.rows.extend(rows),
                    StreamEvent::Progress { .. } => {}
                    StreamEvent::End => {
                        result.has_ended = true;
                        break;
                    }
                    StreamEvent::Failed(reason) => return Err(format!("the query has failed: {reason}")),
                    StreamEvent::Idle => break,
                }
            }
            Answer::Rows(result)
        }
    })
}

fn check_answers(case: &Case, answers: &[Answer]) -> Result<(), String> {
    for (at, expected) in case.responses.iter().enumerate() {
        let difference = match (answers.get(at), expected) {
            (_, expected) if expected.get("queryProto").is_some() => {
                Err("the engine writes no rows as Protobuf".to_owned())
            }
            (None, _) => Err("it is missing".to_owned()),
            (Some(Answer::Admin), expected) if expected.get("admin").is_some() => Ok(()),
            (Some(Answer::Rows(found)), expected) if expected.get("query").is_some() => {
                check_rows(expected.get("query").map(Json::items).unwrap_or_default(), found)
            }
            _ => Err(format!("it is of another kind than {expected}")),
        };
        difference.map_err(|difference| format!("response {}: {difference}", at + 1))?;
    }
    Ok(())
}

fn check_rows(expected: &[Json], found: &Rows) -> Result<(), String> {
    let types: Vec<Option<SqlType>> = found.columns.iter().map(|(_, ty)| parse_type(ty).ok()).collect();
    let shown = |row: &Row| (row.cells.iter().map(to_json).collect::<Vec<Json>>(), row.is_deletion);
    let mut left: Vec<(Vec<Json>, bool)> = found.rows.iter().map(shown).collect();
    let count = left.len();
    let mut wanted = 0;
    for entry in expected {
        if let Some(header) = entry.get("header") {
            check_header(header, found)?;
        }
        if let Some(message) = entry.get("finalMessage") {
            let says = if found.is_limited { "Limit Reached" } else { "Query Completed" };
            if !found.has_ended || message.to_text() != says {
                return Err(format!("the final message {message} does not come"));
            }
        }
        let Some(row) = entry.get("row") else { continue };
        wanted += 1;
        let columns = row.get("columns").map(Json::items).unwrap_or_default();
        let is_tombstone = row.get("tombstone").is_some_and(|told| *told == Json::Bool(true));
        let differs = |(cells, is_deletion): &(Vec<Json>, bool)| {
            let told = (*is_deletion != is_tombstone).then(|| format!("tombstone: expected {is_tombstone}"));
            row_differs(columns, cells, &types).or(told)
        };
        match left.iter().position(|candidate| differs(candidate).is_none()) {
            Some(at) => _ = left.swap_remove(at),
            None => {
                // Of the rows that are left the first one is most often the one that was meant.
                let difference = left.first().and_then(differs);
                return Err(format!("row {row}: {}", difference.unwrap_or_else(|| "it is missing".to_owned())));
            }
        }
    }
    if wanted != count {
        return Err(format!("expected {wanted} rows, found {count}"));
    }
    Ok(())
}

fn row_differs(expected: &[Json], found: &[Json], types: &[Option<SqlType>]) -> Option<String> {
    if expected.len() != found.len() {
        return Some(format!("expected {} columns, found {}", expected.len(), found.len()));
    }
    let pairs = expected.iter().zip(found).zip(types).enumerate();
    pairs
        .filter_map(|(at, ((expected, found), ty))| {
            compare::value(expected, found, ty.as_ref())
                .err()
                .map(|difference| format!("column {}{difference}", at + 1))
        })
        .next()
}

fn to_json(value: &Value) -> Json {
    let mut text = String::new();
    value.write_json(&mut text);
    Json::parse(&text).unwrap_or(Json::String(text))
}

/// Compares names and types. Which columns are keys is not compared: the engine's results do not tell.
fn check_header(header: &Json, found: &Rows) -> Result<(), String> {
    if let Some(lead) = header.get("queryId|starts_with").map(Json::to_text)
        && !found.query_id.starts_with(&lead)
    {
        return Err(format!("query id: expected {lead}…, found {}", found.query_id));
    }
    let Some(schema) = header.get("schema") else { return Ok(()) };
    let expected: Vec<String> = post::columns(&schema.to_text())?
        .into_iter()
        .map(|column| format!("{} {}", column.name.name, column.ty))
        .collect();
    let found: Vec<String> = found.columns.iter().map(|(name, ty)| format!("{name} {ty}")).collect();
    if expected == found {
        return Ok(());
    }
    Err(format!("header: expected {}, found {}", expected.join(", "), found.join(", ")))
}

/// The outputs must be what a topic starts with; between partitions there is no order.
fn check_outputs(session: &Session, case: &Case) -> Result<(), String> {
    let mut topics: BTreeMap<&str, Vec<VecDeque<Stored>>> = BTreeMap::new();
    for output in &case.outputs {
        let topic = output.topic.as_str();
        if !topics.contains_key(topic) {
            let records = session.log.written(topic).map_err(|error| error.to_string())?;
            topics.insert(topic, records.into_iter().map(VecDeque::from).collect());
        }
        let source = session.source_over(topic).ok_or_else(|| format!("topic {topic}: no source is over it"))?;
        let mut difference = "no record is left".to_owned();
        let partitions = topics.entry(topic).or_default();
        let matching = partitions.iter_mut().find(|partition| match partition.front() {
            Some(record) => compare::record(output, record, source, !case.inputs.is_empty())
                .map_err(|found| difference = found)
                .is_ok(),
            None => false,
        });
        match matching {
            Some(partition) => _ = partition.pop_front(),
            None => return Err(format!("topic {topic}: record {} = {}: {difference}", output.key, output.value)),
        }
    }
    Ok(())
}

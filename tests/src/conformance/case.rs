//! A case as its file states it.

use super::base64;
use super::json::Json;

/// Formats that need a schema registry; the state of the engine is stated with and without them.
const SCHEMA_FORMATS: [&str; 4] = ["AVRO", "PROTOBUF", "PROTOBUF_NOSR", "JSON_SR"];

/// One case.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) statements: Vec<String>,
    pub(crate) properties: Vec<(String, String)>,
    /// The topics that exist before, with their number of partitions if the case gives it.
    pub(crate) topics: Vec<(String, Option<i32>)>,
    pub(crate) inputs: Vec<Record>,
    pub(crate) outputs: Vec<Record>,
    pub(crate) expect_error: bool,
    /// The status of HTTP that the refusal has.
    pub(crate) expect_status: Option<i64>,
    /// What the catalog must contain afterwards.
    pub(crate) post: Option<Json>,
    /// What the statements answer.
    pub(crate) responses: Vec<Json>,
    /// Whether the push query runs before the inputs come.
    pub(crate) push_first: bool,
    /// Whether it uses a format that needs a schema registry.
    pub(crate) needs_registry: bool,
}

/// A record of a topic.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) topic: String,
    pub(crate) key: Json,
    pub(crate) value: Json,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(crate) window: Option<Window>,
}

/// The window of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) is_session: bool,
}

impl Case {
    pub(crate) fn read(json: &Json) -> Result<Self, String> {
        let list = |name: &str| json.get(name).map(Json::items).unwrap_or_default();
        let text = |json: &Json, name: &str| json.get(name).and_then(Json::as_str).map(str::to_owned);
        let statements: Vec<String> = list("statements").iter().map(Json::to_text).collect();
        let properties = json.get("properties").map(Json::fields).unwrap_or_default();
        let topics = list("topics").iter().filter_map(|topic| {
            let partitions = topic.get("partitions").and_then(Json::as_i64);
            Some((text(topic, "name")?, partitions.and_then(|count| i32::try_from(count).ok())))
        });
        let push_first = json.get("inputConditions").and_then(|conditions| conditions.get("waitForActivePushQuery"));
        Ok(Self {
            needs_registry: needs_registry(json, &statements),
            statements,
            properties: properties.iter().map(|(name, value)| (name.clone(), value.to_text())).collect(),
            topics: topics.collect(),
            inputs: list("inputs").iter().map(Record::read).collect::<Result<_, _>>()?,
            outputs: list("outputs").iter().map(Record::read).collect::<Result<_, _>>()?,
            expect_error: json.get("expectError") == Some(&Json::Bool(true)),
            expect_status: json.get("expectStatus").and_then(Json::as_i64),
            post: json.get("post").cloned(),
            responses: list("responses").to_vec(),
            push_first: push_first == Some(&Json::Bool(true)),
        })
    }
}

/// Whether a statement, a property or a topic names a format of a schema registry.
fn needs_registry(json: &Json, statements: &[String]) -> bool {
    let is_one = |name: &str| SCHEMA_FORMATS.iter().any(|format| format.eq_ignore_ascii_case(name));
    let of_topic = |topic: &Json| {
        ["keyFormat", "valueFormat", "format"].iter().any(|name| topic.get(name).is_some_and(|f| is_one(&f.to_text())))
    };
    statements.iter().any(|statement| statement.split('\'').any(is_one))
        || json.get("properties").is_some_and(|all| all.fields().iter().any(|(_, value)| is_one(&value.to_text())))
        || json.get("topics").is_some_and(|topics| topics.items().iter().any(of_topic))
}

impl Record {
    fn read(json: &Json) -> Result<Self, String> {
        let part = |name: &str| json.get(name).cloned().unwrap_or(Json::Null);
        let headers = json.get("headers").map(Json::items).unwrap_or_default();
        let header = |header: &Json| -> Result<_, String> {
            let name = header.get("KEY").and_then(Json::as_str).unwrap_or_default().to_owned();
            let value = header.get("VALUE").and_then(Json::as_str).map(base64::decode).transpose()?;
            Ok((name, value))
        };
        Ok(Self {
            topic: json.get("topic").and_then(Json::as_str).ok_or("a record has no topic")?.to_owned(),
            key: part("key"),
            value: part("value"),
            timestamp_ms: json.get("timestamp").and_then(Json::as_i64),
            headers: headers.iter().map(header).collect::<Result<_, _>>()?,
            window: json.get("window").and_then(Window::read),
        })
    }
}

impl Window {
    fn read(json: &Json) -> Option<Self> {
        let bound = |name: &str| json.get(name).and_then(Json::as_i64);
        let is_session = json.get("type").and_then(Json::as_str).is_some_and(|ty| ty.eq_ignore_ascii_case("session"));
        Some(Self { start: bound("start")?, end: bound("end")?, is_session })
    }
}

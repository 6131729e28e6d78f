//! Settings of a session, by ksqlDB's names.

mod foreign;

use std::collections::BTreeMap;

use millstream_function::registry;
use millstream_plan::{Defaults, FormatKind, Node};
use millstream_sql::Diagnostic;

use foreign::Answer;

/// Every setting: its name, its default and what it does.
const KNOWN: &[(&str, &str, &str)] = &[
    ("auto.offset.reset", "latest", "where a new query starts to read: earliest or latest"),
    ("commit.interval.ms", "100", "how long a busy query gathers results before it commits them"),
    (
        "max.task.idle.ms",
        "0",
        "how long a join waits for an input that has no rows; 0: only for rows on their way, -1: not even for those",
    ),
    ("processing.guarantee", "exactly_once_v2", "exactly_once_v2 or at_least_once"),
    (
        "ksql.streams.cache.max.bytes.buffering",
        "10485760",
        "0: every record's update is handed on; else updates of one key within an epoch are merged",
    ),
    ("ksql.functions.collect_list.limit", "1000", "how many values COLLECT_LIST keeps of a group; -1: all"),
    ("ksql.functions.collect_set.limit", "1000", "how many values COLLECT_SET keeps of a group; -1: all"),
    ("ksql.internal.topic.replicas", "1", "replicas of internal topics"),
    ("ksql.persistence.default.format.key", "KAFKA", "the format of keys where a statement gives none"),
    ("ksql.persistence.default.format.value", "", "the format of values where a statement gives none"),
    ("ksql.output.topic.name.prefix", "", "what the topics of CREATE … AS SELECT start with unless they are named"),
    (
        "ksql.new.query.planner.enabled",
        "false",
        "true: the key of a query's stream has only the columns that are selected, in their order",
    ),
    ("ksql.query.pull.table.scan.enabled", "true", "whether a pull query may read a whole table"),
    ("ksql.query.pull.range.scan.enabled", "true", "whether a pull query may read a range of keys"),
    ("ksql.query.pull.stream.enabled", "true", "whether a pull query may read a stream"),
    ("ksql.query.pull.limit.clause.enabled", "true", "whether a pull query may have a LIMIT"),
    (
        "millstream.dialect.strict",
        "false",
        "true keeps the refusals of ksqlDB for statements that could be carried out otherwise",
    ),
    ("ksql.assert.topic.default.timeout.ms", "1000", "how long ASSERT TOPIC waits where it has no TIMEOUT"),
    ("ksql.assert.schema.default.timeout.ms", "1000", "how long ASSERT SCHEMA waits where it has no TIMEOUT"),
    ("ksql.service.id", "default_", "what internal topics' names start with"),
];

/// What `SET` has set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    values: BTreeMap<String, String>,
}

/// Also accepted, with the prefix that ksqlDB gives to settings of Kafka Streams.
const STREAMS_PREFIX: &str = "ksql.streams.";

fn is_known(name: &str) -> bool {
    KNOWN.iter().any(|(known, ..)| *known == name)
}

fn canonical(name: &str) -> &str {
    if is_known(name) {
        return name;
    }
    let short = name.strip_prefix(STREAMS_PREFIX).unwrap_or(name);
    match foreign::answer(short) {
        Some(Answer::Alias(of)) => of,
        _ => short,
    }
}

/// What is said of a setting that another engine has, if it can be accepted.
fn set_foreign(name: &str, value: &str, answer: Answer) -> Result<&'static str, Diagnostic> {
    match answer {
        Answer::Alias(says) | Answer::Given(says) => Ok(says),
        Answer::Only(expected, says) if expected.eq_ignore_ascii_case(value) => Ok(says),
        Answer::Only(expected, says) => {
            let message = format!("setting '{name}' cannot be '{value}': expected {expected}");
            Err(Diagnostic::new("E0302", message).help(says))
        }
        Answer::Instead(what) => {
            Err(Diagnostic::new("E0301", format!("setting '{name}' is none of Millstream's")).help(what))
        }
    }
}

/// The refusal of a setting that nobody has.
fn unknown(name: &str) -> Diagnostic {
    let names: Vec<String> = KNOWN.iter().map(|(name, ..)| *name).chain(foreign::names()).map(str::to_owned).collect();
    let diagnostic = Diagnostic::new("E0301", format!("setting '{name}' is not known")).suggest(name, &names);
    if diagnostic.help.is_some() { diagnostic } else { diagnostic.help("SHOW PROPERTIES lists the settings") }
}

/// Whether a setting is true or false.
fn is_switch(name: &str) -> bool {
    KNOWN.iter().any(|(known, default, _)| *known == name && matches!(*default, "true" | "false"))
}

impl Settings {
    /// Sets a value. A setting of ksqlDB or Kafka Streams that changes nothing here is accepted with the reason.
    ///
    /// # Errors
    /// A diagnostic if the setting does not exist or cannot have the value.
    pub fn set(&mut self, name: &str, value: &str) -> Result<Option<&'static str>, Diagnostic> {
        let name = canonical(name);
        if !is_known(name) {
            let answer = foreign::answer(name).ok_or_else(|| unknown(name))?;
            return set_foreign(name, value, answer).map(Some);
        }
        let refuse = |expected: &str| {
            Err(Diagnostic::new("E0302", format!("setting '{name}' cannot be '{value}': expected {expected}")))
        };
        match name {
            "auto.offset.reset" if !matches!(value, "earliest" | "latest") => return refuse("earliest or latest"),
            "processing.guarantee"
                if !matches!(value, "exactly_once_v2" | "exactly_once_beta" | "exactly_once" | "at_least_once") =>
            {
                return refuse("exactly_once_v2 or at_least_once");
            }
            "commit.interval.ms"
            | "ksql.streams.cache.max.bytes.buffering"
            | "ksql.internal.topic.replicas"
            | "ksql.assert.topic.default.timeout.ms"
            | "ksql.assert.schema.default.timeout.ms"
                if value.parse::<u64>().is_err() =>
            {
                return refuse("a whole number from 0 on");
            }
            "max.task.idle.ms" | "ksql.functions.collect_list.limit" | "ksql.functions.collect_set.limit"
                if value.parse::<i64>().is_err() =>
            {
                return refuse("a whole number");
            }
            "ksql.persistence.default.format.key" | "ksql.persistence.default.format.value"
                if FormatKind::parse(value).is_none() =>
            {
                return refuse("JSON, DELIMITED, KAFKA or NONE");
            }
            _ if is_switch(name) && !matches!(value.to_ascii_lowercase().as_str(), "true" | "false") => {
                return refuse("true or false");
            }
            "ksql.service.id" => return refuse("it to be given when the program is started"),
            _ => {}
        }
        self.values.insert(name.to_owned(), value.to_owned());
        Ok(None)
    }

    /// Goes back to the default.
    ///
    /// # Errors
    /// A diagnostic if the setting does not exist.
    pub fn unset(&mut self, name: &str) -> Result<(), Diagnostic> {
        let name = canonical(name);
        if !is_known(name) && foreign::answer(name).is_none() {
            return Err(unknown(name));
        }
        self.values.remove(name);
        Ok(())
    }

    /// A setting's value or its default.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        let default = || KNOWN.iter().find(|(known, ..)| *known == name).map_or("", |(_, default, _)| *default);
        self.values.get(name).map_or_else(default, String::as_str)
    }

    /// A setting that is a number.
    #[must_use]
    pub fn number(&self, name: &str) -> u64 {
        self.get(name).parse().unwrap_or(0)
    }

    /// A setting that is a number and may be negative.
    #[must_use]
    pub fn signed(&self, name: &str) -> i64 {
        self.get(name).parse().unwrap_or(0)
    }

    /// A setting that is true or false.
    #[must_use]
    pub fn is_on(&self, name: &str) -> bool {
        self.get(name).eq_ignore_ascii_case("true")
    }

    /// Whether ksqlDB's refusals are kept.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        self.is_on("millstream.dialect.strict")
    }

    /// What sources and sinks get where a statement says nothing.
    #[must_use]
    pub fn defaults(&self) -> Defaults {
        Defaults {
            key_format: FormatKind::parse(self.get("ksql.persistence.default.format.key")),
            value_format: FormatKind::parse(self.get("ksql.persistence.default.format.value")),
            topic_prefix: self.get("ksql.output.topic.name.prefix").to_owned(),
            free_keys: self.is_on("ksql.new.query.planner.enabled"),
        }
    }

    /// A setting that limits how much is kept: a negative number is no limit.
    #[must_use]
    pub fn limit(&self, name: &str) -> usize {
        self.get(name).parse::<i64>().ok().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
    }

    /// Sets the limits of the aggregate functions in a plan.
    pub(crate) fn limit_functions(&self, root: &mut Node) {
        for call in root.calls_mut() {
            let setting = registry().aggregate(&call.function).and_then(|function| function.limit_setting);
            if let Some(setting) = setting {
                call.parameters.limit = self.limit(setting);
            }
        }
    }

    /// Whether new queries read what is there already.
    #[must_use]
    pub fn from_earliest(&self) -> bool {
        self.get("auto.offset.reset") == "earliest"
    }

    /// All settings: name, value, whether it was set, and what it does.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str, bool, &str)> {
        KNOWN.iter().map(|(name, _, what)| (*name, self.get(name), self.values.contains_key(*name), *what))
    }

    /// What was set, for the command log.
    pub fn changed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

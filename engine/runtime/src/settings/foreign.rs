//! Settings of ksqlDB and Kafka Streams that have no place here, and what there is instead.

use Answer::{Alias, Given, Instead, Only};

/// What becomes of such a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is another name of a setting.
    Alias(&'static str),
    /// It is accepted and changes nothing, because this is so.
    Given(&'static str),
    /// It is accepted with the value that is how it is here, and refused with others, because this is so.
    Only(&'static str, &'static str),
    /// It is refused; this is to be done instead.
    Instead(&'static str),
}

const ONE_PROCESS: &str = "one process without replicas runs all tasks";
const NO_CLIENT: &str = "the engine reads and writes its log itself, without a client that could be set";
const MEMORY: &str = "state is kept in memory, which --memory-max bounds for all queries together";
const UNREADABLE: &str =
    "a record that cannot be read is left out, counted, and reported in the stream KSQL_PROCESSING_LOG";
const UNWRITABLE: &str = "a result that cannot be written stops its query in state ERROR";
const FAILED: &str = "a query that has failed is in state ERROR until the program is started again";
const PULL: &str = "each pull query runs on a thread of its own, over what this process has committed";
const CHANGELOGS: &str = "changelogs are compacted instead of kept for a time";
const PROGRESS: &str = "SHOW QUERIES says how far each query is";
const ALWAYS: &str = "that is always possible";
const EMBEDDED: &str = "the log is part of this process; --listeners says where Kafka clients connect to it";

/// By name, without the prefix `ksql.streams.`. One that ends with a dot stands for all that start so; the first
/// that fits counts.
const FOREIGN: &[(&str, Answer)] = &[
    ("cache.max.bytes.buffering", Alias("ksql.streams.cache.max.bytes.buffering")),
    ("statestore.cache.max.bytes", Alias("ksql.streams.cache.max.bytes.buffering")),
    ("consumer.auto.offset.reset", Alias("auto.offset.reset")),
    ("main.consumer.auto.offset.reset", Alias("auto.offset.reset")),
    ("num.stream.threads", Given("all queries share one thread a core")),
    ("num.standby.replicas", Given(ONE_PROCESS)),
    ("replication.factor", Given(ONE_PROCESS)),
    ("acceptable.recovery.lag", Given(ONE_PROCESS)),
    ("max.warmup.replicas", Given(ONE_PROCESS)),
    ("probing.rebalance.interval.ms", Given(ONE_PROCESS)),
    ("state.dir", Given(MEMORY)),
    ("rocksdb.config.setter", Given(MEMORY)),
    ("ksql.plugins.rocksdb.", Given(MEMORY)),
    ("state.cleanup.delay.ms", Given(CHANGELOGS)),
    ("windowstore.changelog.additional.retention.ms", Given(CHANGELOGS)),
    ("ksql.sink.window.change.log.additional.retention", Given(CHANGELOGS)),
    ("repartition.purge.interval.ms", Given("records of repartition topics are deleted once they were processed")),
    ("topology.optimization", Given("plans are optimized anyway")),
    ("metrics.", Given(PROGRESS)),
    ("metric.reporters", Given(PROGRESS)),
    ("default.deserialization.exception.handler", Instead(UNREADABLE)),
    ("default.production.exception.handler", Instead(UNWRITABLE)),
    ("default.timestamp.extractor", Instead("WITH (TIMESTAMP='column') says what the time of a row is")),
    ("bootstrap.servers", Instead(EMBEDDED)),
    ("security.protocol", Instead(EMBEDDED)),
    ("sasl.", Instead(EMBEDDED)),
    ("ssl.", Instead(EMBEDDED)),
    ("consumer.", Given(NO_CLIENT)),
    ("main.consumer.", Given(NO_CLIENT)),
    ("restore.consumer.", Given(NO_CLIENT)),
    ("producer.", Given(NO_CLIENT)),
    ("admin.", Given(NO_CLIENT)),
    ("acks", Given(NO_CLIENT)),
    ("batch.size", Given(NO_CLIENT)),
    ("buffer.memory", Given(NO_CLIENT)),
    ("buffered.records.per.partition", Given(NO_CLIENT)),
    ("compression.type", Instead("it is a setting of topics, which Kafka clients can alter")),
    ("fetch.max.bytes", Given(NO_CLIENT)),
    ("fetch.max.wait.ms", Given(NO_CLIENT)),
    ("fetch.min.bytes", Given(NO_CLIENT)),
    ("linger.ms", Given(NO_CLIENT)),
    ("max.poll.interval.ms", Given(NO_CLIENT)),
    ("max.poll.records", Given(NO_CLIENT)),
    ("max.request.size", Given(NO_CLIENT)),
    ("poll.ms", Given(NO_CLIENT)),
    ("request.timeout.ms", Given(NO_CLIENT)),
    ("retries", Given(NO_CLIENT)),
    ("retry.backoff.ms", Given(NO_CLIENT)),
    ("session.timeout.ms", Given(NO_CLIENT)),
    ("task.timeout.ms", Given(NO_CLIENT)),
    ("topic.", Given("internal topics are set as the engine needs them")),
    ("ksql.sink.partitions", Instead("WITH (PARTITIONS=n) says how many partitions the topic of a statement gets")),
    ("ksql.sink.replicas", Given(ONE_PROCESS)),
    ("ksql.internal.topic.min.insync.replicas", Given(ONE_PROCESS)),
    ("ksql.fail.on.deserialization.error", Only("false", UNREADABLE)),
    ("ksql.fail.on.production.error", Only("true", UNWRITABLE)),
    (
        "ksql.timestamp.throw.on.invalid",
        Only("false", "a record whose time cannot be read is left out and reported in the stream KSQL_PROCESSING_LOG"),
    ),
    ("ksql.suppress.enabled", Only("true", ALWAYS)),
    ("ksql.suppress.buffer.size.bytes", Given(MEMORY)),
    ("ksql.query.persistent.max.bytes.buffering.total", Given(MEMORY)),
    ("ksql.query.transient.max.bytes.buffering.total", Given(MEMORY)),
    (
        "ksql.query.persistent.active.limit",
        Instead("the number of queries has no limit; --memory-max bounds their memory"),
    ),
    ("ksql.query.retry.backoff.initial.ms", Given(FAILED)),
    ("ksql.query.retry.backoff.max.ms", Given(FAILED)),
    ("ksql.query.error.max.queue.size", Given(FAILED)),
    ("ksql.query.pull.enable.standby.reads", Given(PULL)),
    ("ksql.query.pull.interpreter.enabled", Given(PULL)),
    ("ksql.query.pull.max.allowed.offset.lag", Given(PULL)),
    ("ksql.query.pull.max.concurrent.requests", Given(PULL)),
    ("ksql.query.pull.max.qps", Given(PULL)),
    ("ksql.query.pull.thread.pool.size", Given(PULL)),
    ("ksql.query.push.v2.", Given("each push query is a pipeline of its own")),
    ("ksql.shared.runtime.enabled", Given("all queries share one process")),
    ("ksql.runtime.feature.shared.enabled", Given("all queries share one process")),
    ("ksql.insert.into.values.enabled", Only("true", ALWAYS)),
    ("ksql.create.or.replace.enabled", Only("true", ALWAYS)),
    ("ksql.headers.columns.enabled", Only("true", ALWAYS)),
    ("ksql.lambdas.enabled", Only("true", ALWAYS)),
    ("ksql.rowpartition.rowoffset.enabled", Only("true", ALWAYS)),
    ("ksql.variable.substitution.enable", Only("true", ALWAYS)),
    ("ksql.logging.processing.", Given("the stream KSQL_PROCESSING_LOG is always there")),
    ("ksql.heartbeat.", Given(ONE_PROCESS)),
    ("ksql.lag.reporting.", Given(PROGRESS)),
    ("ksql.advertised.listener", Instead(EMBEDDED)),
    ("ksql.schema.registry.", Instead("VALUE_FORMAT='JSON' needs no schema registry")),
    ("ksql.connect.", Instead("`millstream produce` and Kafka clients load data, without connectors")),
    ("ksql.extension.dir", Instead("functions in Java are not loaded; SHOW FUNCTIONS lists those that there are")),
    ("ksql.udf.", Instead("functions in Java are not loaded; SHOW FUNCTIONS lists those that there are")),
    ("ksql.udfs.enabled", Instead("functions in Java are not loaded; SHOW FUNCTIONS lists those that there are")),
];

/// What becomes of a setting of this name; none if nobody knows it.
pub(super) fn answer(name: &str) -> Option<Answer> {
    let fits = |known: &str| name == known || (known.ends_with('.') && name.starts_with(known));
    FOREIGN.iter().find(|(known, _)| fits(known)).map(|(_, answer)| *answer)
}

/// The names that are whole.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FOREIGN.iter().map(|(name, _)| *name).filter(|name| !name.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::super::{KNOWN, Settings};
    use super::*;

    /// The table of the documentation: settings that have the same answer stand together.
    fn table() -> String {
        let mut rows: Vec<(String, String)> = Vec::new();
        for (name, answer) in FOREIGN {
            let answer = match answer {
                Alias(of) => format!("the same as `{of}`"),
                Given(why) => format!("accepted, changes nothing: {why}"),
                Only(value, why) => format!("`{value}` is accepted: {why}"),
                Instead(what) => format!("refused: {what}"),
            };
            let name = if name.ends_with('.') { format!("`{name}*`") } else { format!("`{name}`") };
            match rows.iter_mut().find(|(_, other)| *other == answer) {
                Some((names, _)) => *names += &format!(", {name}"),
                None => rows.push((name, answer)),
            }
        }
        let line = |(names, answer): (String, String)| format!("| {names} | {answer} |\n");
        format!("| setting | what becomes of it |\n| --- | --- |\n{}", rows.into_iter().map(line).collect::<String>())
    }

    /// `UPDATE_GOLDEN=1` writes the table of docs/configuration.md anew.
    #[test]
    fn the_documentation_lists_them() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
        let text = std::fs::read_to_string(&path).unwrap();
        let start = "<!-- settings of ksqlDB -->\n";
        let (before, rest) = text.split_once(start).unwrap();
        let (found, after) = rest.split_once("<!-- end -->\n").unwrap();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, format!("{before}{start}{}<!-- end -->\n{after}", table())).unwrap();
            return;
        }
        assert_eq!(found, table(), "run this test with UPDATE_GOLDEN=1");
    }

    #[test]
    fn each_is_one_thing() {
        for (at, (name, answer)) in FOREIGN.iter().enumerate() {
            assert!(!KNOWN.iter().any(|(known, ..)| known == name), "{name} is a setting");
            assert!(answer_before(at, name).is_none(), "{name} is never reached");
            if let Alias(of) = answer {
                assert!(KNOWN.iter().any(|(known, ..)| known == of), "{name} is another name of nothing");
            }
        }
    }

    fn answer_before(at: usize, name: &str) -> Option<&'static str> {
        let fits = |known: &str| name == known || (known.ends_with('.') && name.starts_with(known));
        FOREIGN[..at].iter().map(|(known, _)| *known).find(|known| fits(known))
    }

    #[test]
    fn what_is_accepted_says_what_is_so() {
        let mut settings = Settings::default();
        for (name, value, says) in [
            ("num.stream.threads", "4", "all queries share one thread a core"),
            ("ksql.streams.num.stream.threads", "4", "all queries share one thread a core"),
            ("ksql.streams.producer.linger.ms", "5", NO_CLIENT),
            ("ksql.fail.on.deserialization.error", "FALSE", UNREADABLE),
        ] {
            assert_eq!(settings.set(name, value).unwrap(), Some(says), "{name}");
            settings.unset(name).unwrap();
        }
        assert_eq!(settings, Settings::default(), "nothing is kept of what changes nothing");
    }

    #[test]
    fn what_is_refused_says_what_to_do() {
        let mut settings = Settings::default();
        for (name, value, code, message, help) in [
            ("ksql.sink.partitions", "4", "E0301", "is none of Millstream", "WITH (PARTITIONS=n)"),
            ("ksql.streams.bootstrap.servers", "h:9092", "E0301", "is none of Millstream", "--listeners"),
            ("ksql.fail.on.deserialization.error", "true", "E0302", "cannot be 'true': expected false", "is left out"),
            ("num.stream.thread", "4", "E0301", "is not known", "did you mean \"num.stream.threads\"?"),
        ] {
            let refused = settings.set(name, value).unwrap_err();
            assert_eq!(refused.code, code, "{name}");
            assert!(refused.message.contains(message), "{name}: {}", refused.message);
            assert!(refused.help.as_deref().is_some_and(|text| text.contains(help)), "{name}: {:?}", refused.help);
        }
    }

    #[test]
    fn another_name_is_the_same_setting() {
        let mut settings = Settings::default();
        for name in ["cache.max.bytes.buffering", "ksql.streams.statestore.cache.max.bytes"] {
            assert_eq!(settings.set(name, "0").unwrap(), None);
            assert_eq!(settings.number("ksql.streams.cache.max.bytes.buffering"), 0, "{name}");
            settings.unset(name).unwrap();
            assert_eq!(settings.number("ksql.streams.cache.max.bytes.buffering"), 10_485_760, "{name}");
        }
        settings.set("ksql.streams.consumer.auto.offset.reset", "earliest").unwrap();
        assert!(settings.from_earliest());
        assert!(settings.set("cache.max.bytes.buffering", "much").is_err());
    }
}

//! What may differ between Millstream and Kafka, and why.

/// A field that may differ.
#[derive(Debug)]
pub(crate) struct Difference {
    /// The request's name, or `*`.
    pub(crate) api: &'static str,
    /// The field's path; `*` before a name is any path.
    pub(crate) field: &'static str,
    pub(crate) rule: Accepts,
    pub(crate) reason: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Accepts {
    /// Any two values; they are not looked at.
    Any,
    /// The same items in any order.
    AnyOrder,
    /// Only the items of a list that both have, by this field.
    Common(&'static str),
    /// Two numbers that are no further from each other than that.
    Near(i64),
    /// Kafka's list may have more than ours.
    Longer,
    /// Just these: Kafka's, ours.
    Just(&'static str, &'static str),
}

/// What is done to a value before it is compared.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rule {
    Masked,
    Unordered,
}

const fn any(api: &'static str, field: &'static str, reason: &'static str) -> Difference {
    Difference { api, field, rule: Accepts::Any, reason }
}

const fn any_order(api: &'static str, field: &'static str, reason: &'static str) -> Difference {
    Difference { api, field, rule: Accepts::AnyOrder, reason }
}

const fn common(api: &'static str, field: &'static str, by: &'static str, reason: &'static str) -> Difference {
    Difference { api, field, rule: Accepts::Common(by), reason }
}

const fn near(api: &'static str, field: &'static str, distance: i64, reason: &'static str) -> Difference {
    Difference { api, field, rule: Accepts::Near(distance), reason }
}

const fn longer(api: &'static str, field: &'static str, reason: &'static str) -> Difference {
    Difference { api, field, rule: Accepts::Longer, reason }
}

const fn just(
    api: &'static str,
    field: &'static str,
    kafka: &'static str,
    ours: &'static str,
    reason: &'static str,
) -> Difference {
    Difference { api, field, rule: Accepts::Just(kafka, ours), reason }
}

/// Settings whose defaults differ: here everything is synced before it is acknowledged, records have whatever time a
/// statement gives them, and Kafka's eligible leader replicas set `min.insync.replicas` for the whole cluster.
pub(crate) const OTHER_DEFAULTS: [&str; 4] =
    ["flush.messages", "flush.ms", "message.timestamp.after.max.ms", "min.insync.replicas"];

pub(crate) static DIFFERENCES: &[Difference] = &[
    just(
        "IncrementalAlterConfigs",
        "responses.error_code",
        "-1",
        "40",
        "Kafka fails at an operation that it does not know",
    ),
    longer("Fetch", "*aborted_transactions", "Kafka also names transactions behind what it sends"),
    any("Produce", "*log_append_time_ms", "two clocks"),
    near("ListOffsets", "*timestamp", 200, "two clocks, where the topic gives records the time of their appending"),
    any_order("DescribeTransactions", "*topics.partitions", "Kafka lists them as its hash table has them"),
    any("*", "*error_message", "messages for people are our own"),
    any("*", "*batch_index_error_message", "messages for people are our own"),
    any("*", "*port", "two brokers listen on two ports"),
    any("*", "*cluster_id", "two clusters"),
    any_order("*", "*members", "members are in the order of their ids, which brokers make up"),
    any_order("Metadata", "topics", "Kafka lists topics as its hash table has them"),
    any_order("Metadata", "topics.partitions", "Kafka lists partitions as its hash table has them"),
    any_order("ListGroups", "groups", "Kafka lists groups as its hash table has them"),
    any_order("ListTransactions", "transaction_states", "Kafka lists transactions as its hash table has them"),
    common("ApiVersions", "api_keys", "api_key", "what is not understood is not advertised"),
    common("ApiVersions", "supported_features", "name", "features of a cluster of several brokers"),
    common("ApiVersions", "finalized_features", "name", "features of a cluster of several brokers"),
    any("ApiVersions", "finalized_features_epoch", "it counts the records of Kafka's metadata log"),
    common("CreateTopics", "topics.configs", "name", "settings of replicas and remote logs are not there"),
    common("DescribeConfigs", "results.configs", "name", "settings of replicas and remote logs are not there"),
    any("DescribeConfigs", "results.configs.documentation", "messages for people are our own"),
    any_order("OffsetFetch", "*topics", "Kafka lists offsets as its hash table has them"),
    any_order("OffsetFetch", "*partitions", "Kafka lists offsets as its hash table has them"),
    just(
        "IncrementalAlterConfigs",
        "responses.error_code",
        "-1",
        "42",
        "Kafka fails at an operation that it does not know",
    ),
    just("IncrementalAlterConfigs", "responses.error_code", "40", "3", "of two faults Kafka finds the other one first"),
    just(
        "IncrementalAlterConfigs",
        "responses.error_code",
        "-1",
        "3",
        "Kafka fails at an operation that it does not know",
    ),
    just(
        "IncrementalAlterConfigs",
        "responses.error_code",
        "40",
        "42",
        "of two faults Kafka finds the other one first",
    ),
    just("AlterConfigs", "responses.error_code", "40", "3", "of two faults Kafka finds the other one first"),
    just(
        "ConsumerGroupHeartbeat",
        "error_code",
        "69",
        "25",
        "after a restart groups are forgotten, and members are to join anew",
    ),
    just("EndTxn", "error_code", "0", "90", "the epoch before is good only for asking for the same end again"),
    just("EndTxn", "producer_id", "*", "-1", "the same"),
    just("DescribeTransactions", "*partitions", "*", "0", "there is one partition of `__consumer_offsets`"),
    any_order("DescribeTransactions", "*topics", "Kafka lists them as its hash table has them"),
    any_order("DescribeProducers", "*active_producers", "Kafka lists them as its hash table has them"),
    any_order("ListConfigResources", "config_resources", "Kafka lists them as its hash table has them"),
    just("Produce", "*error_code", "45", "46", "a batch older than the last five is known as a duplicate"),
    any("JoinGroup", "generation_id", "Kafka completes a first rebalance without those who were just given an id"),
    any("InitProducerId", "producer_epoch", "Kafka fences by an epoch of its own, and takes the next one after it"),
    any("EndTxn", "producer_epoch", "it follows that of InitProducerId"),
    any("DescribeTransactions", "*producer_epoch", "it follows that of InitProducerId"),
    any("DescribeProducers", "*producer_epoch", "it follows that of InitProducerId"),
    any("DescribeTransactions", "*transaction_start_time_ms", "two clocks"),
    any("DescribeProducers", "*last_timestamp", "here it is when the producer wrote, in Kafka the time of its record"),
    any("DescribeProducers", "*coordinator_epoch", "there is one coordinator, and it never changes"),
    just("EndTxn", "error_code", "48", "0", "to commit an empty transaction in version 1 is no error: some clients do"),
];

fn matches(difference: &Difference, api: &str, path: &str) -> bool {
    let is_field = match difference.field.strip_prefix('*') {
        Some(name) => path == name || path.ends_with(&format!(".{name}")),
        None => path == difference.field,
    };
    is_field && (difference.api == "*" || difference.api == api)
}

pub(crate) fn rules<'a>(api: &'a str, path: &'a str, _version: i16) -> impl Iterator<Item = Rule> + 'a {
    DIFFERENCES.iter().filter(move |difference| matches(difference, api, path)).filter_map(
        |difference| match difference.rule {
            Accepts::Any => Some(Rule::Masked),
            Accepts::AnyOrder => Some(Rule::Unordered),
            Accepts::Just(..) | Accepts::Near(_) | Accepts::Longer | Accepts::Common(_) => None,
        },
    )
}

/// The lists of which only what both have is compared, and by which field.
pub(crate) fn common_lists(api: &str) -> impl Iterator<Item = (&'static Difference, &'static str)> {
    DIFFERENCES.iter().filter(move |difference| difference.api == api).filter_map(|difference| match difference.rule {
        Accepts::Common(by) => Some((difference, by)),
        _ => None,
    })
}

/// The declaration by which these two values may stand beside each other.
pub(crate) fn accepted(api: &str, path: &str, kafka: &str, ours: &str) -> Option<&'static Difference> {
    let fits = |difference: &&Difference| {
        let fits = match difference.rule {
            Accepts::Just(theirs, own) => is_like(theirs, kafka) && is_like(own, ours),
            Accepts::Near(distance) => is_near(distance, kafka, ours),
            Accepts::Longer => is_within(ours, kafka),
            _ => false,
        };
        fits && matches(difference, api, path)
    };
    DIFFERENCES.iter().find(fits)
}

fn is_near(distance: i64, kafka: &str, ours: &str) -> bool {
    match (kafka.parse::<i64>(), ours.parse::<i64>()) {
        (Ok(kafka), Ok(ours)) => kafka.abs_diff(ours) <= distance.unsigned_abs(),
        _ => false,
    }
}

/// Whether one list, of flat items, has all of the other one's in their order.
fn is_within(few: &str, many: &str) -> bool {
    let items = |list: &str| -> Option<Vec<String>> {
        let items = list.strip_prefix('[')?.strip_suffix(']')?.split("}, ");
        Some(items.map(|item| item.trim_end_matches('}').to_owned()).filter(|item| !item.is_empty()).collect())
    };
    let (Some(few), Some(many)) = (items(few), items(many)) else { return false };
    let mut rest = many.iter();
    few.iter().all(|item| rest.any(|other| other == item))
}

/// `*` at the end stands for anything.
fn is_like(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(begin) => text.starts_with(begin),
        None => pattern == text,
    }
}

#[test]
fn only_a_list_that_has_the_others_items_may_be_longer() {
    assert!(is_within("[]", "[{a}]") && is_within("[{a}]", "[{a}, {b}]") && is_within("[{b}]", "[{a}, {b}]"));
    assert!(!is_within("[{c}]", "[{a}, {b}]") && !is_within("[{a}, {b}]", "[{a}]") && !is_within("-1", "[]"));
    assert!(!is_within("[{b}, {a}]", "[{a}, {b}]") && !is_within("[{a}]", "[]"));
}

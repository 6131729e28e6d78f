//! The names of internal topics and groups, as ksqlDB gives them.

/// What is common to the internal names of all services. The offsets of groups of such a name never expire.
pub(crate) const PREFIX: &str = millstream_log::ENGINE_PREFIX;

/// The topic of commands.
pub(crate) fn command_topic(service_id: &str) -> String {
    format!("{PREFIX}{service_id}_command_topic")
}

/// The consumer group whose offsets are a query's.
pub(crate) fn group(service_id: &str, query_id: &str) -> String {
    format!("{PREFIX}{service_id}query_{query_id}")
}

/// How the names of all topics start that a query keeps for itself.
pub(crate) fn internal_prefix(service_id: &str, query_id: &str) -> String {
    format!("{}-", group(service_id, query_id))
}

/// The topic that rows of a query are repartitioned through.
pub(crate) fn repartition_topic(service_id: &str, query_id: &str, stage: usize) -> String {
    format!("{}-Stage-{stage}-repartition", group(service_id, query_id))
}

/// The topic that a foreign-key join's subscriptions go through to the stage that answers them.
pub(crate) fn subscription_topic(service_id: &str, query_id: &str, stage: usize) -> String {
    format!("{}-Stage-{stage}-subscription-registration", group(service_id, query_id))
}

/// The topic that the answers of a stage go back through.
pub(crate) fn answer_topic(service_id: &str, query_id: &str, stage: usize) -> String {
    format!("{}-Stage-{stage}-subscription-response", group(service_id, query_id))
}

/// The topic that an operator's state changes are kept in.
pub(crate) fn changelog_topic(service_id: &str, query_id: &str, stage: usize, operator: &str) -> String {
    format!("{}-Stage-{stage}-{operator}-changelog", group(service_id, query_id))
}

/// Whether a topic is one that users did not make.
pub(crate) fn is_internal(topic: &str) -> bool {
    topic.starts_with(PREFIX) || topic.starts_with("__")
}

//! What is told of a topic that is created.

use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};
use millstream_log::Log;

use super::*;
use crate::text::text;
use crate::topic_id::topic_id;

fn create(
    broker: &Arc<Broker>,
    validate_only: bool,
    settings: &[(&'static str, &'static str)],
) -> CreatableTopicResult {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let api = find(ApiKey::CreateTopics as i16).unwrap();
    let setting = |(name, value): &(&'static str, &'static str)| {
        CreatableTopicConfig::default().with_name(text(*name)).with_value(Some(text(*value)))
    };
    let topic = CreatableTopic::default()
        .with_name(TopicName(text("t")))
        .with_num_partitions(1)
        .with_replication_factor(1)
        .with_configs(settings.iter().map(setting).collect());
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_validate_only(validate_only);
    let body = encoded(&request, api.max);
    let response = exchange(&runtime, broker, api, api.max, body);
    let ResponseKind::CreateTopics(CreateTopicsResponse { mut topics, .. }) = response else { panic!() };
    topics.remove(0)
}

#[test]
fn a_topic_that_is_only_validated_has_an_id_that_is_nobodys() {
    let broker = broker();
    let validated = create(&broker, true, &[]);
    assert_eq!((validated.error_code, validated.topic_id.is_nil()), (0, false));
    assert_eq!(broker.log.topic("t").unwrap().map(|topic| topic.partitions), None);
    let created = create(&broker, false, &[]);
    assert_eq!((created.error_code, created.topic_id), (0, topic_id(&broker.log, "t")));
    assert_ne!(created.topic_id, validated.topic_id);
}

#[test]
fn settings_are_told_as_they_were_written_and_described_as_they_are_understood() {
    let broker = broker();
    let created = create(&broker, false, &[("preallocate", "TRUE"), ("min.cleanable.dirty.ratio", ".70")]);
    let told = |name: &str| {
        let configs = created.configs.as_ref().unwrap();
        configs.iter().find(|one| &*one.name == name).unwrap().value.as_ref().unwrap().to_string()
    };
    assert_eq!((told("preallocate"), told("min.cleanable.dirty.ratio")), ("TRUE".to_owned(), ".70".to_owned()));
    assert_eq!(told("retention.bytes"), "-1");
    let config = broker.log.topic("t").unwrap().unwrap().config;
    let known = |name: &str| millstream_log::TopicSetting::find(name).unwrap().get(&config);
    assert_eq!((known("preallocate"), known("min.cleanable.dirty.ratio")), ("true".to_owned(), "0.7".to_owned()));
}

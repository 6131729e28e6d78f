//! Which names a new topic may have beside those that are there.

use kafka_protocol::messages::CreateTopicsRequest;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use millstream_log::{Log, TopicSpec};

use super::*;
use crate::text::text;

#[test]
fn a_topic_that_metrics_could_not_tell_from_another_is_not_created() {
    let (runtime, broker) = (runtime(), broker());
    let api = find(ApiKey::CreateTopics as i16).unwrap();
    let create = |names: &[&str], validate_only: bool| {
        let topic = |name: &&str| {
            CreatableTopic::default()
                .with_name(TopicName(text(*name)))
                .with_num_partitions(1)
                .with_replication_factor(1)
        };
        let request = CreateTopicsRequest::default()
            .with_topics(names.iter().map(topic).collect())
            .with_validate_only(validate_only);
        let answer = exchange(&runtime, &broker, api, api.max, encoded(&request, api.max));
        let ResponseKind::CreateTopics(response) = answer else { panic!() };
        response.topics.into_iter().map(|topic| (topic.error_code, topic.error_message)).collect::<Vec<_>>()
    };
    let codes = |names: &[&str]| create(names, false).into_iter().map(|(code, _)| code).collect::<Vec<_>>();
    let (invalid, exists) = (ResponseError::InvalidTopicException.code(), ResponseError::TopicAlreadyExists.code());
    assert_eq!(codes(&["a.b", "ab", "a-b"]), [0, 0, 0]);
    let message = Some(text("Topic 'a_b' collides with existing topic: a.b"));
    assert_eq!(create(&["a_b"], true), [(invalid, message)]);
    assert_eq!(codes(&["a_b", "a.b", "a.b_c", "..consumer_offsets"]), [invalid, exists, 0, invalid]);
    assert_eq!(codes(&["a_b.c"]), [invalid]);

    // Nor is it by naming it.
    let metadata = MetadataRequest::default()
        .with_topics(Some(
            ["a_b", "a_d"].map(|name| MetadataRequestTopic::default().with_name(Some(TopicName(text(name))))).to_vec(),
        ))
        .with_allow_auto_topic_creation(true);
    let api = find(ApiKey::Metadata as i16).unwrap();
    let answer = exchange(&runtime, &broker, api, api.max, encoded(&metadata, api.max));
    let ResponseKind::Metadata(response) = answer else { panic!() };
    let codes: Vec<_> = response.topics.iter().map(|topic| topic.error_code).collect();
    assert_eq!(codes, [ResponseError::UnknownTopicOrPartition.code(), 0]);

    // What the engine creates is the log's to decide, and clients find it.
    broker.log.create_topic(&TopicSpec::new("a_b", 1)).unwrap();
    let answer = exchange(&runtime, &broker, api, api.max, encoded(&metadata, api.max));
    let ResponseKind::Metadata(response) = answer else { panic!() };
    assert!(response.topics.iter().all(|topic| topic.error_code == 0));
}

//! What Kafka's command-line tools ask for and clients seldom do.

use kafka_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use kafka_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse, ProducerId, WriteTxnMarkersRequest};
use millstream_log::record::BatchBuilder;
use millstream_log::{Log, Producer, TopicPartition, TopicSpec, TransactionState};
use uuid::Uuid;

use super::*;
use crate::topic_id::{topic_id, topic_name};

#[test]
fn a_topic_that_is_created_anew_has_another_id() {
    let broker = broker();
    let find = |id: Uuid| topic_name(&broker.log, id);
    let create = || {
        broker.log.create_topic(&TopicSpec::new("t", 1)).unwrap();
        topic_id(&broker.log, "t")
    };
    let first = create();
    assert_eq!(find(first).as_deref(), Some("t"));
    broker.log.create_partitions("t", 3).unwrap();
    assert_eq!(topic_id(&broker.log, "t"), first);
    broker.log.delete_topic("t").unwrap();
    assert_eq!((find(first), topic_id(&broker.log, "t")), (None, Uuid::nil()));
    let second = create();
    assert_ne!(second, first);
    assert_eq!((find(first), find(second).as_deref()), (None, Some("t")));
    assert_eq!(find(Uuid::nil()), None);
}

#[test]
fn the_log_directory_tells_the_size_of_partitions() {
    let (runtime, broker) = (runtime(), broker());
    broker.log.create_topic(&TopicSpec::new("t", 2)).unwrap();
    let mut batch = BatchBuilder::new();
    batch.push(1, None, Some(&[7; 1_000]));
    let batch = batch.finish().unwrap();
    let bytes = batch.len() as i64;
    broker.log.append(&TopicPartition::new("t", 1), batch).unwrap().wait().unwrap();
    let api = find(ApiKey::DescribeLogDirs as i16).unwrap();
    let describe = |request: DescribeLogDirsRequest| -> DescribeLogDirsResponse {
        let body = encoded(&request, api.max);
        let ResponseKind::DescribeLogDirs(response) = exchange(&runtime, &broker, api, api.max, body) else { panic!() };
        response
    };
    let response = describe(DescribeLogDirsRequest::default().with_topics(None));
    let dir = &response.results[0];
    assert_eq!((&*dir.log_dir, dir.error_code), ("/log", 0));
    let topic = dir.topics.iter().find(|topic| &**topic.name == "t").unwrap();
    let sizes: Vec<_> = topic.partitions.iter().map(|part| (part.partition_index, part.partition_size)).collect();
    assert_eq!(sizes, [(0, 0), (1, bytes)]);
    assert!(dir.topics.len() > 1, "the log's own topics, too");
    let none = describe(DescribeLogDirsRequest::default().with_topics(Some(Vec::new())));
    assert!(none.results[0].topics.is_empty());
}

#[test]
fn a_marker_from_outside_aborts_and_never_commits() {
    let (runtime, broker) = (runtime(), broker());
    broker.log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    let producer = broker.log.init_producer("id").unwrap();
    broker.log.add_partitions(producer, &[TopicPartition::new("t", 0)]).unwrap().wait().unwrap();
    let api = find(ApiKey::WriteTxnMarkers as i16).unwrap();
    let send = |producer: Producer, commit: bool| {
        let topic = WritableTxnMarkerTopic::default()
            .with_name(TopicName(crate::text::text("t")))
            .with_partition_indexes(vec![0]);
        let marker = WritableTxnMarker::default()
            .with_producer_id(ProducerId(producer.id))
            .with_producer_epoch(producer.epoch)
            .with_transaction_result(commit)
            .with_topics(vec![topic]);
        let body = encoded(&WriteTxnMarkersRequest::default().with_markers(vec![marker]), api.max);
        let ResponseKind::WriteTxnMarkers(response) = exchange(&runtime, &broker, api, api.max, body) else { panic!() };
        assert_eq!(response.markers[0].producer_id.0, producer.id);
        response.markers[0].topics[0].partitions[0].error_code
    };
    let state = || broker.log.transaction("id").unwrap().state;
    assert_eq!(send(producer, true), ResponseError::InvalidRequest.code());
    let older = Producer { epoch: producer.epoch - 1, ..producer };
    assert_eq!(send(older, false), ResponseError::InvalidProducerEpoch.code());
    assert_eq!(state(), TransactionState::Ongoing);
    assert_eq!((send(producer, false), state()), (0, TransactionState::CompleteAbort));
    assert!(broker.log.end_transaction(producer, true, &[]).is_err(), "its producer cannot commit it any more");
}

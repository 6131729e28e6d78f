//! In whose name offsets may be committed.

use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::{GroupId, OffsetCommitRequest};
use millstream_log::{Log, TopicSpec};

use super::*;
use crate::text::text;

#[test]
fn a_group_of_offsets_only_has_no_members_and_one_that_is_not_there_no_generation() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let broker = broker();
    broker.log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    let commit = |group: &'static str, generation: i32, version: i16| {
        let partition = OffsetCommitRequestPartition::default().with_committed_offset(7);
        let topic =
            OffsetCommitRequestTopic::default().with_name(TopicName(text("t"))).with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_generation_id_or_member_epoch(generation)
            .with_topics(vec![topic]);
        let api = find(ApiKey::OffsetCommit as i16).unwrap();
        let response = exchange(&runtime, &broker, api, version, encoded(&request, version));
        let ResponseKind::OffsetCommit(response) = response else { panic!() };
        response.topics[0].partitions[0].error_code
    };
    assert_eq!(commit("g", -1, 8), 0);
    for (version, not_there) in [(8, ResponseError::IllegalGeneration), (9, ResponseError::GroupIdNotFound)] {
        assert_eq!(commit("g", 1, version), ResponseError::UnknownMemberId.code());
        assert_eq!(commit("none", 1, version), not_there.code());
    }
}

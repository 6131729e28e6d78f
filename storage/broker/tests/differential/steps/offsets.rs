//! Offsets of groups.

use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{ApiKey, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, RequestKind};

use super::{any_group, any_lasting_topic, any_partition, any_topic, group_id, text, topic_name};
use crate::world::World;

pub(crate) fn commit(world: &mut World) {
    let version = world.version((2, 9));
    let group = any_group(world);
    // As a member of the group, as somebody else, as nobody.
    let (number, more) = (world.below(2), world.pick(&[0, 0, 0, 1]));
    let is_member = world.chance(60);
    let group_of_nobody = format!("{}alone", world.prefix);
    let mut group =
        if is_member { group } else { world.pick(&[group, group_of_nobody.clone(), group_of_nobody.clone()]) };
    let mut partition = OffsetCommitRequestPartition::default()
        .with_partition_index(any_partition(world))
        .with_committed_offset(world.below(50) as i64)
        .with_committed_metadata(world.pick(&[None, Some("note"), Some("")]).map(text));
    if world.chance(4) {
        partition = partition.with_committed_metadata(Some(text("x".repeat(5_000))));
        // In Kafka a commit without a generation makes its group even if it is refused.
        let known = world.sides[0].member(&format!("{group}-m{number}"));
        if known.id.is_empty() && (!is_member || known.generation + more < 0) {
            group.clone_from(&group_of_nobody);
        }
    }
    if version >= 6 {
        partition = partition.with_committed_leader_epoch(world.pick(&[-1, 0]));
    }
    let topic = OffsetCommitRequestTopic::default()
        .with_name(topic_name(&any_lasting_topic(world)))
        .with_partitions(vec![partition]);
    world.ask(ApiKey::OffsetCommit, version, |side| {
        let known = side.member(&format!("{group}-m{number}"));
        let (id, generation) = if is_member { (known.id, known.generation + more) } else { (text(""), -1) };
        let request = OffsetCommitRequest::default()
            .with_group_id(group_id(&group))
            .with_member_id(id)
            .with_generation_id_or_member_epoch(generation)
            .with_topics(vec![topic.clone()]);
        RequestKind::OffsetCommit(request)
    });
}

pub(crate) fn fetch(world: &mut World) {
    let version = world.version((1, 9));
    let group = any_group(world);
    let group = world.pick(&[group.clone(), group, format!("{}alone", world.prefix)]);
    let (topic, partition) = (any_topic(world), any_partition(world));
    let all = version >= 2 && world.chance(40);
    let request = if version >= 8 {
        let topics = vec![
            OffsetFetchRequestTopics::default().with_name(topic_name(&topic)).with_partition_indexes(vec![partition]),
        ];
        let asked = OffsetFetchRequestGroup::default().with_group_id(group_id(&group)).with_topics(if all {
            None
        } else {
            Some(topics)
        });
        let asked = if version >= 9 { asked.with_member_id(None).with_member_epoch(-1) } else { asked };
        OffsetFetchRequest::default().with_groups(vec![asked])
    } else {
        let topics = vec![
            OffsetFetchRequestTopic::default().with_name(topic_name(&topic)).with_partition_indexes(vec![partition]),
        ];
        OffsetFetchRequest::default().with_group_id(group_id(&group)).with_topics(if all { None } else { Some(topics) })
    };
    let request = if version >= 7 { request.with_require_stable(world.chance(50)) } else { request };
    world.ask(ApiKey::OffsetFetch, version, |_| RequestKind::OffsetFetch(request.clone()));
}

pub(crate) fn delete(world: &mut World) {
    let partition = OffsetDeleteRequestPartition::default().with_partition_index(any_partition(world));
    let topic =
        OffsetDeleteRequestTopic::default().with_name(topic_name(&any_topic(world))).with_partitions(vec![partition]);
    let group = any_group(world);
    let request = OffsetDeleteRequest::default().with_group_id(group_id(&group)).with_topics(vec![topic]);
    world.ask(ApiKey::OffsetDelete, 0, |_| RequestKind::OffsetDelete(request.clone()));
}

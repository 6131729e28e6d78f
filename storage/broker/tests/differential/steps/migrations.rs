//! Members that speak the classic protocol in groups whose other members speak the newer one: such a group moves from one
//! kind to the other and back. There is one of them in each, so that nobody waits.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::consumer_protocol_assignment::TopicPartition;
use kafka_protocol::messages::consumer_protocol_subscription::TopicPartition as OwnedPartitions;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ApiKey, ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, ConsumerProtocolAssignment,
    ConsumerProtocolSubscription, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, RequestKind, ResponseKind,
    SyncGroupRequest,
};
use kafka_protocol::protocol::{Encodable, StrBytes};

use super::consumer_groups::{any_moving_group, commit_of, lasting_topic, topic_of};
use super::rebalances::LONG;
use super::{group_id, text, topic_name};
use crate::side::Side;
use crate::world::World;

/// A message of the embedded protocol: it begins with its version.
fn embedded(version: i16, message: &impl Encodable) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(version);
    message.encode(&mut bytes, version).unwrap();
    bytes.freeze()
}

/// What the member says of itself: its topic, and that it owns what it says.
fn subscription(version: i16, topic: &str, owned: &[i32]) -> Bytes {
    let mut said = ConsumerProtocolSubscription::default().with_topics(vec![text(topic)]);
    if version >= 1 && !owned.is_empty() {
        let owned = OwnedPartitions::default().with_topic(topic_name(topic)).with_partitions(owned.to_vec());
        said = said.with_owned_partitions(vec![owned]);
    }
    embedded(version, &said)
}

fn assignment(topic: &str, partitions: Vec<i32>, user_data: Option<Bytes>) -> Bytes {
    let assigned = TopicPartition::default().with_topic(topic_name(topic)).with_partitions(partitions);
    embedded(
        1,
        &ConsumerProtocolAssignment::default().with_assigned_partitions(vec![assigned]).with_user_data(user_data),
    )
}

fn member_name(group: &str) -> String {
    format!("{group}-k")
}

/// A member's wish to join.
struct Joining<'a> {
    group: &'a str,
    version: i16,
    instance: Option<StrBytes>,
    protocol_type: &'static str,
    protocols: &'static [&'static str],
    said: Bytes,
}

impl Joining<'_> {
    /// The member joins; who is to have an id first gets one, and joins by it. The answers' leader is returned, which in a
    /// consumer group is nobody.
    fn ask(&self, world: &mut World) -> StrBytes {
        let name = member_name(self.group);
        loop {
            let build = |side: &Side| {
                let protocol = |name: &&str| {
                    JoinGroupRequestProtocol::default().with_name(text(*name)).with_metadata(self.said.clone())
                };
                let mut request = JoinGroupRequest::default()
                    .with_group_id(group_id(self.group))
                    .with_session_timeout_ms(LONG.session_ms)
                    .with_member_id(side.member(&name).id)
                    .with_protocol_type(text(self.protocol_type))
                    .with_protocols(self.protocols.iter().map(protocol).collect());
                if self.version >= 1 {
                    request = request.with_rebalance_timeout_ms(LONG.rebalance_ms);
                }
                if self.version >= 5 {
                    request = request.with_group_instance_id(self.instance.clone());
                }
                RequestKind::JoinGroup(request)
            };
            let learn = |side: &mut Side, response: &ResponseKind| {
                let ResponseKind::JoinGroup(joined) = response else { return };
                match joined.error_code {
                    0 | 79 => side.set_member(&name, &joined.member_id, joined.generation_id),
                    // Unknown.
                    25 => side.set_member(&name, &text(""), -1),
                    _ => {}
                }
            };
            let responses = world.ask_and_learn(ApiKey::JoinGroup, self.version, build, learn);
            match responses.into_iter().flatten().next() {
                Some(ResponseKind::JoinGroup(joined)) if joined.error_code == 79 => {}
                Some(ResponseKind::JoinGroup(joined)) => return joined.leader,
                _ => return StrBytes::default(),
            }
        }
    }
}

pub(crate) fn join(world: &mut World) {
    let (group, number) = (any_moving_group(world), world.below(2));
    let topic = topic_of(world, &group, number);
    let version = world.version((0, 9));
    let said = world.version((0, 3));
    let owned: &[i32] = world.pick(&[&[][..], &[], &[0], &[0, 1]]);
    let protocol_type = world.pick(&["consumer", "consumer", "consumer", "consumer", "consumer", "else"]);
    let custom = &["custom", "range"][..];
    let protocols = world.pick(&[&["range", "cooperative-sticky"][..], &["range"], &["cooperative-sticky"], custom]);
    // With data of a default assignor Kafka does not let a group move over.
    let user_data = (protocols == custom && world.chance(50)).then(|| Bytes::from_static(b"custom"));
    let said = subscription(said, &topic, owned);
    let leader = Joining { group: &group, version, instance: None, protocol_type, protocols, said }.ask(world);
    if !leader.is_empty() {
        // What a classic member says it owns counts here until it has its assignment, and not in Kafka.
        sync_of(world, &group, 5, 0, Some(protocols[0]), assignment(&topic, vec![0, 1], user_data));
    }
}

/// If the group is a classic one now, its member joins again: until then its part is what it has here, and in Kafka what it
/// was to have.
pub(super) fn catch_up(world: &mut World, group: &str) {
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group_id(group)]);
    let described = world
        .ask(ApiKey::ConsumerGroupDescribe, 0, |_| RequestKind::ConsumerGroupDescribe(request.clone()))
        .map(|response| match response {
            Some(ResponseKind::ConsumerGroupDescribe(described)) => described.groups[0].error_code,
            _ => -1,
        });
    if described.contains(&0) || world.sides[0].member(&member_name(group)).id.is_empty() {
        return;
    }
    let (topic, protocols) = (topic_of(world, group, 0), &["range", "cooperative-sticky"]);
    let said = subscription(1, &topic, &[]);
    Joining { group, version: 9, instance: None, protocol_type: "consumer", protocols, said }.ask(world);
    sync_of(world, group, 5, 0, Some("range"), assignment(&topic, vec![0, 1], None));
}

pub(crate) fn sync(world: &mut World) {
    let (group, number) = (any_moving_group(world), world.below(2));
    let topic = topic_of(world, &group, number);
    let version = world.version((0, 5));
    let partitions = world.pick(&[vec![0, 1], vec![0], vec![1], vec![]]);
    let more = world.pick(&[0, 0, 0, 0, 1]);
    let protocol = world.pick(&[Some("range"), Some("range"), Some("range"), Some("cooperative-sticky"), None]);
    sync_of(world, &group, version, more, protocol, assignment(&topic, partitions, None));
}

fn sync_of(world: &mut World, group: &str, version: i16, more: i32, protocol: Option<&str>, assignment: Bytes) {
    world.ask(ApiKey::SyncGroup, version, |side| {
        let known = side.member(&member_name(group));
        let assigned =
            SyncGroupRequestAssignment::default().with_member_id(known.id.clone()).with_assignment(assignment.clone());
        let request = SyncGroupRequest::default()
            .with_group_id(group_id(group))
            .with_member_id(known.id)
            .with_generation_id(known.generation + more)
            .with_assignments(vec![assigned]);
        RequestKind::SyncGroup(if version >= 5 {
            request.with_protocol_type(Some(text("consumer"))).with_protocol_name(protocol.map(text))
        } else {
            request
        })
    });
}

pub(crate) fn heartbeat(world: &mut World) {
    let (group, version) = (any_moving_group(world), world.version((0, 4)));
    let more = world.pick(&[0, 0, 0, 1]);
    heartbeat_of(world, &group, version, more, None);
}

fn heartbeat_of(world: &mut World, group: &str, version: i16, more: i32, instance: Option<StrBytes>) {
    world.ask(ApiKey::Heartbeat, version, |side| {
        let known = side.member(&member_name(group));
        let request = HeartbeatRequest::default()
            .with_group_id(group_id(group))
            .with_member_id(known.id)
            .with_generation_id(known.generation + more);
        RequestKind::Heartbeat(if version >= 3 { request.with_group_instance_id(instance.clone()) } else { request })
    });
}

pub(crate) fn leave(world: &mut World) {
    let (group, version) = (any_moving_group(world), world.version((0, 5)));
    let name = member_name(&group);
    world.ask(ApiKey::LeaveGroup, version, |side| {
        let id = side.member(&name).id;
        let request = LeaveGroupRequest::default().with_group_id(group_id(&group));
        RequestKind::LeaveGroup(if version >= 3 {
            request.with_members(vec![MemberIdentity::default().with_member_id(id)])
        } else {
            request.with_member_id(id)
        })
    });
    world.sides.iter_mut().for_each(|side| side.set_member(&name, &text(""), -1));
}

pub(crate) fn commit(world: &mut World) {
    let (group, number) = (any_moving_group(world), world.below(2));
    let topic = topic_of(world, &group, number);
    let (version, more) = (world.version((2, 9)), world.pick(&[0, 0, 0, 1, -1]));
    commit_of(world, version, &group, &member_name(&group), more, (&topic, 0));
}

/// A static member goes over to the newer protocol and back, and with it its group.
pub(crate) fn static_member(world: &mut World) {
    let number = world.below(u64::from(u32::MAX));
    let (group, topic) = (format!("{}i{number}", world.prefix), lasting_topic(world, 1));
    let instance = Some(text("instance"));
    let said = subscription(3, &topic, &[]);
    let joining = || Joining {
        group: &group,
        version: 9,
        instance: instance.clone(),
        protocol_type: "consumer",
        protocols: &["range"],
        said: said.clone(),
    };
    joining().ask(world);
    sync_of(world, &group, 5, 0, Some("range"), assignment(&topic, vec![0, 1, 2], None));
    let newer = |epoch: i32| {
        let beat = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(group_id(&group))
            .with_member_id(text("newer"))
            .with_instance_id(instance.clone())
            .with_member_epoch(epoch);
        RequestKind::ConsumerGroupHeartbeat(if epoch == 0 {
            beat.with_rebalance_timeout_ms(60_000)
                .with_subscribed_topic_names(Some(vec![topic_name(&topic)]))
                .with_topic_partitions(Some(Vec::new()))
        } else {
            beat.with_rebalance_timeout_ms(-1).with_subscribed_topic_names(None).with_topic_partitions(None)
        })
    };
    let describe = || {
        let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group_id(&group)]);
        RequestKind::ConsumerGroupDescribe(request)
    };
    world.ask(ApiKey::ConsumerGroupHeartbeat, 1, |_| newer(0));
    world.ask(ApiKey::ConsumerGroupDescribe, 1, |_| describe());
    heartbeat_of(world, &group, 4, 0, instance.clone());
    world.ask(ApiKey::ConsumerGroupHeartbeat, 1, |_| newer(-2));
    // Without an id it takes the other one's place.
    world.sides.iter_mut().for_each(|side| side.set_member(&member_name(&group), &text(""), -1));
    joining().ask(world);
    world.ask(ApiKey::ConsumerGroupDescribe, 1, |_| describe());
    sync_of(world, &group, 5, 0, Some("range"), Bytes::new());
    heartbeat_of(world, &group, 4, 0, instance.clone());
}

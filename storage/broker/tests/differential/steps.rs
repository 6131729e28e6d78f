//! The steps of the script, by what they are about.

pub(crate) mod administration;
pub(crate) mod configs;
pub(crate) mod consumer_groups;
pub(crate) mod groups;
pub(crate) mod migrations;
pub(crate) mod offsets;
pub(crate) mod rebalances;
pub(crate) mod records;
pub(crate) mod security;
pub(crate) mod topics;
pub(crate) mod transactions;

use kafka_protocol::messages::{GroupId, TopicName, TransactionalId};
use kafka_protocol::protocol::StrBytes;

use crate::world::World;

pub(crate) fn text(value: impl Into<String>) -> StrBytes {
    StrBytes::from_string(value.into())
}

pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

pub(crate) fn group_id(name: &str) -> GroupId {
    GroupId(text(name))
}

pub(crate) fn transactional_id(name: &str) -> TransactionalId {
    TransactionalId(text(name))
}

/// A name of a topic, of which most exist.
pub(crate) fn any_topic(world: &mut World) -> String {
    let number = world.below(5);
    format!("{}t{number}", world.prefix)
}

/// A name of a topic that is never deleted.
pub(crate) fn any_lasting_topic(world: &mut World) -> String {
    let number = world.below(3);
    format!("{}t{number}", world.prefix)
}

pub(crate) fn any_group(world: &mut World) -> String {
    let number = world.below(3);
    format!("{}g{number}", world.prefix)
}

/// A partition's number, which mostly exists.
pub(crate) fn any_partition(world: &mut World) -> i32 {
    world.pick(&[0, 0, 0, 0, 1, 1, 2, 7])
}

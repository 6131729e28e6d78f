//! The ids of topics (KIP-516).

use std::sync::Arc;

use millstream_log::EmbeddedLog;
use uuid::Uuid;

const FNV_BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const FNV_PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
/// These bits are the topic's number, so that a topic is found by its id as fast as by its name.
const NUMBER_MASK: u128 = u32::MAX as u128;

/// The id of a topic: made from its name and its number (FNV-1a), so that it needs no place on disk, and that a topic which
/// is created anew has another. Nil if there is no such topic.
pub(crate) fn topic_id(log: &EmbeddedLog, name: &str) -> Uuid {
    log.topic_number(name).map_or(Uuid::nil(), |number| id_of(name, number))
}

/// The name of the topic that has this id.
pub(crate) fn topic_name(log: &EmbeddedLog, id: Uuid) -> Option<Arc<str>> {
    let number = u32::try_from(id.as_u128() & NUMBER_MASK).ok()?;
    // The number alone does not make it: anybody can think of one.
    log.topic_of_number(number).filter(|name| id_of(name, number) == id)
}

fn id_of(name: &str, number: u32) -> Uuid {
    let mix = |hash: u128, byte: u8| (hash ^ u128::from(byte)).wrapping_mul(FNV_PRIME);
    let hash = name.bytes().chain(number.to_be_bytes()).fold(FNV_BASIS, mix);
    Uuid::from_u128(hash & !NUMBER_MASK | u128::from(number))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use millstream_log::{Log, LogOptions, TopicSpec};

    use super::*;

    #[test]
    fn a_topic_is_found_by_its_id_while_it_is_there() {
        let log = EmbeddedLog::open(LogOptions::in_memory()).unwrap();
        let create = |name: &str| {
            log.create_topic(&TopicSpec::new(name, 3)).unwrap();
            topic_id(&log, name)
        };
        let (a, b) = (create("a"), create("b"));
        assert_eq!((topic_name(&log, a).as_deref(), topic_name(&log, b).as_deref()), (Some("a"), Some("b")));
        // The number of no topic, of another topic's partition, and of a topic with another hash.
        for near in [a.as_u128() + 1_000, a.as_u128() + 1, a.as_u128() ^ 1 << 100, a.as_u128() & NUMBER_MASK] {
            assert_eq!(topic_name(&log, Uuid::from_u128(near)), None, "{near:x}");
        }
        assert_eq!((topic_name(&log, Uuid::nil()), topic_id(&log, "c")), (None, Uuid::nil()));
        log.delete_topic("a").unwrap();
        assert_eq!(topic_name(&log, a), None);
        assert_ne!(create("a"), a);
        assert_eq!(topic_name(&log, a), None);
    }

    /// A request can name two hundred thousand ids.
    #[test]
    fn ids_of_no_topic_cost_no_more_where_there_are_many_topics() {
        let log = EmbeddedLog::open(LogOptions::in_memory()).unwrap();
        (0..300).for_each(|topic| drop(log.create_topic(&TopicSpec::new(format!("topic-{topic}"), 1)).unwrap()));
        let begun = Instant::now();
        assert!((0..200_000).all(|id| topic_name(&log, Uuid::from_u128(id << 64 | id)).is_none()));
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}

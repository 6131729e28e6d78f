//! What consumers say of themselves and are assigned in groups by the classic protocol (`ConsumerProtocolSubscription`
//! and `ConsumerProtocolAssignment`). To the coordinator these are bytes of its members' own, unless a group moves from
//! one protocol to the other.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use millstream_log::TopicPartition;

use super::consumer::{Partitions, partitions_by_topic};
use crate::text::text;

/// The type of groups whose members are consumers.
pub(crate) const PROTOCOL_TYPE: &str = "consumer";

/// From then on a subscription says what the consumer owns.
const OWNED_SINCE: i16 = 1;
/// From then on it says in which generation the consumer got that.
const GENERATION_SINCE: i16 = 2;
const RACK_SINCE: i16 = 3;

/// What a consumer says of itself. Bytes after what is known are those of a later version, and not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConsumerSubscription<'a> {
    pub(crate) topics: Vec<&'a str>,
    pub(crate) owned: Partitions,
    pub(crate) rack: Option<StrBytes>,
}

/// The version of what a consumer says of itself, 0 if it says nothing.
pub(crate) fn version(subscription: &[u8]) -> i16 {
    Reader(subscription).version().unwrap_or_default()
}

/// The topics that a consumer subscribes to; `None` if that cannot be read.
pub(crate) fn topics(subscription: &[u8]) -> Option<Vec<&str>> {
    let mut rest = Reader(subscription);
    rest.version()?;
    rest.array(Reader::text)
}

impl<'a> ConsumerSubscription<'a> {
    /// Reads it; of what the consumer owns only what is `wanted`. `None` if it is malformed.
    pub(crate) fn read(bytes: &'a [u8], wanted: impl Fn(&TopicPartition) -> bool) -> Option<Self> {
        let mut rest = Reader(bytes);
        let version = rest.version()?;
        let topics = rest.array(Reader::text)?;
        rest.user_data()?;
        let owned = if version >= OWNED_SINCE { rest.partitions(wanted)? } else { Partitions::new() };
        if version >= GENERATION_SINCE {
            rest.i32()?;
        }
        let rack = if version >= RACK_SINCE { rest.nullable_text()? } else { None };
        Some(Self { topics, owned, rack: rack.map(text) })
    }
}

/// What a consumer is assigned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ConsumerAssignment {
    pub(crate) partitions: Partitions,
    /// Whether the assignor says something more to the consumer.
    pub(crate) has_user_data: bool,
}

impl ConsumerAssignment {
    /// Reads it, only the partitions that are `wanted`; no bytes are no partitions. `None` if it is malformed.
    pub(crate) fn read(bytes: &[u8], wanted: impl Fn(&TopicPartition) -> bool) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let mut rest = Reader(bytes);
        rest.version()?;
        let partitions = rest.partitions(wanted)?;
        Some(Self { partitions, has_user_data: !rest.user_data()?.is_empty() })
    }
}

/// An assignment for a consumer whose subscription is of this version.
pub(crate) fn assignment(version: i16, partitions: &Partitions) -> Bytes {
    let by_topic = partitions_by_topic(partitions);
    let count = |length: usize| i32::try_from(length).unwrap_or(i32::MAX);
    let mut bytes = BytesMut::new();
    bytes.put_i16(version.clamp(0, RACK_SINCE));
    bytes.put_i32(count(by_topic.len()));
    for (topic, indexes) in by_topic {
        bytes.put_i16(i16::try_from(topic.len()).unwrap_or(i16::MAX));
        bytes.put_slice(topic.as_bytes());
        bytes.put_i32(count(indexes.len()));
        indexes.into_iter().for_each(|index| bytes.put_i32(index));
    }
    // No user data.
    bytes.put_i32(-1);
    bytes.freeze()
}

/// Reads from the front. Nothing is set aside for a count before what it counts is there.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn i16(&mut self) -> Option<i16> {
        self.0.try_get_i16().ok()
    }

    fn i32(&mut self) -> Option<i32> {
        self.0.try_get_i32().ok()
    }

    fn version(&mut self) -> Option<i16> {
        self.i16().filter(|version| *version >= 0)
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        self.0.split_off(..length)
    }

    /// A text, `None` within if it is null.
    fn nullable_text(&mut self) -> Option<Option<&'a str>> {
        match usize::try_from(self.i16()?) {
            Ok(length) => std::str::from_utf8(self.bytes(length)?).ok().map(Some),
            Err(_) => Some(None),
        }
    }

    fn text(&mut self) -> Option<&'a str> {
        self.nullable_text()?
    }

    fn user_data(&mut self) -> Option<&'a [u8]> {
        match usize::try_from(self.i32()?) {
            Ok(length) => self.bytes(length),
            Err(_) => Some(&[]),
        }
    }

    fn array<T>(&mut self, element: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.i32()?;
        let mut elements = Vec::new();
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Some(elements)
    }

    fn partitions(&mut self, wanted: impl Fn(&TopicPartition) -> bool) -> Option<Partitions> {
        let mut partitions = Partitions::new();
        for _ in 0..self.i32()? {
            let topic: Arc<str> = self.text()?.into();
            for _ in 0..self.i32()? {
                let partition = TopicPartition::new(Arc::clone(&topic), self.i32()?);
                if wanted(&partition) {
                    partitions.insert(partition);
                }
            }
        }
        Some(partitions)
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::consumer_protocol_assignment::TopicPartition as AssignedTopic;
    use kafka_protocol::messages::consumer_protocol_subscription::TopicPartition as OwnedTopic;
    use kafka_protocol::messages::{ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicName};
    use kafka_protocol::protocol::{Decodable, Encodable};
    use proptest::prelude::*;

    use super::*;

    fn parts(topic: &str, indexes: impl IntoIterator<Item = i32>) -> Partitions {
        indexes.into_iter().map(|index| TopicPartition::new(topic, index)).collect()
    }

    fn encoded(version: i16, message: &impl Encodable) -> Vec<u8> {
        let mut bytes = version.to_be_bytes().to_vec();
        message.encode(&mut bytes, version).unwrap();
        bytes
    }

    #[test]
    fn a_subscription_of_each_version_is_read() {
        for version in 0..=3 {
            let mut said = ConsumerProtocolSubscription::default();
            said.topics = vec![text("t"), text("u")];
            said.user_data = Some(Bytes::from_static(b"data"));
            if version >= OWNED_SINCE {
                said.owned_partitions =
                    vec![OwnedTopic::default().with_topic(TopicName(text("t"))).with_partitions(vec![0, 7])];
            }
            if version >= GENERATION_SINCE {
                said.generation_id = 5;
            }
            if version >= RACK_SINCE {
                said.rack_id = Some(text("r"));
            }
            let bytes = encoded(version, &said);
            let read = ConsumerSubscription::read(&bytes, |partition| partition.partition < 7).unwrap();
            assert_eq!((read.topics, topics(&bytes)), (vec!["t", "u"], Some(vec!["t", "u"])));
            assert_eq!(super::version(&bytes), version);
            assert_eq!(read.owned, if version >= OWNED_SINCE { parts("t", [0]) } else { Partitions::new() });
            assert_eq!(read.rack, (version >= RACK_SINCE).then(|| text("r")));
            for end in 0..bytes.len() {
                assert_eq!(ConsumerSubscription::read(&bytes[..end], |_| true), None, "the first {end} bytes");
            }
        }
    }

    #[test]
    fn an_assignment_is_read_by_consumers_and_by_us() {
        let mut partitions = parts("t", 0..2);
        partitions.extend(parts("u", [5]));
        for version in 0..=4 {
            let bytes = assignment(version, &partitions);
            let read = ConsumerAssignment::read(&bytes, |_| true).unwrap();
            assert_eq!(read, ConsumerAssignment { partitions: partitions.clone(), has_user_data: false });
            let mut rest = bytes.clone();
            let version = rest.get_i16();
            let decoded = ConsumerProtocolAssignment::decode(&mut rest, version).unwrap();
            let t = AssignedTopic::default().with_topic(TopicName(text("t"))).with_partitions(vec![0, 1]);
            let u = AssignedTopic::default().with_topic(TopicName(text("u"))).with_partitions(vec![5]);
            assert_eq!((decoded.assigned_partitions, rest.len()), (vec![t, u], 0));
            for end in 1..bytes.len() {
                assert_eq!(ConsumerAssignment::read(&bytes[..end], |_| true), None, "the first {end} bytes");
            }
        }
        assert_eq!(ConsumerAssignment::read(&[], |_| true), Some(ConsumerAssignment::default()));
        let said = ConsumerProtocolAssignment::default().with_user_data(Some(Bytes::from_static(b"1")));
        assert!(ConsumerAssignment::read(&encoded(1, &said), |_| true).unwrap().has_user_data);
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd(bytes in prop::collection::vec(prop_oneof![Just(0), Just(255), any::<u8>()], 0..64)) {
            let _ = ConsumerSubscription::read(&bytes, |_| true);
            let _ = ConsumerAssignment::read(&bytes, |_| true);
        }
    }
}

//! Groups by the classic protocol (KIP-345 static members, KIP-394 known member ids included), and in [`consumer`]
//! those of KIP-848.
//!
//! While members are in it a group may become one of the other kind: see [`consumer`], and `coordinator/migration.rs`.
//!
//! A group is a state machine without a clock, a thread or randomness of its own: the time, and the id that a new member
//! gets, come as arguments, and whoever waits gets its answer by way of a list. So it can be driven by a test step by step.
//!
//! ```text
//!           join                 all have joined              leader syncs
//! Empty ──────────► Preparing ───────────────────► Completing ────────────► Stable
//!   ▲                ▲   ▲ │                          │  │                    │
//!   │                │   └─┼──── join, leave, expiry ─┘  │                    │
//!   └── nobody is left ────┘                             └── join, leave, ────┘
//!                    └────────────────────────────────────── expiry
//! ```

pub(crate) mod consumer;
mod consumer_protocol;
mod coordinator;
mod join;
mod member;
mod rebalance;

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;

use crate::budget::Share;
use consumer_protocol::PROTOCOL_TYPE;

pub(crate) use coordinator::{Coordinator, Identity, Limits, Sync};
pub(crate) use join::Join;
use member::Member;

/// Whoever waits for an answer.
pub(crate) trait Waits {
    /// Whether nobody is there any more to hear it.
    fn has_gone(&self) -> bool;
}

/// What a waiting member is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Joined(Joined),
    Synced(Synced),
}

/// The answer to a member that joined.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Joined {
    pub(crate) error_code: i16,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<StrBytes>,
    pub(crate) protocol: Option<StrBytes>,
    pub(crate) leader: StrBytes,
    pub(crate) skip_assignment: bool,
    pub(crate) member_id: StrBytes,
    /// For the leader: who is there, and what each said of itself.
    pub(crate) members: Vec<(StrBytes, Option<StrBytes>, Bytes)>,
}

impl Joined {
    pub(crate) fn failed(error_code: i16, member_id: StrBytes) -> Self {
        Self { error_code, generation: -1, member_id, ..Self::default() }
    }
}

/// The answer to a member that waited for its assignment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Synced {
    pub(crate) error_code: i16,
    pub(crate) protocol_type: Option<StrBytes>,
    pub(crate) protocol: Option<StrBytes>,
    pub(crate) assignment: Bytes,
}

impl Synced {
    pub(crate) fn failed(error_code: i16) -> Self {
        Self { error_code, ..Self::default() }
    }
}

/// Answers and whom they are for.
pub(crate) type Answers<W> = Vec<(W, Answer)>;

/// Where a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It has no members, but perhaps offsets.
    Empty,
    /// Members are to join.
    Preparing,
    /// The leader is to say who reads what.
    Completing,
    /// Everybody knows what to read.
    Stable,
}

impl State {
    /// The name by which tools know it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Preparing => "PreparingRebalance",
            Self::Completing => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// One group; `W` is what identifies a waiting request.
#[derive(Debug)]
pub(crate) struct Group<W> {
    pub(crate) state: State,
    generation: i32,
    pub(crate) protocol_type: Option<StrBytes>,
    pub(crate) protocol: Option<StrBytes>,
    leader: Option<StrBytes>,
    pub(crate) members: BTreeMap<StrBytes, Member<W>>,
    /// The members that keep their identity over restarts, by that identity.
    instances: HashMap<StrBytes, StrBytes>,
    /// Ids that were given out but have not joined.
    pending: HashMap<StrBytes, Pending>,
    /// When the phase of a rebalance ends without those who are missing, or when the group is forgotten if it is empty,
    /// in ms.
    deadline_ms: i64,
    /// Until then a new group waits for more members, in ms.
    hold_until_ms: i64,
    /// What it takes without its members.
    _share: Share,
}

/// An id that was given out.
#[derive(Debug)]
struct Pending {
    /// Until then it may join, in ms.
    until_ms: i64,
    share: Share,
}

/// What a group takes beside its name and its members, with room to spare.
const GROUP_BYTES: usize = 512;
/// A group without members is forgotten after so long, as Kafka's brokers do. Its offsets are the log's.
pub(crate) const EMPTY_GROUP_MS: i64 = 600_000;

impl<W> Group<W> {
    /// A group that nobody is in.
    fn new(now_ms: i64, share: Share) -> Self {
        Self {
            state: State::Empty,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            instances: HashMap::new(),
            pending: HashMap::new(),
            deadline_ms: now_ms.saturating_add(EMPTY_GROUP_MS),
            hold_until_ms: i64::MIN,
            _share: share,
        }
    }

    /// Whether nobody is in it, nor about to be.
    fn is_unused(&self) -> bool {
        self.members.is_empty() && self.pending.is_empty()
    }

    /// Whether its members are consumers, and not those of some other work.
    pub(crate) fn is_of_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some(PROTOCOL_TYPE)
    }

    /// Whether any member reads this topic.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        self.members.values().any(|member| member.subscribes(protocol, topic))
    }
}

#[cfg(test)]
pub(crate) mod tests;

//! Groups by the classic protocol (KIP-345 static members, KIP-394 known member ids included), and in [`consumer`]
//! those of KIP-848.
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
mod coordinator;
mod join;
mod member;
mod rebalance;

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;

pub(crate) use coordinator::{Coordinator, Identity, Limits, Sync};
pub(crate) use join::Join;
use member::Member;

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
    /// Ids that were given out but have not joined, and until when they may.
    pending: HashMap<StrBytes, i64>,
    /// When the phase of a rebalance ends without those who are missing, in ms.
    deadline_ms: i64,
    /// Until then a new group waits for more members, in ms.
    hold_until_ms: i64,
}

impl<W> Default for Group<W> {
    fn default() -> Self {
        Self {
            state: State::Empty,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            instances: HashMap::new(),
            pending: HashMap::new(),
            deadline_ms: i64::MAX,
            hold_until_ms: i64::MIN,
        }
    }
}

#[cfg(test)]
mod tests;

//! The memory that the answer to one request takes before it is written.

use crate::budget::{Budget, Share};

/// So much is not counted against the memory that all answers share: what an ordinary request takes.
const SMALL_BYTES: usize = 4 << 10;
/// So much of an answer may be messages, of which each takes so much beside its text: a small request can be wrong in very
/// many places.
const MESSAGES_BYTES_MAX: usize = 1 << 20;
const MESSAGE_BYTES: usize = 128;

/// What is kept for an answer. It may wait for the answers before it, and for its client to read them.
#[derive(Debug)]
pub(super) struct Kept {
    answers: Budget,
    share: Share,
    bytes: usize,
    messages_bytes_left: usize,
}

impl Kept {
    pub(super) fn new(answers: &Budget) -> Self {
        Self { answers: answers.clone(), share: Share::default(), bytes: 0, messages_bytes_left: MESSAGES_BYTES_MAX }
    }

    /// Whether there is room for so much more; then it is taken.
    pub(super) fn add(&mut self, bytes: usize) -> bool {
        let sum = self.bytes.saturating_add(bytes);
        let has_room = sum <= SMALL_BYTES || self.answers.try_resize(&mut self.share, sum);
        if has_room {
            self.bytes = sum;
        }
        has_room
    }

    /// Whether there is room for a message; then it is taken.
    pub(super) fn add_message(&mut self, message: &str) -> bool {
        let bytes = MESSAGE_BYTES + message.len();
        let Some(left) = self.messages_bytes_left.checked_sub(bytes) else { return false };
        self.messages_bytes_left = left;
        self.add(bytes)
    }
}

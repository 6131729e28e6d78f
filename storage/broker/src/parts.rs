//! An answer in parts: what is in memory, and what is still in the log's files.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use millstream_log::Extent;

/// A part of an answer.
#[derive(Debug)]
pub(crate) enum Part {
    Memory(Bytes),
    File(Extent),
}

/// The parts of an answer, in order.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    parts: VecDeque<Part>,
}

impl From<BytesMut> for Parts {
    fn from(bytes: BytesMut) -> Self {
        let mut parts = Self::default();
        parts.push(Part::Memory(bytes.freeze()));
        parts
    }
}

impl Parts {
    pub(crate) fn push(&mut self, part: Part) {
        self.parts.push_back(part);
    }

    /// The next part that is not empty.
    pub(crate) fn next(&mut self) -> Option<&mut Part> {
        while self.parts.front().is_some_and(Part::is_empty) {
            self.parts.pop_front();
        }
        self.parts.front_mut()
    }

    /// Its bytes, if they are in memory and no more than so many; none if there are none.
    pub(crate) fn small(&self, bytes_max: usize) -> Option<&[u8]> {
        let mut parts = self.parts.iter();
        match (parts.next(), parts.next()) {
            (None, _) => Some(&[]),
            (Some(Part::Memory(bytes)), None) if bytes.len() <= bytes_max => Some(bytes),
            _ => None,
        }
    }

    /// All of it in memory.
    #[cfg(test)]
    pub(crate) fn collect(self) -> Bytes {
        let mut bytes = BytesMut::new();
        for part in self.parts {
            match part {
                Part::Memory(memory) => bytes.extend_from_slice(&memory),
                Part::File(extent) => {
                    let start = bytes.len();
                    bytes.resize(start + extent.len(), 0);
                    assert_eq!(extent.read(&mut bytes[start..]).unwrap(), extent.len());
                }
            }
        }
        bytes.freeze()
    }
}

impl Part {
    fn is_empty(&self) -> bool {
        match self {
            Self::Memory(bytes) => bytes.is_empty(),
            Self::File(extent) => extent.is_empty(),
        }
    }
}

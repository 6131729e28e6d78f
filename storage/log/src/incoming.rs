//! A batch that is to be appended.

use std::borrow::Cow;
use std::ops::Deref;

use crate::buffers::Buffer;

/// A batch in the log's own memory, or in that of whoever appends it: a large one goes from there into its segment.
#[derive(Debug)]
pub(crate) enum Incoming<'a> {
    Owned(Buffer),
    Borrowed(&'a [u8]),
}

impl Deref for Incoming<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Owned(batch) => batch,
            Self::Borrowed(batch) => batch,
        }
    }
}

impl Incoming<'_> {
    /// The batch in memory of the log, copied if it is not there.
    pub(crate) fn into_owned(self) -> Buffer {
        match self {
            Self::Owned(batch) => batch,
            Self::Borrowed(batch) => batch.to_vec().into(),
        }
    }
}

impl From<Vec<u8>> for Incoming<'_> {
    fn from(batch: Vec<u8>) -> Self {
        Self::Owned(batch.into())
    }
}

impl<'a> From<Cow<'a, [u8]>> for Incoming<'a> {
    fn from(batch: Cow<'a, [u8]>) -> Self {
        match batch {
            Cow::Owned(batch) => batch.into(),
            Cow::Borrowed(batch) => Self::Borrowed(batch),
        }
    }
}

//! Memory that is shared out: whoever wants to keep something takes a share of it first, and gives it back by dropping it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A part of a budget, given back when it is dropped.
pub(crate) type Share = OwnedSemaphorePermit;

/// So much memory for all connections together, in units of 1 KiB.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    free: Arc<Semaphore>,
    units: usize,
    /// How many wait for memory. Written by those who wait, read by those who hold some of it.
    waiting: Arc<AtomicUsize>,
}

/// Somebody who waits, as long as this lives.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        let units = (bytes >> 10).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Self { free: Arc::new(Semaphore::new(units)), units, waiting: Arc::default() }
    }

    /// What is larger than all there is counts as all there is.
    fn units_of(&self, bytes: usize) -> usize {
        bytes.div_ceil(1 << 10).clamp(1, self.units)
    }

    fn try_units(&self, units: usize) -> Option<Share> {
        Arc::clone(&self.free).try_acquire_many_owned(u32::try_from(units).ok()?).ok()
    }

    /// So much memory if it is free.
    pub(crate) fn try_take(&self, bytes: usize) -> Option<Share> {
        self.try_units(self.units_of(bytes))
    }

    /// Whether so much memory is free.
    pub(crate) fn has(&self, bytes: usize) -> bool {
        self.free.available_permits() >= self.units_of(bytes)
    }

    /// Makes `share` one of so much memory, if that is no more or more is free; whether it is.
    pub(crate) fn try_resize(&self, share: &mut Share, bytes: usize) -> bool {
        let (held, needed) = (share.num_permits(), self.units_of(bytes));
        if needed <= held {
            drop(share.split(held - needed));
            return true;
        }
        let more = self.try_units(needed - held);
        more.map(|more| share.merge(more)).is_some()
    }

    /// Waits until `share` is one of so much memory.
    pub(crate) async fn grow(&self, share: &mut Option<Share>, bytes: usize) {
        let held = share.as_ref().map_or(0, Share::num_permits);
        let missing = u32::try_from(self.units_of(bytes).saturating_sub(held)).unwrap_or(u32::MAX);
        let _waiting = Waiting::new(&self.waiting);
        let Ok(more) = Arc::clone(&self.free).acquire_many_owned(missing).await else { return };
        match share {
            Some(share) => share.merge(more),
            None => *share = Some(more),
        }
    }

    /// Whether somebody waits for memory.
    pub(crate) fn is_short(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// How much of it is taken.
    #[cfg(test)]
    pub(crate) fn taken_bytes(&self) -> usize {
        (self.units - self.free.available_permits()) << 10
    }
}

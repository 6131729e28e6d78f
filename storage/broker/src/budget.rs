//! Memory that is shared out: whoever wants to keep something takes a share of it first, and gives it back by dropping it.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// While memory is short, a peer that holds some must move each piece within this time.
const SHORT_PIECE_MAX: Duration = Duration::from_secs(1);
/// Memory is short when less than this part of it is free.
const SHORT_PART: usize = 8;

/// So much memory for all connections together, in units of 1 KiB.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    free: Arc<Semaphore>,
    units: usize,
    /// One at a time may go on without memory of the budget: many that hold some and wait for more would wait for each
    /// other.
    overdraft: Arc<Semaphore>,
    /// How many wait for memory. Written by those who wait, read by those who hold some of it.
    waiting: Arc<AtomicUsize>,
}

/// A part of a budget, given back when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Share {
    permits: Option<OwnedSemaphorePermit>,
    overdraft: Option<OwnedSemaphorePermit>,
}

impl Share {
    fn units(&self) -> usize {
        self.permits.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }

    fn add(&mut self, more: OwnedSemaphorePermit) {
        match &mut self.permits {
            Some(permits) => permits.merge(more),
            None => self.permits = Some(more),
        }
    }

    /// Whether it is a share of anything.
    pub(crate) fn is_some(&self) -> bool {
        self.permits.is_some() || self.overdraft.is_some()
    }
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

fn units_of(bytes: usize) -> usize {
    bytes.div_ceil(1 << 10).max(1)
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        let units = (bytes >> 10).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Self {
            free: Arc::new(Semaphore::new(units)),
            units,
            overdraft: Arc::new(Semaphore::new(1)),
            waiting: Arc::default(),
        }
    }

    /// So much memory if it is free.
    pub(crate) fn try_take(&self, bytes: usize) -> Option<Share> {
        let mut share = Share::default();
        self.try_resize(&mut share, bytes).then_some(share)
    }

    /// Makes `share` one of so much memory, if that is no more or more is free; whether it is.
    pub(crate) fn try_resize(&self, share: &mut Share, bytes: usize) -> bool {
        let (held, needed) = (share.units(), units_of(bytes));
        if needed <= held {
            drop(share.permits.as_mut().and_then(|permits| permits.split(held - needed)));
            return true;
        }
        let Ok(missing) = u32::try_from(needed - held) else { return false };
        let more = Arc::clone(&self.free).try_acquire_many_owned(missing);
        more.map(|more| share.add(more)).is_ok()
    }

    /// Waits until `share` is one of so much memory, or the one that may do without. What is larger than all there is
    /// counts as all there is.
    pub(crate) async fn grow(&self, share: &mut Share, bytes: usize) {
        let missing = units_of(bytes).min(self.units).saturating_sub(share.units());
        if share.overdraft.is_some() || missing == 0 {
            return;
        }
        let _waiting = Waiting::new(&self.waiting);
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let mut free = pin!(Arc::clone(&self.free).acquire_many_owned(missing));
        let mut overdraft = pin!(Arc::clone(&self.overdraft).acquire_owned());
        poll_fn(|context| {
            if let Poll::Ready(Ok(more)) = free.as_mut().poll(context) {
                share.add(more);
                return Poll::Ready(());
            }
            let Poll::Ready(Ok(turn)) = overdraft.as_mut().poll(context) else { return Poll::Pending };
            share.overdraft = Some(turn);
            Poll::Ready(())
        })
        .await;
    }

    /// Whether so much memory is free.
    pub(crate) fn has(&self, bytes: usize) -> bool {
        self.free.available_permits() >= units_of(bytes)
    }

    /// Whether those who hold memory without using it are to go.
    fn is_short(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
            || self.overdraft.available_permits() == 0
            || self.free.available_permits() < self.units / SHORT_PART
    }
}

/// How fast a peer must move a piece of what it sends or reads.
#[derive(Debug)]
pub(crate) struct Pace<'a> {
    /// Of which memory is held meanwhile.
    budget: Option<&'a Budget>,
    end: Instant,
    look_at: Instant,
}

impl<'a> Pace<'a> {
    /// The piece may take `max`, but not so long if it holds memory that is short.
    pub(crate) fn new(budget: Option<&'a Budget>, max: Duration) -> Self {
        let now = Instant::now();
        Self { budget, end: now + max, look_at: now + SHORT_PIECE_MAX.min(max) }
    }

    /// Waits for a part of the piece.
    pub(crate) async fn part<T>(&mut self, part: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let mut part = pin!(part);
        loop {
            if let Ok(done) = timeout_at(self.look_at, part.as_mut()).await {
                return done;
            }
            if self.look_at >= self.end || self.budget.is_some_and(Budget::is_short) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.look_at = (self.look_at + SHORT_PIECE_MAX).min(self.end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(future: impl Future<Output = ()>) -> bool {
        let mut future = pin!(future);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        future.as_mut().poll(&mut context).is_ready()
    }

    #[test]
    fn what_is_dropped_is_free_again() {
        let budget = Budget::new(8 << 10);
        let mut share = budget.try_take(5 << 10).unwrap();
        assert!(budget.try_take(4 << 10).is_none() && budget.has(3 << 10));
        assert!(!budget.try_resize(&mut share, 9 << 10) && budget.try_resize(&mut share, 8 << 10));
        assert!(!budget.has(1));
        assert!(budget.try_resize(&mut share, 1) && budget.has(7 << 10));
        drop(share);
        assert!(budget.has(8 << 10) && budget.try_take(9 << 10).is_none());
    }

    #[test]
    fn of_those_who_hold_some_and_wait_for_more_one_goes_on() {
        let budget = Budget::new(8 << 10);
        let (mut first, mut second) = (budget.try_take(4 << 10).unwrap(), budget.try_take(4 << 10).unwrap());
        assert!(budget.is_short());
        assert!(now(budget.grow(&mut first, 6 << 10)));
        assert!(!now(budget.grow(&mut second, 6 << 10)));
        // It goes on, too, once the first has come to its end.
        assert!(now(budget.grow(&mut first, 100 << 10)));
        drop(first);
        assert!(now(budget.grow(&mut second, 100 << 10)) && !budget.has(1));
        drop(second);
        assert!(budget.has(8 << 10) && !budget.is_short());
    }
}

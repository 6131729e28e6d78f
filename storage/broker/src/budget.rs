//! Memory that is shared out: whoever wants to keep something takes a share of it first, and gives it back by dropping it.
//!
//! Of those who wait, who wants least in the end is served first, and one at a time may go on without: many that hold some and wait
//! for more would wait for each other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

/// Memory is short when somebody has waited for so long, and for so long after somebody was turned away. That little is free says
/// nothing: it may be enough.
const SHORT_AFTER_WAITING: Duration = Duration::from_secs(1);
const SHORT_AFTER_REFUSAL: Duration = Duration::from_secs(3);

/// So much memory for all connections together, in bytes.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    bytes: usize,
    /// Written by whoever takes or gives back. A mutex: it is held for moments.
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// Whether nobody goes on without memory of the budget.
    may_overdraw: bool,
    /// Who waits for how much, by what it wants in the end and by the order of arrival.
    waiting: BTreeMap<(usize, u64), (usize, oneshot::Sender<Grant>)>,
    /// Since when they wait, by the order of arrival.
    since: BTreeMap<u64, Instant>,
    arrived: u64,
    refused_at: Option<Instant>,
}

/// What somebody who waited got.
#[derive(Debug, Clone, Copy)]
enum Grant {
    Bytes(usize),
    Overdraft,
}

impl State {
    fn give_back(&mut self, grant: Grant) {
        match grant {
            Grant::Bytes(bytes) => self.free += bytes,
            Grant::Overdraft => self.may_overdraw = true,
        }
    }

    /// Whether nobody waits who is served before this one.
    fn is_first(&self, key: (usize, u64)) -> bool {
        self.waiting.first_key_value().is_none_or(|(first, _)| key < *first)
    }

    /// What somebody gets who wants so much, if there is anything to be had.
    fn take(&mut self, bytes: usize) -> Option<Grant> {
        if let Some(free) = self.free.checked_sub(bytes) {
            self.free = free;
            return Some(Grant::Bytes(bytes));
        }
        std::mem::take(&mut self.may_overdraw).then_some(Grant::Overdraft)
    }

    /// Gives what is free to those who wait.
    fn serve(&mut self) {
        while let Some(first) = self.waiting.first_entry() {
            let bytes = first.get().0;
            let Some(grant) = self.take(bytes) else { return };
            if let Some(((_, arrived), (_, waiter))) = self.waiting.pop_first() {
                self.since.remove(&arrived);
                if waiter.send(grant).is_err() {
                    self.give_back(grant);
                }
            }
        }
    }
}

/// A part of a budget, given back when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Share {
    bytes: usize,
    is_overdraft: bool,
    /// `None` for no share of anything.
    budget: Option<Budget>,
}

impl Share {
    /// Whether it is a share of anything.
    pub(crate) fn is_some(&self) -> bool {
        self.budget.is_some()
    }

    fn add(&mut self, grant: Grant, budget: &Budget) {
        match grant {
            Grant::Bytes(bytes) => self.bytes += bytes,
            Grant::Overdraft => self.is_overdraft = true,
        }
        self.budget.get_or_insert_with(|| budget.clone());
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some(budget) = &self.budget else { return };
        let mut state = budget.state();
        state.give_back(Grant::Bytes(self.bytes));
        if self.is_overdraft {
            state.give_back(Grant::Overdraft);
        }
        state.serve();
    }
}

/// Somebody who waits; dropped, it does so no more.
struct Waiting<'a> {
    budget: &'a Budget,
    key: (usize, u64),
    grant: oneshot::Receiver<Grant>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.budget.state();
        state.waiting.remove(&self.key);
        state.since.remove(&self.key.1);
        // It may have got what it does not want any more. What was received is not there a second time.
        if let Ok(grant) = self.grant.try_recv() {
            state.give_back(grant);
        }
        // What is free may be enough for those behind it.
        state.serve();
    }
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        let state = State {
            free: bytes,
            may_overdraw: true,
            waiting: BTreeMap::new(),
            since: BTreeMap::new(),
            arrived: 0,
            refused_at: None,
        };
        Self { bytes, state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So much memory if it is free, and nobody waits who wants less.
    pub(crate) fn try_take(&self, bytes: usize) -> Option<Share> {
        let mut share = Share::default();
        self.try_resize(&mut share, bytes).then_some(share)
    }

    /// Makes `share` one of so much memory, if that is no more, or more is free and nobody waits who wants less; whether it is.
    pub(crate) fn try_resize(&self, share: &mut Share, bytes: usize) -> bool {
        let mut state = self.state();
        let Some(free) = (state.free + share.bytes).checked_sub(bytes) else { return false };
        let is_less = bytes < share.bytes;
        // A steady flow of small steps would keep those who wait from ever getting anything.
        if bytes > share.bytes && !state.is_first((bytes, 0)) {
            return false;
        }
        (state.free, share.bytes) = (free, bytes);
        share.budget.get_or_insert_with(|| self.clone());
        if is_less {
            state.serve();
        }
        true
    }

    /// Waits until `share` is one of so much memory, on the way to `in_the_end`, or the one that may do without. What is
    /// larger than all there is counts as all there is.
    pub(crate) async fn grow(&self, share: &mut Share, bytes: usize, in_the_end: usize) {
        let missing = bytes.min(self.bytes).saturating_sub(share.bytes);
        if share.is_overdraft || missing == 0 {
            return;
        }
        let mut waiting = {
            let mut state = self.state();
            state.arrived += 1;
            let key = (in_the_end, state.arrived);
            if state.is_first(key)
                && let Some(grant) = state.take(missing)
            {
                return share.add(grant, self);
            }
            let (waiter, grant) = oneshot::channel();
            state.waiting.insert(key, (missing, waiter));
            let arrived = state.arrived;
            state.since.insert(arrived, Instant::now());
            Waiting { budget: self, key, grant }
        };
        // Its sender goes only when it has been sent.
        if let Ok(grant) = (&mut waiting.grant).await {
            share.add(grant, self);
        }
    }

    /// Whether so much memory is free.
    pub(crate) fn has(&self, bytes: usize) -> bool {
        self.state().free >= bytes
    }

    /// Whether half of it is free, so that nobody need be sparing.
    pub(crate) fn is_plenty(&self) -> bool {
        self.has(self.bytes / 2)
    }

    /// Says that somebody was turned away for want of memory.
    pub(crate) fn refuse(&self) {
        self.state().refused_at = Some(Instant::now());
    }

    /// Whether those who hold memory without using it are to go.
    pub(crate) fn is_short(&self) -> bool {
        let state = self.state();
        let has_refused = state.refused_at.is_some_and(|at| at.elapsed() < SHORT_AFTER_REFUSAL);
        has_refused || state.since.values().next().is_some_and(|since| since.elapsed() >= SHORT_AFTER_WAITING)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::task::{Context, Waker};

    use super::*;

    fn poll(future: Pin<&mut impl Future<Output = ()>>) -> bool {
        future.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    fn now(future: impl Future<Output = ()>) -> bool {
        poll(pin!(future))
    }

    #[test]
    fn what_is_dropped_is_free_again() {
        let budget = Budget::new(8);
        let mut share = budget.try_take(5).unwrap();
        assert!(budget.try_take(4).is_none() && budget.has(3));
        assert!(!budget.try_resize(&mut share, 9) && budget.try_resize(&mut share, 8));
        assert!(!budget.has(1));
        assert!(budget.try_resize(&mut share, 1) && budget.has(7));
        drop(share);
        assert!(budget.has(8) && budget.try_take(9).is_none());
    }

    #[test]
    fn of_those_who_hold_some_and_wait_for_more_one_goes_on() {
        let budget = Budget::new(8);
        let (mut first, mut second) = (budget.try_take(4).unwrap(), budget.try_take(4).unwrap());
        assert!(now(budget.grow(&mut first, 6, 6)));
        assert!(!now(budget.grow(&mut second, 6, 6)));
        // It goes on, too, once the first has come to its end.
        assert!(now(budget.grow(&mut first, 100, 100)));
        drop(first);
        assert!(now(budget.grow(&mut second, 100, 100)) && !budget.has(5));
        drop(second);
        assert!(budget.has(8) && !budget.is_short());
    }

    #[test]
    fn who_wants_least_is_served_first_and_who_has_gone_gets_nothing() {
        let budget = Budget::new(8);
        let all = budget.try_take(8).unwrap();
        let mut without = Share::default();
        assert!(now(budget.grow(&mut without, 8, 8)));
        let (mut much, mut little, mut gone) = (Share::default(), Share::default(), Share::default());
        let mut waits = Box::pin(budget.grow(&mut much, 4, 6));
        let mut soon = Box::pin(budget.grow(&mut little, 5, 5));
        let mut goes = Box::pin(budget.grow(&mut gone, 2, 2));
        assert!(!poll(waits.as_mut()) && !poll(soon.as_mut()) && !poll(goes.as_mut()));
        drop(all);
        // It has been served but does not know.
        drop(goes);
        assert!(poll(soon.as_mut()) && !poll(waits.as_mut()));
        drop(soon);
        drop(little);
        assert!(poll(waits.as_mut()));
        drop(waits);
        drop((much, without));
        assert!(budget.has(8) && !budget.is_short());
    }

    #[test]
    fn when_the_first_in_line_goes_those_behind_it_get_what_is_free() {
        let budget = Budget::new(1_000);
        let held = budget.try_take(500).unwrap();
        let (mut overdraft, mut much, mut more) = (Share::default(), Share::default(), Share::default());
        assert!(now(budget.grow(&mut overdraft, 1_000, 1_000)));
        let mut first = Box::pin(budget.grow(&mut much, 768, 768));
        let mut behind = Box::pin(budget.grow(&mut more, 100, 1_000));
        assert!(!poll(first.as_mut()) && !poll(behind.as_mut()));
        drop(first);
        assert!(poll(behind.as_mut()));
        drop(held);
    }

    #[test]
    fn memory_is_short_when_somebody_has_waited_for_it_or_was_turned_away() {
        let budget = Budget::new(8);
        let (_held, mut overdraft, mut much) = (budget.try_take(8).unwrap(), Share::default(), Share::default());
        assert!(now(budget.grow(&mut overdraft, 8, 8)));
        // Nothing is free, and nobody misses it.
        assert!(budget.try_take(1).is_none() && !budget.is_short());
        let mut waits = Box::pin(budget.grow(&mut much, 4, 6));
        assert!(!poll(waits.as_mut()) && !budget.is_short());
        for since in budget.state().since.values_mut() {
            *since -= SHORT_AFTER_WAITING;
        }
        assert!(budget.is_short());
        drop(waits);
        assert!(!budget.is_short());
        budget.refuse();
        assert!(budget.is_short());
        budget.state().refused_at = Instant::now().checked_sub(SHORT_AFTER_REFUSAL);
        assert!(!budget.is_short());
    }

    #[test]
    fn newcomers_do_not_overtake_those_who_wait_unless_they_want_less() {
        let budget = Budget::new(1_000);
        let held = budget.try_take(500).unwrap();
        let (mut overdraft, mut first, mut equal, mut more) = Default::default();
        assert!(now(budget.grow(&mut overdraft, 1_000, 1_000)));
        let mut waits = Box::pin(budget.grow(&mut first, 768, 768));
        assert!(!poll(waits.as_mut()));
        assert!(!now(budget.grow(&mut equal, 100, 768)) && !now(budget.grow(&mut more, 100, 1_000)));
        let mut small = budget.try_take(200).unwrap();
        assert!(!budget.try_resize(&mut small, 800) && budget.try_resize(&mut small, 100));
        drop((held, small));
        assert!(poll(waits.as_mut()));
    }
}

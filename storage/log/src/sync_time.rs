//! How long it takes to write little and to make it durable.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What is more takes time to write, too.
const LITTLE_BYTES: u64 = 256 << 10;
/// A disk that takes longer is one of those behind a network, which take about 2 ms.
const SHORT: Duration = Duration::from_millis(1);
/// Waiting so long costs hardly more than another thread that waits instead.
const MOMENT: Duration = Duration::from_micros(500);
/// Of so many syncs the shortest tells what the disk can do, since any may have been held up by something else, and the
/// middle one what is to be expected.
const SAMPLES: usize = 8;
/// After so many syncs of more nothing is known any more, and it is tried again.
const KNOWN_FOR: u32 = 100;

/// The last syncs of little.
#[derive(Debug, Default)]
pub(crate) struct SyncTime {
    state: Mutex<State>,
    /// The shortest in microseconds, and the middle one; 0 while none is known.
    shortest_us: AtomicU64,
    middle_us: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    samples: VecDeque<Duration>,
    larger_since: u32,
}

impl SyncTime {
    /// Counts a sync of so many bytes.
    pub(crate) fn note(&self, bytes: u64, took: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes <= LITTLE_BYTES {
            state.larger_since = 0;
            state.samples.truncate(SAMPLES - 1);
            state.samples.push_front(took);
        } else {
            state.larger_since += 1;
            if state.larger_since > KNOWN_FOR {
                state.samples.clear();
            }
        }
        let mut sorted: Vec<Duration> = state.samples.iter().copied().collect();
        sorted.sort_unstable();
        let us = |sample: Option<&Duration>| sample.map_or(0, |sample| (sample.as_micros() as u64).max(1));
        self.shortest_us.store(us(sorted.first()), Ordering::Relaxed);
        self.middle_us.store(us(sorted.get(sorted.len() / 2)), Ordering::Relaxed);
    }

    /// Whether two syncs, one after the other, are no long wait; they are taken for short until more is known.
    pub(crate) fn is_short(&self) -> bool {
        Duration::from_micros(self.shortest_us.load(Ordering::Relaxed)) < SHORT
    }

    /// Whether most syncs are known to be so short that any thread may wait for one.
    pub(crate) fn is_momentary(&self) -> bool {
        let middle = Duration::from_micros(self.middle_us.load(Ordering::Relaxed));
        !middle.is_zero() && middle < MOMENT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Duration = Duration::from_millis(2);

    #[test]
    fn a_slow_disk_is_known_from_its_first_sync_on_and_tried_again_now_and_then() {
        let time = SyncTime::default();
        let mut tries = 0;
        for _ in 0..1_000 {
            tries += u32::from(time.is_short());
            time.note(if time.is_short() { 1_000 } else { 1_000_000 }, SLOW);
        }
        assert!((8..12).contains(&tries), "{tries}");
    }

    #[test]
    fn a_sync_that_something_held_up_does_not_make_a_disk_slow() {
        let time = SyncTime::default();
        time.note(1_000, Duration::from_micros(200));
        for _ in 1..SAMPLES {
            time.note(1_000, SLOW);
            assert!(time.is_short());
        }
        time.note(1_000, SLOW);
        assert!(!time.is_short());
    }

    #[test]
    fn a_disk_is_not_waited_for_before_it_is_known_to_be_fast() {
        let time = SyncTime::default();
        assert!(time.is_short() && !time.is_momentary());
        for _ in 0..SAMPLES / 2 {
            time.note(1_000, SLOW);
            assert!(!time.is_momentary());
        }
        for _ in 1..SAMPLES / 2 {
            time.note(1_000, Duration::ZERO);
            assert!(time.is_short() && !time.is_momentary(), "as many are slow");
        }
        for _ in 0..2 {
            time.note(1_000, Duration::ZERO);
        }
        assert!(time.is_short() && time.is_momentary());
        for _ in 0..=KNOWN_FOR {
            time.note(1_000_000, SLOW);
        }
        assert!(time.is_short() && !time.is_momentary());
    }
}

//! How fast a peer must move what it sends or reads.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::budget::Budget;

/// While memory is short, a peer that holds some must move so many bytes in each such time.
const SHORT_BYTES: usize = 4 << 10;
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How fast a piece must be moved.
#[derive(Debug)]
pub(crate) struct Pace<'a> {
    /// Of which memory is held meanwhile.
    budget: Option<&'a Budget>,
    end: Instant,
    look_at: Instant,
    /// What has been moved since the last look.
    moved: usize,
}

impl<'a> Pace<'a> {
    /// The piece may take `max`, unless it holds memory that is short and hardly moves.
    pub(crate) fn new(budget: Option<&'a Budget>, max: Duration) -> Self {
        let now = Instant::now();
        Self { budget, end: now + max, look_at: now + LOOK_EVERY.min(max), moved: 0 }
    }

    /// Waits for a part of the piece: so many bytes.
    pub(crate) async fn part(&mut self, part: impl Future<Output = io::Result<usize>>) -> io::Result<usize> {
        let mut part = pin!(part);
        loop {
            if let Ok(done) = timeout_at(self.look_at, part.as_mut()).await {
                return done.inspect(|moved| self.moved += moved);
            }
            let is_idle = std::mem::take(&mut self.moved) < SHORT_BYTES;
            if self.look_at >= self.end || is_idle && self.budget.is_some_and(Budget::is_short) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.look_at = (Instant::now() + LOOK_EVERY).min(self.end);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::thread;

    use tokio::runtime::Builder;
    use tokio::time::sleep;

    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    /// Whether somebody who moves so much every 50 ms may do so for some seconds.
    async fn may_move(bytes: usize, is_short: bool) -> bool {
        let budget = Budget::new(8);
        if is_short {
            budget.refuse();
        }
        let mut pace = Pace::new(Some(&budget), Duration::from_secs(30));
        for _ in 0..50 {
            let part = async {
                sleep(Duration::from_millis(50)).await;
                Ok(bytes)
            };
            if pace.part(part).await.is_err() {
                return false;
            }
        }
        true
    }

    #[test]
    fn only_who_hardly_moves_is_cut_and_only_while_memory_is_short() {
        let cases = [(1, false, true), (1, true, false), (10_000, true, true)];
        let cases = cases.map(|(bytes, is_short, may)| {
            thread::spawn(move || assert_eq!(block_on(may_move(bytes, is_short)), may, "{bytes} {is_short}"))
        });
        cases.into_iter().for_each(|case| case.join().unwrap());
    }

    #[test]
    fn a_piece_that_takes_too_long_is_cut_in_any_case() {
        let max = Duration::from_millis(50);
        let moved = block_on(async { Pace::new(None, max).part(pending()).await });
        assert_eq!(moved.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}

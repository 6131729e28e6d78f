//! How long a task of several inputs waits for one that has no rows.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::Result;
use crate::pool::Handle;
use crate::timer::Timer;

/// What `max.task.idle.ms` says: a task takes the row of the least time first, and where an input has none, rows that
/// come late for it may have been the first.
#[derive(Debug, Default)]
pub(crate) enum Patience {
    /// It waits for rows that are on their way through the query's own topics, and for no others.
    #[default]
    ForRowsOnTheirWay,
    /// It goes on with what there is.
    None,
    /// It waits for so long, then goes on with what there is.
    For { time: Duration, since: Option<Instant>, timer: Arc<Timer>, task: Weak<Handle> },
}

impl Patience {
    /// By the setting: 0, a time in ms, or -1 for none.
    pub(crate) fn new(idle_ms_max: i64, timer: &Arc<Timer>, task: &Arc<Handle>) -> Self {
        match u64::try_from(idle_ms_max) {
            Ok(0) => Self::ForRowsOnTheirWay,
            Ok(ms) => Self::For {
                time: Duration::from_millis(ms),
                since: None,
                timer: Arc::clone(timer),
                task: Arc::downgrade(task),
            },
            Err(_) => Self::None,
        }
    }

    pub(crate) fn is_for_rows_on_their_way(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Whether to wait for an input that is empty, now that another one has rows. The task is woken when it is over.
    pub(crate) fn waits(&mut self) -> Result<bool> {
        let Self::For { time, since, timer, task } = self else { return Ok(false) };
        match *since {
            Some(begin) => Ok(begin.elapsed() < *time),
            None => {
                let now = Instant::now();
                *since = Some(now);
                timer.wake_at(now + *time, task)?;
                Ok(true)
            }
        }
    }

    /// Every input has rows: the next one that has none is waited for anew.
    pub(crate) fn restore(&mut self) {
        if let Self::For { since, .. } = self {
            *since = None;
        }
    }
}

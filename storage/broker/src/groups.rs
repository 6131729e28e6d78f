//! The coordinator of groups between the connections and the clock.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use millstream_log::Log;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use crate::BrokerOptions;
use crate::broker::Broker;
use crate::group::consumer::ConsumerLimits;
use crate::group::{Answer, Answers, Coordinator, Limits};

/// Who waits for an answer.
pub(crate) type Waiter = oneshot::Sender<Answer>;

/// The clock may jump, so it is looked at this often at least.
const TICK_MAX: Duration = Duration::from_secs(60);

/// The coordinator and what wakes its clock. A mutex: every call is short, and answers are sent after it.
pub(crate) struct Groups {
    coordinator: Mutex<Coordinator<Waiter>>,
    changed: Notify,
}

impl fmt::Debug for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Groups").finish_non_exhaustive()
    }
}

impl Groups {
    pub(crate) fn new(options: &BrokerOptions) -> Self {
        let limits = Limits {
            session_timeout_ms: options.session_timeout_ms.clone(),
            initial_delay_ms: options.initial_rebalance_delay_ms,
            consumer: ConsumerLimits {
                session_timeout_ms: options.consumer_session_timeout_ms,
                members_max: options.consumer_group_members_max,
            },
        };
        Self { coordinator: Mutex::new(Coordinator::new(limits)), changed: Notify::new() }
    }

    /// Lets `change` work on the groups, then sends the answers that it brought about.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Coordinator<Waiter>, &mut Answers<Waiter>) -> T) -> T {
        let mut answers = Vec::new();
        let outcome = change(&mut self.coordinator.lock().unwrap_or_else(PoisonError::into_inner), &mut answers);
        for (waiter, answer) in answers {
            // Whoever waited may have gone.
            let _ = waiter.send(answer);
        }
        self.changed.notify_one();
        outcome
    }

    /// Lets `look` read the groups.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Coordinator<Waiter>) -> T) -> T {
        look(&self.coordinator.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Tells the coordinator the time whenever something is due.
pub(crate) async fn drive(broker: Arc<Broker>) {
    loop {
        let next_ms = broker.groups.look(Coordinator::next_tick_ms);
        let wait_ms = next_ms.saturating_sub(broker.log.now_ms()).max(1).unsigned_abs();
        let wait = Duration::from_millis(wait_ms).min(TICK_MAX);
        if timeout(wait, broker.groups.changed.notified()).await.is_err() {
            let now_ms = broker.log.now_ms();
            broker.groups.change(|groups, answers| groups.tick(now_ms, answers));
        }
    }
}

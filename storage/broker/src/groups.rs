//! The coordinator of groups between the connections and the clock.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kafka_protocol::protocol::StrBytes;
use millstream_log::Log;
use tokio::sync::{Notify, oneshot};
use tokio::time::{sleep, timeout};

use crate::BrokerOptions;
use crate::broker::Broker;
use crate::budget::Budget;
use crate::group::consumer::ConsumerLimits;
use crate::group::{Answer, Answers, Coordinator, Limits, Waits};
use crate::text::detached;

/// Who waits for an answer.
pub(crate) type Waiter = oneshot::Sender<Answer>;

impl Waits for Waiter {
    fn has_gone(&self) -> bool {
        self.is_closed()
    }
}

/// The clock may jump, so it is looked at this often at least.
const TICK_MAX: Duration = Duration::from_secs(60);
/// It need not be looked at more often, however much happens: to find what is due next takes longer the more members
/// there are.
const TICK_MIN: Duration = Duration::from_millis(10);

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
        let members_memory = Budget::new(options.groups_bytes_max);
        let limits = Limits {
            session_timeout_ms: options.session_timeout_ms.clone(),
            initial_delay_ms: options.initial_rebalance_delay_ms,
            members_max: options.group_members_max,
            members_memory: members_memory.clone(),
            consumer: ConsumerLimits {
                session_timeout_ms: options.consumer_session_timeout_ms,
                members_max: options.consumer_group_members_max,
                memory: members_memory,
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
        sleep(TICK_MIN).await;
    }
}

/// Waits for an answer of a group. A client that departs meanwhile drops it, and its member's time begins.
pub(crate) struct Waiting {
    broker: Arc<Broker>,
    group: StrBytes,
    answer: Option<oneshot::Receiver<Answer>>,
}

impl Waiting {
    pub(crate) fn new(broker: &Arc<Broker>, group: &StrBytes) -> (Waiter, Self) {
        let (waiter, answer) = oneshot::channel();
        (waiter, Self { broker: Arc::clone(broker), group: detached(group), answer: Some(answer) })
    }

    /// The answer; `None` only if the groups are gone.
    pub(crate) async fn answer(mut self) -> Option<Answer> {
        let answer = self.answer.as_mut()?.await.ok();
        self.answer = None;
        answer
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // Only a waiter that nobody listens to any more counts as gone.
        if let Some(answer) = self.answer.take() {
            drop(answer);
            let now_ms = self.broker.log.now_ms();
            self.broker.groups.change(|groups, _| groups.note_departures(&self.group, now_ms));
        }
    }
}

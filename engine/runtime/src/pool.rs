//! Tasks on threads.
//!
//! A task is woken by the log when one of its partitions has grown, runs one epoch and sleeps, or is put
//! at the end of the queue again. A task that sleeps costs nothing.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::{Error, Result};

/// What a task has to say after an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// There is more to do.
    Again,
    /// Everything is done until it is woken.
    Idle,
    /// It will never run again.
    Done,
}

/// Something that runs in turns.
pub(crate) trait Run: Send {
    /// Runs one turn.
    fn turn(&mut self) -> Turn;

    /// Takes note that a turn has panicked; it will get no other.
    fn panicked(&mut self);
}

/// It has no task yet. Once it has, it runs, so nothing is lost of what wakes it before.
const NEW: u8 = 0;
const IDLE: u8 = 1;
const QUEUED: u8 = 2;
const RUNNING: u8 = 3;
/// Woken while it ran, so that it must run once more.
const RUNNING_WOKEN: u8 = 4;
const DONE: u8 = 5;

/// A task in the pool.
pub(crate) struct Handle {
    /// Changed by whoever wakes the task and by the thread that runs it.
    state: AtomicU8,
    /// Taken by the thread that runs it, and by `stop` to wait for that thread.
    task: Mutex<Option<Box<dyn Run>>>,
    pool: Arc<Shared>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Handle({})", self.state.load(Ordering::Relaxed))
    }
}

struct Shared {
    /// Filled by wakers, emptied by the pool's threads.
    queue: Mutex<Queue>,
    filled: Condvar,
}

#[derive(Default)]
struct Queue {
    ready: VecDeque<Arc<Handle>>,
    closed: bool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Threads that run tasks.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    pub(crate) fn start(threads: usize) -> Result<Self> {
        let shared = Arc::new(Shared { queue: Mutex::default(), filled: Condvar::new() });
        let start = |number: usize| {
            let shared = Arc::clone(&shared);
            let builder = std::thread::Builder::new().name(format!("compute-{number}"));
            let started = builder.spawn(move || shared.work());
            started.map_err(|source| Error::Start { what: "a compute thread", source })
        };
        let threads = (0..threads).map(start).collect::<Result<_>>()?;
        Ok(Self { shared, threads })
    }

    /// A handle without a task yet, so that the task can hand it to its watchers.
    pub(crate) fn handle(&self) -> Arc<Handle> {
        Arc::new(Handle { state: AtomicU8::new(NEW), task: Mutex::new(None), pool: Arc::clone(&self.shared) })
    }

    /// In a pool without threads, wakes these tasks and runs them here until all are idle. Other tasks that
    /// they wake stay in the queue.
    pub(crate) fn run_until_idle(&self, tasks: &[Arc<Handle>]) {
        if !self.threads.is_empty() {
            return;
        }
        tasks.iter().for_each(Handle::wake);
        loop {
            let next = {
                let ready = &mut locked(&self.shared.queue).ready;
                let at = ready.iter().position(|waiting| tasks.iter().any(|task| Arc::ptr_eq(task, waiting)));
                at.and_then(|at| ready.remove(at))
            };
            match next {
                Some(task) => task.run(),
                None => return,
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        locked(&self.shared.queue).closed = true;
        self.shared.filled.notify_all();
        for thread in self.threads.drain(..) {
            // A panic of the thread has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

impl Handle {
    /// Gives the handle its task and runs it for the first time.
    pub(crate) fn start(self: &Arc<Self>, task: Box<dyn Run>) {
        *locked(&self.task) = Some(task);
        // Unless it has been stopped meanwhile.
        if self.state.compare_exchange(NEW, QUEUED, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            self.enqueue();
        }
    }

    /// Lets the task run soon, once more if it runs now.
    pub(crate) fn wake(self: &Arc<Self>) {
        let mut state = self.state.load(Ordering::Acquire);
        loop {
            let next = match state {
                IDLE => QUEUED,
                RUNNING => RUNNING_WOKEN,
                _ => return,
            };
            match self.state.compare_exchange_weak(state, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break,
                Err(now) => state = now,
            }
        }
        if state == IDLE {
            self.enqueue();
        }
    }

    fn enqueue(self: &Arc<Self>) {
        locked(&self.pool.queue).ready.push_back(Arc::clone(self));
        self.pool.filled.notify_one();
    }

    /// Ends the task, after the turn that it may be in.
    pub(crate) fn stop(&self) {
        self.state.store(DONE, Ordering::Release);
        locked(&self.task).take();
    }

    fn run(self: &Arc<Self>) {
        let mut task = locked(&self.task);
        if self.state.compare_exchange(QUEUED, RUNNING, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return;
        }
        let turn = task.as_mut().map_or(Turn::Done, |task| {
            // A bug in one query must not take the thread away from the others.
            let turn = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| task.turn()));
            turn.unwrap_or_else(|_| {
                task.panicked();
                Turn::Done
            })
        });
        if turn == Turn::Done {
            task.take();
        }
        drop(task);
        let settle = |from, to| self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok();
        match turn {
            Turn::Done => self.state.store(DONE, Ordering::Release),
            Turn::Idle if settle(RUNNING, IDLE) => {}
            _ => {
                if settle(RUNNING, QUEUED) || settle(RUNNING_WOKEN, QUEUED) {
                    self.enqueue();
                }
            }
        }
    }
}

impl Shared {
    fn work(&self) {
        loop {
            let mut queue = locked(&self.queue);
            let handle = loop {
                if queue.closed {
                    return;
                }
                match queue.ready.pop_front() {
                    Some(handle) => break handle,
                    None => queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner),
                }
            };
            drop(queue);
            handle.run();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};
    use std::time::Duration;

    struct Count {
        turns: u32,
        done: Sender<u32>,
    }

    impl Run for Count {
        fn turn(&mut self) -> Turn {
            self.turns += 1;
            if self.turns < 3 {
                return Turn::Again;
            }
            self.done.send(self.turns).unwrap();
            Turn::Idle
        }

        fn panicked(&mut self) {}
    }

    #[test]
    fn a_task_runs_until_idle_and_again_when_woken() {
        let pool = Pool::start(2).unwrap();
        let (done, turns) = channel();
        let handle = pool.handle();
        handle.start(Box::new(Count { turns: 0, done }));
        let wait = Duration::from_secs(10);
        assert_eq!(turns.recv_timeout(wait), Ok(3));
        handle.wake();
        assert_eq!(turns.recv_timeout(wait), Ok(4));
        handle.stop();
        handle.wake();
        assert!(turns.recv_timeout(Duration::from_millis(50)).is_err());
    }

    #[test]
    fn what_wakes_a_handle_before_it_has_its_task_does_not_end_it() {
        let pool = Pool::start(0).unwrap();
        let (done, turns) = channel();
        let handle = pool.handle();
        pool.run_until_idle(&[Arc::clone(&handle)]);
        handle.start(Box::new(Count { turns: 0, done }));
        pool.run_until_idle(&[handle]);
        assert_eq!(turns.try_recv(), Ok(3));
    }

    #[test]
    fn without_threads_only_the_tasks_that_are_named_run() {
        let pool = Pool::start(0).unwrap();
        let (done, turns) = channel();
        let [driven, waiting] = [pool.handle(), pool.handle()];
        driven.start(Box::new(Count { turns: 0, done: done.clone() }));
        waiting.start(Box::new(Count { turns: 10, done }));
        pool.run_until_idle(&[Arc::clone(&driven)]);
        assert_eq!(turns.try_recv(), Ok(3));
        assert!(turns.try_recv().is_err());
        pool.run_until_idle(&[waiting]);
        assert_eq!(turns.try_recv(), Ok(11));
    }
}

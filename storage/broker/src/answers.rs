//! The answers of a connection, in the order of its requests.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::budget::Budget;
use crate::call::{Hangup, Pending, Reply};
use crate::outlet::Outlet;
use crate::pace::Pace;
use crate::parts::{Part, Parts};

/// So much of an answer must be taken at a time.
const PIECE_BYTES: usize = 256 << 10;
/// Answers up to this size are sent together if they are due together, as those to appends that one sync made durable.
const SMALL_BYTES: usize = 4 << 10;

/// An answer that is due, and what is released once it is sent.
pub(crate) struct Due {
    pub(crate) answer: Pending,
    pub(crate) turn: OwnedSemaphorePermit,
}

/// Sends answers until there will be no more, or one that is a hang-up.
pub(crate) async fn send_all(
    outlet: impl Outlet,
    due: mpsc::Receiver<Due>,
    budget: Budget,
    stalled_max: Duration,
) -> io::Result<()> {
    let mut queue = Queue { due, first: None };
    let mut sender = Sender { outlet, budget, stalled_max, small: BytesMut::new(), turns: Vec::new() };
    loop {
        // While small answers are held back, nothing is waited for: what is not there yet comes after them.
        match queue.next_unless_late(!sender.turns.is_empty()).await {
            Next::There(Ok(reply), turn) => sender.take(reply, turn).await?,
            Next::Late => sender.flush().await?,
            Next::There(Err(Hangup), _) | Next::End => return sender.flush().await,
        }
    }
}

/// The answer that comes next.
enum Next {
    There(Result<Reply, Hangup>, OwnedSemaphorePermit),
    Late,
    End,
}

struct Queue {
    due: mpsc::Receiver<Due>,
    /// The one that is waited for.
    first: Option<Due>,
}

impl Queue {
    /// Waits for the next answer. Who gives up waiting loses nothing.
    async fn next(&mut self) -> Next {
        if self.first.is_none() {
            self.first = self.due.recv().await;
        }
        let Some(first) = &mut self.first else { return Next::End };
        let answer = first.answer.as_mut().await;
        self.first.take().map_or(Next::End, |Due { turn, .. }| Next::There(answer, turn))
    }

    async fn next_unless_late(&mut self, is_hurried: bool) -> Next {
        let mut next = pin!(self.next());
        poll_fn(|context| match next.as_mut().poll(context) {
            Poll::Pending if is_hurried => Poll::Ready(Next::Late),
            polled => polled,
        })
        .await
    }
}

struct Sender<O> {
    outlet: O,
    budget: Budget,
    stalled_max: Duration,
    /// Small answers that are held back, and what is released once they are sent.
    small: BytesMut,
    turns: Vec<OwnedSemaphorePermit>,
}

impl<O: Outlet> Sender<O> {
    /// Holds a small answer back, and sends another one behind those that were.
    async fn take(&mut self, reply: Reply, turn: OwnedSemaphorePermit) -> io::Result<()> {
        if let Some(bytes) = reply.frame.small(SMALL_BYTES) {
            self.small.extend_from_slice(bytes);
            self.turns.push(turn);
            return Ok(());
        }
        self.flush().await?;
        let Reply { frame, held } = reply;
        self.send(frame, held.is_some()).await
    }

    async fn flush(&mut self) -> io::Result<()> {
        let small = std::mem::take(&mut self.small);
        self.send(small.into(), false).await?;
        self.turns.clear();
        Ok(())
    }

    /// Sends a frame, whose memory may be a share of the budget.
    async fn send(&mut self, mut frame: Parts, is_held: bool) -> io::Result<()> {
        let budget = is_held.then_some(&self.budget);
        let (mut pace, mut moved) = (Pace::new(budget, self.stalled_max), 0);
        while let Some(part) = frame.next() {
            let sent = match part {
                Part::Memory(bytes) => pace.part(self.outlet.write_buf(bytes)).await?,
                Part::File(extent) => {
                    let sent = pace.part(self.outlet.send(extent)).await?;
                    extent.advance(sent);
                    sent
                }
            };
            if sent == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            moved += sent;
            if moved >= PIECE_BYTES {
                (pace, moved) = (Pace::new(budget, self.stalled_max), 0);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::pin::Pin;
    use std::sync::{Arc, Mutex};
    use std::task::Context;

    use tokio::io::AsyncWrite;
    use tokio::runtime::Builder;
    use tokio::sync::{Semaphore, oneshot};

    use super::*;
    use crate::outlet::copy;

    /// Keeps each write by itself.
    #[derive(Default, Clone)]
    struct Writes(Arc<Mutex<Vec<Vec<u8>>>>);

    impl Writes {
        fn taken(&self) -> Vec<Vec<u8>> {
            std::mem::take(&mut self.0.lock().unwrap())
        }
    }

    impl AsyncWrite for Writes {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.0.lock().unwrap().push(bytes.to_vec());
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl Outlet for Writes {
        async fn send(&mut self, extent: &millstream_log::Extent) -> io::Result<usize> {
            copy(self, extent).await
        }
    }

    fn reply(bytes: &[u8]) -> Result<Reply, Hangup> {
        Ok(Reply { frame: BytesMut::from(bytes).into(), ..Reply::default() })
    }

    #[test]
    fn small_answers_that_are_due_together_are_sent_together_and_wait_for_no_other() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (writes, turns) = (Writes::default(), Arc::new(Semaphore::new(16)));
            let (sender, due) = mpsc::channel(16);
            let all = send_all(writes.clone(), due, Budget::new(1 << 20), Duration::from_secs(1));
            let all = tokio::spawn(all);
            let ask = |answer: Pending| {
                let turn = Arc::clone(&turns).try_acquire_owned().unwrap();
                sender.try_send(Due { answer, turn }).ok().unwrap();
            };
            let (late, awaited) = oneshot::channel();
            ask(Box::pin(ready(reply(b"one "))));
            ask(Box::pin(ready(Ok(Reply::default()))));
            ask(Box::pin(ready(reply(b"two "))));
            ask(Box::pin(async { awaited.await.unwrap() }));
            ask(Box::pin(ready(reply(b"four "))));
            ask(Box::pin(ready(reply(&[b'.'; SMALL_BYTES + 1]))));
            ask(Box::pin(ready(reply(b"six"))));
            ask(Box::pin(ready(Err(Hangup))));
            ask(Box::pin(ready(reply(b"never"))));
            tokio::task::yield_now().await;
            assert_eq!(writes.taken(), [b"one two "]);
            assert_eq!(turns.available_permits(), 10, "what is sent has made room");
            late.send(reply(b"three ")).ok().unwrap();
            all.await.unwrap().unwrap();
            assert_eq!(writes.taken(), [&b"three four "[..], &[b'.'; SMALL_BYTES + 1], b"six"]);
            assert_eq!(turns.available_permits(), 16);
        });
    }

    #[test]
    fn an_answer_that_nobody_wants_holds_nobody_back() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let turns = Arc::new(Semaphore::new(1));
            let (sender, due) = mpsc::channel(16);
            tokio::spawn(send_all(Writes::default(), due, Budget::new(1 << 20), Duration::from_secs(1)));
            for _ in 0..3 {
                let turn = Arc::clone(&turns).acquire_owned().await.unwrap();
                sender.try_send(Due { answer: Box::pin(ready(Ok(Reply::default()))), turn }).ok().unwrap();
            }
        });
    }
}

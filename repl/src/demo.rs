//! Sample orders that keep coming, for those who have no topic yet.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use millstream_log::record::BatchBuilder;
use millstream_log::{Log, TopicPartition};

const TOPIC: &str = "demo_orders";
const EVERY: Duration = Duration::from_millis(100);
const CUSTOMERS: [&str; 5] = ["ada", "bob", "cem", "dora", "eve"];
const ITEMS: [(&str, u64); 5] = [("tea", 450), ("milk", 120), ("cake", 725), ("bread", 310), ("jam", 290)];

/// Writes orders into the topic until it is dropped.
pub(crate) struct Demo {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Demo {
    pub(crate) fn start(log: Arc<dyn Log>) -> io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let write = move || {
            let mut number = 0u64;
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                number += 1;
                if append(&*log, number).is_err() {
                    // The log has stopped or the topic is gone; whoever asks for the rows is told so.
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("demo".to_owned()).spawn(write)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

/// An order that looks like chance and is the same every time.
fn append(log: &dyn Log, number: u64) -> millstream_log::Result<()> {
    let chance = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    let customer = CUSTOMERS.get(chance as usize % CUSTOMERS.len()).copied().unwrap_or_default();
    let (item, cents) = ITEMS.get((chance >> 8) as usize % ITEMS.len()).copied().unwrap_or_default();
    let cents = cents * (1 + (chance >> 16) % 3);
    let value = format!("{{\"ITEM\":\"{item}\",\"AMOUNT\":{}.{:02}}}", cents / 100, cents % 100);
    let mut batch = BatchBuilder::new();
    batch.push(log.now_ms(), Some(customer.as_bytes()), Some(value.as_bytes()));
    log.append(&TopicPartition::new(TOPIC, 0), batch.finish()?)?.wait()?;
    Ok(())
}

//! The appends of all connections go to the disk together.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::task::yield_now;

use crate::broker::Broker;

/// Lets what connections append go to the disk, each time once none of them has more to do. While this waits for the
/// disk, what comes in meanwhile is not looked at but gathers, to go with the next.
pub(crate) async fn drive(broker: Arc<Broker>) -> Infallible {
    let broker = Last(broker);
    loop {
        broker.0.appended.notified().await;
        // This comes back after the others that are awake, and those whose sockets have become readable.
        yield_now().await;
        broker.0.log.flush();
    }
}

/// Flushes once more when it ends with its runtime.
struct Last(Arc<Broker>);

impl Drop for Last {
    fn drop(&mut self) {
        self.0.log.flush();
    }
}

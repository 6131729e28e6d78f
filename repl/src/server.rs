//! Queries and clients without a shell, until the program is interrupted.

use std::io::Write;
use std::sync::mpsc::sync_channel;

use crate::arguments::Arguments;
use crate::embedded::EmbeddedSession;
use crate::failure::{Failure, Result};
use crate::kafka::Unasked;

pub(crate) fn run(arguments: &Arguments) -> Result<u8> {
    let (interrupt, interrupted) = sync_channel(1);
    ctrlc::set_handler(move || _ = interrupt.try_send(()))
        .map_err(|error| Failure::new(format!("cannot catch the interrupt key: {error}")))?;
    let session = EmbeddedSession::open(arguments, Unasked::Insist)?;
    let mut out = std::io::stderr();
    for address in session.addresses() {
        writeln!(out, "Kafka clients may connect to {address}")?;
    }
    // Clients get this as the code of an error only. They can go on reading.
    session.log().on_stop(|error| _ = writeln!(std::io::stderr(), "error: {error}"));
    writeln!(out, "serving {}; the interrupt key ends it", arguments.data.display())?;
    // The handler lives as long as the program.
    let _ = interrupted.recv();
    Ok(0)
}

//! Queries and clients without a shell, until the program is interrupted.

use std::io::Write;
use std::sync::mpsc::sync_channel;

use crate::arguments::Arguments;
use crate::embedded::EmbeddedSession;
use crate::failure::{Failure, Result};
use crate::kafka::Unasked;

/// What a server is told while it serves.
enum Told {
    Interrupted,
    Stopped(millstream_log::Error),
}

pub(crate) fn run(arguments: &Arguments) -> Result<u8> {
    // One of each fits.
    let (tell, told) = sync_channel(2);
    let interrupt = tell.clone();
    ctrlc::set_handler(move || _ = interrupt.try_send(Told::Interrupted))
        .map_err(|error| Failure::new(format!("cannot catch the interrupt key: {error}")))?;
    let session = EmbeddedSession::open(arguments, Unasked::Insist)?;
    let mut out = std::io::stderr();
    for address in session.addresses() {
        writeln!(out, "Kafka clients may connect to {address}")?;
    }
    session.log().on_stop(move |error| _ = tell.try_send(Told::Stopped(error)));
    writeln!(out, "serving {}; the interrupt key ends it", arguments.data.display())?;
    // The interrupt key's handler lives as long as the program.
    while let Ok(Told::Stopped(error)) = told.recv() {
        // Clients get this as a code only. They can go on reading, whoever hears of it here.
        let _ = writeln!(out, "error: {error}");
    }
    Ok(0)
}

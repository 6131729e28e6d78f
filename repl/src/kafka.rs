//! The Kafka protocol beside the engine, over the same log.

use std::io::Write;
use std::sync::Arc;

use millstream_broker::{BrokerOptions, Error, Listener};
use millstream_log::EmbeddedLog;

use crate::arguments::Arguments;
use crate::failure::{Failure, Result};

/// What `--listeners` says to listen nowhere.
const NOWHERE: &str = "none";

/// What to do without `--listeners`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unasked {
    /// Clients may come, but it is not what the program is run for: it goes on where the port is taken.
    Offer,
    /// Clients are what the program is run for.
    Insist,
    /// The program ends soon.
    Refrain,
}

/// Starts the listener that the command line asks for.
pub(crate) fn listen(arguments: &Arguments, log: &Arc<EmbeddedLog>, unasked: Unasked) -> Result<Option<Listener>> {
    let offsets_retention_minutes = arguments.offsets_retention_minutes;
    let mut options = BrokerOptions { offsets_retention_minutes, ..BrokerOptions::default() };
    match arguments.listeners.as_deref() {
        Some(NOWHERE) => return Ok(None),
        Some(listeners) => options.listeners = listeners.split(',').map(|one| one.trim().to_owned()).collect(),
        None if unasked == Unasked::Refrain => return Ok(None),
        None => {}
    }
    // Whatever comes, the log can still open its files.
    let files_max = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(u64::MAX);
    options.connections_max = options.connections_max.min(usize::try_from(files_max / 2).unwrap_or(usize::MAX));
    if let Some(advertised) = &arguments.advertised_listener {
        options.advertised = Some(host_and_port(advertised)?);
    }
    match Listener::start(Arc::clone(log), options) {
        Ok(listener) => Ok(Some(listener)),
        Err(Error::Listen { address, source })
            if arguments.listeners.is_none()
                && unasked == Unasked::Offer
                && source.kind() == std::io::ErrorKind::AddrInUse =>
        {
            // A program without clients is of use too.
            let message = format!(
                "note: {address} is taken, so Kafka clients cannot connect here\n\
                 help: choose another address with --listeners HOST:PORT, or --listeners none"
            );
            let _ = writeln!(std::io::stderr(), "{message}");
            Ok(None)
        }
        Err(error) => Err(Failure::unavailable(error.to_string())),
    }
}

fn host_and_port(text: &str) -> Result<(String, u16)> {
    let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = parts
        .filter(|(host, _)| !host.is_empty())
        .ok_or_else(|| Failure::usage(format!("expected HOST:PORT behind --advertised-listener, found {text}")))?;
    Ok((host.trim_start_matches('[').trim_end_matches(']').to_owned(), port))
}

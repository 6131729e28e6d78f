//! The Kafka protocol over the embedded log: what Kafka's own clients need of one broker.
//!
//! It is: a listener that speaks the protocol of Kafka 4.1, consumer groups, and the administration of topics. It is
//! not: a cluster (there is one broker, which leads every partition), and it knows no SQL. Records pass verbatim: a
//! batch is checked by its header and its CRC and handed to the log, and a fetch sends the log's bytes.
//!
//! ```
//! use std::sync::Arc;
//!
//! use millstream_broker::{BrokerOptions, Listener};
//! use millstream_log::{EmbeddedLog, LogOptions};
//!
//! let log = Arc::new(EmbeddedLog::open(LogOptions::in_memory()).unwrap());
//! let options = BrokerOptions { listeners: vec!["127.0.0.1:0".to_owned()], ..BrokerOptions::default() };
//! let listener = Listener::start(log, options).unwrap();
//! println!("clients may connect to {}", listener.addresses()[0]);
//! // Dropping the listener closes all connections.
//! ```

mod answers;
mod api;
mod broker;
mod budget;
mod call;
mod code;
mod connection;
mod error;
mod flush;
mod frame;
mod group;
mod groups;
mod listener;
mod options;
mod outlet;
mod pace;
mod parts;
mod retention;
mod shape;
mod taken_names;
mod text;
mod topic_id;

#[doc(hidden)]
pub use connection::serve_stream;
pub use error::{Error, Result};
pub use listener::Listener;
pub use options::BrokerOptions;

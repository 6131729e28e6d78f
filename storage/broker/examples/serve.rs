//! A log that only Kafka clients use: `serve DIR HOST:PORT` runs until its input ends.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing)]

use std::io::Read;
use std::sync::Arc;

use millstream_broker::{BrokerOptions, Listener};
use millstream_log::{EmbeddedLog, LogOptions};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().unwrap_or_else(|| "millstream-data".to_owned());
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:9092".to_owned());
    let log = Arc::new(EmbeddedLog::open(LogOptions::on_disk(dir)).unwrap());
    let options = BrokerOptions { listeners: vec![address], ..BrokerOptions::default() };
    let listener = Listener::start(log, options).unwrap();
    println!("{}", listener.addresses()[0]);
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

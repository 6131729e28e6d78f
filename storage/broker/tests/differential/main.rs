//! The same random script of requests for Millstream and for Apache Kafka: the responses are the same, field by field,
//! but for the differences that `differences.rs` declares, each with its reason.
//!
//! ```text
//! seed ─► steps ─► a request, with what each broker told before (ids, epochs) put in
//!                    ├─► Kafka      ─► response ─┐
//!                    └─► Millstream ─► response ─┴─► trees without what is declared ─► compared
//! ```
//!
//! With `MILLSTREAM_TRACE` set every request and response is printed.
//! `tests/compat/differential` starts a broker and runs this; by hand:
//! `MILLSTREAM_KAFKA=127.0.0.1:9092 MILLSTREAM_SEED=7 cargo test -p millstream-broker --test differential -- --ignored`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::print_stdout, clippy::print_stderr)]
#![allow(missing_docs)]

mod batches;
mod differences;
mod report;
mod script;
mod side;
mod steps;
mod tree;
mod wire;
mod world;

use std::sync::Arc;

use millstream_broker::{BrokerOptions, Listener};
use millstream_log::{EmbeddedLog, LogOptions};

use world::World;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

#[test]
#[ignore = "wants an Apache Kafka broker, at MILLSTREAM_KAFKA"]
fn the_same_requests_have_the_same_responses() {
    let kafka = std::env::var("MILLSTREAM_KAFKA").expect("MILLSTREAM_KAFKA is the address of an Apache Kafka broker");
    let (seed, count) = (setting("MILLSTREAM_SEED", 1), setting("MILLSTREAM_STEPS", 2_000));
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(EmbeddedLog::open(LogOptions::on_disk(dir.path())).unwrap());
    let options = BrokerOptions { listeners: vec!["127.0.0.1:0".to_owned()], ..BrokerOptions::default() };
    let listener = Listener::start(log, options).unwrap();
    let mut world = World::new(&kafka, &listener.addresses()[0].to_string(), seed);
    script::run(&mut world, count);
    let undeclared = world.report.print();
    drop(world);
    println!("repeat with MILLSTREAM_SEED={seed} MILLSTREAM_STEPS={count}");
    assert_eq!(undeclared, 0, "fields differ that are not declared in differences.rs");
}

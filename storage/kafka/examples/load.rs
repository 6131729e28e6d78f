//! What a Kafka broker is put to by a client that is no JVM: `load ADDRESS produce|consume|latency TOPIC …`.
//!
//! ```text
//! load ADDRESS produce TOPIC RECORDS BYTES           as fast as it goes
//! load ADDRESS consume TOPIC RECORDS                 from the beginning
//! load ADDRESS latency TOPIC MEGABYTES/S SECONDS     over a new topic, from the send to the receipt, 1 KiB a record
//! load ADDRESS delete TOPIC…
//! ```
//!
//! Where it measures it prints one JSON object.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::{ClientConfig, ClientContext};

/// Where one of librdkafka's threads frees what another has allocated, that of the system lets them wait for each other: it
/// would be measured instead of the broker.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: load ADDRESS produce TOPIC RECORDS BYTES | consume TOPIC RECORDS | latency TOPIC MB/S SECONDS | delete TOPIC…";
const LATENCY_BYTES: usize = 1024;
/// What comes first warms the client, the broker and its virtual machine up.
const WARM_UP: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        [address, "produce", topic, records, bytes] => produce(address, topic, records.parse()?, bytes.parse()?),
        [address, "consume", topic, records] => consume(address, topic, records.parse()?),
        [address, "latency", topic, rate, seconds] => latency(address, topic, rate.parse()?, seconds.parse()?),
        [address, "delete", ref topics @ ..] => delete(address, topics),
        _ => Err(USAGE.into()),
    }
}

fn config(address: &str, settings: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address).set("group.id", "load").set("enable.auto.commit", "false");
    for (name, value) in settings {
        config.set(*name, *value);
    }
    config
}

/// Counts the records that the broker did not take: figures of what failed would be figures of nothing.
#[derive(Debug, Default)]
struct Deliveries {
    failed: AtomicU64,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result
            && self.failed.fetch_add(1, Ordering::Relaxed) == 0
        {
            eprintln!("a record was not delivered: {error}");
        }
    }
}

type Sender = ThreadedProducer<Deliveries>;

fn sender(address: &str, settings: &[(&str, &str)]) -> Result<Sender> {
    Ok(config(address, settings).create_with_context(Deliveries::default())?)
}

/// Hands a record to the producer, waiting where its queue is full.
fn send(producer: &Sender, topic: &str, value: &[u8]) -> Result<()> {
    let mut record = BaseRecord::<(), [u8]>::to(topic).partition(0).payload(value);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                thread::sleep(Duration::from_millis(1));
                record = back;
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

/// Waits until the broker has answered for every record, and fails if it refused any of them.
fn finish(producer: &Sender) -> Result<()> {
    producer.flush(TIMEOUT)?;
    match producer.client().context().failed.load(Ordering::Relaxed) {
        0 => Ok(()),
        failed => Err(format!("{failed} records were not delivered").into()),
    }
}

fn produce(address: &str, topic: &str, records: u64, bytes: usize) -> Result<()> {
    let producer = sender(
        address,
        &[("acks", "all"), ("linger.ms", "5"), ("batch.size", "500000"), ("queue.buffering.max.kbytes", "131072")],
    )?;
    // A topic is made when it is first named; that is not to be measured.
    producer.client().fetch_metadata(Some(topic), TIMEOUT)?;
    let value = vec![b'x'; bytes];
    let started = Instant::now();
    for _ in 0..records {
        send(&producer, topic, &value)?;
    }
    finish(&producer)?;
    print_rate(records, bytes, started.elapsed());
    Ok(())
}

fn print_rate(records: u64, bytes: usize, took: Duration) {
    let rate = records as f64 / took.as_secs_f64();
    println!("{{\"records_per_s\":{rate:.0},\"mb_per_s\":{:.1}}}", rate * bytes as f64 / 1e6);
}

fn delete(address: &str, topics: &[&str]) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> = config(address, &[]).create()?;
    for outcome in block_on(admin.delete_topics(topics, &AdminOptions::new()))? {
        outcome.map_err(|(topic, error)| format!("{topic} is not deleted: {error}"))?;
    }
    Ok(())
}

fn reader(address: &str, topic: &str, from: Offset) -> Result<BaseConsumer> {
    // With much more in its queue the client would wait for memory instead of the broker.
    let settings = [("fetch.wait.max.ms", "100"), ("fetch.queue.backoff.ms", "1"), ("queued.min.messages", "20000")];
    let consumer: BaseConsumer = config(address, &settings).create()?;
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_offset(topic, 0, from)?;
    consumer.assign(&partitions)?;
    Ok(consumer)
}

fn consume(address: &str, topic: &str, records: u64) -> Result<()> {
    let consumer = reader(address, topic, Offset::Beginning)?;
    let started = Instant::now();
    let (mut count, mut bytes) = (0, 0);
    while count < records {
        let message = consumer.poll(TIMEOUT).ok_or("no record has come for a minute")??;
        count += 1;
        bytes += message.payload_len();
    }
    print_rate(count, bytes / count.max(1) as usize, started.elapsed());
    Ok(())
}

fn latency(address: &str, topic: &str, megabytes_per_s: f64, seconds: u64) -> Result<()> {
    let producer = sender(address, &[("acks", "all"), ("linger.ms", "1")])?;
    producer.client().fetch_metadata(Some(topic), TIMEOUT)?;
    // The topic is new: what is read is what is sent here.
    let consumer = reader(address, topic, Offset::Beginning)?;
    // The consumer is connected before there is anything to read.
    let _ = consumer.poll(Duration::from_secs(1));
    let rate = megabytes_per_s * 1e6 / LATENCY_BYTES as f64;
    let records = (rate * seconds as f64) as u64;
    let started = Instant::now();
    let topic_name = topic.to_owned();
    let sending = thread::spawn(move || -> std::result::Result<(), String> {
        let mut value = vec![b'x'; LATENCY_BYTES];
        for record in 0..records {
            let due = Duration::from_secs_f64(record as f64 / rate);
            // Waits are a millisecond long at least, so that several records are due at a time.
            thread::sleep(due.saturating_sub(started.elapsed()));
            // From when it was due, so that a stall shows in all that it holds up.
            for (place, byte) in value.iter_mut().zip(due.as_nanos().to_be_bytes()) {
                *place = byte;
            }
            send(&producer, &topic_name, &value).map_err(|error| error.to_string())?;
        }
        finish(&producer).map_err(|error| error.to_string())
    });
    let mut times = Vec::new();
    for _ in 0..records {
        let message = consumer.poll(TIMEOUT).ok_or("no record has come for a minute")??;
        let due = message.payload().and_then(|value| value.first_chunk::<16>()).ok_or("a record has no time")?;
        let due = Duration::from_nanos(u128::from_be_bytes(*due) as u64);
        if due > WARM_UP {
            times.push(started.elapsed().saturating_sub(due).as_secs_f64() * 1e3);
        }
    }
    sending.join().map_err(|_| "the producer has panicked")??;
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN);
    println!("{{\"p50_ms\":{:.2},\"p99_ms\":{:.2},\"p999_ms\":{:.2}}}", at(0.5), at(0.99), at(0.999));
    Ok(())
}

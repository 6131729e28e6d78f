//! Queries over a history whose partitions are read at different speeds.

use std::sync::Arc;

use millstream_log::record::BatchBuilder;
use millstream_log::{EmbeddedLog, Log, LogOptions, TopicPartition, TopicSpec};

use crate::queries::Session;

const PARTITIONS: i32 = 4;
const SECONDS: i64 = 20_000;

/// One event a second, in order; the partitions have them in turn for some seconds each, and the last one has most.
fn log_of_a_history() -> Arc<dyn Log> {
    let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(LogOptions::in_memory()).unwrap());
    log.create_topic(&TopicSpec::new("visits", PARTITIONS)).unwrap();
    let mut builders: Vec<BatchBuilder> = (0..PARTITIONS).map(|_| BatchBuilder::new()).collect();
    for second in 0..SECONDS {
        let partition = if second % 7 == 0 { second / 7 % 3 } else { 3 };
        let value = format!(r#"{{"page":{},"n":{second}}}"#, second % 10);
        builders[partition as usize].push(second * 1000, Some(second.to_string().as_bytes()), Some(value.as_bytes()));
        if second % 500 == 499 {
            for (partition, builder) in (0..).zip(&mut builders) {
                if !builder.is_empty() {
                    let batch = std::mem::replace(builder, BatchBuilder::new()).finish().unwrap();
                    log.append(&TopicPartition::new("visits", partition), batch).unwrap().wait().unwrap();
                }
            }
        }
    }
    log
}

fn session() -> Session {
    let mut session = Session::over(&log_of_a_history());
    session.run("SET 'ksql.streams.cache.max.bytes.buffering' = '10000000'");
    session
        .run("CREATE STREAM visits (k STRING KEY, page INT, n INT) WITH (KAFKA_TOPIC='visits', VALUE_FORMAT='JSON')");
    session
}

#[test]
fn a_window_without_grace_takes_every_row_of_an_ordered_history() {
    let mut session = session();
    session.run(
        "CREATE TABLE per_page AS SELECT page, COUNT(*) AS visits FROM visits \
         WINDOW TUMBLING (SIZE 10 SECONDS, GRACE PERIOD 0 SECONDS) GROUP BY page",
    );
    let rows = session.pull("SELECT COUNT(*), SUM(visits), MIN(visits), MAX(visits) FROM per_page");
    assert_eq!(rows, [format!("{SECONDS} {SECONDS} 1 1")]);
}

#[test]
fn values_come_in_the_order_of_time_wherever_they_lie() {
    let mut session = session();
    session.run("CREATE TABLE lists AS SELECT page, COLLECT_LIST(n) AS ns, LATEST_BY_OFFSET(n) AS last FROM visits GROUP BY page");
    let rows = session.pull("SELECT page, ns, last FROM lists");
    assert_eq!(rows.len(), 10);
    for row in rows {
        let (page, rest) = row.split_once(' ').unwrap();
        let (list, last) = rest.rsplit_once(' ').unwrap();
        let page: i64 = page.parse().unwrap();
        let expected: Vec<String> = (0..1000).map(|at| (at * 10 + page).to_string()).collect();
        assert_eq!(list.replace(", ", ","), format!("[{}]", expected.join(",")));
        assert_eq!(last, (SECONDS - 10 + page).to_string());
    }
}

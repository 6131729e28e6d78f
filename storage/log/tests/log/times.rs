//! Look-ups by time agree with reading everything.

use millstream_log::record::{BatchBuilder, Compression};
use millstream_log::{EmbeddedLog, Isolation, Log, LogOptions, TimedOffset, TopicPartition, TopicSpec};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_first_record_of_a_time_is_found(
        batches in prop::collection::vec((prop::collection::vec(-5i64..200, 1..6), any::<bool>()), 0..60),
        start in 0usize..40,
        asked in prop::collection::vec(-10i64..220, 1..20),
        open_at in prop::option::of(0usize..60),
    ) {
        let log = EmbeddedLog::open(LogOptions::in_memory()).unwrap();
        let mut spec = TopicSpec::new("t", 1).kept_for_ever();
        spec.config.segment_bytes = 600;
        log.create_topic(&spec).unwrap();
        let partition = TopicPartition::new("t", 0);
        let producer = log.init_producer("p").unwrap();
        let (mut all, mut stable) = (Vec::new(), None);
        for (number, (times, compressed)) in batches.iter().enumerate() {
            let mut batch = BatchBuilder::new();
            if *compressed {
                batch = batch.with_compression(Compression::Zstd);
            }
            if open_at == Some(number) {
                stable = Some(all.len());
                batch = batch.with_producer(producer.id, producer.epoch, 0).transactional();
            }
            for time in times {
                batch.push(*time, None, Some(&[7; 100]));
                all.push(*time);
            }
            log.append(&partition, batch.finish().unwrap()).unwrap();
        }
        let start = start.min(all.len());
        log.delete_records(&partition, start as i64).unwrap();
        let offsets = log.partition_offsets(&partition).unwrap();
        let stable = stable.unwrap_or(all.len()).max(start);
        prop_assert_eq!((offsets.log_start, offsets.last_stable), (start as i64, stable as i64));
        prop_assert_eq!(offsets.high_watermark, all.len() as i64);
        for (isolation, end) in [(Isolation::ReadUncommitted, all.len()), (Isolation::ReadCommitted, stable)] {
            let readable = || all.iter().enumerate().take(end).skip(start);
            let place = |(offset, time): (usize, &i64)| TimedOffset { offset: offset as i64, timestamp_ms: *time };
            for &asked in &asked {
                let expected = readable().find(|(_, time)| **time >= asked).map(place);
                prop_assert_eq!(log.offset_for_time(&partition, asked, isolation).unwrap(), expected);
            }
            let max = readable().map(|(_, time)| *time).max();
            let expected = readable().find(|(_, time)| Some(**time) == max).map(place);
            prop_assert_eq!(log.offset_of_greatest_time(&partition, isolation).unwrap(), expected);
        }
    }
}

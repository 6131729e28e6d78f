//! Batches that are found but not read, against what a fetch reads.

use millstream_log::record::split_batch;
use millstream_log::{EmbeddedLog, Error, Io, Isolation, Log, Memory, TopicPartition, TopicSpec};

use super::crash::Seeded;
use super::{batch, options};

/// The batches' first and last offset and size, in order.
fn batches(mut bytes: &[u8]) -> Vec<(i64, i64, usize)> {
    let mut found = Vec::new();
    while let Some((header, _, rest)) = split_batch(bytes).unwrap() {
        found.push((header.base_offset, header.last_offset(), header.size_bytes));
        bytes = rest;
    }
    assert!(bytes.is_empty(), "a batch is not whole");
    found
}

#[test]
fn what_is_located_is_what_is_asked_for_as_much_as_there_is_and_fits() {
    let (topic, disk) = (TopicPartition::new("t", 0), Memory::new());
    for seed in 0..6 {
        let mut random = Seeded(seed);
        let log = EmbeddedLog::open(options(disk.deep_clone())).unwrap();
        let mut spec = TopicSpec::new("t", 1).kept_for_ever();
        spec.config.segment_bytes = 40_000;
        log.create_topic(&spec).unwrap();
        for _ in 0..120 {
            // Of some there are many in a piece that is read, others are longer than that.
            let bytes = if random.below(4) == 0 { random.below(9_000) } else { random.below(200) };
            let values: Vec<_> = (0..=random.below(3)).map(|_| "v".repeat(bytes)).collect();
            log.append(&topic, batch(&values)).unwrap().wait().unwrap();
        }
        let (_, end) = log.offsets(&topic).unwrap();
        let mut all = Vec::new();
        while let Some((_, last, _)) = all.last().copied().or(Some((0, -1, 0))).filter(|(_, last, _)| last + 1 < end) {
            all.extend(batches(&log.fetch(&topic, last + 1, 1 << 20, Isolation::ReadCommitted).unwrap().bytes));
        }
        for _ in 0..400 {
            let (offset, bytes_max) = (random.below(end as usize + 1) as i64, random.below(20_000));
            let located = log.locate(&topic, offset, bytes_max, Isolation::ReadCommitted).unwrap();
            let what = format!("seed {seed}, offset {offset}, {bytes_max} bytes");
            let Some(extent) = located.bytes else {
                assert_eq!((offset, located.next_offset), (end, end), "{what}");
                continue;
            };
            let mut bytes = vec![0; extent.len()];
            assert_eq!(extent.read(&mut bytes).unwrap(), extent.len());
            let found = batches(&bytes);
            let first = all.iter().position(|(_, last, _)| *last >= offset).unwrap();
            assert_eq!(found, all[first..first + found.len()], "{what}");
            let (_, last, _) = found[found.len() - 1];
            assert_eq!(located.next_offset, last + 1, "{what}");
            assert!(found.len() == 1 || bytes.len() <= bytes_max, "{what}");
            // Where it ends early, the next batch does not fit or is in the next segment, which begins with what a fetch finds.
            if let Some((_, _, size)) = all.get(first + found.len())
                && bytes.len() + size <= bytes_max
            {
                let fetched = log.fetch(&topic, offset, 1 << 20, Isolation::ReadCommitted).unwrap();
                assert_eq!(fetched.bytes.len(), bytes.len(), "{what}");
            }
        }
    }
}

#[test]
fn an_extent_can_be_read_in_parts_and_one_that_somebody_cut_is_damage() {
    let (topic, disk) = (TopicPartition::new("t", 0), Memory::new());
    let log = EmbeddedLog::open(options(disk.clone())).unwrap();
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    log.append(&topic, batch(&["first"])).unwrap().wait().unwrap();
    let mut extent = log.locate(&topic, 0, 1, Isolation::ReadCommitted).unwrap().bytes.unwrap();
    let mut whole = vec![0; extent.len() + 10];
    let length = extent.read(&mut whole).unwrap();
    whole.truncate(length);
    extent.advance(5);
    let mut part = [0; 7];
    assert_eq!(extent.read(&mut part).unwrap(), 7);
    assert_eq!(part, whole[5..12]);
    extent.advance(usize::MAX);
    assert!(extent.is_empty());
    let (path, _) = disk.files().into_iter().find(|(path, _)| path.to_string_lossy().contains("/t-0.")).unwrap();
    for cut in [length - 1, 30] {
        disk.open(&path).unwrap().set_len(cut as u64).unwrap();
        let located = log.locate(&topic, 0, 1, Isolation::ReadCommitted);
        assert!(matches!(located, Err(Error::Damaged { .. })), "{located:?}");
    }
}

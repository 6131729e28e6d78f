//! Batches that are found in a segment, and those that are read from where they were found, against what was appended.

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
    let topic = TopicPartition::new("t", 0);
    for seed in 0..6 {
        let (mut random, disk) = (Seeded(seed), Memory::new());
        let log = EmbeddedLog::open(options(disk.clone())).unwrap();
        let mut spec = TopicSpec::new("t", 1).kept_for_ever();
        spec.config.segment_bytes = 40_000;
        log.create_topic(&spec).unwrap();
        let mut all = Vec::new();
        for _ in 0..120 {
            // Of some there are many in a piece that is read, others are longer than that.
            let bytes = if random.below(4) == 0 { random.below(9_000) } else { random.below(200) };
            let values: Vec<_> = (0..=random.below(3)).map(|_| "v".repeat(bytes)).collect();
            let batch = batch(&values);
            let size = batch.len();
            let base = log.append(&topic, batch).unwrap().wait().unwrap();
            all.push((base, base + values.len() as i64 - 1, size));
        }
        let (_, end) = log.offsets(&topic).unwrap();
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
            // Where it ends early, the next batch does not fit or begins the next segment.
            if let Some((next, _, size)) = all.get(first + found.len())
                && bytes.len() + size <= bytes_max
            {
                let segment = format!("{next:020}.log");
                let begins_one = disk.files().iter().any(|(path, _)| path.ends_with(&segment));
                assert!(begins_one, "{what}");
            }
            let fetched = log.fetch(&topic, offset, bytes_max, Isolation::ReadCommitted).unwrap();
            assert_eq!((&fetched.bytes[..], fetched.next_offset), (&bytes[..], located.next_offset), "{what}");
        }
    }
}

/// Nobody has looked at the batches in the middle of what is found.
#[test]
fn a_fetch_ends_before_a_damaged_batch_wherever_it_is() {
    let (topic, disk) = (TopicPartition::new("t", 0), Memory::new());
    let log = EmbeddedLog::open(options(disk.clone())).unwrap();
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    let one = batch(&["v".repeat(300)]);
    for _ in 0..100 {
        log.append(&topic, one.clone()).unwrap().wait().unwrap();
    }
    // Whoever reads finds all of it in the file.
    assert_eq!(log.fetch(&topic, 0, 1 << 20, Isolation::ReadCommitted).unwrap().next_offset, 100);
    let (path, _) = disk.files().into_iter().find(|(path, _)| path.to_string_lossy().contains("/t-0.")).unwrap();
    let file = disk.open(&path).unwrap();
    // A byte of a record, and of a header: its length.
    for (number, byte, of_batch) in [(40, 100, b'v'), (0, 100, b'v'), (40, 8, 0)] {
        let position = (number * one.len() + byte) as u64;
        file.write_at(&[0x7f], position).unwrap();
        let fetch = |offset| log.fetch(&topic, offset, 1 << 20, Isolation::ReadCommitted);
        if number > 0 {
            let fetched = fetch(0).unwrap();
            assert_eq!((fetched.bytes.len(), fetched.next_offset), (number * one.len(), number as i64));
        }
        let damaged = fetch(number as i64);
        assert!(matches!(damaged, Err(Error::Damaged { .. })), "{damaged:?}");
        let after = fetch(number as i64 + 12).unwrap();
        assert_eq!(after.next_offset, 100);
        file.write_at(&[of_batch], position).unwrap();
    }
    assert_eq!(log.fetch(&topic, 0, 1 << 20, Isolation::ReadCommitted).unwrap().next_offset, 100);
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

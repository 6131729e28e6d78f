use super::expiry::ENGINE_PREFIX;
use super::*;

const HOUR_MS: i64 = 3_600_000;

fn offset(group: &str, index: i32) -> GroupOffset {
    GroupOffset::new(group, TopicPartition::new("t", index), 7)
}

fn replay(groups: &mut GroupOffsets, batch: &[u8]) {
    groups.replay(&BatchHeader::parse(batch).unwrap(), batch).unwrap();
}

fn overdue(groups: &GroupOffsets, before_ms: i64) -> Vec<(String, i32, bool)> {
    let mut overdue: Vec<_> = groups
        .overdue(before_ms)
        .into_iter()
        .map(|offset| (offset.group.to_string(), offset.partition.partition, offset.is_group_unused))
        .collect();
    overdue.sort();
    overdue
}

#[test]
fn offsets_are_overdue_by_when_they_were_committed_also_after_a_restart() {
    let mut live = GroupOffsets::default();
    live.set(&offset("g", 0), 100);
    live.set(&offset("g", 1), 200);
    let mut again = GroupOffsets::default();
    replay(&mut again, &offsets_batch(&[offset("g", 0)], 100).unwrap());
    replay(&mut again, &offsets_batch(&[offset("g", 1)], 200).unwrap());
    for groups in [&live, &again] {
        assert_eq!(overdue(groups, 100), []);
        assert_eq!(overdue(groups, 101), [("g".to_owned(), 0, true)]);
        assert_eq!(overdue(groups, 201).len(), 2);
    }
    assert_eq!(again.bytes(), live.bytes());
    // Whoever moves it meanwhile keeps it.
    let found = live.overdue(201);
    live.set(&offset("g", 0), 300);
    assert_eq!(live.still_overdue(&found, 201), [("g".to_owned(), TopicPartition::new("t", 1))]);
    live.set_pending(5, &[offset("g", 1)], 300);
    assert_eq!(live.still_overdue(&found, 201), []);
    assert_eq!(overdue(&live, 201), []);
    live.end(5, true);
    assert_eq!(overdue(&live, 300), []);
}

#[test]
fn offsets_of_queries_are_never_overdue() {
    let mut groups = GroupOffsets::default();
    groups.set(&offset(&format!("{ENGINE_PREFIX}default_query_CSAS_1"), 0), 100);
    assert_eq!(overdue(&groups, i64::MAX), []);
}

#[test]
fn a_groups_use_is_written_down_once_an_hour_and_known_after_a_restart() {
    let mut groups = GroupOffsets::default();
    groups.set(&offset("g", 0), 0);
    assert_eq!(groups.note_in_use(&["g", "without offsets"], 10), ["g"]);
    assert_eq!(groups.note_in_use(&["g"], 10 + HOUR_MS - 1), Vec::<&str>::new());
    let is_unused = |groups: &GroupOffsets, before_ms| groups.overdue(before_ms)[0].is_group_unused;
    assert!(!is_unused(&groups, 10 + HOUR_MS - 1) && is_unused(&groups, 10 + HOUR_MS));
    assert_eq!(groups.note_in_use(&["g"], 10 + HOUR_MS), ["g"]);
    // It may have been in use for an hour after that was written. What stands before the offsets counts as well.
    let mut again = GroupOffsets::default();
    replay(&mut again, &uses_batch(["g", "gone"], Some(10), 10).unwrap());
    replay(&mut again, &tombstones_batch(&[("g".to_owned(), TopicPartition::new("t", 1))], 10).unwrap());
    replay(&mut again, &offsets_batch(&[offset("g", 0)], 0).unwrap());
    again.retain(|_| true);
    assert!(!is_unused(&again, 10 + HOUR_MS) && is_unused(&again, 11 + HOUR_MS));
    assert_eq!(again.names(), BTreeSet::from(["g".to_owned()]));
    assert_eq!(again.bytes(), groups.bytes());
    // With its last offset a group is forgotten, and that is written down.
    assert!(again.forget("g", &TopicPartition::new("t", 0)));
    assert_eq!(again.bytes(), 0);
    replay(&mut again, &offsets_batch(&[offset("g", 0)], 0).unwrap());
    replay(&mut again, &uses_batch(["g"], Some(10), 10).unwrap());
    replay(&mut again, &uses_batch(["g"], None, 10).unwrap());
    assert!(is_unused(&again, 11) && !again.forget("g", &TopicPartition::new("t", 0)));
}

#[test]
fn offsets_as_every_version_of_kafka_writes_them_are_read() {
    use crate::codec::Encode;
    for version in 0..=3i16 {
        let mut value = Vec::new();
        value.put_i16(version);
        value.put_i64(9);
        if version == 3 {
            value.put_i32(4);
        }
        value.put_string("note");
        value.put_i64(1_234);
        if version == 1 {
            value.put_i64(5_678);
        }
        let (read, committed_ms) = record::decode_offset("g".to_owned(), TopicPartition::new("t", 0), &value).unwrap();
        let leader_epoch = if version == 3 { 4 } else { -1 };
        assert_eq!((read.offset, read.leader_epoch, read.metadata.as_str()), (9, leader_epoch, "note"));
        assert_eq!(committed_ms, 1_234);
    }
}

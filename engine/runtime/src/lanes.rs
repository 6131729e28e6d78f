//! How the partitions of a repartition topic are laid out.

/// Each partition that a repartition topic has for the tasks which read it is in truth a few: a lane for each task that
/// writes it. The lanes of a partition are merged by time, so that what one writer is ahead of the others
/// does not show. Records of one lane are in the order in which its writer has read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lanes(i32);

/// A topic gets no more partitions than that: of many writers several share a lane.
const PARTITIONS_MAX: i32 = 256;

impl Lanes {
    /// What several write as one.
    pub(crate) const ONE: Self = Self(1);

    /// The lanes of a topic with so many tasks before and behind it.
    pub(crate) fn between(writers: i32, readers: i32) -> Self {
        Self(writers.min(PARTITIONS_MAX / readers.max(1)).max(1))
    }

    /// How many there are.
    pub(crate) fn count(self) -> i32 {
        self.0
    }

    /// The lane of a writer.
    pub(crate) fn of(self, writer: i32) -> i32 {
        writer % self.0
    }

    /// The topic's partition that is a lane of a reader.
    pub(crate) fn partition(self, reader: i32, lane: i32) -> i32 {
        reader * self.0 + lane
    }

    /// The lane that a partition of the topic is.
    pub(crate) fn lane(self, partition: i32) -> i32 {
        partition % self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reader_has_lanes_of_its_own() {
        let lanes = Lanes::between(3, 4);
        let mut partitions: Vec<i32> =
            (0..4).flat_map(|reader| (0..3).map(move |writer| lanes.partition(reader, lanes.of(writer)))).collect();
        partitions.sort_unstable();
        assert_eq!(partitions, (0..12).collect::<Vec<_>>());
        assert!((0..12).all(|partition| lanes.partition(partition / 3, lanes.lane(partition)) == partition));
    }

    #[test]
    fn many_writers_share_lanes() {
        assert_eq!(Lanes::between(100, 100).count(), 2);
        assert_eq!(Lanes::between(100, 1000), Lanes::ONE);
        assert_eq!(Lanes::between(1, 1), Lanes::ONE);
    }
}

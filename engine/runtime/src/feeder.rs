//! Who writes a query's repartition topics, for those who wait for them.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use millstream_log::TopicPartition;

use crate::input::Input;
use crate::lanes::Lanes;
use crate::pool::Handle;
use crate::task::Task;
use crate::upstream::Upstream;

/// What writes a repartition topic.
pub(crate) struct Feeder {
    pub(crate) topic: String,
    pub(crate) lanes: Lanes,
    /// The places of the tasks that write it.
    pub(crate) tasks: Range<usize>,
}

/// Lets the readers of repartition topics know which tasks write them, the innermost stages first.
pub(crate) fn connect(feeders: &[Feeder], tasks: &mut [(Arc<Handle>, Task)]) {
    // By topic and lane.
    let mut upstreams: HashMap<(&str, i32), Arc<Upstream>> = HashMap::new();
    let lanes: HashMap<&str, Lanes> = feeders.iter().map(|feeder| (feeder.topic.as_str(), feeder.lanes)).collect();
    let upstream_of = |partition: &TopicPartition, upstreams: &HashMap<(&str, i32), Arc<Upstream>>| {
        let lane = lanes.get(&*partition.topic)?.lane(partition.partition);
        upstreams.get(&(&*partition.topic, lane)).cloned()
    };
    for Feeder { topic, lanes, tasks: writers } in feeders.iter().rev() {
        let writers = tasks.get_mut(writers.clone()).unwrap_or_default();
        for lane in 0..lanes.count() {
            let is_in_lane = |task: &Task| lanes.of(task.partition) == lane;
            let in_lane = || writers.iter().map(|(_, task)| task).filter(|task| is_in_lane(task));
            let reads: Vec<&Input> = in_lane().flat_map(|task| &task.inputs).collect();
            let mut above: Vec<Arc<Upstream>> =
                reads.iter().filter_map(|input| upstream_of(&input.partition, &upstreams)).collect();
            above.sort_unstable_by_key(Arc::as_ptr);
            above.dedup_by(|a, b| Arc::ptr_eq(a, b));
            let reads = reads.iter().map(|input| (input.partition.clone(), input.position)).collect();
            let upstream = Upstream::new(in_lane().map(|task| task.partition), reads, above);
            writers.iter_mut().map(|(_, task)| task).filter(|task| is_in_lane(task)).for_each(|task| {
                task.feeds = Some(Arc::clone(&upstream));
            });
            upstreams.insert((topic, lane), upstream);
        }
    }
    for (handle, task) in tasks.iter_mut().filter(|(_, task)| task.inputs.len() > 1) {
        for input in &mut task.inputs {
            input.upstream = upstream_of(&input.partition, &upstreams);
            input.upstream.iter().for_each(|upstream| upstream.add_reader(handle));
        }
    }
}

//! The script: which steps there are, and how often each comes.

use crate::steps::{
    administration, configs, consumer_groups, groups, migrations, offsets, rebalances, records, security, topics,
    transactions,
};
use crate::world::World;

type Step = fn(&mut World);

const STEPS: &[(u64, Step)] = &[
    (4, topics::create),
    (2, topics::delete),
    (2, topics::add_partitions),
    (3, topics::metadata),
    (2, topics::describe_partitions),
    (2, topics::delete_records),
    (3, configs::describe),
    (3, configs::alter),
    (1, configs::replace),
    (12, records::produce),
    (8, records::produce_idempotent),
    (4, records::produce_bad),
    (12, records::fetch),
    (8, records::list_offsets),
    (3, records::leader_epoch),
    (2, records::init_idempotent),
    (6, rebalances::rebalance),
    (4, groups::heartbeat),
    (3, groups::leave),
    (3, groups::describe),
    (2, groups::list),
    (1, groups::delete),
    (6, offsets::commit),
    (6, offsets::fetch),
    (2, offsets::delete),
    (12, consumer_groups::heartbeat),
    (4, consumer_groups::describe),
    (6, consumer_groups::commit),
    (4, consumer_groups::fetch_offsets),
    (5, migrations::join),
    (5, migrations::sync),
    (4, migrations::heartbeat),
    (2, migrations::leave),
    (3, migrations::commit),
    (1, migrations::static_member),
    (3, transactions::init),
    (6, transactions::add_partitions),
    (8, transactions::produce),
    (4, transactions::commit_offsets),
    (6, transactions::end),
    (2, transactions::describe),
    (1, transactions::list),
    (2, transactions::producers),
    (1, administration::api_versions),
    (1, administration::find_coordinator),
    (1, administration::cluster),
    (1, administration::reassignments),
    (1, administration::config_resources),
    (1, security::authenticate),
    (1, security::access),
];

/// Runs so many steps, and what takes its time once.
pub(crate) fn run(world: &mut World, count: u64) {
    let total: u64 = STEPS.iter().map(|(weight, _)| weight).sum();
    administration::warm_up(world);
    rebalances::warm_up(world);
    consumer_groups::create_topics(world);
    for _ in 0..3 {
        topics::create(world);
    }
    for _ in 0..count {
        world.next_step();
        let mut at = world.below(total);
        let step = STEPS.iter().find(|(weight, _)| {
            let is_it = at < *weight;
            at = at.saturating_sub(*weight);
            is_it
        });
        (step.unwrap().1)(world);
    }
    groups::expire(world);
}

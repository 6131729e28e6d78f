//! Clients that come, go, are slow, and come back by another protocol, in one group.

use std::collections::HashMap;

use millstream_log::TopicPartition;
use proptest::test_runner::TestRunner;

use super::*;
use crate::group::consumer_protocol::ConsumerSubscription;

const CLIENTS: usize = 4;
const SIZE: i32 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaks {
    /// The classic protocol; it gives up everything before it joins.
    Eager,
    /// The classic protocol; it goes on with what it keeps.
    Cooperative,
    Newer,
}

/// A client as it sees itself.
#[derive(Debug, Clone)]
struct Client {
    /// Another one each time it starts.
    id: String,
    speaks: Speaks,
    /// Of a classic member: whether it has an id that the group knows.
    is_known: bool,
    /// Whether it has an epoch, or a generation.
    is_member: bool,
    epoch: i32,
    owned: Partitions,
    told: Partitions,
    /// Of a classic member: an answer is to come.
    waits: bool,
    must_join: bool,
    must_sync: bool,
    /// As the leader: who is there, and what they own.
    led: Vec<(StrBytes, Partitions)>,
}

impl Client {
    fn new(id: String, speaks: Speaks) -> Self {
        Self {
            id,
            speaks,
            is_known: false,
            is_member: false,
            epoch: 0,
            owned: Partitions::new(),
            told: Partitions::new(),
            waits: false,
            must_join: false,
            must_sync: false,
            led: Vec::new(),
        }
    }
}

#[derive(Debug, Clone)]
enum Turn {
    Beat(usize),
    Obey(usize),
    /// The client stops, with a word or without, and comes back by this protocol.
    Restart(usize, Speaks, bool),
    Wait(i64),
}

fn turn() -> impl Strategy<Value = Turn> {
    let speaks = prop_oneof![Just(Speaks::Eager), Just(Speaks::Cooperative), Just(Speaks::Newer)];
    prop_oneof![
        12 => (0..CLIENTS).prop_map(Turn::Beat),
        4 => (0..CLIENTS).prop_map(Turn::Obey),
        1 => (0..CLIENTS, speaks, any::<bool>()).prop_map(|(client, speaks, says)| Turn::Restart(client, speaks, says)),
        1 => (1..2_000i64).prop_map(Turn::Wait),
    ]
}

struct World {
    run: Run,
    clients: Vec<Client>,
    ids: usize,
    /// How often the group became one of the other kind.
    moves: [usize; 2],
}

impl World {
    fn new() -> Self {
        let mut world = Self { run: Run::new(&[("t", SIZE)]), clients: Vec::new(), ids: 0, moves: [0, 0] };
        for _ in 0..CLIENTS {
            let id = world.next_id();
            world.clients.push(Client::new(id, Speaks::Cooperative));
        }
        world
    }

    fn next_id(&mut self) -> String {
        self.ids += 1;
        format!("m{}", self.ids)
    }

    fn restart(&mut self, at: usize, speaks: Speaks) {
        let id = self.next_id();
        self.clients[at] = Client::new(id, speaks);
    }

    /// The client loses everything, and begins again as another one.
    fn reset(&mut self, at: usize) {
        self.restart(at, self.clients[at].speaks);
    }

    fn beat(&mut self, at: usize) {
        let client = &mut self.clients[at];
        if client.waits {
            return;
        }
        let mut answers = Vec::new();
        if client.speaks == Speaks::Newer {
            let epoch = if client.is_member { client.epoch } else { JOIN_EPOCH };
            let names = Some(vec![Arc::from("t")]);
            let beat = newer(&client.id, epoch, Some(client.owned.clone()));
            let beat = Heartbeat { topic_names: names, rebalance_timeout_ms: Some(5_000), ..beat };
            let (topics, now_ms) = (&self.run.topics, self.run.now_ms);
            match self.run.groups.consumer_heartbeat(&text("g"), &beat, topics, now_ms, &mut answers) {
                Ok(beat) => {
                    (client.is_member, client.epoch) = (true, beat.epoch);
                    client.told = beat.assignment.expect("everything was said");
                    client.owned.extend(client.told.iter().cloned());
                }
                Err(_) => self.reset(at),
            }
        } else if client.must_sync {
            let assignments = lead(&client.led);
            client.waits = true;
            let sync = Sync { assignments, ..Sync::default() };
            let identity = identity(&client.id, client.epoch);
            self.run.groups.sync(&text("g"), &identity, sync, self.run.now_ms, at, &mut answers);
        } else if client.is_member && !client.must_join {
            match self.run.heartbeat(&client.id.clone(), client.epoch) {
                Ok(()) => {}
                Err(ResponseError::RebalanceInProgress) => self.clients[at].must_join = true,
                Err(ResponseError::IllegalGeneration) => self.lose(at),
                Err(_) => self.reset(at),
            }
        } else {
            if client.speaks == Speaks::Eager {
                client.owned.clear();
            }
            client.waits = true;
            let known = if client.is_known { client.id.as_str() } else { "" };
            let join = classic(known, &client.id, &client.owned);
            self.run.groups.join(&text("g"), join, &self.run.topics, self.run.now_ms, at, &mut answers);
        }
        self.hear(answers);
    }

    /// It has missed a rebalance: what it owned is others' by now, but it is still a member.
    fn lose(&mut self, at: usize) {
        let client = &mut self.clients[at];
        (client.is_member, client.must_join, client.must_sync) = (false, false, false);
        client.owned.clear();
    }

    fn hear(&mut self, answers: Answers<usize>) {
        for (at, answer) in answers {
            let client = &mut self.clients[at];
            client.waits = false;
            let code = match &answer {
                Answer::Joined(joined) => joined.error_code,
                Answer::Synced(synced) => synced.error_code,
            };
            match answer {
                Answer::Joined(joined) if code == 0 => {
                    (client.is_known, client.is_member, client.epoch) = (true, true, joined.generation);
                    (client.must_join, client.must_sync) = (false, true);
                    let claims = |(id, _, said): (StrBytes, _, Bytes)| {
                        (id, ConsumerSubscription::read(&said, |_| true).unwrap().owned)
                    };
                    client.led = joined.members.into_iter().map(claims).collect();
                }
                Answer::Synced(synced) if code == 0 => {
                    let new = assigned(&synced);
                    client.must_sync = false;
                    // Who has given something up joins again, for others to get it.
                    client.must_join = client.speaks == Speaks::Cooperative && !client.owned.is_subset(&new);
                    client.owned = new;
                }
                Answer::Joined(_) | Answer::Synced(_) if code == REBALANCE => {
                    client.is_known = true;
                    (client.must_join, client.must_sync) = (true, false);
                }
                _ if code == ResponseError::IllegalGeneration.code() => self.lose(at),
                _ => self.reset(at),
            }
        }
        self.note_departures();
    }

    /// Who is no member any more stops working, as a client does whose session is over.
    fn note_departures(&mut self) {
        for at in 0..CLIENTS {
            let id = text(self.clients[at].id.as_str());
            let classic = self.run.groups.group(&text("g")).is_some_and(|group| group.members.contains_key(&id));
            let newer = self.run.groups.consumer_group(&text("g")).is_some_and(|group| group.members.contains_key(&id));
            if !classic && !newer && (self.clients[at].is_known || self.clients[at].is_member) {
                self.reset(at);
            }
        }
    }

    fn take(&mut self, turn: Turn) {
        let was_classic = self.run.groups.group(&text("g")).is_some();
        let had_members = self.clients.iter().any(|client| client.is_member);
        match turn {
            Turn::Beat(at) => self.beat(at),
            Turn::Obey(at) if self.clients[at].speaks == Speaks::Newer => {
                self.clients[at].owned = self.clients[at].told.clone();
            }
            Turn::Obey(_) => {}
            Turn::Restart(at, speaks, says_so) => {
                let old = self.clients[at].clone();
                self.restart(at, speaks);
                let mut answers = Vec::new();
                let (id, now_ms) = (text(old.id.as_str()), self.run.now_ms);
                if says_so && old.speaks == Speaks::Newer {
                    let beat = newer(&old.id, LEAVE_EPOCH, None);
                    let topics = &self.run.topics;
                    let _ = self.run.groups.consumer_heartbeat(&text("g"), &beat, topics, now_ms, &mut answers);
                } else if says_so || old.waits {
                    let _ = self.run.groups.leave(&text("g"), &id, None, now_ms, &mut answers);
                }
                // It does not hear what is said to its earlier self.
                answers.retain(|(waiter, _)| *waiter != at);
                self.hear(answers);
            }
            Turn::Wait(ms) => {
                self.run.now_ms += ms;
                let mut answers = Vec::new();
                self.run.groups.tick(self.run.now_ms, &mut answers);
                self.hear(answers);
            }
        }
        let is_classic = self.run.groups.group(&text("g")).is_some();
        if had_members && was_classic != is_classic {
            self.moves[usize::from(is_classic)] += 1;
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let mut owners: HashMap<&TopicPartition, usize> = HashMap::new();
        for (at, client) in self.clients.iter().enumerate() {
            for partition in &client.owned {
                let other = owners.insert(partition, at);
                prop_assert!(other.is_none(), "{partition:?} is worked on by {other:?} and {at}");
            }
        }
        Ok(())
    }

    /// Everybody is quick and nothing more happens.
    fn settle(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..60 {
            self.take(Turn::Wait(300));
            for at in 0..CLIENTS {
                self.take(Turn::Beat(at));
                self.take(Turn::Obey(at));
                self.check()?;
            }
        }
        Ok(())
    }
}

/// A leader's assignment: to each in turn, but not what another one has yet to give up. Nobody leads where that is nothing.
fn lead(led: &[(StrBytes, Partitions)]) -> Vec<(StrBytes, Bytes)> {
    let is_others = |partition: &TopicPartition, place: usize| {
        led.iter().enumerate().any(|(other, (_, owned))| other != place && owned.contains(partition))
    };
    let share = |(place, (id, _)): (usize, &(StrBytes, Partitions))| {
        let mine = parts("t", (0..SIZE).filter(|index| *index as usize % led.len() == place));
        let free: Partitions = mine.into_iter().filter(|partition| !is_others(partition, place)).collect();
        (id.clone(), assignment(1, &free))
    };
    led.iter().enumerate().map(share).collect()
}

/// Whatever clients do, no partition has two readers; when they are quiet each has its part, and the group is of the kind that
/// they speak.
#[test]
fn no_partition_has_two_readers_while_members_change_their_protocol() {
    let moves = [Cell::new(0), Cell::new(0)];
    let mut runner = TestRunner::new(ProptestConfig { cases: 512, ..ProptestConfig::default() });
    let tested = runner.run(&proptest::collection::vec(turn(), 0..160), |turns| {
        let mut world = World::new();
        for turn in turns {
            world.take(turn);
            world.check()?;
        }
        world.settle()?;
        let owned: Partitions = world.clients.iter().flat_map(|client| client.owned.clone()).collect();
        prop_assert_eq!(owned, parts("t", 0..SIZE));
        prop_assert!(world.clients.iter().all(|client| client.is_member && !client.owned.is_empty()));
        let speaks_newer = world.clients.iter().any(|client| client.speaks == Speaks::Newer);
        prop_assert_eq!(world.run.is_classic(), !speaks_newer);
        world.moves.iter().zip(&moves).for_each(|(count, all)| all.set(all.get() + count));
        Ok(())
    });
    tested.unwrap();
    assert!(moves.iter().all(|count| count.get() > 20), "groups moved {moves:?} times");
}

//! Clients that come, go, are slow, and come back by another protocol, in one group.

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
    /// Another one each time it starts, as is its id.
    number: usize,
    id: StrBytes,
    speaks: Speaks,
    /// Which static member it is, if it is one.
    instance: Option<StrBytes>,
    /// Of a classic member: whether it has an id that the group knows.
    is_known: bool,
    /// Whether it has an epoch, or a generation.
    is_member: bool,
    epoch: i32,
    /// What it works on.
    owned: Partitions,
    /// What it was told to own: it gives up the rest when it has time.
    told: Partitions,
    /// Of a cooperative member: it has yet to do so, and joins again then.
    revokes: bool,
    /// Of a classic member: an answer is to come.
    waits: bool,
    must_join: bool,
    must_sync: bool,
    /// As the leader: who is there, and what they own.
    led: Vec<(StrBytes, Partitions)>,
}

impl Client {
    fn new(number: usize, speaks: Speaks, instance: Option<StrBytes>) -> Self {
        Self {
            number,
            id: text(format!("m{number}")),
            speaks,
            instance,
            is_known: false,
            is_member: false,
            epoch: 0,
            owned: Partitions::new(),
            told: Partitions::new(),
            revokes: false,
            waits: false,
            must_join: false,
            must_sync: false,
            led: Vec::new(),
        }
    }

    fn identity(&self) -> Identity {
        Identity { instance: self.instance.clone(), ..identity(&self.id, self.epoch) }
    }
}

#[derive(Debug, Clone)]
enum Turn {
    Beat(usize),
    Obey(usize),
    /// The client stops, with a word or without, and comes back.
    Restart {
        client: usize,
        speaks: Speaks,
        is_static: bool,
        says_so: bool,
    },
    Wait(i64),
}

fn turn() -> impl Strategy<Value = Turn> {
    let speaks = prop_oneof![Just(Speaks::Eager), Just(Speaks::Cooperative), Just(Speaks::Newer)];
    prop_oneof![
        12 => (0..CLIENTS).prop_map(Turn::Beat),
        4 => (0..CLIENTS).prop_map(Turn::Obey),
        1 => (0..CLIENTS, speaks, any::<bool>(), any::<bool>())
            .prop_map(|(client, speaks, is_static, says_so)| Turn::Restart { client, speaks, is_static, says_so }),
        1 => (1..2_000i64).prop_map(Turn::Wait),
    ]
}

struct World {
    run: Run,
    clients: Vec<Client>,
    started: usize,
    /// How often the group became one of the other kind.
    moves: [usize; 2],
}

impl World {
    fn new() -> Self {
        let clients = (0..CLIENTS).map(|number| Client::new(number, Speaks::Cooperative, None)).collect();
        Self { run: Run::new(&[("t", SIZE)]), clients, started: CLIENTS, moves: [0, 0] }
    }

    /// The client begins again as another one, which has nothing.
    fn start(&mut self, at: usize, speaks: Speaks, instance: Option<StrBytes>) {
        self.clients[at] = Client::new(self.started, speaks, instance);
        self.started += 1;
    }

    fn reset(&mut self, at: usize) {
        self.start(at, self.clients[at].speaks, self.clients[at].instance.clone());
    }

    fn beat(&mut self, at: usize) {
        if self.clients[at].waits {
            return;
        }
        let mut answers = Vec::new();
        match self.clients[at].speaks {
            Speaks::Newer => self.beat_by_the_newer_protocol(at, &mut answers),
            Speaks::Eager | Speaks::Cooperative => self.beat_by_the_classic_protocol(at, &mut answers),
        }
        self.hear(answers);
    }

    fn beat_by_the_newer_protocol(&mut self, at: usize, answers: &mut Answers<usize>) {
        let client = &mut self.clients[at];
        let epoch = if client.is_member { client.epoch } else { JOIN_EPOCH };
        let names = Some(vec![Arc::from("t")]);
        let beat = newer(&client.id, epoch, Some(client.owned.clone()));
        let instance = client.instance.clone();
        let beat = Heartbeat { topic_names: names, rebalance_timeout_ms: Some(5_000), instance, ..beat };
        let (topics, now_ms) = (&self.run.topics, self.run.now_ms);
        match self.run.groups.consumer_heartbeat(&text("g"), &beat, topics, now_ms, answers) {
            Ok(beat) => {
                (client.is_member, client.epoch) = (true, beat.epoch);
                client.told = beat.assignment.expect("everything was said");
                client.owned.extend(client.told.iter().cloned());
            }
            Err(_) => self.reset(at),
        }
    }

    /// While it gives something up it only shows that it is alive.
    fn beat_by_the_classic_protocol(&mut self, at: usize, answers: &mut Answers<usize>) {
        let (group, now_ms) = (text("g"), self.run.now_ms);
        let client = &mut self.clients[at];
        if client.must_sync {
            client.waits = true;
            let sync = Sync { assignments: lead(&client.led), ..Sync::default() };
            self.run.groups.sync(&group, &client.identity(), sync, now_ms, client.number, answers);
        } else if client.is_member && (client.revokes || !client.must_join) {
            match self.run.groups.heartbeat(&group, &client.identity(), now_ms) {
                Ok(()) => {}
                Err(ResponseError::RebalanceInProgress) => client.must_join = true,
                Err(ResponseError::IllegalGeneration) => self.lose(at),
                Err(_) => self.reset(at),
            }
        } else {
            if client.speaks == Speaks::Eager {
                client.owned.clear();
            }
            client.waits = true;
            let known = if client.is_known { &*client.id } else { "" };
            let join = Join { instance: client.instance.clone(), ..classic(known, &client.id, &client.owned) };
            self.run.groups.join(&group, join, &self.run.topics, now_ms, client.number, answers);
        }
    }

    /// It has missed a rebalance: what it owned is others' by now, but it is still a member.
    fn lose(&mut self, at: usize) {
        let client = &mut self.clients[at];
        (client.is_member, client.must_join, client.must_sync, client.revokes) = (false, false, false, false);
        client.owned.clear();
    }

    fn hear(&mut self, answers: Answers<usize>) {
        for (number, answer) in answers {
            // Who has started again does not hear what is said to its earlier self.
            let Some(at) = self.clients.iter().position(|client| client.number == number) else { continue };
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
                    client.told = assigned(&synced);
                    client.must_sync = false;
                    client.revokes = !client.owned.is_subset(&client.told);
                    if !client.revokes {
                        client.owned = client.told.clone();
                    }
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
            let id = &self.clients[at].id;
            let classic = self.run.groups.group(&text("g")).is_some_and(|group| group.members.contains_key(id));
            let newer = self.run.groups.consumer_group(&text("g")).is_some_and(|group| group.members.contains_key(id));
            if !classic && !newer && (self.clients[at].is_known || self.clients[at].is_member) {
                self.reset(at);
            }
        }
    }

    /// The client gives up what it is to give up.
    fn obey(&mut self, at: usize) {
        let client = &mut self.clients[at];
        if client.speaks == Speaks::Newer || client.revokes {
            client.owned = client.told.clone();
            client.must_join |= client.revokes;
            client.revokes = false;
        }
    }

    /// What a client says when it stops. A static member by the classic protocol says nothing, and nor do others where a
    /// closed connection says it.
    fn say_goodbye(&mut self, old: &Client, says_so: bool, answers: &mut Answers<usize>) {
        let (group, now_ms) = (text("g"), self.run.now_ms);
        match (old.speaks, &old.instance) {
            (Speaks::Newer, instance) if says_so => {
                let epoch = if instance.is_some() { LEAVE_FOR_A_WHILE_EPOCH } else { LEAVE_EPOCH };
                let beat = Heartbeat { instance: instance.clone(), ..newer(&old.id, epoch, None) };
                let _ = self.run.groups.consumer_heartbeat(&group, &beat, &self.run.topics, now_ms, answers);
            }
            (Speaks::Eager | Speaks::Cooperative, None) if says_so || old.waits => {
                let _ = self.run.groups.leave(&group, &old.id, None, now_ms, answers);
            }
            _ => {}
        }
    }

    fn take(&mut self, turn: Turn) {
        let was_classic = self.run.groups.group(&text("g")).is_some();
        let had_members = self.clients.iter().any(|client| client.is_member);
        let mut answers = Vec::new();
        match turn {
            Turn::Beat(at) => self.beat(at),
            Turn::Obey(at) => self.obey(at),
            Turn::Restart { client: at, speaks, is_static, says_so } => {
                let old = self.clients[at].clone();
                self.start(at, speaks, is_static.then(|| text(format!("i{at}"))));
                self.say_goodbye(&old, says_so, &mut answers);
            }
            Turn::Wait(ms) => {
                self.run.now_ms += ms;
                self.run.groups.tick(self.run.now_ms, &mut answers);
            }
        }
        self.hear(answers);
        let is_classic = self.run.groups.group(&text("g")).is_some();
        if had_members && was_classic != is_classic {
            self.moves[usize::from(is_classic)] += 1;
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        check_one_reader_each(self.clients.iter().map(|client| &client.owned))
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

//! Members that come, go, are slow, lose answers and change their minds: no partition ever has two owners, and once all
//! are quiet everything is owned, evenly.

use proptest::prelude::*;

use super::*;
use crate::group::tests::check_one_reader_each;

const NAMES: [&str; 3] = ["t0", "t1", "t2"];
const CLIENTS: usize = 4;

/// A client as it sees itself.
#[derive(Debug, Clone, Default)]
struct Client {
    /// Another one each time it comes back.
    id: String,
    /// Which static member it is, if it is one.
    instance: Option<usize>,
    epoch: i32,
    is_member: bool,
    /// What it works on.
    owned: Partitions,
    /// What it was told to own: it works on that at once, and gives up the rest when it has time.
    told: Partitions,
    wants: BTreeSet<usize>,
}

#[derive(Debug, Clone)]
enum Step {
    /// A heartbeat, of which the answer may be lost.
    Beat {
        client: usize,
        is_lost: bool,
    },
    /// The client gives up what it is to give up.
    Obey(usize),
    Subscribe(usize, BTreeSet<usize>),
    Leave(usize),
    /// A static member goes for a while; it comes back by its next heartbeat.
    GoForAWhile(usize),
    /// The client joins as this static member, whose place it takes if that has gone for a while.
    Become(usize, Option<usize>),
    Grow(usize),
    Wait(i64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let client = 0..CLIENTS;
    prop_oneof![
        6 => (client.clone(), prop::bool::weighted(0.1)).prop_map(|(client, is_lost)| Step::Beat { client, is_lost }),
        4 => client.clone().prop_map(Step::Obey),
        1 => (client.clone(), proptest::collection::btree_set(0..3usize, 1..4))
            .prop_map(|(client, wants)| Step::Subscribe(client, wants)),
        1 => client.clone().prop_map(Step::Leave),
        1 => client.clone().prop_map(Step::GoForAWhile),
        1 => (client, proptest::option::of(0..2usize)).prop_map(|(client, instance)| Step::Become(client, instance)),
        1 => (0..3usize).prop_map(Step::Grow),
        1 => (1..6_000i64).prop_map(Step::Wait),
    ]
}

impl Client {
    /// It works on nothing any more, and is to begin again.
    fn reset(&mut self) {
        (self.is_member, self.epoch) = (false, JOIN_EPOCH);
        self.owned.clear();
        self.told.clear();
    }
}

struct World {
    run: Run,
    clients: Vec<Client>,
    ids: usize,
}

impl World {
    fn new() -> Self {
        let client = |at: usize| Client { id: format!("m{at}"), wants: BTreeSet::from([0]), ..Client::default() };
        let clients = (0..CLIENTS).map(client).collect();
        Self { run: Run::new(&[("t0", 5), ("t1", 2), ("t2", 0)]), clients, ids: CLIENTS }
    }

    /// When the client comes back it is another one to the coordinator.
    fn restart(&mut self, at: usize) {
        self.ids += 1;
        self.clients[at].reset();
        self.clients[at].id = format!("m{}", self.ids);
    }

    fn beat(&mut self, at: usize, is_lost: bool) {
        let client = self.clients[at].clone();
        let names: Vec<&str> = client.wants.iter().map(|want| NAMES[*want]).collect();
        // After a lost answer a client says everything, so this one always does.
        let owned = if client.is_member { client.owned } else { Partitions::new() };
        let epoch = if client.is_member { client.epoch } else { JOIN_EPOCH };
        let instance = client.instance.map(|instance| text(format!("i{instance}")));
        let beat = Heartbeat { epoch, owned: Some(owned), instance, ..joining(&client.id, &names) };
        let answer = self.run.beat(&beat);
        let client = &mut self.clients[at];
        match answer {
            Ok(_) if is_lost => {}
            Ok(beat) => {
                (client.is_member, client.epoch) = (true, beat.epoch);
                client.told = beat.assignment.expect("everything was said");
                client.owned.extend(client.told.iter().cloned());
            }
            // It lets go of everything and begins again.
            Err(_) => client.reset(),
        }
        self.note_departures();
    }

    /// Who is no member any more stops working, as a client does whose session is over.
    fn note_departures(&mut self) {
        for client in &mut self.clients {
            if !self.run.group.members.contains_key(&text(client.id.as_str())) {
                client.reset();
            }
        }
    }

    fn obey(&mut self, at: usize) {
        let client = &mut self.clients[at];
        client.owned = client.told.clone();
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Beat { client, is_lost } => self.beat(client, is_lost),
            Step::Obey(client) => self.obey(client),
            Step::Subscribe(client, wants) => self.clients[client].wants = wants,
            Step::Leave(client) => {
                let client = &mut self.clients[client];
                let _ = self.run.group.leave(&text(client.id.as_str()), None, false);
                client.reset();
            }
            Step::GoForAWhile(at) => {
                let client = &self.clients[at];
                let Some(instance) = client.instance.map(|instance| text(format!("i{instance}"))) else { return };
                let _ = self.run.group.leave(&text(client.id.as_str()), Some(&instance), true);
                self.restart(at);
            }
            Step::Become(at, instance) => {
                self.clients[at].reset();
                self.clients[at].instance = instance;
            }
            Step::Grow(topic) => {
                let size = self.run.topics.0.entry(Arc::from(NAMES[topic])).or_default();
                *size = (*size + 1).min(8);
            }
            Step::Wait(ms) => {
                self.run.now_ms += ms;
                self.run.group.tick(&self.run.limits, self.run.now_ms);
                self.note_departures();
            }
        }
    }

    /// What a client works on must be its own by the coordinator's books, and nobody else's.
    fn check(&self) -> Result<(), TestCaseError> {
        check_one_reader_each(self.clients.iter().map(|client| &client.owned))?;
        let mut booked = Partitions::new();
        for member in self.run.group.members.values() {
            for partition in member.held() {
                prop_assert!(booked.insert(partition.clone()), "{partition:?} has two owners in the books");
            }
        }
        prop_assert_eq!(booked, self.run.group.owned_since.keys().cloned().collect());
        // By the epoch that it knows, be it the newest or not, it commits what it works on.
        for (at, client) in self.clients.iter().enumerate().filter(|(_, client)| client.is_member) {
            let id = text(client.id.as_str());
            let committed = self.run.group.check_commit(&id, client.epoch, client.owned.clone());
            prop_assert_eq!(committed, Ok(()), "m{} by epoch {}", at, client.epoch);
        }
        Ok(())
    }

    /// Everybody is quick and nothing more happens. Nobody is another one's double, and who went for a while and did not
    /// come back is forgotten in time.
    fn settle(&mut self) -> Result<(), TestCaseError> {
        for at in 0..CLIENTS {
            if self.clients[at].instance.is_some() {
                self.restart(at);
                self.clients[at].instance = None;
            }
        }
        for _ in 0..24 {
            self.run.now_ms += 1_000;
            self.run.group.tick(&self.run.limits, self.run.now_ms);
            self.note_departures();
            for at in 0..CLIENTS {
                self.beat(at, false);
                self.obey(at);
                self.check()?;
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
    #[test]
    fn no_partition_has_two_owners_and_all_find_one(steps in proptest::collection::vec(any_step(), 0..120)) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
            world.check()?;
        }
        world.settle()?;
        prop_assert_eq!(world.run.group.state_name(), "Stable");
        let owned: Partitions = world.clients.iter().flat_map(|client| client.owned.clone()).collect();
        let wanted: BTreeSet<usize> = world.clients.iter().flat_map(|client| client.wants.clone()).collect();
        let all = wanted.iter().flat_map(|want| parts(NAMES[*want], 0..world.run.topics.0[NAMES[*want]]));
        prop_assert_eq!(owned, all.collect::<Partitions>());
        for giver in &world.clients {
            for taker in &world.clients {
                let wants = |partition: &TopicPartition| taker.wants.iter().any(|want| NAMES[*want] == &*partition.topic);
                let is_uneven = giver.owned.len() > taker.owned.len() + 1 && giver.owned.iter().any(wants);
                prop_assert!(!is_uneven, "{} and {}", giver.owned.len(), taker.owned.len());
            }
        }
    }
}

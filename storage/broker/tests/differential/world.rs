//! The two brokers and the script's randomness.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kafka_protocol::messages::{ApiKey, RequestKind, ResponseKind};

use crate::batches;
use crate::differences::{self, Rule};
use crate::report::Report;
use crate::side::Side;
use crate::tree::Node;

/// Kafka's answers that ask for patience: it does in the background what is done here before the answer, be it that a new topic
/// gets its leader.
const AGAIN: [i16; 6] = [6, 14, 15, 16, 51, 60];
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECTIONS: usize = 4;

pub(crate) struct World {
    /// Kafka, then Millstream.
    pub(crate) sides: [Side; 2],
    pub(crate) report: Report,
    /// Everything that the script makes has a name that begins so.
    pub(crate) prefix: String,
    /// Records have times about this.
    pub(crate) now_ms: i64,
    state: u64,
    step: u64,
}

impl World {
    pub(crate) fn new(kafka: &str, ours: &str, seed: u64) -> Self {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
        Self {
            sides: [Side::new(kafka, CONNECTIONS), Side::new(ours, CONNECTIONS)],
            report: Report::default(),
            prefix: format!("d{seed}-{}-", now_ms % 10_000_000),
            now_ms,
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            step: 0,
        }
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) % limit.max(1)
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Clone>(&mut self, among: &[T]) -> T {
        among[self.below(among.len() as u64) as usize].clone()
    }

    pub(crate) fn version(&mut self, (min, max): (i16, i16)) -> i16 {
        min + self.below((max - min + 1) as u64) as i16
    }

    pub(crate) fn next_step(&mut self) {
        self.step += 1;
    }

    /// Asks both sides and compares what they say.
    pub(crate) fn ask(
        &mut self,
        key: ApiKey,
        version: i16,
        request: impl Fn(&Side) -> RequestKind,
    ) -> [Option<ResponseKind>; 2] {
        self.ask_and_learn(key, version, request, |_, _| {})
    }

    /// The same, and `learn` takes note of what each side calls things before they are compared.
    pub(crate) fn ask_and_learn(
        &mut self,
        key: ApiKey,
        version: i16,
        request: impl Fn(&Side) -> RequestKind,
        learn: impl Fn(&mut Side, &ResponseKind),
    ) -> [Option<ResponseKind>; 2] {
        // What was asked is shown as it was asked.
        let asked = Node::of(&request(&self.sides[0])).brief();
        let responses = self.ask_quietly(key, version, &request);
        for (side, response) in self.sides.iter_mut().zip(&responses) {
            response.iter().for_each(|response| learn(side, response));
        }
        self.compare(key, version, &asked, &responses);
        responses
    }

    /// Asks both sides.
    pub(crate) fn ask_quietly(
        &mut self,
        key: ApiKey,
        version: i16,
        request: &impl Fn(&Side) -> RequestKind,
    ) -> [Option<ResponseKind>; 2] {
        self.sides.each_mut().map(|side| {
            let begun = Instant::now();
            loop {
                let request = request(side);
                side.connections[0].send(key, version, &request);
                let response = side.connections[0].receive(key, version);
                let is_busy = response.as_ref().is_some_and(asks_for_patience);
                if !is_busy || begun.elapsed() > PATIENCE {
                    return response;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        })
    }

    pub(crate) fn compare(&mut self, key: ApiKey, version: i16, asked: &str, responses: &[Option<ResponseKind>; 2]) {
        let api = format!("{key:?}");
        *self.report.compared.entry(api.clone()).or_default() += 1;
        let trees = [0, 1].map(|at| self.tree(&api, version, &self.sides[at], responses[at].as_ref()));
        let mut trees = trees;
        for (difference, by) in differences::common_lists(&api) {
            let kept = trees.each_mut().map(|tree| tree.names_at(difference.field, by));
            let is_common = |name: &String| {
                kept.iter().all(|names| names.contains(name))
                    && !differences::OTHER_DEFAULTS.contains(&name.trim_matches('"'))
            };
            trees.iter_mut().for_each(|tree| tree.retain_at(difference.field, by, &is_common));
        }
        let mut found = Vec::new();
        trees[0].compare(&trees[1], "", &mut found);
        for (path, kafka, ours) in found {
            if let Some(difference) = differences::accepted(&api, &path, &kafka, &ours) {
                self.report.note_declared(difference);
                continue;
            }
            let example = format!(
                "at step {} version {version}\n    kafka {kafka}\n    ours  {ours}\n    of {asked:.600}\n    all {:.900}",
                self.step,
                trees[0].brief()
            );
            let values = format!("{kafka} but {ours}");
            self.report.note(&api, path, values, example);
        }
    }

    /// A response with what is the broker's own replaced by what is the script's.
    fn tree(&self, api: &str, version: i16, side: &Side, response: Option<&ResponseKind>) -> Node {
        let Some(response) = response else { return Node::Leaf("the connection is closed".to_owned()) };
        let mut tree = match response {
            ResponseKind::Fetch(fetched) => {
                let mut fetched = fetched.clone();
                for partition in fetched.responses.iter_mut().flat_map(|topic| &mut topic.partitions) {
                    let bytes = partition.records.take().unwrap_or_default();
                    partition.records = Some(batches::described(&bytes, side).into());
                }
                Node::of(&fetched)
            }
            // The name of the kind is a wrapper.
            other => Node::of(other),
        };
        let mut change = |path: &str, node: &mut Node| {
            match node {
                Node::Leaf(text) => *text = side.canonical(path, text),
                Node::List(items) => items.retain(|item| self.is_ours(api, path, item)),
                Node::Fields(_) => {}
            }
            for rule in differences::rules(api, path, version) {
                match (rule, &mut *node) {
                    (Rule::Masked, node) => *node = Node::Leaf("masked".to_owned()),
                    (Rule::Unordered, Node::List(items)) => items.sort(),
                    (Rule::Unordered, _) => {}
                }
            }
        };
        tree.visit("", &mut change);
        tree
    }

    /// Lists of everything have what others made, too.
    fn is_ours(&self, api: &str, path: &str, item: &Node) -> bool {
        let name = match (api, path) {
            ("Metadata", "topics") => "name",
            ("ListGroups", "groups") => "group_id",
            ("ListTransactions", "transaction_states") => "transactional_id",
            ("ListConfigResources", "config_resources") => "resource_name",
            _ => return true,
        };
        match item.field(name) {
            Some(found) => {
                let found = found.trim_matches('"');
                // The levels of a broker's loggers are not settings here.
                if item.field("resource_type") == Some("8") {
                    return false;
                }
                // Who only commits offsets is forgotten with the last of them, in Kafka a little later.
                let is_alone = api == "ListGroups" && found.ends_with("alone");
                (found.starts_with(&self.prefix) && !is_alone) || found == "None" || found == "1" || found.is_empty()
            }
            None => true,
        }
    }
}

/// Whatever ends the script early, what differed until then is told.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.report.print();
        }
    }
}

fn asks_for_patience(response: &ResponseKind) -> bool {
    let mut tree = Node::of(response);
    let mut is_busy = false;
    tree.visit("", &mut |path, node| {
        if let Node::Leaf(text) = node
            && path.ends_with("error_code")
        {
            is_busy |= text.parse().is_ok_and(|code: i16| AGAIN.contains(&code));
        }
    });
    is_busy
}

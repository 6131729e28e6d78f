//! What a member wants to read: topics by name, and all whose name matches an expression.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;
use regex::{Regex, RegexBuilder};

use super::{ConsumerGroup, Refusal, refuse};

/// A compiled expression is compiled in both directions, and so is what it remembers of its runs; each of the four takes
/// no more than this.
const EXPRESSION_BYTES_MAX: usize = 256 << 10;
/// What a compiled expression is counted as.
pub(super) const MATCHER_BYTES: usize = 4 * EXPRESSION_BYTES_MAX;
/// Topics that are new, larger or gone are noticed after so long.
const REFRESH_MS: i64 = 1_000;

/// The topics that there are.
pub(crate) trait Topics {
    /// How many partitions a topic has, if it exists.
    fn partitions(&self, topic: &str) -> Option<i32>;
    /// The names of all topics.
    fn names(&self) -> Vec<Arc<str>>;
}

/// What a member wants to read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Subscription {
    pub(crate) names: BTreeSet<Arc<str>>,
    /// The expression as the member gave it, empty if it gave none.
    pub(crate) expression: StrBytes,
    /// All members of the group with this expression have the same one.
    matcher: Option<Arc<Regex>>,
    /// All topics that both stand for, be they there or not.
    pub(crate) resolved: BTreeSet<Arc<str>>,
}

impl Subscription {
    /// A subscription to these topics that has yet to be resolved.
    pub(super) fn to(names: BTreeSet<Arc<str>>) -> Self {
        Self { names, ..Self::default() }
    }

    /// Reads an expression; an empty one takes back the one before.
    pub(super) fn set_expression(&mut self, expression: StrBytes, known: Option<Arc<Regex>>) -> Result<(), Refusal> {
        self.matcher = match known {
            _ if expression.is_empty() => None,
            Some(known) => Some(known),
            None => Some(Arc::new(compile(&expression)?)),
        };
        self.expression = expression;
        Ok(())
    }

    /// Takes these topics and no expression for what was before; true if that is a change.
    pub(super) fn replace(&mut self, names: BTreeSet<Arc<str>>) -> bool {
        let has_changed = self.names != names || !self.expression.is_empty();
        *self = Self { resolved: std::mem::take(&mut self.resolved), ..Self::to(names) };
        has_changed
    }

    /// What is the same for members that have the same compiled expression.
    pub(super) fn matcher_id(&self) -> Option<*const Regex> {
        self.matcher.as_ref().map(Arc::as_ptr)
    }

    pub(super) fn resolve(&mut self, all: &[Arc<str>]) {
        self.resolved = self.names.clone();
        if let Some(matcher) = &self.matcher {
            self.resolved.extend(all.iter().filter(|name| matcher.is_match(name)).cloned());
        }
    }
}

/// The whole name of a topic must match.
fn compile(expression: &str) -> Result<Regex, Refusal> {
    let whole = format!("^(?:{expression})$");
    let compile = |expression: &str| {
        let mut builder = RegexBuilder::new(expression);
        builder.size_limit(EXPRESSION_BYTES_MAX).dfa_size_limit(EXPRESSION_BYTES_MAX).build()
    };
    let compiled = compile(expression).and_then(|_| compile(&whole));
    compiled.or_else(|error| {
        let message = format!("SubscribedTopicRegex `{expression}` is not a valid regular expression: {error}.");
        refuse(ResponseError::InvalidRegularExpression, message)
    })
}

impl ConsumerGroup {
    /// An expression as another member has compiled it already.
    pub(super) fn matcher(&self, expression: Option<&str>) -> Option<Arc<Regex>> {
        let expression = expression?;
        let mut subscriptions = self.members.values().map(|member| &member.subscription);
        subscriptions.find(|subscription| &*subscription.expression == expression)?.matcher.clone()
    }

    /// Looks at the topics if that is due or `is_due` by itself; true if something has changed that the target depends on.
    pub(super) fn refresh(&mut self, topics: &dyn Topics, is_due: bool, now_ms: i64) -> bool {
        if !is_due && now_ms < self.refresh_at_ms {
            return false;
        }
        self.refresh_at_ms = now_ms.saturating_add(REFRESH_MS);
        let has_expressions = self.members.values().any(|member| member.subscription.matcher.is_some());
        let all = if has_expressions { topics.names() } else { Vec::new() };
        let mut has_changed = false;
        let mut found: BTreeMap<Arc<str>, i32> = BTreeMap::new();
        for member in self.members.values_mut() {
            let before = std::mem::take(&mut member.subscription.resolved);
            member.subscription.resolve(&all);
            has_changed |= before != member.subscription.resolved;
            for name in &member.subscription.resolved {
                if !found.contains_key(name)
                    && let Some(partitions) = topics.partitions(name)
                {
                    found.insert(Arc::clone(name), partitions);
                }
            }
        }
        has_changed |= found != self.topics;
        self.topics = found;
        has_changed
    }
}

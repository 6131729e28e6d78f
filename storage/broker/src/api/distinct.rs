//! Requests that ask for the same thing again and again.

use std::collections::BTreeSet;

/// The items without those whose key has come before. A few bytes ask for much where an answer describes all of a topic
/// or a group, so what is asked for twice is answered once.
pub(super) fn distinct<T, K: Ord>(items: Vec<T>, key: impl Fn(&T) -> K) -> impl Iterator<Item = T> {
    let mut known = BTreeSet::new();
    items.into_iter().filter(move |item| known.insert(key(item)))
}

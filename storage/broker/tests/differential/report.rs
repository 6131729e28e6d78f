//! What differed.

use std::collections::BTreeMap;

use crate::differences::{DIFFERENCES, Difference};

#[derive(Debug, Default)]
pub(crate) struct Report {
    /// By request, field and the two values: how often, and the first example.
    undeclared: BTreeMap<(String, String, String), (usize, String)>,
    declared: BTreeMap<usize, usize>,
    pub(crate) compared: BTreeMap<String, usize>,
}

impl Report {
    pub(crate) fn note_declared(&mut self, difference: &Difference) {
        let place = DIFFERENCES.iter().position(|other| std::ptr::eq(other, difference)).unwrap();
        *self.declared.entry(place).or_default() += 1;
    }

    pub(crate) fn note(&mut self, api: &str, path: String, values: String, example: String) {
        let entry = self.undeclared.entry((api.to_owned(), path, values)).or_insert((0, example));
        entry.0 += 1;
    }

    /// Prints everything; the number of fields that differ without being declared.
    pub(crate) fn print(&self) -> usize {
        for (api, count) in &self.compared {
            println!("{api}: {count} responses compared");
        }
        for (place, difference) in DIFFERENCES.iter().enumerate() {
            let count = self.declared.get(&place).copied().unwrap_or(0);
            println!("declared: {} {}: {count} times: {}", difference.api, difference.field, difference.reason);
        }
        for ((api, path, values), (count, example)) in &self.undeclared {
            println!("DIFFERS: {api} {path}: {values:.200}: {count} times, first {example}");
        }
        self.undeclared.len()
    }
}

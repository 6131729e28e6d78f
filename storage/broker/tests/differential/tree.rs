//! A response as a tree, read from how it prints itself, so that every field of every message is compared.

use std::collections::BTreeSet;
use std::fmt::{Debug, Write};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    Leaf(String),
    List(Vec<Node>),
    Fields(Vec<(String, Node)>),
}

impl Node {
    pub(crate) fn of(message: &impl Debug) -> Self {
        let text = format!("{message:#?}");
        let mut lines = text.lines().peekable();
        let first = lines.next().unwrap_or_default().trim();
        Self::read(first, &mut lines)
    }

    /// Reads the value that begins with `head`, to its closing bracket.
    fn read<'a>(head: &str, lines: &mut impl Iterator<Item = &'a str>) -> Self {
        match head.chars().last() {
            Some('{') => {
                let mut fields = Vec::new();
                while let Some(line) = lines.next().map(str::trim).filter(|line| !is_closing(line)) {
                    let (name, value) = line.split_once(": ").unwrap_or(("", line));
                    fields.push((name.to_owned(), Self::read(value, lines)));
                }
                Self::Fields(fields)
            }
            Some('[') => {
                let mut items = Vec::new();
                while let Some(line) = lines.next().map(str::trim).filter(|line| !is_closing(line)) {
                    items.push(Self::read(line, lines));
                }
                Self::List(items)
            }
            // `Some(` and names of wrappers say nothing.
            Some('(') => {
                let inner = lines.next().unwrap_or_default().trim();
                let node = Self::read(inner, lines);
                lines.next();
                node
            }
            _ => match head.trim_end_matches(',') {
                "[]" => Self::List(Vec::new()),
                "{}" => Self::Fields(Vec::new()),
                leaf => Self::Leaf(leaf.to_owned()),
            },
        }
    }

    /// Changes each value, deepest first; `path` is the names of fields with dots between.
    pub(crate) fn visit(&mut self, path: &str, change: &mut impl FnMut(&str, &mut Self)) {
        match self {
            Self::Leaf(_) => {}
            Self::List(items) => items.iter_mut().for_each(|item| item.visit(path, change)),
            Self::Fields(fields) => {
                for (name, node) in fields {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    node.visit(&path, change);
                }
            }
        }
        change(path, self);
    }

    /// The text of the field of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let Self::Fields(fields) = self else { return None };
        fields.iter().find(|(field, _)| field == name).and_then(|(_, node)| match node {
            Self::Leaf(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// What the items of the lists at this path are called by one of their fields.
    pub(crate) fn names_at(&mut self, wanted: &str, by: &str) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        self.visit("", &mut |path, node| {
            if let Self::List(items) = node
                && path == wanted
            {
                names.extend(items.iter().filter_map(|item| item.field(by)).map(str::to_owned));
            }
        });
        names
    }

    /// Keeps only some items of the lists at this path, in the order of their names.
    pub(crate) fn retain_at(&mut self, wanted: &str, by: &str, is_kept: &impl Fn(&String) -> bool) {
        self.visit("", &mut |path, node| {
            if let Self::List(items) = node
                && path == wanted
            {
                items.retain(|item| item.field(by).is_some_and(|name| is_kept(&name.to_owned())));
                items.sort_by(|one, other| one.field(by).cmp(&other.field(by)));
            }
        });
    }

    /// Where two trees are not the same: a path, and what each has there.
    pub(crate) fn compare(&self, other: &Self, path: &str, found: &mut Vec<(String, String, String)>) {
        match (self, other) {
            (Self::Fields(ours), Self::Fields(theirs)) if ours.len() == theirs.len() => {
                for ((name, one), (_, two)) in ours.iter().zip(theirs) {
                    one.compare(two, &format!("{path}.{name}"), found);
                }
            }
            (Self::List(ours), Self::List(theirs)) if ours.len() == theirs.len() => {
                ours.iter().zip(theirs).for_each(|(one, two)| one.compare(two, path, found));
            }
            _ if self == other => {}
            _ => found.push((path.trim_start_matches('.').to_owned(), self.brief(), other.brief())),
        }
    }

    /// The whole in one line.
    pub(crate) fn brief(&self) -> String {
        let mut out = String::new();
        match self {
            Self::Leaf(text) => out.push_str(text),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(Self::brief).collect();
                let _ = write!(out, "[{}]", items.join(", "));
            }
            Self::Fields(fields) => {
                let is_worth_it = |(name, _): &&(String, Node)| name != "unknown_tagged_fields";
                let fields = fields.iter().filter(is_worth_it).map(|(name, node)| format!("{name}: {}", node.brief()));
                let _ = write!(out, "{{{}}}", fields.collect::<Vec<_>>().join(", "));
            }
        }
        out
    }
}

fn is_closing(line: &str) -> bool {
    matches!(line.trim_end_matches(','), "}" | "]" | ")")
}

//! Every code that the sources emit is explained, and no other.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use millstream_sql::explanations;

/// The Rust files below a folder, without the explanations themselves.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("tests") && !path.ends_with("explained") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The string literals that look like a code.
fn codes(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').filter(|literal| {
        literal.len() == 5 && literal.starts_with('E') && literal.bytes().skip(1).all(|byte| byte.is_ascii_digit())
    })
}

#[test]
fn every_code_that_is_emitted_is_explained_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let mut files = Vec::new();
    for folder in ["engine", "repl", "storage"] {
        sources(&root.join(folder), &mut files);
    }
    let mut emitted = BTreeSet::new();
    for file in files {
        emitted.extend(codes(&fs::read_to_string(file).unwrap()).map(str::to_owned));
    }
    assert!(emitted.len() > 80, "the sources were not found: {emitted:?}");
    let explained: BTreeSet<String> = explanations().map(|explained| explained.code.to_owned()).collect();
    let missing: Vec<_> = emitted.difference(&explained).collect();
    assert!(missing.is_empty(), "these codes have no explanation in engine/sql/src/explained: {missing:?}");
    let unused: Vec<_> = explained.difference(&emitted).collect();
    assert!(unused.is_empty(), "nothing emits these codes: {unused:?}");
}

#[test]
fn a_code_is_explained_once() {
    let mut seen = BTreeSet::new();
    for explained in explanations() {
        assert!(seen.insert(explained.code), "{} is explained twice", explained.code);
    }
}

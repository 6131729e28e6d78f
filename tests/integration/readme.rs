//! The README's tour, block by block.

use std::path::Path;
use std::process::Command;

use crate::support;

/// The fenced blocks of the tour: their language and text.
fn blocks(readme: &str) -> Vec<(String, String)> {
    let tour = readme.split("## A five-minute tour").nth(1).unwrap().split("\n## ").next().unwrap();
    let fenced = tour.split("```").skip(1).step_by(2);
    fenced
        .map(|block| block.split_once('\n').map(|(language, text)| (language.to_owned(), text.to_owned())).unwrap())
        .collect()
}

fn run_shell(dir: &Path, text: &str) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_millstream"));
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash").args(["-euc", text]).current_dir(dir).env("PATH", path).output().unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_block_of_the_tour_works() {
    let readme = std::fs::read_to_string(support::root().join("README.md")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(support::root().join("queries"), dir.path().join("queries")).unwrap();
    let data = dir.path().join("millstream-data");
    let mut ran = 0;
    for (language, text) in blocks(&readme) {
        let output = match language.as_str() {
            "sh" => run_shell(dir.path(), &text),
            "sql" => {
                std::fs::write(dir.path().join("block.sql"), &text).unwrap();
                run_shell(dir.path(), "millstream -f block.sql --timeout 120")
            }
            other => panic!("a block of the tour is {other:?}"),
        };
        // A person who pastes the next block has waited; a script has not.
        if text.contains("AS\n  SELECT") {
            support::wait_until_caught_up(&data);
        }
        if text.contains("FROM delay_per_carrier") {
            let rows = support::rows(&output);
            assert_eq!(rows.len(), 5, "{output}");
            for row in rows {
                assert_eq!(row["FLIGHTS"], flights_of(row["CARRIER"].as_str().unwrap()), "{output}");
            }
        }
        if text.contains("seats_per_maker EMIT") {
            assert!(output.lines().filter(|line| line.contains("\"SEATS\"")).count() >= 3, "{output}");
        }
        ran += 1;
    }
    assert_eq!(ran, 6);
}

/// The carrier's flights in the sample, counted from the file.
fn flights_of(carrier: &str) -> u64 {
    let sample = std::fs::read_to_string(support::root().join("queries/flights/flights-week.csv")).unwrap();
    sample.lines().filter(|line| line.split(',').nth(1) == Some(carrier)).count() as u64
}

//! The pages of help are files, and their examples run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::thread;

use millstream_sql::split_statements;
use tempfile::TempDir;

use crate::support;
use crate::terminal::User;

/// What follows each statement, so that it is known which rows are whose.
const END: &str = "SELECT 'that was it' AS mark;";
/// Statements that show something.
const SHOWING: [&str; 7] = ["SELECT", "SHOW", "DESCRIBE", "EXPLAIN", "PRINT", "RUN", "@"];

fn folder() -> PathBuf {
    support::root().join("queries/help")
}

/// The files of pages: all but that of the sources.
fn pages() -> Vec<PathBuf> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<_> = files.filter(|path| path.file_name().unwrap() != "sources.sql").collect();
    pages.sort();
    assert!(!pages.is_empty());
    pages
}

/// Runs a page over a log that has nothing but the sources, from their beginning.
fn run(page: &Path) -> Output {
    let dir = TempDir::new().unwrap();
    let script = dir.path().join("script.sql");
    let sql = fs::read_to_string(page).unwrap();
    let statements: Vec<&str> = split_statements(&sql).iter().map(|piece| piece.text).collect();
    let script_text = statements.join(&format!(";\n{END}\n"));
    fs::write(&script, format!("SET 'auto.offset.reset' = 'earliest';\n{script_text};\n{END}\n")).unwrap();
    let sources = folder().join("sources.sql");
    let args = ["-f", support::text(&sources), "-f", support::text(&script), "--until-idle", "2s"];
    let data = dir.path().join("data");
    support::millstream(&data, &args).current_dir(support::root()).output().unwrap()
}

/// What is wrong with a page.
fn faults(page: &Path) -> Vec<String> {
    let name = page.file_name().unwrap().to_string_lossy();
    let output = run(page);
    if !output.status.success() {
        return vec![format!("{name} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr))];
    }
    let text = String::from_utf8(output.stdout).unwrap();
    let shown: Vec<&str> = text.split("{\"MARK\":\"that was it\"}\n").collect();
    let sql = fs::read_to_string(page).unwrap();
    let statements = split_statements(&sql);
    let mut faults = Vec::new();
    if shown.len() != statements.len() + 1 {
        faults.push(format!("{name} has {} statements, and {} were run", statements.len(), shown.len() - 1));
    }
    for (piece, shown) in statements.iter().zip(shown) {
        let statement = piece.text.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
        if SHOWING.iter().any(|word| statement.trim_start().starts_with(word)) && shown.is_empty() {
            faults.push(format!("{name} shows nothing: {statement}"));
        }
    }
    faults
}

#[test]
fn every_example_runs_and_shows_something() {
    let pages = pages();
    let faults: Vec<String> = thread::scope(|scope| {
        // A page takes seconds, most of which it waits.
        let parts: Vec<_> = pages
            .chunks(pages.len().div_ceil(4))
            .map(|part| scope.spawn(|| part.iter().flat_map(|page| faults(page)).collect::<Vec<_>>()))
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn help_shows_every_file() {
    let dir = TempDir::new().unwrap();
    for page in pages() {
        let sql = fs::read_to_string(&page).unwrap();
        let name = sql.strip_prefix("-- ").and_then(|text| text.split(':').next()).unwrap();
        let file_name = format!("{}.sql", name.to_lowercase().replace(' ', "-"));
        assert_eq!(page.file_name().unwrap().to_str(), Some(file_name.as_str()));
        let shown = support::run(dir.path(), &["-e", &format!("help {name}")]);
        let mut lines = sql.lines().map(|line| line.trim_start_matches("--").trim());
        let all = shown.lines().map(str::trim).collect::<Vec<_>>();
        assert!(lines.all(|line| all.contains(&line)), "{shown}");
    }
}

/// The places of a page of the documentation that can be linked to.
fn anchors(markdown: &str) -> Vec<String> {
    let headings = markdown.lines().filter_map(|line| line.strip_prefix("##"));
    let slug = |heading: &str| heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    headings.map(slug).collect()
}

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        let sql = fs::read_to_string(&page).unwrap();
        let links: Vec<&str> = sql.split_whitespace().filter(|word| word.starts_with("docs/")).collect();
        assert!(!links.is_empty(), "{}", page.display());
        for link in links {
            let (file, anchor) = link.split_once('#').unwrap();
            let text = fs::read_to_string(support::root().join(file)).unwrap();
            assert!(anchors(&text).iter().any(|known| known == anchor), "{}: {link}", page.display());
        }
    }
}

#[test]
fn what_was_meant_is_found() {
    let user = User::new();
    let mut shell = user.shell();
    assert!(shell.enter("help FUNCTION lag").contains("LAG(amount) OVER (PARTITION BY user_id ORDER BY id)"));
    let shown = shell.enter("help creat stram;");
    assert!(shown.contains("there is no help on \"CREAT STRAM\"; the closest is CREATE STREAM"), "{shown}");
    assert!(shown.contains("CREATE STREAM teas AS SELECT"), "{shown}");
    let shown = shell.enter("help FUNCTION substrng");
    assert!(shown.contains("the closest is SUBSTRING") && shown.contains("SUBSTRING('stream', 2, 3)"), "{shown}");
    assert!(shell.enter("help examples").contains("INSERT INTO orders"));
}

#[test]
fn what_the_demonstration_proposes_runs() {
    let dir = TempDir::new().unwrap();
    let query = support::root().join("queries/demo/query.sql");
    let script = dir.path().join("demo.sql");
    fs::write(&script, format!("\\demo;\n{}", fs::read_to_string(query).unwrap())).unwrap();
    let args = ["-f", support::text(&script), "--limit", "5", "--timeout", "60s"];
    let shown = support::run(&dir.path().join("data"), &args);
    assert_eq!(shown.lines().filter(|line| line.contains("\"AMOUNT\":")).count(), 5, "{shown}");
    assert!(shown.lines().any(|line| line.contains("\"TOTAL\":")), "{shown}");
    assert_eq!(
        shown.lines().filter(|line| line.starts_with("{\"CUSTOMER\"") && line.contains("\"ORDERS\"")).count(),
        5
    );
}

//! The layers of the workspace, what they must do without, and the size of files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

/// The arrows between layers as section 2 of DESIGN.md lists them: what an arrow leaves may use what it
/// points at, and whatever that may use.
const ARROWS: &str = "log ← broker, log ← kafka, sql ← plan ← exec ← runtime ← server, function ← plan, \
                      log ← runtime, sql ← shell";

/// The packages that wire the layers together; they may use all.
const UNBOUND: [&str; 2] = ["millstream", "millstream-tests"];

/// A source file longer than this is more than one noun.
const LINES_MAX: usize = 800;

/// The workspace's folder; this test belongs to the package in `repl`.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// What cargo prints.
fn cargo(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments).arg("--offline").current_dir(root()).env("CARGO_TERM_COLOR", "never");
    let output = command.output().unwrap();
    let reason = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {} failed:\n{reason}", arguments.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

/// The layers that a layer may use.
fn allowed(layer: &str) -> BTreeSet<&'static str> {
    let (mut found, mut open) = (BTreeSet::new(), vec![layer]);
    while let Some(user) = open.pop() {
        for chain in ARROWS.split(", ") {
            let layers: Vec<&'static str> = chain.split(" ← ").collect();
            for arrow in layers.windows(2) {
                if arrow[1] == user && found.insert(arrow[0]) {
                    open.push(arrow[0]);
                }
            }
        }
    }
    found
}

fn layer(package: &str) -> &str {
    package.strip_prefix("millstream-").unwrap_or(package)
}

/// The dependencies between members of the workspace, user first, without those of tests.
fn dependencies(metadata: &Value) -> Vec<(&str, &str)> {
    let packages = metadata["packages"].as_array().unwrap();
    let is_member = |package: &Value| packages.iter().any(|member| member["name"] == package["name"]);
    let mut found = Vec::new();
    for package in packages {
        for dependency in package["dependencies"].as_array().unwrap() {
            if is_member(dependency) && dependency["kind"] != "dev" {
                found.push((package["name"].as_str().unwrap(), dependency["name"].as_str().unwrap()));
            }
        }
    }
    found
}

/// A message for each dependency that no arrow allows.
fn violations(dependencies: &[(&str, &str)]) -> Vec<String> {
    let is_wrong =
        |(user, used): &&(&str, &str)| !UNBOUND.contains(user) && !allowed(layer(user)).contains(layer(used));
    let message = |(user, used): &(&str, &str)| {
        let allowed: Vec<&str> = allowed(layer(user)).into_iter().collect();
        let allowed = if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") };
        format!("{user} depends on {used}, but of the layers {} may only use: {allowed}", layer(user))
    };
    dependencies.iter().filter(is_wrong).map(message).collect()
}

#[test]
fn layers_use_only_those_that_the_design_lets_them_use() {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--no-deps"])).unwrap();
    let dependencies = dependencies(&metadata);
    assert!(dependencies.contains(&("millstream-plan", "millstream-sql")), "cargo's metadata reads another way");
    let violations = violations(&dependencies);
    assert!(
        violations.is_empty(),
        "{}\nhelp: move the code to a layer that may use both, or change the arrows in DESIGN.md and here",
        violations.join("\n")
    );
}

#[test]
fn a_dependency_without_an_arrow_is_found() {
    let package = |name: &str, uses: &[(&str, Option<&str>)]| {
        let dependency = |(name, kind): &(&str, Option<&str>)| json!({ "name": name, "kind": kind });
        json!({ "name": name, "dependencies": uses.iter().map(dependency).collect::<Vec<_>>() })
    };
    let metadata = json!({ "packages": [
        package("millstream-log", &[("bytes", None)]),
        package("millstream-sql", &[("millstream-log", Some("dev"))]),
        package("millstream-plan", &[("millstream-sql", None), ("millstream-exec", None)]),
        package("millstream-exec", &[("millstream-plan", None), ("millstream-sql", None), ("millstream-log", None)]),
        package("millstream-shell", &[("millstream-sql", None), ("millstream-exec", Some("build"))]),
        package("millstream", &[("millstream-log", None), ("millstream-shell", None)]),
    ] });
    let messages = violations(&dependencies(&metadata));
    let pairs = [("plan", "exec"), ("exec", "log"), ("shell", "exec")];
    assert_eq!(messages.len(), pairs.len(), "{messages:?}");
    for (message, (user, used)) in messages.iter().zip(pairs) {
        assert!(message.starts_with(&format!("millstream-{user} depends on millstream-{used},")), "{message}");
    }
}

#[test]
fn parser_shell_and_log_are_built_without_arrow_and_datafusion() {
    let is_heavy = |package: &&str| matches!(package.split('-').next(), Some("arrow" | "datafusion"));
    for package in ["millstream-sql", "millstream-shell", "millstream-log"] {
        let tree = cargo(&["tree", "--package", package, "--edges", "normal", "--prefix", "none"]);
        assert!(tree.starts_with(package), "cargo's tree reads another way:\n{tree}");
        let names = tree.lines().filter_map(|line| line.split_whitespace().next());
        let heavy: BTreeSet<&str> = names.filter(is_heavy).collect();
        assert!(heavy.is_empty(), "{package} uses {heavy:?}\nhelp: cargo tree -p {package} -i arrow says through what");
    }
}

/// Adds the source files of a folder and the folders in it.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn files_are_short_enough_to_be_understood_in_one_sitting() {
    let root = root();
    let mut files = Vec::new();
    for folder in ["engine", "storage", "repl"] {
        collect(&root.join(folder), &mut files);
    }
    assert!(files.len() > 50, "only {} source files were found", files.len());
    let mut long = Vec::new();
    for file in &files {
        let lines = std::fs::read_to_string(file).unwrap().lines().count();
        if lines > LINES_MAX {
            long.push(format!("{}: {lines} lines", file.strip_prefix(&root).unwrap().display()));
        }
    }
    assert!(long.is_empty(), "longer than {LINES_MAX} lines, split by nouns:\n{}", long.join("\n"));
}

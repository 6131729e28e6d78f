//! The files of a folder, and their cases run on a few threads.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::case::Case;
use super::json::Json;
use super::{query_case, rest_case};

/// A case that runs so long will not end.
const CASE_TIME_MAX: Duration = Duration::from_secs(60);
/// The planner follows an expression by calling itself; in a dev build its frames are large.
const STACK_BYTES: usize = 64 << 20;

/// What came of a case: nothing to say, or the first difference.
pub(crate) type Outcome = Result<(), String>;

/// A case and where it stands.
pub(crate) struct Entry {
    pub(crate) file: String,
    pub(crate) name: String,
    is_rest: bool,
    case: Result<Case, String>,
}

impl Entry {
    /// Whether the case expects a refusal rather than results.
    pub(crate) fn is_refusal(&self) -> bool {
        self.case.as_ref().is_ok_and(|case| case.expect_error)
    }

    /// Whether the case uses a format that needs a schema registry.
    pub(crate) fn needs_registry(&self) -> bool {
        self.case.as_ref().is_ok_and(|case| case.needs_registry)
    }

    fn run(&self) -> Outcome {
        let case = self.case.as_ref().map_err(Clone::clone)?;
        let run = || if self.is_rest { rest_case::run(case) } else { query_case::run(case) };
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            Err(format!("panicked: {}", text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default()))
        })
    }
}

/// The cases of all files in a folder and in its folders `query` and `rest`, sorted by file.
///
/// # Errors
/// If there is no such folder or no case in it, or a file cannot be read.
pub(crate) fn read(folder: &Path) -> Result<Vec<Entry>, String> {
    let unreadable = |error: std::io::Error| format!("{} cannot be read: {error}", folder.display());
    let mut files = Vec::new();
    for item in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = item.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    let mut entries = Vec::new();
    for folder in [folder.join("query"), folder.join("rest")].into_iter().filter(|folder| folder.is_dir()) {
        entries.extend(read(&folder)?);
    }
    for path in files {
        entries.extend(read_file(&path)?);
    }
    if entries.is_empty() { Err(format!("there are no cases in {}", folder.display())) } else { Ok(entries) }
}

fn read_file(path: &Path) -> Result<Vec<Entry>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let json = Json::parse(&text).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let cases = json.get("tests").map(Json::items).unwrap_or_default();
    let of_rest = ["responses", "expectStatus", "inputConditions"];
    let is_rest = path.parent().is_some_and(|folder| folder.ends_with("rest"))
        || cases.iter().any(|case| of_rest.iter().any(|name| case.get(name).is_some()));
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let entry = |json: &Json| Entry {
        file: file.clone(),
        name: json.get("name").map(Json::to_text).unwrap_or_default(),
        is_rest,
        case: Case::read(json),
    };
    Ok(cases.iter().map(entry).collect())
}

/// What the threads that run cases share.
struct Work {
    entries: Arc<Vec<Entry>>,
    next: AtomicUsize,
    /// When each case that runs was begun: written by the thread that runs it, read by whoever waits for it.
    begun: Mutex<HashMap<usize, Instant>>,
}

impl Work {
    fn begun(&self) -> std::sync::MutexGuard<'_, HashMap<usize, Instant>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The cases that have run for too long, each once.
    fn take_endless(&self) -> Vec<usize> {
        let mut begun = self.begun();
        let endless: Vec<usize> =
            begun.iter().filter(|(_, begun)| begun.elapsed() > CASE_TIME_MAX).map(|(at, _)| *at).collect();
        endless.iter().for_each(|at| _ = begun.remove(at));
        endless
    }

    fn start(self: &Arc<Self>, results: &Sender<(usize, Outcome)>) -> Result<(), String> {
        let (work, results) = (Arc::clone(self), results.clone());
        let run = move || loop {
            let at = work.next.fetch_add(1, Ordering::Relaxed);
            let Some(entry) = work.entries.get(at) else { return };
            work.begun().insert(at, Instant::now());
            let outcome = entry.run();
            work.begun().remove(&at);
            if results.send((at, outcome)).is_err() {
                return;
            }
        };
        let thread = std::thread::Builder::new().name("case".to_owned()).stack_size(STACK_BYTES);
        thread.spawn(run).map(drop).map_err(|error| format!("cannot start a thread: {error}"))
    }
}

/// Runs all cases; the outcomes are in the order of the cases.
///
/// # Errors
/// If a thread cannot be started.
pub(crate) fn run(entries: &Arc<Vec<Entry>>, threads: usize) -> Result<Vec<Outcome>, String> {
    let mut outcomes: Vec<Option<Outcome>> = entries.iter().map(|_| None).collect();
    let work = Arc::new(Work { entries: Arc::clone(entries), next: AtomicUsize::new(0), begun: Mutex::default() });
    let (sender, results) = channel();
    for _ in 0..threads.max(1) {
        work.start(&sender)?;
    }
    while outcomes.iter().any(Option::is_none) {
        if let Ok((at, outcome)) = results.recv_timeout(Duration::from_secs(1))
            && let Some(place) = outcomes.get_mut(at)
        {
            place.get_or_insert(outcome);
        }
        for at in work.take_endless() {
            if let Some(place) = outcomes.get_mut(at) {
                place.get_or_insert(Err(format!("has not ended after {} s", CASE_TIME_MAX.as_secs())));
            }
            // The thread that runs it is lost.
            work.start(&sender)?;
        }
    }
    Ok(outcomes.into_iter().flatten().collect())
}

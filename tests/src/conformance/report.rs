//! The outcomes of all cases as they are printed.

use std::fmt;

use super::deviation::{DEVIATIONS_MAX, Deviation};
use super::suite::{Entry, Outcome};

/// Some cases and how many of them passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// How many passed.
    pub passed: usize,
    /// How many there are.
    pub all: usize,
}

impl Count {
    fn add(&mut self, passed: bool) {
        self.passed += usize::from(passed);
        self.all += 1;
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.passed, self.all)
    }
}

/// A case that failed, or one that deviates.
#[derive(Debug)]
struct Failure {
    name: String,
    difference: String,
    /// Why the engine does better than the case.
    deviation: Option<String>,
}

#[derive(Debug)]
struct FileReport {
    name: String,
    count: Count,
    failures: Vec<Failure>,
}

/// What came of all cases.
#[derive(Debug, Default)]
pub struct Report {
    /// Cases that expect results.
    pub results: Count,
    /// Cases that expect a refusal.
    pub refusals: Count,
    /// Cases that expect results and use no format of a schema registry.
    pub plain_results: Count,
    /// Cases that expect a refusal and use no format of a schema registry.
    pub plain_refusals: Count,
    deviations: usize,
    files: Vec<FileReport>,
    /// Whether failures are shown.
    pub verbose: bool,
}

impl Report {
    pub(crate) fn new(entries: &[Entry], outcomes: Vec<Outcome>, deviations: &[Deviation]) -> Self {
        let mut report = Self::default();
        for (entry, outcome) in entries.iter().zip(outcomes) {
            report.add(entry, outcome, deviations);
        }
        report
    }

    fn add(&mut self, entry: &Entry, outcome: Outcome, deviations: &[Deviation]) {
        let passed = outcome.is_ok();
        let (all, plain) = match entry.is_refusal() {
            true => (&mut self.refusals, &mut self.plain_refusals),
            false => (&mut self.results, &mut self.plain_results),
        };
        all.add(passed);
        if !entry.needs_registry() {
            plain.add(passed);
        }
        if self.files.last().is_none_or(|file| file.name != entry.file) {
            self.files.push(FileReport { name: entry.file.clone(), count: Count::default(), failures: Vec::new() });
        }
        let Some(file) = self.files.last_mut() else { return };
        file.count.add(passed);
        if let Err(difference) = outcome {
            let listed = deviations.iter().find(|listed| listed.file == entry.file && listed.case == entry.name);
            self.deviations += usize::from(listed.is_some());
            let deviation = listed.map(|listed| listed.reason.clone());
            file.failures.push(Failure { name: entry.name.clone(), difference, deviation });
        }
    }

    /// How many cases failed, without those that are listed as deviations.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.results.all + self.refusals.all - self.passed() - self.deviations
    }

    /// How many cases passed.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.results.passed + self.refusals.passed
    }

    /// Whether no more cases deviate than may.
    #[must_use]
    pub fn deviations_are_few(&self) -> bool {
        self.deviations <= DEVIATIONS_MAX
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for file in &self.files {
            writeln!(f, "{} {}", file.name, file.count)?;
            for failure in &file.failures {
                match &failure.deviation {
                    Some(reason) => writeln!(f, "  deviates: {}\n    {reason}", failure.name)?,
                    None if self.verbose => {
                        writeln!(f, "  failed: {}\n    {}", failure.name, failure.difference.replace('\n', "\n    "))?;
                    }
                    None => {}
                }
            }
        }
        writeln!(f, "results: {} passed", self.results)?;
        writeln!(f, "refusals: {} passed", self.refusals)?;
        writeln!(
            f,
            "without AVRO, PROTOBUF, PROTOBUF_NOSR and JSON_SR: results {}, refusals {} passed",
            self.plain_results, self.plain_refusals
        )?;
        write!(f, "{} passed, {} failed", self.passed(), self.failed())?;
        if self.deviations > 0 { write!(f, ", {} deviations", self.deviations) } else { Ok(()) }
    }
}

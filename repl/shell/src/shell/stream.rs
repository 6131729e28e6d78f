//! Results that come bit by bit.

use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use millstream_sql::Value;

use super::changelog::Changelog;
use super::pager::Paged;
use super::{POLL, Shell, Step, View};
use crate::render::Renderer;
use crate::style::Role;
use crate::{Event, Exit, Row, RowSource, Table};

/// A result that ends is gathered for so long before it is shown, so that its columns' widths are known.
const GATHER: Duration = Duration::from_secs(1);
const GATHERED_MAX: usize = 10_000;
/// So many rows of the last result are kept to be shown again.
const LAST_ROWS_MAX: usize = 10_000;
/// After so long without a row it is said why there may be none.
const SILENCE: Duration = Duration::from_secs(2);
/// Fewer records to read are not worth a word.
const BEHIND_MIN: i64 = 10_000;

/// A result on its way to the screen.
struct Showing<'s> {
    renderer: Renderer,
    changelog: Option<Changelog>,
    /// Rows that wait until more is known of the columns.
    gathered: Option<Vec<Vec<Value>>>,
    kept: Table,
    out: Paged<'s>,
}

impl Showing<'_> {
    fn add(&mut self, rows: Vec<Row>) -> io::Result<()> {
        let cells: Vec<Vec<Value>> = match &mut self.changelog {
            Some(changelog) => rows.into_iter().flat_map(|row| changelog.apply(row)).collect(),
            None => rows.into_iter().map(|row| row.cells).collect(),
        };
        let room = LAST_ROWS_MAX.saturating_sub(self.kept.rows.len());
        self.kept.rows.extend(cells.iter().take(room).cloned());
        match &mut self.gathered {
            Some(gathered) if gathered.len() + cells.len() <= GATHERED_MAX => gathered.extend(cells),
            _ => {
                self.release()?;
                self.renderer.rows(&cells, &mut self.out)?;
            }
        }
        Ok(())
    }

    fn release(&mut self) -> io::Result<()> {
        match self.gathered.take() {
            Some(rows) if !rows.is_empty() => self.renderer.rows(&rows, &mut self.out),
            _ => Ok(()),
        }
    }
}

impl Shell<'_> {
    /// Writes rows as they come until the result ends, is interrupted or one of the limits is reached.
    pub(super) fn stream(
        &mut self,
        mut rows: Box<dyn RowSource>,
        started: Instant,
        out: &mut dyn Write,
    ) -> io::Result<Step> {
        let mut columns = rows.columns().to_vec();
        let changelog = (self.view == View::Changelog && !rows.is_bounded()).then(|| {
            columns.insert(0, ("op".to_owned(), "STRING".to_owned()));
            Changelog::new(rows.table_keys().map(<[usize]>::to_vec).unwrap_or_default())
        });
        let mut showing = Showing {
            renderer: self.renderer(&columns, !rows.is_bounded()),
            changelog,
            gathered: rows.is_bounded().then(Vec::new),
            kept: Table { columns, rows: Vec::new() },
            out: if rows.is_bounded() { self.paged(out) } else { Paged::through(out) },
        };
        let mut count = 0;
        let step = self.show_all(&mut *rows, started, &mut showing, &mut count);
        // Whoever still computes is told first: what is left below takes no time.
        drop(rows);
        let step = step?;
        showing.release()?;
        showing.renderer.end(&mut showing.out)?;
        self.last = Some(showing.kept);
        self.leave(showing.out)?;
        self.footer(Some(count), started)?;
        Ok(step)
    }

    fn show_all(
        &self,
        rows: &mut dyn RowSource,
        started: Instant,
        showing: &mut Showing<'_>,
        count: &mut usize,
    ) -> io::Result<Step> {
        let mut last_row = Instant::now();
        let (mut catching_up, mut told) = (false, rows.is_bounded() || !self.options.is_terminal);
        if self.options.limit == Some(0) {
            return Ok(Step::Done);
        }
        let step = loop {
            if self.options.interrupted.swap(false, Ordering::AcqRel) {
                if !self.options.is_terminal {
                    break Step::Failed(Exit::Interrupted);
                }
                // Behind the ^C that the terminal shows.
                self.report("")?;
                break Step::Done;
            }
            if showing.out.is_left() {
                break Step::Done;
            }
            if self.options.timeout.is_some_and(|timeout| started.elapsed() >= timeout) {
                self.report("error: the statement took longer than --timeout")?;
                break Step::Failed(Exit::Timeout);
            }
            if !rows.is_bounded() && self.options.until_idle.is_some_and(|idle| last_row.elapsed() >= idle) {
                break Step::Done;
            }
            if showing.gathered.is_some() && started.elapsed() >= GATHER {
                showing.release()?;
            }
            if !told && *count == 0 && started.elapsed() >= SILENCE {
                told = true;
                self.explain_silence(rows)?;
            }
            match rows.next(POLL) {
                Event::Rows(mut batch) => {
                    self.progress(&mut catching_up, 0, 0)?;
                    batch.truncate(self.options.limit.map_or(usize::MAX, |limit| limit - *count));
                    *count += batch.len();
                    last_row = Instant::now();
                    showing.add(batch)?;
                    if self.options.limit == Some(*count) {
                        break Step::Done;
                    }
                }
                Event::Progress { behind, total } => self.progress(&mut catching_up, behind, total)?,
                Event::Idle => {}
                Event::End => break Step::Done,
                Event::Failed(reason) => {
                    self.report_error(&reason)?;
                    break Step::Failed(Exit::Failed);
                }
            }
        };
        self.progress(&mut catching_up, 0, 0)?;
        Ok(step)
    }

    /// Why nothing comes, as far as that can be known.
    fn explain_silence(&self, rows: &dyn RowSource) -> io::Result<()> {
        let text = match rows.skipped() {
            Some((topic, records)) if self.is_printing() => format!(
                "no rows yet: records are printed as they come, and {topic} holds {records} from before; Ctrl-C ends it\n\
                 help: PRINT {topic} FROM BEGINNING; prints them too"
            ),
            Some((source, records)) => format!(
                "no rows yet: the query reads from the end of {source}, which holds {records} earlier records; Ctrl-C ends it\n\
                 help: SET 'auto.offset.reset' = 'earliest'; reads them too"
            ),
            None => "no rows yet: they are shown as they come; Ctrl-C ends the query".to_owned(),
        };
        self.report(&Role::Dim.paint(&text, self.options.color_errors))
    }

    fn is_printing(&self) -> bool {
        let first = self.last_statement.as_deref().and_then(|text| text.split_whitespace().next());
        first.is_some_and(|word| word.eq_ignore_ascii_case("PRINT"))
    }

    /// One line on the terminal while a query reads what was there before it.
    fn progress(&self, shown: &mut bool, behind: i64, total: i64) -> io::Result<()> {
        if !self.options.is_terminal || (!*shown && behind < BEHIND_MIN) {
            return Ok(());
        }
        let mut error = io::stderr().lock();
        if behind < BEHIND_MIN {
            *shown = false;
            return write!(error, "\r\x1b[K");
        }
        *shown = true;
        let percent = 100 - behind.min(total) * 100 / total.max(1);
        write!(error, "\r\x1b[Kcatching up {percent} %, {behind} of {total} records to read")?;
        error.flush()
    }
}

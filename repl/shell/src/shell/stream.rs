//! Results that come bit by bit.

use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::controls::{Controls, Wish};
use super::pager::Paged;
use super::showing::{Showing, columns_of};
use super::status::StatusLine;
use super::waiting::Waiting;
use super::{Shell, Step, View};
use crate::style::Role;
use crate::{Event, Exit, RowSource};

/// A result that ends is gathered for so long before it is shown, so that its columns' widths are known.
const GATHER: Duration = Duration::from_secs(1);
/// After so long without a row it is said why there may be none.
const SILENCE: Duration = Duration::from_secs(2);
/// Fewer records to read are not worth a word.
const BEHIND_MIN: i64 = 10_000;
/// What the first push query says of the keys.
const KEYS_HINT: [&str; 5] = ["q ends", "space pauses", "/ filters", "v view", "? keys"];
/// What they do, in a line.
const KEYS: &str = "q ends, Space pauses and goes on, / filters rows (empty: all), v tail or changelog, ? this line";

/// What reads a result.
struct Reading<'r> {
    rows: &'r mut dyn RowSource,
    started: Instant,
    last_row: Instant,
    controls: Controls,
    waiting: Waiting,
    status: StatusLine,
    /// Whether it was said why there are no rows, or needs not be.
    told: bool,
}

impl Shell<'_> {
    /// Writes rows as they come until the result ends, is interrupted or one of the limits is reached.
    pub(super) fn stream(
        &mut self,
        mut rows: Box<dyn RowSource>,
        started: Instant,
        out: &mut dyn Write,
    ) -> io::Result<Step> {
        let is_endless = !rows.is_bounded();
        let has_keys = is_endless && self.options.is_terminal;
        let view = if is_endless { self.view } else { View::Tail };
        let renderer = self.renderer(&columns_of(rows.columns(), view), is_endless);
        let screen = if is_endless { Paged::through(out) } else { self.paged(out) };
        let mut showing = Showing::new(&*rows, view, !has_keys, renderer, screen);
        if has_keys && !std::mem::replace(&mut self.has_hinted, true) {
            self.remark(&KEYS_HINT.join(if self.options.unicode { " · " } else { ", " }))?;
        }
        let mut reading = Reading {
            rows: &mut *rows,
            started,
            last_row: Instant::now(),
            controls: if has_keys { Controls::take()? } else { Controls::none() },
            waiting: Waiting::default(),
            status: StatusLine::default(),
            told: !has_keys,
        };
        let step = self.show_all(&mut reading, &mut showing);
        reading.status.clear()?;
        let unseen = reading.waiting.len();
        self.typed.push_str(&reading.controls.give_back());
        // Whoever still computes is told first: what is left below takes no time.
        drop(rows);
        let step = step?;
        let (count, hidden) = (showing.rows, showing.hidden);
        let (last, screen) = showing.end()?;
        self.last = Some(last);
        self.leave(screen)?;
        let notes = [(hidden, "filtered out"), (unseen, "not shown")];
        let notes = notes.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        self.footer(Some(count), &notes.collect::<Vec<_>>(), started)?;
        Ok(step)
    }

    fn show_all(&self, reading: &mut Reading<'_>, showing: &mut Showing<'_>) -> io::Result<Step> {
        if self.options.limit == Some(0) {
            return Ok(Step::Done);
        }
        loop {
            if let Some(step) = self.ended(reading, showing)? {
                return Ok(step);
            }
            while let Some(wish) = reading.controls.next(&mut reading.status)? {
                reading.status.clear()?;
                if wish == Wish::End {
                    return Ok(Step::Done);
                }
                self.fulfil(wish, showing)?;
            }
            if let Some(text) = reading.controls.says(&reading.waiting.says()) {
                reading.status.show(&text, self.options.color_errors)?;
                reading.waiting.hold(reading.rows);
                reading.last_row = Instant::now();
            } else if let Some(step) = self.show_next(reading, showing)? {
                return Ok(step);
            }
        }
    }

    /// Whether the result ends although more may come.
    fn ended(&self, reading: &mut Reading<'_>, showing: &Showing<'_>) -> io::Result<Option<Step>> {
        let is_over = |limit: Option<Duration>, since: Instant| limit.is_some_and(|limit| since.elapsed() >= limit);
        if self.options.interrupted.swap(false, Ordering::AcqRel) {
            if !self.options.is_terminal {
                return Ok(Some(Step::Failed(Exit::Interrupted)));
            }
            if !reading.controls.are_taken() {
                // Behind the ^C that the terminal shows.
                self.report("")?;
            }
            return Ok(Some(Step::Done));
        }
        if is_over(self.options.timeout, reading.started) {
            reading.status.clear()?;
            self.report("error: the statement took longer than --timeout")?;
            return Ok(Some(Step::Failed(Exit::Timeout)));
        }
        let is_idle = !reading.rows.is_bounded() && is_over(self.options.until_idle, reading.last_row);
        Ok((is_idle || showing.out.is_left()).then_some(Step::Done))
    }

    /// Does what a key asks for.
    fn fulfil(&self, wish: Wish, showing: &mut Showing<'_>) -> io::Result<()> {
        match wish {
            Wish::End => Ok(()),
            Wish::Keys => self.remark(KEYS),
            Wish::Filter(text) => {
                showing.filter(&text);
                self.remark(&if text.is_empty() { "all rows".to_owned() } else { format!("rows with \"{text}\"") })
            }
            Wish::SwitchView => match showing.other_view() {
                Some(view) => {
                    showing.switch(view, self.renderer(&showing.columns(view), true))?;
                    self.remark(view.name())
                }
                None => self.remark(
                    "the rows so far have more keys than are kept for another view; \\view changelog shows it from the start",
                ),
            },
        }
    }

    /// Shows what comes next; ends with the result.
    fn show_next(&self, reading: &mut Reading<'_>, showing: &mut Showing<'_>) -> io::Result<Option<Step>> {
        if showing.is_gathering() && reading.started.elapsed() >= GATHER {
            showing.release()?;
        }
        if !reading.told && showing.rows == 0 && reading.started.elapsed() >= SILENCE {
            reading.told = true;
            reading.status.clear()?;
            self.explain_silence(reading.rows)?;
        }
        match reading.waiting.next(reading.rows) {
            Event::Rows(mut batch) => {
                reading.status.clear()?;
                batch.truncate(self.options.limit.map_or(usize::MAX, |limit| limit - showing.rows));
                reading.last_row = Instant::now();
                showing.add(batch)?;
                Ok((self.options.limit == Some(showing.rows)).then_some(Step::Done))
            }
            Event::Progress { behind, total } => {
                self.progress(&mut reading.status, behind, total)?;
                Ok(None)
            }
            Event::Idle => Ok(None),
            Event::End => Ok(Some(Step::Done)),
            Event::Failed(reason) => {
                reading.status.clear()?;
                self.report_error(&reason)?;
                Ok(Some(Step::Failed(Exit::Failed)))
            }
        }
    }

    /// Says something beside the results.
    fn remark(&self, text: &str) -> io::Result<()> {
        self.report(&Role::Dim.paint(text, self.options.color_errors))
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
        self.remark(&text)
    }

    fn is_printing(&self) -> bool {
        let first = self.last_statement.as_deref().and_then(|text| text.split_whitespace().next());
        first.is_some_and(|word| word.eq_ignore_ascii_case("PRINT"))
    }

    /// One line on the terminal while a query reads what was there before it.
    fn progress(&self, status: &mut StatusLine, behind: i64, total: i64) -> io::Result<()> {
        if !self.options.is_terminal || behind < BEHIND_MIN {
            return status.clear();
        }
        let percent = 100 - behind.min(total) * 100 / total.max(1);
        let text = format!("catching up {percent} %, {behind} of {total} records to read");
        status.show(&text, self.options.color_errors)
    }
}

//! A result on its way to the screen.

use std::io;

use millstream_sql::Value;

use super::View;
use super::changelog::Changelog;
use super::pager::Paged;
use crate::render::Renderer;
use crate::{Row, RowSource, Table};

const GATHERED_MAX: usize = 10_000;
/// So many rows of the last result are kept to be shown again.
const LAST_ROWS_MAX: usize = 10_000;

/// The columns of a result in a view.
pub(super) fn columns_of(columns: &[(String, String)], view: View) -> Vec<(String, String)> {
    let op = (view == View::Changelog).then(|| ("op".to_owned(), "STRING".to_owned()));
    op.into_iter().chain(columns.iter().cloned()).collect()
}

/// Which rows are shown: those of which a cell contains a text, whatever the case of its letters.
#[derive(Debug, Default)]
struct Filter {
    lower: String,
}

impl Filter {
    fn passes(&self, cells: &[Value]) -> bool {
        self.lower.is_empty() || cells.iter().any(|cell| cell.to_string().to_lowercase().contains(&self.lower))
    }
}

/// What is shown of a result, and where.
pub(super) struct Showing<'s> {
    pub(super) out: Paged<'s>,
    renderer: Renderer,
    /// The result's own, without those of a view.
    columns: Vec<(String, String)>,
    view: View,
    /// What is known of a table's rows; none if there is but one view.
    changelog: Option<Changelog>,
    keys: Vec<usize>,
    filter: Filter,
    /// Rows that wait until more is known of the columns.
    gathered: Option<Vec<Vec<Value>>>,
    kept: Vec<Row>,
    /// Rows so far, and lines that did not pass the filter.
    pub(super) rows: usize,
    pub(super) hidden: usize,
}

impl<'s> Showing<'s> {
    pub(super) fn new(
        rows: &dyn RowSource,
        view: View,
        is_view_fixed: bool,
        renderer: Renderer,
        out: Paged<'s>,
    ) -> Self {
        let keys = rows.table_keys().map(<[usize]>::to_vec).unwrap_or_default();
        let changelog = (view == View::Changelog || !is_view_fixed).then(|| Changelog::new(keys.clone()));
        Self {
            out,
            renderer,
            columns: rows.columns().to_vec(),
            view,
            changelog,
            keys,
            filter: Filter::default(),
            gathered: rows.is_bounded().then(Vec::new),
            kept: Vec::new(),
            rows: 0,
            hidden: 0,
        }
    }

    /// The view that is not shown now; none if it is not known what the rows do.
    pub(super) fn other_view(&self) -> Option<View> {
        match self.view {
            View::Changelog => Some(View::Tail),
            View::Tail => self.changelog.as_ref().filter(|changelog| changelog.is_known()).map(|_| View::Changelog),
        }
    }

    /// The result's columns in a view.
    pub(super) fn columns(&self, view: View) -> Vec<(String, String)> {
        columns_of(&self.columns, view)
    }

    /// Shows what comes in another view, below a result of its own.
    pub(super) fn switch(&mut self, view: View, renderer: Renderer) -> io::Result<()> {
        if !self.renderer.is_empty() {
            self.renderer.end(&mut self.out)?;
        }
        self.view = view;
        self.renderer = renderer;
        Ok(())
    }

    /// Shows of what comes only what contains a text.
    pub(super) fn filter(&mut self, text: &str) {
        self.filter = Filter { lower: text.to_lowercase() };
    }

    pub(super) fn add(&mut self, rows: Vec<Row>) -> io::Result<()> {
        self.rows += rows.len();
        let room = LAST_ROWS_MAX.saturating_sub(self.kept.len());
        self.kept.extend(rows.iter().take(room).cloned());
        let mut lines: Vec<_> = rows.into_iter().flat_map(|row| lines(self.view, &mut self.changelog, row)).collect();
        let all = lines.len();
        lines.retain(|cells| self.filter.passes(cells));
        self.hidden += all - lines.len();
        match &mut self.gathered {
            Some(gathered) if gathered.len() + lines.len() <= GATHERED_MAX => gathered.extend(lines),
            _ => {
                self.release()?;
                if !lines.is_empty() {
                    self.renderer.rows(&lines, &mut self.out)?;
                }
            }
        }
        Ok(())
    }

    /// Whether rows wait until more is known of the columns.
    pub(super) fn is_gathering(&self) -> bool {
        self.gathered.is_some()
    }

    pub(super) fn release(&mut self) -> io::Result<()> {
        match self.gathered.take() {
            Some(rows) if !rows.is_empty() => self.renderer.rows(&rows, &mut self.out),
            _ => Ok(()),
        }
    }

    /// Writes what is left, and returns the result as it was shown last, and the screen.
    pub(super) fn end(mut self) -> io::Result<(Table, Paged<'s>)> {
        self.release()?;
        self.renderer.end(&mut self.out)?;
        let mut changelog = (self.view == View::Changelog).then(|| Changelog::new(self.keys));
        let mut rows: Vec<_> = self.kept.into_iter().flat_map(|row| lines(self.view, &mut changelog, row)).collect();
        rows.retain(|cells| self.filter.passes(cells));
        Ok((Table { columns: columns_of(&self.columns, self.view), rows }, self.out))
    }
}

/// A row as lines of a view.
fn lines(view: View, changelog: &mut Option<Changelog>, row: Row) -> Vec<Vec<Value>> {
    match (view, changelog) {
        (View::Changelog, Some(changelog)) => changelog.apply(row),
        (_, changelog) => {
            if let Some(changelog) = changelog {
                changelog.note(&row);
            }
            vec![row.cells]
        }
    }
}

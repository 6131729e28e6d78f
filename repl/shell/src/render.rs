//! Rows as text.

use std::io::{Result, Write};

use millstream_sql::Value;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::Format;
use crate::style::Role;

/// A cell of an endless table is cut in its middle beyond this width.
const CELL_WIDTH_MAX: usize = 60;
/// A column is not made narrower than this to make a row fit.
const COLUMN_WIDTH_MIN: usize = 6;

/// What results are shown on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Frame {
    pub(crate) color: bool,
    /// Whether lines may be drawn with more than ASCII.
    pub(crate) unicode: bool,
    /// The width of the terminal, which rows are made to fit; none cuts nothing.
    pub(crate) width: Option<usize>,
    /// The height of the terminal if the header is to be repeated on every screen.
    pub(crate) height: Option<usize>,
    /// Whether rows that are too wide are shown with a line a column.
    pub(crate) vertical_if_wide: bool,
}

/// The characters that lines are drawn with: bar, rule, crossings from left to right and top to bottom, and what
/// stands for what is left out.
struct Strokes {
    bar: &'static str,
    rule: &'static str,
    crossings: [[&'static str; 3]; 3],
}

const UNICODE: Strokes =
    Strokes {
        bar: "│", rule: "─", crossings: [["┌", "┬", "┐"], ["├", "┼", "┤"], ["└", "┴", "┘"]]
    };
const ASCII: Strokes = Strokes { bar: "|", rule: "-", crossings: [["+"; 3]; 3] };

/// Writes a result, as a whole or bit by bit. For a result that goes on, the columns' widths are
/// learned from the first rows and only grow.
#[derive(Debug)]
pub(crate) struct Renderer {
    format: Format,
    columns: Vec<(String, String)>,
    frame: Frame,
    widths: Vec<usize>,
    rows: usize,
    rows_since_header: usize,
}

impl Renderer {
    pub(crate) fn new(format: Format, columns: &[(String, String)], frame: Frame) -> Self {
        let width_min = if format == Format::Markdown { 3 } else { 0 };
        let widths = columns.iter().map(|(name, _)| name.width().max(width_min)).collect();
        Self { format, columns: columns.to_vec(), frame, widths, rows: 0, rows_since_header: 0 }
    }

    fn strokes(&self) -> &'static Strokes {
        if self.frame.unicode { &UNICODE } else { &ASCII }
    }

    /// Writes rows, with a header before the first ones or when columns have grown.
    pub(crate) fn rows(&mut self, rows: &[Vec<Value>], out: &mut dyn Write) -> Result<()> {
        if self.rows == 0 && self.is_too_wide(rows) {
            self.format = Format::Vertical;
        }
        match self.format {
            Format::Table | Format::Box | Format::Markdown => self.aligned(rows, out)?,
            Format::Vertical => self.vertical(rows, out)?,
            Format::Json | Format::Ndjson => self.json(rows, out)?,
            Format::Csv => self.separated(rows, ",", true, out)?,
            Format::Tsv => self.separated(rows, "\t", true, out)?,
            Format::Raw => self.separated(rows, "\t", false, out)?,
        }
        self.rows += rows.len();
        out.flush()
    }

    /// Whether nothing was written yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Writes what stands after the last row.
    pub(crate) fn end(&mut self, out: &mut dyn Write) -> Result<()> {
        match self.format {
            Format::Json if self.rows == 0 => writeln!(out, "[]")?,
            Format::Json => writeln!(out, "\n]")?,
            Format::Table | Format::Box | Format::Markdown if self.rows == 0 => self.aligned(&[], out)?,
            Format::Csv | Format::Tsv if self.rows == 0 => self.header_line(out)?,
            _ => {}
        }
        if self.format == Format::Box {
            self.rule(2, out)?;
        }
        out.flush()
    }

    fn cell(&self, value: &Value) -> String {
        let text = value.to_string().replace('\n', "\\n").replace('\t', "\\t");
        // Of an endless result nobody knows what is still to come; one that ends has the width of the terminal.
        let max = match self.frame {
            Frame { width: Some(_), height: Some(_), .. } => CELL_WIDTH_MAX,
            Frame { width, .. } => width.unwrap_or(usize::MAX),
        };
        self.elide(&text, max)
    }

    /// The widths of the columns that these cells want.
    fn natural_widths(&self, cells: &[Vec<String>]) -> Vec<usize> {
        let mut widths = self.widths.clone();
        for row in cells {
            for (cell, width) in row.iter().zip(&mut widths) {
                *width = (*width).max(cell.width());
            }
        }
        widths
    }

    /// How wide a row of columns of these widths is with all that stands between them.
    fn row_width(&self, widths: &[usize]) -> usize {
        let around = if self.format == Format::Table { 1 } else { 4 };
        widths.iter().sum::<usize>() + 3 * widths.len().saturating_sub(1) + around
    }

    fn is_too_wide(&self, rows: &[Vec<Value>]) -> bool {
        let is_aligned = matches!(self.format, Format::Table | Format::Box);
        let Some(width) = self.frame.width.filter(|_| self.frame.vertical_if_wide && is_aligned) else { return false };
        let cells: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|value| self.cell(value)).collect()).collect();
        self.row_width(&self.natural_widths(&cells)) > width
    }

    /// Takes from the widest columns until a row fits the terminal, as far as that is possible.
    fn fit(&self, widths: &mut [usize]) {
        let Some(available) = self.frame.width.filter(|_| self.format != Format::Markdown) else { return };
        let mut excess = self.row_width(widths).saturating_sub(available);
        while excess > 0 {
            let Some(widest) = widths.iter_mut().max().filter(|width| **width > COLUMN_WIDTH_MIN) else { return };
            *widest -= 1;
            excess -= 1;
        }
    }

    fn aligned(&mut self, rows: &[Vec<Value>], out: &mut dyn Write) -> Result<()> {
        let cells: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|value| self.cell(value)).collect()).collect();
        let mut widths = self.natural_widths(&cells);
        self.fit(&mut widths);
        let grown = self.rows == 0 || widths != self.widths;
        self.widths = widths;
        if grown {
            self.header(out)?;
        }
        for (row, values) in cells.iter().zip(rows) {
            // Two lines of header and one for what is typed.
            if self.frame.height.is_some_and(|height| self.rows_since_header + 3 >= height.max(8)) {
                self.header(out)?;
            }
            self.row(row, values, out)?;
            self.rows_since_header += 1;
        }
        Ok(())
    }

    fn row(&self, cells: &[String], values: &[Value], out: &mut dyn Write) -> Result<()> {
        let bar = self.bar();
        let mut line = String::new();
        for (at, (cell, value)) in cells.iter().zip(values).enumerate() {
            let width = self.widths.get(at).copied().unwrap_or(0);
            let cell = self.elide(cell, width);
            let padding = " ".repeat(width.saturating_sub(cell.width()));
            let shown = if *value == Value::Null { Role::Dim.paint(&cell, self.frame.color) } else { cell };
            let cell = if value.is_number() { format!("{padding}{shown}") } else { format!("{shown}{padding}") };
            line.push_str(&if at == 0 { cell } else { format!(" {bar} {cell}") });
        }
        self.framed(&line, out)
    }

    fn bar(&self) -> &'static str {
        if self.format == Format::Markdown { "|" } else { self.strokes().bar }
    }

    fn framed(&self, line: &str, out: &mut dyn Write) -> Result<()> {
        let bar = self.bar();
        match self.format {
            Format::Box | Format::Markdown => writeln!(out, "{bar} {line} {bar}"),
            _ => writeln!(out, " {}", line.trim_end()),
        }
    }

    fn header(&mut self, out: &mut dyn Write) -> Result<()> {
        self.rows_since_header = 0;
        if self.format == Format::Box {
            self.rule(if self.rows == 0 { 0 } else { 1 }, out)?;
        }
        let separator = format!(" {} ", self.bar());
        let name = |((name, _), width): (&(String, String), &usize)| {
            let name = self.elide(name, *width);
            format!("{name}{}", " ".repeat(width.saturating_sub(name.width())))
        };
        let names: Vec<String> = self.columns.iter().zip(&self.widths).map(name).collect();
        self.framed(&names.join(&separator), out)?;
        match self.format {
            Format::Markdown => {
                let rules: Vec<String> = self.widths.iter().map(|width| "-".repeat(*width)).collect();
                writeln!(out, "| {} |", rules.join(" | "))
            }
            Format::Box => self.rule(1, out),
            _ => {
                let Strokes { rule, crossings: [_, [_, cross, _], _], .. } = self.strokes();
                let rules: Vec<String> = self.widths.iter().map(|width| rule.repeat(*width)).collect();
                writeln!(out, " {}", rules.join(&format!("{rule}{cross}{rule}")))
            }
        }
    }

    /// A line of a box: the top, one in its midst, or the bottom.
    fn rule(&self, at: usize, out: &mut dyn Write) -> Result<()> {
        let Strokes { rule, crossings, .. } = self.strokes();
        let [left, middle, right] = crossings.get(at).copied().unwrap_or_default();
        let rules: Vec<String> = self.widths.iter().map(|width| rule.repeat(*width + 2)).collect();
        writeln!(out, "{left}{}{right}", rules.join(middle))
    }

    fn vertical(&self, rows: &[Vec<Value>], out: &mut dyn Write) -> Result<()> {
        let width = self.columns.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
        for (at, row) in rows.iter().enumerate() {
            let rule = self.strokes().rule.repeat(2);
            let head = format!("{rule} row {} {rule}", self.rows + at + 1);
            writeln!(out, "{}", Role::Dim.paint(&head, self.frame.color))?;
            for ((name, _), value) in self.columns.iter().zip(row) {
                writeln!(out, "{}{name}  {value}", " ".repeat(width - name.width()))?;
            }
        }
        Ok(())
    }

    fn json(&self, rows: &[Vec<Value>], out: &mut dyn Write) -> Result<()> {
        for (at, row) in rows.iter().enumerate() {
            let names = self.columns.iter().map(|(name, _)| name.clone());
            let mut object = String::new();
            Value::Struct(names.zip(row.iter().cloned()).collect()).write_json(&mut object);
            if self.format == Format::Ndjson {
                writeln!(out, "{object}")?;
            } else {
                write!(out, "{}{object}", if self.rows + at == 0 { "[\n" } else { ",\n" })?;
            }
        }
        Ok(())
    }

    fn header_line(&self, out: &mut dyn Write) -> Result<()> {
        let separator = if self.format == Format::Csv { "," } else { "\t" };
        let names: Vec<String> = self.columns.iter().map(|(name, _)| quoted(name, separator)).collect();
        writeln!(out, "{}", names.join(separator))
    }

    fn separated(&self, rows: &[Vec<Value>], separator: &str, header: bool, out: &mut dyn Write) -> Result<()> {
        if header && self.rows == 0 {
            self.header_line(out)?;
        }
        for row in rows {
            let cell = |value: &Value| match value {
                Value::Null if separator == "\t" => "\\N".to_owned(),
                Value::Null => String::new(),
                Value::String(text) if text.is_empty() && separator == "," => "\"\"".to_owned(),
                value => quoted(&value.to_string(), separator),
            };
            writeln!(out, "{}", row.iter().map(cell).collect::<Vec<_>>().join(separator))?;
        }
        Ok(())
    }
}

/// A value of a separated line: in quotes if it would be misread, tabs and line ends escaped where quotes do not
/// help.
fn quoted(text: &str, separator: &str) -> String {
    if separator == "\t" {
        return text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n");
    }
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

impl Renderer {
    /// The text with its middle left out if it is too wide.
    fn elide(&self, text: &str, width_max: usize) -> String {
        if text.width() <= width_max {
            return text.to_owned();
        }
        let gap = if self.frame.unicode { "…" } else { ".." };
        let room = width_max.saturating_sub(gap.width());
        let (head_width, tail_width) = (room.div_ceil(2), room / 2);
        let take = |chars: &mut dyn Iterator<Item = char>, width_max: usize| {
            let mut width = 0;
            let fits = |c: &char| {
                width += c.width().unwrap_or(0);
                width <= width_max
            };
            chars.take_while(fits).collect::<Vec<char>>()
        };
        let head = take(&mut text.chars(), head_width);
        let tail = take(&mut text.chars().rev(), tail_width);
        head.into_iter().chain(gap.chars()).chain(tail.into_iter().rev()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNICODE_FRAME: Frame =
        Frame { color: false, unicode: true, width: None, height: None, vertical_if_wide: false };

    fn rendered(format: Format, rows: &[Vec<Value>]) -> String {
        let columns = [("ID".to_owned(), "BIGINT".to_owned()), ("NAME".to_owned(), "STRING".to_owned())];
        let mut out = Vec::new();
        let mut renderer = Renderer::new(format, &columns, UNICODE_FRAME);
        if !rows.is_empty() {
            renderer.rows(rows, &mut out).unwrap();
        }
        renderer.end(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn sample() -> Vec<Vec<Value>> {
        vec![vec![Value::Integer(7), Value::String("a,\"b\"".to_owned())], vec![Value::Integer(1234), Value::Null]]
    }

    #[test]
    fn every_format_writes_what_its_readers_expect() {
        for (format, expected) in [
            (Format::Table, " ID   │ NAME\n ─────┼──────\n    7 │ a,\"b\"\n 1234 │ NULL\n"),
            (Format::Markdown, "| ID   | NAME  |\n| ---- | ----- |\n|    7 | a,\"b\" |\n| 1234 | NULL  |\n"),
            (Format::Csv, "ID,NAME\n7,\"a,\"\"b\"\"\"\n1234,\n"),
            (Format::Tsv, "ID\tNAME\n7\ta,\"b\"\n1234\t\\N\n"),
            (Format::Raw, "7\ta,\"b\"\n1234\t\\N\n"),
            (Format::Ndjson, "{\"ID\":7,\"NAME\":\"a,\\\"b\\\"\"}\n{\"ID\":1234,\"NAME\":null}\n"),
            (Format::Json, "[\n{\"ID\":7,\"NAME\":\"a,\\\"b\\\"\"},\n{\"ID\":1234,\"NAME\":null}\n]\n"),
            (Format::Vertical, "── row 1 ──\n  ID  7\nNAME  a,\"b\"\n── row 2 ──\n  ID  1234\nNAME  NULL\n"),
        ] {
            let found = rendered(format, &sample());
            assert_eq!(found, expected, "{format:?}");
        }
        assert_eq!(rendered(Format::Json, &[]), "[]\n");
        assert_eq!(rendered(Format::Ndjson, &[]), "");
    }

    #[test]
    fn a_wide_cell_is_cut_in_its_middle_and_a_wide_row_made_to_fit() {
        let columns = ["A", "B"].map(|name| (name.to_owned(), "STRING".to_owned()));
        let renderer = Renderer::new(Format::Table, &columns, UNICODE_FRAME);
        assert_eq!(renderer.elide("abcdefghij", 5), "ab…ij");
        assert_eq!(renderer.elide("abc", 5), "abc");
        let row = vec![Value::String("x".repeat(40)), Value::String("y".repeat(10))];
        for (vertical_if_wide, expected) in [(false, 30), (true, 43)] {
            let frame = Frame { width: Some(30), vertical_if_wide, ..UNICODE_FRAME };
            let mut out = Vec::new();
            Renderer::new(Format::Table, &columns, frame).rows(std::slice::from_ref(&row), &mut out).unwrap();
            let widest = String::from_utf8(out).unwrap().lines().map(UnicodeWidthStr::width).max();
            assert_eq!(widest, Some(expected));
        }
    }

    #[test]
    fn an_endless_result_repeats_its_header() {
        let frame = Frame { height: Some(10), ..UNICODE_FRAME };
        let mut renderer = Renderer::new(Format::Table, &[("N".to_owned(), "BIGINT".to_owned())], frame);
        let mut out = Vec::new();
        renderer.rows(&(0..20).map(|n| vec![Value::Integer(n)]).collect::<Vec<_>>(), &mut out).unwrap();
        let headers = String::from_utf8(out).unwrap().lines().filter(|line| line.trim() == "N").count();
        assert_eq!(headers, 3);
    }
}

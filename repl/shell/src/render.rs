//! Rows as text.

use std::io::{Result, Write};

use millstream_sql::Value;
use unicode_width::UnicodeWidthStr;

use crate::Format;
use crate::style::Role;

/// A cell of a table is cut in its middle beyond this width.
const CELL_WIDTH_MAX: usize = 60;

/// Writes a result, as a whole or bit by bit. For a result that goes on, the columns' widths are
/// learned from the first rows and only grow.
#[derive(Debug)]
pub(crate) struct Renderer {
    format: Format,
    columns: Vec<(String, String)>,
    color: bool,
    widths: Vec<usize>,
    /// The width of the terminal, to cut wide cells; none cuts nothing.
    terminal_width: Option<usize>,
    rows: usize,
}

impl Renderer {
    pub(crate) fn new(
        format: Format,
        columns: &[(String, String)],
        color: bool,
        terminal_width: Option<usize>,
    ) -> Self {
        let widths = columns.iter().map(|(name, _)| name.width()).collect();
        Self { format, columns: columns.to_vec(), color, widths, terminal_width, rows: 0 }
    }

    /// Writes rows, with a header before the first ones or when columns have grown.
    pub(crate) fn rows(&mut self, rows: &[Vec<Value>], out: &mut dyn Write) -> Result<()> {
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
            self.rule('└', '┴', '┘', out)?;
        }
        out.flush()
    }

    fn cell(&self, value: &Value) -> String {
        let text = value.to_string().replace('\n', "\\n").replace('\t', "\\t");
        let max = if self.terminal_width.is_some() { CELL_WIDTH_MAX } else { usize::MAX };
        elide(&text, max)
    }

    fn aligned(&mut self, rows: &[Vec<Value>], out: &mut dyn Write) -> Result<()> {
        let cells: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|value| self.cell(value)).collect()).collect();
        let mut grown = self.rows == 0;
        for row in &cells {
            for (cell, width) in row.iter().zip(&mut self.widths) {
                grown |= cell.width() > *width;
                *width = (*width).max(cell.width());
            }
        }
        if grown {
            self.header(out)?;
        }
        for (row, values) in cells.iter().zip(rows) {
            let bar = self.bar();
            let mut line = String::new();
            for (at, (cell, value)) in row.iter().zip(values).enumerate() {
                let padding = " ".repeat(self.widths.get(at).map_or(0, |width| width.saturating_sub(cell.width())));
                let shown = if *value == Value::Null { Role::Dim.paint(cell, self.color) } else { cell.clone() };
                let cell = if value.is_number() { format!("{padding}{shown}") } else { format!("{shown}{padding}") };
                line.push_str(&if at == 0 { cell } else { format!(" {bar} {cell}") });
            }
            self.frame(&line, out)?;
        }
        Ok(())
    }

    fn bar(&self) -> &'static str {
        if self.format == Format::Markdown { "|" } else { "│" }
    }

    fn frame(&self, line: &str, out: &mut dyn Write) -> Result<()> {
        match self.format {
            Format::Box => writeln!(out, "│ {line} │"),
            Format::Markdown => writeln!(out, "| {line} |"),
            _ => writeln!(out, " {}", line.trim_end()),
        }
    }

    fn header(&self, out: &mut dyn Write) -> Result<()> {
        if self.format == Format::Box {
            self.rule('┌', '┬', '┐', out)?;
        }
        let separator = format!(" {} ", self.bar());
        let names: Vec<String> = self
            .columns
            .iter()
            .zip(&self.widths)
            .map(|((name, _), width)| format!("{name}{}", " ".repeat(width.saturating_sub(name.width()))))
            .collect();
        self.frame(&names.join(&separator), out)?;
        match self.format {
            Format::Markdown => {
                let rules: Vec<String> = self.widths.iter().map(|width| "-".repeat((*width).max(3))).collect();
                writeln!(out, "| {} |", rules.join(" | "))
            }
            Format::Box => self.rule('├', '┼', '┤', out),
            _ => {
                let rules: Vec<String> = self.widths.iter().map(|width| "─".repeat(*width)).collect();
                writeln!(out, " {}", rules.join("─┼─"))
            }
        }
    }

    fn rule(&self, left: char, middle: char, right: char, out: &mut dyn Write) -> Result<()> {
        let rules: Vec<String> = self.widths.iter().map(|width| "─".repeat(*width + 2)).collect();
        writeln!(out, "{left}{}{right}", rules.join(&middle.to_string()))
    }

    fn vertical(&self, rows: &[Vec<Value>], out: &mut dyn Write) -> Result<()> {
        let width = self.columns.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
        for (at, row) in rows.iter().enumerate() {
            writeln!(out, "{}", Role::Dim.paint(&format!("── row {} ──", self.rows + at + 1), self.color))?;
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
                Value::Null => String::new(),
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

/// The text with its middle left out if it is too wide.
fn elide(text: &str, width_max: usize) -> String {
    if text.width() <= width_max {
        return text.to_owned();
    }
    let chars: Vec<char> = text.chars().collect();
    let half = width_max.saturating_sub(1) / 2;
    let head: String = chars.iter().take(half).collect();
    let tail: String = chars.iter().skip(chars.len().saturating_sub(half)).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(format: Format, rows: &[Vec<Value>]) -> String {
        let columns = [("ID".to_owned(), "BIGINT".to_owned()), ("NAME".to_owned(), "STRING".to_owned())];
        let mut out = Vec::new();
        let mut renderer = Renderer::new(format, &columns, false, None);
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
            (Format::Tsv, "ID\tNAME\n7\ta,\"b\"\n1234\t\n"),
            (Format::Raw, "7\ta,\"b\"\n1234\t\n"),
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
    fn a_wide_cell_is_cut_in_its_middle() {
        assert_eq!(elide("abcdefghij", 5), "ab…ij");
        assert_eq!(elide("abc", 5), "abc");
    }
}

//! The pages of help. Each is a file of statements that can be run, with what there is to say in front as comments.

/// The files, in the order of the overview.
const FILES: &[&str] = &[
    include_str!("../../../../queries/help/create-stream.sql"),
    include_str!("../../../../queries/help/create-table.sql"),
    include_str!("../../../../queries/help/select.sql"),
    include_str!("../../../../queries/help/insert.sql"),
    include_str!("../../../../queries/help/window.sql"),
    include_str!("../../../../queries/help/join.sql"),
    include_str!("../../../../queries/help/window-functions.sql"),
    include_str!("../../../../queries/help/types.sql"),
    include_str!("../../../../queries/help/show.sql"),
    include_str!("../../../../queries/help/describe.sql"),
    include_str!("../../../../queries/help/explain.sql"),
    include_str!("../../../../queries/help/print.sql"),
    include_str!("../../../../queries/help/terminate.sql"),
    include_str!("../../../../queries/help/drop.sql"),
    include_str!("../../../../queries/help/alter.sql"),
    include_str!("../../../../queries/help/create-type.sql"),
    include_str!("../../../../queries/help/set.sql"),
    include_str!("../../../../queries/help/define.sql"),
    include_str!("../../../../queries/help/run-script.sql"),
    include_str!("../../../../queries/help/assert.sql"),
];

/// A page, as its file is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    file: &'static str,
}

/// All pages.
pub(crate) fn pages() -> impl Iterator<Item = Page> {
    FILES.iter().map(|file| Page { file })
}

impl Page {
    /// What the page is on, which its first line starts with.
    pub(crate) fn name(self) -> &'static str {
        let first = self.file.strip_prefix("-- ").and_then(|text| text.split(':').next());
        first.unwrap_or_default()
    }

    /// What else it is on.
    pub(crate) fn others(self) -> impl Iterator<Item = &'static str> {
        let line = self.file.lines().find_map(|line| line.strip_prefix("-- also: "));
        line.into_iter().flat_map(|names| names.split(", "))
    }

    /// What it says: the comments without their marks, and the statements.
    pub(crate) fn text(self) -> String {
        let line = |line: &'static str| {
            line.strip_prefix("--").map_or(line, |comment| comment.strip_prefix(' ').unwrap_or(comment))
        };
        self.file.lines().map(line).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use millstream_sql::split_statements;

    use super::*;

    #[test]
    fn a_page_has_a_name_and_two_examples_and_says_where_more_is() {
        let mut names = BTreeSet::new();
        for page in pages() {
            let name = page.name();
            assert!(!name.is_empty() && name == name.to_uppercase(), "{name:?}");
            assert!(split_statements(page.file).len() >= 2, "{name}");
            assert!(page.text().contains("\nsee docs/"), "{name}");
            for name in page.others().chain([name]) {
                assert!(names.insert(name), "{name} is on two pages");
            }
        }
    }

    #[test]
    fn a_page_is_its_file_without_the_marks_of_comments() {
        let page = Page { file: "-- A B: what\n-- also: C, D\n--\n--   A x\n\nA y; -- z\n" };
        assert_eq!(page.name(), "A B");
        assert!(page.others().eq(["C", "D"]));
        assert_eq!(page.text(), "A B: what\nalso: C, D\n\n  A x\n\nA y; -- z");
    }
}

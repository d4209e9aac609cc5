//! The list of files that do not pass yet, which may only get shorter.

use std::path::Path;

/// Files that are known to fail, each with the reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpectedFailures {
    entries: Vec<(String, String)>,
}

/// A line of the list without a reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: a file, a `#` and the reason are wanted")]
pub struct ListError {
    /// The line, from one.
    pub line: usize,
}

impl ExpectedFailures {
    /// Reads lines of the form `folder/file.slt # reason`; lines that begin with `#` are comments.
    ///
    /// # Errors
    /// At a line without a reason.
    pub fn read(text: &str) -> Result<Self, ListError> {
        let mut entries = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wanted = || ListError { line: index + 1 };
            let (file, reason) = line.split_once('#').ok_or_else(wanted)?;
            let (file, reason) = (file.trim(), reason.trim());
            if file.is_empty() || reason.is_empty() {
                return Err(wanted());
            }
            entries.push((file.to_owned(), reason.to_owned()));
        }
        Ok(Self { entries })
    }

    /// Why a file is expected to fail, if it is. An entry names the last parts of a path.
    #[must_use]
    pub fn reason(&self, path: &Path) -> Option<&str> {
        let entry = self.entries.iter().find(|(file, _)| path.ends_with(file));
        entry.map(|(_, reason)| reason.as_str())
    }

    /// Adds the entries of another list.
    pub fn extend(&mut self, other: Self) {
        self.entries.extend(other.entries);
    }

    /// Entries in the list.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when nothing is expected to fail.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_need_a_reason() {
        let list = ExpectedFailures::read("# comment\n\na/b.slt # no windows yet\n").unwrap();
        assert_eq!(list.len(), 1);
        assert_eq!(list.reason(Path::new("/x/a/b.slt")), Some("no windows yet"));
        assert_eq!(list.reason(Path::new("/x/ca/b.slt")), None);
        assert_eq!(ExpectedFailures::read("a.slt"), Err(ListError { line: 1 }));
        assert_eq!(
            ExpectedFailures::read("a.slt #"),
            Err(ListError { line: 1 })
        );
    }
}

//! The lines of a file, and the blocks they form.

use std::ops::Range;

/// A cursor over lines; either kind of line end.
pub(super) struct Lines<'a> {
    lines: Vec<&'a str>,
    /// Index of the next line, from zero.
    at: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self {
            // `lines` takes one carriage return away with the line feed.
            lines: text.lines().collect(),
            at: 0,
        }
    }

    /// The next line that is neither blank nor a comment, with its number from one.
    pub(super) fn next_head(&mut self) -> Option<(usize, &'a str)> {
        while let Some(&line) = self.lines.get(self.at) {
            self.at += 1;
            let trimmed = line.trim();
            if !trimmed.is_empty() && !trimmed.starts_with('#') {
                return Some((self.at, trimmed));
            }
        }
        None
    }

    /// Lines up to a blank one, to `----`, or to a comment where comments end SQL.
    pub(super) fn sql(&mut self, comments_end_it: bool) -> String {
        let start = self.at;
        while let Some(&line) = self.lines.get(self.at) {
            let comment = comments_end_it && line.starts_with('#');
            if line.trim_end().is_empty() || is_dashes(line) || comment {
                break;
            }
            self.at += 1;
        }
        self.lines
            .get(start..self.at)
            .unwrap_or_default()
            .join("\n")
    }

    /// The lines between a `----` that stands here and the next blank line, and their places. Without
    /// a `----`, none, and the empty range at this place.
    pub(super) fn block_after_dashes(&mut self) -> (Option<Vec<&'a str>>, Range<usize>) {
        if !self.lines.get(self.at).is_some_and(|line| is_dashes(line)) {
            return (None, self.at..self.at);
        }
        self.at += 1;
        let start = self.at;
        while self.lines.get(self.at).is_some_and(|line| !line.is_empty()) {
            self.at += 1;
        }
        let block = self.lines.get(start..self.at).unwrap_or_default().to_vec();
        (Some(block), start..self.at)
    }
}

fn is_dashes(line: &str) -> bool {
    line.trim_end() == "----"
}

//! Rewrites the expectations of a file with what the database gave.

use crate::run::{Kept, KeptResults};
use crate::script::{Node, NodeKind, Script};
use std::ops::Range;

/// The text of the file with new expectations, or none when nothing changes. Records inside loops and
/// those that were not run keep theirs, and so do queries without `----` and statements without an
/// expected error text.
#[must_use]
pub fn complete(text: &str, script: &Script, results: &KeptResults) -> Option<String> {
    let mut edits: Vec<(Range<usize>, Vec<String>)> = Vec::new();
    for node in &script.nodes {
        if let (Some((range, old)), Some(kept)) = (expectation(node), results.get(&node.line)) {
            let new: Vec<String> = match kept {
                Kept::Lines(lines) => lines.clone(),
                Kept::Error(message) => message.lines().map(str::to_owned).collect(),
            };
            if old != new {
                edits.push((range, new));
            }
        }
    }
    if edits.is_empty() {
        return None;
    }
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let lines: Vec<&str> = text.lines().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let mut push = |line: &str| {
        out.push_str(line);
        out.push_str(line_end);
    };
    for (range, new) in edits {
        lines
            .iter()
            .take(range.start)
            .skip(at)
            .for_each(|line| push(line));
        new.iter().for_each(|line| push(line));
        at = range.end;
    }
    lines.iter().skip(at).for_each(|line| push(line));
    Some(out)
}

/// Where a record's expectation stands and what it says.
fn expectation(node: &Node) -> Option<(Range<usize>, Vec<String>)> {
    match &node.kind {
        NodeKind::Query(query) => {
            let lines = query.expected.clone()?;
            query
                .has_dashes
                .then(|| (query.expected_lines.clone(), lines))
        }
        NodeKind::Statement(statement) => {
            let lines = statement.error.as_ref()?;
            // A pattern says more than the text that happens to match it.
            let is_pattern = lines.contains("REGEX>:") || lines.starts_with("SQLSTATE ");
            let lines = lines.lines().map(str::to_owned).collect();
            (!is_pattern).then(|| (statement.error_lines.clone(), lines))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::reader::read_script;
    use std::path::Path;

    fn completed(text: &str, results: &[(usize, Kept)]) -> Option<String> {
        let script = read_script(Path::new("a.slt"), text, Dialect::Llkv).unwrap();
        complete(text, &script, &results.iter().cloned().collect())
    }

    fn lines(lines: &[&str]) -> Kept {
        Kept::Lines(lines.iter().map(|&line| line.to_owned()).collect())
    }

    #[test]
    fn only_what_changed_is_rewritten() {
        let text = "# head\nquery I\nSELECT 1\n----\n2\n3\n\nquery I\nSELECT 2\n----\n2\n";
        let new = completed(text, &[(2, lines(&["1"])), (8, lines(&["2"]))]).unwrap();
        assert_eq!(
            new,
            "# head\nquery I\nSELECT 1\n----\n1\n\nquery I\nSELECT 2\n----\n2\n"
        );
        assert_eq!(
            completed(&new, &[(2, lines(&["1"])), (7, lines(&["2"]))]),
            None
        );
    }

    #[test]
    fn an_empty_expectation_can_be_filled() {
        let text = "query I\nSELECT 1\n----\n\nquery I\nSELECT 2\n";
        let new = completed(text, &[(1, lines(&["1"])), (5, lines(&["2"]))]).unwrap();
        assert_eq!(new, "query I\nSELECT 1\n----\n1\n\nquery I\nSELECT 2\n");
    }

    #[test]
    fn line_ends_and_patterns_stay() {
        let text = "statement error\r\nX\r\n----\r\n<REGEX>:.*a.*\r\n\r\nstatement error\r\nY\r\n----\r\nold\r\n";
        let error = |text: &str| Kept::Error(text.to_owned());
        let new = completed(text, &[(1, error("aa")), (6, error("new"))]).unwrap();
        assert_eq!(new, text.replace("old", "new"));
    }
}

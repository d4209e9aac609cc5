//! `cargo xtask tidy`: leftover words and missing purposes fail; long files and functions are reported.

use crate::step::{self, TaskResult, root};
use std::path::{Path, PathBuf};

const MAX_FILE_LINES: usize = 700;
const MAX_FUNCTION_LINES: usize = 60;

/// Words that no finished code has. Written in two parts, so that this file has none either.
const LEFTOVERS: [&str; 6] = [
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("d", "bg!("),
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
    concat!("X", "XX"),
];

/// What was found in a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Findings {
    /// Fail the check.
    errors: Vec<String>,
    /// Are only shown.
    remarks: Vec<String>,
}

pub(crate) fn run() -> TaskResult {
    let mut files = Vec::new();
    for folder in ["crates", "xtask", "benches", "fuzz"] {
        rust_files(&root().join(folder), &mut files).map_err(|error| error.to_string())?;
    }
    files.sort();
    let mut findings = Findings::default();
    for path in &files {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        let name = path
            .strip_prefix(root())
            .unwrap_or(path)
            .display()
            .to_string();
        look(&name, &text, &mut findings);
    }
    for remark in &findings.remarks {
        step::say(&format!("tidy: {remark}"));
    }
    if findings.errors.is_empty() {
        let (files, remarks) = (files.len(), findings.remarks.len());
        step::say(&format!("tidy: {files} files, {remarks} remarks"));
        return Ok(());
    }
    Err(format!("tidy:\n  {}", findings.errors.join("\n  ")))
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("target") {
            rust_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

fn look(name: &str, text: &str, findings: &mut Findings) {
    let mut lines = 0;
    for (index, line) in text.lines().enumerate() {
        lines = index + 1;
        if let Some(word) = LEFTOVERS.iter().find(|word| has_word(line, word)) {
            findings
                .errors
                .push(format!("{name}:{lines}: leftover `{word}`"));
        }
    }
    let first = text.lines().find(|line| !line.trim().is_empty());
    if !first.is_some_and(|line| line.starts_with("//!")) {
        findings.errors.push(format!(
            "{name}:1: the file does not open with its purpose (`//!`)"
        ));
    }
    if lines > MAX_FILE_LINES {
        findings.remarks.push(format!(
            "{name}: {lines} lines (more than {MAX_FILE_LINES})"
        ));
    }
    for (line, length) in long_functions(text) {
        findings.remarks.push(format!(
            "{name}:{line}: a function of {length} lines (more than {MAX_FUNCTION_LINES})"
        ));
    }
}

/// True when a line has the text where no letter stands before it: a Roman number is no leftover.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        !before.is_some_and(char::is_alphabetic)
    })
}

/// Functions over the limit, with their first line. Works on formatted code: a function ends with a
/// brace at the indentation of its beginning.
fn long_functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        if !begins_function(trimmed) {
            continue;
        }
        let closing = format!("{}}}", &line[..line.len() - trimmed.len()]);
        let end = lines.iter().skip(start).position(|line| *line == closing);
        if let Some(length) = end
            .map(|end| end + 1)
            .filter(|&length| length > MAX_FUNCTION_LINES)
        {
            // A one-line function would run into the end of another.
            if !line.ends_with('}') && !line.ends_with(';') {
                found.push((start + 1, length));
            }
        }
    }
    found
}

fn begins_function(line: &str) -> bool {
    let rest = ["pub(crate) ", "pub(super) ", "pub "]
        .iter()
        .find_map(|prefix| line.strip_prefix(prefix))
        .unwrap_or(line);
    let rest = rest.strip_prefix("const ").unwrap_or(rest);
    let rest = rest.strip_prefix("unsafe ").unwrap_or(rest);
    rest.starts_with("fn ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Findings {
        let mut findings = Findings::default();
        look("a.rs", text, &mut findings);
        findings
    }

    #[test]
    fn leftovers_and_missing_purposes_are_errors() {
        assert_eq!(findings("//! Purpose.\nfn a() {}\n"), Findings::default());
        assert_eq!(findings("fn a() {}\n").errors.len(), 1);
        let text = format!("//! Purpose.\nfn a() {{ {}) }}\n", LEFTOVERS[0]);
        assert_eq!(findings(&text).errors.len(), 1);
        let text = format!("//! Purpose.\n// CDL{}V\n", LEFTOVERS[5]);
        assert!(findings(&text).errors.is_empty());
    }

    #[test]
    fn long_functions_and_files_are_remarks() {
        let body = "        1;\n".repeat(70);
        let text =
            format!("//! P.\nimpl A {{\n    pub fn a() {{\n{body}    }}\n\n    fn b() {{}}\n}}\n");
        assert_eq!(long_functions(&text), [(3, 72)]);
        let text = format!("//! P.\n{}", "// x\n".repeat(800));
        assert_eq!(findings(&text).remarks.len(), 1);
        assert!(findings(&text).errors.is_empty());
    }
}

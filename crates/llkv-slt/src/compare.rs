//! Compares results with expectations: no reshaping, no tolerance beyond what a format itself says.

mod value;

use crate::dialect::Dialect;
use crate::script::SortMode;
use md5::{Digest, Md5};
use std::fmt::Write as _;
use value::values_match;

/// A result as texts, row by row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResultText {
    /// Columns of each row.
    pub columns: usize,
    /// The values, all of the first row first.
    pub values: Vec<String>,
    /// Columns whose values are floats, where the format compares them as numbers.
    pub kinds: Vec<ValueKind>,
}

/// How values of a column are compared in files that say so (DuckDB's).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// As text.
    Text,
    /// `1` is `true`.
    Boolean,
    /// Integers and decimals: equal as numbers.
    Exact,
    /// REAL
    Real,
    /// DOUBLE
    Double,
}

impl ResultText {
    /// Puts rows or values into the order of their texts.
    pub fn sort(&mut self, mode: SortMode) {
        sort_values(&mut self.values, self.columns, mode);
    }

    /// The md5 of every value with a line feed after it, in hexadecimal.
    #[must_use]
    pub fn hash(&self) -> String {
        hash_values(&self.values)
    }

    /// The line that stands for the whole result.
    #[must_use]
    pub fn hash_line(&self) -> String {
        format!("{} values hashing to {}", self.values.len(), self.hash())
    }

    /// The result as lines of a file of the dialect.
    #[must_use]
    pub fn lines(&self, dialect: Dialect) -> Vec<String> {
        if dialect == Dialect::Sqlite || self.columns <= 1 {
            return self.values.clone();
        }
        let rows = self.values.chunks(self.columns);
        rows.map(|row| row.join("\t")).collect()
    }
}

fn sort_values(values: &mut [String], columns: usize, mode: SortMode) {
    match mode {
        SortMode::None => {}
        SortMode::Rows if columns > 1 => {
            let mut rows: Vec<Vec<String>> = values
                .chunks_mut(columns)
                .map(|row| row.iter_mut().map(std::mem::take).collect())
                .collect();
            rows.sort_unstable();
            for (slot, value) in values.iter_mut().zip(rows.into_iter().flatten()) {
                *slot = value;
            }
        }
        SortMode::Rows | SortMode::Values => values.sort_unstable(),
    }
}

/// The md5 of values, each with a line feed after it.
pub(crate) fn hash_values<S: AsRef<str>>(values: &[S]) -> String {
    let mut hasher = Md5::new();
    for value in values {
        hasher.update(value.as_ref());
        hasher.update(b"\n");
    }
    let mut text = String::with_capacity(32);
    for byte in hasher.finalize() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Count and md5 of a line `N values hashing to MD5`.
pub(crate) fn parse_hash_line(line: &str) -> Option<(usize, &str)> {
    let (count, hash) = line.trim_end().split_once(" values hashing to ")?;
    let hexadecimal = hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some((count.parse().ok()?, hash)).filter(|_| hexadecimal)
}

/// How an expectation of a record is written down.
#[derive(Debug, PartialEq)]
enum Expected {
    Hash { count: usize, hash: String },
    Values(Vec<String>),
}

fn expectation(lines: &[String], columns: usize, dialect: Dialect) -> Expected {
    if let [line] = lines
        && let Some((count, hash)) = parse_hash_line(line)
    {
        let hash = hash.to_ascii_lowercase();
        return Expected::Hash { count, hash };
    }
    let row_wise = dialect != Dialect::Sqlite
        && columns > 1
        && lines.iter().all(|line| line.split('\t').count() == columns);
    if !row_wise {
        return Expected::Values(lines.to_vec());
    }
    let values = lines.iter().flat_map(|line| line.split('\t'));
    Expected::Values(values.map(str::to_owned).collect())
}

/// Compares a sorted result with the lines of a record; the first difference in words when they differ.
///
/// # Errors
/// The difference.
pub fn compare(
    result: &ResultText,
    lines: &[String],
    sort: SortMode,
    dialect: Dialect,
) -> Result<(), String> {
    let mut expected = match expectation(lines, result.columns, dialect) {
        Expected::Values(values) => values,
        Expected::Hash { count, hash } => return compare_hash(result, count, &hash),
    };
    if expected.len() != result.values.len() {
        return Err(format!(
            "expected {} values, got {}",
            expected.len(),
            result.values.len()
        ));
    }
    if dialect == Dialect::Duckdb {
        for (index, value) in expected.iter_mut().enumerate() {
            let column = index.checked_rem(result.columns).unwrap_or(0);
            plain(value, result.kinds.get(column).copied());
        }
    }
    if dialect != Dialect::Sqlite {
        // SQLite's corpus has its expectations sorted; ours and DuckDB's may stand in any order.
        sort_values(&mut expected, result.columns, sort);
    }
    for (index, (got, expected)) in result.values.iter().zip(&expected).enumerate() {
        let column = index.checked_rem(result.columns).unwrap_or(0);
        // Sorted values have lost their column.
        let kind = match sort {
            SortMode::Values => None,
            SortMode::None | SortMode::Rows => result.kinds.get(column).copied(),
        };
        if !values_match(got, expected, kind, dialect) {
            let row = index.checked_div(result.columns).unwrap_or(0) + 1;
            return Err(format!(
                "row {row}, column {}: expected {expected:?}, got {got:?}",
                column + 1
            ));
        }
    }
    Ok(())
}

/// Booleans as they are printed and numbers without blanks, so that both sides sort alike.
fn plain(value: &mut String, kind: Option<ValueKind>) {
    match kind {
        Some(ValueKind::Boolean) if value.eq_ignore_ascii_case("true") => *value = "1".into(),
        Some(ValueKind::Boolean) if value.eq_ignore_ascii_case("false") => *value = "0".into(),
        Some(ValueKind::Exact) if value.trim() != value => *value = value.trim().to_owned(),
        _ => {}
    }
}

fn compare_hash(result: &ResultText, count: usize, hash: &str) -> Result<(), String> {
    if count != result.values.len() {
        return Err(format!(
            "expected {count} values, got {}",
            result.values.len()
        ));
    }
    let got = result.hash();
    if got != hash {
        return Err(format!("expected the hash {hash}, got {got}"));
    }
    Ok(())
}

/// The hash that a record's expectation stands for, without running it. None where it cannot be known.
pub(crate) fn expected_hash(
    lines: &[String],
    columns: usize,
    sort: SortMode,
    dialect: Dialect,
) -> String {
    match expectation(lines, columns, dialect) {
        Expected::Hash { hash, .. } => hash,
        Expected::Values(mut values) => {
            sort_values(&mut values, columns, sort);
            hash_values(&values)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(columns: usize, values: &[&str]) -> ResultText {
        ResultText {
            columns,
            values: values.iter().map(|&value| value.to_owned()).collect(),
            kinds: vec![ValueKind::Text; columns],
        }
    }

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|&line| line.to_owned()).collect()
    }

    fn matches(result: &ResultText, expected: &[&str], dialect: Dialect) -> bool {
        compare(result, &lines(expected), SortMode::None, dialect).is_ok()
    }

    #[test]
    fn the_hash_is_md5_over_lines() {
        // printf '1\n2\n3\n' | md5sum
        let three = result(1, &["1", "2", "3"]);
        assert_eq!(three.hash(), "c0710d6b4f15dfa88f600b0e6b624077");
        assert!(matches(
            &three,
            &["3 values hashing to c0710d6b4f15dfa88f600b0e6b624077"],
            Dialect::Sqlite
        ));
        assert!(!matches(
            &three,
            &["4 values hashing to c0710d6b4f15dfa88f600b0e6b624077"],
            Dialect::Sqlite
        ));
        assert!(!matches(
            &result(1, &["1", "2", "4"]),
            &["3 values hashing to c0710d6b4f15dfa88f600b0e6b624077"],
            Dialect::Sqlite
        ));
    }

    #[test]
    fn sort_modes() {
        let mut rows = result(2, &["b", "1", "a", "9", "a", "10"]);
        rows.sort(SortMode::Rows);
        assert_eq!(rows.values, ["a", "10", "a", "9", "b", "1"]);
        rows.sort(SortMode::Values);
        assert_eq!(rows.values, ["1", "10", "9", "a", "a", "b"]);
        let mut unsorted = result(1, &["b", "a"]);
        unsorted.sort(SortMode::None);
        assert_eq!(unsorted.values, ["b", "a"]);
    }

    #[test]
    fn rows_may_be_lines_only_outside_sqlite() {
        let rows = result(2, &["1", "x", "2", "y"]);
        assert!(matches(&rows, &["1\tx", "2\ty"], Dialect::Duckdb));
        assert!(matches(&rows, &["1", "x", "2", "y"], Dialect::Duckdb));
        assert!(!matches(&rows, &["1\tx", "2\ty"], Dialect::Sqlite));
        assert!(!matches(&rows, &["1\tx"], Dialect::Duckdb));
        assert!(!matches(&rows, &["1\tx", "2\tz"], Dialect::Llkv));
    }

    #[test]
    fn an_unordered_expectation_is_a_multiset() {
        let mut rows = result(1, &["b", "a", "a"]);
        rows.sort(SortMode::Rows);
        let compare =
            |expected: &[&str]| compare(&rows, &lines(expected), SortMode::Rows, Dialect::Llkv);
        assert!(compare(&["b", "a", "a"]).is_ok());
        assert!(compare(&["b", "b", "a"]).is_err());
    }

    #[test]
    fn an_expected_hash_can_be_told_without_running() {
        let of = |text: &[&str]| expected_hash(&lines(text), 1, SortMode::None, Dialect::Sqlite);
        assert_eq!(
            of(&["1", "2", "3"]),
            of(&["3 values hashing to c0710d6b4f15dfa88f600b0e6b624077"])
        );
    }

    #[test]
    fn a_difference_names_its_place() {
        let rows = result(2, &["1", "x", "2", "y"]);
        let expected = lines(&["1\tx", "2\tz"]);
        let difference = compare(&rows, &expected, SortMode::None, Dialect::Llkv).unwrap_err();
        assert_eq!(difference, r#"row 2, column 2: expected "z", got "y""#);
    }
}

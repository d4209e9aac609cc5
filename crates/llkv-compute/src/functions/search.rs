//! Looking for a text in another.

use super::args::{build, build_boolean, exactly, texts};
use super::numeric::function;
use arrow::array::ArrayRef;
use arrow::datatypes::Int64Type;
use llkv_expr::{FunctionArgs, ScalarFunction, Signature};
use llkv_result::Result;
use llkv_types::SqlType;

use SqlType::{Boolean, Int64, Text};

fn test_signature(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[Text, Text], Boolean)
}

fn position_signature(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[Text, Text], Int64)
}

fn test(args: &FunctionArgs<'_>, f: impl Fn(&str, &str) -> bool) -> Result<ArrayRef> {
    let (x, y) = (texts(args, 0)?, texts(args, 1)?);
    build_boolean(args.rows, |row| {
        Ok(x.get(row).zip(y.get(row)).map(|(x, y)| f(x, y)))
    })
}

/// The position in characters, 0 for none.
fn strpos(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let (x, y) = (texts(args, 0)?, texts(args, 1)?);
    build::<Int64Type>(args, |row| {
        Ok(x.get(row).zip(y.get(row)).map(|(x, y)| match x.find(y) {
            Some(at) => {
                x.get(..at)
                    .map_or(0, |before| before.chars().count() as i64)
                    + 1
            }
            None => 0,
        }))
    })
}

/// SQLite's GLOB: `*`, `?` and sets such as `[a-z]` or `[^0-9]`; the pattern comes first.
fn glob(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    test(args, |pattern, text| {
        let pattern: Vec<char> = pattern.chars().collect();
        let text: Vec<char> = text.chars().collect();
        glob_match(&pattern, &text)
    })
}

/// What one character of the text may be, and the length of that in the pattern.
fn glob_one(pattern: &[char], c: char) -> Option<usize> {
    match pattern {
        ['?', ..] => Some(1),
        ['[', set @ ..] => {
            let (negated, set) = match set {
                ['^', rest @ ..] => (true, rest),
                rest => (false, rest),
            };
            // A bracket right at the start belongs to the set.
            let end = set.iter().skip(1).position(|c| *c == ']')? + 1;
            let inside = set_contains(set.get(..end)?, c);
            (inside != negated).then_some(2 + usize::from(negated) + end)
        }
        [literal, ..] if *literal == c => Some(1),
        _ => None,
    }
}

fn set_contains(set: &[char], c: char) -> bool {
    match set {
        [low, '-', high, rest @ ..] => (*low..=*high).contains(&c) || set_contains(rest, c),
        [one, rest @ ..] => *one == c || set_contains(rest, c),
        [] => false,
    }
}

/// Greedy, returning to the last `*` on a mismatch.
fn glob_match(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let rest = pattern.get(p..).unwrap_or_default();
        if rest.first() == Some(&'*') {
            p += 1;
            retry = Some((p, t));
            continue;
        }
        match text.get(t) {
            None if rest.is_empty() => return true,
            Some(c) if !rest.is_empty() => {
                if let Some(length) = glob_one(rest, *c) {
                    p += length;
                    t += 1;
                    continue;
                }
            }
            _ => {}
        }
        match &mut retry {
            Some((after, from)) if *from < text.len() => {
                *from += 1;
                (p, t) = (*after, *from);
            }
            _ => return false,
        }
    }
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    function!(
        "strpos",
        &["instr", "position"],
        "strpos(text, part)",
        "Where a part starts, counted from 1; 0 for nowhere.",
        ("strpos('database', 'base')", "5"),
        position_signature,
        strpos
    ),
    function!(
        "starts_with",
        &["prefix"],
        "starts_with(text, part)",
        "Whether the text starts with the part.",
        ("starts_with('database', 'data')", "true"),
        test_signature,
        |args| test(args, |x, y| x.starts_with(y))
    ),
    function!(
        "ends_with",
        &["suffix"],
        "ends_with(text, part)",
        "Whether the text ends with the part.",
        ("ends_with('database', 'base')", "true"),
        test_signature,
        |args| test(args, |x, y| x.ends_with(y))
    ),
    function!(
        "contains",
        &[],
        "contains(text, part)",
        "Whether the part is in the text.",
        ("contains('database', 'tab')", "true"),
        test_signature,
        |args| test(args, |x, y| x.contains(y))
    ),
    function!(
        "glob",
        &[],
        "glob(pattern, text)",
        "Whether the text matches a pattern of *, ? and [sets].",
        ("glob('d*[a-c]se', 'database')", "true"),
        test_signature,
        glob
    ),
];

//! Regular expressions, in the syntax of the `regex` crate: linear time, no back references.

use super::args::{build_boolean, build_text, exactly, invalid, natives, texts};
use super::numeric::function;
use arrow::array::ArrayRef;
use arrow::datatypes::Int64Type;
use llkv_expr::{FunctionArgs, ScalarFunction, Signature};
use llkv_result::Result;
use llkv_types::SqlType;
use regex::{Regex, RegexBuilder};
use std::cell::RefCell;

use SqlType::{Boolean, Int64, Text};

/// Compiled expressions that a thread keeps: a pattern is nearly always the same for all rows.
const KEPT: usize = 8;

/// Bytes of a compiled expression beyond which it is refused.
const MAX_COMPILED_BYTES: usize = 4 << 20;

thread_local! {
    static COMPILED: RefCell<Vec<(String, String, Regex)>> = const { RefCell::new(Vec::new()) };
}

/// The compiled form of a pattern.
pub(super) fn compiled(function: &'static str, pattern: &str, options: &str) -> Result<Regex> {
    COMPILED.with_borrow_mut(|kept| {
        let found = kept
            .iter()
            .position(|(p, o, _)| p == pattern && o == options);
        if let Some((_, _, regex)) = found.and_then(|at| kept.get(at)) {
            return Ok(regex.clone());
        }
        let mut builder = RegexBuilder::new(pattern);
        builder.size_limit(MAX_COMPILED_BYTES);
        for option in options.chars() {
            match option {
                'i' => builder.case_insensitive(true),
                'c' => builder.case_insensitive(false),
                's' => builder.dot_matches_new_line(true),
                'm' | 'n' => builder.multi_line(true),
                'x' => builder.ignore_whitespace(true),
                'g' => &mut builder,
                other => return Err(invalid(function, format!("unknown option '{other}'"))),
            };
        }
        let regex = builder
            .build()
            .map_err(|error| invalid(function, error.to_string()))?;
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push((pattern.to_owned(), options.to_owned(), regex.clone()));
        Ok(regex)
    })
}

fn matching(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[Text, Text], Boolean).or_else(|| exactly(types, &[Text, Text, Text], Boolean))
}

fn replacing(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[Text, Text, Text], Text)
        .or_else(|| exactly(types, &[Text, Text, Text, Text], Text))
}

fn extracting(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[Text, Text], Text).or_else(|| exactly(types, &[Text, Text, Int64], Text))
}

fn matches(args: &FunctionArgs<'_>, function: &'static str, whole: bool) -> Result<ArrayRef> {
    let (x, pattern) = (texts(args, 0)?, texts(args, 1)?);
    let options = match args.arrays.len() {
        3 => Some(texts(args, 2)?),
        _ => None,
    };
    build_boolean(args.rows, |row| {
        let (Some(x), Some(pattern)) = (x.get(row), pattern.get(row)) else {
            return Ok(None);
        };
        let options = match &options {
            None => "",
            Some(options) => match options.get(row) {
                None => return Ok(None),
                Some(options) => options,
            },
        };
        if !whole {
            return Ok(Some(compiled(function, pattern, options)?.is_match(x)));
        }
        let anchored = format!("^(?:{pattern})$");
        Ok(Some(compiled(function, &anchored, options)?.is_match(x)))
    })
}

/// `\1` as the group 1, `\\` as a backslash; a dollar is a dollar.
fn replacement(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '$' => out.push_str("$$"),
            '\\' => match chars.next() {
                Some(digit) if digit.is_ascii_digit() => {
                    out.extend(['$', '{', digit, '}']);
                }
                Some('&') => out.push_str("${0}"),
                Some('$') => out.push_str("$$"),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}

/// The first match, or with option `g` all of them.
fn regexp_replace(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    const NAME: &str = "regexp_replace";
    let (x, pattern, to) = (texts(args, 0)?, texts(args, 1)?, texts(args, 2)?);
    let options = match args.arrays.len() {
        4 => Some(texts(args, 3)?),
        _ => None,
    };
    build_text(args.rows, |row, out| {
        let (Some(x), Some(pattern), Some(to)) = (x.get(row), pattern.get(row), to.get(row)) else {
            return Ok(None);
        };
        let options = match &options {
            None => "",
            Some(options) => match options.get(row) {
                None => return Ok(None),
                Some(options) => options,
            },
        };
        let limit = usize::from(!options.contains('g'));
        let regex = compiled(NAME, pattern, options)?;
        out.push_str(&regex.replacen(x, limit, replacement(to).as_str()));
        Ok(Some(()))
    })
}

/// The first match or one of its groups; empty for none.
fn regexp_extract(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    const NAME: &str = "regexp_extract";
    let (x, pattern) = (texts(args, 0)?, texts(args, 1)?);
    let group = match args.arrays.len() {
        3 => Some(natives::<Int64Type>(args, 2)?),
        _ => None,
    };
    build_text(args.rows, |row, out| {
        let (Some(x), Some(pattern)) = (x.get(row), pattern.get(row)) else {
            return Ok(None);
        };
        let group = match &group {
            None => 0,
            Some(group) => match group.get(row) {
                None => return Ok(None),
                Some(group) => usize::try_from(group)
                    .map_err(|_| invalid(NAME, format!("no group {group}")))?,
            },
        };
        let regex = compiled(NAME, pattern, "")?;
        if group >= regex.captures_len() {
            return Err(invalid(NAME, format!("no group {group} in '{pattern}'")));
        }
        let found = regex.captures(x).and_then(|captures| captures.get(group));
        out.push_str(found.map_or("", |found| found.as_str()));
        Ok(Some(()))
    })
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    function!(
        "regexp_matches",
        &["regexp_like", "regexp"],
        "regexp_matches(text, pattern [, options])",
        "Whether the pattern matches a part of the text.",
        ("regexp_matches('database', 'b.s')", "true"),
        matching,
        |args| matches(args, "regexp_matches", false)
    ),
    function!(
        "regexp_full_match",
        &[],
        "regexp_full_match(text, pattern [, options])",
        "Whether the pattern matches the whole text.",
        ("regexp_full_match('database', 'b.s')", "false"),
        matching,
        |args| matches(args, "regexp_full_match", true)
    ),
    function!(
        "regexp_replace",
        &[],
        "regexp_replace(text, pattern, replacement [, options])",
        "The text with the first match replaced, or all of them with option g.",
        ("regexp_replace('banana', '(a)n', '<\\1>', 'g')", "b<a><a>a"),
        replacing,
        regexp_replace
    ),
    function!(
        "regexp_extract",
        &[],
        "regexp_extract(text, pattern [, group])",
        "The first match, or a group of it; empty for none.",
        ("regexp_extract('order 42', '([0-9]+)', 1)", "42"),
        extracting,
        regexp_extract
    ),
];

//! SIMILAR TO, and what else is asked of regular expressions: how many matches, where, which.

use super::args::{build, build_boolean, build_text, exactly, invalid, natives, texts};
use super::regexp::compiled;
use arrow::array::ArrayRef;
use arrow::datatypes::Int64Type;
use llkv_expr::{Dialects, FunctionArgs, ScalarFunction, Signature};
use llkv_result::Result;
use llkv_types::SqlType;

use SqlType::{Boolean, Int64, Text};

/// A pattern of SIMILAR TO as a regular expression: `%` and `_` as in LIKE; `|`, `*`, `+`, `?`, `{}`, `()` and
/// `[]` as they are; all else means itself.
fn similar_pattern(pattern: &str, escape: Option<char>) -> Result<String> {
    let mut out = String::from("^(?:");
    let mut chars = pattern.chars();
    let mut in_set = false;
    while let Some(c) = chars.next() {
        if Some(c) == escape {
            let Some(c) = chars.next() else {
                return Err(invalid(
                    "similar_to",
                    "the pattern ends in its escape character",
                ));
            };
            out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
            continue;
        }
        match c {
            ']' if in_set => {
                in_set = false;
                out.push(c);
            }
            '\\' | '[' | '&' | '~' if in_set => out.extend(['\\', c]),
            _ if in_set => out.push(c),
            '[' => {
                in_set = true;
                out.push(c);
            }
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            '|' | '*' | '+' | '?' | '{' | '}' | '(' | ')' => out.push(c),
            c => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    out.push_str(")$");
    Ok(out)
}

fn similar_to(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let (x, pattern) = (texts(args, 0)?, texts(args, 1)?);
    let escape = match args.arrays.len() {
        3 => Some(texts(args, 2)?),
        _ => None,
    };
    let mut known: Option<(String, String)> = None;
    build_boolean(args.rows, |row| {
        let (Some(x), Some(pattern)) = (x.get(row), pattern.get(row)) else {
            return Ok(None);
        };
        let escape = match &escape {
            None => Some('\\'),
            Some(escape) => match escape.get(row) {
                None => return Ok(None),
                Some(escape) if escape.chars().count() > 1 => {
                    return Err(invalid("similar_to", "an escape is one character"));
                }
                Some(escape) => escape.chars().next(),
            },
        };
        // A pattern is nearly always that of the row before.
        let translated = match known.take() {
            Some((of, translated)) if of == pattern && args.arrays.len() == 2 => translated,
            _ => similar_pattern(pattern, escape)?,
        };
        let is_match = compiled("similar_to", &translated, "s")?.is_match(x);
        known = Some((pattern.to_owned(), translated));
        Ok(Some(is_match))
    })
}

/// A place in characters, from 1, as one in bytes; `None` behind the end.
fn byte_at(text: &str, position: i64) -> Option<usize> {
    let index = usize::try_from(position.checked_sub(1)?).ok()?;
    let mut starts = text.char_indices().map(|(at, _)| at);
    starts
        .nth(index)
        .or_else(|| (text.chars().count() == index).then_some(text.len()))
}

/// Arguments from `at` on: the place to begin, the number of the match, options.
struct Search {
    start: i64,
    nth: i64,
    options: String,
}

fn search(args: &FunctionArgs<'_>, name: &'static str, row: usize) -> Result<Option<Search>> {
    let mut search = Search {
        start: 1,
        nth: 1,
        options: String::new(),
    };
    if args.arrays.len() > 2 {
        match natives::<Int64Type>(args, 2)?.get(row) {
            None => return Ok(None),
            Some(start) if start < 1 => {
                return Err(invalid(name, format!("start {start} is below 1")));
            }
            Some(start) => search.start = start,
        }
    }
    if args.arrays.len() > 3 && name != COUNT {
        match natives::<Int64Type>(args, 3)?.get(row) {
            None => return Ok(None),
            Some(nth) if nth < 1 => {
                return Err(invalid(name, format!("match {nth} is below 1")));
            }
            Some(nth) => search.nth = nth,
        }
    }
    let at_options = if name == COUNT { 3 } else { 4 };
    if args.arrays.len() > at_options {
        match texts(args, at_options)?.get(row) {
            None => return Ok(None),
            Some(options) => options.clone_into(&mut search.options),
        }
    }
    Ok(Some(search))
}

const COUNT: &str = "regexp_count";

fn regexp_count(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let (x, pattern) = (texts(args, 0)?, texts(args, 1)?);
    build::<Int64Type>(args, |row| {
        let (Some(x), Some(pattern)) = (x.get(row), pattern.get(row)) else {
            return Ok(None);
        };
        let Some(search) = search(args, COUNT, row)? else {
            return Ok(None);
        };
        let regex = compiled(COUNT, pattern, &search.options)?;
        let rest = byte_at(x, search.start).and_then(|at| x.get(at..));
        Ok(Some(
            rest.map_or(0, |rest| regex.find_iter(rest).count() as i64),
        ))
    })
}

/// The match that is asked for: where it begins in the text, in bytes, and its own text.
fn nth_match<'t>(
    name: &'static str,
    x: &'t str,
    pattern: &str,
    search: &Search,
) -> Result<Option<(usize, &'t str)>> {
    let regex = compiled(name, pattern, &search.options)?;
    let Some(start) = byte_at(x, search.start) else {
        return Ok(None);
    };
    let nth = usize::try_from(search.nth - 1).unwrap_or(usize::MAX);
    let rest = x.get(start..).unwrap_or("");
    let found = regex.find_iter(rest).nth(nth);
    Ok(found.map(|found| (start + found.start(), found.as_str())))
}

fn regexp_instr(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    const NAME: &str = "regexp_instr";
    let (x, pattern) = (texts(args, 0)?, texts(args, 1)?);
    build::<Int64Type>(args, |row| {
        let (Some(x), Some(pattern)) = (x.get(row), pattern.get(row)) else {
            return Ok(None);
        };
        let Some(search) = search(args, NAME, row)? else {
            return Ok(None);
        };
        let found = nth_match(NAME, x, pattern, &search)?;
        let position = |(at, _): (usize, &str)| {
            x.get(..at)
                .map_or(0, |before| before.chars().count() as i64 + 1)
        };
        Ok(Some(found.map_or(0, position)))
    })
}

fn regexp_substr(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    const NAME: &str = "regexp_substr";
    let (x, pattern) = (texts(args, 0)?, texts(args, 1)?);
    build_text(args.rows, |row, out| {
        let (Some(x), Some(pattern)) = (x.get(row), pattern.get(row)) else {
            return Ok(None);
        };
        let Some(search) = search(args, NAME, row)? else {
            return Ok(None);
        };
        let found = nth_match(NAME, x, pattern, &search)?;
        Ok(found.map(|(_, text)| out.push_str(text)))
    })
}

/// The first match, or its first group where the pattern has one: `substring(text FROM pattern)`.
fn regexp_part(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    const NAME: &str = "substring";
    let (x, pattern) = (texts(args, 0)?, texts(args, 1)?);
    build_text(args.rows, |row, out| {
        let (Some(x), Some(pattern)) = (x.get(row), pattern.get(row)) else {
            return Ok(None);
        };
        let regex = compiled(NAME, pattern, "")?;
        let group = usize::from(regex.captures_len() > 1);
        let found = regex.captures(x).and_then(|captures| captures.get(group));
        Ok(found.map(|found| out.push_str(found.as_str())))
    })
}

fn placed(types: &[SqlType], result: SqlType) -> Option<Signature> {
    let wanted = [Text, Text, Int64, Int64, Text];
    exactly(types, wanted.get(..types.len().max(2))?, result)
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "similar_to",
        "similar_to(text, pattern [, escape]), text SIMILAR TO pattern",
        "Whether the whole text matches a pattern of %, _ and the signs |, *, +, ?, {}, () and [].",
        ("'database' SIMILAR TO '(data|info)%'", "true"),
        |types| {
            exactly(types, &[Text, Text], Boolean)
                .or_else(|| exactly(types, &[Text, Text, Text], Boolean))
        },
        similar_to,
    ),
    ScalarFunction::new(
        "regexp_count",
        "regexp_count(text, pattern [, start [, options]])",
        "How many matches there are.",
        ("regexp_count('banana', 'a')", "3"),
        |types| {
            placed(types.get(..types.len().min(3))?, Int64)?;
            exactly(types, &[Text, Text, Int64, Text], Int64)
                .or_else(|| (types.len() < 4).then(|| placed(types, Int64)).flatten())
        },
        regexp_count,
    )
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "regexp_instr",
        "regexp_instr(text, pattern [, start [, n]])",
        "Where the n-th match begins, counted from 1; 0 for nowhere.",
        ("regexp_instr('banana', 'an', 1, 2)", "4"),
        |types| placed(types, Int64),
        regexp_instr,
    )
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "regexp_substr",
        "regexp_substr(text, pattern [, start [, n [, options]]])",
        "The n-th match; NULL where there is none.",
        ("regexp_substr('order 42 of 99', '[0-9]+', 1, 2)", "99"),
        |types| placed(types, Text),
        regexp_substr,
    )
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "regexp_part",
        "regexp_part(text, pattern), substring(text FROM pattern)",
        "The first match, or the first group of it where the pattern has one; NULL for none.",
        ("substring('order 42' FROM 'r ([0-9])')", "4"),
        |types| exactly(types, &[Text, Text], Text),
        regexp_part,
    )
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "regexp_escape",
        "regexp_escape(text)",
        "A pattern that matches the text itself.",
        (
            "regexp_matches('1.5', '^' || regexp_escape('1.5') || '$')",
            "true",
        ),
        |types| exactly(types, &[Text], Text),
        |args| {
            let x = texts(args, 0)?;
            build_text(args.rows, |row, out| {
                Ok(x.get(row).map(|x| out.push_str(&regex::escape(x))))
            })
        },
    )
    .only_in(Dialects::LLKV.or(Dialects::DUCKDB)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_similar_to() {
        let is_match = |text: &str, pattern: &str| {
            let pattern = similar_pattern(pattern, Some('\\')).unwrap();
            compiled("similar_to", &pattern, "s")
                .unwrap()
                .is_match(text)
        };
        assert!(is_match("abc", "abc"));
        assert!(!is_match("abc", "a"));
        assert!(is_match("abc", "%(b|d)%"));
        assert!(!is_match("abc", "(b|c)%"));
        assert!(is_match("a.c", "a.c") && !is_match("abc", "a.c"));
        assert!(is_match("a%c", "a\\%c") && !is_match("abc", "a\\%c"));
        assert!(is_match("aab", "a{2}[a-c]"));
        assert!(similar_pattern("a\\", Some('\\')).is_err());
    }
}

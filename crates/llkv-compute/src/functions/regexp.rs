//! Regular expressions, in the syntax of the `regex` crate: linear time, no back references.

use super::args::{build_boolean, build_text, exactly, invalid, natives, texts};
use super::numeric::function;
use arrow::array::ArrayRef;
use arrow::datatypes::Int64Type;
use llkv_expr::{FunctionArgs, ScalarFunction, Signature};
use llkv_result::Result;
use llkv_types::SqlType;
use regex::{CaptureLocations, Regex, RegexBuilder};
use std::cell::RefCell;
use std::rc::Rc;

use SqlType::{Boolean, Int64, Text};

/// Compiled expressions that a thread keeps: a pattern is nearly always the same for all rows.
const KEPT: usize = 8;

/// Bytes of a compiled expression beyond which it is refused.
const MAX_COMPILED_BYTES: usize = 4 << 20;

thread_local! {
    static COMPILED: RefCell<Vec<(String, String, Rc<Regex>)>> = const { RefCell::new(Vec::new()) };
}

/// The compiled form of a pattern. It is shared: a clone would begin with empty caches, which cost more than a search.
pub(super) fn compiled(function: &'static str, pattern: &str, options: &str) -> Result<Rc<Regex>> {
    COMPILED.with_borrow_mut(|kept| {
        let found = kept
            .iter()
            .position(|(p, o, _)| p == pattern && o == options);
        if let Some((_, _, regex)) = found.and_then(|at| kept.get(at)) {
            return Ok(Rc::clone(regex));
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
        let regex = Rc::new(regex);
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push((pattern.to_owned(), options.to_owned(), Rc::clone(&regex)));
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

/// A part of a replacement.
#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    /// What a group of the pattern matched; nothing for a group that did not match or does not exist.
    Group(usize),
}

/// A replacement taken apart: `\1` is the group 1, `\&` the whole match, `\\` a backslash.
fn parts(replacement: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut chars = replacement.chars();
    while let Some(c) = chars.next() {
        let group = match c {
            '\\' => match chars.next() {
                Some('&') => Some(0),
                Some(digit) if digit.is_ascii_digit() => digit.to_digit(10),
                Some(other) => {
                    text.push(other);
                    None
                }
                None => {
                    text.push('\\');
                    None
                }
            },
            c => {
                text.push(c);
                None
            }
        };
        if let Some(group) = group {
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            parts.push(Part::Group(group as usize));
        }
    }
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    parts
}

/// Replaces with one pattern and one replacement at a time, which are nearly always the same for all rows.
struct Replacer {
    pattern: String,
    options: String,
    regex: Rc<Regex>,
    /// Where the groups of a match lie.
    found: CaptureLocations,
    replacement: String,
    parts: Vec<Part>,
}

impl Replacer {
    fn new(function: &'static str, pattern: &str, to: &str, options: &str) -> Result<Self> {
        let regex = compiled(function, pattern, options)?;
        Ok(Self {
            pattern: pattern.to_owned(),
            options: options.to_owned(),
            found: regex.capture_locations(),
            regex,
            replacement: to.to_owned(),
            parts: parts(to),
        })
    }

    fn is(&self, pattern: &str, to: &str, options: &str) -> bool {
        self.pattern == pattern && self.replacement == to && self.options == options
    }

    /// Writes `text` with the first match replaced, or with option `g` all of them.
    fn replace(&mut self, text: &str, out: &mut String) {
        let all = self.options.contains('g');
        let (mut copied, mut from) = (0, 0);
        while let Some(found) = self.regex.captures_read_at(&mut self.found, text, from) {
            // An empty match right behind another is none.
            let is_repeated = found.is_empty() && copied > 0 && found.start() == copied;
            if !is_repeated {
                out.push_str(text.get(copied..found.start()).unwrap_or_default());
                for part in &self.parts {
                    out.push_str(match part {
                        Part::Text(text) => text,
                        Part::Group(group) => match self.found.get(*group) {
                            Some((start, end)) => text.get(start..end).unwrap_or_default(),
                            None => "",
                        },
                    });
                }
                copied = found.end();
            }
            if !all {
                break;
            }
            from = found.end();
            if found.is_empty() {
                // The search goes on behind the next character.
                let Some(next) = text.get(from..).and_then(|rest| rest.chars().next()) else {
                    break;
                };
                from += next.len_utf8();
            }
        }
        out.push_str(text.get(copied..).unwrap_or_default());
    }
}

/// The first match, or with option `g` all of them.
fn regexp_replace(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    const NAME: &str = "regexp_replace";
    let (x, pattern, to) = (texts(args, 0)?, texts(args, 1)?, texts(args, 2)?);
    let options = match args.arrays.len() {
        4 => Some(texts(args, 3)?),
        _ => None,
    };
    let mut replacer: Option<Replacer> = None;
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
        let known = replacer.take().filter(|r| r.is(pattern, to, options));
        let replacer = match known {
            Some(known) => replacer.insert(known),
            None => replacer.insert(Replacer::new(NAME, pattern, to, options)?),
        };
        replacer.replace(x, out);
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same by the library's own replacing, whose references begin with a dollar.
    fn reference(regex: &Regex, text: &str, to: &str, all: bool) -> String {
        let dollars: String = parts(to)
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.replace('$', "$$"),
                Part::Group(group) => format!("${{{group}}}"),
            })
            .collect();
        let limit = usize::from(!all);
        regex.replacen(text, limit, dollars.as_str()).into_owned()
    }

    #[test]
    fn replacements_are_taken_apart() {
        let text = |text: &str| Part::Text(text.to_owned());
        let all = parts(r"a\1$1\\\&\x");
        let expected = [
            text("a"),
            Part::Group(1),
            text(r"$1\"),
            Part::Group(0),
            text("x"),
        ];
        assert_eq!(all, expected);
        assert_eq!(parts(r"a\"), [text(r"a\")]);
    }

    proptest! {
        #[test]
        fn replacing_is_that_of_the_library(
            text in "[ab\u{e9}\n]{0,12}",
            pattern in prop::sample::select(vec![
                "a", "a*", "(a)(b)?", "^a|b$", "", "b*?", "(?:a|b)+", "\u{e9}|(a)", "x*", "\\b", "(a*)(b*)",
            ]),
            to in prop::sample::select(vec!["", "-", r"<\1>", r"\2\1", r"\&\&", r"\9", "$1"]),
            all in any::<bool>(),
        ) {
            let options = if all { "g" } else { "" };
            let mut out = String::new();
            let mut replacer = Replacer::new("test", pattern, to, options).unwrap();
            replacer.replace(&text, &mut out);
            let expected = reference(&replacer.regex, &text, to, all);
            prop_assert_eq!(out, expected);
        }
    }
}

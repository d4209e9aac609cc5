//! LIKE patterns, parsed once; the usual shapes are searched for with `memchr::memmem`.

use super::substring::rows_containing;
use crate::arrays::{some_nulls, text};
use crate::value::Value;
use arrow::array::{Array, BooleanArray, BooleanBufferBuilder, StringViewArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use llkv_expr::LikeCase;
use llkv_result::{EvalError, Result};
use llkv_types::SqlType;
use memchr::memmem::Finder;
use std::borrow::Cow;
use std::sync::Arc;

/// A parsed pattern of LIKE or ILIKE: `%` is any text, `_` any one character.
#[derive(Debug)]
pub struct LikePattern {
    shape: Shape,
    case: LikeCase,
}

#[derive(Debug)]
enum Shape {
    /// What nothing matches.
    Nothing,
    /// No wildcard.
    Equals(String),
    /// `a%`
    Prefix(String),
    /// `%a`
    Suffix(String),
    /// `%a%`
    Contains(Box<Finder<'static>>),
    /// `a%b%c`: a prefix, texts that follow one another, a suffix.
    Parts {
        prefix: String,
        middle: Vec<Finder<'static>>,
        suffix: String,
    },
    /// Anything with `_`.
    General(Vec<Token>),
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Any,
    One,
    Char(char),
}

impl LikePattern {
    /// Parses a pattern. `escape` makes the character after it stand for itself.
    ///
    /// # Errors
    /// `InvalidArgument` where the pattern ends in the escape character.
    pub fn parse(pattern: &str, escape: Option<char>, case: LikeCase) -> Result<Self> {
        let shape = match tokens(pattern, escape, case) {
            Some(tokens) => shape(tokens),
            None if case == LikeCase::IgnoredInAscii => Shape::Nothing,
            None => {
                return Err(EvalError::InvalidArgument {
                    function: "like",
                    detail: format!("the pattern '{pattern}' ends in its escape character"),
                }
                .into());
            }
        };
        Ok(Self { shape, case })
    }

    /// Whether a text matches.
    #[must_use]
    pub fn is_match(&self, value: &str) -> bool {
        self.shape.is_match(&folded(value, self.case))
    }

    /// Which rows match, or do not where `negated`.
    pub(super) fn matches(&self, value: &Value, negated: bool) -> Result<Value> {
        if value.is_null_constant() {
            return Ok(Value::null(SqlType::Boolean));
        }
        let array = text(value.array().as_ref())?;
        let nulls = some_nulls(value.array());
        let mask = match &self.shape {
            // One loop per shape: the shape is not asked for at each row.
            Shape::Contains(finder) if self.case == LikeCase::Matters => {
                rows_containing(array, nulls.as_ref(), finder)
            }
            Shape::Parts { middle, .. } if self.case == LikeCase::Matters && !middle.is_empty() => {
                self.matching_with(array, nulls.as_ref(), middle)
            }
            Shape::Prefix(prefix) if self.case == LikeCase::Matters => {
                bytes_matching(array, nulls.as_ref(), |v| v.starts_with(prefix.as_bytes()))
            }
            Shape::Suffix(suffix) if self.case == LikeCase::Matters => {
                bytes_matching(array, nulls.as_ref(), |v| v.ends_with(suffix.as_bytes()))
            }
            _ => texts_matching(array, nulls.as_ref(), |v| self.is_match(v)),
        };
        let mask = if negated { !&mask } else { mask };
        Ok(value.like(Arc::new(BooleanArray::new(mask, nulls))))
    }
}

impl LikePattern {
    /// The matches among the texts that hold the longest of the parts between wildcards.
    fn matching_with(
        &self,
        array: &StringViewArray,
        nulls: Option<&NullBuffer>,
        middle: &[Finder<'_>],
    ) -> BooleanBuffer {
        let Some(longest) = middle.iter().max_by_key(|part| part.needle().len()) else {
            return texts_matching(array, nulls, |v| self.is_match(v));
        };
        let held = rows_containing(array, nulls, longest);
        let mut matches = BooleanBufferBuilder::new(array.len());
        matches.append_n(array.len(), false);
        for row in held.set_indices() {
            matches.set_bit(row, self.is_match(array.value(row)));
        }
        matches.finish()
    }
}

fn bytes_matching(
    array: &StringViewArray,
    nulls: Option<&NullBuffer>,
    test: impl Fn(&[u8]) -> bool,
) -> BooleanBuffer {
    texts_matching(array, nulls, |value| test(value.as_bytes()))
}

fn texts_matching(
    array: &StringViewArray,
    nulls: Option<&NullBuffer>,
    test: impl Fn(&str) -> bool,
) -> BooleanBuffer {
    match nulls {
        None => BooleanBuffer::collect_bool(array.len(), |row| test(array.value(row))),
        Some(nulls) => BooleanBuffer::collect_bool(array.len(), |row| {
            nulls.is_valid(row) && test(array.value(row))
        }),
    }
}

/// A text in which one letter stands for all that are one.
fn folded(text: &str, case: LikeCase) -> Cow<'_, str> {
    match case {
        LikeCase::Matters => Cow::Borrowed(text),
        LikeCase::Ignored => Cow::Owned(text.chars().flat_map(char::to_lowercase).collect()),
        LikeCase::IgnoredInAscii => Cow::Owned(text.to_ascii_lowercase()),
    }
}

/// The parts of a pattern; none where it ends in its escape character.
fn tokens(pattern: &str, escape: Option<char>, case: LikeCase) -> Option<Vec<Token>> {
    let mut out: Vec<Token> = Vec::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        let letter = match c {
            c if Some(c) == escape => chars.next()?,
            '%' if out.last() == Some(&Token::Any) => continue,
            '%' => {
                out.push(Token::Any);
                continue;
            }
            '_' => {
                out.push(Token::One);
                continue;
            }
            c => c,
        };
        let mut buffer = [0; 4];
        let letters = folded(letter.encode_utf8(&mut buffer), case);
        out.extend(letters.chars().map(Token::Char));
    }
    Some(out)
}

fn shape(tokens: Vec<Token>) -> Shape {
    if tokens.contains(&Token::One) {
        return Shape::General(tokens);
    }
    let mut texts: Vec<String> = tokens
        .split(|token| *token == Token::Any)
        .map(|part| {
            part.iter()
                .filter_map(|token| match token {
                    Token::Char(c) => Some(*c),
                    _ => None,
                })
                .collect()
        })
        .collect();
    match texts.as_mut_slice() {
        [] => Shape::Equals(String::new()),
        [only] => Shape::Equals(std::mem::take(only)),
        [prefix, suffix] if suffix.is_empty() => Shape::Prefix(std::mem::take(prefix)),
        [prefix, suffix] if prefix.is_empty() => Shape::Suffix(std::mem::take(suffix)),
        [prefix, middle, suffix] if prefix.is_empty() && suffix.is_empty() => {
            Shape::Contains(Box::new(Finder::new(middle.as_bytes()).into_owned()))
        }
        [prefix, middle @ .., suffix] => Shape::Parts {
            prefix: std::mem::take(prefix),
            middle: middle
                .iter()
                .map(|part| Finder::new(part.as_bytes()).into_owned())
                .collect(),
            suffix: std::mem::take(suffix),
        },
    }
}

impl Shape {
    fn is_match(&self, value: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Equals(text) => value == text,
            Self::Prefix(prefix) => value.starts_with(prefix.as_str()),
            Self::Suffix(suffix) => value.ends_with(suffix.as_str()),
            Self::Contains(finder) => finder.find(value.as_bytes()).is_some(),
            Self::Parts {
                prefix,
                middle,
                suffix,
            } => parts_match(value.as_bytes(), prefix, middle, suffix),
            Self::General(tokens) => general_match(value, tokens),
        }
    }
}

fn parts_match(value: &[u8], prefix: &str, middle: &[Finder<'_>], suffix: &str) -> bool {
    let Some(rest) = value.strip_prefix(prefix.as_bytes()) else {
        return false;
    };
    let Some(mut rest) = rest.strip_suffix(suffix.as_bytes()) else {
        return false;
    };
    for finder in middle {
        let found = finder.find(rest);
        match found.and_then(|at| rest.get(at + finder.needle().len()..)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

/// Greedy matching that returns to the last `%` on a mismatch: linear in space, at worst quadratic in time.
fn general_match(value: &str, tokens: &[Token]) -> bool {
    let mut chars = value.chars();
    let mut at = 0;
    let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        if tokens.get(at) == Some(&Token::Any) {
            at += 1;
            retry = Some((at, chars.clone()));
            continue;
        }
        let before = chars.clone();
        match (tokens.get(at), chars.next()) {
            (None, None) => return true,
            (Some(Token::One), Some(_)) => at += 1,
            (Some(Token::Char(wanted)), Some(c)) if *wanted == c => at += 1,
            _ => {
                drop(before);
                let Some((after_any, from)) = &mut retry else {
                    return false;
                };
                if from.next().is_none() {
                    return false;
                }
                at = *after_any;
                chars = from.clone();
            }
        }
    }
}

/// LIKE with a pattern per row; a pattern is parsed again only when it changes.
pub(super) fn matches_each(
    value: &Value,
    pattern: &Value,
    (escape, case): (Option<char>, LikeCase),
    negated: bool,
) -> Result<Value> {
    if value.is_null_constant() || pattern.is_null_constant() {
        return Ok(Value::null(SqlType::Boolean));
    }
    let (values, patterns) = (
        text(value.array().as_ref())?,
        text(pattern.array().as_ref())?,
    );
    let constant = value.is_constant() && pattern.is_constant();
    let rows = if value.is_constant() {
        patterns.len()
    } else {
        values.len()
    };
    let mut last: Option<(&str, LikePattern)> = None;
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        let v = if value.is_constant() { 0 } else { row };
        let p = if pattern.is_constant() { 0 } else { row };
        if values.is_null(v) || patterns.is_null(p) {
            out.push(None);
            continue;
        }
        let source = patterns.value(p);
        if last.as_ref().is_none_or(|(known, _)| *known != source) {
            last = Some((source, LikePattern::parse(source, escape, case)?));
        }
        let matched = last
            .as_ref()
            .is_some_and(|(_, parsed)| parsed.is_match(values.value(v)));
        out.push(Some(matched != negated));
    }
    let mask = Arc::new(BooleanArray::from(out));
    Ok(if constant {
        Value::Constant(mask)
    } else {
        Value::Rows(mask)
    })
}

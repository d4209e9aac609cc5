//! Text in, text or a number out. Lengths and positions count characters, from 1.

use super::args::{blobs, build, build_text, exactly, invalid, natives, signature, texts};
use super::numeric::function;
use crate::arrays::sql_type;
use arrow::array::ArrayRef;
use arrow::datatypes::{Int32Type, Int64Type};
use llkv_expr::{FunctionArgs, ScalarFunction, Signature};
use llkv_result::Result;
use llkv_types::SqlType;

use SqlType::{Int64, Text};

fn text_to_text(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[Text], Text)
}

/// TEXT or BLOB, measured.
fn measured(types: &[SqlType]) -> Option<Signature> {
    match types {
        [SqlType::Blob] => signature(&[SqlType::Blob], Int64),
        _ => exactly(types, &[Text], Int64),
    }
}

fn text_and_integers(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[Text, Int64], Text)
}

fn text_and_one_or_two_integers(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[Text, Int64, Int64], Text).or_else(|| text_and_integers(types))
}

fn one_or_two_texts(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[Text, Text], Text).or_else(|| text_to_text(types))
}

fn map(args: &FunctionArgs<'_>, f: impl Fn(&str, &mut String)) -> Result<ArrayRef> {
    let x = texts(args, 0)?;
    build_text(args.rows, |row, out| Ok(x.get(row).map(|x| f(x, out))))
}

/// The lower case of a character as one character: the text keeps its length, as in PostgreSQL.
fn simple_lowercase(c: char) -> char {
    // The dotted capital I is the one letter with a longer form; its first character is the letter.
    c.to_lowercase().next().unwrap_or(c)
}

/// The upper case of a character as one character; one without such a form, as `ß`, stays.
fn simple_uppercase(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(only), None) => only,
        _ => with_iota(c).unwrap_or(c),
    }
}

/// The capital of a Greek vowel with an iota below, which Unicode's longer form writes as two letters.
fn with_iota(c: char) -> Option<char> {
    let distance = match c {
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => 8,
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => 9,
        _ => return None,
    };
    char::from_u32(u32::from(c) + distance)
}

fn lower(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    map(args, |x, out| {
        if x.is_ascii() {
            out.push_str(x);
            out.make_ascii_lowercase();
        } else {
            out.extend(x.chars().map(simple_lowercase));
        }
    })
}

fn upper(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    map(args, |x, out| {
        if x.is_ascii() {
            out.push_str(x);
            out.make_ascii_uppercase();
        } else {
            out.extend(x.chars().map(simple_uppercase));
        }
    })
}

fn initcap(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    map(args, |x, out| {
        let mut in_word = false;
        for c in x.chars() {
            if in_word {
                out.push(simple_lowercase(c));
            } else {
                out.push(simple_uppercase(c));
            }
            in_word = c.is_alphanumeric();
        }
    })
}

/// Characters of a text, counted without decoding; bytes of a blob.
fn length(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    if is_blob(args)? {
        return octet_length(args);
    }
    let x = texts(args, 0)?;
    build::<Int64Type>(args, |row| Ok(x.get(row).map(|x| characters(x) as i64)))
}

pub(super) fn characters(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.chars().count()
    }
}

fn is_blob(args: &FunctionArgs<'_>) -> Result<bool> {
    Ok(sql_type(super::args::array(args, 0)?.as_ref())? == SqlType::Blob)
}

fn octet_length(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    if is_blob(args)? {
        let x = blobs(args, 0)?;
        return build::<Int64Type>(args, |row| Ok(x.get(row).map(|x| x.len() as i64)));
    }
    let x = texts(args, 0)?;
    build::<Int64Type>(args, |row| Ok(x.get(row).map(|x| x.len() as i64)))
}

/// The byte at which the character `index`, from 0, starts; the end for one past the last.
fn byte_of(text: &str, index: usize) -> usize {
    if text.is_ascii() {
        return index.min(text.len());
    }
    text.char_indices()
        .nth(index)
        .map_or(text.len(), |(at, _)| at)
}

/// The characters from `start` to before `end`, from 0.
pub(super) fn slice(text: &str, start: usize, end: usize) -> &str {
    let from = byte_of(text, start);
    let to = byte_of(text, end);
    text.get(from..to).unwrap_or("")
}

/// As in PostgreSQL: positions before the first, negative ones too, count against the length.
fn substr(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let (x, start) = (texts(args, 0)?, natives::<Int64Type>(args, 1)?);
    let length = match args.arrays.len() {
        3 => Some(natives::<Int64Type>(args, 2)?),
        _ => None,
    };
    build_text(args.rows, |row, out| {
        let (Some(x), Some(start)) = (x.get(row), start.get(row)) else {
            return Ok(None);
        };
        let length = match &length {
            None => i64::MAX,
            Some(length) => match length.get(row) {
                None => return Ok(None),
                Some(length) if length < 0 => {
                    return Err(invalid("substr", format!("negative length {length}")));
                }
                Some(length) => length,
            },
        };
        let first = start.saturating_sub(1);
        let end = first.saturating_add(length).max(0);
        out.push_str(slice(x, first.max(0) as usize, end as usize));
        Ok(Some(()))
    })
}

/// The first characters; all but the last for a negative count.
fn left(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let (x, count) = (texts(args, 0)?, natives::<Int64Type>(args, 1)?);
    build_text(args.rows, |row, out| {
        let (Some(x), Some(count)) = (x.get(row), count.get(row)) else {
            return Ok(None);
        };
        out.push_str(slice(x, 0, counted(x, count)));
        Ok(Some(()))
    })
}

/// The last characters; all but the first for a negative count.
fn right(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let (x, count) = (texts(args, 0)?, natives::<Int64Type>(args, 1)?);
    build_text(args.rows, |row, out| {
        let (Some(x), Some(count)) = (x.get(row), count.get(row)) else {
            return Ok(None);
        };
        let all = characters(x);
        out.push_str(slice(x, all - counted(x, count).min(all), all));
        Ok(Some(()))
    })
}

/// A count of characters; a negative one counts those left out.
fn counted(text: &str, count: i64) -> usize {
    let all = characters(text) as i64;
    let count = if count < 0 {
        all.saturating_add(count)
    } else {
        count
    };
    count.clamp(0, all) as usize
}

/// Which ends are trimmed.
#[derive(Clone, Copy, PartialEq)]
enum Ends {
    Both,
    Left,
    Right,
}

fn trim(args: &FunctionArgs<'_>, ends: Ends) -> Result<ArrayRef> {
    let x = texts(args, 0)?;
    let set = match args.arrays.len() {
        2 => Some(texts(args, 1)?),
        _ => None,
    };
    build_text(args.rows, |row, out| {
        let Some(mut x) = x.get(row) else {
            return Ok(None);
        };
        let set = match &set {
            None => " ",
            Some(set) => match set.get(row) {
                None => return Ok(None),
                Some(set) => set,
            },
        };
        if ends != Ends::Right {
            x = x.trim_start_matches(|c| set.contains(c));
        }
        if ends != Ends::Left {
            x = x.trim_end_matches(|c| set.contains(c));
        }
        out.push_str(x);
        Ok(Some(()))
    })
}

fn reverse(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    map(args, |x, out| out.extend(x.chars().rev()))
}

/// The code point of the first character, 0 for an empty text.
fn ascii(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let x = texts(args, 0)?;
    build::<Int32Type>(args, |row| {
        Ok(x.get(row).map(|x| x.chars().next().map_or(0, |c| c as i32)))
    })
}

fn chr(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let x = natives::<Int64Type>(args, 0)?;
    build_text(args.rows, |row, out| {
        let Some(code) = x.get(row) else {
            return Ok(None);
        };
        match u32::try_from(code).ok().and_then(char::from_u32) {
            Some(c) => out.push(c),
            None => return Err(invalid("chr", format!("{code} is no character"))),
        }
        Ok(Some(()))
    })
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    function!(
        "lower",
        &["lcase"],
        "lower(text)",
        "The text in lower case.",
        ("lower('ABC')", "abc"),
        text_to_text,
        lower
    ),
    function!(
        "upper",
        &["ucase"],
        "upper(text)",
        "The text in upper case.",
        ("upper('abc')", "ABC"),
        text_to_text,
        upper
    ),
    function!(
        "initcap",
        &[],
        "initcap(text)",
        "Each word with a capital.",
        ("initcap('hello wORLD')", "Hello World"),
        text_to_text,
        initcap
    ),
    function!(
        "length",
        &["char_length", "character_length", "len"],
        "length(text)",
        "Characters of a text, bytes of a blob.",
        ("length('häuser')", "6"),
        measured,
        length
    ),
    function!(
        "octet_length",
        &["strlen"],
        "octet_length(text)",
        "Bytes.",
        ("octet_length('ä')", "2"),
        measured,
        octet_length
    ),
    function!(
        "substr",
        &["substring"],
        "substr(text, start [, length])",
        "The characters from a position on; those before the first count against the length.",
        ("substr('database', 5, 3)", "bas"),
        text_and_one_or_two_integers,
        substr
    ),
    function!(
        "left",
        &[],
        "left(text, count)",
        "The first characters.",
        ("left('database', 4)", "data"),
        text_and_integers,
        left
    ),
    function!(
        "right",
        &[],
        "right(text, count)",
        "The last characters.",
        ("right('database', 4)", "base"),
        text_and_integers,
        right
    ),
    function!(
        "trim",
        &["btrim"],
        "trim(text [, characters])",
        "The text without blanks, or the given characters, at both ends.",
        ("trim('xxhixx', 'x')", "hi"),
        one_or_two_texts,
        |args| trim(args, Ends::Both)
    ),
    function!(
        "ltrim",
        &[],
        "ltrim(text [, characters])",
        "The text without blanks, or the given characters, at its start.",
        ("ltrim('  hi')", "hi"),
        one_or_two_texts,
        |args| trim(args, Ends::Left)
    ),
    function!(
        "rtrim",
        &[],
        "rtrim(text [, characters])",
        "The text without blanks, or the given characters, at its end.",
        ("rtrim('hi  ')", "hi"),
        one_or_two_texts,
        |args| trim(args, Ends::Right)
    ),
    function!(
        "reverse",
        &[],
        "reverse(text)",
        "The characters backwards.",
        ("reverse('abc')", "cba"),
        text_to_text,
        reverse
    ),
    function!(
        "ascii",
        &["unicode", "ord"],
        "ascii(text)",
        "The code point of the first character.",
        ("ascii('A')", "65"),
        |types| exactly(types, &[Text], SqlType::Int32),
        ascii
    ),
    function!(
        "chr",
        &["char"],
        "chr(code)",
        "The character of a code point.",
        ("chr(65)", "A"),
        |types| exactly(types, &[Int64], Text),
        chr
    ),
];

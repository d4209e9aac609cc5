//! SQLite's functions of texts.

use super::args::{build, build_boolean, build_text, exactly, invalid, texts};
use super::decimals::Decimals;
use super::printf;
use super::sqlite_datetime::{Values, values};
use crate::cast::sqlite::integer_prefix;
use crate::prepared::LikePattern;
use arrow::array::ArrayRef;
use arrow::datatypes::Int64Type;
use llkv_expr::{Dialects, FunctionArgs, LikeCase, ScalarFunction};
use llkv_result::Result;
use llkv_types::variant::Variant;
use llkv_types::{Scalar, SqlType};

use SqlType::{Boolean, Int64, Text};

/// The longest pattern of LIKE.
const MAX_PATTERN: usize = 50_000;

fn format(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let values = Values::new(args)?;
    build_text(args.rows, |row, out| {
        let Some(pattern) = values.get(0, row)? else {
            return Ok(None);
        };
        let scalars = (1..values.len())
            .map(|at| {
                Ok(match values.get(at, row)? {
                    None => Scalar::Null(SqlType::Variant),
                    // As a text: a blob's bytes are read as one.
                    Some(Variant::Blob(bytes)) => {
                        Scalar::Text(String::from_utf8_lossy(bytes).into())
                    }
                    Some(value) => Scalar::variant(value),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let pattern = pattern.to_string();
        printf::write(out, &pattern, scalars.into_iter(), Decimals::HalfUp)?;
        Ok(Some(()))
    })
}

/// Characters by their code points.
fn char(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let values = Values::new(args)?;
    build_text(args.rows, |row, out| {
        for at in 0..values.len() {
            let code = values.get(at, row)?.map_or(0, integer_prefix);
            let known = u32::try_from(code).ok().and_then(char::from_u32);
            out.push(known.unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        Ok(Some(()))
    })
}

fn unicode(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let x = texts(args, 0)?;
    build::<Int64Type>(args, |row| {
        let first = x.get(row).and_then(|x| x.chars().next());
        Ok(first.map(|c| i64::from(u32::from(c))))
    })
}

/// Letters of ASCII alone, as SQLite's do.
fn ascii_case(args: &FunctionArgs<'_>, upper: bool) -> Result<ArrayRef> {
    let x = texts(args, 0)?;
    build_text(args.rows, |row, out| {
        let Some(x) = x.get(row) else {
            return Ok(None);
        };
        out.push_str(x);
        if upper {
            out.make_ascii_uppercase();
        } else {
            out.make_ascii_lowercase();
        }
        Ok(Some(()))
    })
}

/// `like(pattern, text [, escape])`
fn like(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let (pattern, text) = (texts(args, 0)?, texts(args, 1)?);
    let escape = match args.arrays.len() {
        3 => Some(texts(args, 2)?),
        _ => None,
    };
    build_boolean(args.rows, |row| {
        let (Some(pattern), Some(text)) = (pattern.get(row), text.get(row)) else {
            return Ok(None);
        };
        let escape = match &escape {
            None => None,
            Some(escape) => {
                let mut chars = escape.get(row).unwrap_or("").chars();
                match (chars.next(), chars.next()) {
                    (Some(only), None) => Some(only),
                    _ => return Err(invalid("like", "an escape is one character")),
                }
            }
        };
        if pattern.len() > MAX_PATTERN {
            return Err(invalid(
                "like",
                format!("a pattern of more than {MAX_PATTERN} bytes"),
            ));
        }
        Ok(Some(
            LikePattern::parse(pattern, escape, LikeCase::IgnoredInAscii)?.is_match(text),
        ))
    })
}

/// The letters' sounds, by the American rules of 1918: `?000` for no letter.
fn soundex(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let values = Values::new(args)?;
    build_text(args.rows, |row, out| {
        let text = values.get(0, row)?.map(|value| value.to_string());
        let text = text.unwrap_or_default();
        let mut letters = text.chars().filter(char::is_ascii_alphabetic);
        let Some(first) = letters.next() else {
            out.push_str("?000");
            return Ok(Some(()));
        };
        out.push(first.to_ascii_uppercase());
        let mut before = sound(first);
        for letter in letters {
            let own = sound(letter);
            if own == '0' {
                before = own;
            } else if own != before {
                out.push(own);
                before = own;
            }
            if out.len() == 4 {
                break;
            }
        }
        while out.len() < 4 {
            out.push('0');
        }
        Ok(Some(()))
    })
}

/// `0` for vowels and what sounds like none.
const fn sound(letter: char) -> char {
    match letter.to_ascii_lowercase() {
        'b' | 'f' | 'p' | 'v' => '1',
        'c' | 'g' | 'j' | 'k' | 'q' | 's' | 'x' | 'z' => '2',
        'd' | 't' => '3',
        'l' => '4',
        'm' | 'n' => '5',
        'r' => '6',
        _ => '0',
    }
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "printf",
        "printf(format, x, ...)",
        "Values by a format such as %d, %5.2f, %-10s or %Q.",
        (
            "printf('%03d|%.2f|%Q', 7, 1.5, 'it''s')",
            "007|1.50|'it''s'",
        ),
        |types| values(types, 1, Text),
        format,
    )
    .also(&["format"])
    .taking_nulls()
    .only_in(Dialects::SQLITE),
    ScalarFunction::new(
        "char",
        "char(code, ...)",
        "The characters of code points.",
        ("char(72, 105)", "Hi"),
        |types| values(types, 0, Text),
        char,
    )
    .taking_nulls()
    .only_in(Dialects::SQLITE),
    ScalarFunction::new(
        "unicode",
        "unicode(text)",
        "The code point of the first character; NULL for an empty text.",
        ("unicode('ä')", "228"),
        |types| exactly(types, &[Text], Int64),
        unicode,
    )
    .only_in(Dialects::SQLITE),
    ScalarFunction::new(
        "lower",
        "lower(text)",
        "The text with its ASCII letters in lower case.",
        ("lower('ABC')", "abc"),
        |types| exactly(types, &[Text], Text),
        |args| ascii_case(args, false),
    )
    .only_in(Dialects::SQLITE),
    ScalarFunction::new(
        "upper",
        "upper(text)",
        "The text with its ASCII letters in upper case.",
        ("upper('aä')", "Aä"),
        |types| exactly(types, &[Text], Text),
        |args| ascii_case(args, true),
    )
    .only_in(Dialects::SQLITE),
    ScalarFunction::new(
        "like",
        "like(pattern, text [, escape])",
        "Whether the text matches a pattern of % and _, whatever the case of its letters.",
        ("like('D%', 'database')", "1"),
        |types| {
            exactly(types, &[Text, Text], Boolean)
                .or_else(|| exactly(types, &[Text, Text, Text], Boolean))
        },
        like,
    )
    .only_in(Dialects::SQLITE),
    ScalarFunction::new(
        "soundex",
        "soundex(text)",
        "The sound of a name as a letter and three digits.",
        ("soundex('Robert')", "R163"),
        |types| match types {
            [_] => values(types, 1, Text),
            _ => None,
        },
        soundex,
    )
    .taking_nulls()
    .only_in(Dialects::SQLITE),
];

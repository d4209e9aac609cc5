//! `format`: PostgreSQL's with `%s`, `%I` and `%L`, DuckDB's with `{}`.

use super::args::{array, build_text, invalid, is_constant, signature, texts};
use super::decimals::Decimals;
use super::quoting::{write_identifier, write_literal};
use arrow::array::ArrayRef;
use llkv_expr::{Dialects, FunctionArgs, ScalarFunction, Signature};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType, text};
use std::iter::Peekable;
use std::str::Chars;

use SqlType::Text;

const NAME: &str = "format";

/// The widest field: a typo must not take all memory.
const MAX_WIDTH: usize = 10_000;

/// A format and any values.
pub(super) fn formatted(types: &[SqlType]) -> Option<Signature> {
    let (Text | SqlType::Null, rest) = types.split_first()? else {
        return None;
    };
    let mut args = vec![Text];
    args.extend_from_slice(rest);
    signature(&args, Text)
}

/// Writes each row's values, the first of which is the format.
fn rows(
    args: &FunctionArgs<'_>,
    write: impl Fn(&mut String, &str, &[Scalar]) -> Result<()>,
) -> Result<ArrayRef> {
    let pattern = texts(args, 0)?;
    build_text(args.rows, |row, out| {
        let Some(pattern) = pattern.get(row) else {
            return Ok(None);
        };
        let values = (1..args.arrays.len())
            .map(|at| {
                let row = if is_constant(args, at) { 0 } else { row };
                Scalar::from_array(array(args, at)?.as_ref(), row)
            })
            .collect::<Result<Vec<_>>>()?;
        write(out, pattern, &values)?;
        Ok(Some(()))
    })
}

fn number(chars: &mut Peekable<Chars<'_>>) -> Result<Option<usize>> {
    let mut value = None;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        chars.next();
        let next = value.unwrap_or(0) * 10 + digit as usize;
        if next > MAX_WIDTH {
            return Err(invalid(NAME, format!("a number above {MAX_WIDTH}")));
        }
        value = Some(next);
    }
    Ok(value)
}

fn value(values: &[Scalar], at: usize) -> Result<&Scalar> {
    values
        .get(at)
        .ok_or_else(|| invalid(NAME, format!("there is no value {}", at + 1)))
}

fn pad(out: &mut String, body: &str, width: usize, left: bool) {
    let missing = width.saturating_sub(body.chars().count());
    if left {
        out.push_str(body);
    }
    out.extend(std::iter::repeat_n(' ', missing));
    if !left {
        out.push_str(body);
    }
}

/// The field's width, a number or the value that `*` names; a negative one puts blanks behind.
fn width(
    chars: &mut Peekable<Chars<'_>>,
    values: &[Scalar],
    next: &mut usize,
) -> Result<(usize, bool)> {
    if chars.next_if_eq(&'*').is_none() {
        return Ok((number(chars)?.unwrap_or(0), false));
    }
    let at = match number(chars)? {
        None => *next,
        Some(position) if chars.next_if_eq(&'$').is_some() => position
            .checked_sub(1)
            .ok_or_else(|| invalid(NAME, "values are numbered from 1"))?,
        Some(_) => return Err(invalid(NAME, "the position of a width ends in $")),
    };
    *next = at + 1;
    let text = value(values, at)?.to_string();
    let width: i64 = match value(values, at)? {
        Scalar::Null(_) => 0,
        _ => text
            .parse()
            .map_err(|_| invalid(NAME, format!("the width {text} is no integer")))?,
    };
    let size = usize::try_from(width.unsigned_abs()).unwrap_or(usize::MAX);
    if size > MAX_WIDTH {
        return Err(invalid(NAME, format!("a field wider than {MAX_WIDTH}")));
    }
    Ok((size, width < 0))
}

/// PostgreSQL's: `%[position$][-][width]type` with the types `s`, `I` and `L`.
fn write_percent(out: &mut String, pattern: &str, values: &[Scalar]) -> Result<()> {
    let mut chars = pattern.chars().peekable();
    let mut next = 0;
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        if chars.next_if_eq(&'%').is_some() {
            out.push('%');
            continue;
        }
        // Digits are a position where a dollar follows, else a width.
        let mut ahead = chars.clone();
        let position = match number(&mut ahead)? {
            Some(position) if ahead.next_if_eq(&'$').is_some() => {
                chars = ahead;
                Some(
                    position
                        .checked_sub(1)
                        .ok_or_else(|| invalid(NAME, "values are numbered from 1"))?,
                )
            }
            _ => None,
        };
        let mut left = chars.next_if_eq(&'-').is_some();
        let (width, behind) = width(&mut chars, values, &mut next)?;
        left |= behind;
        let Some(letter) = chars.next() else {
            return Err(invalid(NAME, "the format ends within a field"));
        };
        let at = position.unwrap_or(next);
        next = at + 1;
        if !matches!(letter, 's' | 'I' | 'L') {
            return Err(invalid(NAME, format!("unknown type %{letter}")));
        }
        let mut body = String::new();
        match (letter, value(values, at)?) {
            ('I', Scalar::Null(_)) => {
                return Err(invalid(NAME, "NULL is no name"));
            }
            ('L', Scalar::Null(_)) => body.push_str("NULL"),
            (_, Scalar::Null(_)) => {}
            ('I', value) => write_identifier(&mut body, &value.to_string()),
            ('L', value) => write_literal(&mut body, &value.to_string()),
            (_, value) => body = value.to_string(),
        }
        pad(out, &body, width, left);
    }
    Ok(())
}

/// What stands between the colon and the brace: `[[fill]align][sign][0][width][,][.precision][type]`.
#[derive(Default)]
struct Spec {
    fill: Option<char>,
    align: Option<char>,
    plus: bool,
    zeros: bool,
    width: usize,
    separator: Option<char>,
    precision: Option<usize>,
    letter: Option<char>,
}

fn spec(text: &str) -> Result<Spec> {
    let mut spec = Spec::default();
    let mut chars = text.chars().peekable();
    let is_align = |c: &char| matches!(c, '<' | '>' | '^');
    let mut ahead = chars.clone();
    let first = ahead.next();
    if let (Some(fill), Some(align)) = (first, ahead.next().filter(is_align)) {
        spec.fill = Some(fill);
        spec.align = Some(align);
        chars = ahead;
    } else if let Some(align) = chars.next_if(is_align) {
        spec.align = Some(align);
    }
    spec.plus = chars.next_if_eq(&'+').is_some();
    spec.zeros = chars.next_if_eq(&'0').is_some();
    spec.width = number(&mut chars)?.unwrap_or(0);
    spec.separator = chars.next_if(|c| matches!(c, ',' | '_' | '\''));
    if spec.separator.is_none() && chars.next_if_eq(&'t').is_some() {
        spec.separator = chars.next();
    }
    if chars.next_if_eq(&'.').is_some() {
        spec.precision = number(&mut chars)?;
    }
    spec.letter = chars.next();
    match chars.next() {
        None => Ok(spec),
        Some(_) => Err(invalid(NAME, format!("unknown specification '{text}'"))),
    }
}

/// The digits before the point in groups of three.
fn grouped(digits: &str, separator: Option<char>) -> String {
    let Some(separator) = separator else {
        return digits.to_owned();
    };
    let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(separator);
        }
        out.push(digit);
    }
    out + rest
}

/// A number's digits without its sign, and whether it is negative; `None` for what is no number.
fn digits(spec: &Spec, value: &Scalar) -> Result<Option<(String, bool)>> {
    let ty = value.sql_type();
    let integer = || super::printf::integer(value);
    let float = || super::printf::float(value);
    if ty.is_integer() {
        let (size, negative) = (integer().unsigned_abs(), integer() < 0);
        let digits = match spec.letter {
            None | Some('d' | 'i' | 'n') => size.to_string(),
            Some('x') => format!("{size:x}"),
            Some('X') => format!("{size:X}"),
            Some('o') => format!("{size:o}"),
            Some('b' | 'B') => format!("{size:b}"),
            Some('c') => return Ok(None),
            Some('f' | 'F' | 'e' | 'E' | 'g' | 'G') => return Ok(Some(real(spec, float())?)),
            Some(other) => return Err(invalid(NAME, format!("an integer as '{other}'"))),
        };
        return Ok(Some((digits, negative)));
    }
    if ty.is_numeric() {
        if spec.letter.is_none() && spec.precision.is_none() {
            let text = value.to_string();
            let size = text.strip_prefix('-').unwrap_or(&text).to_owned();
            return Ok(Some((size, text.starts_with('-'))));
        }
        return Ok(Some(real(spec, float())?));
    }
    Ok(None)
}

fn real(spec: &Spec, x: f64) -> Result<(String, bool)> {
    let (size, precision) = (x.abs(), spec.precision.unwrap_or(6));
    let digits = match spec.letter {
        Some('f' | 'F') => format!("{size:.precision$}"),
        Some('e' | 'E') => super::printf::exponent(&format!("{size:.precision$e}")),
        None | Some('g' | 'G') => match spec.precision {
            None => text::Shown(|out| text::write_f64(out, size)).to_string(),
            Some(precision) => super::printf::general(size, precision, false, Decimals::Exact),
        },
        Some(other) => return Err(invalid(NAME, format!("a number as '{other}'"))),
    };
    Ok((digits, x.is_sign_negative()))
}

fn write_value(out: &mut String, spec: &Spec, value: &Scalar) -> Result<()> {
    let number = digits(spec, value)?;
    let is_number = number.is_some();
    let (sign, body) = match number {
        Some((digits, negative)) => {
            let sign = match (negative, spec.plus) {
                (true, _) => "-",
                (false, true) => "+",
                _ => "",
            };
            (sign, grouped(&digits, spec.separator))
        }
        None => {
            let text = match (spec.letter, value) {
                (Some('c'), _) => char::from_u32(super::printf::integer(value) as u32)
                    .map(String::from)
                    .unwrap_or_default(),
                (None | Some('s'), Scalar::Null(_)) => "NULL".to_owned(),
                (None | Some('s'), value) => value.to_string(),
                (Some(other), _) => {
                    return Err(invalid(NAME, format!("a text as '{other}'")));
                }
            };
            (
                "",
                match spec.precision {
                    Some(limit) => text.chars().take(limit).collect(),
                    None => text,
                },
            )
        }
    };
    let missing = spec.width.saturating_sub(sign.len() + body.chars().count());
    let zeros = spec.zeros && is_number && spec.align.is_none();
    let before = match spec.align {
        _ if zeros => 0,
        Some('<') => 0,
        Some('^') => missing / 2,
        Some('>') => missing,
        _ if is_number => missing,
        _ => 0,
    };
    let fill = spec.fill.unwrap_or(' ');
    out.extend(std::iter::repeat_n(fill, before));
    out.push_str(sign);
    if zeros {
        out.extend(std::iter::repeat_n('0', missing));
    }
    out.push_str(&body);
    if !zeros {
        out.extend(std::iter::repeat_n(fill, missing - before));
    }
    Ok(())
}

/// DuckDB's: `{}`, `{position}`, `{:specification}`.
fn write_braces(out: &mut String, pattern: &str, values: &[Scalar]) -> Result<()> {
    let mut rest = pattern;
    let mut next = 0;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
            out.push_str(from.get(..1).unwrap_or(""));
            rest = after;
            continue;
        }
        let field = from
            .strip_prefix('{')
            .and_then(|field| field.split_once('}'));
        let Some((field, after)) = field else {
            return Err(invalid(NAME, "a brace without its other half"));
        };
        rest = after;
        let (position, specification) = field.split_once(':').unwrap_or((field, ""));
        let at = if position.is_empty() {
            next += 1;
            next - 1
        } else {
            position
                .parse::<usize>()
                .map_err(|_| invalid(NAME, format!("'{position}' is no position")))?
        };
        write_value(out, &spec(specification)?, value(values, at)?)?;
    }
    out.push_str(rest);
    Ok(())
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "format",
        "format(format, x, ...)",
        "Values by a format of %s (text), %I (identifier) and %L (literal).",
        (
            "format('%s = %I, %L', 1, 'My x', 'it''s')",
            "1 = \"My x\", 'it''s'",
        ),
        formatted,
        |args| rows(args, write_percent),
    )
    .taking_nulls()
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "format",
        "format(format, x, ...)",
        "Values by a format of {}, {1} or {:>8.2f}.",
        (
            "format('{} has {:.1f} of {:,d}', 'x', 2.55::double, 12345)",
            "x has 2.5 of 12,345",
        ),
        formatted,
        |args| rows(args, write_braces),
    )
    .taking_nulls()
    .only_in(Dialects::DUCKDB),
];

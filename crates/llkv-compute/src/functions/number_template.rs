//! Templates of numbers: `to_char(1234.5, '9,999.00')` and `to_number`.

use super::args::invalid;
use llkv_result::{Error, Result};
use llkv_types::Scalar;

/// Digits after the point of what `to_number` gives.
pub(super) const SCALE: u8 = 10;

const NAME: &str = "to_char";

/// The most places of a template.
const MAX_PLACES: usize = 100;

/// A place of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// `9`: a digit, a blank for a leading zero.
    Digit,
    /// `0`: a digit.
    Zero,
    Point,
    Comma,
    Currency,
    Literal(char),
}

/// Where the sign stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Sign {
    /// Before the first digit, a blank for a plus.
    #[default]
    Plain,
    /// `S` in front: always shown.
    Before,
    /// `S` behind.
    After,
    /// `MI`: a minus at its place, a blank for a plus.
    Minus,
    /// `PL` in front: a plus there, a blank for a minus, which stands before the first digit.
    PlusBefore,
    /// `PL` behind.
    PlusAfter,
    /// `PR`: negative numbers in angle brackets.
    Brackets,
}

/// A template.
#[derive(Debug, Default)]
struct Template {
    places: Vec<Place>,
    sign: Sign,
    /// `FM`: no blanks around it, no zeros at its end.
    fill: bool,
    roman: bool,
    exponent: bool,
    ordinal: Option<bool>,
}

fn parse(function: &'static str, text: &str) -> Result<Template> {
    let mut template = Template {
        fill: true,
        ..Template::default()
    };
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match template.take_word(rest) {
            Some(length) => length,
            None => {
                template.take_sign(function, first)?;
                first.len_utf8()
            }
        };
        rest = rest.get(length..).unwrap_or("");
    }
    if template.places.len() > MAX_PLACES {
        return Err(invalid(
            function,
            format!("a template of more than {MAX_PLACES} places"),
        ));
    }
    Ok(template)
}

impl Template {
    /// The sign stands before the number where no digit has come yet.
    fn sign_here(&self) -> Sign {
        let is_digit = |place: &Place| matches!(place, Place::Digit | Place::Zero);
        if self.places.iter().any(is_digit) {
            Sign::After
        } else {
            Sign::Before
        }
    }

    /// Takes what a text begins with, where it is of several letters, or in quotes; gives its length.
    fn take_word(&mut self, text: &str) -> Option<usize> {
        if let Some(quoted) = text.strip_prefix('"') {
            let inner = quoted.split('"').next().unwrap_or("");
            self.places.extend(inner.chars().map(Place::Literal));
            return Some((inner.len() + 2).min(text.len()));
        }
        let begins = |word: &str| {
            text.get(..word.len())
                .is_some_and(|own| own.eq_ignore_ascii_case(word))
        };
        if begins("EEEE") {
            self.exponent = true;
            return Some(4);
        }
        if begins("FM") {
            self.fill = false;
        } else if begins("MI") {
            self.sign = Sign::Minus;
        } else if begins("PL") {
            self.sign = match self.places.is_empty() {
                true => Sign::PlusBefore,
                false => Sign::PlusAfter,
            };
        } else if begins("PR") {
            self.sign = Sign::Brackets;
        } else if begins("SG") {
            self.sign = self.sign_here();
        } else if begins("RN") {
            self.roman = true;
        } else if begins("TH") {
            self.ordinal = Some(text.starts_with('T'));
        } else {
            return None;
        }
        Some(2)
    }

    fn take_sign(&mut self, function: &'static str, sign: char) -> Result<()> {
        self.places.push(match sign {
            '9' => Place::Digit,
            '0' => Place::Zero,
            '.' | 'D' | 'd' if self.places.contains(&Place::Point) => {
                return Err(invalid(function, "a template has one point"));
            }
            '.' | 'D' | 'd' => Place::Point,
            ',' | 'G' | 'g' => Place::Comma,
            'L' | 'l' | '$' => Place::Currency,
            'S' | 's' => {
                self.sign = self.sign_here();
                return Ok(());
            }
            'V' | 'v' => return Err(invalid(function, "V, shifting digits, is not known")),
            other => Place::Literal(other),
        });
        Ok(())
    }
}

/// The digits of a number before and after its point, rounded half away from zero.
fn digits(value: &Scalar, decimals: usize) -> Option<(bool, String, String)> {
    let (negative, text) = match value {
        Scalar::Float64(_) | Scalar::Float32(_) => {
            let x = super::printf::float(value);
            if !x.is_finite() {
                return None;
            }
            (x < 0.0, format!("{:.20}", x.abs()))
        }
        other => {
            let text = other.to_string();
            let size = text.strip_prefix('-').unwrap_or(&text).to_owned();
            (text.starts_with('-'), size)
        }
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut kept: Vec<u8> = whole
        .bytes()
        .chain(fraction.bytes().take(decimals))
        .collect();
    let missing = decimals.saturating_sub(fraction.len());
    kept.extend(std::iter::repeat_n(b'0', missing));
    if fraction
        .as_bytes()
        .get(decimals)
        .is_some_and(|d| *d >= b'5')
    {
        let mut carry = true;
        for digit in kept.iter_mut().rev() {
            match *digit {
                b'9' => *digit = b'0',
                other => {
                    *digit = other + 1;
                    carry = false;
                    break;
                }
            }
        }
        if carry {
            kept.insert(0, b'1');
        }
    }
    let text = String::from_utf8(kept).ok()?;
    let (whole, fraction) = text.split_at(text.len() - decimals);
    let negative = negative && text.bytes().any(|d| d != b'0');
    Some((
        negative,
        whole.trim_start_matches('0').to_owned(),
        fraction.to_owned(),
    ))
}

/// Writes a number by a template; `#` in its places where it has too many digits.
///
/// # Errors
/// `InvalidArgument` for what is known and not built.
pub(super) fn write(out: &mut String, text: &str, value: &Scalar) -> Result<()> {
    let template = parse(NAME, text)?;
    if template.roman {
        return write_roman(out, &template, value);
    }
    let point = template.places.iter().position(|p| *p == Place::Point);
    let point = point.unwrap_or(template.places.len());
    let is_digit = |place: &&Place| matches!(place, Place::Digit | Place::Zero);
    let (before, after) = template.places.split_at(point);
    let decimals = after.iter().filter(is_digit).count();
    if template.exponent {
        return write_exponent(out, &template, decimals, value);
    }
    let room = before.iter().filter(is_digit).count();
    let known = digits(value, decimals);
    let (negative, whole, fraction) = match known {
        Some(known) if known.1.len() <= room => known,
        Some((negative, ..)) => (negative, "#".repeat(room), "#".repeat(decimals)),
        None => (false, "#".repeat(room), "#".repeat(decimals)),
    };
    // The sign stands before the first digit, behind the text that the template begins with.
    let literal = |place: &&Place| matches!(place, Place::Literal(_));
    let prefix: String = template
        .places
        .iter()
        .take_while(literal)
        .filter_map(|place| match place {
            Place::Literal(c) => Some(*c),
            _ => None,
        })
        .collect();
    let number = body(&template, room, &whole, &fraction);
    out.push_str(&prefix);
    finish(
        out,
        &template,
        negative,
        number.get(prefix.len()..).unwrap_or(""),
    );
    if let Some(upper) = template.ordinal {
        let ending = match (
            whole.get(whole.len().saturating_sub(2)..),
            whole.chars().last(),
        ) {
            (Some("11" | "12" | "13"), _) => "th",
            (_, Some('1')) => "st",
            (_, Some('2')) => "nd",
            (_, Some('3')) => "rd",
            _ => "th",
        };
        out.push_str(&if upper {
            ending.to_uppercase()
        } else {
            ending.to_owned()
        });
    }
    Ok(())
}

/// The places filled with digits; blanks before the first.
fn body(template: &Template, room: usize, whole: &str, fraction: &str) -> String {
    let first_zero = template
        .places
        .iter()
        .take_while(|p| **p != Place::Point)
        .filter(|p| matches!(p, Place::Digit | Place::Zero))
        .position(|p| *p == Place::Zero)
        .unwrap_or(room);
    // Digits from here on are shown, zeros too.
    let shown_from = first_zero.min(room - whole.len().min(room));
    let whole_digits: Vec<char> = format!("{whole:0>room$}").chars().collect();
    let last_forced = template
        .places
        .iter()
        .skip_while(|p| **p != Place::Point)
        .filter(|p| matches!(p, Place::Digit | Place::Zero))
        .enumerate()
        .filter(|(_, p)| **p == Place::Zero)
        .map(|(at, _)| at + 1)
        .last()
        .unwrap_or(0);
    let fraction = if template.fill {
        fraction
    } else {
        let least = last_forced.min(fraction.len());
        let trimmed = fraction.trim_end_matches('0').len();
        fraction.get(..trimmed.max(least)).unwrap_or(fraction)
    };
    let mut out = String::new();
    let (mut at, mut decimal, mut behind) = (0, fraction.chars(), false);
    for place in &template.places {
        match place {
            Place::Digit | Place::Zero if behind => out.extend(decimal.next()),
            Place::Digit | Place::Zero => {
                out.push(match whole_digits.get(at) {
                    Some(digit) if at >= shown_from => *digit,
                    _ => ' ',
                });
                at += 1;
            }
            Place::Comma if at > shown_from => out.push(','),
            Place::Comma => out.push(' '),
            Place::Point => {
                behind = true;
                out.push('.');
            }
            Place::Currency => out.push(if template.fill { ' ' } else { '$' }),
            Place::Literal(c) => out.push(*c),
        }
    }
    // Zero without a place for it before the point: the last blank is a zero, where nothing follows.
    let nothing = whole.is_empty() && shown_from == room && fraction.is_empty();
    if nothing
        && !out.contains('.')
        && let Some(last) = out.rfind(' ')
    {
        out.replace_range(last..=last, "0");
    }
    out
}

/// The sign, at its place.
fn finish(out: &mut String, template: &Template, negative: bool, number: &str) {
    let digits = number.trim_start_matches(' ');
    let blanks = if template.fill {
        number.len() - digits.len()
    } else {
        0
    };
    let sign = if negative { '-' } else { '+' };
    let before = match template.sign {
        Sign::Plain if negative => "-",
        Sign::Plain if template.fill => " ",
        Sign::Before if negative => "-",
        Sign::Before => "+",
        Sign::Brackets if negative => "<",
        Sign::Brackets if template.fill => " ",
        Sign::PlusBefore | Sign::PlusAfter if negative => "-",
        Sign::PlusBefore | Sign::PlusAfter if template.fill => " ",
        _ => "",
    };
    let plus = match negative {
        false => Some('+'),
        true => template.fill.then_some(' '),
    };
    if template.sign == Sign::PlusBefore {
        out.extend(plus);
    }
    out.extend(std::iter::repeat_n(' ', blanks));
    out.push_str(before);
    out.push_str(digits);
    match template.sign {
        Sign::After => out.push(sign),
        Sign::Minus if negative => out.push('-'),
        Sign::Minus if template.fill => out.push(' '),
        Sign::Brackets if negative => out.push('>'),
        Sign::Brackets if template.fill => out.push(' '),
        Sign::PlusAfter => out.extend(plus),
        _ => {}
    }
}

fn write_exponent(
    out: &mut String,
    template: &Template,
    decimals: usize,
    value: &Scalar,
) -> Result<()> {
    let x = super::printf::float(value);
    let text = super::printf::exponent(&format!("{:.decimals$e}", x.abs()));
    out.push_str(match (x < 0.0, template.fill) {
        (true, _) => "-",
        (false, true) => " ",
        (false, false) => "",
    });
    out.push_str(&text);
    Ok(())
}

fn write_roman(out: &mut String, template: &Template, value: &Scalar) -> Result<()> {
    const NUMERALS: [(u32, &str); 13] = [
        (1_000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    const WIDTH: usize = 15;
    let x = super::printf::float(value).round();
    let mut text = String::new();
    if (1.0..4_000.0).contains(&x) {
        let mut left = x as u32;
        for (number, letters) in NUMERALS {
            while left >= number {
                text.push_str(letters);
                left -= number;
            }
        }
    } else {
        text = "#".repeat(WIDTH);
    }
    let blanks = if template.fill {
        WIDTH.saturating_sub(text.len())
    } else {
        0
    };
    out.extend(std::iter::repeat_n(' ', blanks));
    out.push_str(&text);
    Ok(())
}

fn unfit(text: &str) -> Error {
    invalid("to_number", format!("'{text}' does not fit the template"))
}

/// The number of a text, with [`SCALE`] digits after its point; `None` where it does not fit.
///
/// # Errors
/// For a text without digits, and templates that are not known.
pub(super) fn read(text: &str, template: &str) -> Result<Option<i128>> {
    let template = parse("to_number", template)?;
    if template.roman || template.exponent {
        return Err(invalid("to_number", "RN and EEEE are only for output"));
    }
    let negative = text.contains('-') || (template.sign == Sign::Brackets && text.contains('<'));
    let has_point = template.places.contains(&Place::Point);
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) if has_point => (whole, fraction),
        Some((whole, _)) => (whole, ""),
        None => (text, ""),
    };
    let of = |part: &str| -> String { part.chars().filter(char::is_ascii_digit).collect() };
    let (whole, fraction) = (of(whole), of(fraction));
    if whole.is_empty() && fraction.is_empty() {
        return Err(unfit(text));
    }
    let places = usize::from(SCALE);
    let fraction: String = fraction.chars().take(places).collect();
    let digits = format!("{whole}{fraction:0<places$}");
    let Ok(value) = digits.parse::<i128>() else {
        return Ok(None);
    };
    let limit = crate::arithmetic::decimal::limit(llkv_types::SqlType::DECIMAL128_PRECISION);
    Ok((value < limit).then_some(if negative { -value } else { value }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: f64, template: &str) -> String {
        let mut out = String::new();
        write(&mut out, template, &Scalar::Float64(value)).unwrap();
        out
    }

    /// Taken from PostgreSQL 15.
    #[test]
    fn numbers_by_templates() {
        for (value, template, expected) in [
            (-0.1, "99.99", "  -.10"),
            (-0.1, "FM9.99", "-.1"),
            (0.1, "0.9", " 0.1"),
            (12.0, "9990999.9", "    0012.0"),
            (12.0, "FM9990999.9", "0012."),
            (485.0, "999", " 485"),
            (-485.0, "999", "-485"),
            (485.0, "9 9 9", " 4 8 5"),
            (1_485.0, "9,999", " 1,485"),
            (148.5, "999.999", " 148.500"),
            (148.5, "FM999.999", "148.5"),
            (148.5, "FM999.990", "148.500"),
            (-485.0, "999S", "485-"),
            (-485.0, "999MI", "485-"),
            (485.0, "999MI", "485 "),
            (485.0, "FM999MI", "485"),
            (-485.0, "999PR", "<485>"),
            (485.0, "RN", "        CDLXXXV"),
            (485.0, "FMRN", "CDLXXXV"),
            (482.0, "999th", " 482nd"),
            (485.0, "\"Good number:\"999", "Good number: 485"),
            (0.0004859, "9.99EEEE", " 4.86e-04"),
            (485.0, "99", " ##"),
            (0.0, "9", " 0"),
            (0.0, "999", "   0"),
        ] {
            assert_eq!(shown(value, template), expected, "{value} {template}");
        }
    }

    #[test]
    fn numbers_from_texts() {
        assert_eq!(
            read("12,454.8-", "99G999D9S").unwrap(),
            Some(-124_548_000_000_000)
        );
        assert!(read("x", "999").is_err());
    }
}

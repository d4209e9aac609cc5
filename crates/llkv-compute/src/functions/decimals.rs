//! Doubles as so many decimal digits.

/// Digits of a double that SQLite shows; zeros follow.
const SQLITE_DIGITS: i32 = 16;

/// Digits of a double to round from: what follows can no more be a half.
const EXACT_DIGITS: usize = 60;

/// How a double is rounded to the digits that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decimals {
    /// Halves to the even digit, as in C: `2.5` and no digits are `2`.
    Exact,
    /// Halves away from zero, as in SQLite: `2.5` and no digits are `3`; sixteen digits at most.
    HalfUp,
}

impl Decimals {
    /// `x`, which is not below zero, with so many digits behind the point.
    pub(super) fn fixed(self, x: f64, places: usize) -> String {
        if self == Self::Exact || !x.is_finite() {
            return format!("{x:.places$}");
        }
        let power = power_of(&format!("{x:.EXACT_DIGITS$e}"));
        let wanted = i32::try_from(places).unwrap_or(i32::MAX);
        let (digits, power) = significant(x, power.saturating_add(1).saturating_add(wanted));
        let whole = usize::try_from(power + 1).unwrap_or(0);
        let zeros = usize::try_from(-power - 1).unwrap_or(0).min(places);
        let mut text = String::with_capacity(whole + places + 2);
        let mut digits = digits.chars().chain(std::iter::repeat('0'));
        match whole {
            0 => text.push('0'),
            _ => text.extend(digits.by_ref().take(whole)),
        }
        if places > 0 {
            text.push('.');
            text.extend(std::iter::repeat_n('0', zeros));
            text.extend(digits.take(places - zeros));
        }
        text
    }

    /// `x`, which is not below zero, as `1.25e-7`, with so many digits behind the point.
    pub(super) fn scientific(self, x: f64, places: usize) -> String {
        if self == Self::Exact || !x.is_finite() {
            return format!("{x:.places$e}");
        }
        let wanted = i32::try_from(places).unwrap_or(i32::MAX);
        let (digits, power) = significant(x, wanted.saturating_add(1));
        let mut digits = digits.chars().chain(std::iter::repeat('0'));
        let mut text: String = digits.by_ref().take(1).collect();
        if places > 0 {
            text.push('.');
            text.extend(digits.take(places));
        }
        text.push_str(&format!("e{power}"));
        text
    }
}

/// The power of ten behind the `e`.
fn power_of(scientific: &str) -> i32 {
    let power = scientific.split_once('e').map(|(_, power)| power.parse());
    power.and_then(Result::ok).unwrap_or(0)
}

/// The first digits of `x`, `kept` of them at most, halves rounded up; and the power of ten of the first.
fn significant(x: f64, kept: i32) -> (String, i32) {
    let text = format!("{x:.EXACT_DIGITS$e}");
    let mut power = power_of(&text);
    let mantissa = text.split('e').next().unwrap_or_default();
    let mut digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    // Where not even the first digit is kept, it decides whether there is one before it.
    let kept = usize::try_from(kept.min(SQLITE_DIGITS)).ok();
    let carries = kept.is_some_and(|kept| digits.get(kept).is_some_and(|next| *next >= b'5'));
    digits.truncate(kept.unwrap_or(0));
    if carries {
        let mut rest = digits.iter_mut().rev();
        let stopped = rest.find_map(|digit| match *digit {
            b'9' => {
                *digit = b'0';
                None
            }
            _ => {
                *digit += 1;
                Some(())
            }
        });
        if stopped.is_none() {
            digits.insert(0, b'1');
            power += 1;
        }
    }
    (digits.into_iter().map(char::from).collect(), power)
}

#[cfg(test)]
mod tests {
    use super::Decimals::{Exact, HalfUp};
    use proptest::prelude::*;

    #[test]
    fn halves_go_up() {
        let cases = [
            (0.0, 2, "0.00"),
            (0.5, 0, "1"),
            (2.5, 0, "3"),
            (0.25, 1, "0.3"),
            (1.005, 2, "1.00"),
            (9.996, 2, "10.00"),
            (0.04, 1, "0.0"),
            (0.05, 1, "0.1"),
            (0.004, 1, "0.0"),
            (99.99, 1, "100.0"),
            (1e20, 1, "100000000000000000000.0"),
            (1.0 / 3.0, 20, "0.33333333333333330000"),
            (1e-7, 3, "0.000"),
        ];
        for (x, places, expected) in cases {
            assert_eq!(HalfUp.fixed(x, places), expected, "{x} {places}");
        }
        assert_eq!(HalfUp.scientific(2.5, 0), "3e0");
        assert_eq!(HalfUp.scientific(9.5, 0), "1e1");
        assert_eq!(HalfUp.scientific(12_345.678, 3), "1.235e4");
        assert_eq!(HalfUp.scientific(0.0, 2), "0.00e0");
        assert_eq!(Exact.fixed(2.5, 0), "2");
    }

    proptest! {
        #[test]
        fn it_is_within_half_a_digit(x in 0.0..1e15_f64, places in 0usize..8) {
            let text = HalfUp.fixed(x, places);
            let back: f64 = text.parse().unwrap();
            let half = 0.5 * 10f64.powi(-(places as i32));
            prop_assert!((back - x).abs() <= half * (1.0 + 1e-9) + x * 1e-15, "{x} {text}");
            let behind = text.split_once('.').map_or(0, |(_, behind)| behind.len());
            prop_assert_eq!(behind, places);
        }
    }
}

//! Values of settings: read from the text behind SET, and written as SHOW gives them.

use llkv_result::{BindError, Error, Result};
use std::fmt;

/// The value behind `SET name =`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change<'a> {
    name: &'a str,
    value: &'a str,
    /// `SET name = DEFAULT`, `RESET name`
    pub(super) is_default: bool,
}

impl<'a> Change<'a> {
    pub(super) fn new(name: &'a str, value: &'a str) -> Self {
        let value = value.trim();
        let is_default = value.eq_ignore_ascii_case("default");
        Self {
            name,
            value,
            is_default,
        }
    }

    /// The text as it was written.
    pub(super) const fn text(self) -> &'a str {
        self.value
    }

    /// `on`, `off`, and their other words.
    pub(super) fn switch(self, default: bool) -> Result<bool> {
        match self.value.to_ascii_lowercase().as_str() {
            "default" => Ok(default),
            "on" | "true" | "yes" | "1" => Ok(true),
            "off" | "false" | "no" | "0" => Ok(false),
            _ => Err(self.invalid("on or off")),
        }
    }

    /// A number above 0.
    pub(super) fn count(self, default: usize) -> Result<usize> {
        match self.value.parse() {
            _ if self.is_default => Ok(default),
            Ok(count) if count > 0 => Ok(count),
            _ => Err(self.invalid("a number above 0")),
        }
    }

    /// One of `words`.
    pub(super) fn word<T: Copy>(self, words: &[(&str, T)], default: T, wanted: &str) -> Result<T> {
        if self.is_default {
            return Ok(default);
        }
        let mut words = words.iter();
        let found = words.find(|(word, _)| word.eq_ignore_ascii_case(self.value));
        found
            .map(|(_, meaning)| *meaning)
            .ok_or_else(|| self.invalid(wanted))
    }

    /// `1GB`, `512 MiB`, `1000000`, `unlimited`.
    pub(super) fn bytes(self, default: u64) -> Result<u64> {
        if self.is_default {
            return Ok(default);
        }
        if self.value.eq_ignore_ascii_case(UNLIMITED) {
            return Ok(u64::MAX);
        }
        let (digits, unit) = self.with_unit();
        let unit: u64 = match unit.as_str() {
            "" | "b" => 1,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "tb" => 1_000_000_000_000,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            "tib" => 1 << 40,
            _ => return Err(self.invalid("a size such as 2GB")),
        };
        match digits.parse::<f64>() {
            Ok(count) if count > 0.0 => Ok((count * unit as f64) as u64),
            _ => Err(self.invalid("a size such as 2GB")),
        }
    }

    /// `1500` and `1500ms` are milliseconds; `2s`, `5 min`, `1h`.
    pub(super) fn millis(self, default: u64) -> Result<u64> {
        if self.is_default {
            return Ok(default);
        }
        let (digits, unit) = self.with_unit();
        let unit = TIMES.iter().find(|(name, _)| *name == unit);
        let unit_ms = match unit {
            Some((_, unit_ms)) => Some(*unit_ms),
            None => (digits.len() == self.value.len()).then_some(1),
        };
        let count = digits.parse::<u64>().ok();
        let time = count
            .zip(unit_ms)
            .and_then(|(count, ms)| count.checked_mul(ms));
        time.ok_or_else(|| self.invalid("a time such as 500ms or 2s"))
    }

    /// The number, and the unit behind it in lower case.
    fn with_unit(self) -> (&'a str, String) {
        let is_unit = |c: char| c.is_ascii_alphabetic() || c == ' ';
        let digits = self.value.trim_end_matches(is_unit);
        let unit = self.value.get(digits.len()..).unwrap_or_default();
        (digits, unit.trim().to_ascii_lowercase())
    }

    fn invalid(self, wanted: &str) -> Error {
        let (name, value) = (self.name, self.value);
        BindError::Invalid {
            message: format!("the setting \"{name}\" wants {wanted}, not '{value}'"),
            span: None,
        }
        .into()
    }
}

/// A size without a limit.
const UNLIMITED: &str = "unlimited";

/// Units of time in milliseconds, the greatest first.
const TIMES: &[(&str, u64)] = &[
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("min", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Units of size in bytes, the greatest first.
const SIZES: &[(&str, u64)] = &[
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("kB", 1_000),
    ("KiB", 1 << 10),
];

/// The value that a setting has. Its text can be set again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Switch(bool),
    Count(usize),
    Bytes(u64),
    Millis(u64),
    Word(String),
}

impl Value {
    /// As SQLite's pragmas give it; none for words.
    pub(super) fn number(&self) -> Option<i64> {
        match self {
            Self::Switch(on) => Some(i64::from(*on)),
            Self::Count(count) => i64::try_from(*count).ok(),
            Self::Bytes(number) | Self::Millis(number) => i64::try_from(*number).ok(),
            Self::Word(_) => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch(true) => f.write_str("on"),
            Self::Switch(false) => f.write_str("off"),
            Self::Count(count) => write!(f, "{count}"),
            Self::Bytes(u64::MAX) => f.write_str(UNLIMITED),
            Self::Bytes(bytes) => in_units(f, *bytes, SIZES),
            Self::Millis(ms) => in_units(f, *ms, TIMES),
            Self::Word(word) => f.write_str(word),
        }
    }
}

/// In the greatest unit of which it is a multiple.
fn in_units(f: &mut fmt::Formatter<'_>, number: u64, units: &[(&str, u64)]) -> fmt::Result {
    let mut units = units.iter();
    match units.find(|(_, size)| number >= *size && number.is_multiple_of(*size)) {
        Some((unit, size)) => write!(f, "{}{unit}", number / size),
        None => write!(f, "{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(value: &str) -> Result<u64> {
        Change::new("m", value).bytes(0)
    }

    fn millis(value: &str) -> Result<u64> {
        Change::new("t", value).millis(7)
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes("2GB").unwrap(), 2_000_000_000);
        assert_eq!(bytes("1.5 MiB").unwrap(), 3 << 19);
        assert_eq!(bytes("77").unwrap(), 77);
        assert_eq!(bytes("Unlimited").unwrap(), u64::MAX);
        assert!(bytes("2 parsecs").is_err());
        assert!(bytes("-1").is_err());
    }

    #[test]
    fn times_have_units() {
        assert_eq!(millis("1500").unwrap(), 1_500);
        assert_eq!(millis("1500 ms").unwrap(), 1_500);
        assert_eq!(millis("2min").unwrap(), 120_000);
        assert_eq!(millis(" DEFAULT ").unwrap(), 7);
        assert!(millis("2 fortnights").is_err());
        assert!(millis("-1").is_err());
        assert!(millis("").is_err());
        assert!(millis("999999999999d").is_err());
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_set(number in prop_oneof![
            1_u64..5_000, (1_u64..5_000).prop_map(|n| n * 60_000), (1_u64..64).prop_map(|n| n << 20), (0_u32..40).prop_map(|n| 1 << n),
        ]) {
            prop_assert_eq!(bytes(&Value::Bytes(number).to_string()).unwrap(), number);
            prop_assert_eq!(millis(&Value::Millis(number).to_string()).unwrap(), number);
        }
    }
}

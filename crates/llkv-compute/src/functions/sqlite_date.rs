//! SQLite's moments: a Julian day in milliseconds, and the texts and numbers that it is read from.

use crate::context::StatementContext;
use llkv_types::calendar::CivilDate;
use llkv_types::variant::Variant;

/// Milliseconds of a day.
pub(super) const MILLIS_PER_DAY: i64 = 86_400_000;

/// Julian milliseconds of 1970-01-01.
pub(super) const UNIX_EPOCH: i64 = 210_866_760_000_000;

/// Julian milliseconds of 9999-12-31 23:59:59.999: there is no moment after it, and none before 0.
const LAST: i64 = 464_269_060_799_999;

/// A moment: milliseconds since noon of 24 November 4714 BC, from 0 to the end of the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct JulianMoment(i64);

/// A moment in its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    /// Milliseconds since midnight.
    pub(super) clock: i64,
}

/// A number that may be a Julian day or seconds since 1970, as long as no modifier says which.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Start {
    /// As a Julian day; absent where the number is none.
    pub(super) moment: Option<JulianMoment>,
    /// The number, where the moment was one.
    pub(super) raw: Option<f64>,
}

impl JulianMoment {
    /// `None` outside the years that SQLite knows.
    pub(super) fn new(millis: i64) -> Option<Self> {
        (0..=LAST).contains(&millis).then_some(Self(millis))
    }

    pub(super) const fn millis(self) -> i64 {
        self.0
    }

    /// Milliseconds since 1970-01-01.
    pub(super) const fn unix_millis(self) -> i64 {
        self.0 - UNIX_EPOCH
    }

    /// The moment of a Julian day.
    pub(super) fn from_days(days: f64) -> Option<Self> {
        let millis = days * MILLIS_PER_DAY as f64 + 0.5;
        (days.is_finite() && millis >= 0.0 && millis < LAST as f64 + 1.0)
            .then(|| Self::new(millis as i64))
            .flatten()
    }

    pub(super) fn parts(self) -> Parts {
        let unix = self.unix_millis();
        let days = unix.div_euclid(MILLIS_PER_DAY);
        let date = CivilDate::from_days(days as i32);
        Parts {
            year: i64::from(date.year),
            month: i64::from(date.month),
            day: i64::from(date.day),
            clock: unix.rem_euclid(MILLIS_PER_DAY),
        }
    }

    /// Sunday is 0.
    pub(super) const fn weekday(self) -> i64 {
        ((self.0 + MILLIS_PER_DAY * 3 / 2) / MILLIS_PER_DAY) % 7
    }
}

impl Parts {
    /// The moment: months beyond the year and days beyond the month go over into the next.
    pub(super) fn moment(self) -> Option<JulianMoment> {
        let months = self.year.checked_mul(12)?.checked_add(self.month - 1)?;
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        let first = i64::from(CivilDate::to_days(year, month, 1)?);
        let days = first.checked_add(self.day - 1)?;
        let unix = days.checked_mul(MILLIS_PER_DAY)?.checked_add(self.clock)?;
        JulianMoment::new(unix.checked_add(UNIX_EPOCH)?)
    }
}

/// So many digits, no more and no less.
fn digits(text: &str, count: usize) -> Option<(i64, &str)> {
    let own = text.get(..count)?;
    let number = own.bytes().all(|b| b.is_ascii_digit());
    let value = number.then(|| own.parse().ok()).flatten()?;
    Some((value, text.get(count..)?))
}

/// `HH:MM[:SS[.fraction]]`, in milliseconds, and what comes after it.
pub(super) fn clock(text: &str) -> Option<(i64, &str)> {
    let (hour, rest) = digits(text, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 2)?;
    if hour > 24 || minute > 59 {
        return None;
    }
    let whole = (hour * 60 + minute) * 60_000;
    let Some(seconds) = rest.strip_prefix(':') else {
        return Some((whole, rest));
    };
    let (second, mut rest) = digits(seconds, 2)?;
    if second > 59 {
        return None;
    }
    let mut fraction = 0.0;
    if let Some(after) = rest.strip_prefix('.') {
        let length = after.bytes().take_while(u8::is_ascii_digit).count();
        if length > 0 {
            fraction = rest.get(..=length)?.parse::<f64>().ok()?;
            rest = after.get(length..)?;
        }
    }
    let millis = (second * 1_000) as f64 + fraction * 1_000.0;
    // Rounded as the seconds of a Julian day are, but never into the next minute.
    Some((whole + ((millis + 0.5) as i64).min(59_999), rest))
}

/// Nothing, `Z`, or `+HH:MM` in minutes.
fn zone(text: &str) -> Option<i64> {
    let text = text.trim_start_matches(|c: char| c.is_ascii_whitespace());
    if text.is_empty() {
        return Some(0);
    }
    if let Some(rest) = text.strip_prefix(['Z', 'z']) {
        return rest.trim().is_empty().then_some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, rest) = digits(text.get(1..)?, 2)?;
    let (minutes, rest) = digits(rest.strip_prefix(':')?, 2)?;
    (hours <= 14 && minutes <= 59 && rest.trim().is_empty())
        .then_some(sign * (hours * 60 + minutes))
}

/// `[-]YYYY-MM-DD` and what comes after it.
pub(super) fn date(text: &str) -> Option<(Parts, &str)> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (year, rest) = digits(rest, 4)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let fits = (1..=12).contains(&month) && (1..=31).contains(&day);
    let parts = Parts {
        year: if negative { -year } else { year },
        month,
        day,
        clock: 0,
    };
    fits.then_some((parts, rest))
}

/// A time value as text: a date, a time, both, `now`, or a number.
pub(super) fn start_of_text(text: &str) -> Option<Start> {
    let known = |moment: Option<JulianMoment>| {
        moment.map(|moment| Start {
            moment: Some(moment),
            raw: None,
        })
    };
    if let Some((mut parts, rest)) = date(text) {
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == 'T');
        if rest.is_empty() {
            return known(parts.moment());
        }
        let (millis, rest) = clock(rest)?;
        parts.clock = millis - zone(rest)? * 60_000;
        return known(parts.moment());
    }
    if let Some((millis, rest)) = clock(text) {
        let offset = zone(rest)?;
        let parts = Parts {
            year: 2000,
            month: 1,
            day: 1,
            clock: millis - offset * 60_000,
        };
        return known(parts.moment());
    }
    if text.eq_ignore_ascii_case("now") {
        return known(now());
    }
    let number = text.trim().parse::<f64>().ok().filter(|x| x.is_finite())?;
    // Words such as "inf" are no numbers here.
    let digit = text.bytes().any(|b| b.is_ascii_digit());
    digit.then(|| start_of_number(number))
}

/// A time value that is a number.
pub(super) fn start_of_number(number: f64) -> Start {
    Start {
        moment: JulianMoment::from_days(number),
        raw: Some(number),
    }
}

/// The time of the statement.
pub(super) fn now() -> Option<JulianMoment> {
    JulianMoment::new(
        StatementContext::current()
            .statement_micros
            .div_euclid(1_000)
            + UNIX_EPOCH,
    )
}

/// A time value.
pub(super) fn start(value: Variant<'_>) -> Option<Start> {
    match value {
        Variant::Integer(value) => Some(start_of_number(value as f64)),
        Variant::Real(value) => Some(start_of_number(value)),
        Variant::Text(text) => start_of_text(text),
        Variant::Blob(bytes) => start_of_text(std::str::from_utf8(bytes).ok()?),
    }
}

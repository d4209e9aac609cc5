//! SQLite's modifiers of moments: `+1 month`, `start of day`, `weekday 0`, `unixepoch`, ...

use super::sqlite_date::{self, JulianMoment, MILLIS_PER_DAY, Parts, Start, UNIX_EPOCH};
use llkv_types::calendar::days_in_month;
use llkv_types::variant::Variant;

/// A moment on its way through its modifiers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Modified {
    start: Start,
    /// Days by which the last step in months or years left its month.
    overflow_days: i64,
    /// Fractions of seconds are shown.
    pub(super) subseconds: bool,
}

/// The moment of a time value and its modifiers; `None` where one of them means nothing.
pub(super) fn moment(value: Variant<'_>, modifiers: &[&str]) -> Option<(JulianMoment, bool)> {
    let mut modified = Modified {
        start: sqlite_date::start(value)?,
        overflow_days: 0,
        subseconds: false,
    };
    for (at, modifier) in modifiers.iter().enumerate() {
        modified.apply(modifier, at == 0)?;
    }
    Some((modified.start.moment?, modified.subseconds))
}

impl Modified {
    fn set(&mut self, moment: Option<JulianMoment>) -> Option<()> {
        self.start = Start {
            moment: Some(moment?),
            raw: None,
        };
        Some(())
    }

    fn move_millis(&mut self, millis: f64) -> Option<()> {
        let from = self.start.moment?.millis();
        let rounded = (millis + 0.5f64.copysign(millis)).trunc();
        let fits = rounded.is_finite() && rounded.abs() < 5e14;
        self.set(JulianMoment::new(
            from.checked_add(fits.then_some(rounded as i64)?)?,
        ))
    }

    fn apply(&mut self, modifier: &str, first: bool) -> Option<()> {
        let text = modifier.trim().to_ascii_lowercase();
        let was_raw = self.start.raw.is_some();
        match text.as_str() {
            "unixepoch" if first && was_raw => return self.unix_epoch(),
            "julianday" if first && was_raw => {
                self.start.raw = None;
                return self.start.moment.map(|_| ());
            }
            "auto" if first => return self.auto(),
            "ceiling" => {
                self.overflow_days = 0;
                return Some(());
            }
            "floor" => {
                let back = self.overflow_days * MILLIS_PER_DAY;
                self.overflow_days = 0;
                let moment = self.start.moment?.millis().checked_sub(back)?;
                return self.set(JulianMoment::new(moment));
            }
            // The session's time zone is UTC.
            "utc" | "localtime" => return self.start.moment.map(|_| ()),
            "subsec" | "subsecond" => {
                self.subseconds = true;
                return self.start.moment.map(|_| ());
            }
            _ => {}
        }
        let overflow = std::mem::take(&mut self.overflow_days);
        debug_assert!((0..=3).contains(&overflow));
        if let Some(unit) = text.strip_prefix("start of ") {
            return self.start_of(unit.trim());
        }
        if let Some(day) = text.strip_prefix("weekday ") {
            return self.weekday(day.trim().parse().ok()?);
        }
        match text.as_bytes().first()? {
            b'+' | b'-' | b'0'..=b'9' => self.step(&text),
            _ => None,
        }
    }

    fn unix_epoch(&mut self) -> Option<()> {
        let millis = self.start.raw? * 1_000.0 + UNIX_EPOCH as f64;
        let inside = (0.0..464_269_060_800_000.0).contains(&millis);
        let moment = inside.then(|| JulianMoment::new((millis + 0.5) as i64));
        self.set(moment.flatten())
    }

    /// A number that can be a Julian day is one, any other seconds since 1970.
    fn auto(&mut self) -> Option<()> {
        match self.start.raw {
            Some(raw) if (0.0..5_373_484.5).contains(&raw) => {
                self.start.raw = None;
                Some(())
            }
            Some(_) => self.unix_epoch(),
            None => Some(()),
        }
    }

    fn start_of(&mut self, unit: &str) -> Option<()> {
        let mut parts = self.start.moment?.parts();
        parts.clock = 0;
        match unit {
            "day" => {}
            "month" => parts.day = 1,
            "year" => (parts.month, parts.day) = (1, 1),
            _ => return None,
        }
        self.set(parts.moment())
    }

    /// The next such weekday, today included; Sunday is 0.
    fn weekday(&mut self, day: f64) -> Option<()> {
        if !(0.0..7.0).contains(&day) || day.fract() != 0.0 {
            return None;
        }
        let moment = self.start.moment?;
        let ahead = (day as i64 - moment.weekday()).rem_euclid(7);
        let millis = moment.millis() + ahead * MILLIS_PER_DAY;
        self.set(JulianMoment::new(millis))
    }

    /// `±N unit`, `±HH:MM[:SS]`, `±YYYY-MM-DD [HH:MM[:SS]]`
    fn step(&mut self, text: &str) -> Option<()> {
        let (sign, body) = match text.as_bytes().first()? {
            b'-' => (-1i64, text.get(1..)?),
            b'+' => (1, text.get(1..)?),
            _ => (1, text),
        };
        let signed = body.len() < text.len();
        if signed && let Some((parts, rest)) = sqlite_date_span(body) {
            return self.step_by_date(sign, parts, rest);
        }
        if let Some((millis, rest)) = sqlite_date::clock(body) {
            return rest
                .trim()
                .is_empty()
                .then(|| self.move_millis((sign * millis) as f64))
                .flatten();
        }
        let end = body
            .bytes()
            .position(|b| b.is_ascii_whitespace() || b.is_ascii_alphabetic())?;
        let (number, unit) = body.split_at(end);
        let number: f64 = number.parse().ok()?;
        let unit = unit.trim();
        self.step_by(sign as f64 * number, unit.strip_suffix('s').unwrap_or(unit))
    }

    fn step_by(&mut self, count: f64, unit: &str) -> Option<()> {
        let millis = match unit {
            "second" => 1_000.0,
            "minute" => 60_000.0,
            "hour" => 3_600_000.0,
            "day" => MILLIS_PER_DAY as f64,
            "month" | "year" => {
                let whole = count.trunc();
                if whole.abs() > 200_000.0 {
                    return None;
                }
                let (months, days) = if unit == "month" {
                    (whole as i64, 30.0)
                } else {
                    (whole as i64 * 12, 365.0)
                };
                self.add_months(months)?;
                let rest = count - whole;
                return if rest == 0.0 {
                    Some(())
                } else {
                    self.move_millis(rest * days * MILLIS_PER_DAY as f64)
                };
            }
            _ => return None,
        };
        self.move_millis(count * millis)
    }

    fn add_months(&mut self, months: i64) -> Option<()> {
        let mut parts = self.start.moment?.parts();
        parts.month = parts.month.checked_add(months)?;
        let index = parts.year * 12 + parts.month - 1;
        let last = days_in_month(index.div_euclid(12), index.rem_euclid(12) as u8 + 1);
        self.set(parts.moment())?;
        self.overflow_days = (parts.day - i64::from(last)).max(0);
        Some(())
    }

    fn step_by_date(&mut self, sign: i64, by: Parts, rest: &str) -> Option<()> {
        self.add_months(sign * (by.year * 12 + by.month))?;
        let mut millis = by.day * MILLIS_PER_DAY;
        if !rest.is_empty() {
            let (clock, after) = sqlite_date::clock(rest.strip_prefix(' ')?)?;
            if !after.trim().is_empty() {
                return None;
            }
            millis += clock;
        }
        self.move_millis((sign * millis) as f64)
    }
}

/// `YYYY-MM-DD` as a distance: months below 12, days below 31.
fn sqlite_date_span(text: &str) -> Option<(Parts, &str)> {
    let mut fields = text.splitn(3, '-');
    let (year, month, rest) = (fields.next()?, fields.next()?, fields.next()?);
    let day = rest.get(..2)?;
    let number = |digits: &str, count: usize| -> Option<i64> {
        let fits = digits.len() == count && digits.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| digits.parse().ok()).flatten()
    };
    let parts = Parts {
        year: number(year, 4)?,
        month: number(month, 2)?,
        day: number(day, 2)?,
        clock: 0,
    };
    (parts.month <= 11 && parts.day <= 30).then_some((parts, rest.get(2..)?))
}

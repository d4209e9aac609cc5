//! Dates, times and intervals as text.

const MICROS_A_SECOND: i64 = 1_000_000;
const MICROS_A_DAY: i64 = 86_400 * MICROS_A_SECOND;

/// Whose words an interval is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IntervalStyle {
    /// `1 year 2 months -3 days 04:05:06`
    Duckdb,
    /// `1 year 2 mons -3 days +04:05:06`
    Postgres,
}

/// `YYYY-MM-DD`; years before 1 as `YYYY-MM-DD BC`.
pub(super) fn date(days: i64) -> String {
    let (year, month, day) = civil(days);
    if year > 0 {
        format!("{year:04}-{month:02}-{day:02}")
    } else {
        format!("{:04}-{month:02}-{day:02} BC", 1 - year)
    }
}

/// `HH:MM:SS`, with as many fractional digits as the value has, up to six.
pub(super) fn time(micros: i64) -> String {
    let seconds = micros.div_euclid(MICROS_A_SECOND);
    let fraction = micros.rem_euclid(MICROS_A_SECOND);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let mut text = format!("{hours:02}:{minutes:02}:{:02}", seconds % 60);
    if fraction != 0 {
        let digits = format!("{fraction:06}");
        text.push('.');
        text.push_str(digits.trim_end_matches('0'));
    }
    text
}

/// `YYYY-MM-DD HH:MM:SS[.ffffff][+00]`
pub(super) fn timestamp(micros: i64, zoned: bool) -> String {
    let day = date(micros.div_euclid(MICROS_A_DAY));
    let time = time(micros.rem_euclid(MICROS_A_DAY));
    let zone = if zoned { "+00" } else { "" };
    match day.strip_suffix(" BC") {
        Some(day) => format!("{day} {time}{zone} BC"),
        None => format!("{day} {time}{zone}"),
    }
}

/// An interval in the words of `style`; no part that is zero is written.
pub(super) fn interval(months: i32, days: i32, nanos: i64, style: IntervalStyle) -> String {
    let month = match style {
        IntervalStyle::Duckdb => "month",
        IntervalStyle::Postgres => "mon",
    };
    let mut text = String::new();
    // PostgreSQL writes a plus sign where a positive part follows a negative one.
    let mut after_negative = false;
    for (value, unit) in [(months / 12, "year"), (months % 12, month), (days, "day")] {
        if value == 0 {
            continue;
        }
        let plus = style == IntervalStyle::Postgres && after_negative && value > 0;
        let single = match style {
            IntervalStyle::Duckdb => value.abs() == 1,
            IntervalStyle::Postgres => value == 1,
        };
        let space = if text.is_empty() { "" } else { " " };
        let plus = if plus { "+" } else { "" };
        let plural = if single { "" } else { "s" };
        text.push_str(&format!("{space}{plus}{value} {unit}{plural}"));
        after_negative = value < 0;
    }
    if nanos != 0 || text.is_empty() {
        let space = if text.is_empty() { "" } else { " " };
        let sign = match style {
            _ if nanos < 0 => "-",
            IntervalStyle::Postgres if after_negative => "+",
            _ => "",
        };
        let micros = (nanos.unsigned_abs() / 1_000) as i64;
        text.push_str(&format!("{space}{sign}{}", time(micros)));
    }
    text
}

/// Year, month and day of a day number since 1970-01-01 in the proleptic Gregorian calendar. The
/// year is counted from 1 March, so that the leap day is its last and months have a linear formula.
fn civil(days: i64) -> (i64, i64, i64) {
    const DAYS_IN_400_YEARS: i64 = 146_097;
    const DAYS_FROM_YEAR_0_MARCH: i64 = 719_468;
    let shifted = days + DAYS_FROM_YEAR_0_MARCH;
    let era = shifted.div_euclid(DAYS_IN_400_YEARS);
    let day_of_era = shifted.rem_euclid(DAYS_IN_400_YEARS);
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_around_the_corners_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(19_782), "2024-02-29");
        assert_eq!(date(-719_162), "0001-01-01");
        assert_eq!(date(-719_163), "0001-12-31 BC");
        assert_eq!(date(2_932_896), "9999-12-31");
    }

    #[test]
    fn times_and_timestamps() {
        assert_eq!(time(0), "00:00:00");
        assert_eq!(time(86_399_999_999), "23:59:59.999999");
        assert_eq!(time(1_500_000), "00:00:01.5");
        assert_eq!(timestamp(-1, false), "1969-12-31 23:59:59.999999");
        assert_eq!(timestamp(0, true), "1970-01-01 00:00:00+00");
    }

    #[test]
    fn intervals_in_both_tongues() {
        use IntervalStyle::{Duckdb, Postgres};
        assert_eq!(interval(0, 0, 0, Postgres), "00:00:00");
        assert_eq!(
            interval(14, 3, 14_706_000_000_000, Duckdb),
            "1 year 2 months 3 days 04:05:06"
        );
        assert_eq!(
            interval(14, 3, 14_706_000_000_000, Postgres),
            "1 year 2 mons 3 days 04:05:06"
        );
        assert_eq!(interval(-1, 2, 0, Postgres), "-1 mons +2 days");
        assert_eq!(interval(-1, 2, 0, Duckdb), "-1 month 2 days");
        assert_eq!(
            interval(0, -1, 1_000_000_000, Postgres),
            "-1 days +00:00:01"
        );
        assert_eq!(interval(0, 0, -1_500_000_000, Postgres), "-00:00:01.5");
        assert_eq!(interval(0, 0, 90_000_000_000_000, Duckdb), "25:00:00");
    }
}

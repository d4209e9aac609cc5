//! The proleptic Gregorian calendar in integers: days since 1970-01-01 to year, month, day and back.
//!
//! The arithmetic counts years from March, so that the leap day is a year's last day, and works in
//! eras of 400 years (146,097 days); see Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".

/// Microseconds of a day.
pub const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Microseconds of a second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;

/// Nanoseconds of a day.
pub const NANOS_PER_DAY: i64 = 86_400_000_000_000;

const DAYS_PER_ERA: i64 = 146_097;

/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_SHIFT: i64 = 719_468;

/// A calendar date. The year is astronomical: year 0 is 1 BC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CivilDate {
    /// Year.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

impl CivilDate {
    /// The date that lies `days` after 1970-01-01.
    #[must_use]
    pub const fn from_days(days: i32) -> Self {
        let shifted = days as i64 + EPOCH_SHIFT;
        let era = shifted.div_euclid(DAYS_PER_ERA);
        let day_of_era = shifted.rem_euclid(DAYS_PER_ERA);
        let leap_corrected =
            day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096;
        let year_of_era = leap_corrected / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        let year = year_of_era + era * 400 + (month <= 2) as i64;
        Self {
            year: year as i32,
            month: month as u8,
            day: day as u8,
        }
    }

    /// The days from 1970-01-01 to a date, or `None` where there is no such date or it is out of range.
    #[must_use]
    pub fn to_days(year: i64, month: i64, day: i64) -> Option<i32> {
        if !(1..=12).contains(&month)
            || !(-6_000_000..=6_000_000).contains(&year)
            || day < 1
            || day > i64::from(days_in_month(year, month as u8))
        {
            return None;
        }
        let march_year = if month <= 2 { year - 1 } else { year };
        let era = march_year.div_euclid(400);
        let year_of_era = march_year.rem_euclid(400);
        let from_march = (month + 9) % 12;
        let day_of_year = (153 * from_march + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        i32::try_from(era * DAYS_PER_ERA + day_of_era - EPOCH_SHIFT).ok()
    }

    /// `months` later; a day that the month does not have becomes its last.
    #[must_use]
    pub fn add_months(self, months: i64) -> Option<i32> {
        let index = (i64::from(self.year) * 12 + i64::from(self.month) - 1).checked_add(months)?;
        let (year, month) = (index.div_euclid(12), index.rem_euclid(12) + 1);
        let day = self.day.min(days_in_month(year, month as u8));
        Self::to_days(year, month, i64::from(day))
    }
}

/// True for years with a 29th of February.
#[must_use]
pub const fn is_leap_year(year: i64) -> bool {
    year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
}

/// Days of a month; 31 for a month that does not exist.
#[must_use]
pub const fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        2 if is_leap_year(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_eight_centuries_comes_back_and_follows_the_one_before() {
        let mut before = CivilDate::from_days(-150_000 - 1);
        for days in -150_000..150_000 {
            let date = CivilDate::from_days(days);
            let (y, m, d) = (
                i64::from(date.year),
                i64::from(date.month),
                i64::from(date.day),
            );
            assert_eq!(CivilDate::to_days(y, m, d), Some(days));
            assert!(before < date);
            before = date;
        }
    }

    #[test]
    fn known_days() {
        let date = |days| {
            let d = CivilDate::from_days(days);
            (d.year, d.month, d.day)
        };
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(-1), (1969, 12, 31));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(19_723), (2024, 1, 1));
    }

    #[test]
    fn dates_that_do_not_exist() {
        assert_eq!(CivilDate::to_days(2023, 2, 29), None);
        assert_eq!(CivilDate::to_days(2023, 13, 1), None);
        assert_eq!(CivilDate::to_days(2023, 0, 1), None);
        assert_eq!(CivilDate::to_days(10_000_000, 1, 1), None);
    }

    #[test]
    fn adding_months_keeps_to_the_end_of_the_month() {
        let january = CivilDate {
            year: 2024,
            month: 1,
            day: 31,
        };
        assert_eq!(january.add_months(1), CivilDate::to_days(2024, 2, 29));
        assert_eq!(january.add_months(-2), CivilDate::to_days(2023, 11, 30));
        assert_eq!(january.add_months(i64::MAX), None);
    }
}

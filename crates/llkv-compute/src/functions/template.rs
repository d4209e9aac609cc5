//! Templates of `to_char`, `to_date` and `to_timestamp`: patterns such as `YYYY-MM-DD HH24:MI:SS`.

use super::args::invalid;
use super::datetime_parts::{Moment, Part, month_name, weekday_name};
use llkv_result::Result;
use std::fmt::Write;

/// How letters are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Upper,
    Title,
    Lower,
}

/// A pattern of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Hour12,
    Hour24,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    /// Digits of the fraction of a second.
    Fraction(u32),
    SecondOfDay,
    /// AM or PM, with dots or without.
    Meridiem(bool, Case),
    /// The last digits of the year.
    Year(u32),
    YearWithComma,
    IsoYear(u32),
    /// BC or AD, with dots or without.
    Era(bool, Case),
    MonthName(Case),
    MonthShort(Case),
    Month,
    DayName(Case),
    DayShort(Case),
    DayOfYear,
    Day,
    Weekday,
    IsoWeekday,
    WeekOfMonth,
    WeekOfYear,
    IsoWeek,
    Century,
    Julian,
    Quarter,
    Roman(Case),
    /// The name of the time zone.
    Zone(Case),
    /// Its distance from UTC.
    Offset,
    OffsetHours,
    OffsetMinutes,
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    /// Text as it is.
    Literal(char),
    /// A pattern, without blanks and zeros in front of it (`FM`), with an ordinal's ending (`TH`).
    Field {
        field: Field,
        fill: bool,
        ordinal: Option<Case>,
    },
}

/// Patterns whose letters are all upper or all lower case; longer ones before those that they begin with.
const NUMBERS: [(&str, Field); 35] = [
    ("SSSSS", Field::SecondOfDay),
    ("SSSS", Field::SecondOfDay),
    ("SS", Field::Second),
    ("HH24", Field::Hour24),
    ("HH12", Field::Hour12),
    ("HH", Field::Hour12),
    ("MI", Field::Minute),
    ("MS", Field::Millisecond),
    ("MM", Field::Month),
    ("US", Field::Microsecond),
    ("FF1", Field::Fraction(1)),
    ("FF2", Field::Fraction(2)),
    ("FF3", Field::Fraction(3)),
    ("FF4", Field::Fraction(4)),
    ("FF5", Field::Fraction(5)),
    ("FF6", Field::Fraction(6)),
    ("Y,YYY", Field::YearWithComma),
    ("YYYY", Field::Year(4)),
    ("YYY", Field::Year(3)),
    ("YY", Field::Year(2)),
    ("Y", Field::Year(1)),
    ("IYYY", Field::IsoYear(4)),
    ("IYY", Field::IsoYear(3)),
    ("IY", Field::IsoYear(2)),
    ("IW", Field::IsoWeek),
    ("ID", Field::IsoWeekday),
    ("DDD", Field::DayOfYear),
    ("DD", Field::Day),
    ("D", Field::Weekday),
    ("WW", Field::WeekOfYear),
    ("W", Field::WeekOfMonth),
    ("CC", Field::Century),
    ("J", Field::Julian),
    ("Q", Field::Quarter),
    ("I", Field::IsoYear(1)),
];

/// A field whose text is written in a case.
type MakeField = fn(Case) -> Field;

/// Patterns that are written as their letters are.
const WORDS: [(&str, MakeField); 14] = [
    ("A.M.", |case| Field::Meridiem(true, case)),
    ("P.M.", |case| Field::Meridiem(true, case)),
    ("AM", |case| Field::Meridiem(false, case)),
    ("PM", |case| Field::Meridiem(false, case)),
    ("A.D.", |case| Field::Era(true, case)),
    ("B.C.", |case| Field::Era(true, case)),
    ("AD", |case| Field::Era(false, case)),
    ("BC", |case| Field::Era(false, case)),
    ("MONTH", Field::MonthName),
    ("MON", Field::MonthShort),
    ("DAY", Field::DayName),
    ("DY", Field::DayShort),
    ("RM", Field::Roman),
    ("TZ", Field::Zone),
];

/// The case of a word's letters, where they are of one.
fn case_of(word: &str) -> Option<Case> {
    let mut letters = word.chars().filter(|c| c.is_ascii_alphabetic());
    let first = letters.next()?;
    if first.is_ascii_lowercase() {
        return letters
            .all(|c| c.is_ascii_lowercase())
            .then_some(Case::Lower);
    }
    let rest: Vec<char> = letters.collect();
    if rest.iter().all(char::is_ascii_uppercase) {
        return Some(Case::Upper);
    }
    rest.iter()
        .all(char::is_ascii_lowercase)
        .then_some(Case::Title)
}

/// The pattern that a text begins with, and its length.
fn pattern(text: &str) -> Option<(Field, usize)> {
    let begins = |name: &str| {
        let own = text.get(..name.len())?;
        own.eq_ignore_ascii_case(name)
            .then(|| case_of(own))
            .flatten()
    };
    if begins("TZH").is_some() {
        return Some((Field::OffsetHours, 3));
    }
    if begins("TZM").is_some() {
        return Some((Field::OffsetMinutes, 3));
    }
    if begins("OF") == Some(Case::Upper) {
        return Some((Field::Offset, 2));
    }
    for (name, field) in WORDS {
        if let Some(case) = begins(name) {
            return Some((field(case), name.len()));
        }
    }
    for (name, field) in NUMBERS {
        if begins(name).is_some_and(|case| case != Case::Title || name.len() == 1) {
            return Some((field, name.len()));
        }
    }
    None
}

/// The parts of a template.
///
/// # Errors
/// `InvalidArgument` for what is known and not built: `SP` (numbers in words).
pub(super) fn parse(function: &'static str, template: &str) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    let mut rest = template;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix('"') {
            rest = quoted(after, &mut items);
            continue;
        }
        if let Some(after) = rest.strip_prefix("\\\"") {
            items.push(Item::Literal('"'));
            rest = after;
            continue;
        }
        let mut fill = true;
        loop {
            let prefix = rest.get(..2).map(str::to_ascii_uppercase);
            match prefix.as_deref() {
                // Names are English everywhere, and in the language of the place not padded.
                Some("FM" | "TM") => fill = false,
                // The input of a date must fit exactly, which it has to here in any case.
                Some("FX") => {}
                _ => break,
            }
            rest = rest.get(2..).unwrap_or("");
        }
        let Some((field, length)) = pattern(rest) else {
            if let Some(c) = rest.chars().next() {
                items.push(Item::Literal(c));
                rest = rest.get(c.len_utf8()..).unwrap_or("");
            } else if rest.len() == template.len() {
                items.push(Item::Literal(first));
            }
            continue;
        };
        rest = rest.get(length..).unwrap_or("");
        let suffix = rest.get(..2).unwrap_or("");
        let ordinal = match suffix {
            "TH" => Some(Case::Upper),
            "th" => Some(Case::Lower),
            "SP" | "sp" => return Err(invalid(function, "SP, numbers in words, is not known")),
            _ => None,
        };
        if ordinal.is_some() {
            rest = rest.get(2..).unwrap_or("");
        }
        items.push(Item::Field {
            field,
            fill,
            ordinal,
        });
    }
    Ok(items)
}

/// Takes a text in quotes; gives what comes after it.
fn quoted<'t>(text: &'t str, items: &mut Vec<Item>) -> &'t str {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return text.get(at + 1..).unwrap_or(""),
            '\\' => match chars.next() {
                Some((_, c)) => items.push(Item::Literal(c)),
                None => items.push(Item::Literal('\\')),
            },
            c => items.push(Item::Literal(c)),
        }
    }
    ""
}

/// What a template shows: a moment, or the parts of an interval.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    /// Microseconds; those of an interval may be more than a day, and negative.
    pub(super) clock: i64,
    /// Absent for an interval.
    pub(super) moment: Option<Moment>,
    pub(super) has_zone: bool,
}

impl Shown {
    /// Of a moment.
    pub(super) fn of(micros: i64, has_zone: bool) -> Self {
        let moment = Moment::new(micros);
        Self {
            year: i64::from(moment.date.year),
            month: i64::from(moment.date.month),
            day: i64::from(moment.date.day),
            clock: moment.clock,
            moment: Some(moment),
            has_zone,
        }
    }

    fn part(&self, part: Part) -> i64 {
        self.moment.map_or(0, |moment| part.of(moment))
    }

    /// The year as people count it: there is no year 0.
    fn counted_year(&self, year: i64) -> i64 {
        match self.moment {
            Some(_) if year <= 0 => 1 - year,
            _ => year,
        }
    }
}

/// Writes by a template.
///
/// # Errors
/// For what an interval does not have.
pub(super) fn write(out: &mut String, items: &[Item], shown: &Shown) -> Result<()> {
    for item in items {
        match item {
            Item::Literal(c) => out.push(*c),
            Item::Field {
                field,
                fill,
                ordinal,
            } => write_field(out, *field, *fill, *ordinal, shown)?,
        }
    }
    Ok(())
}

fn word(out: &mut String, text: &str, case: Case, width: usize) {
    let text = match case {
        Case::Upper => text.to_ascii_uppercase(),
        Case::Lower => text.to_ascii_lowercase(),
        Case::Title => text.to_owned(),
    };
    out.push_str(&text);
    out.extend(std::iter::repeat_n(' ', width.saturating_sub(text.len())));
}

fn roman_month(month: i64) -> &'static str {
    const MONTHS: [&str; 12] = [
        "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII",
    ];
    let index = usize::try_from(month - 1).unwrap_or(usize::MAX);
    MONTHS.get(index).copied().unwrap_or("")
}

/// What follows a number that tells a place: `st`, `nd`, `rd`, `th`.
fn ordinal_ending(number: i64) -> &'static str {
    let last = number.unsigned_abs() % 100;
    match (last, last % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    }
}

fn write_field(
    out: &mut String,
    field: Field,
    fill: bool,
    ordinal: Option<Case>,
    shown: &Shown,
) -> Result<()> {
    let names = |text: &str, case, width| (text.to_owned(), case, if fill { width } else { 0 });
    let hours = shown.clock / 3_600_000_000;
    let dotted =
        |dots: bool, plain: &'static str, with: &'static str| if dots { with } else { plain };
    let named = match field {
        Field::Meridiem(dots, case) => {
            let late = hours.rem_euclid(24) >= 12;
            let text = if late {
                dotted(dots, "PM", "P.M.")
            } else {
                dotted(dots, "AM", "A.M.")
            };
            Some(names(text, case, 0))
        }
        Field::Era(dots, case) => {
            let before = shown.year <= 0;
            let text = if before {
                dotted(dots, "BC", "B.C.")
            } else {
                dotted(dots, "AD", "A.D.")
            };
            Some(names(text, case, 0))
        }
        Field::MonthName(case) => Some(names(month_name(shown.month as u8), case, 9)),
        Field::MonthShort(case) => Some(names(
            month_name(shown.month as u8).get(..3).unwrap_or(""),
            case,
            0,
        )),
        Field::DayName(case) => Some(names(weekday_name(shown.part(Part::IsoWeekday)), case, 9)),
        Field::DayShort(case) => {
            let name = weekday_name(shown.part(Part::IsoWeekday));
            Some(names(name.get(..3).unwrap_or(""), case, 0))
        }
        Field::Roman(case) => Some(names(roman_month(shown.month), case, 4)),
        Field::Zone(case) => Some(names(if shown.has_zone { "UTC" } else { "" }, case, 0)),
        Field::Offset => Some(names("+00", Case::Upper, 0)),
        Field::OffsetHours => Some(names("+00", Case::Upper, 0)),
        Field::OffsetMinutes => Some(names("00", Case::Upper, 0)),
        _ => None,
    };
    if let Some((text, case, width)) = named {
        if shown.moment.is_none() && !matches!(field, Field::Meridiem(..) | Field::Roman(_)) {
            return Err(invalid("to_char", "an interval has no names and no zone"));
        }
        word(out, &text, case, width);
        return Ok(());
    }
    let (number, width) = numeric(field, shown);
    if field == Field::YearWithComma {
        let year = shown.counted_year(shown.year);
        write_text(out, format_args!("{},{:03}", year / 1_000, year % 1_000));
    } else if fill {
        let width = width + usize::from(number < 0);
        write_text(out, format_args!("{number:0width$}"));
    } else {
        write_text(out, format_args!("{number}"));
    }
    if let Some(case) = ordinal {
        word(out, ordinal_ending(number), case, 0);
    }
    Ok(())
}

/// A text takes everything.
fn write_text(out: &mut String, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok());
}

/// The number that a pattern shows, and its digits.
fn numeric(field: Field, shown: &Shown) -> (i64, usize) {
    let hours = shown.clock / 3_600_000_000;
    let last_digits = |year: i64, digits: u32| {
        let year = shown.counted_year(year);
        if digits >= 4 {
            year
        } else {
            year % 10i64.pow(digits)
        }
    };
    let micros = shown.clock % 1_000_000;
    match field {
        Field::Hour12 => ((hours.abs() + 11) % 12 + 1, 2),
        Field::Hour24 => (hours, 2),
        Field::Minute => (shown.clock / 60_000_000 % 60, 2),
        Field::Second => (shown.clock / 1_000_000 % 60, 2),
        Field::Millisecond => (micros / 1_000, 3),
        Field::Microsecond => (micros, 6),
        Field::Fraction(digits) => (micros / 10i64.pow(6 - digits.min(6)), digits as usize),
        Field::SecondOfDay => (shown.clock / 1_000_000, 1),
        Field::Year(digits) => (last_digits(shown.year, digits), digits as usize),
        Field::YearWithComma => (shown.counted_year(shown.year), 4),
        Field::IsoYear(digits) => (
            last_digits(shown.part(Part::IsoYear), digits),
            digits as usize,
        ),
        Field::Month => (shown.month, 2),
        Field::DayOfYear => (shown.part(Part::DayOfYear), 3),
        Field::Day => (shown.day, 2),
        Field::Weekday => (shown.part(Part::Weekday) + 1, 1),
        Field::IsoWeekday => (shown.part(Part::IsoWeekday), 1),
        Field::WeekOfMonth => ((shown.day - 1) / 7 + 1, 1),
        Field::WeekOfYear => ((shown.part(Part::DayOfYear) - 1) / 7 + 1, 2),
        Field::IsoWeek => (shown.part(Part::Week), 2),
        Field::Century => (shown.part(Part::Century), 2),
        Field::Julian => (shown.part(Part::Julian), 1),
        Field::Quarter => ((shown.month - 1) / 3 + 1, 1),
        _ => (0, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(template: &str) -> String {
        let mut out = String::new();
        let items = parse("to_char", template).unwrap();
        // 2024-02-09 16:05:06.789
        write(&mut out, &items, &Shown::of(1_707_494_706_789_000, true)).unwrap();
        out
    }

    #[test]
    fn patterns_of_a_moment() {
        assert_eq!(shown("YYYY-MM-DD HH24:MI:SS.MS"), "2024-02-09 16:05:06.789");
        assert_eq!(
            shown("Day, FMDDth FMMonth YYYY"),
            "Friday   , 9th February 2024"
        );
        assert_eq!(shown("HH12:MI AM, a.m."), "04:05 PM, p.m.");
        assert_eq!(
            shown("\"Q\"Q IYYY-\"W\"IW-ID DDD J"),
            "Q1 2024-W06-5 040 2460350"
        );
        assert_eq!(
            shown("Y,YYY YY CC RM rm TZ OF"),
            "2,024 24 21 II   ii   UTC +00"
        );
        assert_eq!(shown("MONTH|Mon|dy"), "FEBRUARY |Feb|fri");
        assert_eq!(shown("US FF3 SSSS"), "789000 789 57906");
    }
}

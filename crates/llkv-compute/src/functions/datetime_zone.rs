//! Time zones: `x AT TIME ZONE 'Europe/Berlin'` is `timezone('Europe/Berlin', x)`.

use super::args::{build, exactly, invalid, natives, out_of_range, signature, texts};
use arrow::array::ArrayRef;
use arrow::array::timezone::Tz;
use arrow::datatypes::TimestampMicrosecondType;
use chrono::{DateTime, LocalResult, NaiveDateTime, Offset, TimeDelta, TimeZone};
use llkv_expr::{Dialects, FunctionArgs, ScalarFunction, Signature};
use llkv_result::Result;
use llkv_types::SqlType;

use SqlType::{Text, Timestamp, TimestampTz};

const NAME: &str = "timezone";

fn zoned(types: &[SqlType]) -> Option<Signature> {
    match types {
        [Text | SqlType::Null, TimestampTz] => signature(&[Text, TimestampTz], Timestamp),
        _ => exactly(types, &[Text, Timestamp], TimestampTz),
    }
}

/// A zone by its name or offset. `EST` and the like, which PostgreSQL knows too, are names of the database of
/// zones. An offset counts westwards, as in POSIX and PostgreSQL: clocks of `+02:00` are two hours behind.
fn zone(name: &str) -> Result<Tz> {
    let known = name.trim();
    let upper = known.to_ascii_uppercase();
    let known = match upper.as_str() {
        "UTC" | "GMT" | "Z" | "ZULU" => "UTC",
        _ => known,
    };
    let westwards = match known.split_at_checked(1) {
        Some(("+", hours)) => Some(format!("-{hours}")),
        Some(("-", hours)) => Some(format!("+{hours}")),
        _ => None,
    };
    westwards
        .as_deref()
        .unwrap_or(known)
        .parse()
        .map_err(|_| invalid(NAME, format!("unknown time zone '{name}'")))
}

/// The moment at which clocks of a zone show a time: of two the later one, in standard time; of none the one
/// by the clock before it was put forward. As in PostgreSQL.
fn to_utc(zone: Tz, local: NaiveDateTime) -> Option<i64> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(moment) => Some(moment.timestamp_micros()),
        LocalResult::Ambiguous(_, later) => Some(later.timestamp_micros()),
        LocalResult::None => {
            let before = local.checked_sub_signed(TimeDelta::days(1))?;
            let offset = zone.offset_from_utc_datetime(&before).fix();
            let seconds = i64::from(offset.local_minus_utc());
            let micros = local.and_utc().timestamp_micros();
            micros.checked_sub(seconds.checked_mul(1_000_000)?)
        }
    }
}

/// What clocks of a zone show at a moment.
fn to_local(zone: Tz, moment: NaiveDateTime) -> Option<i64> {
    let offset = zone.offset_from_utc_datetime(&moment).fix();
    let micros = moment.and_utc().timestamp_micros();
    micros.checked_add(i64::from(offset.local_minus_utc()).checked_mul(1_000_000)?)
}

fn timezone(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let (name, x) = (
        texts(args, 0)?,
        natives::<TimestampMicrosecondType>(args, 1)?,
    );
    let mut known: Option<(String, Tz)> = None;
    build::<TimestampMicrosecondType>(args, |row| {
        let (Some(name), Some(x)) = (name.get(row), x.get(row)) else {
            return Ok(None);
        };
        // The zone is nearly always that of the row before.
        let own = match &known {
            Some((of, zone)) if of == name => *zone,
            _ => known.insert((name.to_owned(), zone(name)?)).1,
        };
        let moment = DateTime::from_timestamp_micros(x).map(|moment| moment.naive_utc());
        let turned = moment.and_then(|moment| match args.result {
            TimestampTz => to_utc(own, moment),
            _ => to_local(own, moment),
        });
        turned
            .map(Some)
            .ok_or_else(|| out_of_range(NAME, args.result))
    })
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[ScalarFunction::new(
    "timezone",
    "timezone(zone, x), x AT TIME ZONE zone",
    "The moment at which clocks of a zone show a time; of a TIMESTAMP WITH TIME ZONE, the time that they show.",
    (
        "TIMESTAMP '2024-07-01 12:00' AT TIME ZONE 'Europe/Berlin'",
        "2024-07-01 10:00:00+00",
    ),
    zoned,
    timezone,
)
.only_in(Dialects::LLKV.or(Dialects::DUCKDB))];

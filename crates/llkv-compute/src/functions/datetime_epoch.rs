//! Seconds, milliseconds, microseconds and nanoseconds since 1970-01-01, in both directions.

use super::args::{array, build, exactly, natives, out_of_range, signature};
use crate::arrays::sql_type;
use arrow::array::ArrayRef;
use arrow::datatypes::{Int64Type, IntervalMonthDayNanoType, TimestampMicrosecondType};
use llkv_expr::{Dialects, FunctionArgs, ScalarFunction, Signature};
use llkv_result::Result;
use llkv_types::SqlType;
use llkv_types::calendar::MICROS_PER_DAY;

use SqlType::{Int64, Interval, Timestamp};

/// Where the functions that SQLite lacks are known.
const OTHERS: Dialects = Dialects::LLKV.or(Dialects::DUCKDB);

/// An interval or a moment.
fn counted(types: &[SqlType]) -> Option<Signature> {
    match types {
        [Interval] => signature(&[Interval], Int64),
        _ => exactly(types, &[Timestamp], Int64),
    }
}

/// A moment as a count, a count as a moment.
fn both_ways(types: &[SqlType]) -> Option<Signature> {
    match types {
        [ty] if ty.is_integer() => signature(&[Int64], Timestamp),
        _ => counted(types),
    }
}

/// Units since 1970-01-01, of which `per_micro.0` are `per_micro.1` microseconds.
fn count(args: &FunctionArgs<'_>, name: &'static str, per_micro: (i64, i64)) -> Result<ArrayRef> {
    let scaled = |micros: i128| -> Result<Option<i64>> {
        let value = (micros * i128::from(per_micro.0)).div_euclid(i128::from(per_micro.1));
        i64::try_from(value)
            .map(Some)
            .map_err(|_| out_of_range(name, Int64))
    };
    if sql_type(array(args, 0)?.as_ref())? == Interval {
        let x = natives::<IntervalMonthDayNanoType>(args, 0)?;
        return build::<Int64Type>(args, |row| match x.get(row) {
            None => Ok(None),
            Some(x) => {
                let days = i128::from(x.months) * 30 + i128::from(x.days);
                let clock = i128::from(x.nanoseconds / 1_000);
                scaled(days * i128::from(MICROS_PER_DAY) + clock)
            }
        });
    }
    let x = natives::<TimestampMicrosecondType>(args, 0)?;
    build::<Int64Type>(args, |row| match x.get(row) {
        None => Ok(None),
        Some(x) => scaled(i128::from(x)),
    })
}

/// The moment so many units after 1970-01-01.
fn moment(args: &FunctionArgs<'_>, name: &'static str, micros: i64) -> Result<ArrayRef> {
    let x = natives::<Int64Type>(args, 0)?;
    build::<TimestampMicrosecondType>(args, |row| match x.get(row) {
        None => Ok(None),
        Some(x) => x
            .checked_mul(micros)
            .map(Some)
            .ok_or_else(|| out_of_range(format!("{name}({x})"), Timestamp)),
    })
}

fn milliseconds(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    match args.result {
        Timestamp => moment(args, "epoch_ms", 1_000),
        _ => count(args, "epoch_ms", (1, 1_000)),
    }
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "epoch_ms",
        "epoch_ms(x)",
        "Milliseconds from 1970-01-01 to a moment; or the moment of so many.",
        ("epoch_ms(701222400000)", "1992-03-22 00:00:00"),
        both_ways,
        milliseconds,
    )
    .only_in(OTHERS),
    ScalarFunction::new(
        "epoch_us",
        "epoch_us(x)",
        "Microseconds from 1970-01-01 to a moment.",
        ("epoch_us(TIMESTAMP '1970-01-01 00:00:01')", "1000000"),
        counted,
        |args| count(args, "epoch_us", (1, 1)),
    )
    .only_in(OTHERS),
    ScalarFunction::new(
        "epoch_ns",
        "epoch_ns(x)",
        "Nanoseconds from 1970-01-01 to a moment.",
        ("epoch_ns(TIMESTAMP '1970-01-01 00:00:01')", "1000000000"),
        counted,
        |args| count(args, "epoch_ns", (1_000, 1)),
    )
    .only_in(OTHERS),
    ScalarFunction::new(
        "make_timestamp_ms",
        "make_timestamp_ms(milliseconds)",
        "The moment so many milliseconds after 1970-01-01.",
        ("make_timestamp_ms(1500)", "1970-01-01 00:00:01.5"),
        |types| exactly(types, &[Int64], Timestamp),
        |args| moment(args, "make_timestamp_ms", 1_000),
    )
    .only_in(OTHERS),
];

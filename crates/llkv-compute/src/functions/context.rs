//! What the session knows: its time, its changes, its names.

use super::args::{build, build_text, exactly};
use super::datetime_parts::Moment;
use crate::context::{StatementContext, clock_micros};
use arrow::array::ArrayRef;
use arrow::datatypes::{Date32Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType};
use llkv_expr::{Dialects, FunctionArgs, Resolve, ScalarFunction};
use llkv_result::Result;
use llkv_types::SqlType;

use SqlType::{Date, Int64, Text, Time, Timestamp, TimestampTz};

/// The version that people are told.
const VERSION: &str = concat!("LLKV ", env!("CARGO_PKG_VERSION"));

fn moment(args: &FunctionArgs<'_>, micros: i64) -> Result<ArrayRef> {
    build::<TimestampMicrosecondType>(args, |_| Ok(Some(micros)))
}

fn number(args: &FunctionArgs<'_>, value: i64) -> Result<ArrayRef> {
    build::<Int64Type>(args, |_| Ok(Some(value)))
}

fn word(args: &FunctionArgs<'_>, text: &str) -> Result<ArrayRef> {
    build_text(args.rows, |_, out| {
        out.push_str(text);
        Ok(Some(()))
    })
}

fn current_date(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let today = Moment::new(StatementContext::current().transaction_micros).days;
    build::<Date32Type>(args, |_| Ok(Some(today)))
}

fn current_time(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let clock = Moment::new(StatementContext::current().transaction_micros).clock;
    build::<Time64MicrosecondType>(args, |_| Ok(Some(clock)))
}

/// No argument, one type.
macro_rules! none {
    ($ty:expr) => {{
        let resolve: Resolve = |types| exactly(types, &[], $ty);
        resolve
    }};
}

/// A function without arguments whose value a statement does not change.
macro_rules! known {
    ($name:literal, $description:literal, $example:expr, $ty:expr, $kernel:expr) => {
        ScalarFunction::new(
            $name,
            concat!($name, "()"),
            $description,
            $example,
            none!($ty),
            $kernel,
        )
        .stable()
    };
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    known!(
        "now",
        "The time at which the transaction began, in UTC.",
        ("now() > TIMESTAMP '2020-01-01'", "true"),
        TimestampTz,
        |args| moment(args, StatementContext::current().transaction_micros)
    )
    .also(&[
        "current_timestamp",
        "transaction_timestamp",
        "get_current_timestamp",
    ])
    .only_in(Dialects::LLKV.or(Dialects::DUCKDB)),
    known!(
        "statement_timestamp",
        "The time at which the statement began, in UTC.",
        ("statement_timestamp() >= now()", "true"),
        TimestampTz,
        |args| moment(args, StatementContext::current().statement_micros)
    )
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "clock_timestamp",
        "clock_timestamp()",
        "The time at this very moment, in UTC.",
        ("clock_timestamp() >= now()", "true"),
        none!(TimestampTz),
        |args| moment(args, clock_micros()),
    )
    .volatile()
    .only_in(Dialects::LLKV),
    known!(
        "localtimestamp",
        "The time at which the transaction began, without a time zone.",
        ("localtimestamp > TIMESTAMP '2020-01-01'", "true"),
        Timestamp,
        |args| moment(args, StatementContext::current().transaction_micros)
    )
    .also(&["current_localtimestamp"])
    .only_in(Dialects::LLKV.or(Dialects::DUCKDB)),
    known!(
        "current_date",
        "The date on which the transaction began, in UTC.",
        ("current_date > DATE '2020-01-01'", "true"),
        Date,
        current_date
    )
    .also(&["today"])
    .only_in(Dialects::LLKV.or(Dialects::DUCKDB)),
    known!(
        "current_time",
        "The time of day at which the transaction began, in UTC.",
        ("current_time >= TIME '00:00'", "true"),
        Time,
        current_time
    )
    .also(&["localtime", "get_current_time", "current_localtime"])
    .only_in(Dialects::LLKV.or(Dialects::DUCKDB)),
    known!(
        "version",
        "The name and version of the database.",
        ("version() LIKE 'LLKV %'", "true"),
        Text,
        |args| word(args, VERSION)
    )
    .only_in(Dialects::LLKV.or(Dialects::DUCKDB)),
    known!(
        "current_database",
        "The name of the database.",
        ("current_database()", "llkv"),
        Text,
        |args| word(args, "llkv")
    )
    .also(&["current_catalog"])
    .only_in(Dialects::LLKV.or(Dialects::DUCKDB)),
    known!(
        "current_schema",
        "The schema in which names without one are looked for.",
        ("current_schema()", "main"),
        Text,
        |args| word(args, "main")
    )
    .only_in(Dialects::LLKV.or(Dialects::DUCKDB)),
    known!(
        "current_user",
        "The name of the user, of whom there is one.",
        ("current_user", "llkv"),
        Text,
        |args| word(args, "llkv")
    )
    .also(&["session_user", "user", "current_role"])
    .only_in(Dialects::LLKV.or(Dialects::DUCKDB)),
    known!(
        "changes",
        "Rows that the last INSERT, UPDATE, DELETE or MERGE of the session changed.",
        ("changes()", "0"),
        Int64,
        |args| number(args, StatementContext::current().changes)
    )
    .only_in(Dialects::SQLITE),
    known!(
        "total_changes",
        "Rows that the session has changed since it began.",
        ("total_changes()", "0"),
        Int64,
        |args| number(args, StatementContext::current().total_changes)
    )
    .only_in(Dialects::SQLITE),
    known!(
        "last_insert_rowid",
        "The INTEGER PRIMARY KEY of the row that the session inserted last, 0 before the first.",
        ("last_insert_rowid()", "0"),
        Int64,
        |args| number(args, StatementContext::current().last_row_id)
    )
    .only_in(Dialects::SQLITE),
    known!(
        "sqlite_version",
        "The version of SQLite whose meanings the dialect has.",
        ("sqlite_version()", "3.46.0"),
        Text,
        |args| word(args, "3.46.0")
    )
    .only_in(Dialects::SQLITE),
];

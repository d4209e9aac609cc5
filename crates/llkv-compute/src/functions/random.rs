//! Chance: numbers, bytes, identifiers.

use super::args::{build, build_text, exactly, invalid, natives, signature};
use arrow::array::{ArrayRef, BinaryViewBuilder};
use arrow::datatypes::{Float64Type, Int64Type};
use llkv_expr::{Dialects, FunctionArgs, ScalarFunction, Signature};
use llkv_result::Result;
use llkv_types::SqlType;
use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use SqlType::{Float64, Int64, Text};

/// The most bytes that one call gives: a typo must not take all memory.
const MAX_BYTES: i64 = 256 << 20;

thread_local! {
    static STATE: Cell<u64> = Cell::new(RandomState::new().build_hasher().finish());
}

/// The next 64 bits: splitmix64, seeded per thread by the operating system.
fn next_bits() -> u64 {
    let state = STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    STATE.set(state);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The next number in [0, 1).
fn next_unit() -> f64 {
    (next_bits() >> 11) as f64 / (1u64 << 53) as f64
}

fn random(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    build::<Float64Type>(args, |_| Ok(Some(next_unit())))
}

fn random_integer(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    build::<Int64Type>(args, |_| Ok(Some(next_bits() as i64)))
}

/// Numbers that follow on this thread are the same after the same seed.
fn set_seed(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let seed = natives::<Float64Type>(args, 0)?;
    build_text(args.rows, |row, _| {
        let Some(seed) = seed.get(row) else {
            return Ok(None);
        };
        if !(-1.0..=1.0).contains(&seed) {
            return Err(invalid("setseed", format!("{seed} is not within -1 and 1")));
        }
        STATE.set(seed.to_bits());
        Ok(Some(()))
    })
}

fn random_bytes(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let lengths = natives::<Int64Type>(args, 0)?;
    let mut out = BinaryViewBuilder::with_capacity(args.rows);
    for row in 0..args.rows {
        // NULL and what is below 1 count as 1, as in SQLite.
        let length = lengths.get(row).unwrap_or(1).max(1);
        if length > MAX_BYTES {
            return Err(invalid(
                "randomblob",
                format!("more than {MAX_BYTES} bytes"),
            ));
        }
        let words = (length as usize).div_ceil(8);
        let mut bytes = Vec::with_capacity(words * 8);
        (0..words).for_each(|_| bytes.extend_from_slice(&next_bits().to_le_bytes()));
        bytes.truncate(length as usize);
        out.try_append_value(&bytes)?;
    }
    Ok(Arc::new(out.finish()))
}

/// A UUID of 128 bits, with its version and variant put in.
fn write_uuid(out: &mut String, bits: u128, version: u128) {
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | (version << 76) | (0x2 << 62);
    let digits = format!("{bits:032x}");
    for (at, digit) in digits.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            out.push('-');
        }
        out.push(digit);
    }
}

fn uuid(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    build_text(args.rows, |_, out| {
        let bits = u128::from(next_bits()) << 64 | u128::from(next_bits());
        write_uuid(out, bits, 4);
        Ok(Some(()))
    })
}

/// Version 7: milliseconds first, so that identifiers sort by their time.
fn uuid_of_time(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    build_text(args.rows, |_, out| {
        let millis = (crate::clock_micros() / 1_000) as u128 & 0xffff_ffff_ffff;
        let bits = u128::from(next_bits()) << 64 | u128::from(next_bits());
        write_uuid(out, (bits >> 48) | (millis << 80), 7);
        Ok(Some(()))
    })
}

/// A whole number between two others, both among them.
fn random_between(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let (low, high) = (
        natives::<Int64Type>(args, 0)?,
        natives::<Int64Type>(args, 1)?,
    );
    build::<Int64Type>(args, |row| {
        let (Some(low), Some(high)) = (low.get(row), high.get(row)) else {
            return Ok(None);
        };
        if low > high {
            return Err(invalid("random", format!("{low} is above {high}")));
        }
        let span = (i128::from(high) - i128::from(low) + 1) as u128;
        let wide = u128::from(next_bits()) << 64 | u128::from(next_bits());
        Ok(Some((i128::from(low) + (wide % span) as i128) as i64))
    })
}

fn none_or_bounds(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[], Float64).or_else(|| exactly(types, &[Int64, Int64], Int64))
}

fn no_argument(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[], Text)
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "random",
        "random([low, high])",
        "A number from 0 to below 1, or a whole number between two others, another at each call.",
        ("random() < 1 AND random(3, 3) = 3", "true"),
        none_or_bounds,
        |args| match args.result {
            Float64 => random(args),
            _ => random_between(args),
        },
    )
    .volatile()
    .only_in(Dialects::LLKV.or(Dialects::DUCKDB)),
    ScalarFunction::new(
        "setseed",
        "setseed(x)",
        "Begins the series of random() anew, at a place that a number between -1 and 1 chooses.",
        ("setseed(0.5) = ''", "true"),
        |types| exactly(types, &[Float64], Text),
        set_seed,
    )
    .volatile()
    .only_in(Dialects::LLKV.or(Dialects::DUCKDB)),
    ScalarFunction::new(
        "gen_random_uuid",
        "gen_random_uuid()",
        "A random UUID of version 4, as text.",
        ("length(gen_random_uuid())", "36"),
        no_argument,
        uuid,
    )
    .also(&["uuid", "uuidv4"])
    .volatile(),
    ScalarFunction::new(
        "uuidv7",
        "uuidv7()",
        "A UUID of version 7, as text: later ones sort after earlier ones.",
        ("substr(uuidv7(), 15, 1)", "7"),
        no_argument,
        uuid_of_time,
    )
    .volatile(),
    ScalarFunction::new(
        "random",
        "random()",
        "A 64-bit integer, another at each call.",
        ("typeof(random())", "integer"),
        |types| exactly(types, &[], Int64),
        random_integer,
    )
    .volatile()
    .only_in(Dialects::SQLITE),
    ScalarFunction::new(
        "randomblob",
        "randomblob(length)",
        "Random bytes.",
        ("length(randomblob(16))", "16"),
        |types| match types {
            [_] => signature(&[Int64], SqlType::Blob),
            _ => None,
        },
        random_bytes,
    )
    .volatile()
    .taking_nulls()
    .only_in(Dialects::SQLITE),
];

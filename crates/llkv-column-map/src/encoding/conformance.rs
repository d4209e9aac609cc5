//! The suite that every encoding passes: identity, windows, positions, tests, garbled bytes.

use super::Lifetime;
use super::input::Input;
use super::profile::Profile;
use super::{ENCODINGS, Scratch, encode_as, encode_parts, find};
use crate::chunk::Chunk;
use crate::column_buffer::ColumnBuffer;
use crate::column_test::Test;
use crate::key_set::KeySet;
use crate::kind::Kind;
use crate::predicate::ColumnTest;
use crate::scan::selection::{Positions, Selection, WINDOW_ROWS};
use arrow::array::{
    Array, ArrayRef, BinaryViewArray, BooleanArray, Decimal64Array, Decimal128Array, Float32Array,
    Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, StringViewArray, UInt8Array,
    UInt16Array, UInt32Array, UInt64Array, new_null_array,
};
use arrow::buffer::Buffer;
use llkv_result::Result;
use llkv_types::variant::{Variant, VariantBuilder};
use llkv_types::{Scalar, SqlType};
use proptest::prelude::*;
use std::ops::Bound;
use std::sync::Arc;

/// Shapes of integers that encodings are made for.
#[derive(Debug, Clone)]
enum Shape {
    Same(i64),
    Counting(i64, i64),
    Runs(Vec<(i64, u16)>),
    Few(Vec<i64>, u64),
    Narrow(i64, u64, u64),
    Rising(i64, i64, u64),
    Any(u64),
}

fn mix(seed: u64, row: u64) -> u64 {
    let mut x = seed ^ row.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x ^= x >> 31;
    x = x.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    x ^ (x >> 29)
}

impl Shape {
    fn value(&self, row: usize) -> i64 {
        let at = row as u64;
        match self {
            Self::Same(v) => *v,
            Self::Counting(first, step) => first.wrapping_add(step.wrapping_mul(row as i64)),
            Self::Runs(runs) => {
                let total: usize = runs.iter().map(|r| usize::from(r.1) + 1).sum();
                let mut left = row % total.max(1);
                for (value, len) in runs {
                    if left <= usize::from(*len) {
                        return *value;
                    }
                    left -= usize::from(*len) + 1;
                }
                0
            }
            Self::Few(values, seed) => values[(mix(*seed, at) % values.len() as u64) as usize],
            Self::Narrow(base, span, seed) => {
                base.wrapping_add((mix(*seed, at) % span.max(&1)) as i64)
            }
            Self::Rising(first, span, seed) => {
                let within = (mix(*seed, at) % span.unsigned_abs().max(1)) as i64;
                first
                    .wrapping_add(span.wrapping_mul(row as i64))
                    .wrapping_add(within)
            }
            Self::Any(seed) => mix(*seed, at) as i64,
        }
    }
}

fn shapes() -> impl Strategy<Value = Shape> {
    prop_oneof![
        any::<i64>().prop_map(Shape::Same),
        (any::<i64>(), -3i64..1_000).prop_map(|(a, b)| Shape::Counting(a, b)),
        prop::collection::vec((any::<i64>(), 0u16..400), 1..20).prop_map(Shape::Runs),
        (prop::collection::vec(any::<i64>(), 1..30), any::<u64>())
            .prop_map(|(v, s)| Shape::Few(v, s)),
        (any::<i64>(), 1u64..100_000, any::<u64>()).prop_map(|(b, w, s)| Shape::Narrow(b, w, s)),
        (any::<i64>(), -100_000i64..100_000, any::<u64>())
            .prop_map(|(a, b, s)| Shape::Rising(a, b, s)),
        any::<u64>().prop_map(Shape::Any),
    ]
}

const TYPES: [SqlType; 18] = [
    SqlType::Boolean,
    SqlType::Int8,
    SqlType::Int16,
    SqlType::Int32,
    SqlType::Int64,
    SqlType::UInt8,
    SqlType::UInt16,
    SqlType::UInt32,
    SqlType::UInt64,
    SqlType::Float32,
    SqlType::Float64,
    SqlType::Decimal {
        precision: 15,
        scale: 2,
    },
    SqlType::Decimal {
        precision: 30,
        scale: 4,
    },
    SqlType::Text,
    SqlType::Blob,
    SqlType::Variant,
    SqlType::Date,
    SqlType::Interval,
];

/// An array of `ty` made of a shape's integers; every `null_every`-th row (0: none) is NULL.
fn array(ty: SqlType, shape: &Shape, rows: usize, null_every: usize) -> ArrayRef {
    let values: Vec<Option<i64>> = (0..rows)
        .map(|row| (null_every == 0 || row % null_every != 1).then(|| shape.value(row)))
        .collect();
    let text = |v: i64| match v % 3 {
        0 => format!("{v}"),
        1 => format!("a longer text, not inline, {v}"),
        _ => format!("ü{v}ß"),
    };
    macro_rules! ints {
        ($Array:ty, $T:ty) => {
            Arc::new(
                values
                    .iter()
                    .map(|v| v.map(|v| v as $T))
                    .collect::<$Array>(),
            )
        };
    }
    match ty {
        SqlType::Boolean => Arc::new(
            values
                .iter()
                .map(|v| v.map(|v| v % 2 == 0))
                .collect::<BooleanArray>(),
        ),
        SqlType::Int8 => ints!(Int8Array, i8),
        SqlType::Int16 => ints!(Int16Array, i16),
        SqlType::Int32 => ints!(Int32Array, i32),
        SqlType::Int64 => ints!(Int64Array, i64),
        SqlType::UInt8 => ints!(UInt8Array, u8),
        SqlType::UInt16 => ints!(UInt16Array, u16),
        SqlType::UInt32 => ints!(UInt32Array, u32),
        SqlType::UInt64 => ints!(UInt64Array, u64),
        SqlType::Float32 => Arc::new(
            values
                .iter()
                .map(|v| v.map(|v| f32::from_bits(v as u32)))
                .collect::<Float32Array>(),
        ),
        SqlType::Float64 => Arc::new(
            values
                .iter()
                .map(|v| v.map(|v| f64::from_bits(v as u64)))
                .collect::<Float64Array>(),
        ),
        SqlType::Decimal {
            precision: 15,
            scale,
        } => Arc::new(
            values
                .iter()
                .copied()
                .collect::<Decimal64Array>()
                .with_precision_and_scale(15, scale as i8)
                .unwrap(),
        ),
        SqlType::Decimal { precision, scale } => Arc::new(
            values
                .iter()
                .map(|v| v.map(|v| i128::from(v) * if v % 2 == 0 { 1 } else { 1 << 40 }))
                .collect::<Decimal128Array>()
                .with_precision_and_scale(precision, scale as i8)
                .unwrap(),
        ),
        SqlType::Text => Arc::new(
            values
                .iter()
                .map(|v| v.map(text))
                .collect::<StringViewArray>(),
        ),
        SqlType::Blob => Arc::new(
            values
                .iter()
                .map(|v| v.map(|v| text(v).into_bytes()))
                .collect::<BinaryViewArray>(),
        ),
        SqlType::Variant => {
            let mut out = VariantBuilder::with_capacity(values.len());
            for value in &values {
                let shown = value.map(text);
                let value = match (value, &shown) {
                    (Some(value), _) if value % 3 == 0 => Some(Variant::Integer(*value)),
                    (Some(value), _) if value % 3 == 1 => Variant::real(*value as f64 / 2.0),
                    (_, shown) => shown.as_deref().map(Variant::Text),
                };
                out.append(value).unwrap();
            }
            out.finish().unwrap()
        }
        ty => arrow::compute::cast(
            &array(SqlType::Int32, shape, rows, null_every),
            &ty.to_arrow(),
        )
        .unwrap_or_else(|_| new_null_array(&ty.to_arrow(), rows)),
    }
}

fn open(ty: SqlType, bytes: &[u8], rows: usize) -> Result<Chunk> {
    Chunk::open(ty, &Buffer::from(bytes), rows)
}

fn decode(ty: SqlType, chunk: &Chunk, rows: usize) -> Result<ArrayRef> {
    let mut column = ColumnBuffer::new(ty, rows)?;
    column.reserve();
    chunk.append(0, rows, &mut column, &mut Scratch::default())?;
    column.finish()
}

/// What the suite asks of a chunk.
fn check(ty: SqlType, array: &ArrayRef, chunk: &Chunk, tests: &[ColumnTest], seed: u64) {
    let rows = array.len();
    let mut scratch = Scratch::default();
    assert_eq!(&decode(ty, chunk, rows).unwrap(), array);
    let mut selection = Selection::new();
    let mut positions = Positions::default();
    for start in (0..rows).step_by(WINDOW_ROWS) {
        let window = array.slice(start, WINDOW_ROWS.min(rows - start));
        if let Some(slice) = chunk.slice(start, window.len()) {
            assert_eq!(&slice.unwrap(), &window);
        }
        for share in [1, 3, 200] {
            selection.fill(window.len());
            selection.retain(|row| mix(seed, row as u64).is_multiple_of(share));
            positions.load(&selection);
            let mut column = ColumnBuffer::new(ty, window.len()).unwrap();
            column.reserve();
            chunk
                .append_at(start, &positions, &mut column, &mut scratch)
                .unwrap();
            let indices = positions.rows().iter().map(|p| u32::from(*p));
            let indices = arrow::array::UInt32Array::from_iter_values(indices);
            let expected = arrow::compute::take(&window, &indices, None).unwrap();
            assert_eq!(column.finish().unwrap().to_data(), expected.to_data());
        }
        for test in tests {
            let compiled = Test::compile(test, Kind::of(ty).unwrap()).unwrap();
            let expected = test.evaluate(&window).unwrap();
            for share in [1, 50] {
                selection.fill(window.len());
                selection.retain(|row| mix(seed, row as u64).is_multiple_of(share));
                chunk
                    .filter(
                        start,
                        &compiled,
                        &chunk.answers(&compiled).unwrap(),
                        &mut selection,
                        &mut scratch,
                    )
                    .unwrap();
                positions.load(&selection);
                let expected: Vec<u16> = expected
                    .set_indices()
                    .filter(|row| mix(seed, *row as u64).is_multiple_of(share))
                    .map(|row| row as u16)
                    .collect();
                assert_eq!(positions.rows(), expected, "{test:?}");
            }
            let verdict = chunk.judge(&compiled, start, window.len());
            let count = expected.count_set_bits();
            match verdict {
                crate::stats::Verdict::Nothing => assert_eq!(count, 0, "{test:?}"),
                crate::stats::Verdict::Everything => assert_eq!(count, window.len(), "{test:?}"),
                crate::stats::Verdict::Unsure => {}
            }
        }
    }
}

/// Tests with constants from the array.
fn tests(ty: SqlType, array: &ArrayRef, seed: u64) -> Vec<ColumnTest> {
    let mut out = vec![ColumnTest::IsNull, ColumnTest::IsNotNull];
    let valid: Vec<usize> = (0..array.len())
        .filter(|row| array.is_valid(*row))
        .collect();
    if valid.is_empty() || matches!(ty, SqlType::Interval | SqlType::Variant) {
        return out;
    }
    let pick = |n: u64| {
        let row = valid[(mix(seed, n) % valid.len() as u64) as usize];
        Scalar::from_array(array, row).unwrap()
    };
    let list: Vec<u32> = (0..5)
        .map(|n| valid[(mix(seed, 10 + n) % valid.len() as u64) as usize] as u32)
        .collect();
    let list = arrow::array::UInt32Array::from(list);
    let values = arrow::compute::take(array, &list, None).unwrap();
    let keys = KeySet::of_array(&values).map(|keys| ColumnTest::Keys(Arc::new(keys)));
    out.extend(keys);
    out.extend([
        ColumnTest::Range {
            low: Bound::Included(pick(1)),
            high: Bound::Excluded(pick(2)),
        },
        ColumnTest::Range {
            low: Bound::Excluded(pick(3)),
            high: Bound::Unbounded,
        },
        ColumnTest::Range {
            low: Bound::Included(pick(4)),
            high: Bound::Included(pick(4)),
        },
        ColumnTest::NotEq(pick(5)),
        ColumnTest::In(values),
    ]);
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_encoding_gives_back_what_it_took(
        ty in prop::sample::select(&TYPES[..]),
        shape in shapes(),
        rows in prop_oneof![1usize..70, 1_000usize..1_100, 8_000usize..20_000],
        null_every in prop_oneof![Just(0usize), Just(2), 3usize..50],
        seed in any::<u64>(),
    ) {
        let array = array(ty, &shape, rows, null_every);
        let tests = tests(ty, &array, seed);
        let input = Input::new(ty, &array).unwrap();
        let profile = Profile::new(&input, Lifetime::Lasting);
        for encoding in ENCODINGS {
            if (encoding.estimate)(&input, &profile).is_some() {
                let encoded = encode_as(encoding, &input, &profile, input.window_stats(&profile)).unwrap();
                let chunk = open(ty, &encoded.bytes, rows).unwrap();
                check(ty, &array, &chunk, &tests, seed);
            }
        }
        check(ty, &array, &Chunk::from_array(ty, &array).unwrap(), &tests, seed);
    }

    #[test]
    fn decimals_give_back_what_they_took(
        digits in 0usize..16,
        span in 2i64..1_000_000_000,
        others in prop::collection::vec((any::<prop::sample::Index>(), any::<u64>()), 0..5),
        rows in prop_oneof![1usize..70, 1_000usize..1_100, 8_000usize..20_000],
        null_every in prop_oneof![Just(0usize), Just(2), 3usize..50],
        seed in any::<u64>(),
    ) {
        let power = 10f64.powi(digits as i32);
        let mut values: Vec<f64> = (0..rows)
            .map(|row| (mix(seed, row as u64) as i64 % span) as f64 / power)
            .collect();
        others.iter().for_each(|(at, bits)| values[at.index(rows)] = f64::from_bits(*bits));
        let is_valid = |row: usize| null_every == 0 || row % null_every != 1;
        let values = values.into_iter().enumerate();
        let array: ArrayRef = Arc::new(
            values.map(|(row, value)| is_valid(row).then_some(value)).collect::<Float64Array>(),
        );
        let given = check_as(9, SqlType::Float64, &array, seed);
        prop_assert!(given || rows < 200);
    }

    #[test]
    fn numbered_texts_give_back_what_they_took(
        prefix in "[a-zé#]{0,10}",
        width in 1usize..17,
        span in 1u64..10_000_000_000_000_000,
        rows in prop_oneof![1usize..70, 1_000usize..1_100, 8_000usize..20_000],
        null_every in prop_oneof![Just(0usize), Just(2), 3usize..50],
        seed in any::<u64>(),
    ) {
        let text = |row: usize| format!("{prefix}{:0width$}", mix(seed, row as u64) % span);
        let is_valid = |row: usize| null_every == 0 || row % null_every != 1;
        let texts = (0..rows).map(|row| is_valid(row).then(|| text(row)));
        let array: ArrayRef = Arc::new(texts.collect::<StringViewArray>());
        prop_assert!(check_as(10, SqlType::Text, &array, seed) || array.null_count() == rows);
        let input = Input::new(SqlType::Text, &array).unwrap();
        let profile = Profile::new(&input, Lifetime::Lasting);
        prop_assert_eq!(input.window_stats(&profile), input.window_stats(&Profile::default()));
    }

    #[test]
    fn garbled_bytes_give_a_value_or_an_error(
        ty in prop::sample::select(&TYPES[..]),
        shape in shapes(),
        rows in prop_oneof![1usize..70, 1_000usize..3_000],
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let array = array(ty, &shape, rows, 7);
        let input = Input::new(ty, &array).unwrap();
        let profile = Profile::new(&input, Lifetime::Lasting);
        for encoding in ENCODINGS {
            if (encoding.estimate)(&input, &profile).is_none() {
                continue;
            }
            let mut bytes = encode_as(encoding, &input, &profile, input.window_stats(&profile)).unwrap().bytes;
            for (at, value) in &flips {
                // Headers are short: aim half of the damage at them.
                let limit = if value % 2 == 0 { bytes.len() } else { bytes.len().min(160) };
                bytes[at.index(limit)] = *value;
            }
            if let Some(cut) = &cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            let Ok(chunk) = open(ty, &bytes, rows) else { continue };
            let _ = decode(ty, &chunk, rows);
            let mut selection = Selection::new();
            selection.fill(rows.min(WINDOW_ROWS));
            for test in tests(ty, &array, 1) {
                let test = Test::compile(&test, Kind::of(ty).unwrap()).unwrap();
                let Ok(answers) = chunk.answers(&test) else { continue };
                let _ = chunk.filter(0, &test, &answers, &mut selection, &mut Scratch::default());
            }
        }
    }
}

/// Checks what one encoding makes of an array, and of damaged bytes; false where it does not take the array.
fn check_as(id: u8, ty: SqlType, array: &ArrayRef, seed: u64) -> bool {
    let encoding = find(id).unwrap();
    let tests = tests(ty, array, seed);
    let input = Input::new(ty, array).unwrap();
    let profile = Profile::new(&input, Lifetime::Lasting);
    if (encoding.estimate)(&input, &profile).is_none() {
        return false;
    }
    let mut bytes = encode_as(encoding, &input, &profile, input.window_stats(&profile))
        .unwrap()
        .bytes;
    let chunk = open(ty, &bytes, array.len()).unwrap();
    check(ty, array, &chunk, &tests, seed);
    let limit = bytes.len().min(256) as u64;
    for n in 0..4 {
        bytes[(mix(seed, n) % limit) as usize] = mix(seed, n + 7) as u8;
        if let Ok(chunk) = open(ty, &bytes, array.len()) {
            let _ = decode(ty, &chunk, array.len());
        }
    }
    true
}

#[test]
fn a_block_at_the_end_of_the_range_opens_again() {
    let least = std::iter::repeat_n(i64::MIN, 2_048);
    let values = least.chain((0..1_024).map(|n| i64::MAX - n * 3));
    let array: ArrayRef = Arc::new(values.collect::<Int64Array>());
    let tests = tests(SqlType::Int64, &array, 3);
    let input = Input::new(SqlType::Int64, &array).unwrap();
    let profile = Profile::new(&input, Lifetime::Lasting);
    let encoded = encode_as(
        find(4).unwrap(),
        &input,
        &profile,
        input.window_stats(&profile),
    )
    .unwrap();
    let chunk = open(SqlType::Int64, &encoded.bytes, array.len()).unwrap();
    check(SqlType::Int64, &array, &chunk, &tests, 9);
}

fn chosen(ty: SqlType, array: &ArrayRef, lifetime: Lifetime) -> &'static str {
    let encoded = encode_parts(ty, &[array], None, lifetime).unwrap();
    find(encoded.encoding).unwrap().name
}

#[test]
fn the_encoding_follows_the_shape() {
    let rows = 50_000;
    let of = |shape: &Shape| array(SqlType::Int64, shape, rows, 0);
    let int = |shape: Shape| chosen(SqlType::Int64, &of(&shape), Lifetime::Lasting);
    assert_eq!(int(Shape::Same(7)), "constant");
    assert_eq!(int(Shape::Counting(5, 3)), "sequence");
    assert_eq!(int(Shape::Runs(vec![(1, 300), (900, 300)])), "run-end");
    assert_eq!(int(Shape::Narrow(1 << 40, 1_000, 1)), "bit-packed");
    assert_eq!(int(Shape::Few(vec![1, 1 << 50, -9], 1)), "dictionary");
    assert_eq!(int(Shape::Rising(1 << 50, 1_000_000, 1)), "delta");
    assert_eq!(int(Shape::Rising(1 << 50, -1_000_000, 1)), "delta");
    // Keys with small gaps: unpacking them fast is worth more than a few bits.
    assert_eq!(int(Shape::Rising(0, 4, 1)), "bit-packed");
    assert_eq!(int(Shape::Any(1)), "plain");
    let of = |shape: &Shape| array(SqlType::Text, shape, rows, 0);
    let text = |shape: Shape| chosen(SqlType::Text, &of(&shape), Lifetime::Lasting);
    assert_eq!(text(Shape::Few(vec![1, 2, 3, 4], 1)), "dictionary");
    assert_eq!(text(Shape::Any(1)), "fsst");
    assert_eq!(text(Shape::Same(1)), "constant");
    let prices = (0..rows as u64).map(|row| (mix(3, row) % 10_000_000) as f64 / 100.0);
    let prices: ArrayRef = Arc::new(Float64Array::from_iter_values(prices));
    let names = (0..rows as u64).map(|row| format!("Customer#{:09}", mix(3, row) % 100_000));
    let names: ArrayRef = Arc::new(StringViewArray::from_iter_values(names));
    let lasting = Lifetime::Lasting;
    assert_eq!(chosen(SqlType::Float64, &prices, lasting), "decimal");
    // Every so many of them are integers.
    let halves = (0..100_000).map(|row| f64::from(row) * 0.5);
    let halves: ArrayRef = Arc::new(Float64Array::from_iter_values(halves));
    assert_eq!(chosen(SqlType::Float64, &halves, lasting), "decimal");
    assert_eq!(chosen(SqlType::Text, &names, lasting), "numbered");
}

#[test]
fn what_is_soon_dropped_is_encoded_fast() {
    let chosen = |ty: SqlType, shape: Shape| {
        let array = array(ty, &shape, 50_000, 0);
        chosen(ty, &array, Lifetime::Temporary)
    };
    assert_eq!(chosen(SqlType::Text, Shape::Any(1)), "plain");
    let few = Shape::Few(vec![1, 2, 3, 4], 1);
    assert_eq!(chosen(SqlType::Text, few), "dictionary");
    let rising = Shape::Rising(1 << 50, 1_000_000, 1);
    assert_eq!(chosen(SqlType::Int64, rising), "plain");
}

#[test]
fn thousands_of_texts_that_repeat_are_a_dictionary() {
    let texts =
        (0..100_000_u32).map(|row| format!("id{}", row.wrapping_mul(2_654_435_761) % 10_000));
    let array: ArrayRef = Arc::new(StringViewArray::from_iter_values(texts));
    assert_eq!(
        chosen(SqlType::Text, &array, Lifetime::Lasting),
        "dictionary"
    );
}

//! Casts, value by value and there and back.

use super::{column, decimal, int, scalars, text};
use crate::{cast, cast_scalar};
use llkv_expr::CastMode;
use llkv_types::{Scalar, SqlType};
use proptest::prelude::*;

const DEC: SqlType = SqlType::Decimal {
    precision: 10,
    scale: 2,
};

fn strict(value: Scalar, to: SqlType) -> String {
    match cast_scalar(&value, to, CastMode::Strict) {
        Ok(value) => value.to_string(),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn numbers() {
    let cases = [
        (Scalar::Float64(2.5), SqlType::Int32, "2"),
        (Scalar::Float64(3.5), SqlType::Int32, "4"),
        (Scalar::Float64(-0.5), SqlType::Int32, "0"),
        (
            Scalar::Float64(3e9),
            SqlType::Int32,
            "error: 3000000000.0 is out of range for type INTEGER",
        ),
        (
            Scalar::Float64(f64::NAN),
            SqlType::Int64,
            "error: nan is out of range for type BIGINT",
        ),
        (
            Scalar::Float64(9.3e18),
            SqlType::Int64,
            "error: 9.3e+18 is out of range for type BIGINT",
        ),
        (
            int(40_000),
            SqlType::Int16,
            "error: 40000 is out of range for type SMALLINT",
        ),
        (
            decimal(99_995, 5, 1),
            SqlType::Decimal {
                precision: 4,
                scale: 0,
            },
            "error: 9999.5 is out of range for type DECIMAL(4,0)",
        ),
        (Scalar::Float64(1.005), DEC, "1.01"),
        (decimal(250, 5, 2), SqlType::Int32, "3"),
        (decimal(-250, 5, 2), SqlType::Int32, "-3"),
        (decimal(12_345, 5, 3), DEC, "12.35"),
        (decimal(-12_345, 5, 3), DEC, "-12.35"),
        (
            int(123_456_789),
            DEC,
            "error: 123456789 is out of range for type DECIMAL(10,2)",
        ),
        (
            int(300),
            SqlType::UInt8,
            "error: 300 is out of range for type UTINYINT",
        ),
        (
            int(-1),
            SqlType::UInt64,
            "error: -1 is out of range for type UBIGINT",
        ),
        (
            Scalar::UInt64(u64::MAX),
            SqlType::Float64,
            "1.8446744073709552e+19",
        ),
        (decimal(1, 38, 38), SqlType::Float64, "1e-38"),
        (Scalar::Boolean(true), SqlType::Int64, "1"),
        (int(0), SqlType::Boolean, "false"),
        (Scalar::Boolean(true), DEC, "1.00"),
    ];
    for (value, to, expected) in cases {
        assert_eq!(strict(value.clone(), to), expected, "{value} as {to}");
    }
}

#[test]
fn out_of_range_and_malformed_have_states_of_their_own() {
    let state = |value: Scalar, to| {
        let error = cast_scalar(&value, to, CastMode::Strict).unwrap_err();
        error.sqlstate()
    };
    let narrow = SqlType::Decimal {
        precision: 4,
        scale: 2,
    };
    assert_eq!(state(int(1000), narrow), "22003");
    assert_eq!(state(Scalar::Float64(1e20), SqlType::Int64), "22003");
    assert_eq!(state(Scalar::Float64(f64::NAN), SqlType::Int32), "22003");
    assert_eq!(state(text("99999999999"), SqlType::Int32), "22003");
    assert_eq!(state(text("1000"), narrow), "22003");
    assert_eq!(state(text("1x"), SqlType::Int32), "22P02");
}

#[test]
fn text_is_parsed_strictly() {
    let cases = [
        (" 42 ", SqlType::Int32, "42"),
        (
            "4 2",
            SqlType::Int32,
            "error: cannot convert '4 2' from VARCHAR to INTEGER",
        ),
        (
            "1.5",
            SqlType::Int32,
            "error: cannot convert '1.5' from VARCHAR to INTEGER",
        ),
        (
            "",
            SqlType::Int32,
            "error: cannot convert '' from VARCHAR to INTEGER",
        ),
        (
            "99999999999",
            SqlType::Int32,
            "error: '99999999999' is out of range for type INTEGER",
        ),
        (
            " -1",
            SqlType::UInt8,
            "error: ' -1' is out of range for type UTINYINT",
        ),
        (
            "-",
            SqlType::Int32,
            "error: cannot convert '-' from VARCHAR to INTEGER",
        ),
        (
            "nan",
            DEC,
            "error: cannot convert 'nan' from VARCHAR to DECIMAL(10,2)",
        ),
        ("1e3", SqlType::Float64, "1000.0"),
        (
            "1e999",
            SqlType::Float64,
            "error: '1e999' is out of range for type DOUBLE",
        ),
        ("-Infinity", SqlType::Float64, "-inf"),
        ("1.005", DEC, "1.01"),
        ("-1.005e1", DEC, "-10.05"),
        ("1e-99999", DEC, "0.00"),
        (".5", DEC, "0.50"),
        (
            ".",
            DEC,
            "error: cannot convert '.' from VARCHAR to DECIMAL(10,2)",
        ),
        (
            "1e10",
            DEC,
            "error: '1e10' is out of range for type DECIMAL(10,2)",
        ),
        ("tr", SqlType::Boolean, "true"),
        ("OFF", SqlType::Boolean, "false"),
        (
            "o",
            SqlType::Boolean,
            "error: cannot convert 'o' from VARCHAR to BOOLEAN",
        ),
        ("2024-02-29", SqlType::Date, "2024-02-29"),
        (
            "2023-02-29",
            SqlType::Date,
            "error: cannot convert '2023-02-29' from VARCHAR to DATE",
        ),
        ("2024-1-2 03:04:05", SqlType::Date, "2024-01-02"),
        (
            "2024-01-02T03:04:05.1234567Z",
            SqlType::Timestamp,
            "2024-01-02 03:04:05.123457",
        ),
        (
            "2024-01-02 03:04+02:30",
            SqlType::TimestampTz,
            "2024-01-02 00:34:00+00",
        ),
        (
            "2024-01-02 25:00",
            SqlType::Timestamp,
            "error: cannot convert '2024-01-02 25:00' from VARCHAR to TIMESTAMP",
        ),
        ("23:59:59.5", SqlType::Time, "23:59:59.5"),
        (
            "1 year 2 months 3 days 04:05:06",
            SqlType::Interval,
            "1 year 2 months 3 days 04:05:06",
        ),
        ("90 day", SqlType::Interval, "90 days"),
        ("1.5 hours ago", SqlType::Interval, "-01:30:00"),
        (
            "P1Y2M3DT4H5M6.5S",
            SqlType::Interval,
            "1 year 2 months 3 days 04:05:06.5",
        ),
        (
            "1 fortnight",
            SqlType::Interval,
            "error: cannot convert '1 fortnight' from VARCHAR to INTERVAL",
        ),
        ("\\xDEAD", SqlType::Blob, "\\xdead"),
        ("ab", SqlType::Blob, "\\x6162"),
    ];
    for (value, to, expected) in cases {
        assert_eq!(strict(text(value), to), expected, "{value} as {to}");
    }
}

#[test]
fn try_gives_null_and_keeps_the_rest() {
    let values = [text("1"), text("x"), Scalar::Null(SqlType::Text), text("3")];
    let array = column(SqlType::Text, &values);
    let tried = cast(&array, SqlType::Int32, CastMode::Try).unwrap();
    let null = Scalar::Null(SqlType::Int32);
    assert_eq!(
        scalars(&tried),
        [int(1), null.clone(), null.clone(), int(3)]
    );
    let wide = column(SqlType::Int64, &[Scalar::Int64(1 << 40), Scalar::Int64(5)]);
    let tried = cast(&wide, SqlType::Int32, CastMode::Try).unwrap();
    assert_eq!(scalars(&tried), [null, int(5)]);
}

#[test]
fn sqlite_never_fails() {
    let sqlite = |value: Scalar, to| {
        cast_scalar(&value, to, CastMode::Sqlite)
            .unwrap()
            .to_string()
    };
    assert_eq!(sqlite(text("12abc"), SqlType::Int64), "12");
    assert_eq!(sqlite(text("abc"), SqlType::Float64), "0.0");
    assert_eq!(sqlite(Scalar::Float64(2.9), SqlType::Int64), "2");
    assert_eq!(
        sqlite(Scalar::Float64(1e30), SqlType::Int64),
        i64::MAX.to_string()
    );
    assert_eq!(sqlite(text("nonsense"), SqlType::Date), "NULL");
    assert_eq!(sqlite(text("1e300"), DEC), "99999999.99");
}

#[test]
fn garbage_below_null_is_not_looked_at() {
    let array =
        arrow::array::Int64Array::new(vec![i64::MAX, 1].into(), Some(vec![false, true].into()));
    let array: arrow::array::ArrayRef = std::sync::Arc::new(array);
    let cast = cast(&array, SqlType::Int8, CastMode::Strict).unwrap();
    assert_eq!(
        scalars(&cast),
        [Scalar::Null(SqlType::Int8), Scalar::Int8(1)]
    );
}

#[test]
fn foreign_arrow_forms_are_brought_home() {
    use arrow::array::{ArrayRef, DictionaryArray, StringArray, TimestampNanosecondArray};
    use arrow::datatypes::Int32Type;
    use std::sync::Arc;
    let plain: ArrayRef = Arc::new(StringArray::from(vec!["7", "8"]));
    assert_eq!(
        scalars(&cast(&plain, SqlType::Text, CastMode::Strict).unwrap()),
        [text("7"), text("8")]
    );
    let dictionary: DictionaryArray<Int32Type> = vec!["7", "7", "9"].into_iter().collect();
    let dictionary: ArrayRef = Arc::new(dictionary);
    let numbers = cast(&dictionary, SqlType::Int32, CastMode::Strict).unwrap();
    assert_eq!(scalars(&numbers), [int(7), int(7), int(9)]);
    let nanos: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![1_500]));
    let micros = cast(&nanos, SqlType::Timestamp, CastMode::Strict).unwrap();
    assert_eq!(scalars(&micros), [Scalar::Timestamp(1)]);
}

fn values() -> impl Strategy<Value = Scalar> {
    let moment = -200_000_000_000_000_000i64..200_000_000_000_000_000;
    prop_oneof![
        any::<i64>().prop_map(Scalar::Int64),
        any::<u64>().prop_map(Scalar::UInt64),
        any::<i8>().prop_map(Scalar::Int8),
        any::<f64>()
            .prop_filter("NaN is not equal to itself in Rust", |v| !v.is_nan())
            .prop_map(Scalar::Float64),
        any::<f32>()
            .prop_filter("NaN is not equal to itself in Rust", |v| !v.is_nan())
            .prop_map(Scalar::Float32),
        any::<bool>().prop_map(Scalar::Boolean),
        (-(10i128.pow(18)) + 1..10i128.pow(18), 0u8..=18).prop_map(|(v, s)| decimal(v, 18, s)),
        (-(10i128.pow(38)) + 1..10i128.pow(38), 0u8..=38).prop_map(|(v, s)| decimal(v, 38, s)),
        (-100_000_000i32..100_000_000).prop_map(Scalar::Date),
        moment.clone().prop_map(Scalar::Timestamp),
        moment.prop_map(Scalar::TimestampTz),
        (0i64..86_400_000_000).prop_map(Scalar::Time),
        (any::<i32>(), any::<i32>(), any::<i64>()).prop_map(|(m, d, n)| {
            Scalar::Interval(arrow::datatypes::IntervalMonthDayNano::new(m, d, n))
        }),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|v| Scalar::Blob(v.into())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_value_comes_back_from_its_text(value in values()) {
        let shown = cast_scalar(&value, SqlType::Text, CastMode::Strict).unwrap();
        prop_assert_eq!(&shown, &text(&value.to_string()));
        let back = cast_scalar(&shown, value.sql_type(), CastMode::Strict);
        prop_assert_eq!(back.ok(), Some(value), "{}", shown);
    }

    #[test]
    fn no_text_panics_as_anything(source in "\\PC{0,24}", digits in "[-+0-9eE.: TZPYMDHS/]{0,24}") {
        for to in [
            SqlType::Int64, SqlType::Float64, DEC, SqlType::Boolean, SqlType::Date, SqlType::Time,
            SqlType::Timestamp, SqlType::TimestampTz, SqlType::Interval, SqlType::Blob,
        ] {
            for mode in [CastMode::Strict, CastMode::Try, CastMode::Sqlite] {
                for value in [&source, &digits] {
                    let result = cast_scalar(&text(value), to, mode);
                    prop_assert!(mode == CastMode::Strict || result.is_ok());
                }
            }
        }
    }

    #[test]
    fn numbers_cast_as_their_decimal_text_does(a in any::<i64>(), scale in 0u8..10) {
        let wide = SqlType::Decimal { precision: 38, scale };
        let direct = cast_scalar(&Scalar::Int64(a), wide, CastMode::Strict).unwrap();
        let by_text = cast_scalar(&text(&a.to_string()), wide, CastMode::Strict).unwrap();
        prop_assert_eq!(direct, by_text);
        let source = decimal(a.into(), 19, scale);
        let float = cast_scalar(&source, SqlType::Float64, CastMode::Strict).unwrap();
        prop_assert_eq!(float, Scalar::Float64(source.to_string().parse().unwrap()));
    }
}

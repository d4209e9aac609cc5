//! Every function, over constants and over columns.

use super::{batch, col, column, decimal, int, lit, scalars, text};
use crate::{evaluate, functions};
use arrow::datatypes::IntervalMonthDayNano;
use llkv_expr::{Dialects, Expr, ScalarFunction, Volatility};
use llkv_types::{Scalar, SqlType};
use std::collections::HashSet;

fn call(name: &str, args: Vec<Expr>) -> Option<Expr> {
    call_of(functions::lookup(name)?, args)
}

fn call_of(function: &'static ScalarFunction, args: Vec<Expr>) -> Option<Expr> {
    let types: Vec<_> = args.iter().map(Expr::ty).collect();
    let signature = (function.resolve)(&types)?;
    let args = args
        .into_iter()
        .zip(&signature.args)
        .map(|(arg, ty)| arg.cast(*ty))
        .collect();
    Some(Expr::Function {
        function,
        args,
        ty: signature.result,
    })
}

/// The value of a call as text: of constants, and of columns with a row of NULLs before it.
fn run(name: &str, args: &[Scalar]) -> String {
    let constant = call(name, args.iter().cloned().map(lit).collect());
    let Some(constant) = constant else {
        return "no signature".into();
    };
    let folded = match crate::fold(&constant) {
        Ok(value) => {
            assert_eq!(value.sql_type(), constant.ty(), "{constant}");
            value.to_string()
        }
        Err(error) => format!("error: {error}"),
    };
    if args.is_empty() {
        return folded;
    }
    let columns = args
        .iter()
        .map(|arg| column(arg.sql_type(), &[Scalar::Null(arg.sql_type()), arg.clone()]))
        .collect();
    let over: Vec<_> = args
        .iter()
        .enumerate()
        .map(|(at, arg)| col(at as u32, arg.sql_type()))
        .collect();
    let over = call(name, over).unwrap();
    let function = functions::lookup(name).unwrap();
    match evaluate(&over, &batch(columns)) {
        Ok(array) => {
            let values = scalars(&array);
            assert_eq!(values[1].to_string(), folded, "{over}");
            if function.nulls == llkv_expr::NullHandling::Strict {
                assert!(values[0].is_null(), "{over}");
            }
        }
        Err(error) => assert_eq!(format!("error: {error}"), folded),
    }
    folded
}

fn check(cases: &[(&str, Vec<Scalar>, &str)]) {
    for (name, args, expected) in cases {
        assert_eq!(run(name, args), *expected, "{name}({args:?})");
    }
}

fn big(value: i64) -> Scalar {
    Scalar::Int64(value)
}

fn double(value: f64) -> Scalar {
    Scalar::Float64(value)
}

fn moment(value: &str) -> Scalar {
    crate::cast_scalar(
        &text(value),
        SqlType::Timestamp,
        llkv_expr::CastMode::Strict,
    )
    .unwrap()
}

fn date(value: &str) -> Scalar {
    crate::cast_scalar(&text(value), SqlType::Date, llkv_expr::CastMode::Strict).unwrap()
}

#[test]
fn numeric() {
    check(&[
        ("abs", vec![int(-5)], "5"),
        (
            "abs",
            vec![int(i32::MIN)],
            "error: abs(-2147483648) is out of range for type INTEGER",
        ),
        ("abs", vec![decimal(-150, 5, 2)], "1.50"),
        ("ceil", vec![decimal(-150, 5, 2)], "-1"),
        ("ceiling", vec![decimal(101, 5, 2)], "2"),
        ("floor", vec![decimal(-101, 5, 2)], "-2"),
        ("floor", vec![double(1.7)], "1.0"),
        ("round", vec![decimal(250, 5, 2)], "3"),
        ("round", vec![double(2.5)], "2.0"),
        ("round", vec![double(3.5)], "4.0"),
        ("round", vec![double(-0.6)], "-1.0"),
        ("round", vec![Scalar::Float32(0.5)], "0.0"),
        ("round", vec![decimal(-250, 5, 2)], "-3"),
        ("round", vec![decimal(12_345, 6, 3), int(1)], "12.300"),
        ("round", vec![decimal(12_345, 6, 3), int(-1)], "10.000"),
        ("round", vec![double(1.2345), int(2)], "1.23"),
        ("round", vec![int(155), int(-1)], "160"),
        ("round", vec![int(155), int(-100)], "0"),
        ("trunc", vec![double(-1.7)], "-1.0"),
        ("trunc", vec![decimal(-199, 5, 2), int(1)], "-1.90"),
        ("sign", vec![decimal(-3, 38, 38)], "-1"),
        ("sign", vec![double(0.5)], "1.0"),
        ("sqrt", vec![int(16)], "4.0"),
        (
            "sqrt",
            vec![int(-1)],
            "error: invalid argument for sqrt: -1 is outside its domain",
        ),
        (
            "ln",
            vec![int(0)],
            "error: invalid argument for ln: 0 is outside its domain",
        ),
        (
            "exp",
            vec![double(1000.0)],
            "error: exp(1000) is out of range for type DOUBLE",
        ),
        ("log", vec![int(100)], "2.0"),
        ("log", vec![int(2), int(8)], "3.0"),
        ("pow", vec![int(2), int(10)], "1024.0"),
        (
            "power",
            vec![int(-8), double(0.5)],
            "error: invalid argument for power: a negative number to a fraction is complex",
        ),
        ("mod", vec![int(-7), int(3)], "-1"),
        ("mod", vec![int(1), int(0)], "error: division by zero"),
        ("gcd", vec![int(-12), int(18)], "6"),
        (
            "gcd",
            vec![big(i64::MIN), big(0)],
            "error: gcd(-9223372036854775808, 0) is out of range for type BIGINT",
        ),
        ("lcm", vec![int(4), int(6)], "12"),
        ("greatest", vec![int(1), big(3), int(2)], "3"),
        ("least", vec![text("b"), text("a")], "a"),
        ("greatest", vec![Scalar::Null(SqlType::Int32), int(2)], "2"),
        ("greatest", vec![double(f64::NAN), double(1.0)], "nan"),
        ("atan2", vec![int(0), int(1)], "0.0"),
        ("pi", vec![], "3.141592653589793"),
        ("isnan", vec![double(f64::NAN)], "true"),
    ]);
}

#[test]
fn strings() {
    check(&[
        ("lower", vec![text("ÄBC")], "äbc"),
        ("lower", vec![text("İΣ")], "iσ"),
        ("upper", vec![text("abc")], "ABC"),
        ("upper", vec![text("straße")], "STRAßE"),
        ("upper", vec![text("ᾳé")], "ᾼÉ"),
        ("initcap", vec![text("hello wORLD-x")], "Hello World-X"),
        ("length", vec![text("häuser")], "6"),
        (
            "length",
            vec![Scalar::Blob([1u8, 2].as_slice().into())],
            "2",
        ),
        ("octet_length", vec![text("ä")], "2"),
        ("substr", vec![text("database"), int(5), int(3)], "bas"),
        ("substr", vec![text("database"), int(0), int(3)], "da"),
        ("substr", vec![text("hello"), int(-1), int(3)], "h"),
        ("substr", vec![text("database"), int(-4)], "database"),
        ("substring", vec![text("häuser"), int(2), int(2)], "äu"),
        ("substr", vec![text("a"), big(i64::MAX), big(i64::MAX)], ""),
        ("substr", vec![text("a"), big(i64::MIN), big(5)], ""),
        (
            "substr",
            vec![text("a"), int(1), int(-1)],
            "error: invalid argument for substr: negative length -1",
        ),
        ("left", vec![text("häuser"), int(2)], "hä"),
        ("left", vec![text("abc"), int(-1)], "ab"),
        ("right", vec![text("abc"), int(2)], "bc"),
        ("right", vec![text("abc"), int(-1)], "bc"),
        ("trim", vec![text("  hi ")], "hi"),
        ("trim", vec![text("xyhix"), text("xy")], "hi"),
        ("ltrim", vec![text("  hi ")], "hi "),
        ("rtrim", vec![text("  hi ")], "  hi"),
        ("lpad", vec![text("7"), int(3), text("0")], "007"),
        ("lpad", vec![text("hello"), int(2)], "he"),
        ("rpad", vec![text("hi"), int(5), text("xy")], "hixyx"),
        ("rpad", vec![text("hi"), int(5), text("")], "hi"),
        ("repeat", vec![text("ab"), int(3)], "ababab"),
        ("repeat", vec![text("ab"), int(-3)], ""),
        (
            "repeat",
            vec![text("ab"), big(i64::MAX)],
            "error: invalid argument for repeat: the result would exceed 268435456 bytes",
        ),
        ("repeat", vec![text(""), big(i64::MAX)], ""),
        ("lpad", vec![text("a"), big(i64::MAX), text("")], "a"),
        (
            "rpad",
            vec![text("a"), big(i64::MAX)],
            "error: invalid argument for rpad: the result would exceed 268435456 bytes",
        ),
        (
            "replace",
            vec![text("banana"), text("an"), text("o")],
            "booa",
        ),
        (
            "replace",
            vec![text("banana"), text(""), text("o")],
            "banana",
        ),
        ("reverse", vec![text("äbc")], "cbä"),
        ("strpos", vec![text("häuser"), text("user")], "3"),
        ("instr", vec![text("abc"), text("x")], "0"),
        (
            "concat",
            vec![text("a"), Scalar::Null(SqlType::Text), int(1)],
            "a1",
        ),
        (
            "concat_ws",
            vec![text("-"), text("a"), Scalar::Null(SqlType::Text), text("b")],
            "a-b",
        ),
        ("starts_with", vec![text("abc"), text("ab")], "true"),
        ("ends_with", vec![text("abc"), text("ab")], "false"),
        ("contains", vec![text("abc"), text("b")], "true"),
        ("split_part", vec![text("a,b,c"), text(","), int(2)], "b"),
        ("split_part", vec![text("a,b,c"), text(","), int(-1)], "c"),
        ("split_part", vec![text("a,b,c"), text(","), int(9)], ""),
        (
            "split_part",
            vec![text("a"), text(","), int(0)],
            "error: invalid argument for split_part: parts are counted from 1",
        ),
        ("ascii", vec![text("A")], "65"),
        ("chr", vec![int(228)], "ä"),
        (
            "chr",
            vec![int(-1)],
            "error: invalid argument for chr: -1 is no character",
        ),
        (
            "translate",
            vec![text("12345"), text("143"), text("ax")],
            "a2x5",
        ),
        ("glob", vec![text("d*[a-c]se"), text("database")], "true"),
        ("glob", vec![text("[^a]*"), text("abc")], "false"),
        ("glob", vec![text("["), text("[")], "false"),
    ]);
}

#[test]
fn regular_expressions() {
    check(&[
        (
            "regexp_matches",
            vec![text("database"), text("b.s")],
            "true",
        ),
        (
            "regexp_matches",
            vec![text("DATA"), text("data"), text("i")],
            "true",
        ),
        (
            "regexp_full_match",
            vec![text("database"), text("b.s")],
            "false",
        ),
        (
            "regexp_replace",
            vec![text("banana"), text("(a)n"), text("<\\1>")],
            "b<a>ana",
        ),
        (
            "regexp_replace",
            vec![text("banana"), text("(a)n"), text("$1"), text("g")],
            "b$1$1a",
        ),
        (
            "regexp_extract",
            vec![text("order 42"), text("([0-9])([0-9])"), int(2)],
            "2",
        ),
        ("regexp_extract", vec![text("order"), text("[0-9]+")], ""),
        (
            "regexp_extract",
            vec![text("a"), text("a"), int(3)],
            "error: invalid argument for regexp_extract: no group 3 in 'a'",
        ),
    ]);
    assert!(run("regexp_matches", &[text("a"), text("(")]).starts_with("error: invalid argument"));
    assert!(run("regexp_matches", &[text("a"), text("a"), text("q")]).starts_with("error"));
}

#[test]
fn moments() {
    let at = || moment("2024-05-17 04:05:06.789");
    let month = Scalar::Interval(IntervalMonthDayNano::new(1, 0, 0));
    check(&[
        ("year", vec![at()], "2024"),
        ("year", vec![date("2024-01-31")], "2024"),
        ("quarter", vec![at()], "2"),
        ("month", vec![at()], "5"),
        ("week", vec![at()], "20"),
        ("week", vec![date("2021-01-03")], "53"),
        ("isoyear", vec![date("2021-01-03")], "2020"),
        ("day", vec![at()], "17"),
        ("doy", vec![at()], "138"),
        ("dow", vec![date("2024-01-28")], "0"),
        ("isodow", vec![date("2024-01-28")], "7"),
        ("hour", vec![at()], "4"),
        ("minute", vec![at()], "5"),
        ("second", vec![at()], "6"),
        ("millisecond", vec![at()], "6789"),
        ("date_part", vec![text("ms"), at()], "6789.0"),
        ("century", vec![date("2000-12-31")], "20"),
        ("century", vec![date("2001-01-01")], "21"),
        ("epoch", vec![moment("1970-01-01 00:00:01.5")], "1.5"),
        ("epoch", vec![month.clone()], "2592000.0"),
        ("month", vec![month.clone()], "1"),
        ("date_part", vec![text("second"), at()], "6.789"),
        (
            "date_part",
            vec![text("nonsense"), at()],
            "error: invalid argument for date_part: unknown part 'nonsense'",
        ),
        (
            "date_trunc",
            vec![text("month"), at()],
            "2024-05-01 00:00:00",
        ),
        (
            "date_trunc",
            vec![text("week"), at()],
            "2024-05-13 00:00:00",
        ),
        (
            "date_trunc",
            vec![text("minute"), at()],
            "2024-05-17 04:05:00",
        ),
        (
            "date_trunc",
            vec![text("century"), at()],
            "2001-01-01 00:00:00",
        ),
        (
            "date_trunc",
            vec![text("hour"), moment("1969-12-31 23:30:00")],
            "1969-12-31 23:00:00",
        ),
        (
            "date_diff",
            vec![text("month"), date("2024-01-31"), date("2024-03-01")],
            "2",
        ),
        (
            "date_diff",
            vec![text("day"), date("2024-03-01"), date("2024-02-01")],
            "-29",
        ),
        (
            "date_add",
            vec![date("2024-01-31"), month.clone()],
            "2024-02-29 00:00:00",
        ),
        (
            "date_sub",
            vec![date("2024-03-31"), month],
            "2024-02-29 00:00:00",
        ),
        (
            "age",
            vec![date("2024-03-01"), date("2023-01-31")],
            "1 year 1 month 1 day",
        ),
        (
            "age",
            vec![date("2023-01-31"), date("2024-03-01")],
            "-1 year -1 month -1 day",
        ),
        ("last_day", vec![date("2024-02-10")], "2024-02-29"),
        ("make_date", vec![int(2024), int(2), int(29)], "2024-02-29"),
        (
            "make_date",
            vec![int(2023), int(2), int(29)],
            "error: invalid argument for make_date: 2023-2-29 is no date",
        ),
        (
            "make_timestamp",
            vec![int(2024), int(2), int(29), int(4), int(5), double(6.5)],
            "2024-02-29 04:05:06.5",
        ),
        (
            "to_timestamp",
            vec![double(1.5)],
            "1970-01-01 00:00:01.5+00",
        ),
        (
            "strftime",
            vec![at(), text("%d.%m.%Y %H:%M:%S.%g %j %a %B %-d %I%p %%")],
            "17.05.2024 04:05:06.789 138 Fri May 17 04AM %",
        ),
        ("strftime", vec![text("%Y"), at()], "2024"),
        ("monthname", vec![date("2024-01-31")], "January"),
        ("dayname", vec![date("2024-01-31")], "Wednesday"),
    ]);
    let today = run("current_date", &[]);
    assert!(today.as_str() > "2024-01-01" && run("now", &[]).starts_with(&today[..7]));
}

#[test]
fn the_rest() {
    check(&[
        ("coalesce", vec![Scalar::Null(SqlType::Int32), int(2)], "2"),
        ("ifnull", vec![int(1), int(2)], "1"),
        ("nullif", vec![int(1), int(1)], "NULL"),
        ("nullif", vec![int(1), int(2)], "1"),
        ("if", vec![Scalar::Boolean(true), int(1), int(2)], "1"),
        (
            "iif",
            vec![Scalar::Null(SqlType::Boolean), int(1), int(2)],
            "2",
        ),
        ("typeof", vec![decimal(15, 2, 1)], "DECIMAL(2,1)"),
        ("quote", vec![text("it's")], "'it''s'"),
        ("quote", vec![Scalar::Null(SqlType::Text)], "NULL"),
        ("hex", vec![text("AB")], "4142"),
        ("hex", vec![int(255)], "FF"),
        ("unhex", vec![text("4142")], "\\x4142"),
        (
            "unhex",
            vec![text("4")],
            "error: invalid argument for unhex: '4' is not hexadecimal",
        ),
        ("encode", vec![text("AB")], "\\x4142"),
        (
            "decode",
            vec![Scalar::Blob([255u8].as_slice().into())],
            "error: invalid argument for decode: \\xff is no UTF-8",
        ),
        (
            "printf",
            vec![
                text("%03d|%.2f|%-4s|%5s|%x|%+d|%,d|%e|%%"),
                int(-7),
                double(1.5),
                text("ab"),
                text("cd"),
                int(255),
                int(3),
                int(1_234_567),
                double(1500.0),
            ],
            "-07|1.50|ab  |   cd|ff|+3|1,234,567|1.500000e+03|%",
        ),
        (
            "printf",
            vec![text("%y"), int(1)],
            "error: invalid argument for printf: unknown field %y",
        ),
    ]);
    let random: f64 = run_random();
    assert!((0.0..1.0).contains(&random));
}

fn run_random() -> f64 {
    let expr = call("random", vec![]).unwrap();
    let rows = evaluate(
        &expr,
        &batch(vec![column(SqlType::Int32, &[int(1), int(2)])]),
    )
    .unwrap();
    let values = scalars(&rows);
    assert_ne!(values[0], values[1]);
    match values[0] {
        Scalar::Float64(value) => value,
        _ => panic!("random() is a DOUBLE"),
    }
}

#[test]
fn the_registry_is_in_order() {
    let mut names = HashSet::new();
    for function in functions::all() {
        for name in std::iter::once(&function.name).chain(function.aliases) {
            assert_eq!(*name, name.to_lowercase());
            for (dialect, known) in Dialects::EACH {
                if function.dialects.contains(dialect) {
                    assert!(functions::lookup_in(dialect, name).is_some());
                }
                // A function of all dialects gives way to one of a dialect's own.
                if function.dialects.contains(dialect) && function.dialects != Dialects::ALL {
                    assert!(
                        names.insert((known, *name)),
                        "{name} stands twice in {known}"
                    );
                }
            }
        }
        assert!(function.description.ends_with('.'), "{}", function.name);
        assert!(!function.example.0.is_empty());
    }
    assert!(names.len() > 120);
    assert_eq!(
        functions::lookup("random").unwrap().volatility,
        Volatility::Volatile
    );
    assert!(functions::lookup("no_such_function").is_none());
}

/// No argument of any type and value makes a function panic.
#[test]
fn no_function_panics() {
    let samples = vec![
        Scalar::Null(SqlType::Null),
        Scalar::Boolean(true),
        int(i32::MIN),
        int(0),
        big(i64::MIN),
        big(i64::MAX),
        Scalar::UInt64(u64::MAX),
        double(f64::NAN),
        double(f64::INFINITY),
        double(-0.0),
        decimal(10i128.pow(38) - 1, 38, 38),
        decimal(-1, 18, 0),
        text(""),
        text("ä%b\\"),
        text("century"),
        text("week"),
        int(2),
        Scalar::Blob([0u8, 255].as_slice().into()),
        Scalar::Date(i32::MIN),
        Scalar::Date(i32::MAX),
        Scalar::Time(0),
        Scalar::Timestamp(i64::MIN),
        Scalar::Timestamp(i64::MAX),
        Scalar::TimestampTz(0),
        Scalar::Interval(IntervalMonthDayNano::new(i32::MIN, i32::MIN, i64::MIN)),
    ];
    let mut tuples: Vec<Vec<Scalar>> = vec![vec![]];
    let mut all = tuples.clone();
    for _ in 1..=3 {
        tuples = tuples
            .iter()
            .flat_map(|t| {
                samples
                    .iter()
                    .map(move |s| [t.clone(), vec![s.clone()]].concat())
            })
            .collect();
        all.extend(tuples.iter().cloned());
    }
    let mut panicked = Vec::new();
    for function in functions::all() {
        for args in &all {
            let types: Vec<_> = args.iter().map(Scalar::sql_type).collect();
            if (function.resolve)(&types).is_some() {
                let expr = call_of(function, args.iter().cloned().map(lit).collect()).unwrap();
                let fold = std::panic::AssertUnwindSafe(|| crate::fold(&expr));
                if std::panic::catch_unwind(fold).is_err() {
                    panicked.push(format!("{}{args:?}", function.name));
                }
            }
        }
    }
    assert!(panicked.is_empty(), "{panicked:#?}");
}

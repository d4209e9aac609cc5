//! Expressions evaluated for one row against the same over arrays.

#![allow(clippy::unwrap_used, unreachable_pub, missing_docs)]

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::concat;
use arrow::datatypes::{Field, Schema};
use llkv_compute::functions::lookup;
use llkv_compute::{PreparedExpr, evaluate, evaluate_row, order_of, row_passes, same_key};
use llkv_expr::{BinaryOp, CastMode, ColumnId, Expr, InList, UnaryOp};
use llkv_types::{Scalar, SqlType};
use proptest::prelude::*;
use std::cmp::Ordering;
use std::sync::Arc;

const TYPES: [SqlType; 5] = [
    SqlType::Int64,
    SqlType::Float64,
    SqlType::Text,
    SqlType::Boolean,
    SqlType::Int32,
];

fn col(position: u32, ty: SqlType) -> Expr {
    Expr::column(ColumnId(position), ty)
}

fn lit(value: Scalar) -> Expr {
    Expr::Literal(value)
}

/// One row.
fn batch(columns: Vec<ArrayRef>) -> RecordBatch {
    let fields = columns.iter();
    let fields: Vec<_> = fields
        .map(|c| Field::new("c", c.data_type().clone(), true))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options).unwrap()
}

fn values(ty: SqlType) -> BoxedStrategy<Scalar> {
    let value = match ty {
        SqlType::Int64 => prop_oneof![-2_i64..4, Just(i64::MAX), Just(i64::MIN)]
            .prop_map(Scalar::Int64)
            .boxed(),
        SqlType::Float64 => prop::sample::select(&[0.0, -0.0, 1.5, -2.5, 1e308, f64::NAN][..])
            .prop_map(Scalar::Float64)
            .boxed(),
        SqlType::Text => prop::sample::select(&["", "a", "ab", "B", "12", "-3.5"][..])
            .prop_map(|text| Scalar::Text(text.into()))
            .boxed(),
        SqlType::Boolean => any::<bool>().prop_map(Scalar::Boolean).boxed(),
        _ => prop_oneof![-2_i32..4, Just(i32::MAX), Just(i32::MIN)]
            .prop_map(Scalar::Int32)
            .boxed(),
    };
    prop_oneof![4 => value, 1 => Just(Scalar::Null(ty))].boxed()
}

/// Expressions of a type over one column of each type.
fn exprs(ty: SqlType, depth: u32) -> BoxedStrategy<Expr> {
    let at = TYPES.iter().position(|own| *own == ty).unwrap_or_default();
    let leaf = prop_oneof![Just(col(at as u32, ty)), values(ty).prop_map(lit)].boxed();
    if depth == 0 {
        return leaf;
    }
    let same = move || exprs(ty, depth - 1);
    let truth = move || exprs(SqlType::Boolean, depth - 1);
    let of_any = prop_oneof![
        (truth(), same(), same()).prop_map(move |(when, then, otherwise)| Expr::Case {
            branches: vec![(when, then)],
            otherwise: Some(Box::new(otherwise)),
            ty,
        }),
        (truth(), same()).prop_map(move |(when, then)| Expr::Case {
            branches: vec![(when, then)],
            otherwise: None,
            ty,
        }),
        (
            prop::sample::select(&["coalesce", "nullif"][..]),
            same(),
            same()
        )
            .prop_map(move |(name, first, second)| Expr::Function {
                function: lookup(name).unwrap(),
                args: vec![first, second],
                ty,
            }),
    ];
    let own = match ty {
        SqlType::Boolean => of_truth(depth),
        SqlType::Text => (same(), same())
            .prop_map(move |(l, r)| Expr::binary(BinaryOp::Concat, l, r, ty))
            .boxed(),
        _ => {
            let ops = &[
                BinaryOp::Add,
                BinaryOp::Subtract,
                BinaryOp::Multiply,
                BinaryOp::Divide,
                BinaryOp::Modulo,
            ][..];
            let numbers = prop::sample::select(&[SqlType::Int32, SqlType::Int64][..]);
            let cast = numbers
                .prop_flat_map(move |from| exprs(from, depth - 1))
                .prop_map(move |expr| Expr::Cast {
                    expr: Box::new(expr),
                    ty,
                    mode: CastMode::Strict,
                });
            prop_oneof![
                3 => (prop::sample::select(ops), same(), same())
                    .prop_map(move |(op, l, r)| Expr::binary(op, l, r, ty)),
                1 => same().prop_map(|e| Expr::unary(UnaryOp::Negate, e)),
                1 => cast,
            ]
            .boxed()
        }
    };
    prop_oneof![2 => leaf, 3 => own, 1 => of_any].boxed()
}

fn of_truth(depth: u32) -> BoxedStrategy<Expr> {
    let truth = move || exprs(SqlType::Boolean, depth - 1);
    let comparisons = &[
        BinaryOp::Eq,
        BinaryOp::NotEq,
        BinaryOp::Lt,
        BinaryOp::LtEq,
        BinaryOp::Gt,
        BinaryOp::GtEq,
        BinaryOp::IsDistinctFrom,
        BinaryOp::IsNotDistinctFrom,
    ][..];
    let pair = move || {
        prop::sample::select(&TYPES[..])
            .prop_flat_map(move |ty| (exprs(ty, depth - 1), exprs(ty, depth - 1)))
    };
    let tests = &[
        UnaryOp::IsNull,
        UnaryOp::IsNotNull,
        UnaryOp::Not,
        UnaryOp::IsTrue,
        UnaryOp::IsNotTrue,
        UnaryOp::IsFalse,
        UnaryOp::IsNotFalse,
    ][..];
    let list =
        (prop::sample::select(&TYPES[..]), any::<bool>()).prop_flat_map(move |(ty, negated)| {
            let items = prop::collection::vec(exprs(ty, depth - 1), 1..4);
            (exprs(ty, depth - 1), items).prop_map(move |(expr, items)| Expr::InList {
                expr: Box::new(expr),
                list: InList::Exprs(items),
                negated,
            })
        });
    let own_typed = move || {
        prop::sample::select(&TYPES[..])
            .prop_flat_map(move |ty| exprs(ty, depth - 1))
            .prop_map(|expr| Expr::Cast {
                expr: Box::new(expr),
                ty: SqlType::Variant,
                mode: CastMode::Strict,
            })
    };
    prop_oneof![
        (prop::sample::select(comparisons), pair())
            .prop_map(|(op, (l, r))| Expr::compare(op, l, r)),
        (prop::sample::select(comparisons), own_typed(), own_typed())
            .prop_map(|(op, l, r)| Expr::compare(op, l, r)),
        constant_list(depth),
        (prop::sample::select(tests), truth()).prop_map(|(op, e)| Expr::unary(op, e)),
        prop::collection::vec(truth(), 2..4).prop_map(Expr::And),
        prop::collection::vec(truth(), 2..4).prop_map(Expr::Or),
        list,
    ]
    .boxed()
}

/// `x IN (...)` of constants.
fn constant_list(depth: u32) -> impl Strategy<Value = Expr> {
    (prop::sample::select(&TYPES[..]), any::<bool>()).prop_flat_map(move |(ty, negated)| {
        let items = prop::collection::vec(values(ty), 1..4);
        (exprs(ty, depth - 1), items).prop_map(move |(expr, items)| {
            let arrays: Vec<_> = items.iter().map(|item| item.to_array(1).unwrap()).collect();
            let arrays: Vec<_> = arrays.iter().map(AsRef::as_ref).collect();
            Expr::InList {
                expr: Box::new(expr),
                list: InList::Values(concat(&arrays).unwrap()),
                negated,
            }
        })
    })
}

/// Floats that are NaN are not equal to themselves, and the zeros are.
fn shown(value: &Scalar) -> String {
    format!("{value:?}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn a_row_gives_what_an_array_of_one_gives(
        (ty, expr) in prop::sample::select(&TYPES[..])
            .prop_flat_map(|ty| (Just(ty), exprs(ty, 3))),
        row in TYPES.map(values),
    ) {
        let rows = batch(row.iter().map(|value| value.to_array(1).unwrap()).collect());
        let value = evaluate_row(&expr, &row[..]).map(|value| value.into_owned());
        let array = evaluate(&expr, &rows).and_then(|array| Scalar::from_array(&array, 0));
        match (value, array) {
            (Ok(value), Ok(array)) => {
                prop_assert_eq!(value.sql_type(), ty, "{}", expr);
                prop_assert_eq!(shown(&value), shown(&array), "{}", expr);
            }
            (Err(value), Err(array)) => {
                prop_assert_eq!(value.to_string(), array.to_string(), "{}", expr);
            }
            (value, array) => prop_assert!(false, "{expr}: {value:?}, {array:?}"),
        }
        if ty == SqlType::Boolean {
            let passes = row_passes(&expr, &row[..]).map_err(|e| e.to_string());
            let mask = PreparedExpr::new(&expr).and_then(|prepared| prepared.filter(&rows));
            let mask = mask.map(|mask| mask.value(0)).map_err(|e| e.to_string());
            prop_assert_eq!(passes, mask, "{}", expr);
        }
    }

    #[test]
    fn order_is_that_of_comparisons(
        (left, right) in prop::sample::select(&TYPES[..])
            .prop_flat_map(|ty| (values(ty), values(ty))),
    ) {
        let compared = |op| {
            let compare = Expr::compare(op, lit(left.clone()), lit(right.clone()));
            let value = evaluate(&compare, &batch(Vec::new())).unwrap();
            Scalar::from_array(&value, 0).unwrap() == Scalar::Boolean(true)
        };
        let order = match (compared(BinaryOp::Lt), compared(BinaryOp::Eq)) {
            _ if left.is_null() || right.is_null() => None,
            (true, _) => Some(Ordering::Less),
            (_, true) => Some(Ordering::Equal),
            _ => Some(Ordering::Greater),
        };
        prop_assert_eq!(order_of(&left, &right), order);
        prop_assert_eq!(same_key(&left, &right), Some(compared(BinaryOp::IsNotDistinctFrom)));
    }
}

#[test]
fn as_a_value_with_a_type_of_its_own_nan_is_null() {
    let own = |value: &Scalar| Expr::Cast {
        expr: Box::new(lit(value.clone())),
        ty: SqlType::Variant,
        mode: CastMode::Strict,
    };
    let values = [
        Scalar::Float64(f64::NAN),
        Scalar::Null(SqlType::Int64),
        Scalar::Int64(1),
    ];
    let none = batch(Vec::new());
    for (left, right) in values
        .iter()
        .flat_map(|l| values.iter().map(move |r| (l, r)))
    {
        for op in [BinaryOp::Eq, BinaryOp::Lt, BinaryOp::IsDistinctFrom] {
            let compare = Expr::compare(op, own(left), own(right));
            let value = evaluate_row(&compare, &[][..]).unwrap().into_owned();
            let array = evaluate(&compare, &none).unwrap();
            assert_eq!(value, Scalar::from_array(&array, 0).unwrap(), "{compare}");
        }
    }
}

#[test]
fn what_is_missing_is_an_error() {
    assert!(evaluate_row(&col(1, SqlType::Int64), &[Scalar::Int64(1)][..]).is_err());
    let parameter = Expr::Parameter {
        index: 0,
        ty: SqlType::Int64,
    };
    assert!(evaluate_row(&parameter, &[][..]).is_err());
}

#[test]
fn deep_expressions_do_not_end_the_stack() {
    let mut sum = lit(Scalar::Int64(0));
    for _ in 0..20_000 {
        sum = Expr::binary(BinaryOp::Add, sum, lit(Scalar::Int64(1)), SqlType::Int64);
    }
    let value = evaluate_row(&sum, &[][..]).map(|value| value.into_owned());
    assert_eq!(value.unwrap(), Scalar::Int64(20_000));
    // Dropping it would recurse too.
    std::mem::forget(sum);
}

//! Turns conjuncts of a WHERE clause into column tests, where the two mean exactly the same.

use arrow::array::{
    Array, ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, AsArray, new_empty_array,
};
use arrow::compute::concat;
use arrow::datatypes::{Float32Type, Float64Type};
use llkv_column_map::{ColumnPredicate, ColumnTest};
use llkv_compute::functions::test_of_keys;
use llkv_expr::{BinaryOp, ColumnId, Expr, InList, LikeCase, UnaryOp};
use llkv_types::{Collation, FieldId, Scalar, SqlType};
use std::ops::Bound;

/// The column test that keeps exactly the rows for which `expr` is true, or `None` where there is none:
/// the expression is then evaluated above the scan. `field_of` gives the stored field of a column of the
/// scan.
#[must_use]
pub fn lower_predicate(
    expr: &Expr,
    field_of: &dyn Fn(ColumnId) -> Option<FieldId>,
) -> Option<ColumnPredicate> {
    let (id, test) = lower(expr)?;
    Some(ColumnPredicate {
        field: field_of(id)?,
        test: in_total_order(test)?,
    })
}

/// The test of a column's keys under a collation that holds for every row for which `expr` is true, or `None` where
/// it tests none.
#[must_use]
pub fn lower_test_of_keys(
    expr: &Expr,
    field_of: &dyn Fn(ColumnId) -> Option<FieldId>,
) -> Option<(ColumnPredicate, Collation)> {
    let (test, collation) = test_of_keys(expr)?;
    Some((lower_predicate(&test, field_of)?, collation))
}

/// The test in the order of the store, in which -0.0 is below 0.0; in SQL they are one. NaN, which SQL puts
/// above all others, has places at both ends there: tests against it stay above the scan.
fn in_total_order(test: ColumnTest) -> Option<ColumnTest> {
    Some(match test {
        ColumnTest::Range { low, high } => {
            let of = |bound: &Bound<Scalar>| match bound {
                Bound::Included(value) | Bound::Excluded(value) => Float::of(value),
                Bound::Unbounded => None,
            };
            let (from, to) = (of(&low), of(&high));
            if from.or(to).is_none() {
                return Some(ColumnTest::Range { low, high });
            }
            if from.is_some_and(Float::is_nan) || to.is_some_and(Float::is_nan) {
                return None;
            }
            let low = match low {
                Bound::Included(value) => Bound::Included(zero_or(value, -0.0)),
                Bound::Excluded(value) => Bound::Excluded(zero_or(value, 0.0)),
                Bound::Unbounded => match to {
                    Some(float) => Bound::Included(float.with(f64::NEG_INFINITY)),
                    None => Bound::Unbounded,
                },
            };
            let high = match high {
                Bound::Included(value) => Bound::Included(zero_or(value, 0.0)),
                Bound::Excluded(value) => Bound::Excluded(zero_or(value, -0.0)),
                Bound::Unbounded => Bound::Unbounded,
            };
            ColumnTest::Range { low, high }
        }
        ColumnTest::NotEq(value) => match Float::of(&value) {
            Some(float) if float.is_nan() || float.is_zero() => return None,
            _ => ColumnTest::NotEq(value),
        },
        ColumnTest::In(values) => ColumnTest::In(both_zeros(values)?),
        other => other,
    })
}

/// A constant of a floating-point type.
#[derive(Clone, Copy)]
enum Float {
    Real(f32),
    Double(f64),
}

impl Float {
    fn of(value: &Scalar) -> Option<Self> {
        match value {
            Scalar::Float32(value) => Some(Self::Real(*value)),
            Scalar::Float64(value) => Some(Self::Double(*value)),
            _ => None,
        }
    }

    fn is_nan(self) -> bool {
        matches!(self, Self::Real(value) if value.is_nan())
            || matches!(self, Self::Double(value) if value.is_nan())
    }

    fn is_zero(self) -> bool {
        matches!(self, Self::Real(value) if value == 0.0)
            || matches!(self, Self::Double(value) if value == 0.0)
    }

    /// Another value, a zero or an infinity, of the same type.
    fn with(self, value: f64) -> Scalar {
        match self {
            Self::Real(_) => Scalar::Float32(value as f32),
            Self::Double(_) => Scalar::Float64(value),
        }
    }
}

/// `zero` in the place of a floating-point zero; other values as they are.
fn zero_or(value: Scalar, zero: f64) -> Scalar {
    match Float::of(&value) {
        Some(float) if float.is_zero() => float.with(zero),
        _ => value,
    }
}

/// The test of a column for some values, as SQL compares them; `None` where no test of stored values says that.
pub(crate) fn one_of(field: FieldId, values: ArrayRef) -> Option<ColumnPredicate> {
    let test = ColumnTest::In(both_zeros(values)?);
    Some(ColumnPredicate { field, test })
}

/// A list that has both zeros where it has one; `None` where it has NaN.
fn both_zeros(values: ArrayRef) -> Option<ArrayRef> {
    let ty = SqlType::from_arrow(values.data_type())?;
    let is_plain = match ty {
        SqlType::Float32 => are_plain::<Float32Type>(&values),
        SqlType::Float64 => are_plain::<Float64Type>(&values),
        _ => true,
    };
    if is_plain {
        return Some(values);
    }
    let mut scalars = Vec::with_capacity(values.len());
    for row in (0..values.len()).filter(|row| values.is_valid(*row)) {
        let value = Scalar::from_array(values.as_ref(), row).ok()?;
        match Float::of(&value) {
            Some(float) if float.is_nan() => return None,
            Some(float) if float.is_zero() => {
                scalars.extend([float.with(-0.0), float.with(0.0)]);
            }
            _ => scalars.push(value),
        }
    }
    to_array(&scalars, ty)
}

/// True without zeros and NaNs.
fn are_plain<T: ArrowPrimitiveType>(values: &ArrayRef) -> bool {
    let mut values = values.as_primitive::<T>().values().iter();
    values.all(|value| !value.is_zero() && value.partial_cmp(value).is_some())
}

fn lower(expr: &Expr) -> Option<(ColumnId, ColumnTest)> {
    match expr {
        Expr::Column { id, ty } if *ty == SqlType::Boolean => {
            Some((*id, equals(Scalar::Boolean(true))))
        }
        Expr::Unary { op, expr } => lower_unary(*op, expr),
        Expr::Binary {
            op, left, right, ..
        } => lower_comparison(*op, left, right),
        Expr::InList {
            expr,
            list,
            negated: false,
        } => lower_in(expr, list),
        Expr::Or(parts) => lower_or(parts),
        Expr::And(parts) => lower_and(parts),
        Expr::Like {
            expr,
            pattern,
            escape: None,
            case: LikeCase::Matters,
            negated: false,
        } => lower_like(expr, pattern),
        _ => None,
    }
}

/// A column whose values have an order that the store knows.
fn column(expr: &Expr) -> Option<(ColumnId, SqlType)> {
    match expr {
        Expr::Column { id, ty }
            if !matches!(ty, SqlType::Interval | SqlType::Variant | SqlType::Null) =>
        {
            Some((*id, *ty))
        }
        _ => None,
    }
}

/// A constant of the column's type that is not NULL.
fn constant(expr: &Expr, ty: SqlType) -> Option<Scalar> {
    expr.as_literal()
        .filter(|s| s.sql_type() == ty && !matches!(s, Scalar::Null(_)))
        .cloned()
}

fn equals(value: Scalar) -> ColumnTest {
    ColumnTest::Range {
        low: Bound::Included(value.clone()),
        high: Bound::Included(value),
    }
}

fn lower_unary(op: UnaryOp, operand: &Expr) -> Option<(ColumnId, ColumnTest)> {
    let Expr::Column { id, ty } = operand else {
        return None;
    };
    let test = match op {
        UnaryOp::IsNull => ColumnTest::IsNull,
        UnaryOp::IsNotNull => ColumnTest::IsNotNull,
        UnaryOp::IsTrue if *ty == SqlType::Boolean => equals(Scalar::Boolean(true)),
        UnaryOp::Not | UnaryOp::IsFalse if *ty == SqlType::Boolean => {
            equals(Scalar::Boolean(false))
        }
        _ => return None,
    };
    Some((*id, test))
}

fn lower_comparison(op: BinaryOp, left: &Expr, right: &Expr) -> Option<(ColumnId, ColumnTest)> {
    let Some((id, ty)) = column(left) else {
        let (id, ty) = column(right)?;
        return Some((id, comparison(op.swapped()?, constant(left, ty)?)?));
    };
    Some((id, comparison(op, constant(right, ty)?)?))
}

fn comparison(op: BinaryOp, value: Scalar) -> Option<ColumnTest> {
    let (low, high) = match op {
        BinaryOp::Eq | BinaryOp::IsNotDistinctFrom => return Some(equals(value)),
        BinaryOp::NotEq => return Some(ColumnTest::NotEq(value)),
        BinaryOp::Lt => (Bound::Unbounded, Bound::Excluded(value)),
        BinaryOp::LtEq => (Bound::Unbounded, Bound::Included(value)),
        BinaryOp::Gt => (Bound::Excluded(value), Bound::Unbounded),
        BinaryOp::GtEq => (Bound::Included(value), Bound::Unbounded),
        _ => return None,
    };
    Some(ColumnTest::Range { low, high })
}

fn lower_in(needle: &Expr, list: &InList) -> Option<(ColumnId, ColumnTest)> {
    let (id, ty) = column(needle)?;
    let values = match list {
        InList::Values(values) if *values.data_type() == ty.to_arrow() => values.clone(),
        InList::Values(_) => return None,
        InList::Exprs(items) => {
            let scalars = items
                .iter()
                .filter(|item| !matches!(item.as_literal(), Some(Scalar::Null(_))))
                .map(|item| constant(item, ty))
                .collect::<Option<Vec<_>>>()?;
            to_array(&scalars, ty)?
        }
    };
    Some((id, ColumnTest::In(values)))
}

fn to_array(scalars: &[Scalar], ty: SqlType) -> Option<ArrayRef> {
    let arrays = scalars
        .iter()
        .map(|s| s.to_array(1).ok())
        .collect::<Option<Vec<_>>>()?;
    if arrays.is_empty() {
        return Some(new_empty_array(&ty.to_arrow()));
    }
    concat(&arrays.iter().map(AsRef::as_ref).collect::<Vec<_>>()).ok()
}

/// `a = 1 OR a = 2` is `a IN (1, 2)`.
fn lower_or(parts: &[Expr]) -> Option<(ColumnId, ColumnTest)> {
    let mut found: Option<(ColumnId, SqlType)> = None;
    let mut values = Vec::with_capacity(parts.len());
    for part in parts {
        let Expr::Binary {
            op: BinaryOp::Eq,
            left,
            right,
            ..
        } = part
        else {
            return None;
        };
        let (side, other) = match column(left) {
            Some(side) => (side, right),
            None => (column(right)?, left),
        };
        if *found.get_or_insert(side) != side {
            return None;
        }
        values.push(constant(other, side.1)?);
    }
    let (id, ty) = found?;
    Some((id, ColumnTest::In(to_array(&values, ty)?)))
}

/// `a >= 1 AND a < 5`, the form of BETWEEN, is one range.
fn lower_and(parts: &[Expr]) -> Option<(ColumnId, ColumnTest)> {
    let [first, second] = parts else {
        return None;
    };
    let (id, first) = lower(first)?;
    let (other_id, second) = lower(second)?;
    let (ColumnTest::Range { low, high }, ColumnTest::Range { low: l2, high: h2 }) =
        (first, second)
    else {
        return None;
    };
    let low = only_bound(low, l2)?;
    let high = only_bound(high, h2)?;
    (id == other_id).then_some((id, ColumnTest::Range { low, high }))
}

fn only_bound(a: Bound<Scalar>, b: Bound<Scalar>) -> Option<Bound<Scalar>> {
    match (a, b) {
        (Bound::Unbounded, one) | (one, Bound::Unbounded) => Some(one),
        _ => None,
    }
}

/// `a LIKE 'prefix%'` is a range: UTF-8 keeps the order of code points.
fn lower_like(text: &Expr, pattern: &Expr) -> Option<(ColumnId, ColumnTest)> {
    let (id, ty) = column(text)?;
    let Scalar::Text(pattern) = constant(pattern, SqlType::Text)? else {
        return None;
    };
    if ty != SqlType::Text || pattern.contains(['_', '\\']) {
        return None;
    }
    let Some(prefix) = pattern.strip_suffix('%') else {
        return (!pattern.contains('%')).then(|| (id, equals(Scalar::Text(pattern.clone()))));
    };
    if prefix.contains('%') || prefix.is_empty() {
        return None;
    }
    let high = match successor(prefix) {
        Some(high) => Bound::Excluded(Scalar::Text(high.into())),
        None => Bound::Unbounded,
    };
    let low = Bound::Included(Scalar::Text(prefix.into()));
    Some((id, ColumnTest::Range { low, high }))
}

/// The least text above every text that starts with `prefix`.
fn successor(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'),
            other => char::from_u32(other as u32 + 1),
        };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a() -> Expr {
        Expr::column(ColumnId(7), SqlType::Int32)
    }

    fn int(value: i32) -> Expr {
        Expr::Literal(Scalar::Int32(value))
    }

    fn text_of(expr: &Expr) -> Option<String> {
        let field_of = |id: ColumnId| (id.0 == 7).then_some(FieldId(3));
        lower_predicate(expr, &field_of).map(|p| format!("{}: {:?}", p.field, p.test))
    }

    #[test]
    fn comparisons_either_way_round() {
        let expr = Expr::compare(BinaryOp::Lt, int(5), a());
        assert_eq!(
            text_of(&expr).unwrap(),
            "3: Range { low: Excluded(Int32(5)), high: Unbounded }"
        );
        let between = Expr::and([
            Expr::compare(BinaryOp::GtEq, a(), int(1)),
            Expr::compare(BinaryOp::LtEq, a(), int(2)),
        ]);
        assert_eq!(
            text_of(&between).unwrap(),
            "3: Range { low: Included(Int32(1)), high: Included(Int32(2)) }"
        );
    }

    #[test]
    fn what_is_not_exact_stays_above() {
        let null = Expr::Literal(Scalar::Null(SqlType::Int32));
        assert!(text_of(&Expr::compare(BinaryOp::Eq, a(), null)).is_none());
        let wide = Expr::Literal(Scalar::Int64(5));
        assert!(text_of(&Expr::compare(BinaryOp::Eq, a(), wide)).is_none());
        let other = Expr::column(ColumnId(8), SqlType::Int32);
        assert!(text_of(&Expr::compare(BinaryOp::Eq, other, int(1))).is_none());
    }

    #[test]
    fn both_zeros_are_one() {
        let a = || Expr::column(ColumnId(7), SqlType::Float64);
        let of = |op, value: f64| {
            let test = Expr::compare(op, a(), Expr::Literal(Scalar::Float64(value)));
            text_of(&test)
        };
        for zero in [-0.0, 0.0] {
            assert_eq!(
                of(BinaryOp::Eq, zero).unwrap(),
                "3: Range { low: Included(Float64(-0.0)), high: Included(Float64(0.0)) }"
            );
            assert_eq!(
                of(BinaryOp::Lt, zero).unwrap(),
                "3: Range { low: Included(Float64(-inf)), high: Excluded(Float64(-0.0)) }"
            );
            assert_eq!(
                of(BinaryOp::Gt, zero).unwrap(),
                "3: Range { low: Excluded(Float64(0.0)), high: Unbounded }"
            );
            assert!(of(BinaryOp::NotEq, zero).is_none());
        }
        assert!(of(BinaryOp::GtEq, f64::NAN).is_none());
        assert!(of(BinaryOp::NotEq, 1.0).is_some());
    }

    #[test]
    fn disjunctions_become_sets() {
        let either = Expr::Or(vec![
            Expr::compare(BinaryOp::Eq, a(), int(1)),
            Expr::compare(BinaryOp::Eq, int(9), a()),
        ]);
        assert!(text_of(&either).unwrap().starts_with("3: In("));
    }

    #[test]
    fn prefixes_become_ranges() {
        let like = |pattern: &str| Expr::Like {
            expr: Box::new(Expr::column(ColumnId(7), SqlType::Text)),
            pattern: Box::new(Expr::Literal(Scalar::Text(pattern.into()))),
            escape: None,
            case: LikeCase::Matters,
            negated: false,
        };
        assert_eq!(
            text_of(&like("ab%")).unwrap(),
            "3: Range { low: Included(Text(\"ab\")), high: Excluded(Text(\"ac\")) }"
        );
        assert!(text_of(&like("a_b%")).is_none());
        assert!(text_of(&like("%a%")).is_none());
        assert_eq!(successor("a\u{10FFFF}").unwrap(), "b");
    }
}

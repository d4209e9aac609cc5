//! From an aggregate call to its accumulator, and the types the binder needs.

use super::GroupsAccumulator;
use super::average::{ExactAverage, FloatAverage};
use super::boolean::BoolFold;
use super::count::Count;
use super::distinct::Distinct;
use super::extreme::Extreme;
use super::extreme_bytes::BytesExtreme;
use super::first::First;
use super::string_agg::StringAgg;
use super::sum::{ExactSum, FloatSum};
use super::variant::{Outcome, VariantSum};
use arrow::datatypes as dt;
use llkv_expr::{AggregateExpr, AggregateFunction};
use llkv_result::{Error, Result};
use llkv_types::{Scalar, SqlType};

/// Between the texts of `string_agg` where none is given.
const DEFAULT_SEPARATOR: &str = ",";

type Boxed = Box<dyn GroupsAccumulator>;

/// The types to which the arguments of a call are cast and the type of its result; `None` where the
/// function does not take them.
///
/// `sum` of integers up to 32 bits is BIGINT, of wider ones DECIMAL(38,0), of a decimal DECIMAL(38,s),
/// of floats DOUBLE; `avg` and `total` are DOUBLE. (For SQLite's `sum`, a BIGINT result type is
/// accepted by [`create_accumulator`] for every integer argument.)
#[must_use]
pub fn aggregate_type(
    function: AggregateFunction,
    args: &[SqlType],
) -> Option<(Vec<SqlType>, SqlType)> {
    use AggregateFunction as F;
    match (function, args) {
        (F::CountStar, []) => Some((vec![], SqlType::Int64)),
        (F::Count, [ty]) => Some((vec![*ty], SqlType::Int64)),
        (F::Sum, [ty]) => sum_type(*ty).map(|(arg, result)| (vec![arg], result)),
        (F::Total, [ty]) if ty.is_numeric() || *ty == SqlType::Null => {
            Some((vec![SqlType::Float64], SqlType::Float64))
        }
        (F::Total, [SqlType::Variant]) => Some((vec![SqlType::Variant], SqlType::Float64)),
        (F::Avg, [ty]) => average_argument(*ty).map(|arg| (vec![arg], SqlType::Float64)),
        (F::Min | F::Max | F::AnyValue | F::First, [ty]) => {
            let ty = if *ty == SqlType::Null {
                SqlType::Int32
            } else {
                *ty
            };
            Some((vec![ty], ty))
        }
        (F::StringAgg, [_]) => Some((vec![SqlType::Text], SqlType::Text)),
        (F::StringAgg, [_, SqlType::Text | SqlType::Null]) => {
            Some((vec![SqlType::Text, SqlType::Text], SqlType::Text))
        }
        (F::BoolAnd | F::BoolOr, [SqlType::Boolean | SqlType::Null]) => {
            Some((vec![SqlType::Boolean], SqlType::Boolean))
        }
        _ => None,
    }
}

fn sum_type(ty: SqlType) -> Option<(SqlType, SqlType)> {
    const WIDE: u8 = SqlType::DECIMAL128_PRECISION;
    Some(match ty {
        SqlType::Null => (SqlType::Int32, SqlType::Int64),
        SqlType::Int64 | SqlType::UInt64 => (
            ty,
            SqlType::Decimal {
                precision: WIDE,
                scale: 0,
            },
        ),
        ty if ty.is_integer() => (ty, SqlType::Int64),
        SqlType::Decimal { scale, .. } => (
            ty,
            SqlType::Decimal {
                precision: WIDE,
                scale,
            },
        ),
        ty if ty.is_float() => (SqlType::Float64, SqlType::Float64),
        SqlType::Variant => (ty, ty),
        _ => return None,
    })
}

fn average_argument(ty: SqlType) -> Option<SqlType> {
    match ty {
        SqlType::Null => Some(SqlType::Float64),
        ty if ty.is_float() => Some(SqlType::Float64),
        ty if ty.is_numeric() || ty == SqlType::Variant => Some(ty),
        _ => None,
    }
}

/// An accumulator for a call whose arguments have the types of [`aggregate_type`].
///
/// FILTER is the caller's: it evaluates the condition and passes the mask. So is ORDER BY: rows are
/// to be fed in that order.
///
/// # Errors
/// An internal error for argument types that [`aggregate_type`] does not give.
pub fn create_accumulator(call: &AggregateExpr) -> Result<Boxed> {
    let argument = call.args.first().map(llkv_expr::Expr::ty);
    let inner = create(call, argument.unwrap_or(SqlType::Null))?;
    let indifferent = matches!(
        call.function,
        AggregateFunction::Min
            | AggregateFunction::Max
            | AggregateFunction::BoolAnd
            | AggregateFunction::BoolOr
            | AggregateFunction::AnyValue
            | AggregateFunction::First
    );
    match argument {
        Some(ty) if call.distinct && !indifferent => Ok(Box::new(Distinct::new(inner, ty)?)),
        _ => Ok(inner),
    }
}

fn create(call: &AggregateExpr, argument: SqlType) -> Result<Boxed> {
    use AggregateFunction as F;
    Ok(match call.function {
        F::CountStar => Box::new(Count::star()),
        F::Count => Box::new(Count::default()),
        F::Sum => return sum(argument, call.ty),
        F::Total if argument == SqlType::Variant => Box::new(VariantSum::new(Outcome::Total)),
        F::Total => Box::new(FloatSum::total()),
        F::Avg => return average(argument),
        F::Min => return extreme::<false>(argument),
        F::Max => return extreme::<true>(argument),
        F::StringAgg => Box::new(StringAgg::new(separator(call)?)),
        F::AnyValue => Box::new(First::new(argument, true)),
        F::First => Box::new(First::new(argument, false)),
        F::BoolAnd => Box::new(BoolFold::new(false)),
        F::BoolOr => Box::new(BoolFold::new(true)),
        other => {
            return Err(Error::internal(format!(
                "no accumulator for {}",
                other.name()
            )));
        }
    })
}

fn separator(call: &AggregateExpr) -> Result<std::sync::Arc<str>> {
    match call.args.get(1).map(llkv_expr::Expr::as_literal) {
        None => Ok(DEFAULT_SEPARATOR.into()),
        Some(Some(Scalar::Text(text))) => Ok(text.clone()),
        Some(Some(Scalar::Null(_))) => Ok("".into()),
        Some(_) => Err(Error::internal(
            "the separator of string_agg is no constant text",
        )),
    }
}

fn sum(argument: SqlType, ty: SqlType) -> Result<Boxed> {
    use SqlType as T;
    Ok(match argument {
        T::Int8 => Box::new(ExactSum::<dt::Int8Type, i64>::new(ty)),
        T::Int16 => Box::new(ExactSum::<dt::Int16Type, i64>::new(ty)),
        T::Int32 => Box::new(ExactSum::<dt::Int32Type, i64>::new(ty)),
        T::UInt8 => Box::new(ExactSum::<dt::UInt8Type, i64>::new(ty)),
        T::UInt16 => Box::new(ExactSum::<dt::UInt16Type, i64>::new(ty)),
        T::UInt32 => Box::new(ExactSum::<dt::UInt32Type, i64>::new(ty)),
        T::Int64 => Box::new(ExactSum::<dt::Int64Type, i128>::new(ty)),
        T::UInt64 => Box::new(ExactSum::<dt::UInt64Type, i128>::new(ty)),
        T::Decimal { precision, .. } if precision <= T::DECIMAL64_PRECISION => {
            Box::new(ExactSum::<dt::Decimal64Type, i128>::new(ty))
        }
        T::Decimal { .. } => Box::new(ExactSum::<dt::Decimal128Type, i128>::new(ty)),
        T::Float64 => Box::new(FloatSum::default()),
        T::Variant => Box::new(VariantSum::new(Outcome::Sum)),
        other => return Err(Error::internal(format!("no sum of {other}"))),
    })
}

fn average(argument: SqlType) -> Result<Boxed> {
    use SqlType as T;
    Ok(match argument {
        T::Int8 => Box::new(ExactAverage::<dt::Int8Type>::new(0)),
        T::Int16 => Box::new(ExactAverage::<dt::Int16Type>::new(0)),
        T::Int32 => Box::new(ExactAverage::<dt::Int32Type>::new(0)),
        T::Int64 => Box::new(ExactAverage::<dt::Int64Type>::new(0)),
        T::UInt8 => Box::new(ExactAverage::<dt::UInt8Type>::new(0)),
        T::UInt16 => Box::new(ExactAverage::<dt::UInt16Type>::new(0)),
        T::UInt32 => Box::new(ExactAverage::<dt::UInt32Type>::new(0)),
        T::UInt64 => Box::new(ExactAverage::<dt::UInt64Type>::new(0)),
        T::Decimal { precision, scale } if precision <= T::DECIMAL64_PRECISION => {
            Box::new(ExactAverage::<dt::Decimal64Type>::new(scale))
        }
        T::Decimal { scale, .. } => Box::new(ExactAverage::<dt::Decimal128Type>::new(scale)),
        T::Float64 => Box::new(FloatAverage::default()),
        T::Variant => Box::new(VariantSum::new(Outcome::Average)),
        other => return Err(Error::internal(format!("no average of {other}"))),
    })
}

fn extreme<const MAX: bool>(ty: SqlType) -> Result<Boxed> {
    use SqlType as T;
    Ok(match ty {
        T::Int8 => Box::new(Extreme::<dt::Int8Type, MAX>::new(ty)),
        T::Int16 => Box::new(Extreme::<dt::Int16Type, MAX>::new(ty)),
        T::Int32 => Box::new(Extreme::<dt::Int32Type, MAX>::new(ty)),
        T::Int64 => Box::new(Extreme::<dt::Int64Type, MAX>::new(ty)),
        T::UInt8 => Box::new(Extreme::<dt::UInt8Type, MAX>::new(ty)),
        T::UInt16 => Box::new(Extreme::<dt::UInt16Type, MAX>::new(ty)),
        T::UInt32 => Box::new(Extreme::<dt::UInt32Type, MAX>::new(ty)),
        T::UInt64 => Box::new(Extreme::<dt::UInt64Type, MAX>::new(ty)),
        T::Float32 => Box::new(Extreme::<dt::Float32Type, MAX>::new(ty)),
        T::Float64 => Box::new(Extreme::<dt::Float64Type, MAX>::new(ty)),
        T::Decimal { precision, .. } if precision <= T::DECIMAL64_PRECISION => {
            Box::new(Extreme::<dt::Decimal64Type, MAX>::new(ty))
        }
        T::Decimal { .. } => Box::new(Extreme::<dt::Decimal128Type, MAX>::new(ty)),
        T::Date => Box::new(Extreme::<dt::Date32Type, MAX>::new(ty)),
        T::Time => Box::new(Extreme::<dt::Time64MicrosecondType, MAX>::new(ty)),
        T::Timestamp | T::TimestampTz => {
            Box::new(Extreme::<dt::TimestampMicrosecondType, MAX>::new(ty))
        }
        T::Interval => Box::new(Extreme::<dt::IntervalMonthDayNanoType, MAX>::new(ty)),
        T::Text | T::Blob | T::Variant => Box::new(BytesExtreme::new(MAX, ty)),
        T::Boolean => Box::new(BoolFold::new(MAX)),
        other => return Err(Error::internal(format!("no minimum of {other}"))),
    })
}

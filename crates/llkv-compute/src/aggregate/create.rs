//! From an aggregate call to its accumulator.

use super::GroupsAccumulator;
use super::approximate::ApproximateCount;
use super::arg_extreme::ArgExtreme;
use super::average::{ExactAverage, FloatAverage};
use super::bits::{BitFold, BitOp};
use super::boolean::BoolFold;
use super::count::Count;
use super::distinct::Distinct;
use super::extreme::Extreme;
use super::extreme_bytes::BytesExtreme;
use super::first::{First, Kept};
use super::moments::Variance;
use super::ordered::{Ordered, Pick};
use super::product::Product;
use super::regression::Regression;
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

/// An accumulator for a call whose arguments have the types of [`aggregate_type`](super::aggregate_type).
///
/// FILTER is the caller's: it evaluates the condition and passes the mask. So is ORDER BY: rows are
/// to be fed in that order.
///
/// # Errors
/// An internal error for argument types that [`aggregate_type`](super::aggregate_type) does not give.
pub fn create_accumulator(call: &AggregateExpr) -> Result<Boxed> {
    let argument = call.args.first().map(llkv_expr::Expr::ty);
    let inner = create(call, argument.unwrap_or(SqlType::Null))?;
    match argument {
        Some(ty) if call.distinct && !call.function.ignores_duplicates() => {
            Ok(Box::new(Distinct::new(inner, ty)?))
        }
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
        F::AnyValue => Box::new(First::new(argument, Kept::FirstValue)),
        F::First => Box::new(First::new(argument, Kept::First)),
        F::Last => Box::new(First::new(argument, Kept::Last)),
        F::ArgMin | F::ArgMax => {
            let by = call.args.get(1).map_or(SqlType::Null, llkv_expr::Expr::ty);
            Box::new(ArgExtreme::new(call.function == F::ArgMax, argument, by)?)
        }
        F::VarPop | F::VarSamp | F::StddevPop | F::StddevSamp => {
            Box::new(Variance::new(call.function))
        }
        function if function.takes_pairs() => Box::new(Regression::new(function)),
        F::Product => Box::new(Product::default()),
        F::ApproxCountDistinct => Box::new(ApproximateCount::default()),
        F::BitAnd => return bits(BitOp::And, argument),
        F::BitOr => return bits(BitOp::Or, argument),
        F::BitXor => return bits(BitOp::Xor, argument),
        F::QuantileCont | F::QuantileDisc | F::Mode => return ordered(call, argument),
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

fn bits(op: BitOp, argument: SqlType) -> Result<Boxed> {
    fn of<T>(op: BitOp, ty: SqlType) -> Result<Boxed>
    where
        T: arrow::array::ArrowPrimitiveType,
        T::Native: num_traits::PrimInt,
    {
        Ok(Box::new(BitFold::<T>::new(op, ty)))
    }
    crate::arrays::with_integer!(
        argument,
        of::<_>(op, argument),
        Err(Error::internal(format!("no bits of {argument}")))
    )
}

/// A quantile or a mode; the constants beside the value say which, and in which order.
fn ordered(call: &AggregateExpr, argument: SqlType) -> Result<Boxed> {
    let mut share = 0.5;
    let mut descending = false;
    for arg in call.args.iter().skip(1) {
        match arg.as_literal() {
            Some(Scalar::Float64(value)) => share = *value,
            Some(Scalar::Boolean(value)) => descending = *value,
            Some(Scalar::Null(_)) => share = f64::NAN,
            _ => return Err(Error::internal("the share of a quantile is no constant")),
        }
    }
    let pick = match call.function {
        AggregateFunction::Mode => Pick::Mode,
        AggregateFunction::QuantileCont => Pick::Continuous(share),
        _ => Pick::Discrete(share),
    };
    Ok(Box::new(Ordered::new(pick, descending, argument)))
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

//! What the binder asks of an aggregate: the types that its arguments are cast to, and that of its result.

use llkv_expr::AggregateFunction;
use llkv_types::SqlType;

/// The types to which the arguments of a call are cast and the type of its result; `None` where the
/// function does not take them.
///
/// `sum` of integers up to 32 bits is BIGINT, of wider ones DECIMAL(38,0), of a decimal DECIMAL(38,s),
/// of floats DOUBLE; `avg` and `total` are DOUBLE. (For SQLite's `sum`, a BIGINT result type is
/// accepted by [`create_accumulator`](super::create_accumulator) for every integer argument.)
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
        (F::Last | F::Mode, [ty]) => {
            let ty = known(*ty);
            Some((vec![ty], ty))
        }
        (F::Mode, [ty, SqlType::Boolean]) => {
            let ty = known(*ty);
            Some((vec![ty, SqlType::Boolean], ty))
        }
        (F::ApproxCountDistinct, [ty]) => Some((vec![known(*ty)], SqlType::Int64)),
        (F::ArgMin | F::ArgMax, [value, by]) => {
            let (value, by) = (known(*value), known(*by));
            Some((vec![value, by], value))
        }
        (F::BitAnd | F::BitOr | F::BitXor, [ty]) => {
            let ty = if *ty == SqlType::Null {
                SqlType::Int32
            } else {
                *ty
            };
            ty.is_integer().then(|| (vec![ty], ty))
        }
        (F::Product, [ty]) | (F::VarPop | F::VarSamp | F::StddevPop | F::StddevSamp, [ty]) => {
            number(*ty).then(|| (vec![SqlType::Float64], SqlType::Float64))
        }
        (function, [y, x]) if function.takes_pairs() => {
            let result = match function {
                F::RegrCount => SqlType::Int64,
                _ => SqlType::Float64,
            };
            (number(*y) && number(*x)).then(|| (vec![SqlType::Float64; 2], result))
        }
        (F::QuantileCont | F::QuantileDisc, [ty, rest @ ..]) => quantile_type(function, *ty, rest),
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

/// A bare NULL has some type.
fn known(ty: SqlType) -> SqlType {
    if ty == SqlType::Null {
        SqlType::Int32
    } else {
        ty
    }
}

fn number(ty: SqlType) -> bool {
    ty.is_numeric() || ty == SqlType::Null
}

/// The share, and whether the order is descending.
fn quantile_type(
    function: AggregateFunction,
    ty: SqlType,
    rest: &[SqlType],
) -> Option<(Vec<SqlType>, SqlType)> {
    match rest {
        [share] if number(*share) => {}
        [share, SqlType::Boolean] if number(*share) => {}
        _ => return None,
    }
    let ty = match (function, ty) {
        (AggregateFunction::QuantileDisc, SqlType::Variant) => return None,
        (AggregateFunction::QuantileDisc, ty) => known(ty),
        (_, SqlType::Date) => SqlType::Timestamp,
        (_, SqlType::Timestamp | SqlType::TimestampTz) => ty,
        (_, ty) if number(ty) => SqlType::Float64,
        _ => return None,
    };
    let args = [ty, SqlType::Float64, SqlType::Boolean];
    Some((args.get(..rest.len() + 1)?.to_vec(), ty))
}

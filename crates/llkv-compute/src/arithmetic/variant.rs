//! Arithmetic over values that carry their own type, by SQLite's rules: integers stay integers as long as
//! the result fits and become reals where it does not; a text or blob counts as the number that it begins
//! with; division by zero is NULL. Nothing here is an error.

use crate::cast::sqlite::{Number, integer_prefix, number_prefix};
use crate::value::Value;
use arrow::array::{Array, BinaryViewArray};
use llkv_expr::BinaryOp;
use llkv_result::Result;
use llkv_types::SqlType;
use llkv_types::variant::{self, Variant, VariantBuilder};

/// One operand: a number per row, or one for all.
struct Operand {
    values: BinaryViewArray,
    constant: Option<Number>,
    /// Whole numbers: `%` reads a text up to the point.
    whole: bool,
}

impl Operand {
    fn new(value: &Value, whole: bool) -> Result<Self> {
        let values = variant::encoded(value.array().as_ref())?;
        let constant = match value {
            Value::Rows(_) => None,
            Value::Constant(_) => variant::value(&values, 0)?.map(|v| read(v, whole)),
        };
        Ok(Self {
            values,
            constant,
            whole,
        })
    }

    fn at(&self, row: usize) -> Result<Option<Number>> {
        match self.constant {
            Some(number) => Ok(Some(number)),
            None => Ok(variant::value(&self.values, row)?.map(|v| read(v, self.whole))),
        }
    }
}

/// The number that a value counts as.
fn read(value: Variant<'_>, whole: bool) -> Number {
    let number = number_prefix(value);
    match (value, number) {
        (Variant::Text(_) | Variant::Blob(_), Number::Real(_)) if whole => {
            Number::Real(integer_prefix(value) as f64)
        }
        _ => number,
    }
}

/// `left op right` for `+ - * / %`. Neither side is a constant NULL.
pub(super) fn arithmetic(op: BinaryOp, left: &Value, right: &Value) -> Result<Value> {
    let constant = left.is_constant() && right.is_constant();
    let rows = match (left.is_constant(), right.is_constant()) {
        (true, true) => 1,
        (true, false) => right.array().len(),
        _ => left.array().len(),
    };
    let whole = op == BinaryOp::Modulo;
    let (l, r) = (Operand::new(left, whole)?, Operand::new(right, whole)?);
    let mut out = VariantBuilder::with_capacity(rows);
    for row in 0..rows {
        let value = match (l.at(row)?, r.at(row)?) {
            (Some(l), Some(r)) => apply(op, l, r),
            _ => None,
        };
        out.append(value)?;
    }
    let array = out.finish()?;
    Ok(if constant {
        Value::Constant(array)
    } else {
        Value::Rows(array)
    })
}

fn apply(op: BinaryOp, left: Number, right: Number) -> Option<Variant<'static>> {
    if op == BinaryOp::Modulo {
        return modulo(left, right);
    }
    if let (Number::Integer(l), Number::Integer(r)) = (left, right) {
        let exact = match op {
            BinaryOp::Add => l.checked_add(r),
            BinaryOp::Subtract => l.checked_sub(r),
            BinaryOp::Multiply => l.checked_mul(r),
            _ if r == 0 => return None,
            _ => l.checked_div(r),
        };
        if let Some(exact) = exact {
            return Some(Variant::Integer(exact));
        }
    }
    let (l, r) = (left.real(), right.real());
    Variant::real(match op {
        BinaryOp::Add => l + r,
        BinaryOp::Subtract => l - r,
        BinaryOp::Multiply => l * r,
        _ if r == 0.0 => return None,
        _ => l / r,
    })
}

/// The remainder of whole numbers, a real where one of them was.
fn modulo(left: Number, right: Number) -> Option<Variant<'static>> {
    let (l, r) = (left.integer(), right.integer());
    if r == 0 {
        return None;
    }
    let rest = l.wrapping_rem(r);
    Some(match (left, right) {
        (Number::Integer(_), Number::Integer(_)) => Variant::Integer(rest),
        _ => Variant::Real(rest as f64),
    })
}

/// `-x`, which is `0 - x`.
pub(super) fn negate(operand: &Value) -> Result<Value> {
    let mut zero = VariantBuilder::with_capacity(1);
    zero.append(Some(Variant::Integer(0)))?;
    arithmetic(
        BinaryOp::Subtract,
        &Value::Constant(zero.finish()?),
        operand,
    )
}

/// True where an operator over these types is this module's.
pub(super) fn takes(left: SqlType, right: SqlType) -> bool {
    left == SqlType::Variant && right == SqlType::Variant
}

//! Sums of a value and a constant: `sum(x + k)` is `sum(x) + k * count(x)`, so that many of them share one sum.

use super::build::{column, pass, project};
use crate::walk::{NodeKinds, take};
use crate::{Aggregate, LogicalPlan, PlanColumn, Projection, Rule, RuleContext};
use llkv_expr::{AggregateExpr, AggregateFunction, BinaryOp, Expr};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType};

/// The rule.
pub(super) struct SplitSums;

impl Rule for SplitSums {
    fn name(&self) -> &'static str {
        "split_sums"
    }

    fn description(&self) -> &'static str {
        "Several sums of one value and constants become one sum and one count of it."
    }

    fn needs(&self) -> NodeKinds {
        NodeKinds::AGGREGATE
    }

    fn rewrite(&self, plan: &mut LogicalPlan, context: &mut RuleContext<'_>) -> Result<bool> {
        let mut changed = false;
        walk(plan, context, &mut changed);
        Ok(changed)
    }
}

fn walk(plan: &mut LogicalPlan, context: &mut RuleContext<'_>, changed: &mut bool) {
    plan.for_each_input_mut(&mut |input| walk(input, context, changed));
    if let LogicalPlan::Aggregate(n) = plan
        && let Some(projections) = split(n, context)
    {
        let aggregate = take(plan);
        *plan = project(aggregate, projections);
        *changed = true;
    }
}

/// Constants lie within 32 bits: a sum that fits 64 bits with them fits without them too, or would take more rows
/// than a table has.
const MAX_CONSTANT: u64 = 1 << 31;

/// `sum(value + constant)`.
struct Shifted {
    /// A column, or one cast to a wider type.
    value: Expr,
    constant: i64,
}

/// The call taken apart, where `value + constant` cannot leave its type: else a row that does would be an error.
fn shifted(call: &AggregateExpr) -> Option<Shifted> {
    let is_plain = call.function == AggregateFunction::Sum
        && call.ty == SqlType::Int64
        && !call.distinct
        && call.order_by.is_empty();
    let Some(Expr::Binary {
        op,
        left,
        right,
        ty,
    }) = call.args.first().filter(|_| is_plain)
    else {
        return None;
    };
    let (value, constant) = match (op, left.as_literal(), right.as_literal()) {
        (BinaryOp::Add, None, Some(constant)) => (left, integer(constant)?),
        (BinaryOp::Add, Some(constant), None) => (right, integer(constant)?),
        (BinaryOp::Subtract, None, Some(constant)) => (left, integer(constant)?.checked_neg()?),
        _ => return None,
    };
    let Expr::Cast { expr, .. } = value.as_ref() else {
        return None;
    };
    let Expr::Column { ty: narrow, .. } = expr.as_ref() else {
        return None;
    };
    let ((low, high), (least, greatest)) = (range(*narrow)?, range(*ty)?);
    let fits = |end: i64| {
        let moved = end.checked_add(constant);
        moved.is_some_and(|moved| (least..=greatest).contains(&moved))
    };
    (constant.unsigned_abs() <= MAX_CONSTANT && fits(low) && fits(high)).then(|| Shifted {
        value: value.as_ref().clone(),
        constant,
    })
}

fn integer(literal: &Scalar) -> Option<i64> {
    match literal {
        Scalar::Int8(v) => Some(i64::from(*v)),
        Scalar::Int16(v) => Some(i64::from(*v)),
        Scalar::Int32(v) => Some(i64::from(*v)),
        Scalar::Int64(v) => Some(*v),
        _ => None,
    }
}

/// The least and the greatest value of a signed type.
const fn range(ty: SqlType) -> Option<(i64, i64)> {
    match ty {
        SqlType::Int8 => Some((i8::MIN as i64, i8::MAX as i64)),
        SqlType::Int16 => Some((i16::MIN as i64, i16::MAX as i64)),
        SqlType::Int32 => Some((i32::MIN as i64, i32::MAX as i64)),
        SqlType::Int64 => Some((i64::MIN, i64::MAX)),
        _ => None,
    }
}

/// What the calls are made of, and what each of them becomes.
struct Parts {
    aggregates: Vec<(PlanColumn, AggregateExpr)>,
}

impl Parts {
    /// The column of a call, added where it is new.
    fn column(&mut self, call: AggregateExpr, context: &mut RuleContext<'_>) -> PlanColumn {
        let mut known = self.aggregates.iter();
        if let Some((column, _)) = known.find(|(_, other)| *other == call) {
            return column.clone();
        }
        let nullable = call.function != AggregateFunction::Count;
        let column = context.fresh(call.function.name(), call.ty, nullable);
        self.aggregates.push((column.clone(), call));
        column
    }
}

/// Takes apart the calls of which several have one value, and gives the projection that computes them.
fn split(n: &mut Aggregate, context: &mut RuleContext<'_>) -> Option<Vec<Projection>> {
    let found: Vec<Option<Shifted>> = n.aggregates.iter().map(|(_, c)| shifted(c)).collect();
    let is_shared = |at: usize, shifted: &Shifted| {
        let filter = |at: usize| n.aggregates.get(at).and_then(|(_, c)| c.filter.as_ref());
        found.iter().enumerate().any(|(other, of)| {
            let same = of.as_ref().is_some_and(|of| of.value == shifted.value);
            other != at && same && filter(other) == filter(at)
        })
    };
    let shared: Vec<bool> = found
        .iter()
        .enumerate()
        .map(|(at, of)| of.as_ref().is_some_and(|of| is_shared(at, of)))
        .collect();
    if !shared.contains(&true) {
        return None;
    }
    let groups = n.groups.iter().map(|g| g.column.clone());
    let mut projections: Vec<Projection> = groups.map(pass).collect();
    let mut parts = Parts {
        aggregates: Vec::new(),
    };
    let calls = std::mem::take(&mut n.aggregates).into_iter();
    for ((put_out, call), (of, shared)) in calls.zip(found.into_iter().zip(shared)) {
        match of.filter(|_| shared) {
            Some(shifted) => projections.push(Projection {
                expr: put_together(&call, shifted, &mut parts, context),
                column: put_out,
            }),
            None => {
                projections.push(pass(put_out.clone()));
                parts.aggregates.push((put_out, call));
            }
        }
    }
    n.aggregates = parts.aggregates;
    Some(projections)
}

/// `sum(value) + constant * count(value)`; NULL where the sum is, of no value.
fn put_together(
    call: &AggregateExpr,
    shifted: Shifted,
    parts: &mut Parts,
    context: &mut RuleContext<'_>,
) -> Expr {
    let of_value = |function, value| AggregateExpr {
        function,
        args: vec![value],
        ..call.clone()
    };
    let sum = of_value(AggregateFunction::Sum, shifted.value.clone());
    let sum = column(&parts.column(sum, context));
    if shifted.constant == 0 {
        return sum;
    }
    // A column cast to a wider type is NULL where the column is.
    let counted = match shifted.value {
        Expr::Cast { expr, .. } => *expr,
        other => other,
    };
    let count = column(&parts.column(of_value(AggregateFunction::Count, counted), context));
    let constant = Expr::Literal(Scalar::Int64(shifted.constant));
    let moved = Expr::binary(BinaryOp::Multiply, constant, count, SqlType::Int64);
    Expr::binary(BinaryOp::Add, sum, moved, SqlType::Int64)
}

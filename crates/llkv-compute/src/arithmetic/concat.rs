//! `||` over texts and blobs.

use super::unsupported;
use crate::arrays::{blob, text};
use crate::value::Value;
use arrow::array::{ArrayAccessor, BinaryViewBuilder, StringViewBuilder};
use llkv_expr::BinaryOp;
use llkv_result::Result;
use llkv_types::SqlType;
use std::sync::Arc;

/// The rows of two operands side by side: `None` where one is NULL.
fn for_each_pair<A: ArrayAccessor + Copy>(
    left: (A, bool),
    right: (A, bool),
    mut f: impl FnMut(Option<(A::Item, A::Item)>),
) {
    let rows = if left.1 { right.0.len() } else { left.0.len() };
    for row in 0..rows {
        let (l, r) = (if left.1 { 0 } else { row }, if right.1 { 0 } else { row });
        if left.0.is_null(l) || right.0.is_null(r) {
            f(None);
        } else {
            f(Some((left.0.value(l), right.0.value(r))));
        }
    }
}

pub(super) fn concat(left: &Value, right: &Value, ty: SqlType) -> Result<Value> {
    let constant = left.is_constant() && right.is_constant();
    let array: arrow::array::ArrayRef = match ty {
        SqlType::Text => {
            let l = (text(left.array())?, left.is_constant());
            let r = (text(right.array())?, right.is_constant());
            let mut out = StringViewBuilder::new();
            let mut joined = String::new();
            for_each_pair(l, r, |pair| match pair {
                None => out.append_null(),
                Some((l, r)) => {
                    joined.clear();
                    joined.push_str(l);
                    joined.push_str(r);
                    out.append_value(&joined);
                }
            });
            Arc::new(out.finish())
        }
        SqlType::Blob => {
            let l = (blob(left.array())?, left.is_constant());
            let r = (blob(right.array())?, right.is_constant());
            let mut out = BinaryViewBuilder::new();
            for_each_pair(l, r, |pair| match pair {
                None => out.append_null(),
                Some((l, r)) => out.append_value([l, r].concat()),
            });
            Arc::new(out.finish())
        }
        _ => return Err(unsupported(BinaryOp::Concat, ty, ty)),
    };
    Ok(if constant {
        Value::Constant(array)
    } else {
        Value::Rows(array)
    })
}

//! Joins: which side a column comes from, and what of both sides is put out.

use super::{Required, columns_of, compile, picked, positions};
use crate::operators::{JoinOperator, JoinSpec, Operator, OperatorInfo, PairCalls, PairFilter};
use crate::resolve::{Column, Prepared, prepare_all};
use llkv_expr::Expr;
use llkv_plan::{Join, JoinKind};
use llkv_result::{Error, Result};
use std::sync::Arc;

pub(super) fn join(node: &Join, required: Required<'_>) -> Result<Box<dyn Operator>> {
    if node.null_equal.len() != node.on.len() {
        return Err(Error::internal("a join with more or fewer flags than keys"));
    }
    let null_aware = match node.kind {
        JoinKind::NullAwareAnti => true,
        JoinKind::Mark => node.null_aware_mark,
        _ => false,
    };
    if null_aware && node.on.is_empty() {
        return Err(Error::internal("a NULL-aware join without keys"));
    }
    let gives_right = !matches!(
        node.kind,
        JoinKind::Semi
            | JoinKind::Anti
            | JoinKind::NullAwareAnti
            | JoinKind::Mark
            | JoinKind::Group
    );
    let below = required.map(|ids| {
        let mut ids = ids.clone();
        ids.extend(&columns_of(node.on.iter().flat_map(|(l, r)| [l, r])));
        ids.extend(&columns_of(&node.filter));
        ids
    });
    let left = compile(&node.left, below.as_ref())?;
    let right = if gives_right {
        compile(&node.right, below.as_ref())?
    } else {
        let mut ids = columns_of(node.on.iter().map(|(_, r)| r));
        ids.extend(&columns_of(&node.filter));
        ids.extend(&columns_of(values_read(node)));
        compile(&node.right, Some(&ids))?
    };
    let left_output = positions(&left.info().columns, required);
    let right_output = match gives_right {
        true => positions(&right.info().columns, required),
        false => Vec::new(),
    };
    let spec = JoinSpec {
        kind: node.kind,
        left_keys: prepare_all(node.on.iter().map(|(l, _)| l), &left.info().columns)?,
        right_keys: prepare_all(node.on.iter().map(|(_, r)| r), &right.info().columns)?,
        null_equal: node.null_equal.clone(),
        filter: pair_filter(node, left.as_ref(), right.as_ref())?,
        calls: pair_calls(node, right.as_ref())?,
        left_output,
        right_output,
        null_aware,
        left_first: node.left_first,
    };
    let columns = output_columns(node, &spec, left.as_ref(), right.as_ref())?;
    let kind = match (node.on.is_empty(), node.kind, &node.filter) {
        (false, JoinKind::Group, _) => "hash group join",
        (false, ..) => "hash join",
        (true, JoinKind::Inner, None) => "cross join",
        (true, JoinKind::Group, _) => "nested loop group join",
        (true, ..) => "nested loop join",
    };
    Ok(Box::new(JoinOperator {
        info: OperatorInfo::new(kind, columns),
        left,
        right,
        spec: Arc::new(spec),
    }))
}

/// What the values of a group join are computed of.
fn values_read(node: &Join) -> impl Iterator<Item = &Expr> {
    let calls = node.aggregates.iter().map(|(_, call)| call);
    calls.flat_map(|call| call.args.iter().chain(&call.filter))
}

fn pair_calls(node: &Join, right: &dyn Operator) -> Result<Option<PairCalls>> {
    if node.kind != JoinKind::Group {
        return Ok(None);
    }
    let right = &right.info().columns;
    let read = positions(right, Some(&columns_of(values_read(node))));
    let columns = picked(right, &read);
    let calls = node.aggregates.iter().map(|(_, call)| call);
    PairCalls::new(calls, &columns, read).map(Some)
}

fn pair_filter(
    node: &Join,
    left: &dyn Operator,
    right: &dyn Operator,
) -> Result<Option<PairFilter>> {
    let Some(filter) = &node.filter else {
        return Ok(None);
    };
    if let Expr::Literal(llkv_types::Scalar::Boolean(true)) = filter {
        return Ok(None);
    }
    let ids = columns_of([filter]);
    let (left, right) = (&left.info().columns, &right.info().columns);
    let left_positions = positions(left, Some(&ids));
    let right_positions = positions(right, Some(&ids));
    let mut columns = picked(left, &left_positions);
    columns.extend(picked(right, &right_positions));
    Ok(Some(PairFilter {
        predicate: Prepared::new(filter, &columns)?,
        left: left_positions,
        right: right_positions,
    }))
}

fn output_columns(
    node: &Join,
    spec: &JoinSpec,
    left: &dyn Operator,
    right: &dyn Operator,
) -> Result<Vec<Column>> {
    let nullable = |columns: Vec<Column>, made_nullable: bool| {
        columns.into_iter().map(move |column| Column {
            nullable: column.nullable || made_nullable,
            ..column
        })
    };
    let left = picked(&left.info().columns, &spec.left_output);
    let right = picked(&right.info().columns, &spec.right_output);
    let mut columns: Vec<Column> = nullable(left, spec.keeps_right())
        .chain(nullable(right, spec.keeps_left()))
        .collect();
    if node.kind == JoinKind::Mark {
        let mark = node.mark.as_ref().map(Column::from);
        columns.push(mark.ok_or_else(|| Error::internal("a mark join without a mark"))?);
    }
    columns.extend(
        node.aggregates
            .iter()
            .map(|(column, _)| Column::from(column)),
    );
    Ok(columns)
}

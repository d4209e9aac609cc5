//! Windows.

use super::{Required, compile, wanted, with_columns};
use crate::operators::{Operator, OperatorInfo, SieveSpec, WindowOperator, WindowSpec};
use crate::resolve::Column;
use llkv_expr::SortKey;
use llkv_plan::Window;
use llkv_result::Result;
use std::sync::Arc;

pub(super) fn window(node: &Window, required: Required<'_>) -> Result<Box<dyn Operator>> {
    let kept: Vec<_> = node
        .functions
        .iter()
        .filter(|(column, _)| wanted(required, column.id))
        .collect();
    let own = node
        .partition_by
        .iter()
        .chain(node.order_by.iter().map(|key| &key.expr))
        .chain(kept.iter().flat_map(|(_, call)| call.exprs()));
    let below = with_columns(required, own);
    let input = compile(&node.input, below.as_ref())?;
    let mut columns = input.info().columns.clone();
    let partition: Vec<SortKey> = node
        .partition_by
        .iter()
        .map(|expr| SortKey {
            expr: expr.clone(),
            descending: false,
            nulls_first: false,
        })
        .collect();
    let calls: Vec<_> = kept.iter().map(|(_, call)| call.clone()).collect();
    let spec = WindowSpec::new(partition, &node.order_by, &calls, &columns)?;
    let sieve = match node.wanted {
        Some(wanted) => SieveSpec::new(&node.partition_by, &node.order_by, wanted, &columns)?,
        None => None,
    };
    columns.extend(kept.iter().map(|(column, _)| Column::from(column)));
    Ok(Box::new(WindowOperator {
        info: OperatorInfo::new("window", columns),
        input,
        spec: Arc::new(spec),
        sieve,
    }))
}

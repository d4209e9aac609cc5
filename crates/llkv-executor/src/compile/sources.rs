//! Tables, files and constants.

use super::{Required, columns_of, of_plan, picked, positions, wanted};
use crate::batch::Batch;
use crate::operators::{
    ExternalOperator, Filter, Operator, OperatorInfo, ScanOperator, ValuesOperator,
};
use crate::resolve::{Column, Prepared};
use llkv_expr::{ColumnId, Expr};
use llkv_plan::{ExternalScan, PlanColumn, Scan, Values};
use llkv_result::Result;
use llkv_table::lower_predicate;
use llkv_types::FieldId;
use std::sync::Arc;

pub(super) fn scan(node: &Scan, required: Required<'_>) -> Result<Box<dyn Operator>> {
    let field_of = |id: ColumnId| -> Option<FieldId> {
        let found = node.columns.iter().find(|(_, column)| column.id == id);
        found.map(|(field, _)| *field)
    };
    let mut pushed = Vec::new();
    let mut residual = Vec::new();
    let conjuncts = node.predicates.iter().cloned();
    for predicate in conjuncts.flat_map(Expr::into_conjuncts) {
        match lower_predicate(&predicate, &field_of) {
            Some(lowered) => pushed.push(lowered),
            None => residual.push(predicate),
        }
    }
    let residual_ids = columns_of(&residual);
    let read =
        |column: &PlanColumn| wanted(required, column.id) || residual_ids.contains(column.id);
    let (fields, mut columns): (Vec<FieldId>, Vec<Column>) = node
        .columns
        .iter()
        .filter(|(_, column)| read(column))
        .map(|(field, column)| (*field, Column::from(column)))
        .unzip();
    let row_id = node.row_id.as_ref().filter(|column| read(column));
    columns.extend(row_id.map(Column::from));
    let output = positions(&columns, required);
    let filter = if residual.is_empty() {
        None
    } else {
        Some(Arc::new(Filter {
            predicate: Prepared::new(&Expr::and(residual), &columns)?,
            output: output.clone(),
        }))
    };
    Ok(Box::new(ScanOperator {
        info: OperatorInfo::new("scan", picked(&columns, &output)),
        table: node.table,
        fields,
        with_row_id: row_id.is_some(),
        predicates: pushed,
        index: node.index.as_ref().map(|index| index.id),
        residual: filter,
        counters: Arc::default(),
    }))
}

pub(super) fn external(node: &ExternalScan, required: Required<'_>) -> Box<dyn Operator> {
    let (projection, columns) = node
        .columns
        .iter()
        .filter(|(_, column)| wanted(required, column.id))
        .map(|(position, column)| (*position, Column::from(column)))
        .unzip();
    Box::new(ExternalOperator {
        info: OperatorInfo::new("external scan", columns),
        source: Arc::clone(&node.source),
        projection,
    })
}

pub(super) fn values(node: &Values, required: Required<'_>) -> Result<Box<dyn Operator>> {
    let all = of_plan(&node.columns);
    let kept = positions(&all, required);
    let mut batches = Vec::with_capacity(node.batches.len());
    for batch in &node.batches {
        let batch = Batch::from(batch.clone());
        let columns: Result<Vec<_>> = kept.iter().map(|p| batch.column(*p).cloned()).collect();
        batches.push(Batch::new(columns?, batch.rows));
    }
    let columns = picked(&all, &kept);
    Ok(Box::new(ValuesOperator {
        info: OperatorInfo::new("values", columns),
        batches,
    }))
}

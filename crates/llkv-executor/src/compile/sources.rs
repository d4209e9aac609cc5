//! Tables, files and constants.

use super::{Required, columns_of, of_plan, picked, positions, wanted};
use crate::batch::Batch;
use crate::operators::{
    ExternalOperator, Filter, Operator, OperatorInfo, ScanOperator, ValuesOperator,
};
use crate::resolve::{Column, Prepared};
use arrow::array::ArrayRef;
use arrow::buffer::BooleanBuffer;
use llkv_expr::{ColumnId, Expr};
use llkv_plan::{ColumnSet, ExternalScan, PlanColumn, Scan, Values};
use llkv_result::Result;
use llkv_table::{RowFilter, RowTest, lower_predicate, lower_test_of_keys};
use llkv_types::{FieldId, SqlType};
use std::sync::Arc;

pub(super) fn scan(node: &Scan, required: Required<'_>) -> Result<Box<dyn Operator>> {
    let field_of = |id: ColumnId| -> Option<FieldId> {
        let found = node.columns.iter().find(|(_, column)| column.id == id);
        found.map(|(field, _)| *field)
    };
    let mut pushed = Vec::new();
    let mut residual = Vec::new();
    let mut of_keys = Vec::new();
    let conjuncts = node.predicates.iter().cloned();
    for predicate in conjuncts.flat_map(Expr::into_conjuncts) {
        match lower_predicate(&predicate, &field_of) {
            Some(lowered) => pushed.push(lowered),
            None => {
                if node.index.is_some() {
                    of_keys.extend(lower_test_of_keys(&predicate, &field_of));
                }
                residual.push(predicate);
            }
        }
    }
    let residual_ids = columns_of(&residual);
    let test = match pays_to_test_first(node, required, &residual_ids) {
        true => Some(row_filter(
            node,
            std::mem::take(&mut residual),
            &residual_ids,
        )?),
        false => None,
    };
    let read = |column: &PlanColumn| {
        wanted(required, column.id) || (test.is_none() && residual_ids.contains(column.id))
    };
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
        filter: test,
        index: node.index.as_ref().map(|index| index.id),
        of_keys,
        residual: filter,
        counters: Arc::default(),
    }))
}

/// Columns that only rows which pass need, from which on they are read after the test: a text counts as four.
const MIN_LATE_COLUMNS: usize = 8;
/// The same for rows that are to be changed, which are mostly few.
const MIN_LATE_COLUMNS_OF_CHANGES: usize = 4;

/// Whether what remains to be tested is better tested before the other columns are read: these are many.
fn pays_to_test_first(node: &Scan, required: Required<'_>, tested: &ColumnSet) -> bool {
    let reads_row_id = node.row_id.as_ref().is_some_and(|c| tested.contains(c.id));
    if tested.is_empty() || reads_row_id {
        return false;
    }
    let columns = node.columns.iter().map(|(_, column)| column);
    let late = columns.filter(|c| wanted(required, c.id) && !tested.contains(c.id));
    let weight = |column: &PlanColumn| match column.ty {
        SqlType::Text | SqlType::Blob => 4,
        _ => 1,
    };
    late.map(weight).sum::<usize>()
        >= match node.row_id {
            Some(_) => MIN_LATE_COLUMNS_OF_CHANGES,
            None => MIN_LATE_COLUMNS,
        }
}

/// The test of predicates that storage does not know.
fn row_filter(node: &Scan, predicates: Vec<Expr>, reads: &ColumnSet) -> Result<RowFilter> {
    let columns = node.columns.iter();
    let read = columns.filter(|(_, column)| reads.contains(column.id));
    let (fields, columns): (Vec<FieldId>, Vec<Column>) = read
        .map(|(field, column)| (*field, Column::from(column)))
        .unzip();
    let predicate = Prepared::new(&Expr::and(predicates), &columns)?;
    Ok(RowFilter {
        fields,
        test: Arc::new(Residual(predicate)),
    })
}

/// A predicate that a scan evaluates.
#[derive(Debug)]
struct Residual(Prepared);

impl RowTest for Residual {
    fn passing(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<BooleanBuffer> {
        let batch = Batch::new(columns, rows);
        let (passing, _) = self.0.evaluate_predicate(&batch)?.into_parts();
        Ok(passing)
    }
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

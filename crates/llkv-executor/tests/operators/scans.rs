//! Scans of tables: what is pushed into storage, what is evaluated above, what a join adds while running.

use super::harness::{Row, Tuple, col, column, context, displayed, int, text, values};
use arrow::array::RecordBatch;
use llkv_executor::{OperatorStatistics, QueryExecutor, TableProvider};
use llkv_expr::{BinaryOp, Expr};
use llkv_plan::{Join, JoinKind, LogicalPlan, Scan, Values};
use llkv_result::Result;
use llkv_table::TableHandle;
use llkv_types::{Column, FieldId, Scalar, SqlType, TableId, TableSchema};
use std::sync::Arc;

struct OneTable(TableHandle);

impl TableProvider for OneTable {
    fn table(&self, id: TableId) -> Result<TableHandle> {
        assert_eq!(id, TableId(7));
        Ok(self.0.clone())
    }
}

/// Rows (i, "word i").
fn table(rows: i64) -> TableHandle {
    let schema = TableSchema {
        columns: vec![
            Column {
                field: FieldId(3),
                name: "i".into(),
                ty: SqlType::Int64,
                nullable: true,
            },
            Column {
                field: FieldId(5),
                name: "w".into(),
                ty: SqlType::Text,
                nullable: true,
            },
        ],
    };
    let rows: Vec<Tuple> = (0..rows)
        .map(|i| vec![int(i), text(&format!("word {i}"))])
        .collect();
    let columns = vec![column(0, SqlType::Int64), column(1, SqlType::Text)];
    let LogicalPlan::Values(Values { batches, .. }) = values(columns, &rows, 16) else {
        panic!("values are values");
    };
    let arrow = schema.to_arrow();
    let batches = batches
        .into_iter()
        .map(|batch| RecordBatch::try_new(Arc::clone(&arrow), batch.columns().to_vec()).unwrap());
    TableHandle::in_memory(Arc::new(schema), batches.collect())
}

fn scan(predicates: Vec<Expr>) -> LogicalPlan {
    LogicalPlan::Scan(Scan {
        table: TableId(7),
        table_name: "t".into(),
        columns: vec![
            (FieldId(5), column(1, SqlType::Text)),
            (FieldId(3), column(0, SqlType::Int64)),
        ],
        row_id: None,
        predicates,
        index: None,
    })
}

fn run(plan: &LogicalPlan) -> (Vec<Row>, OperatorStatistics) {
    let mut context = context(2, 8);
    context.tables = Arc::new(OneTable(table(100)));
    let mut execution = QueryExecutor::new(context).execute(plan).unwrap();
    let mut rows = Vec::new();
    while let Some(batch) = execution.next_batch().unwrap() {
        for row in 0..batch.num_rows() {
            let columns = batch.columns().iter();
            let value = |c: &arrow::array::ArrayRef| Scalar::from_array(c.as_ref(), row).unwrap();
            rows.push(
                columns
                    .map(|c| super::harness::display(&value(c)))
                    .collect(),
            );
        }
    }
    (rows, execution.statistics().read())
}

fn below(value: i64) -> Expr {
    let i = col(0, SqlType::Int64);
    Expr::compare(BinaryOp::Lt, i, Expr::Literal(int(value)))
}

#[test]
fn pushed_and_evaluated_predicates_together_keep_the_right_rows_in_order() {
    // i < 10 is storage's; i % 3 = 1 is not.
    let modulo = Expr::binary(
        BinaryOp::Modulo,
        col(0, SqlType::Int64),
        Expr::Literal(int(3)),
        SqlType::Int64,
    );
    let third = Expr::compare(BinaryOp::Eq, modulo, Expr::Literal(int(1)));
    let (rows, statistics) = run(&scan(vec![below(10), third]));
    let expected: Vec<Tuple> = [1, 4, 7]
        .map(|i| vec![text(&format!("word {i}")), int(i)])
        .to_vec();
    assert_eq!(rows, displayed(&expected));
    assert_eq!(statistics.rows, 3);
}

#[test]
fn the_keys_of_a_build_side_are_pushed_into_the_probe_side() {
    let keys: Vec<Tuple> = [40, 42, 55].map(|v| vec![int(v)]).to_vec();
    let plan = LogicalPlan::Join(Join {
        left: Box::new(scan(vec![])),
        right: Box::new(values(vec![column(2, SqlType::Int64)], &keys, 10)),
        kind: JoinKind::Semi,
        on: vec![(col(0, SqlType::Int64), col(2, SqlType::Int64))],
        null_equal: vec![false],
        filter: None,
        mark: None,
        null_aware_mark: false,
        aggregates: Vec::new(),
        left_first: false,
    });
    let (rows, statistics) = run(&plan);
    let found: Vec<_> = rows.into_iter().map(|r| r[1].clone()).collect();
    assert_eq!(found, ["40", "42", "55"].map(|v| Some(v.to_string())));
    // Of 100 rows only those left the scan.
    assert_eq!(statistics.inputs[0].rows, 3);
}

#[test]
fn the_keys_of_a_left_side_that_is_read_first_are_pushed_into_the_right_side() {
    let keys: Vec<Tuple> = [Some(40), None, Some(142), Some(55)]
        .map(|v| vec![v.map_or(Scalar::Null(SqlType::Int64), int)])
        .to_vec();
    let plan = |kind| {
        LogicalPlan::Join(Join {
            left: Box::new(values(vec![column(2, SqlType::Int64)], &keys, 2)),
            right: Box::new(scan(vec![])),
            kind,
            on: vec![(col(2, SqlType::Int64), col(0, SqlType::Int64))],
            null_equal: vec![false],
            filter: None,
            mark: None,
            null_aware_mark: false,
            aggregates: Vec::new(),
            left_first: true,
        })
    };
    for (kind, expected) in [
        (JoinKind::Semi, vec![Some("40"), Some("55")]),
        (JoinKind::Anti, vec![None, Some("142")]),
    ] {
        let (rows, statistics) = run(&plan(kind));
        let found: Vec<_> = rows.iter().map(|r| r[0].as_deref()).collect();
        assert_eq!(found, expected);
        assert_eq!(statistics.inputs[1].rows, 2);
        assert_eq!(statistics.rows, 2);
    }
}

#[test]
fn an_empty_build_side_spares_the_probe_side() {
    let plan = LogicalPlan::Join(Join {
        left: Box::new(scan(vec![])),
        right: Box::new(values(vec![column(2, SqlType::Int64)], &[], 10)),
        kind: JoinKind::Inner,
        on: vec![(col(0, SqlType::Int64), col(2, SqlType::Int64))],
        null_equal: vec![false],
        filter: None,
        mark: None,
        null_aware_mark: false,
        aggregates: Vec::new(),
        left_first: false,
    });
    let (rows, statistics) = run(&plan);
    assert!(rows.is_empty());
    assert_eq!(statistics.inputs[0].rows, 0);
}

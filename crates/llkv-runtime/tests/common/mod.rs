//! Statements built by hand over tables of two integer columns, `k` and `v`.

#![allow(dead_code, unreachable_pub)]

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use llkv_expr::{BinaryOp, ColumnId, Expr};
use llkv_plan::{
    CatalogView, ColumnDefinition, ConflictAction, Delete, Filter, Insert, KeyDefinition,
    LogicalPlan, PlanColumn, PlanStatement, Project, Projection, Scan, TableDefinition, TableInfo,
    TableRef, Update, Values,
};
use llkv_result::{Result, StatementResult};
use llkv_runtime::RuntimeSession;
use llkv_types::{FieldId, Scalar, SqlType};
use std::ops::RangeInclusive;
use std::sync::Arc;

pub type Row = (i64, i64);

pub fn name(name: &str) -> TableRef {
    TableRef {
        schema: None,
        name: name.into(),
    }
}

fn column(id: u32, name: &str, ty: SqlType) -> PlanColumn {
    PlanColumn {
        id: ColumnId(id),
        name: name.into(),
        ty,
        nullable: true,
    }
}

fn big(id: u32) -> Expr {
    Expr::column(ColumnId(id), SqlType::Int64)
}

fn literal(value: i64) -> Expr {
    Expr::Literal(Scalar::Int64(value))
}

pub fn create(session: &mut RuntimeSession, table: &str, with_key: bool) -> Result<()> {
    let columns = ["k", "v"].map(|name| ColumnDefinition {
        name: name.into(),
        ty: SqlType::Int64,
        nullable: !(with_key && name == "k"),
        default_sql: None,
        generated: None,
        declared: None,
        collation: llkv_types::Collation::Binary,
    });
    let key = KeyDefinition {
        name: format!("{table}_pkey"),
        primary: true,
        columns: vec![0],
        collations: vec![],
    };
    session.execute(PlanStatement::CreateTable {
        definition: TableDefinition {
            dialect: "llkv".into(),
            foreign_keys: vec![],
            sequences: vec![],
            name: name(table),
            columns: columns.to_vec(),
            keys: if with_key { vec![key] } else { vec![] },
            checks: vec![],
            temporary: false,
        },
        if_not_exists: false,
        or_replace: false,
        source: None,
    })?;
    Ok(())
}

pub fn drop_table(session: &mut RuntimeSession, table: &str) -> Result<()> {
    session.execute(PlanStatement::DropTable {
        names: vec![name(table)],
        if_exists: false,
        cascade: false,
        views: Vec::new(),
    })?;
    Ok(())
}

pub fn info(session: &RuntimeSession, table: &str) -> Result<Arc<TableInfo>> {
    let found = session.catalog_view().table(&name(table))?;
    found.ok_or_else(|| llkv_result::Error::internal(format!("no table {table}")))
}

pub fn insert(session: &mut RuntimeSession, table: &str, rows: &[Row]) -> Result<u64> {
    insert_or(session, table, rows, ConflictAction::Error)
}

pub fn insert_or(
    session: &mut RuntimeSession,
    table: &str,
    rows: &[Row],
    on_conflict: ConflictAction,
) -> Result<u64> {
    let info = info(session, table)?;
    let k: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.0)));
    let v: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.1)));
    let batch = RecordBatch::try_from_iter([("k", k), ("v", v)])?;
    affected(session.execute(PlanStatement::Insert(Insert {
        table: info.id,
        table_name: info.name.clone(),
        source: LogicalPlan::Values(Values {
            columns: vec![
                column(0, "k", SqlType::Int64),
                column(1, "v", SqlType::Int64),
            ],
            batches: vec![batch],
        }),
        checks: vec![],
        on_conflict,
        upsert: None,
        returning: None,
        is_copy: false,
        triggers: None,
        cascades: vec![],
        numbered_key: None,
        generated_with_key: Vec::new(),
    }))?)
}

fn affected(result: StatementResult) -> Result<u64> {
    Ok(result.rows_affected().unwrap_or(0))
}

fn scan(info: &TableInfo, keys: &RangeInclusive<i64>, with_row_id: bool) -> LogicalPlan {
    LogicalPlan::Filter(Filter {
        input: Box::new(LogicalPlan::Scan(Scan {
            table: info.id,
            table_name: info.name.clone(),
            columns: vec![
                (FieldId(0), column(0, "k", SqlType::Int64)),
                (FieldId(1), column(1, "v", SqlType::Int64)),
            ],
            row_id: with_row_id.then(|| column(2, "row_id", SqlType::UInt64)),
            predicates: vec![],
            index: None,
        })),
        predicate: Expr::and([
            Expr::compare(BinaryOp::GtEq, big(0), literal(*keys.start())),
            Expr::compare(BinaryOp::LtEq, big(0), literal(*keys.end())),
        ]),
    })
}

fn project(input: LogicalPlan, columns: Vec<(PlanColumn, Expr)>) -> LogicalPlan {
    let projections = columns.into_iter();
    LogicalPlan::Project(Project {
        input: Box::new(input),
        projections: projections
            .map(|(column, expr)| Projection { column, expr })
            .collect(),
    })
}

fn row_id() -> (PlanColumn, Expr) {
    let column = column(2, "row_id", SqlType::UInt64);
    (column, Expr::column(ColumnId(2), SqlType::UInt64))
}

fn add(left: Expr, by: i64) -> Expr {
    Expr::binary(BinaryOp::Add, left, literal(by), SqlType::Int64)
}

pub fn delete(session: &mut RuntimeSession, table: &str, keys: RangeInclusive<i64>) -> Result<u64> {
    let info = info(session, table)?;
    affected(session.execute(PlanStatement::Delete(Delete {
        table: info.id,
        table_name: info.name.clone(),
        source: project(scan(&info, &keys, true), vec![row_id()]),
        returning: None,
        triggers: None,
        cascades: vec![],
    }))?)
}

/// Adds `to_key` to `k` and `to_value` to `v` of the rows whose key lies in `keys`.
pub fn update(
    session: &mut RuntimeSession,
    table: &str,
    keys: RangeInclusive<i64>,
    (to_key, to_value): (i64, i64),
) -> Result<u64> {
    let info = info(session, table)?;
    let k = (column(3, "k", SqlType::Int64), add(big(0), to_key));
    let v = (column(4, "v", SqlType::Int64), add(big(1), to_value));
    let mut changed = vec![FieldId(1)];
    if to_key != 0 {
        changed.push(FieldId(0));
    }
    affected(session.execute(PlanStatement::Update(Update {
        table: info.id,
        table_name: info.name.clone(),
        source: project(scan(&info, &keys, true), vec![row_id(), k, v]),
        changed,
        checks: vec![],
        on_conflict: ConflictAction::Error,
        returning: None,
        triggers: None,
        cascades: vec![],
    }))?)
}

pub fn query(session: &mut RuntimeSession, table: &str) -> Result<StatementResult> {
    let info = info(session, table)?;
    session.execute(PlanStatement::Query(scan(
        &info,
        &(i64::MIN..=i64::MAX),
        false,
    )))
}

/// All rows, sorted.
pub fn select(session: &mut RuntimeSession, table: &str) -> Result<Vec<Row>> {
    rows_of(query(session, table)?)
}

pub fn rows_of(result: StatementResult) -> Result<Vec<Row>> {
    let StatementResult::Select(stream) = result else {
        return Err(llkv_result::Error::internal("no rows"));
    };
    let mut rows = Vec::new();
    for batch in stream {
        let batch = batch.map_err(llkv_result::Error::from_arrow)?;
        let value =
            |column: usize, row: usize| batch.column(column).as_primitive::<Int64Type>().value(row);
        rows.extend((0..batch.num_rows()).map(|row| (value(0, row), value(1, row))));
    }
    rows.sort_unstable();
    Ok(rows)
}

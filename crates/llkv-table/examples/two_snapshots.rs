//! Two snapshots over one table: what a reader sees does not change while others write.

#![allow(clippy::print_stdout)]

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{Int64Type, UInt64Type};
use llkv_result::Result;
use llkv_storage::MemPager;
use llkv_table::{ColMeta, ColumnStore, KeyMeta, ScanRequest, StoreOptions, Table, TableMeta};
use llkv_transaction::{TransactionSnapshot, TxnIdManager};
use llkv_types::{FieldId, SqlType, TableId};
use std::sync::Arc;

/// `(row id, amount)` of every row that the snapshot sees.
fn amounts(
    store: &ColumnStore,
    table: &Table,
    snapshot: TransactionSnapshot,
) -> Result<Vec<(u64, i64)>> {
    let mut request = ScanRequest::new(vec![FieldId(1)]);
    request.with_row_id = true;
    let scan = table.scan_stream(store, snapshot, &request)?;
    let mut rows = Vec::new();
    for morsel in 0..scan.morsel_count() {
        for batch in scan.read(morsel)? {
            let batch = batch?;
            let amounts = batch.column(0).as_primitive::<Int64Type>();
            let row_ids = batch.column(1).as_primitive::<UInt64Type>();
            rows.extend(
                row_ids
                    .values()
                    .iter()
                    .copied()
                    .zip(amounts.values().iter().copied()),
            );
        }
    }
    Ok(rows)
}

fn payments(ids: &[i64], amounts: &[i64]) -> Result<RecordBatch> {
    let columns: [(&str, ArrayRef); 2] = [
        ("id", Arc::new(Int64Array::from(ids.to_vec()))),
        ("amount", Arc::new(Int64Array::from(amounts.to_vec()))),
    ];
    Ok(RecordBatch::try_from_iter(columns)?)
}

fn main() -> Result<()> {
    let pager = Arc::new(MemPager::new());
    let store = Arc::new(ColumnStore::open(pager, StoreOptions::default())?);
    let transactions = TxnIdManager::new(store.last_commit());
    let column = |field, name: &str| ColMeta {
        field: FieldId(field),
        name: name.into(),
        ty: SqlType::Int64,
        nullable: false,
        default_sql: None,
        generated: None,
        declared: None,
        collation: llkv_types::Collation::Binary,
    };
    let table = Table::create(
        &store,
        &transactions,
        TableMeta {
            id: TableId(1),
            name: "payments".into(),
            columns: vec![column(0, "id"), column(1, "amount")],
            keys: vec![KeyMeta {
                name: "payments_pkey".into(),
                primary: true,
                fields: vec![FieldId(0)],
                index: 0,
                collations: Vec::new(),
            }],
            checks: vec![],
            next_field: 2,
            dialect: "llkv".into(),
            foreign_keys: vec![],
            next_index: 1,
            schema: llkv_table::MAIN_SCHEMA,
        },
    )?;
    table.append(&store, &transactions, payments(&[1, 2], &[100, 250])?)?;

    let before = transactions.begin_transaction();
    let seen = amounts(&store, &table, before.snapshot())?;
    let first_row = seen.first().map_or(0, |(row_id, _)| *row_id);
    table.delete(&store, &transactions, [first_row])?;
    table.append(&store, &transactions, payments(&[3], &[999])?)?;
    let after = transactions.begin_transaction();

    println!("before: {:?}", amounts(&store, &table, before.snapshot())?);
    println!("after:  {:?}", amounts(&store, &table, after.snapshot())?);

    // A key that exists, and a row that is gone: the table says no, and nothing is written.
    let duplicate = table.append(&store, &transactions, payments(&[2], &[1])?);
    println!(
        "{}",
        duplicate.err().map(|e| e.to_string()).unwrap_or_default()
    );
    let gone = table.delete(&store, &transactions, [first_row]);
    println!("{}", gone.err().map(|e| e.to_string()).unwrap_or_default());
    Ok(())
}

//! Appends batches to a table, deletes a row, and scans what two snapshots see: no SQL in sight.
//!
//! `cargo run -p llkv-column-map --example append_and_scan`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use arrow::util::pretty::pretty_format_batches;
use llkv_column_map::{
    ColumnPredicate, ColumnStore, ColumnTest, CommitRecord, ScanSpec, StoreOptions, TableChange,
};
use llkv_result::Result;
use llkv_storage::MemPager;
use llkv_types::{FieldId, Scalar, SqlType, TableId};
use std::ops::Bound;
use std::sync::Arc;

const PLANETS: TableId = TableId(1);
const NAME: FieldId = FieldId(1);
const MOONS: FieldId = FieldId(2);

fn main() -> Result<()> {
    let store = ColumnStore::open(Arc::new(MemPager::new()), StoreOptions::default())?;
    let names = StringViewArray::from(vec!["Earth", "Mars", "Pluto", "Jupiter"]);
    let moons = Int64Array::from(vec![Some(1), Some(2), Some(5), None]);
    let batch = RecordBatch::try_from_iter([
        ("name", Arc::new(names) as ArrayRef),
        ("moons", Arc::new(moons) as ArrayRef),
    ])?;

    // A commit is a list of changes: this one creates the table and fills it.
    store.commit(&CommitRecord {
        commit_id: 2,
        changes: vec![
            TableChange::Create {
                table: PLANETS,
                columns: vec![(NAME, SqlType::Text), (MOONS, SqlType::Int64)],
            },
            TableChange::Append {
                table: PLANETS,
                first_row_id: 0,
                batch,
            },
        ],
    })?;
    store.commit(&CommitRecord {
        commit_id: 3,
        changes: vec![TableChange::Delete {
            table: PLANETS,
            row_ids: vec![2],
        }],
    })?;
    show(&store, "before the delete", 2, Vec::new())?;
    show(&store, "after the delete", 3, Vec::new())?;

    // A checkpoint encodes the rows; what was deleted before every snapshot goes.
    store.checkpoint(3)?;
    let few_moons = ColumnPredicate {
        field: MOONS,
        test: ColumnTest::Range {
            low: Bound::Unbounded,
            high: Bound::Excluded(Scalar::Int64(2)),
        },
    };
    show(&store, "fewer than two moons", 3, vec![few_moons])
}

fn show(
    store: &ColumnStore,
    title: &str,
    snapshot: u64,
    predicates: Vec<ColumnPredicate>,
) -> Result<()> {
    let Some(version) = store.table(PLANETS)? else {
        return Ok(());
    };
    let mut spec = ScanSpec::new(vec![NAME, MOONS], snapshot);
    spec.with_row_id = true;
    spec.predicates = predicates;
    let scan = version.scan(spec)?;
    let batches = scan.stream().collect::<Result<Vec<_>>>()?;
    println!("{title}:\n{}", pretty_format_batches(&batches)?);
    Ok(())
}

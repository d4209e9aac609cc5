//! Columns of text that come as codes of dictionaries.
#![allow(clippy::unwrap_used, unreachable_pub, missing_docs)]

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, UInt32Type};
use llkv_column_map::{
    ColumnPredicate, ColumnStore, ColumnTest, CommitRecord, ScanSpec, StoreOptions, TableChange,
};
use llkv_storage::MemPager;
use llkv_types::{FieldId, Scalar, SqlType, TableId};
use std::ops::Bound;
use std::sync::Arc;

const TABLE: TableId = TableId(5);
const NUMBER: FieldId = FieldId(1);
const TEXT: FieldId = FieldId(2);

/// Three row groups with other words, the second without repetition, then a tail.
fn texts(rows: usize) -> StringViewArray {
    let word = |row: usize| match row / 122_880 {
        1 => format!("the {row}th of its kind, which is alone"),
        group => format!("word {} of {group}", row % (3 + group)),
    };
    let rows = 0..rows;
    rows.map(|row| (row % 11 != 5).then(|| word(row))).collect()
}

#[test]
fn codes_and_plain_texts_are_the_same_rows() {
    let rows = 3 * 122_880 + 777;
    let store = ColumnStore::open(Arc::new(MemPager::new()), StoreOptions::default()).unwrap();
    let commit = |commit_id, change| {
        let changes = vec![change];
        store.commit(&CommitRecord { commit_id, changes }).unwrap();
    };
    let columns = vec![(NUMBER, SqlType::Int64), (TEXT, SqlType::Text)];
    let table = TABLE;
    commit(2, TableChange::Create { table, columns });
    let texts = texts(rows);
    let numbers = Int64Array::from_iter_values(0..rows as i64);
    let columns = [
        ("n", Arc::new(numbers) as ArrayRef, true),
        ("t", Arc::new(texts.clone()) as ArrayRef, true),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    for (id, range) in [(3, 0..3 * 122_880), (4, 3 * 122_880..rows)] {
        let batch = batch.slice(range.start, range.len());
        let first_row_id = store.table(TABLE).unwrap().unwrap().next_row_id();
        commit(
            id,
            TableChange::Append {
                table,
                first_row_id,
                batch,
            },
        );
        if id == 3 {
            store.checkpoint(3).unwrap();
        }
    }
    // All rows, and a tenth of them, which are gathered over the borders of row groups.
    for keep in [1, 10] {
        let mut spec = ScanSpec::new(vec![NUMBER, TEXT], 4);
        spec.coded = vec![TEXT];
        if keep > 1 {
            let kept = (0..rows as i64).step_by(keep);
            spec.predicates = vec![
                ColumnPredicate {
                    field: NUMBER,
                    test: ColumnTest::In(Arc::new(Int64Array::from_iter_values(kept))),
                },
                ColumnPredicate {
                    field: NUMBER,
                    test: ColumnTest::Range {
                        low: Bound::Included(Scalar::Int64(0)),
                        high: Bound::Unbounded,
                    },
                },
            ];
        }
        let (mut seen, mut coded) = (0, 0);
        for batch in store
            .table(TABLE)
            .unwrap()
            .unwrap()
            .scan(spec)
            .unwrap()
            .stream()
        {
            let batch = batch.unwrap();
            assert_eq!(
                batch.schema().field(1).data_type(),
                batch.column(1).data_type()
            );
            let numbers = batch
                .column(0)
                .as_primitive::<arrow::datatypes::Int64Type>();
            let column = match batch.column(1).data_type() {
                DataType::Dictionary(..) => {
                    coded += batch.num_rows();
                    let codes = batch.column(1).as_dictionary::<UInt32Type>();
                    arrow::compute::take(codes.values(), codes.keys(), None).unwrap()
                }
                _ => Arc::clone(batch.column(1)),
            };
            let column = column.as_string_view();
            for (number, text) in numbers.values().iter().zip(column.iter()) {
                let row = *number as usize;
                assert_eq!(
                    text,
                    texts.is_valid(row).then(|| texts.value(row)),
                    "row {row}"
                );
                assert_eq!(row, seen * keep);
                seen += 1;
            }
        }
        assert_eq!(seen, rows.div_ceil(keep));
        // The first and the third row group are dictionaries.
        assert!(
            coded > rows / keep / 2,
            "{coded} rows of {seen} came as codes"
        );
    }
}

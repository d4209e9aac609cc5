//! Scans under a bound that moves while they are read, and under a test of the caller's: the first rows of any order are
//! those of a whole sort.
#![allow(clippy::unwrap_used, unreachable_pub, missing_docs)]

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringViewArray, UInt32Array,
};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{SortColumn, SortOptions, concat_batches, lexsort_to_indices, take};
use arrow::datatypes::{Float64Type, Int64Type, UInt64Type};
use llkv_column_map::{
    ColumnStore, CommitRecord, LiveBound, LiveColumn, RowFilter, RowTest, ScanCounters, ScanSpec,
    StoreOptions, TableChange, TableVersion,
};
use llkv_result::Result;
use llkv_storage::MemPager;
use llkv_types::{FieldId, Scalar, SqlType, TableId};
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const TABLE: TableId = TableId(7);
const INTEGER: FieldId = FieldId(1);
const FLOAT: FieldId = FieldId(2);
const TEXT: FieldId = FieldId(3);
const FIELDS: [FieldId; 3] = [INTEGER, FLOAT, TEXT];

/// How the values of a part of the table go.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Ascending,
    Descending,
    Scattered,
    AllEqual,
}

#[derive(Debug, Clone)]
struct Part {
    rows: usize,
    shape: Shape,
    /// Every so many rows are NULL; none for 0.
    nulls: usize,
    /// The part is sealed, not left in the tail.
    sealed: bool,
}

fn part() -> impl Strategy<Value = Part> {
    let shapes = [
        Shape::Ascending,
        Shape::Descending,
        Shape::Scattered,
        Shape::AllEqual,
    ];
    let nulls = prop::sample::select(vec![0, 0, 7, 5_000]);
    (
        1..20_000_usize,
        prop::sample::select(shapes.to_vec()),
        nulls,
        any::<bool>(),
    )
        .prop_map(|(rows, shape, nulls, sealed)| Part {
            rows,
            shape,
            nulls,
            sealed,
        })
}

fn batch(part: &Part, first: usize) -> RecordBatch {
    let number = |row: usize| match part.shape {
        Shape::Ascending => row as i64 / 3,
        Shape::Descending => -(row as i64 / 3),
        Shape::Scattered => ((row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50) as i64 - 8_000,
        Shape::AllEqual => 0,
    };
    let value = |row: usize| {
        let is_null = part.nulls > 0 && row % part.nulls == part.nulls / 2;
        (!is_null).then(|| number(first + row))
    };
    let float = |n: i64| match n {
        0 => -0.0,
        1 => 0.0,
        2 => f64::NAN,
        3 => f64::NEG_INFINITY,
        n => n as f64 / 4.0,
    };
    let integers: Int64Array = (0..part.rows).map(value).collect();
    let floats: Float64Array = (0..part.rows).map(|row| value(row).map(float)).collect();
    let texts = (0..part.rows).map(|row| value(row).map(|n| format!("{:08}", n + 50_000)));
    let texts: StringViewArray = texts.collect();
    RecordBatch::try_from_iter_with_nullable([
        ("i", Arc::new(integers) as ArrayRef, true),
        ("f", Arc::new(floats) as ArrayRef, true),
        ("t", Arc::new(texts) as ArrayRef, true),
    ])
    .unwrap()
}

fn table(parts: &[Part]) -> Arc<TableVersion> {
    let store = ColumnStore::open(Arc::new(MemPager::new()), StoreOptions::default()).unwrap();
    let mut commit_id = 2;
    let mut commit = |change| {
        let changes = vec![change];
        store.commit(&CommitRecord { commit_id, changes }).unwrap();
        commit_id += 1;
        commit_id - 1
    };
    let columns = vec![
        (INTEGER, SqlType::Int64),
        (FLOAT, SqlType::Float64),
        (TEXT, SqlType::Text),
    ];
    commit(TableChange::Create {
        table: TABLE,
        columns,
    });
    let mut first = 0;
    for part in parts {
        let committed = commit(TableChange::Append {
            table: TABLE,
            first_row_id: first as u64,
            batch: batch(part, first),
        });
        first += part.rows;
        // A few of the best rows of each order are gone.
        commit(TableChange::Delete {
            table: TABLE,
            row_ids: vec![first as u64 - 1],
        });
        if part.sealed {
            store.checkpoint(committed).unwrap();
        }
    }
    store.table(TABLE).unwrap().unwrap()
}

/// Lets rows with an integer that is even or NULL through.
#[derive(Debug)]
struct Even;

impl RowTest for Even {
    fn passing(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<BooleanBuffer> {
        let numbers = columns[0].as_primitive::<Int64Type>();
        assert_eq!(numbers.len(), rows);
        Ok(BooleanBuffer::collect_bool(rows, |row| {
            numbers.is_null(row) || numbers.value(row) % 2 == 0
        }))
    }
}

fn filter() -> RowFilter {
    RowFilter {
        fields: vec![INTEGER],
        test: Arc::new(Even),
    }
}

/// One zero, so that Arrow's order is that of SQL.
fn key(column: &ArrayRef) -> ArrayRef {
    match column.as_primitive_opt::<Float64Type>() {
        Some(floats) => Arc::new(floats.unary::<_, Float64Type>(|v| v + 0.0)),
        None => Arc::clone(column),
    }
}

/// The first rows by a column and then by row id: their ids, and the last of them.
fn first_rows(rows: &RecordBatch, at: usize, options: SortOptions, k: usize) -> (Vec<u64>, usize) {
    let columns = [
        SortColumn {
            values: key(rows.column(at)),
            options: Some(options),
        },
        SortColumn {
            values: Arc::clone(rows.columns().last().unwrap()),
            options: None,
        },
    ];
    let order: UInt32Array = lexsort_to_indices(&columns, Some(k)).unwrap();
    let ids = take(rows.columns().last().unwrap(), &order, None).unwrap();
    let last = order.values().last().map_or(0, |row| *row as usize);
    (ids.as_primitive::<UInt64Type>().values().to_vec(), last)
}

fn spec(filtered: bool) -> ScanSpec {
    let mut spec = ScanSpec::new(FIELDS.to_vec(), u64::MAX - 1);
    spec.with_row_id = true;
    spec.filter = filtered.then(filter);
    spec
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_first_rows_are_those_of_a_whole_sort(
        parts in prop::collection::vec(part(), 1..5),
        k in prop::sample::select(vec![1_usize, 3, 40]),
        filtered in any::<bool>(),
    ) {
        let version = table(&parts);
        let all: Vec<RecordBatch> =
            version.scan(spec(false)).unwrap().stream().collect::<Result<_>>().unwrap();
        let schema = version.scan(spec(false)).unwrap().schema();
        let all = concat_batches(&schema, &all).unwrap();
        let expected_rows = match filtered {
            false => all,
            true => {
                let passing = Even.passing(vec![Arc::clone(all.column(0))], all.num_rows()).unwrap();
                arrow::compute::filter_record_batch(&all, &passing.into()).unwrap()
            }
        };
        for (at, field) in FIELDS.into_iter().enumerate() {
            for order in 0..4 {
                let options = SortOptions { descending: order % 2 == 1, nulls_first: order / 2 == 1 };
                let bound = Arc::new(LiveBound::new(options.descending, options.nulls_first));
                let mut live = spec(filtered);
                live.live = Some(LiveColumn { field, bound: Arc::clone(&bound) });
                let scan = version.scan(live).unwrap();
                let mut best = RecordBatch::new_empty(scan.schema());
                for morsel in scan.best_first().unwrap() {
                    for batch in scan.read(morsel).unwrap() {
                        best = concat_batches(&scan.schema(), [&best, &batch.unwrap()]).unwrap();
                        let (ids, last) = first_rows(&best, at, options, k);
                        if ids.len() == k {
                            bound.tighten(&Scalar::from_array(best.column(at).as_ref(), last).unwrap());
                        }
                    }
                }
                prop_assert_eq!(
                    first_rows(&best, at, options, k).0,
                    first_rows(&expected_rows, at, options, k).0,
                    "{:?} {:?}", field, options
                );
            }
        }
    }
}

/// With values in the order of the rows, what is best first leaves nothing but one group to read.
#[test]
fn groups_beyond_the_bound_are_not_read() {
    let sealed = Part {
        rows: 122_880,
        shape: Shape::Ascending,
        nulls: 0,
        sealed: true,
    };
    let version = table(&vec![sealed; 5]);
    let bound = Arc::new(LiveBound::new(true, true));
    let counters = Arc::new(ScanCounters::default());
    let mut live = spec(false);
    live.counters = Some(Arc::clone(&counters));
    live.live = Some(LiveColumn {
        field: INTEGER,
        bound: Arc::clone(&bound),
    });
    let scan = version.scan(live).unwrap();
    let order = scan.best_first().unwrap();
    assert!(
        order.len() > 2 && order.is_sorted_by(|a, b| a > b),
        "{order:?}"
    );
    for morsel in order {
        for batch in scan.read(morsel).unwrap() {
            let batch = batch.unwrap();
            let value = Scalar::from_array(batch.column(0).as_ref(), batch.num_rows() - 1);
            bound.tighten(&value.unwrap());
        }
    }
    assert_eq!(counters.row_groups_read.load(Ordering::Relaxed), 1);
}

/// Two row groups and a tail are nine pieces, of which each row comes once and in order, and each column's bytes count once.
#[test]
fn few_row_groups_are_read_in_pieces() {
    let part = |rows, sealed| Part {
        rows,
        shape: Shape::Ascending,
        nulls: 0,
        sealed,
    };
    let version = table(&[part(122_880, true), part(122_880, true), part(5_000, false)]);
    let counters = Arc::new(ScanCounters::default());
    let mut spec = spec(false);
    spec.counters = Some(Arc::clone(&counters));
    let scan = version.scan(spec.clone()).unwrap();
    assert_eq!(scan.morsel_count(), 9);
    let batches: Vec<RecordBatch> = scan.stream().map(Result::unwrap).collect();
    let ids = batches.iter().flat_map(|batch| {
        let ids = batch.column(batch.num_columns() - 1);
        ids.as_primitive::<UInt64Type>().values().to_vec()
    });
    let ids: Vec<u64> = ids.collect();
    // A row of each part is deleted.
    assert_eq!(ids.len(), 250_757);
    assert!(ids.is_sorted_by(|a, b| a < b));
    assert_eq!(counters.row_groups_read.load(Ordering::Relaxed), 3);
    let bytes = |parts: &[Part]| {
        let counters = Arc::new(ScanCounters::default());
        let mut spec = spec.clone();
        spec.counters = Some(Arc::clone(&counters));
        let scan = table(parts).scan(spec).unwrap();
        scan.stream().for_each(|batch| drop(batch.unwrap()));
        counters.bytes_read.load(Ordering::Relaxed)
    };
    let one = bytes(&[part(122_880, true)]);
    let two = bytes(&[part(122_880, true), part(122_880, true)]);
    // The numbers of the second group differ, and shares are rounded down.
    assert!((2 * one).abs_diff(two) < one / 100, "{one} and {two}");
}

//! Random appends, deletes, checkpoints and reopenings against a table that is a list of rows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    missing_docs
)]

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::{Int64Type, UInt64Type};
use llkv_column_map::{
    ColumnPredicate, ColumnStore, ColumnTest, CommitRecord, IndexAccess, IndexDefinition,
    KeyEncoder, KeyRange, Lifetime, ScanSpec, StoreOptions, TableChange, TableVersion,
};
use llkv_storage::{BoxedPager, MemPager};
use llkv_types::{
    CancelToken, FieldId, Horizon, IndexId, RowId, Scalar, SqlType, TXN_ID_NONE, TableId, TxnId,
};
use proptest::prelude::*;
use roaring::RoaringTreemap;
use std::ops::Bound;
use std::sync::Arc;

const TABLE: TableId = TableId(7);
const LAYOUT: [(FieldId, SqlType); 2] = [(FieldId(1), SqlType::Int64), (FieldId(2), SqlType::Text)];

#[derive(Debug, Clone)]
struct Row {
    row_id: RowId,
    number: Option<i64>,
    text: Option<String>,
    created_by: TxnId,
    deleted_by: TxnId,
}

impl Row {
    fn visible(&self, snapshot: TxnId) -> bool {
        self.created_by <= snapshot && snapshot < self.deleted_by
    }
}

#[derive(Debug, Clone)]
enum Step {
    Append(u32, u64),
    Stage(u32, u64),
    Delete(Vec<prop::sample::Index>),
    DeleteRange(prop::sample::Index, u32),
    Checkpoint(u64),
    Vacuum,
    /// Somebody begins to look at what is committed now, and somebody ends.
    Begin,
    End(prop::sample::Index),
    Reopen,
    CreateIndex(bool),
    DropIndex(bool),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1u32..40, any::<u64>()).prop_map(|(n, s)| Step::Append(n, s)),
        1 => (1u32..9_000, any::<u64>()).prop_map(|(n, s)| Step::Append(n, s)),
        1 => (1u32..20_000, any::<u64>()).prop_map(|(n, s)| Step::Stage(n, s)),
        4 => prop::collection::vec(any::<prop::sample::Index>(), 1..20).prop_map(Step::Delete),
        2 => (any::<prop::sample::Index>(), 1u32..5_000).prop_map(|(i, n)| Step::DeleteRange(i, n)),
        2 => (0u64..6).prop_map(Step::Checkpoint),
        1 => Just(Step::Vacuum),
        2 => Just(Step::Begin),
        1 => any::<prop::sample::Index>().prop_map(Step::End),
        1 => Just(Step::Reopen),
        1 => any::<bool>().prop_map(Step::CreateIndex),
        1 => prop::bool::weighted(0.5).prop_map(Step::DropIndex),
    ]
}

struct Model {
    pager: BoxedPager,
    store: ColumnStore,
    rows: Vec<Row>,
    commit_id: TxnId,
    /// No snapshot below it is looked at any more, but for those of `live`.
    bound: TxnId,
    live: Vec<TxnId>,
    /// Indexes of the number, and of the text and the number.
    indexes: [Option<IndexId>; 2],
    next_index: u32,
}

fn value(seed: u64, n: u64) -> (Option<i64>, Option<String>) {
    let x = seed.wrapping_add(n).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
    let number = (!x.is_multiple_of(11)).then_some((x % 5_000) as i64 - 2_000);
    let text = match x % 4 {
        0 => None,
        1 => Some(format!("{}", x % 7)),
        _ => Some(format!("a text of some length: {x}")),
    };
    (number, text)
}

impl Model {
    fn new() -> Self {
        let pager: BoxedPager = Arc::new(MemPager::new());
        let store = ColumnStore::open(Arc::clone(&pager), StoreOptions::default()).unwrap();
        let mut model = Self {
            pager,
            store,
            rows: Vec::new(),
            commit_id: 1,
            bound: 1,
            live: Vec::new(),
            indexes: [None; 2],
            next_index: 0,
        };
        model.commit(TableChange::Create {
            table: TABLE,
            columns: LAYOUT.to_vec(),
        });
        model
    }

    fn commit(&mut self, change: TableChange) {
        self.commit_id += 1;
        let record = CommitRecord {
            commit_id: self.commit_id,
            changes: vec![change],
        };
        self.store.commit(&record).unwrap();
    }

    fn new_rows(&mut self, count: u32, seed: u64) -> (RowId, RecordBatch) {
        let first = self.store.table(TABLE).unwrap().unwrap().next_row_id();
        let values: Vec<_> = (0..u64::from(count)).map(|n| value(seed, n)).collect();
        let numbers: Int64Array = values.iter().map(|v| v.0).collect();
        let texts: StringViewArray = values.iter().map(|v| v.1.clone()).collect();
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("a", Arc::new(numbers) as ArrayRef, true),
            ("b", Arc::new(texts) as ArrayRef, true),
        ])
        .unwrap();
        for (n, (number, text)) in values.into_iter().enumerate() {
            self.rows.push(Row {
                row_id: first + n as u64,
                number,
                text,
                created_by: self.commit_id + 1,
                deleted_by: TXN_ID_NONE,
            });
        }
        (first, batch)
    }

    fn delete(&mut self, mut at: Vec<usize>) {
        at.sort_unstable();
        at.dedup();
        at.retain(|i| self.rows[*i].deleted_by == TXN_ID_NONE);
        if at.is_empty() {
            return;
        }
        let row_ids = at.iter().map(|i| self.rows[*i].row_id);
        self.commit(match at.len() % 2 {
            0 => TableChange::DeleteSet {
                table: TABLE,
                rows: Arc::new(row_ids.collect()),
            },
            _ => TableChange::Delete {
                table: TABLE,
                row_ids: row_ids.collect(),
            },
        });
        for i in at {
            self.rows[i].deleted_by = self.commit_id;
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Append(count, seed) => {
                let (first_row_id, batch) = self.new_rows(*count, *seed);
                self.commit(TableChange::Append {
                    table: TABLE,
                    first_row_id,
                    batch,
                });
            }
            Step::Stage(count, seed) => {
                let (first_row_id, batch) = self.new_rows(*count, *seed);
                let group = self
                    .store
                    .stage_row_group(&LAYOUT, &[batch], Lifetime::Lasting)
                    .unwrap();
                self.commit(TableChange::AppendStaged {
                    table: TABLE,
                    first_row_id,
                    groups: vec![group],
                });
            }
            Step::Delete(indices) if !self.rows.is_empty() => {
                let at = indices.iter().map(|i| i.index(self.rows.len())).collect();
                self.delete(at);
            }
            Step::DeleteRange(index, count) if !self.rows.is_empty() => {
                let from = index.index(self.rows.len());
                let to = (from + *count as usize).min(self.rows.len());
                self.delete((from..to).collect());
            }
            Step::Delete(_) | Step::DeleteRange(..) => {}
            Step::Checkpoint(back) => {
                self.bound = self.bound.max(self.commit_id.saturating_sub(*back));
                match back % 2 {
                    0 => self.store.checkpoint(self.horizon()).unwrap(),
                    _ => self
                        .store
                        .tidy(self.horizon(), &CancelToken::new())
                        .unwrap(),
                }
                assert_eq!(
                    self.store.verify(&CancelToken::new()).unwrap(),
                    Vec::<String>::new()
                );
            }
            Step::Vacuum => {
                self.store
                    .vacuum(self.horizon(), &CancelToken::new())
                    .unwrap();
                assert_eq!(
                    self.store.verify(&CancelToken::new()).unwrap(),
                    Vec::<String>::new()
                );
                self.check_collected();
            }
            Step::Begin => self.live.push(self.commit_id.max(self.bound)),
            Step::End(at) => {
                if !self.live.is_empty() {
                    self.live.swap_remove(at.index(self.live.len()));
                }
            }
            Step::CreateIndex(both) => {
                if self.indexes[usize::from(*both)].is_none() {
                    let id = IndexId(self.next_index);
                    self.next_index += 1;
                    self.indexes[usize::from(*both)] = Some(id);
                    let fields = [vec![FieldId(1)], vec![FieldId(2), FieldId(1)]];
                    self.commit(TableChange::CreateIndex {
                        table: TABLE,
                        index: IndexDefinition {
                            collations: Vec::new(),
                            id,
                            fields: fields[usize::from(*both)].clone(),
                        },
                    });
                }
            }
            Step::DropIndex(both) => {
                if let Some(index) = self.indexes[usize::from(*both)].take() {
                    self.commit(TableChange::DropIndex {
                        table: TABLE,
                        index,
                    });
                }
            }
            Step::Reopen => {
                self.live.clear();
                let pager = Arc::clone(&self.pager);
                self.store = ColumnStore::open(pager, StoreOptions::default()).unwrap();
                assert_eq!(self.store.last_commit(), self.commit_id);
            }
        }
    }

    fn horizon(&self) -> Horizon {
        Horizon::new(self.live.iter().copied(), self.bound)
    }

    /// Rows that no snapshot sees are gone, and all others are there.
    fn check_collected(&self) {
        let version = self.store.table(TABLE).unwrap().unwrap();
        let ids: Vec<RowId> = self.rows.iter().map(|row| row.row_id).collect();
        for (row, found) in self.rows.iter().zip(version.deleted_by(&ids)) {
            let mut snapshots = self.live.iter().copied().chain(self.bound..=self.commit_id);
            let is_seen = row.deleted_by > self.commit_id || snapshots.any(|s| row.visible(s));
            assert_eq!(found != 0, is_seen, "{row:?} at {:?}", self.horizon());
        }
    }

    /// Compares scans, with and without predicates, and single rows.
    fn check(&self, seed: u64) {
        let version = self.store.table(TABLE).unwrap().unwrap();
        let before = self.commit_id.max(self.bound + 1) - 1;
        let new = [self.bound, before, self.commit_id].map(|id| id.max(self.bound));
        for snapshot in self.live.iter().copied().chain(new) {
            let low = (seed % 3_000) as i64 - 2_000;
            self.scan(&version, snapshot, Vec::new(), |_| true);
            let number = |low, high| ColumnPredicate {
                field: FieldId(1),
                test: ColumnTest::Range {
                    low: Bound::Included(Scalar::Int64(low)),
                    high: Bound::Excluded(Scalar::Int64(high)),
                },
            };
            let between = |row: &Row, by: i64| row.number.is_some_and(|n| n >= low && n < low + by);
            self.scan(&version, snapshot, vec![number(low, low + 50)], |row| {
                between(row, 50)
            });
            let text = ColumnPredicate {
                field: FieldId(2),
                test: ColumnTest::Range {
                    low: Bound::Unbounded,
                    high: Bound::Included(Scalar::Text("a".into())),
                },
            };
            self.scan(
                &version,
                snapshot,
                vec![number(low, low + 900), text],
                |row| between(row, 900) && row.text.as_deref().is_some_and(|t| t <= "a"),
            );
            let null = ColumnPredicate {
                field: FieldId(2),
                test: ColumnTest::IsNull,
            };
            self.scan(&version, snapshot, vec![null], |row| row.text.is_none());
        }
        self.gather(&version, seed);
        let new = [self.bound, self.commit_id.max(self.bound)];
        for snapshot in self.live.iter().copied().chain(new) {
            self.check_indexes(&version, snapshot, seed);
        }
    }

    /// What is found by an index is what a scan finds.
    fn check_indexes(&self, version: &Arc<TableVersion>, snapshot: TxnId, seed: u64) {
        let (number, text) = value(seed, 3);
        let null = ColumnPredicate {
            field: FieldId(1),
            test: ColumnTest::IsNull,
        };
        let same = |field, value: Scalar| ColumnPredicate {
            field,
            test: ColumnTest::Range {
                low: Bound::Included(value.clone()),
                high: Bound::Included(value),
            },
        };
        let encode = |types: &[SqlType], columns: &[ArrayRef]| -> Vec<Box<[u8]>> {
            let encoder = KeyEncoder::new(types.iter().copied()).unwrap();
            let keys = encoder.encode(columns).unwrap();
            let mut keys: Vec<Box<[u8]>> = keys.iter().map(|key| key.data().into()).collect();
            keys.sort();
            keys.dedup();
            keys
        };
        if let Some(index) = self.indexes[0] {
            let low = number.unwrap_or(7);
            let keys = |numbers: Vec<Option<i64>>| {
                encode(&[SqlType::Int64], &[Arc::new(Int64Array::from(numbers))])
            };
            let access = |ranges, whole_keys| IndexAccess {
                index,
                ranges,
                whole_keys,
            };
            let points = keys(vec![None])
                .iter()
                .map(|k| KeyRange::with_prefix(k))
                .collect();
            self.scan_index(
                version,
                snapshot,
                vec![null],
                &access(points, true),
                |row| row.number.is_none(),
            );
            let list = vec![Some(low), Some(low + 1), Some(low - 400)];
            let points = keys(list.clone())
                .iter()
                .map(|k| KeyRange::with_prefix(k))
                .collect();
            let predicate = ColumnPredicate {
                field: FieldId(1),
                test: ColumnTest::In(Arc::new(Int64Array::from(list.clone()))),
            };
            self.scan_index(
                version,
                snapshot,
                vec![predicate],
                &access(points, true),
                |row| row.number.is_some() && list.contains(&row.number),
            );
            let range = KeyRange {
                low: keys(vec![Some(low)]).remove(0),
                high: Some(keys(vec![Some(low + 100)]).remove(0)),
            };
            let predicate = ColumnPredicate {
                field: FieldId(1),
                test: ColumnTest::Range {
                    low: Bound::Included(Scalar::Int64(low)),
                    high: Bound::Excluded(Scalar::Int64(low + 100)),
                },
            };
            self.scan_index(
                version,
                snapshot,
                vec![predicate],
                &access(vec![range], false),
                |row| row.number.is_some_and(|n| n >= low && n < low + 100),
            );
        }
        if let Some(index) = self.indexes[1] {
            let text = text.unwrap_or_else(|| "3".into());
            let prefix = encode(
                &[SqlType::Text],
                &[Arc::new(StringViewArray::from(vec![text.as_str()]))],
            );
            let access = IndexAccess {
                index,
                ranges: prefix.iter().map(|k| KeyRange::with_prefix(k)).collect(),
                whole_keys: false,
            };
            let predicate = same(FieldId(2), Scalar::Text(text.clone().into()));
            self.scan_index(version, snapshot, vec![predicate], &access, |row| {
                row.text.as_deref() == Some(&text)
            });
        }
    }

    fn scan_index(
        &self,
        version: &Arc<TableVersion>,
        snapshot: TxnId,
        predicates: Vec<ColumnPredicate>,
        access: &IndexAccess,
        passes: impl Fn(&Row) -> bool,
    ) {
        let mut spec = ScanSpec::new(vec![FieldId(2)], snapshot);
        spec.with_row_id = true;
        spec.predicates = predicates;
        let scan = version
            .scan_index(&spec, access)
            .unwrap()
            .expect("an index");
        let mut found: Vec<RowId> = Vec::new();
        for morsel in 0..scan.morsel_count() {
            for batch in scan.read(morsel).unwrap() {
                let batch = batch.unwrap();
                assert!(batch.num_rows() > 0);
                found.extend(batch.column(1).as_primitive::<UInt64Type>().values());
            }
        }
        let rows = self.rows.iter();
        let expected = rows.filter(|row| row.visible(snapshot) && passes(row));
        let expected: Vec<RowId> = expected.map(|row| row.row_id).collect();
        assert_eq!(found, expected);
    }

    fn scan(
        &self,
        version: &Arc<llkv_column_map::TableVersion>,
        snapshot: TxnId,
        predicates: Vec<ColumnPredicate>,
        passes: impl Fn(&Row) -> bool,
    ) {
        let mut spec = ScanSpec::new(vec![FieldId(2), FieldId(1)], snapshot);
        spec.with_row_id = true;
        spec.predicates = predicates;
        spec.batch_rows = 1_000 + snapshot as usize % 10_000;
        let limit = spec.batch_rows;
        let scan = version.scan(spec).unwrap();
        let mut expected = self
            .rows
            .iter()
            .filter(|row| row.visible(snapshot) && passes(row));
        for batch in scan.stream() {
            let batch = batch.unwrap();
            assert!(batch.num_rows() > 0 && batch.num_rows() <= limit);
            let texts = batch.column(0).as_string_view();
            let numbers = batch.column(1).as_primitive::<Int64Type>();
            let ids = batch.column(2).as_primitive::<UInt64Type>();
            for at in 0..batch.num_rows() {
                let row = expected.next().expect("a row too many");
                assert_eq!(ids.value(at), row.row_id);
                let number = numbers.is_valid(at).then(|| numbers.value(at));
                assert_eq!(number, row.number);
                let text = texts.is_valid(at).then(|| texts.value(at));
                assert_eq!(text, row.text.as_deref());
            }
        }
        assert!(expected.next().is_none(), "rows are missing");
    }

    fn gather(&self, version: &llkv_column_map::TableVersion, seed: u64) {
        let alive: Vec<&Row> = self
            .rows
            .iter()
            .filter(|row| row.deleted_by == TXN_ID_NONE)
            .collect();
        if alive.is_empty() {
            return;
        }
        let set: RoaringTreemap = alive.iter().map(|row| row.row_id).collect();
        assert!(version.are_alive(&set));
        let step = 1 + seed as usize % 7;
        let some: RoaringTreemap = set.iter().step_by(step).collect();
        assert!(version.are_alive(&some));
        let mut dead = self.rows.iter().filter(|row| row.deleted_by != TXN_ID_NONE);
        if let Some(dead) = dead.nth(seed as usize % (self.rows.len() - alive.len()).max(1)) {
            let with_dead = |mut set: RoaringTreemap| {
                set.insert(dead.row_id);
                set
            };
            assert!(!version.are_alive(&with_dead(set)));
            assert!(!version.are_alive(&with_dead(some)));
            assert!(!version.are_alive(&RoaringTreemap::from_iter([dead.row_id])));
        }
        assert!(!version.are_alive(&RoaringTreemap::from_iter([version.next_row_id()])));
        let rows: Vec<&Row> = (0..30)
            .map(|n| alive[(value(seed, n).0.unwrap_or(0) + 2_000) as usize % alive.len()])
            .collect();
        let ids: Vec<RowId> = rows.iter().map(|row| row.row_id).collect();
        assert_eq!(version.deleted_by(&ids), vec![TXN_ID_NONE; ids.len()]);
        let batch = version.gather(&ids, &[FieldId(1), FieldId(2)]).unwrap();
        let numbers = batch.column(0).as_primitive::<Int64Type>();
        let texts = batch.column(1).as_string_view();
        for (at, row) in rows.iter().enumerate() {
            assert_eq!(numbers.is_valid(at).then(|| numbers.value(at)), row.number);
            let text = texts.is_valid(at).then(|| texts.value(at));
            assert_eq!(text, row.text.as_deref());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_store_answers_like_a_list_of_rows(
        steps in prop::collection::vec(steps(), 1..40),
        seed in any::<u64>(),
    ) {
        let mut model = Model::new();
        for (n, step) in steps.iter().enumerate() {
            model.step(step);
            if n % 5 == 4 {
                model.check(seed.wrapping_add(n as u64));
            }
        }
        model.check(seed);
        model.step(&Step::Reopen);
        model.check(seed);
        model.step(&Step::Checkpoint(0));
        model.check(seed);
        model.step(&Step::Reopen);
        model.check(seed);
    }
}

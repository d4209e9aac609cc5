//! What is over the memory budget: the answers stay, memory and files are bounded, failures leave nothing behind.

use super::harness::{
    Row, Tuple, assert_nothing_is_left, col, column, context, int, run_in, sorted, text, values,
};
use llkv_executor::{
    CancelToken, ExecutionContext, LocalDisk, MemoryBudget, QueryExecutor, SpillDisk, SpillSpace,
    SpillStorage,
};
use llkv_expr::{AggregateExpr, AggregateFunction, BinaryOp, Expr, SortKey};
use llkv_plan::{
    Aggregate, Distinct, Join, JoinKind, Limit, LogicalPlan, Projection, SetOp, SetOpKind, Shared,
    Sort,
};
use llkv_result::{Error, ExecError};
use llkv_types::SqlType;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Rows of a key that occurs four times, a number, and a text.
fn rows(first: u32, count: i64) -> LogicalPlan {
    let rows: Vec<Tuple> = (0..count)
        .map(|i| {
            let key = i * 7_919 % (count / 4);
            vec![
                int(key * 1_000_003),
                int(i),
                text(&format!("the text of row {i}")),
            ]
        })
        .collect();
    let columns = vec![
        column(first, SqlType::Int64),
        column(first + 1, SqlType::Int64),
        column(first + 2, SqlType::Text),
    ];
    values(columns, &rows, 1_000)
}

fn sort(input: LogicalPlan, fetch: Option<u64>) -> LogicalPlan {
    let key = |id| SortKey {
        expr: col(id, SqlType::Int64),
        descending: id == 0,
        nulls_first: false,
    };
    LogicalPlan::Sort(Sort {
        input: Box::new(input),
        keys: vec![key(0), key(1)],
        fetch,
    })
}

fn call(function: AggregateFunction, args: Vec<Expr>, ty: SqlType) -> AggregateExpr {
    AggregateExpr {
        function,
        args,
        distinct: false,
        filter: None,
        order_by: vec![],
        ty,
    }
}

fn group(input: LogicalPlan, keys: &[(u32, SqlType)]) -> LogicalPlan {
    let number = || vec![col(1, SqlType::Int64)];
    let texts = vec![col(2, SqlType::Text), Expr::Literal(text(", "))];
    let order = SortKey {
        expr: col(1, SqlType::Int64),
        descending: true,
        nulls_first: false,
    };
    let calls = [
        call(AggregateFunction::CountStar, vec![], SqlType::Int64),
        call(AggregateFunction::Min, number(), SqlType::Int64),
        AggregateExpr {
            distinct: true,
            ..call(AggregateFunction::Count, number(), SqlType::Int64)
        },
        AggregateExpr {
            order_by: vec![order],
            ..call(AggregateFunction::StringAgg, texts, SqlType::Text)
        },
    ];
    LogicalPlan::Aggregate(Aggregate {
        input: Box::new(input),
        groups: keys
            .iter()
            .map(|(id, ty)| Projection {
                column: column(*id, *ty),
                expr: col(*id, *ty),
            })
            .collect(),
        aggregates: (100..)
            .map(|id| column(id, SqlType::Int64))
            .zip(calls)
            .map(|(mut c, call)| {
                c.ty = call.ty;
                (c, call)
            })
            .collect(),
    })
}

fn join(
    kind: JoinKind,
    left: LogicalPlan,
    right: LogicalPlan,
    key: Option<(u32, u32)>,
) -> LogicalPlan {
    let on = key.map(|(l, r)| (col(l, SqlType::Int64), col(r, SqlType::Int64)));
    let filter = Expr::compare(
        BinaryOp::LtEq,
        col(1, SqlType::Int64),
        col(11, SqlType::Int64),
    );
    LogicalPlan::Join(Join {
        left: Box::new(left),
        right: Box::new(right),
        kind,
        null_equal: vec![false; usize::from(on.is_some())],
        on: on.into_iter().collect(),
        filter: key.is_none().then_some(filter),
        mark: (kind == JoinKind::Mark).then(|| column(20, SqlType::Boolean)),
        null_aware_mark: false,
        aggregates: Vec::new(),
        left_first: false,
    })
}

fn except(left: LogicalPlan, right: LogicalPlan) -> LogicalPlan {
    LogicalPlan::SetOp(SetOp {
        kind: SetOpKind::Except,
        all: true,
        columns: vec![
            column(30, SqlType::Int64),
            column(31, SqlType::Int64),
            column(32, SqlType::Text),
        ],
        left: Box::new(left),
        right: Box::new(right),
    })
}

/// Plans each of whose breakers holds megabytes for 40,000 rows, and the operator that spills first.
fn plans() -> Vec<(&'static str, LogicalPlan)> {
    let many = 16_000;
    let distinct = LogicalPlan::Distinct(Distinct {
        input: Box::new(rows(0, many)),
    });
    let limit = LogicalPlan::Limit(Limit {
        input: Box::new(rows(0, many)),
        skip: 3,
        fetch: Some(12_000),
    });
    let left_first = {
        let mut plan = join(
            JoinKind::Semi,
            rows(0, many),
            rows(10, many / 2),
            Some((0, 10)),
        );
        if let LogicalPlan::Join(join) = &mut plan {
            join.left_first = true;
        }
        plan
    };
    let shared = {
        let place = |first| {
            LogicalPlan::Shared(Shared {
                number: 100,
                places: 2,
                input: Box::new(rows(first, many)),
            })
        };
        join(JoinKind::Semi, place(0), place(10), Some((0, 10)))
    };
    vec![
        ("sort", sort(rows(0, many), None)),
        ("top-k", sort(rows(0, many), Some(8_000))),
        ("aggregate", group(rows(0, many), &[(0, SqlType::Int64)])),
        ("aggregate", group(rows(0, many), &[(2, SqlType::Text)])),
        ("distinct", distinct),
        ("except", except(rows(0, many), rows(10, many / 2))),
        (
            "hash join",
            join(
                JoinKind::Inner,
                rows(0, many),
                rows(10, many / 2),
                Some((0, 10)),
            ),
        ),
        (
            "hash join",
            join(
                JoinKind::Full,
                rows(0, many / 2),
                rows(10, many),
                Some((0, 10)),
            ),
        ),
        (
            "hash join",
            join(
                JoinKind::Anti,
                rows(0, many),
                rows(10, many / 2),
                Some((0, 11)),
            ),
        ),
        ("hash join", left_first),
        ("limit", sort(limit, Some(5))),
        ("shared", shared),
    ]
}

fn limited(threads: usize, budget_bytes: u64) -> ExecutionContext {
    context(threads, 1_000)
        .with_memory(MemoryBudget::new(budget_bytes))
        .with_spill(SpillSpace::new(std::env::temp_dir()))
        .with_spill_grant_bytes(64 << 10)
}

#[test]
fn answers_and_bounds_hold_at_a_sixteenth_of_what_operators_need() {
    for (operator, plan) in plans() {
        let free = context(2, 1_000).with_memory(MemoryBudget::unlimited());
        let mut expected = run_in(&free, &plan).unwrap();
        let budget_bytes = free.memory.peak_bytes() / 16;
        for threads in [1, 2] {
            let context = limited(threads, budget_bytes);
            let mut execution = QueryExecutor::new(context.clone()).execute(&plan).unwrap();
            let mut spilled = 0;
            while execution.next_batch().unwrap().is_some() {}
            let sums = execution.statistics().read().by_kind();
            drop(execution);
            for kind in sums
                .iter()
                .filter(|kind| kind.operator == operator || operator == "limit")
            {
                spilled += kind.spilled_bytes;
            }
            assert!(spilled > 0, "{operator} did not spill");
            // Each worker of an operator has its grant, and a batch more than it may hold.
            let most = budget_bytes + 2 * threads as u64 * (1 << 20);
            let peak = context.memory.peak_bytes();
            assert!(peak <= most, "{operator} held {peak} of {budget_bytes}");
            let mut found = run_in(&context, &plan).unwrap();
            if !matches!(plan, LogicalPlan::Sort(_)) {
                found = sorted(found);
                expected = sorted(expected);
            }
            assert!(found == expected, "{operator} gives other rows");
            assert_nothing_is_left(&context);
        }
    }
}

#[test]
fn a_key_with_more_rows_than_memory_is_joined_in_chunks() {
    let side = |first: u32, count: i64| {
        let rows: Vec<Tuple> = (0..count)
            .map(|i| {
                vec![
                    int(i / 1_000),
                    int(i),
                    text(&format!("the text of row {i}")),
                ]
            })
            .collect();
        let columns = vec![
            column(first, SqlType::Int64),
            column(first + 1, SqlType::Int64),
            column(first + 2, SqlType::Text),
        ];
        values(columns, &rows, 100)
    };
    let kinds = [
        JoinKind::Inner,
        JoinKind::Left,
        JoinKind::Full,
        JoinKind::Semi,
        JoinKind::Anti,
        JoinKind::Mark,
    ];
    for kind in kinds {
        for key in [Some((0, 10)), None] {
            let plan = join(kind, side(0, 50), side(10, 1_500), key);
            let expected = sorted(run_in(&context(1, 100), &plan).unwrap());
            let context = limited(2, 30_000).with_spill_grant_bytes(0);
            let found = sorted(run_in(&context, &plan).unwrap());
            assert!(found == expected, "{kind:?} on {key:?} gives other rows");
            assert_nothing_is_left(&context);
        }
    }
}

#[test]
fn the_limit_of_temporary_files_holds_and_its_error_names_the_operator() {
    for (name, plan) in plans() {
        let context = limited(2, 50_000);
        context.spill.set_limit_bytes(100_000);
        let error = run_in(&context, &plan).unwrap_err();
        let Error::Exec(ExecError::TempLimit {
            operator,
            needed_bytes,
            limit_bytes: 100_000,
        }) = error
        else {
            panic!("{error}");
        };
        assert!(needed_bytes > 100_000);
        assert!(
            operator == name || name == "limit",
            "{operator} instead of {name}"
        );
        assert_eq!(
            Error::from(ExecError::TempLimit {
                operator,
                needed_bytes,
                limit_bytes: 1
            })
            .sqlstate(),
            "53100"
        );
        assert_nothing_is_left(&context);
    }
}

/// A disk on which all goes well for some operations, and nothing after.
struct Failing {
    operations: Arc<AtomicI64>,
    error: io::ErrorKind,
}

struct FailingFile {
    file: Box<dyn SpillStorage>,
    operations: Arc<AtomicI64>,
    error: io::ErrorKind,
}

fn operation(operations: &AtomicI64, error: io::ErrorKind) -> io::Result<()> {
    match operations.fetch_sub(1, Ordering::SeqCst) {
        left if left > 0 => Ok(()),
        _ => Err(error.into()),
    }
}

impl SpillDisk for Failing {
    fn create(&self, directory: &Path) -> io::Result<Box<dyn SpillStorage>> {
        operation(&self.operations, self.error)?;
        Ok(Box::new(FailingFile {
            file: LocalDisk.create(directory)?,
            operations: Arc::clone(&self.operations),
            error: self.error,
        }))
    }

    fn clear(&self, directory: &Path) -> io::Result<()> {
        LocalDisk.clear(directory)
    }
}

impl SpillStorage for FailingFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        operation(&self.operations, self.error)?;
        self.file.write_at(offset, bytes)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        operation(&self.operations, self.error)?;
        self.file.read_at(offset, into)
    }
}

#[test]
fn a_disk_that_fails_at_any_operation_is_an_error_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("db-tmp");
    for (name, plan) in plans() {
        for (good, error) in [
            (0, io::ErrorKind::PermissionDenied),
            (1, io::ErrorKind::StorageFull),
            (20, io::ErrorKind::StorageFull),
            (150, io::ErrorKind::Other),
            (i64::MAX, io::ErrorKind::Other),
        ] {
            let operations = Arc::new(AtomicI64::new(good));
            let disk = Failing {
                operations: Arc::clone(&operations),
                error,
            };
            let space = SpillSpace::with_disk(&folder, Arc::new(disk));
            space.set_owned(true);
            let context = limited(2, 50_000).with_spill(space);
            let result = run_in(&context, &plan);
            let failed = operations.load(Ordering::SeqCst) < 0;
            match result {
                Ok(_) => assert!(!failed, "{name} does not tell that a file failed"),
                Err(Error::Exec(ExecError::TempFile {
                    is_full, directory, ..
                })) => {
                    assert_eq!(is_full, error == io::ErrorKind::StorageFull);
                    assert_eq!(directory, folder.display().to_string());
                }
                Err(error) => panic!("{name}: {error}"),
            }
            assert_nothing_is_left(&context);
            assert!(!folder.exists(), "{name} left the folder behind");
        }
    }
}

#[test]
fn files_are_gone_when_the_reader_stops_or_is_stopped() {
    for (_, plan) in plans() {
        let cancel = CancelToken::new();
        let context = limited(2, 50_000).with_cancel(cancel.clone());
        let mut execution = QueryExecutor::new(context.clone()).execute(&plan).unwrap();
        assert!(execution.next_batch().unwrap().is_some());
        drop(execution);
        assert_nothing_is_left(&context);
        let mut execution = QueryExecutor::new(context.clone()).execute(&plan).unwrap();
        assert!(execution.next_batch().unwrap().is_some());
        cancel.cancel();
        while let Ok(Some(_)) = execution.next_batch() {}
        assert_nothing_is_left(&context);
    }
}

#[test]
fn one_group_that_cannot_be_cut_fails_by_name() {
    let plan = group(rows(0, 10_000), &[]);
    let context = limited(2, 100_000);
    let error = run_in(&context, &plan).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Exec(ExecError::MemoryLimit {
                operator: "aggregate",
                limit_bytes: 100_000,
                ..
            })
        ),
        "{error}"
    );
    assert_nothing_is_left(&context);
}

#[test]
fn what_fits_is_not_written() {
    for (_, plan) in plans() {
        let context = limited(2, 1 << 30);
        let mut execution = QueryExecutor::new(context.clone()).execute(&plan).unwrap();
        while execution.next_batch().unwrap().is_some() {}
        let spilled: u64 = execution
            .statistics()
            .read()
            .by_kind()
            .iter()
            .map(|k| k.spilled_bytes)
            .sum();
        assert_eq!(spilled, 0);
    }
}

#[test]
fn a_few_groups_of_many_rows_stay_in_memory() {
    let plan = LogicalPlan::Aggregate(Aggregate {
        input: Box::new(rows(0, 40_000)),
        groups: vec![],
        aggregates: vec![(
            column(100, SqlType::Int64),
            call(AggregateFunction::CountStar, vec![], SqlType::Int64),
        )],
    });
    let found: Vec<Row> = run_in(&limited(2, 0).with_spill_grant_bytes(0), &plan).unwrap();
    assert_eq!(found, [[Some("40000".to_string())]]);
}

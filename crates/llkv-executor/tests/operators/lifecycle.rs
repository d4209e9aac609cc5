//! What happens around the rows: errors, panics, cancellation, dropped streams, memory, statistics.

use super::harness::{Tuple, col, column, context, int, run_in, values};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchReader};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use llkv_executor::{CancelToken, MemoryBudget, QueryExecutor, SpillSpace};
use llkv_expr::{AggregateExpr, AggregateFunction, BinaryOp, Expr, SortKey};
use llkv_plan::{
    Aggregate, BatchIterator, Distinct, ExternalScan, ExternalSource, Join, JoinKind, LogicalPlan,
    Project, Projection, Sort,
};
use llkv_result::{Error, EvalError, ExecError, FileError, Result};
use llkv_types::SqlType;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A source whose partitions never end.
#[derive(Debug)]
pub(crate) struct Endless {
    partitions: usize,
    pub batches_read: Arc<AtomicUsize>,
    /// Readers that are open.
    open: Arc<AtomicUsize>,
    /// The batch at which a reader panics.
    panic_at: Option<usize>,
    /// The batch at which a reader fails.
    fail_at: Option<usize>,
}

impl Endless {
    pub(crate) fn new(partitions: usize) -> Arc<Self> {
        Arc::new(Self::plain(partitions))
    }

    fn plain(partitions: usize) -> Self {
        Self {
            partitions,
            batches_read: Arc::default(),
            open: Arc::default(),
            panic_at: None,
            fail_at: None,
        }
    }
}

struct Reader {
    next: i64,
    batch: usize,
    rows: usize,
    panic_at: Option<usize>,
    fail_at: Option<usize>,
    read: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
}

impl Iterator for Reader {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read.fetch_add(1, Ordering::Relaxed);
        self.batch += 1;
        assert!(self.panic_at != Some(self.batch), "the reader fell over");
        if self.fail_at == Some(self.batch) {
            return Some(Err(failure()));
        }
        let values = (self.next..).take(self.rows);
        self.next += self.rows as i64;
        let array: ArrayRef = Arc::new(values.collect::<Int64Array>());
        Some(RecordBatch::try_from_iter([("v", array)]).map_err(Error::from))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

fn failure() -> Error {
    Error::from(FileError::Malformed {
        path: "numbers".into(),
        line: None,
        detail: "worn out".into(),
    })
}

impl ExternalSource for Endless {
    fn name(&self) -> String {
        "endless".into()
    }

    fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("v", DataType::Int64, true)]))
    }

    fn partitions(&self) -> usize {
        self.partitions
    }

    fn read(&self, _: usize, projection: &[usize], batch_rows: usize) -> Result<BatchIterator> {
        assert_eq!(projection, [0]);
        self.open.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Reader {
            next: 0,
            batch: 0,
            rows: batch_rows,
            panic_at: self.panic_at,
            fail_at: self.fail_at,
            read: Arc::clone(&self.batches_read),
            open: Arc::clone(&self.open),
        }))
    }
}

fn scan(source: &Arc<Endless>) -> LogicalPlan {
    LogicalPlan::External(ExternalScan {
        source: Arc::clone(source) as _,
        columns: vec![(0, column(0, SqlType::Int64))],
    })
}

fn count(input: LogicalPlan) -> LogicalPlan {
    let call = AggregateExpr {
        function: AggregateFunction::CountStar,
        args: vec![],
        distinct: false,
        filter: None,
        order_by: vec![],
        ty: SqlType::Int64,
    };
    LogicalPlan::Aggregate(Aggregate {
        input: Box::new(LogicalPlan::Distinct(Distinct {
            input: Box::new(input),
        })),
        groups: vec![],
        aggregates: vec![(column(9, SqlType::Int64), call)],
    })
}

fn sort(input: LogicalPlan) -> LogicalPlan {
    LogicalPlan::Sort(Sort {
        input: Box::new(input),
        keys: vec![SortKey {
            expr: col(0, SqlType::Int64),
            descending: false,
            nulls_first: false,
        }],
        fetch: None,
    })
}

/// 100 / (v - 50): fails at one row.
fn dividing(input: LogicalPlan) -> LogicalPlan {
    let divisor = Expr::binary(
        BinaryOp::Subtract,
        col(0, SqlType::Int64),
        Expr::Literal(int(50)),
        SqlType::Int64,
    );
    LogicalPlan::Project(Project {
        input: Box::new(input),
        projections: vec![Projection {
            column: column(0, SqlType::Int64),
            expr: Expr::binary(
                BinaryOp::Divide,
                Expr::Literal(int(100)),
                divisor,
                SqlType::Int64,
            ),
        }],
    })
}

fn numbers(count: i64) -> LogicalPlan {
    let rows: Vec<Tuple> = (0..count).map(|v| vec![int(v)]).collect();
    values(vec![column(0, SqlType::Int64)], &rows, 10)
}

fn join(kind: JoinKind, left: LogicalPlan, right: LogicalPlan) -> LogicalPlan {
    LogicalPlan::Join(Join {
        left: Box::new(left),
        right: Box::new(right),
        kind,
        on: vec![],
        null_equal: vec![],
        filter: None,
        mark: None,
        null_aware_mark: false,
        aggregates: Vec::new(),
        left_first: false,
    })
}

#[test]
fn an_error_of_a_row_reaches_the_reader_as_it_was() {
    let streaming = dividing(numbers(100));
    let breaking = sort(dividing(numbers(100)));
    for plan in [streaming, breaking] {
        for threads in [1, 2] {
            let error = run_in(&context(threads, 10), &plan).unwrap_err();
            assert!(
                matches!(error, Error::Eval(EvalError::DivisionByZero)),
                "{error}"
            );
        }
    }
}

#[test]
fn the_reader_of_record_batches_gives_the_original_error_too() {
    let plan = dividing(numbers(100));
    let execution = QueryExecutor::new(context(2, 10)).execute(&plan).unwrap();
    assert_eq!(execution.schema().field(0).name(), "c0");
    let error = execution
        .filter_map(std::result::Result::err)
        .next()
        .unwrap();
    assert_eq!(Error::from_arrow(error).sqlstate(), "22012");
}

#[test]
fn an_error_of_a_source_ends_all_workers() {
    for threads in [1, 2] {
        for wrap in [|plan| plan, count as fn(LogicalPlan) -> LogicalPlan] {
            let source = Arc::new(Endless {
                fail_at: Some(5),
                ..Endless::plain(4)
            });
            let error = run_in(&context(threads, 10), &wrap(scan(&source))).unwrap_err();
            assert!(
                matches!(error, Error::File(FileError::Malformed { .. })),
                "{error}"
            );
            assert_eq!(source.open.load(Ordering::Relaxed), 0, "a reader leaked");
        }
    }
}

#[test]
fn a_panic_of_a_worker_becomes_an_error() {
    for threads in [1, 2] {
        for wrap in [|plan| plan, count as fn(LogicalPlan) -> LogicalPlan] {
            let source = Arc::new(Endless {
                panic_at: Some(3),
                ..Endless::plain(2)
            });
            let error = run_in(&context(threads, 10), &wrap(scan(&source))).unwrap_err();
            let Error::Internal(text) = &error else {
                panic!("{error}");
            };
            assert!(text.contains("the reader fell over"), "{text}");
            assert_eq!(source.open.load(Ordering::Relaxed), 0, "a reader leaked");
        }
    }
}

#[test]
fn a_cancelled_query_stops_with_that_error() {
    // An endless scan at the top, an endless scan below a breaker.
    let source = Endless::new(4);
    for plan in [scan(&source), count(scan(&source))] {
        for threads in [1, 2] {
            let cancel = CancelToken::new();
            let context = context(threads, 16).with_cancel(cancel.clone());
            let mut execution = QueryExecutor::new(context).execute(&plan).unwrap();
            let canceller = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(20));
                cancel.cancel();
            });
            let error = loop {
                match execution.next_batch() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("an endless query ended"),
                    Err(error) => break error,
                }
            };
            canceller.join().unwrap();
            assert!(
                matches!(error, Error::Exec(ExecError::Cancelled)),
                "{error}"
            );
            assert!(
                execution.next_batch().unwrap().is_none(),
                "rows after an error"
            );
        }
    }
    assert_eq!(source.open.load(Ordering::Relaxed), 0, "a reader leaked");
}

#[test]
fn a_slow_consumer_holds_the_workers_back_and_dropping_the_stream_ends_them() {
    let source = Endless::new(2);
    let mut execution = QueryExecutor::new(context(2, 10))
        .execute(&scan(&source))
        .unwrap();
    assert!(execution.next_batch().unwrap().is_some());
    // The workers fill the queue and then wait; the number settles.
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut before = usize::MAX;
    loop {
        std::thread::sleep(Duration::from_millis(30));
        let read = source.batches_read.load(Ordering::Relaxed);
        if read == before {
            break;
        }
        assert!(Instant::now() < deadline, "the workers never wait");
        before = read;
    }
    assert!(before <= 64, "{before} batches were read ahead");
    drop(execution);
    assert_eq!(source.open.load(Ordering::Relaxed), 0, "a reader leaked");
}

#[test]
fn an_operator_over_the_memory_limit_fails_alone_and_gives_everything_back() {
    let wide = || numbers(20_000);
    let other = || {
        let rows: Vec<Tuple> = (0..20_000).map(|v| vec![int(v)]).collect();
        values(vec![column(1, SqlType::Int64)], &rows, 100)
    };
    let mut hash = join(JoinKind::Inner, wide(), other());
    if let LogicalPlan::Join(join) = &mut hash {
        join.on = vec![(col(0, SqlType::Int64), col(1, SqlType::Int64))];
        join.null_equal = vec![false];
    }
    let plans = [
        (sort(wide()), "sort"),
        (count(wide()), "distinct"),
        (hash, "hash join"),
    ];
    for (plan, name) in plans {
        for threads in [1, 2] {
            let memory = MemoryBudget::new(50_000);
            let space = SpillSpace::new(std::env::temp_dir());
            space.set_limit_bytes(0);
            let context = context(threads, 100)
                .with_memory(Arc::clone(&memory))
                .with_spill(space);
            let error = run_in(&context, &plan).unwrap_err();
            let Error::Exec(ExecError::MemoryLimit {
                operator,
                limit_bytes: 50_000,
                ..
            }) = error
            else {
                panic!("{error}");
            };
            assert_eq!(operator, name);
            assert_eq!(memory.used_bytes(), 0);
            // The budget is as good as new.
            assert_eq!(run_in(&context, &numbers(10)).unwrap().len(), 10);
        }
    }
}

#[test]
fn operators_count_what_they_put_out() {
    let plan = count(numbers(1_000));
    let mut execution = QueryExecutor::new(context(2, 100)).execute(&plan).unwrap();
    while execution.next_batch().unwrap().is_some() {}
    let statistics = execution.statistics();
    drop(execution);
    let root = statistics.read();
    assert_eq!((root.operator, root.rows), ("aggregate", 1));
    let distinct = &root.inputs[0];
    assert_eq!((distinct.operator, distinct.rows), ("distinct", 1_000));
    let scan = &distinct.inputs[0];
    assert_eq!((scan.operator, scan.rows), ("values", 1_000));
    assert_eq!(scan.bytes, 8_000);
    assert!(distinct.time > Duration::ZERO);
    let kinds: Vec<_> = root
        .by_kind()
        .iter()
        .map(|k| (k.operator, k.rows))
        .collect();
    assert_eq!(
        kinds,
        [("aggregate", 1), ("distinct", 1_000), ("values", 1_000)]
    );
    let shown = root.to_string();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(
        lines[2].contains("1,000") && lines[2].ends_with("└─ distinct"),
        "{shown}"
    );
}

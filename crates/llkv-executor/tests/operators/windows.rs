//! Windows and recursions: the same rows in every configuration, bounded, ended by LIMIT and by cancelling.

use super::harness::{
    Tuple, assert_nothing_is_left, col, column, context, displayed, int, maybe_int, run_in,
    run_ordered, run_sorted, values,
};
use llkv_executor::{CancelToken, MemoryBudget, SpillSpace};
use llkv_expr::{
    AggregateExpr, AggregateFunction, BinaryOp, Expr, FrameBound, FrameExclusion, FrameOffset,
    FrameUnit, SortKey, WindowCall, WindowExpr, WindowFrame, WindowFunction,
};
use llkv_plan::{
    Aggregate, Filter, Limit, LogicalPlan, Project, Projection, Recursive, Window, WorkingTable,
};
use llkv_result::{Error, ExecError};
use llkv_types::{Scalar, SqlType};
use proptest::prelude::*;
use std::time::Duration;

const INT: SqlType = SqlType::Int64;

fn key(id: u32, descending: bool) -> SortKey {
    SortKey {
        expr: col(id, INT),
        descending,
        nulls_first: descending,
    }
}

fn aggregate(function: AggregateFunction, id: u32, frame: WindowFrame) -> WindowExpr {
    WindowExpr {
        call: WindowCall::Aggregate(AggregateExpr {
            function,
            args: vec![col(id, INT)],
            distinct: false,
            filter: None,
            order_by: vec![],
            ty: INT,
        }),
        peer_keys: 1,
        frame,
    }
}

fn row_number() -> WindowExpr {
    WindowExpr {
        call: WindowCall::Function {
            function: WindowFunction::RowNumber,
            args: vec![],
            ignore_nulls: false,
            ty: INT,
        },
        peer_keys: 1,
        frame: WindowFrame::running(),
    }
}

fn rows_around(n: i64) -> WindowFrame {
    let offset = || FrameOffset {
        distance: Expr::Literal(Scalar::Int64(n)),
        bound: None,
    };
    WindowFrame {
        unit: FrameUnit::Rows,
        start: FrameBound::Preceding(offset()),
        end: FrameBound::Following(offset()),
        exclusion: FrameExclusion::NoOthers,
        range_key: None,
    }
}

/// Partition, order, value: a row number, a running sum, the least value around, and the partition's count.
fn window(input: LogicalPlan, partitioned: bool) -> LogicalPlan {
    let mut whole = aggregate(AggregateFunction::Count, 2, WindowFrame::running());
    whole.peer_keys = 0;
    let functions = vec![
        row_number(),
        aggregate(AggregateFunction::Max, 2, WindowFrame::running()),
        aggregate(AggregateFunction::Min, 2, rows_around(2)),
        whole,
    ];
    LogicalPlan::Window(Window {
        input: Box::new(input),
        partition_by: if partitioned {
            vec![col(0, INT)]
        } else {
            vec![]
        },
        order_by: vec![key(1, true)],
        functions: (10..).map(|id| column(id, INT)).zip(functions).collect(),
        wanted: None,
    })
}

fn reference(rows: &[Tuple], partitioned: bool) -> Vec<Tuple> {
    let number = |row: &Tuple, at: usize| match row[at] {
        Scalar::Int64(value) => Some(value),
        _ => None,
    };
    let partition = |row: &Tuple| partitioned.then(|| number(row, 0).map_or((1, 0), |v| (0, v)));
    let mut sorted = rows.to_vec();
    // Descending, NULLs first; stable.
    sorted.sort_by_key(|row| (partition(row), number(row, 1).map_or((0, 0), |v| (1, -v))));
    let within = |at: usize| -> Vec<usize> {
        (0..sorted.len())
            .filter(|other| partition(&sorted[*other]) == partition(&sorted[at]))
            .collect()
    };
    (0..sorted.len())
        .map(|at| {
            let rows = within(at);
            let place = rows.iter().position(|row| *row == at).unwrap();
            let upto = rows
                .iter()
                .filter(|row| **row <= at || sorted[**row][1] == sorted[at][1]);
            let near = &rows[place.saturating_sub(2)..(place + 3).min(rows.len())];
            let mut row = sorted[at].clone();
            row.push(int(place as i64 + 1));
            row.push(maybe_int(upto.filter_map(|r| number(&sorted[*r], 2)).max()));
            row.push(maybe_int(
                near.iter().filter_map(|r| number(&sorted[*r], 2)).min(),
            ));
            row.push(int(rows
                .iter()
                .filter(|r| number(&sorted[**r], 2).is_some())
                .count() as i64));
            row
        })
        .collect()
}

fn columns() -> Vec<llkv_plan::PlanColumn> {
    (0..3).map(|id| column(id, INT)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn windows_are_the_same_in_every_configuration(
        shapes in prop::collection::vec(prop::array::uniform3(prop::option::weighted(0.85, -4..5_i64)), 0..70),
        partitioned in any::<bool>(),
    ) {
        let rows: Vec<Tuple> = shapes
            .iter()
            .map(|row| row.iter().map(|value| maybe_int(*value)).collect())
            .collect();
        let plan = window(values(columns(), &rows, 7), partitioned);
        prop_assert_eq!(run_ordered(&plan), displayed(&reference(&rows, partitioned)));
    }
}

/// The first rows of each partition by a test of their numbers, which the window may know of.
fn first_of_each(input: LogicalPlan, first: i64, rank: bool, wanted: Option<u64>) -> LogicalPlan {
    let mut number = row_number();
    if let (true, WindowCall::Function { function, .. }) = (rank, &mut number.call) {
        *function = WindowFunction::Rank;
    }
    let window = LogicalPlan::Window(Window {
        input: Box::new(input),
        partition_by: vec![col(0, INT)],
        order_by: vec![key(1, true)],
        functions: vec![(column(10, INT), number)],
        wanted,
    });
    LogicalPlan::Filter(Filter {
        input: Box::new(window),
        predicate: Expr::compare(
            BinaryOp::LtEq,
            col(10, INT),
            Expr::Literal(Scalar::Int64(first)),
        ),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_first_rows_of_each_partition_are_the_same_when_the_others_are_sieved(
        shapes in prop::collection::vec(prop::array::uniform3(prop::option::weighted(0.9, -4..9_i64)), 0..120),
        first in 0_i64..5,
        rank in any::<bool>(),
    ) {
        let rows: Vec<Tuple> = shapes
            .iter()
            .map(|row| row.iter().map(|value| maybe_int(*value)).collect())
            .collect();
        let plan = |wanted| first_of_each(values(columns(), &rows, 7), first, rank, wanted);
        prop_assert_eq!(run_ordered(&plan(Some(first as u64))), run_ordered(&plan(None)));
    }
}

#[test]
fn a_sieve_leaves_rows_out_before_they_are_sorted() {
    // Descending keys come last: nothing but the first rows of each partition can be left out.
    let plan = |wanted| first_of_each(many(20_000), 3, false, wanted);
    let peak = |wanted| {
        let context = context(2, 64).with_memory(MemoryBudget::new(1 << 40));
        let rows = run_in(&context, &plan(wanted)).unwrap();
        assert_eq!(rows.len(), 300);
        context.memory.peak_bytes()
    };
    assert!(peak(Some(3)) * 2 < peak(None));
}

fn many(rows: i64) -> LogicalPlan {
    let rows: Vec<Tuple> = (0..rows)
        .map(|i| vec![int(i * 7_919 % 100), int(i % 1_000), int(i)])
        .collect();
    values(columns(), &rows, 1_000)
}

#[test]
fn partitions_over_the_memory_limit_are_computed_from_files() {
    let plan = window(many(20_000), true);
    let free = context(2, 64);
    let limited = context(2, 64)
        .with_memory(MemoryBudget::new(200_000))
        .with_spill(SpillSpace::new(std::env::temp_dir()))
        .with_spill_grant_bytes(0);
    assert!(run_in(&limited, &plan).unwrap() == run_in(&free, &plan).unwrap());
    assert!(limited.memory.peak_bytes() > 200_000, "it was full");
    assert_nothing_is_left(&limited);
}

#[test]
fn a_partition_over_the_memory_limit_names_the_window() {
    let context = context(2, 1024).with_memory(MemoryBudget::new(200_000));
    let error = run_in(&context, &window(many(20_000), false)).unwrap_err();
    let named = matches!(
        error,
        Error::Exec(ExecError::MemoryLimit {
            operator: "window",
            ..
        })
    );
    assert!(named, "{error}");
    assert_eq!(context.memory.used_bytes(), 0);
}

#[test]
fn a_limit_gives_memory_back_in_the_middle_of_a_window() {
    let plan = LogicalPlan::Limit(Limit {
        input: Box::new(window(many(20_000), true)),
        skip: 3,
        fetch: Some(10),
    });
    let context = context(2, 64).with_memory(MemoryBudget::new(1 << 40));
    assert_eq!(run_in(&context, &plan).unwrap().len(), 10);
    assert_eq!(context.memory.used_bytes(), 0);
}

/// 1, 2, 3 ... up to `last`, or without an end.
fn counting(last: Option<i64>, distinct: bool) -> LogicalPlan {
    let working = LogicalPlan::WorkingTable(WorkingTable {
        name: "n".into(),
        table: 77,
        columns: vec![column(1, INT)],
    });
    let input = match last {
        None => working,
        Some(last) => LogicalPlan::Filter(Filter {
            input: Box::new(working),
            predicate: Expr::compare(
                BinaryOp::Lt,
                col(1, INT),
                Expr::Literal(Scalar::Int64(last)),
            ),
        }),
    };
    let next = Expr::binary(
        BinaryOp::Add,
        col(1, INT),
        Expr::Literal(Scalar::Int64(1)),
        INT,
    );
    LogicalPlan::Recursive(Recursive {
        name: "n".into(),
        table: 77,
        base: Box::new(values(
            vec![column(0, INT)],
            &[vec![int(1)], vec![int(1)]],
            1,
        )),
        step: Box::new(LogicalPlan::Project(Project {
            input: Box::new(input),
            projections: vec![Projection {
                column: column(2, INT),
                expr: next,
            }],
        })),
        distinct,
        columns: vec![column(3, INT)],
    })
}

#[test]
fn a_recursion_ends_where_a_round_gives_nothing_new() {
    let found = run_sorted(&counting(Some(50), true));
    assert_eq!(found.len(), 50);
    assert_eq!(run_ordered(&counting(Some(50), false)).len(), 100);
}

#[test]
fn a_limit_ends_a_recursion_without_an_end() {
    for distinct in [true, false] {
        let plan = LogicalPlan::Limit(Limit {
            input: Box::new(counting(None, distinct)),
            skip: 0,
            fetch: Some(40),
        });
        assert_eq!(run_ordered(&plan).len(), 40);
    }
}

fn counted(input: LogicalPlan) -> LogicalPlan {
    LogicalPlan::Aggregate(Aggregate {
        input: Box::new(input),
        groups: vec![],
        aggregates: vec![(
            column(9, INT),
            AggregateExpr {
                function: AggregateFunction::CountStar,
                args: vec![],
                distinct: false,
                filter: None,
                order_by: vec![],
                ty: INT,
            },
        )],
    })
}

#[test]
fn a_recursion_without_an_end_is_bounded_and_can_be_cancelled() {
    let bounded = context(1, 1024).with_memory(MemoryBudget::new(200_000));
    let error = run_in(&bounded, &counted(counting(None, true))).unwrap_err();
    let named = matches!(
        error,
        Error::Exec(ExecError::MemoryLimit {
            operator: "recursive",
            ..
        })
    );
    assert!(named, "{error}");
    assert_eq!(bounded.memory.used_bytes(), 0);

    let cancel = CancelToken::new();
    let context = context(1, 1024).with_cancel(cancel.clone());
    let stopper = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        cancel.cancel();
    });
    let error = run_in(&context, &counted(counting(None, false))).unwrap_err();
    assert!(
        matches!(error, Error::Exec(ExecError::Cancelled)),
        "{error}"
    );
    stopper.join().unwrap();
}

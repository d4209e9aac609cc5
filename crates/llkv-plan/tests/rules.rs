//! Golden plans: queries in the manner of TPC-H, the plan as bound and after each rule that changed it.
//!
//! Rewrite the files with `INSTA_UPDATE=always cargo test -p llkv-plan --test rules`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // helpers of tests are tests
#[path = "reference/tpch.rs"]
mod tpch;

use llkv_expr::{AggregateFunction, BinaryOp, Expr, SortKey, UnaryOp};
use llkv_plan::{
    ApplyKind, ColumnIds, JoinKind, LogicalPlan, OptimizerOptions, PlanBuilder, RULES,
    aggregate_call, explain_estimated, optimize, optimize_traced,
};
use llkv_types::{Scalar, SqlType};
use tpch::Catalog;

fn text(value: &str) -> Expr {
    Expr::Literal(Scalar::Text(value.into()))
}

fn int(value: i64) -> Expr {
    Expr::Literal(Scalar::Int64(value))
}

fn eq(left: Expr, right: Expr) -> Expr {
    Expr::compare(BinaryOp::Eq, left, right)
}

fn trace(name: &str, plan: LogicalPlan) {
    let options = OptimizerOptions {
        trace: true,
        ..OptimizerOptions::default()
    };
    let optimized = optimize_traced(plan, &Catalog, &options).unwrap();
    let mut out = String::new();
    for step in &optimized.trace {
        out.push_str(&format!("-- {}\n{}\n", step.rule, step.plan));
    }
    insta::with_settings!({ snapshot_path => "goldens", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, out);
    });
}

fn sum(arg: Expr) -> llkv_expr::AggregateExpr {
    aggregate_call(AggregateFunction::Sum, vec![arg], SqlType::Int64)
}

/// Q3: a comma join of three tables, grouped, the first ten.
#[test]
fn q3_joins_in_the_order_of_their_selectivity() {
    let ids = ColumnIds::new();
    let customer = Catalog::scan(&ids, "customer");
    let orders = Catalog::scan(&ids, "orders");
    let lineitem = Catalog::scan(&ids, "lineitem");
    let joined = customer
        .join(JoinKind::Inner, orders, None)
        .join(JoinKind::Inner, lineitem, None);
    let condition = Expr::and([
        eq(joined.col("c_mktsegment").unwrap(), text("BUILDING")),
        eq(
            joined.col("c_custkey").unwrap(),
            joined.col("o_custkey").unwrap(),
        ),
        eq(
            joined.col("l_orderkey").unwrap(),
            joined.col("o_orderkey").unwrap(),
        ),
        Expr::compare(
            BinaryOp::Lt,
            joined.col("o_orderdate").unwrap(),
            Expr::Literal(Scalar::Date(9204)),
        ),
        Expr::compare(
            BinaryOp::Gt,
            joined.col("l_shipdate").unwrap(),
            Expr::Literal(Scalar::Date(9204)),
        ),
    ]);
    let joined = joined.filter(condition);
    let (key, date, price) = (
        joined.col("l_orderkey").unwrap(),
        joined.col("o_orderdate").unwrap(),
        joined.col("l_extendedprice").unwrap(),
    );
    let grouped = joined.aggregate(
        vec![("l_orderkey", key), ("o_orderdate", date)],
        vec![("revenue", sum(price))],
    );
    let revenue = grouped.col("revenue").unwrap();
    let key = grouped.col("l_orderkey").unwrap();
    let order = SortKey {
        expr: revenue.clone(),
        descending: true,
        nulls_first: false,
    };
    let plan = grouped
        .sort(vec![order])
        .project(vec![("l_orderkey", key), ("revenue", revenue)])
        .limit(0, Some(10));
    trace("q3", plan.build());
}

/// Q4: EXISTS becomes a semi join.
#[test]
fn q4_exists_is_a_semi_join() {
    let ids = ColumnIds::new();
    let orders = Catalog::scan(&ids, "orders");
    let lineitem = Catalog::scan(&ids, "lineitem");
    let inner = Expr::and([
        eq(
            lineitem.col("l_orderkey").unwrap(),
            orders.col("o_orderkey").unwrap(),
        ),
        Expr::compare(
            BinaryOp::Lt,
            lineitem.col("l_commitdate").unwrap(),
            lineitem.col("l_receiptdate").unwrap(),
        ),
    ]);
    let lineitem = lineitem.filter(inner);
    let mark = ids.column("exists", SqlType::Boolean, false);
    let found = Expr::column(mark.id, mark.ty);
    let plan = orders.apply(lineitem, ApplyKind::Exists { mark });
    let plan = plan.filter(found);
    let priority = plan.col("o_orderpriority").unwrap();
    let count = aggregate_call(AggregateFunction::CountStar, vec![], SqlType::Int64);
    let plan = plan.aggregate(vec![("o_orderpriority", priority)], vec![("orders", count)]);
    trace("q4", plan.build());
}

/// Q17: a correlated average becomes a grouped one.
#[test]
fn q17_correlated_average_is_grouped() {
    let ids = ColumnIds::new();
    let outer = Catalog::scan(&ids, "lineitem");
    let part = Catalog::scan(&ids, "part");
    let inner = Catalog::scan(&ids, "lineitem");
    let outer = outer.join(JoinKind::Inner, part, None);
    let own = Expr::and([
        eq(
            outer.col("l_partkey").unwrap(),
            outer.col("p_partkey").unwrap(),
        ),
        eq(outer.col("p_brand").unwrap(), text("Brand#23")),
    ]);
    let correlation = eq(
        inner.col("l_partkey").unwrap(),
        outer.col("p_partkey").unwrap(),
    );
    let quantity = inner.col("l_quantity").unwrap();
    let average = aggregate_call(AggregateFunction::Avg, vec![quantity], SqlType::Float64);
    let inner = inner
        .filter(correlation)
        .aggregate(vec![], vec![("average", average)]);
    let average = inner.col("average").unwrap();
    let inner = inner.project(vec![(
        "limit",
        Expr::binary(
            BinaryOp::Multiply,
            average,
            Expr::Literal(Scalar::Float64(0.2)),
            SqlType::Float64,
        ),
    )]);
    let limit = inner.col("limit").unwrap();
    let plan = outer.apply(inner, ApplyKind::Scalar { first_row: false });
    let small = Expr::compare(
        BinaryOp::Lt,
        plan.col("l_quantity").unwrap().cast(SqlType::Float64),
        limit,
    );
    let plan = plan.filter(Expr::and([own, small]));
    let price = plan.col("l_extendedprice").unwrap();
    let plan = plan.aggregate(vec![], vec![("sum", sum(price))]);
    trace("q17", plan.build());
}

/// A count of no rows is 0, not NULL.
#[test]
fn correlated_count_has_a_default() {
    let ids = ColumnIds::new();
    let outer = Catalog::scan(&ids, "customer");
    let inner = Catalog::scan(&ids, "orders");
    let correlation = eq(
        inner.col("o_custkey").unwrap(),
        outer.col("c_custkey").unwrap(),
    );
    let count = aggregate_call(AggregateFunction::CountStar, vec![], SqlType::Int64);
    let inner = inner
        .filter(correlation)
        .aggregate(vec![], vec![("orders", count)]);
    let plan = outer.apply(inner, ApplyKind::Scalar { first_row: false });
    let (name, orders) = (plan.col("c_custkey").unwrap(), plan.col("orders").unwrap());
    let plan = plan.project(vec![("c_custkey", name), ("orders", orders)]);
    trace("count", plan.build());
}

/// Q15: the revenues of a quarter are read twice, the second time for their maximum alone.
#[test]
fn q15_computes_its_view_once() {
    let ids = ColumnIds::new();
    let revenues = || {
        let lineitem = Catalog::scan(&ids, "lineitem");
        let since = Expr::compare(
            BinaryOp::GtEq,
            lineitem.col("l_shipdate").unwrap(),
            Expr::Literal(Scalar::Date(10_000)),
        );
        let lineitem = lineitem.filter(since);
        let (part, price) = (
            lineitem.col("l_partkey").unwrap(),
            lineitem.col("l_extendedprice").unwrap(),
        );
        lineitem.aggregate(vec![("key", part)], vec![("revenue", sum(price))])
    };
    let (all, again) = (revenues(), revenues());
    let revenue = again.col("revenue").unwrap();
    let most = aggregate_call(AggregateFunction::Max, vec![revenue], SqlType::Int64);
    let most = again.aggregate(vec![], vec![("most", most)]);
    let wanted = eq(all.col("revenue").unwrap(), most.col("most").unwrap());
    let part = Catalog::scan(&ids, "part");
    let of_part = eq(part.col("p_partkey").unwrap(), all.col("key").unwrap());
    let plan = part.join(JoinKind::Inner, all, Some(of_part));
    let plan = plan.apply(most, ApplyKind::Scalar { first_row: false });
    let plan = plan.filter(wanted);
    let (key, revenue) = (plan.col("p_partkey").unwrap(), plan.col("revenue").unwrap());
    trace(
        "q15",
        plan.project(vec![("key", key), ("revenue", revenue)])
            .build(),
    );
}

/// Q18: IN over a grouped subquery runs before the joins.
#[test]
fn q18_in_subquery_runs_first() {
    let ids = ColumnIds::new();
    let joined = Catalog::scan(&ids, "customer")
        .join(JoinKind::Inner, Catalog::scan(&ids, "orders"), None)
        .join(JoinKind::Inner, Catalog::scan(&ids, "lineitem"), None);
    let own = Expr::and([
        eq(
            joined.col("c_custkey").unwrap(),
            joined.col("o_custkey").unwrap(),
        ),
        eq(
            joined.col("o_orderkey").unwrap(),
            joined.col("l_orderkey").unwrap(),
        ),
    ]);
    let inner = Catalog::scan(&ids, "lineitem");
    let (key, quantity) = (
        inner.col("l_orderkey").unwrap(),
        inner.col("l_quantity").unwrap(),
    );
    let inner = inner.aggregate(
        vec![("l_orderkey", key.clone())],
        vec![("quantity", sum(quantity))],
    );
    let large = Expr::compare(BinaryOp::Gt, inner.col("quantity").unwrap(), int(300));
    let inner = inner
        .filter(large)
        .project(vec![("l_orderkey", key.clone())]);
    let mark = ids.column("in", SqlType::Boolean, true);
    let found = Expr::column(mark.id, mark.ty);
    let kind = ApplyKind::In {
        mark,
        needle: vec![joined.col("o_orderkey").unwrap()],
        haystack: vec![key],
    };
    let plan = joined.apply(inner, kind).filter(Expr::and([own, found]));
    let (custkey, quantity) = (
        plan.col("c_custkey").unwrap(),
        plan.col("l_quantity").unwrap(),
    );
    let plan = plan.aggregate(vec![("c_custkey", custkey)], vec![("sum", sum(quantity))]);
    trace("q18", plan.build());
}

/// NOT IN over a column that may be NULL.
#[test]
fn not_in_is_null_aware() {
    let ids = ColumnIds::new();
    let outer = Catalog::scan(&ids, "customer");
    let inner = Catalog::scan(&ids, "orders");
    let mark = ids.column("in", SqlType::Boolean, true);
    let found = Expr::column(mark.id, mark.ty);
    let kind = ApplyKind::In {
        mark,
        needle: vec![outer.col("c_custkey").unwrap()],
        haystack: vec![inner.col("o_clerk").unwrap()],
    };
    let plan = outer
        .apply(inner, kind)
        .filter(Expr::unary(UnaryOp::Not, found));
    let key = plan.col("c_custkey").unwrap();
    trace("not_in", plan.project(vec![("c_custkey", key)]).build());
}

/// Q7: what an OR over two relations says of each alone.
#[test]
fn q7_or_over_two_relations_filters_both() {
    let ids = ColumnIds::new();
    let joined =
        Catalog::scan(&ids, "customer").join(JoinKind::Left, Catalog::scan(&ids, "orders"), None);
    let segment = |value| eq(joined.col("c_mktsegment").unwrap(), text(value));
    let priority = |value| eq(joined.col("o_orderpriority").unwrap(), text(value));
    let condition = Expr::and([
        eq(
            joined.col("c_custkey").unwrap(),
            joined.col("o_custkey").unwrap(),
        ),
        Expr::Or(vec![
            Expr::and([segment("A"), priority("1")]),
            Expr::and([segment("B"), priority("2")]),
        ]),
    ]);
    let key = joined.col("c_custkey").unwrap();
    let plan = joined.filter(condition).project(vec![("c_custkey", key)]);
    trace("q7", plan.build());
}

#[test]
fn rules_have_names_and_can_be_left_out() {
    let ids = ColumnIds::new();
    let table = Catalog::scan(&ids, "orders");
    let test = eq(table.col("o_orderkey").unwrap(), int(7));
    let plan = table.filter(test).build();
    for rule in RULES {
        assert!(!rule.name().is_empty() && rule.description().ends_with('.'));
    }
    let options = OptimizerOptions {
        disabled_rules: vec!["push_down_filters".into()],
        ..OptimizerOptions::default()
    };
    let kept = optimize(plan.clone(), &Catalog, &options).unwrap();
    assert!(explain_estimated(&kept, &Catalog).starts_with("Filter o_orderkey = 7"));
    let moved = optimize(plan, &Catalog, &OptimizerOptions::default()).unwrap();
    assert!(explain_estimated(&moved, &Catalog).starts_with("Scan orders"));
}

/// A chain of 64 relations is planned by the greedy search, a star of 12 exactly.
#[test]
fn many_joins_are_planned_quickly() {
    for (relations, star) in [(64, false), (12, true), (12, false)] {
        let ids = ColumnIds::new();
        let scans: Vec<PlanBuilder<'_>> = (0..relations)
            .map(|_| Catalog::scan(&ids, "orders"))
            .collect();
        let mut conditions = Vec::new();
        for (at, scan) in scans.iter().enumerate().skip(1) {
            let other = if star { 0 } else { at - 1 };
            conditions.push(eq(
                scans[other].col("o_custkey").unwrap(),
                scan.col("o_orderkey").unwrap(),
            ));
        }
        let mut scans = scans.into_iter();
        let first = scans.next().unwrap();
        let joined = scans.fold(first, |l, r| l.join(JoinKind::Inner, r, None));
        let plan = joined.filter(Expr::and(conditions)).build();
        let start = std::time::Instant::now();
        let plan = optimize(plan, &Catalog, &OptimizerOptions::default()).unwrap();
        let took = start.elapsed();
        println!("{relations} relations, star {star}: {took:?}");
        assert!(took.as_millis() < 2_000, "{took:?}");
        let mut crosses = 0;
        count_crosses(&plan, &mut crosses);
        assert_eq!(crosses, 0);
    }
}

fn count_crosses(plan: &LogicalPlan, found: &mut usize) {
    if let LogicalPlan::Join(n) = plan {
        *found += usize::from(n.on.is_empty());
    }
    plan.for_each_input(&mut |input| count_crosses(input, found));
}

/// Nesting costs stack: a thread with little of it plans a deep tree all the same.
#[test]
fn deep_plans_are_planned_on_a_small_stack() {
    let plan = || {
        let ids = ColumnIds::new();
        let mut plan = Catalog::scan(&ids, "orders");
        for i in 0..700 {
            let mut test = eq(plan.col("o_orderkey").unwrap(), int(i));
            for _ in 0..300 {
                test = Expr::unary(UnaryOp::IsNotFalse, test);
            }
            plan = if i % 2 == 0 {
                plan.filter(test)
            } else {
                plan.distinct().limit(0, Some(1_000 + i as u64))
            };
        }
        optimize(plan.build(), &Catalog, &OptimizerOptions::default()).map(|_| ())
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(plan);
    thread.unwrap().join().unwrap().unwrap();
}

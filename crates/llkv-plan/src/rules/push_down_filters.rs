//! Filters move to where their columns come from: into scans, under joins and groups; equalities
//! between two sides become join keys.

use super::build::{conjunction, empty, equality, filter, pass, project, replace};
use crate::analysis::{is_always_true, is_never_true};
use crate::column_set::ColumnSet;
use crate::walk::NodeKinds;
use crate::{
    Aggregate, Apply, ApplyKind, Join, JoinKind, LogicalPlan, PlanColumn, Project, Projection,
    Rule, RuleContext, Scan, SetOp, UnionAll, Window,
};
use hashbrown::HashMap;
use llkv_expr::{BinaryOp, ColumnId, Expr, UnaryOp};
use llkv_result::Result;

/// The rule.
pub(super) struct PushDownFilters;

impl Rule for PushDownFilters {
    fn name(&self) -> &'static str {
        "push_down_filters"
    }

    fn description(&self) -> &'static str {
        "Conjuncts move into scans, join keys and join sides; mark joins become semi and anti joins."
    }

    fn needs(&self) -> NodeKinds {
        NodeKinds::FILTER.or(NodeKinds::JOIN)
    }

    fn rewrite(&self, plan: &mut LogicalPlan, context: &mut RuleContext<'_>) -> Result<bool> {
        context.moves_only = only_moves(plan);
        replace(plan, |plan| push(plan, Vec::new()));
        Ok(true)
    }
}

/// Are there only filters right above scans, whose conjuncts go into these as they are?
fn only_moves(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Filter(n) => matches!(*n.input, LogicalPlan::Scan(_)),
        LogicalPlan::Scan(_) | LogicalPlan::Values(_) => true,
        LogicalPlan::Project(n) => only_moves(&n.input),
        LogicalPlan::Aggregate(n) => only_moves(&n.input),
        LogicalPlan::Distinct(n) => only_moves(&n.input),
        LogicalPlan::Sort(n) => only_moves(&n.input),
        LogicalPlan::Limit(n) => only_moves(&n.input),
        _ => false,
    }
}

/// The plan with the predicates applied to its rows, as deep as they go.
pub(super) fn push(plan: LogicalPlan, mut predicates: Vec<Expr>) -> LogicalPlan {
    if predicates.iter().any(is_never_true) {
        return empty(plan.columns());
    }
    // A value that changes with each evaluation is tested where the text puts it.
    let volatile: Vec<Expr> = if predicates.iter().any(Expr::is_volatile) {
        let (volatile, rest) = predicates.into_iter().partition(Expr::is_volatile);
        predicates = rest;
        volatile
    } else {
        Vec::new()
    };
    filter(push_stable(plan, predicates), volatile)
}

fn push_stable(plan: LogicalPlan, predicates: Vec<Expr>) -> LogicalPlan {
    match plan {
        LogicalPlan::Filter(n) => {
            let mut all = n.predicate.into_conjuncts();
            all.extend(predicates);
            push(*n.input, all)
        }
        LogicalPlan::Scan(n) => into_scan(n, predicates),
        LogicalPlan::Apply(n) => through_apply(n, predicates),
        LogicalPlan::Project(n) => through_project(n, predicates),
        LogicalPlan::Join(n) => through_join(n, predicates),
        LogicalPlan::Aggregate(n) => through_aggregate(n, predicates),
        LogicalPlan::UnionAll(n) => through_union(n, &predicates),
        LogicalPlan::SetOp(n) => through_set_op(n, &predicates),
        LogicalPlan::Window(n) => through_window(n, predicates),
        LogicalPlan::Distinct(mut n) => {
            replace(&mut n.input, |input| push(input, predicates));
            LogicalPlan::Distinct(n)
        }
        LogicalPlan::Sort(mut n) if n.fetch.is_none() => {
            replace(&mut n.input, |input| push(input, predicates));
            LogicalPlan::Sort(n)
        }
        mut other => {
            other.for_each_input_mut(&mut |input| replace(input, |input| push(input, Vec::new())));
            filter(other, predicates)
        }
    }
}

/// A scan tests what it reads itself; a predicate of a subquery that reads the rows around it stays
/// above.
fn into_scan(mut n: Scan, predicates: Vec<Expr>) -> LogicalPlan {
    if predicates.is_empty() {
        return LogicalPlan::Scan(n);
    }
    let own = n.columns.iter().map(|(_, c)| c).chain(&n.row_id);
    let own: ColumnSet = own.map(|c| c.id).collect();
    let (inside, above): (Vec<Expr>, Vec<Expr>) = predicates
        .into_iter()
        .partition(|p| ColumnSet::of_expr(p).is_subset(&own));
    for predicate in inside {
        if !is_always_true(&predicate) && !n.predicates.contains(&predicate) {
            n.predicates.push(predicate);
        }
    }
    filter(LogicalPlan::Scan(n), above)
}

/// What is tested of outer rows alone is tested before their subqueries run.
fn through_apply(mut n: Apply, predicates: Vec<Expr>) -> LogicalPlan {
    let mut own = n.inner.column_set();
    if let ApplyKind::Exists { mark } | ApplyKind::In { mark, .. } = &n.kind {
        own.insert(mark.id);
    }
    let (above, below): (Vec<Expr>, Vec<Expr>) = predicates
        .into_iter()
        .partition(|p| ColumnSet::of_expr(p).intersects(&own));
    replace(&mut n.outer, |outer| push(outer, below));
    replace(&mut n.inner, |inner| push(inner, Vec::new()));
    filter(LogicalPlan::Apply(n), above)
}

/// Puts expressions in the place of columns.
fn substitute(predicate: Expr, values: &HashMap<ColumnId, &Expr>) -> Expr {
    predicate.map_columns(&mut |id| values.get(&id).map(|e| (*e).clone()))
}

fn through_project(mut n: Project, predicates: Vec<Expr>) -> LogicalPlan {
    let volatile: ColumnSet = n
        .projections
        .iter()
        .filter(|p| p.expr.is_volatile())
        .map(|p| p.column.id)
        .collect();
    let (above, below): (Vec<Expr>, Vec<Expr>) = predicates
        .into_iter()
        .partition(|p| ColumnSet::of_expr(p).intersects(&volatile));
    let values: HashMap<ColumnId, &Expr> = n
        .projections
        .iter()
        .map(|p| (p.column.id, &p.expr))
        .collect();
    let below = below.into_iter().map(|p| substitute(p, &values)).collect();
    drop(values);
    replace(&mut n.input, |input| push(input, below));
    filter(LogicalPlan::Project(n), above)
}

fn through_aggregate(mut n: Aggregate, predicates: Vec<Expr>) -> LogicalPlan {
    let keys: ColumnSet = n
        .groups
        .iter()
        .filter(|g| !g.expr.is_volatile())
        .map(|g| g.column.id)
        .collect();
    let (below, above): (Vec<Expr>, Vec<Expr>) = predicates.into_iter().partition(|p| {
        let columns = ColumnSet::of_expr(p);
        !columns.is_empty() && columns.is_subset(&keys)
    });
    let values: HashMap<ColumnId, &Expr> =
        n.groups.iter().map(|g| (g.column.id, &g.expr)).collect();
    let below = below.into_iter().map(|p| substitute(p, &values)).collect();
    drop(values);
    replace(&mut n.input, |input| push(input, below));
    filter(LogicalPlan::Aggregate(n), above)
}

/// A test of partition keys alone drops whole partitions, whose rows no other row's values come from.
fn through_window(mut n: Window, predicates: Vec<Expr>) -> LogicalPlan {
    let keys: ColumnSet = n
        .partition_by
        .iter()
        .filter_map(|e| match e {
            Expr::Column { id, .. } => Some(*id),
            _ => None,
        })
        .collect();
    let (below, above): (Vec<Expr>, Vec<Expr>) = predicates.into_iter().partition(|p| {
        let columns = ColumnSet::of_expr(p);
        !columns.is_empty() && columns.is_subset(&keys)
    });
    replace(&mut n.input, |input| push(input, below));
    filter(LogicalPlan::Window(n), above)
}

/// The predicates over the columns of an input that stand for `columns`.
fn for_input(input: &LogicalPlan, columns: &[PlanColumn], predicates: &[Expr]) -> Vec<Expr> {
    if predicates.is_empty() {
        return Vec::new();
    }
    let mut own = Vec::with_capacity(columns.len());
    input.for_each_column(&mut |c| own.push(Expr::column(c.id, c.ty)));
    let values: HashMap<ColumnId, &Expr> = columns.iter().map(|c| c.id).zip(&own).collect();
    predicates
        .iter()
        .map(|p| substitute(p.clone(), &values))
        .collect()
}

fn through_union(mut n: UnionAll, predicates: &[Expr]) -> LogicalPlan {
    for input in &mut n.inputs {
        let own = for_input(input, &n.columns, predicates);
        replace(input, |input| push(input, own));
    }
    LogicalPlan::UnionAll(n)
}

fn through_set_op(mut n: SetOp, predicates: &[Expr]) -> LogicalPlan {
    for input in [&mut n.left, &mut n.right] {
        let own = for_input(input, &n.columns, predicates);
        replace(input, |input| push(input, own));
    }
    LogicalPlan::SetOp(n)
}

/// Where the conjuncts at a join go.
#[derive(Default)]
struct Places {
    left: Vec<Expr>,
    right: Vec<Expr>,
    on: Vec<(Expr, Expr, bool)>,
    filter: Vec<Expr>,
    above: Vec<Expr>,
}

/// The columns of the two sides of a join.
struct Sides {
    left: ColumnSet,
    right: ColumnSet,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Neither,
    Left,
    Right,
    Both,
}

impl Sides {
    fn of(&self, expr: &Expr) -> Side {
        let columns = ColumnSet::of_expr(expr);
        match (
            columns.intersects(&self.left),
            columns.intersects(&self.right),
        ) {
            (false, false) => Side::Neither,
            (true, false) => Side::Left,
            (false, true) => Side::Right,
            (true, true) => Side::Both,
        }
    }

    /// The two sides of an equality, the left side's expression first.
    fn key(&self, expr: Expr) -> Result<(Expr, Expr, bool), Expr> {
        let Expr::Binary {
            op: op @ (BinaryOp::Eq | BinaryOp::IsNotDistinctFrom),
            left,
            right,
            ty,
        } = expr
        else {
            return Err(expr);
        };
        let null_equal = op == BinaryOp::IsNotDistinctFrom;
        match (self.of(&left), self.of(&right)) {
            _ if left.ty() != right.ty() => {}
            (Side::Left, Side::Right) => return Ok((*left, *right, null_equal)),
            (Side::Right, Side::Left) => return Ok((*right, *left, null_equal)),
            _ => {}
        }
        Err(Expr::Binary {
            op,
            left,
            right,
            ty,
        })
    }
}

fn through_join(mut n: Join, predicates: Vec<Expr>) -> LogicalPlan {
    let sides = Sides {
        left: n.left.column_set(),
        right: n.right.column_set(),
    };
    let mut places = Places::default();
    let columns = match n.kind {
        JoinKind::Mark => n.left.columns(),
        _ => Vec::new(),
    };
    let mut marks = Vec::new();
    for predicate in predicates {
        match sides.of(&predicate) {
            _ if n.kind == JoinKind::Inner => place_inner(predicate, &sides, &mut places),
            Side::Left if keeps_left(n.kind) && !reads_own(&n, &predicate) => {
                places.left.push(predicate);
            }
            Side::Right if n.kind == JoinKind::Right => places.right.push(predicate),
            _ if n.kind == JoinKind::Mark => marks.push(predicate),
            _ => places.above.push(predicate),
        }
    }
    let mark = settle_mark(&mut n, marks, &mut places);
    place_condition(&mut n, &sides, &mut places);
    replace(&mut n.left, |input| push(input, places.left));
    replace(&mut n.right, |input| push(input, places.right));
    n.null_equal = places.on.iter().map(|(_, _, flag)| *flag).collect();
    n.on = places.on.into_iter().map(|(l, r, _)| (l, r)).collect();
    if n.kind == JoinKind::Inner && places.filter.iter().any(is_never_true) {
        return empty(LogicalPlan::Join(n).columns());
    }
    n.filter = conjunction(places.filter);
    let mut plan = LogicalPlan::Join(n);
    if let Some((mark, value)) = mark {
        let value = Projection {
            column: mark,
            expr: Expr::boolean(value),
        };
        plan = project(plan, columns.into_iter().map(pass).chain([value]).collect());
    }
    filter(plan, places.above)
}

/// Joins that neither invent left rows nor depend on left rows that a filter above would drop.
fn keeps_left(kind: JoinKind) -> bool {
    !matches!(kind, JoinKind::Right | JoinKind::Full)
}

/// Does the predicate read a column that the join makes?
fn reads_own(n: &Join, predicate: &Expr) -> bool {
    let mut own = n.own_columns().peekable();
    own.peek().is_some() && {
        let read = ColumnSet::of_expr(predicate);
        own.any(|column| read.contains(column.id))
    }
}

/// An inner join: what stands above it and what stands in it is the same.
fn place_inner(predicate: Expr, sides: &Sides, places: &mut Places) {
    match sides.of(&predicate) {
        Side::Left => places.left.push(predicate),
        Side::Right => places.right.push(predicate),
        Side::Both => match sides.key(predicate) {
            Ok(key) => places.on.push(key),
            Err(other) => {
                places.left.extend(implied_of(&other, &sides.left));
                places.right.extend(implied_of(&other, &sides.right));
                places.filter.push(other);
            }
        },
        // A constant, or a column from around a subquery: one side suffices.
        Side::Neither => places.left.push(predicate),
    }
}

/// What `(a AND x) OR (b AND y)` implies of the side of `a` and `b`: `a OR b`.
fn implied_of(predicate: &Expr, side: &ColumnSet) -> Option<Expr> {
    let Expr::Or(branches) = predicate else {
        return None;
    };
    let mut implied = Vec::with_capacity(branches.len());
    for branch in branches {
        let own: Vec<Expr> = branch
            .conjuncts()
            .iter()
            .filter(|part| {
                let columns = ColumnSet::of_expr(part);
                !columns.is_empty() && columns.is_subset(side)
            })
            .cloned()
            .collect();
        if own.is_empty() {
            return None;
        }
        implied.push(Expr::and(own));
    }
    let mut implied = Expr::Or(implied);
    super::simplify::simplify(&mut implied);
    Some(implied)
}

/// Distributes what stands in ON.
fn place_condition(n: &mut Join, sides: &Sides, places: &mut Places) {
    let keys = std::mem::take(&mut n.on)
        .into_iter()
        .zip(std::mem::take(&mut n.null_equal))
        .map(|((l, r), flag)| (l, r, flag));
    let filter = n
        .filter
        .take()
        .map(Expr::into_conjuncts)
        .unwrap_or_default();
    if n.kind == JoinKind::Inner {
        for (left, right, null_equal) in keys {
            place_inner(equality(left, right, null_equal), sides, places);
        }
        for predicate in filter {
            if predicate.is_volatile() {
                places.filter.push(predicate);
            } else {
                place_inner(predicate, sides, places);
            }
        }
        return;
    }
    let found: Vec<(Expr, Expr, bool)> = std::mem::take(&mut places.on);
    for predicate in filter {
        let side = sides.of(&predicate);
        let left_may_shrink = matches!(n.kind, JoinKind::Semi | JoinKind::Right);
        let right_may_shrink = !matches!(n.kind, JoinKind::Right | JoinKind::Full);
        match side {
            _ if predicate.is_volatile() => places.filter.push(predicate),
            Side::Left if left_may_shrink => places.left.push(predicate),
            Side::Right | Side::Neither if right_may_shrink => places.right.push(predicate),
            Side::Both => match sides.key(predicate) {
                Ok(key) => places.on.push(key),
                Err(other) => places.filter.push(other),
            },
            _ => places.filter.push(predicate),
        }
    }
    // Pairs found come first: the last pair is the one that a null-aware join is aware of.
    places.on.extend(found);
    places.on.extend(keys);
}

/// A mark that is only tested: the mark join becomes a semi or an anti join, and the mark a constant.
fn settle_mark(
    n: &mut Join,
    predicates: Vec<Expr>,
    places: &mut Places,
) -> Option<(PlanColumn, bool)> {
    let mut settled = None;
    for predicate in predicates {
        let wanted = n.mark.as_ref().and_then(|m| mark_test(&predicate, m.id));
        match (wanted, n.mark.take()) {
            (Some(MarkTest::True), Some(mark)) => {
                n.kind = JoinKind::Semi;
                settled = Some((mark, true));
            }
            (Some(MarkTest::False), Some(mark)) => {
                n.kind = if n.null_aware_mark {
                    JoinKind::NullAwareAnti
                } else {
                    JoinKind::Anti
                };
                settled = Some((mark, false));
            }
            (_, mark) => {
                n.mark = mark;
                places.above.push(predicate);
            }
        }
        if n.mark.is_none() {
            n.null_aware_mark = false;
        }
    }
    settled
}

enum MarkTest {
    True,
    False,
}

/// Does the predicate only ask that the mark be true, or that it be false?
fn mark_test(predicate: &Expr, mark: ColumnId) -> Option<MarkTest> {
    let is_mark = |e: &Expr| matches!(e, Expr::Column { id, .. } if *id == mark);
    match predicate {
        Expr::Unary { op, expr } if is_mark(expr) => match op {
            UnaryOp::Not | UnaryOp::IsFalse => Some(MarkTest::False),
            UnaryOp::IsTrue => Some(MarkTest::True),
            _ => None,
        },
        other if is_mark(other) => Some(MarkTest::True),
        _ => None,
    }
}

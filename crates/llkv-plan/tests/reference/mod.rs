//! A naive interpreter of plans, one row at a time: what the optimizer's output is compared with.
//!
//! Values are integers or booleans (0 and 1), `None` is NULL. An [`Apply`] runs its inner plan once
//! for each outer row.

use hashbrown::HashMap;
use llkv_expr::{
    AggregateExpr, AggregateFunction, BinaryOp, ColumnId, Expr, InList, SortKey, UnaryOp,
};
use llkv_plan::{Aggregate, Apply, ApplyKind, Join, JoinKind, LogicalPlan, SetOpKind, Window};
use llkv_types::{FieldId, Scalar, TableId};

/// A value.
pub(crate) type Value = Option<i64>;
/// Values of the columns in scope.
pub(crate) type Env = HashMap<ColumnId, Value>;
/// Rows of the tables, by field.
pub(crate) type Data = HashMap<TableId, Vec<HashMap<FieldId, Value>>>;
/// A row of a node: values in the order of its columns.
pub(crate) type Row = Vec<Value>;

/// A scalar subquery with several rows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManyRows;

type Rows = Result<Vec<Row>, TooManyRows>;

/// A value of a literal.
pub(crate) fn literal(scalar: &Scalar) -> Value {
    match scalar {
        Scalar::Null(_) => None,
        Scalar::Boolean(v) => Some(i64::from(*v)),
        Scalar::Int64(v) => Some(*v),
        other => panic!("no value of {other:?}"),
    }
}

fn ids(plan: &LogicalPlan) -> Vec<ColumnId> {
    plan.columns().iter().map(|c| c.id).collect()
}

fn bind(env: &Env, ids: &[ColumnId], row: &[Value]) -> Env {
    assert_eq!(ids.len(), row.len());
    let mut env = env.clone();
    env.extend(ids.iter().copied().zip(row.iter().copied()));
    env
}

fn truth(value: bool) -> Value {
    Some(i64::from(value))
}

fn not(value: Value) -> Value {
    value.map(|v| i64::from(v == 0))
}

fn compare(op: BinaryOp, l: Value, r: Value) -> Value {
    match op {
        BinaryOp::IsDistinctFrom => return truth(l != r),
        BinaryOp::IsNotDistinctFrom => return truth(l == r),
        _ => {}
    }
    let (l, r) = (l?, r?);
    truth(match op {
        BinaryOp::Eq => l == r,
        BinaryOp::NotEq => l != r,
        BinaryOp::Lt => l < r,
        BinaryOp::LtEq => l <= r,
        BinaryOp::Gt => l > r,
        BinaryOp::GtEq => l >= r,
        BinaryOp::Add => return Some(l.wrapping_add(r)),
        BinaryOp::Subtract => return Some(l.wrapping_sub(r)),
        BinaryOp::Multiply => return Some(l.wrapping_mul(r)),
        other => panic!("no operator {other}"),
    })
}

/// Value of an expression.
pub(crate) fn eval(expr: &Expr, env: &Env) -> Value {
    match expr {
        Expr::Column { id, .. } => *env.get(id).unwrap_or_else(|| panic!("no column {id}")),
        Expr::Literal(scalar) => literal(scalar),
        Expr::Unary { op, expr } => {
            let v = eval(expr, env);
            match op {
                UnaryOp::Negate => v.map(i64::wrapping_neg),
                UnaryOp::Not => not(v),
                UnaryOp::IsNull => truth(v.is_none()),
                UnaryOp::IsNotNull => truth(v.is_some()),
                UnaryOp::IsTrue => truth(v == Some(1)),
                UnaryOp::IsNotTrue => truth(v != Some(1)),
                UnaryOp::IsFalse => truth(v == Some(0)),
                UnaryOp::IsNotFalse => truth(v != Some(0)),
                UnaryOp::BitNot => v.map(|v| !v),
            }
        }
        Expr::Binary {
            op, left, right, ..
        } => compare(*op, eval(left, env), eval(right, env)),
        Expr::And(parts) => fold_logic(parts.iter().map(|p| eval(p, env)), 0),
        Expr::Or(parts) => fold_logic(parts.iter().map(|p| eval(p, env)), 1),
        Expr::Case {
            branches,
            otherwise,
            ..
        } => branches
            .iter()
            .find(|(condition, _)| eval(condition, env) == Some(1))
            .map(|(_, result)| eval(result, env))
            .unwrap_or_else(|| otherwise.as_ref().and_then(|e| eval(e, env))),
        Expr::InList {
            expr,
            list,
            negated,
        } => {
            let needle = eval(expr, env);
            let items: Vec<Value> = match list {
                InList::Exprs(items) => items.iter().map(|e| eval(e, env)).collect(),
                InList::Values(array) => (0..array.len())
                    .map(|i| literal(&Scalar::from_array(array.as_ref(), i).unwrap()))
                    .collect(),
            };
            let found = fold_logic(
                items.into_iter().map(|i| compare(BinaryOp::Eq, needle, i)),
                1,
            );
            if *negated { not(found) } else { found }
        }
        other => panic!("no expression {other}"),
    }
}

/// AND (`decisive` 0) and OR (`decisive` 1).
fn fold_logic(values: impl Iterator<Item = Value>, decisive: i64) -> Value {
    let mut result = Some(1 - decisive);
    for value in values {
        if value == Some(decisive) {
            return value;
        }
        if value.is_none() {
            result = None;
        }
    }
    result
}

/// Rows with their numbers within their partitions: the only windows that rules make.
fn numbered(n: &Window, env: &Env, data: &Data) -> Rows {
    let own = ids(&n.input);
    let rows = sorted(run(&n.input, env, data)?, &own, &n.order_by, env);
    let mut counts: Vec<(Row, i64)> = Vec::new();
    let number = |mut row: Row| {
        let env = bind(env, &own, &row);
        let key: Row = n.partition_by.iter().map(|e| eval(e, &env)).collect();
        let at = counts.iter().position(|(known, _)| *known == key);
        let at = at.unwrap_or_else(|| {
            counts.push((key, 0));
            counts.len() - 1
        });
        counts[at].1 += 1;
        for (_, call) in &n.functions {
            assert_eq!(call.to_string(), "row_number()");
            row.push(Some(counts[at].1));
        }
        row
    };
    Ok(rows.into_iter().map(number).collect())
}

/// Rows of a plan; `env` holds the columns around it.
pub(crate) fn run(plan: &LogicalPlan, env: &Env, data: &Data) -> Rows {
    Ok(match plan {
        LogicalPlan::Scan(n) => {
            let own = ids(plan);
            data[&n.table]
                .iter()
                .map(|fields| n.columns.iter().map(|(f, _)| fields[f]).collect::<Row>())
                .filter(|row| {
                    let env = bind(env, &own, row);
                    n.predicates.iter().all(|p| eval(p, &env) == Some(1))
                })
                .collect()
        }
        LogicalPlan::Values(n) => n
            .batches
            .iter()
            .flat_map(|b| {
                (0..b.num_rows()).map(|i| {
                    b.columns()
                        .iter()
                        .map(|c| literal(&Scalar::from_array(c.as_ref(), i).unwrap()))
                        .collect()
                })
            })
            .collect(),
        LogicalPlan::Filter(n) => {
            let own = ids(&n.input);
            let mut rows = run(&n.input, env, data)?;
            rows.retain(|row| eval(&n.predicate, &bind(env, &own, row)) == Some(1));
            rows
        }
        LogicalPlan::Project(n) => {
            let own = ids(&n.input);
            run(&n.input, env, data)?
                .iter()
                .map(|row| {
                    let env = bind(env, &own, row);
                    n.projections.iter().map(|p| eval(&p.expr, &env)).collect()
                })
                .collect()
        }
        LogicalPlan::Join(n) => join(n, env, data)?,
        LogicalPlan::Apply(n) => apply(n, env, data)?,
        LogicalPlan::Aggregate(n) => aggregate(n, env, data)?,
        LogicalPlan::Distinct(n) => {
            let mut seen = Vec::new();
            for row in run(&n.input, env, data)? {
                if !seen.contains(&row) {
                    seen.push(row);
                }
            }
            seen
        }
        LogicalPlan::Sort(n) => {
            let own = ids(&n.input);
            let rows = run(&n.input, env, data)?;
            let mut rows = sorted(rows, &own, &n.keys, env);
            rows.truncate(n.fetch.map_or(usize::MAX, |f| f as usize));
            rows
        }
        LogicalPlan::Limit(n) => run(&n.input, env, data)?
            .into_iter()
            .skip(n.skip as usize)
            .take(n.fetch.map_or(usize::MAX, |f| f as usize))
            .collect(),
        LogicalPlan::Window(n) => numbered(n, env, data)?,
        LogicalPlan::Shared(n) => run(&n.input, env, data)?,
        LogicalPlan::UnionAll(n) => {
            let mut rows = Vec::new();
            for input in &n.inputs {
                rows.extend(run(input, env, data)?);
            }
            rows
        }
        LogicalPlan::SetOp(n) => {
            let mut left = run(&n.left, env, data)?;
            let mut right = run(&n.right, env, data)?;
            if !n.all {
                left.sort();
                left.dedup();
            }
            left.retain(|row| {
                let found = right.iter().position(|r| r == row);
                if let (true, Some(at)) = (n.all, found) {
                    right.remove(at);
                }
                found.is_some() == (n.kind == SetOpKind::Intersect)
            });
            left
        }
        other => panic!("no plan {other:?}"),
    })
}

fn sorted(mut rows: Vec<Row>, own: &[ColumnId], keys: &[SortKey], env: &Env) -> Vec<Row> {
    rows.sort_by_cached_key(|row| {
        let env = bind(env, own, row);
        keys.iter()
            .map(|key| {
                let value = eval(&key.expr, &env);
                let null_rank = if key.nulls_first { -1 } else { 1 };
                let sign = if key.descending { -1 } else { 1 };
                value.map_or((null_rank, 0), |v| (0, v * sign))
            })
            .collect::<Vec<_>>()
    });
    rows
}

fn join(n: &Join, env: &Env, data: &Data) -> Rows {
    let (left_ids, right_ids) = (ids(&n.left), ids(&n.right));
    let left = run(&n.left, env, data)?;
    let right = run(&n.right, env, data)?;
    let key = |l: &Expr, r: &Expr, null_equal: bool, env: &Env| {
        let op = if null_equal {
            BinaryOp::IsNotDistinctFrom
        } else {
            BinaryOp::Eq
        };
        compare(op, eval(l, env), eval(r, env))
    };
    let aware = n.null_aware_mark || n.kind == JoinKind::NullAwareAnti;
    let plain_keys = n.on.len() - usize::from(aware);
    let mut out = Vec::new();
    let mut right_matched = vec![false; right.len()];
    for l in &left {
        let left_env = bind(env, &left_ids, l);
        let mut matches = Vec::new();
        let mut verdict = Some(0);
        for (i, r) in right.iter().enumerate() {
            let pair = bind(&left_env, &right_ids, r);
            let group =
                n.on.iter()
                    .zip(&n.null_equal)
                    .take(plain_keys)
                    .all(|((a, b), flag)| key(a, b, *flag, &pair) == Some(1))
                    && n.filter.as_ref().is_none_or(|f| eval(f, &pair) == Some(1));
            if !group {
                continue;
            }
            let last = if aware {
                let (a, b) = n.on.last().unwrap();
                key(a, b, *n.null_equal.last().unwrap(), &pair)
            } else {
                Some(1)
            };
            verdict = fold_logic([verdict, last].into_iter(), 1);
            if last == Some(1) {
                right_matched[i] = true;
                matches.push(r);
            }
        }
        let nulls = vec![None; right_ids.len()];
        let with = |r: &Row| l.iter().chain(r).copied().collect::<Row>();
        match n.kind {
            JoinKind::Inner | JoinKind::Right => out.extend(matches.into_iter().map(with)),
            JoinKind::Left | JoinKind::Full | JoinKind::Single => {
                if n.kind == JoinKind::Single && matches.len() > 1 {
                    return Err(TooManyRows);
                }
                if matches.is_empty() {
                    out.push(with(&nulls));
                }
                out.extend(matches.into_iter().map(with));
            }
            JoinKind::Semi if !matches.is_empty() => out.push(l.clone()),
            JoinKind::Anti if matches.is_empty() => out.push(l.clone()),
            JoinKind::NullAwareAnti if verdict == Some(0) => out.push(l.clone()),
            JoinKind::Mark => out.push(l.iter().copied().chain([verdict]).collect()),
            JoinKind::Group => {
                let rows: Vec<Row> = matches.into_iter().cloned().collect();
                let calls = n.aggregates.iter();
                let values = calls.map(|(_, call)| call_value(call, &rows, &right_ids, &left_env));
                out.push(l.iter().copied().chain(values).collect());
            }
            _ => {}
        }
    }
    if matches!(n.kind, JoinKind::Right | JoinKind::Full) {
        for (r, matched) in right.iter().zip(right_matched) {
            if !matched {
                out.push(
                    vec![None; left_ids.len()]
                        .into_iter()
                        .chain(r.clone())
                        .collect(),
                );
            }
        }
    }
    Ok(out)
}

fn apply(n: &Apply, env: &Env, data: &Data) -> Rows {
    let (outer_ids, inner_ids) = (ids(&n.outer), ids(&n.inner));
    let mut out = Vec::new();
    for row in run(&n.outer, env, data)? {
        let env = bind(env, &outer_ids, &row);
        let inner = run(&n.inner, &env, data)?;
        let with = |more: &[Value]| row.iter().chain(more).copied().collect::<Row>();
        match &n.kind {
            ApplyKind::Cross => out.extend(inner.iter().map(|r| with(r))),
            ApplyKind::Left | ApplyKind::Scalar { .. } if inner.is_empty() => {
                out.push(with(&vec![None; inner_ids.len()]));
            }
            ApplyKind::Left => out.extend(inner.iter().map(|r| with(r))),
            ApplyKind::Scalar { first_row } => {
                if inner.len() > 1 && !first_row {
                    return Err(TooManyRows);
                }
                out.push(with(&inner[0]));
            }
            ApplyKind::Exists { .. } => out.push(with(&[truth(!inner.is_empty())])),
            ApplyKind::In {
                needle, haystack, ..
            } => {
                let found = inner.iter().map(|r| {
                    let pair = bind(&env, &inner_ids, r);
                    let equal = needle
                        .iter()
                        .zip(haystack)
                        .map(|(a, b)| compare(BinaryOp::Eq, eval(a, &pair), eval(b, &pair)));
                    fold_logic(equal, 0)
                });
                out.push(with(&[fold_logic(found, 1)]));
            }
        }
    }
    Ok(out)
}

/// The value of a call over rows of the columns `own`.
fn call_value(call: &AggregateExpr, rows: &[Row], own: &[ColumnId], env: &Env) -> Value {
    let rows = sorted(rows.to_vec(), own, &call.order_by, env);
    let scopes: Vec<Env> = rows
        .iter()
        .map(|row| bind(env, own, row))
        .filter(|scope| {
            call.filter
                .as_ref()
                .is_none_or(|f| eval(f, scope) == Some(1))
        })
        .collect();
    let mut values: Vec<Value> = match call.args.first() {
        Some(arg) => scopes.iter().map(|scope| eval(arg, scope)).collect(),
        None => vec![Some(1); scopes.len()],
    };
    if call.distinct {
        values.sort();
        values.dedup();
    }
    let known = || values.iter().copied().flatten();
    match call.function {
        AggregateFunction::CountStar => Some(scopes.len() as i64),
        AggregateFunction::Count => Some(known().count() as i64),
        AggregateFunction::Sum => known().reduce(i64::wrapping_add),
        AggregateFunction::Min => known().min(),
        AggregateFunction::Max => known().max(),
        AggregateFunction::First => values.first().copied().flatten(),
        other => panic!("no aggregate {other:?}"),
    }
}

fn aggregate(n: &Aggregate, env: &Env, data: &Data) -> Rows {
    let own = ids(&n.input);
    let mut groups: Vec<(Row, Vec<Row>)> = Vec::new();
    if n.groups.is_empty() {
        groups.push((Vec::new(), Vec::new()));
    }
    for row in run(&n.input, env, data)? {
        let scope = bind(env, &own, &row);
        let key: Row = n.groups.iter().map(|g| eval(&g.expr, &scope)).collect();
        match groups.iter_mut().find(|(k, _)| *k == key) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((key, vec![row])),
        }
    }
    let mut out = Vec::new();
    for (mut key, rows) in groups {
        for (_, call) in &n.aggregates {
            key.push(call_value(call, &rows, &own, env));
        }
        out.push(key);
    }
    Ok(out)
}

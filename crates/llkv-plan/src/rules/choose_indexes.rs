//! A scan of which few rows are wanted looks them up by an index.

use crate::walk::NodeKinds;
use crate::{IndexChoice, IndexInfo, IndexUse, LogicalPlan, Rule, RuleContext, Scan};
use llkv_compute::functions::test_of_keys;
use llkv_expr::{BinaryOp, ColumnId, Expr, InList, LikeCase, UnaryOp};
use llkv_result::Result;
use llkv_types::{FieldId, Scalar};
use std::borrow::Cow;

/// A row that is looked up costs as much as so many that are looked through: it is fetched alone, while a
/// scan decodes and tests whole blocks.
const LOOKUP_COST: f64 = 40.0;
/// Tables of fewer rows are looked through in less time than an index takes to answer.
const LEAST_ROWS: f64 = 500.0;

/// Rows expected between two bounds that are not known yet: who asks for a slice between parameters rarely
/// wants the whole, and the index gives way to a scan where there are many.
const OPEN_SLICE_ROWS: f64 = 100.0;

/// The rule.
pub(super) struct ChooseIndexes;

impl Rule for ChooseIndexes {
    fn name(&self) -> &'static str {
        "choose_indexes"
    }

    fn description(&self) -> &'static str {
        "Looks rows up by an index where predicates leave few of them."
    }

    fn needs(&self) -> NodeKinds {
        NodeKinds::LEAF
    }

    fn rewrite(&self, plan: &mut LogicalPlan, context: &mut RuleContext<'_>) -> Result<bool> {
        let mut changed = false;
        walk(plan, context, &mut changed);
        Ok(changed)
    }
}

fn walk(plan: &mut LogicalPlan, context: &RuleContext<'_>, changed: &mut bool) {
    if let LogicalPlan::Scan(scan) = plan {
        let chosen = choose(scan, context);
        *changed |= chosen != scan.index;
        scan.index = chosen;
        return;
    }
    plan.for_each_input_mut(&mut |input| walk(input, context, changed));
}

/// The index that leaves the fewest rows, if it leaves few enough.
fn choose(scan: &Scan, context: &RuleContext<'_>) -> Option<IndexChoice> {
    let always = context.index_use == IndexUse::Always;
    if scan.predicates.is_empty() || context.index_use == IndexUse::Never {
        return None;
    }
    let all = context.estimator.rows_of_table(scan.table);
    if all < LEAST_ROWS && !always {
        return None;
    }
    let conjuncts: Vec<&Expr> = scan.predicates.iter().flat_map(Expr::conjuncts).collect();
    let mut best: Option<(f64, IndexInfo)> = None;
    for index in context.estimator.indexes(scan.table) {
        let Some(rows) = rows_by(&index, scan, &conjuncts, context) else {
            continue;
        };
        if best.as_ref().is_none_or(|(least, _)| rows < *least) {
            best = Some((rows, index));
        }
    }
    let (rows, index) = best?;
    (always || rows * LOOKUP_COST < all).then_some(IndexChoice {
        id: index.id,
        name: index.name,
    })
}

/// Rows that the index finds; `None` where no predicate tests its first column.
fn rows_by(
    index: &IndexInfo,
    scan: &Scan,
    conjuncts: &[&Expr],
    context: &RuleContext<'_>,
) -> Option<f64> {
    let mut used: Vec<Expr> = Vec::new();
    let mut points = 1.0;
    let mut fixed = 0;
    for (at, field) in index.fields.iter().enumerate() {
        let column = column_of(scan, *field);
        let collation = index.collations.get(at).copied().unwrap_or_default();
        let tests = conjuncts.iter().filter_map(|expr| {
            // The keys of a column are found by what tests those keys, and by nothing else.
            let expr = match collation.is_binary() {
                true => Cow::Borrowed(*expr),
                false => {
                    let (test, of_keys) = test_of_keys(expr)?;
                    (of_keys == collation).then_some(Cow::Owned(test))?
                }
            };
            let (id, test) = tested(&expr)?;
            (Some(id) == column).then_some((test, expr))
        });
        let tests: Vec<(Tested, Cow<'_, Expr>)> = tests.collect();
        let values = tests.iter().find_map(|(test, expr)| match test {
            Tested::Values(count) => Some((*count, expr)),
            Tested::Range => None,
        });
        let Some((count, expr)) = values else {
            used.extend(tests.into_iter().map(|(_, expr)| expr.into_owned()));
            break;
        };
        used.push(expr.as_ref().clone());
        points *= count as f64;
        fixed += 1;
    }
    if used.is_empty() {
        return None;
    }
    let is_open_slice = used.len() > fixed + 1 && used.iter().skip(fixed).any(has_parameter);
    let rows = rows_of(scan, used, context);
    let rows = if is_open_slice {
        rows.min(OPEN_SLICE_ROWS)
    } else {
        rows
    };
    let is_whole_key = index.unique && fixed == index.fields.len();
    Some(if is_whole_key { rows.min(points) } else { rows })
}

fn rows_of(scan: &Scan, predicates: Vec<Expr>, context: &RuleContext<'_>) -> f64 {
    let scan = Scan {
        predicates,
        ..scan.clone()
    };
    context.estimator.of(&LogicalPlan::Scan(scan)).rows
}

fn column_of(scan: &Scan, field: FieldId) -> Option<ColumnId> {
    let found = scan.columns.iter().find(|(of, _)| *of == field);
    found.map(|(_, column)| column.id)
}

fn has_parameter(expr: &Expr) -> bool {
    let mut found = false;
    expr.visit(&mut |expr| found |= matches!(expr, Expr::Parameter { .. }));
    found
}

/// True for a value that is there when the statement runs: a constant that is not NULL, or what parameters
/// make of it.
fn is_known_value(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value) => !value.is_null(),
        Expr::Parameter { .. } => true,
        Expr::Binary { left, right, .. } => is_known_value(left) && is_known_value(right),
        Expr::Cast { expr, .. } => is_known_value(expr),
        _ => false,
    }
}

/// What a conjunct lets a column be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tested {
    /// One of so many values.
    Values(usize),
    Range,
}

/// The column that a conjunct tests against constants, and how.
fn tested(expr: &Expr) -> Option<(ColumnId, Tested)> {
    match expr {
        Expr::Binary {
            op, left, right, ..
        } => {
            let column = match (left.as_ref(), right.as_ref()) {
                (Expr::Column { id, .. }, other) | (other, Expr::Column { id, .. })
                    if is_known_value(other) =>
                {
                    *id
                }
                _ => return None,
            };
            match op {
                BinaryOp::Eq | BinaryOp::IsNotDistinctFrom => Some((column, Tested::Values(1))),
                BinaryOp::Lt | BinaryOp::LtEq | BinaryOp::Gt | BinaryOp::GtEq => {
                    Some((column, Tested::Range))
                }
                _ => None,
            }
        }
        Expr::Unary { op, expr } => match (op, expr.as_ref()) {
            (UnaryOp::IsNull, Expr::Column { id, .. }) => Some((*id, Tested::Values(1))),
            _ => None,
        },
        Expr::InList {
            expr,
            list,
            negated: false,
        } => match (expr.as_ref(), list) {
            (Expr::Column { id, .. }, InList::Values(values)) => {
                Some((*id, Tested::Values(values.len())))
            }
            (Expr::Column { id, .. }, InList::Exprs(items)) => {
                let constant = items.iter().all(|item| item.as_literal().is_some());
                constant.then_some((*id, Tested::Values(items.len())))
            }
            _ => None,
        },
        Expr::Or(parts) => {
            let mut columns = parts.iter().map(|part| match tested(part) {
                Some((id, Tested::Values(1))) => Some(id),
                _ => None,
            });
            let first = columns.next()??;
            let same = columns.all(|id| id == Some(first));
            same.then_some((first, Tested::Values(parts.len())))
        }
        Expr::Like {
            expr,
            pattern,
            escape: None,
            case: LikeCase::Matters,
            negated: false,
        } => match (expr.as_ref(), pattern.as_literal()) {
            (Expr::Column { id, .. }, Some(Scalar::Text(pattern)))
                if !pattern.starts_with(['%', '_']) && !pattern.contains(['_', '\\']) =>
            {
                Some((*id, Tested::Range))
            }
            _ => None,
        },
        _ => None,
    }
}

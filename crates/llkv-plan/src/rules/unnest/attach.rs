//! Joins a subquery that depends on nothing any more to the rows around it.

use crate::analysis::{at_most_one_row, exactly_one_row};
use crate::column_set::ColumnSet;
use crate::rules::build::{column, join, pass, project};
use crate::rules::rebind::{Renaming, fresh_copy, rename, rename_expr};
use crate::{ApplyKind, Join, JoinKind, Limit, LogicalPlan, PlanColumn, Projection, RuleContext};
use llkv_expr::{ColumnId, Expr, UnaryOp};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType};

/// What links the rows of a subquery to the outer ones.
#[derive(Default)]
pub(super) struct Link {
    /// Equalities: over the outer columns, over the inner ones, does NULL equal NULL.
    pub(super) keys: Vec<(Expr, Expr, bool)>,
    /// Other conditions on pairs.
    pub(super) filter: Vec<Expr>,
    /// Where an outer row without a match has a row nevertheless: its values (an aggregate of
    /// no rows). A column that is missing is NULL in it.
    pub(super) default: Option<Vec<(ColumnId, Expr)>>,
}

impl Link {
    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.filter.is_empty()
    }
}

/// The join that stands for an Apply.
pub(super) fn attach(
    outer: LogicalPlan,
    inner: LogicalPlan,
    kind: ApplyKind,
    link: Link,
    context: &mut RuleContext<'_>,
) -> Result<LogicalPlan> {
    Ok(match kind {
        ApplyKind::Cross => match link.default {
            None => join_of(outer, inner, JoinKind::Inner, link),
            Some(_) => with_default(outer, inner, link, context),
        },
        ApplyKind::Left => match link.default {
            None => join_of(outer, inner, JoinKind::Left, link),
            Some(_) => with_default(outer, inner, link, context),
        },
        ApplyKind::Scalar { .. } => {
            if link.default.is_some() {
                with_default(outer, inner, link, context)
            } else if link.is_empty() && exactly_one_row(&inner) {
                join_of(outer, inner, JoinKind::Inner, link)
            } else if at_most_one_row(&inner) {
                join_of(outer, inner, JoinKind::Left, link)
            } else {
                join_of(outer, inner, JoinKind::Single, link)
            }
        }
        ApplyKind::Exists { mark } => {
            if link.default.is_some() || (link.is_empty() && exactly_one_row(&inner)) {
                add_column(outer, mark, Expr::boolean(true))
            } else {
                let inner = if link.is_empty() { first(inner) } else { inner };
                mark_join(outer, inner, mark, link, false)
            }
        }
        ApplyKind::In {
            mark,
            needle,
            haystack,
        } => is_in(
            outer,
            inner,
            mark,
            needle.into_iter().zip(haystack),
            link,
            context,
        ),
    })
}

fn join_of(outer: LogicalPlan, inner: LogicalPlan, kind: JoinKind, link: Link) -> LogicalPlan {
    LogicalPlan::Join(join(outer, inner, kind, link.keys, link.filter))
}

/// Whether there is a row at all is known from one.
fn first(inner: LogicalPlan) -> LogicalPlan {
    LogicalPlan::Limit(Limit {
        input: Box::new(inner),
        skip: 0,
        fetch: Some(1),
    })
}

fn mark_join(
    outer: LogicalPlan,
    inner: LogicalPlan,
    mark: PlanColumn,
    link: Link,
    null_aware_mark: bool,
) -> LogicalPlan {
    LogicalPlan::Join(Join {
        mark: Some(mark),
        null_aware_mark,
        ..join(outer, inner, JoinKind::Mark, link.keys, link.filter)
    })
}

/// The rows with one column more.
fn add_column(input: LogicalPlan, added: PlanColumn, expr: Expr) -> LogicalPlan {
    let mut projections: Vec<Projection> = input.columns().into_iter().map(pass).collect();
    projections.push(Projection {
        column: added,
        expr,
    });
    project(input, projections)
}

/// A left join in which rows without a match take the values of the default row.
fn with_default(
    outer: LogicalPlan,
    mut inner: LogicalPlan,
    mut link: Link,
    context: &mut RuleContext<'_>,
) -> LogicalPlan {
    let defaults: Vec<(ColumnId, Expr)> = link
        .default
        .take()
        .unwrap_or_default()
        .into_iter()
        .filter(|(_, e)| !e.as_literal().is_some_and(Scalar::is_null))
        .collect();
    if defaults.is_empty() {
        return join_of(outer, inner, JoinKind::Left, link);
    }
    // The columns that get a default are made anew above the join, so they need another name below.
    let mut outputs = outer.columns();
    let inner_columns = inner.columns();
    let renaming: Renaming = defaults
        .iter()
        .map(|(id, e)| (*id, context.fresh("", e.ty(), true).id))
        .collect();
    rename(&mut inner, &renaming);
    for (_, key, _) in &mut link.keys {
        rename_expr(key, &renaming);
    }
    for predicate in &mut link.filter {
        rename_expr(predicate, &renaming);
    }
    let matched = context.fresh("matched", SqlType::Boolean, false);
    let inner = add_column(inner, matched.clone(), Expr::boolean(true));
    let joined = join_of(outer, inner, JoinKind::Left, link);
    let unmatched = Expr::unary(UnaryOp::IsNull, column(&matched));
    let mut projections: Vec<Projection> = outputs.drain(..).map(pass).collect();
    for c in inner_columns {
        let default = defaults.iter().find(|(id, _)| *id == c.id);
        projections.push(match (default, renaming.get(&c.id)) {
            (Some((_, value)), Some(below)) => Projection {
                expr: Expr::Case {
                    branches: vec![(unmatched.clone(), value.clone())],
                    otherwise: Some(Box::new(Expr::column(*below, c.ty))),
                    ty: c.ty,
                },
                column: c,
            },
            _ => pass(PlanColumn {
                nullable: true,
                ..c
            }),
        });
    }
    project(joined, projections)
}

/// Can the value be NULL?
fn may_be_null(expr: &Expr, columns: &[PlanColumn]) -> bool {
    match expr {
        Expr::Literal(value) => value.is_null(),
        Expr::Column { id, .. } => columns
            .iter()
            .find(|c| c.id == *id)
            .is_none_or(|c| c.nullable),
        _ => true,
    }
}

fn is_in(
    outer: LogicalPlan,
    inner: LogicalPlan,
    mark: PlanColumn,
    pairs: impl Iterator<Item = (Expr, Expr)>,
    mut link: Link,
    context: &mut RuleContext<'_>,
) -> LogicalPlan {
    let pairs: Vec<(Expr, Expr)> = pairs.collect();
    let (around, inside) = (outer.columns(), inner.columns());
    let three_valued = pairs
        .iter()
        .any(|(l, r)| may_be_null(l, &around) || may_be_null(r, &inside));
    if !three_valued || (pairs.len() == 1 && link.filter.is_empty()) {
        link.keys
            .extend(pairs.into_iter().map(|(l, r)| (l, r, false)));
        return mark_join(outer, inner, mark, link, three_valued);
    }
    // TRUE where a row is equal; else NULL where a row might be; else FALSE.
    let (copy, renaming) = fresh_copy(&inner, context);
    let mut maybe = Link::default();
    for (l, r, flag) in &link.keys {
        let mut r = r.clone();
        rename_expr(&mut r, &renaming);
        maybe.keys.push((l.clone(), r, *flag));
    }
    for predicate in &link.filter {
        let mut predicate = predicate.clone();
        rename_expr(&mut predicate, &renaming);
        maybe.filter.push(predicate);
    }
    for (l, r) in &pairs {
        let mut r = r.clone();
        rename_expr(&mut r, &renaming);
        maybe.filter.push(might_be_equal(l.clone(), r));
    }
    link.keys
        .extend(pairs.into_iter().map(|(l, r)| (l, r, false)));
    let equal = context.fresh("equal", SqlType::Boolean, false);
    let possible = context.fresh("possible", SqlType::Boolean, false);
    let joined = mark_join(outer, inner, equal.clone(), link, false);
    let joined = mark_join(joined, copy, possible.clone(), maybe, false);
    let value = Expr::Case {
        branches: vec![
            (column(&equal), Expr::boolean(true)),
            (
                column(&possible),
                Expr::Literal(Scalar::Null(SqlType::Boolean)),
            ),
        ],
        otherwise: Some(Box::new(Expr::boolean(false))),
        ty: SqlType::Boolean,
    };
    let mut projections: Vec<Projection> = around.into_iter().map(pass).collect();
    projections.push(Projection {
        column: mark,
        expr: value,
    });
    project(joined, projections)
}

/// `l = r` is not false.
fn might_be_equal(l: Expr, r: Expr) -> Expr {
    Expr::Or(vec![
        Expr::compare(llkv_expr::BinaryOp::Eq, l.clone(), r.clone()),
        Expr::unary(UnaryOp::IsNull, l),
        Expr::unary(UnaryOp::IsNull, r),
    ])
}

/// The link that predicates over both sides make.
pub(super) fn link_of(
    predicates: Vec<Expr>,
    default: Option<Vec<(ColumnId, Expr)>>,
    outer: &ColumnSet,
) -> Link {
    let mut link = Link {
        default,
        ..Link::default()
    };
    for predicate in predicates {
        match super::equality_with_outer(&predicate, outer) {
            Some(key) => link.keys.push(key),
            None => link.filter.push(predicate),
        }
    }
    link
}

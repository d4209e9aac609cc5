//! Subqueries in expressions: each becomes an `Apply` on the rows of its frame.

use super::Binder;
use super::collations::Collated;
use super::frame::{Frame, KnownSubquery, PendingApply};
use super::predicates::negate;
use llkv_expr::Expr;
use llkv_plan::{ApplyKind, LogicalPlan, PlanColumn, Project, Projection};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType};
use sqlparser::ast;

/// Levels of a subquery that is looked for among others: more would take much stack to copy and to compare.
const MAX_KNOWN_DEPTH: usize = 32;

/// Stack for that.
const KNOWN_BYTES: usize = 1 << 20;

impl Binder<'_> {
    /// A subquery in an expression. Written twice in a query with GROUP BY, it is one value: computed once, and one key.
    pub(super) fn bind_subquery(&mut self, node: &ast::Expr) -> Result<Expr> {
        let may_be_known = self.frames.last().is_some_and(Frame::knows_subqueries);
        let known = || self.known_subquery(node);
        if may_be_known
            && let Some((known, collated)) =
                stacker::maybe_grow(KNOWN_BYTES, 2 * KNOWN_BYTES, known)
        {
            self.note_collated(collated);
            return Ok(known);
        }
        let waiting = self.frames.last().map_or(0, |frame| frame.pending.len());
        let outer = std::mem::replace(&mut self.deepest, self.depth);
        let value = match node {
            ast::Expr::InSubquery {
                expr,
                subquery,
                negated,
            } => self.bind_in_subquery(expr, subquery, *negated, node)?,
            ast::Expr::Exists { subquery, negated } => self.bind_exists(subquery, *negated)?,
            ast::Expr::Subquery(query) => self.bind_scalar_subquery(query, node)?,
            other => return self.unsupported("a subquery of this kind", other),
        };
        if may_be_known && self.deepest - self.depth <= MAX_KNOWN_DEPTH {
            let remember = || self.remember_subquery(node, &value, waiting);
            stacker::maybe_grow(KNOWN_BYTES, 2 * KNOWN_BYTES, remember);
        }
        self.deepest = self.deepest.max(outer);
        Ok(value)
    }

    #[inline(never)]
    fn known_subquery(&self, node: &ast::Expr) -> Option<(Expr, Collated)> {
        let frame = self.frames.last()?;
        let known = frame.known.iter().find(|known| known.text == *node)?;
        Some((known.value.clone(), known.collated))
    }

    /// `waiting`: how many subqueries waited in the frame before it.
    #[inline(never)]
    fn remember_subquery(&mut self, node: &ast::Expr, value: &Expr, waiting: usize) {
        let collated = self.collated_last();
        if let Some(frame) = self.frames.last_mut()
            && let Some(added) = frame.pending.get(waiting..)
            && added.iter().all(PendingApply::may_be_repeated)
        {
            frame.known.push(KnownSubquery {
                text: node.clone(),
                value: value.clone(),
                collated,
            });
        }
    }

    /// `(SELECT ...)` as a value.
    fn bind_scalar_subquery(&mut self, query: &ast::Query, node: &ast::Expr) -> Result<Expr> {
        let inner = self.bind_query(query)?;
        let columns = inner.columns();
        let [column] = columns.as_slice() else {
            return self.invalid(
                format!("a subquery used as a value has {} columns", columns.len()),
                node,
            );
        };
        let value = Expr::column(column.id, column.ty);
        let kind = ApplyKind::Scalar {
            first_row: self.dialect.scalar_subquery_first_row(),
        };
        self.apply(inner, kind, node)?;
        Ok(value)
    }

    /// `[NOT] EXISTS (SELECT ...)`
    pub(super) fn bind_exists(&mut self, query: &ast::Query, negated: bool) -> Result<Expr> {
        let inner = self.bind_query(query)?;
        let mark = self.new_column("exists", SqlType::Boolean, false);
        let value = Expr::column(mark.id, mark.ty);
        self.apply(inner, ApplyKind::Exists { mark }, query)?;
        Ok(negate(value, negated))
    }

    /// `x [NOT] IN (SELECT ...)`, `(x, y) IN (SELECT ...)`
    pub(super) fn bind_in_subquery(
        &mut self,
        value: &ast::Expr,
        query: &ast::Query,
        negated: bool,
        node: &ast::Expr,
    ) -> Result<Expr> {
        let mut parts = value;
        while let ast::Expr::Nested(inner) = parts {
            parts = inner;
        }
        let parts = match parts {
            ast::Expr::Tuple(parts) => parts.as_slice(),
            single => std::slice::from_ref(single),
        };
        let mut needle = Vec::with_capacity(parts.len());
        let mut collations = Vec::with_capacity(parts.len());
        for part in parts {
            needle.push(self.bind_expr(part)?);
            collations.push(self.collated_last());
        }
        let inner = self.bind_query(query)?;
        let columns = inner.columns();
        if columns.len() != needle.len() {
            return self.invalid(
                format!(
                    "IN compares {} value{} with a subquery of {} columns",
                    needle.len(),
                    if needle.len() == 1 { "" } else { "s" },
                    columns.len()
                ),
                node,
            );
        }
        let mut haystack = Vec::with_capacity(columns.len());
        for ((needle, column), collation) in needle.iter_mut().zip(&columns).zip(collations) {
            let left = std::mem::replace(needle, Expr::Literal(Scalar::Null(SqlType::Null)));
            let (left, right) = self.common(left, column, node)?;
            let of_column = self.collated_list(column.id);
            let collation = self.collation_between(collation, of_column);
            *needle = self.collated(left, collation)?;
            haystack.push(self.collated(right, collation)?);
        }
        let mark = self.new_column("in", SqlType::Boolean, true);
        let result = Expr::column(mark.id, mark.ty);
        let kind = ApplyKind::In {
            mark,
            needle,
            haystack,
        };
        self.apply(inner, kind, node)?;
        Ok(negate(result, negated))
    }

    /// Both sides of a comparison in one type.
    pub(super) fn common(
        &mut self,
        left: Expr,
        column: &PlanColumn,
        node: &ast::Expr,
    ) -> Result<(Expr, Expr)> {
        let right = Expr::column(column.id, column.ty);
        match self.binary(llkv_expr::BinaryOp::Eq, left, right, node)? {
            Expr::Binary { left, right, .. } => Ok((*left, *right)),
            other => Ok((other, Expr::boolean(true))),
        }
    }

    /// An expression that is needed more than once: one that may give another value each time is computed beforehand, for each
    /// row of the frame.
    pub(super) fn once(&mut self, expr: Expr) -> Result<Expr> {
        if !expr.is_volatile() {
            return Ok(expr);
        }
        let column = self.new_column("", expr.ty(), true);
        let value = Expr::column(column.id, column.ty);
        let inner = LogicalPlan::Project(Project {
            input: Box::new(LogicalPlan::one_row()),
            projections: vec![Projection { expr, column }],
        });
        match self.frames.last_mut() {
            Some(frame) => {
                let kind = ApplyKind::Cross;
                frame.pending.push(PendingApply { inner, kind });
                Ok(value)
            }
            None => super::unsupported("a value that is random and needed twice, in this place"),
        }
    }

    pub(super) fn apply(
        &mut self,
        inner: LogicalPlan,
        kind: ApplyKind,
        node: &impl super::place::Place,
    ) -> Result<()> {
        match self.frames.last_mut() {
            Some(frame) => {
                frame.pending.push(PendingApply { inner, kind });
                Ok(())
            }
            None => self.invalid("a subquery in this place", node),
        }
    }
}

/// The nodes of a list of waiting subqueries, on top of `plan`.
pub(super) fn apply_all(plan: LogicalPlan, pending: Vec<PendingApply>) -> LogicalPlan {
    pending
        .into_iter()
        .fold(plan, |outer, pending| pending.on(outer))
}

/// A projection that keeps columns as they are.
pub(super) fn keep(input: LogicalPlan, columns: Vec<PlanColumn>) -> LogicalPlan {
    LogicalPlan::Project(Project {
        input: Box::new(input),
        projections: keeping(columns),
    })
}

/// Columns as they are.
pub(super) fn keeping(columns: Vec<PlanColumn>) -> Vec<Projection> {
    let kept = columns.into_iter().map(|column| Projection {
        expr: Expr::column(column.id, column.ty),
        column,
    });
    kept.collect()
}

//! Subqueries in expressions: each becomes an `Apply` on the rows of its frame.

use super::Binder;
use super::frame::{KnownSubquery, PendingApply};
use super::predicates::negate;
use llkv_expr::Expr;
use llkv_plan::{ApplyKind, LogicalPlan, PlanColumn, Project, Projection};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType};
use sqlparser::ast;

impl Binder<'_> {
    /// A subquery in an expression. Written twice among what sees groups, or makes them, it is one value: computed once, and one key
    /// of GROUP BY.
    pub(super) fn bind_subquery(&mut self, node: &ast::Expr) -> Result<Expr> {
        let frame = self.frames.last().filter(|f| f.clause.is_above_where());
        let known = frame.and_then(|frame| frame.known.iter().find(|known| known.text == *node));
        if let Some(KnownSubquery {
            value, collated, ..
        }) = known
        {
            let (value, collated) = (value.clone(), *collated);
            self.note_collated(collated);
            return Ok(value);
        }
        let waiting = self.frames.last().map_or(0, |frame| frame.pending.len());
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
        let collated = self.collated_last();
        if let Some(frame) = self.frames.last_mut()
            && frame.clause.is_above_where()
            && let Some(added) = frame.pending.get(waiting..)
            && added.iter().all(PendingApply::may_be_repeated)
        {
            let (text, value) = (node.clone(), value.clone());
            frame.known.push(KnownSubquery {
                text,
                value,
                collated,
            });
        }
        Ok(value)
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

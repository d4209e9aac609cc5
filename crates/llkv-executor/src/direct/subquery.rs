//! Subqueries: run for each row around them, or once where they refer to nothing there.

use super::key_set::Key;
use super::walk::{Sink, Walk, places_of};
use crate::pipeline::Flow;
use llkv_compute::compare_values;
use llkv_expr::{BinaryOp, Expr};
use llkv_plan::{Apply, ApplyKind, LogicalPlan, PlanColumn};
use llkv_result::{ExecError, Result};
use llkv_types::{Scalar, SqlType};
use std::rc::Rc;

/// Rows of subqueries that refer to nothing around them, kept from their first run.
#[derive(Default)]
pub(super) struct Subqueries {
    /// By the subquery's address in the plan, which stands still while it is run.
    known: Vec<(*const LogicalPlan, Option<Rc<Vec<Key>>>)>,
}

impl<'p> Walk<'p> {
    pub(super) fn apply(&mut self, node: &'p Apply, sink: Sink<'_, 'p>) -> Result<Flow> {
        self.run(&node.outer, &mut |walk| match &node.kind {
            ApplyKind::Cross => walk.run(&node.inner, sink),
            ApplyKind::Left => {
                let mut has_match = false;
                let flow = walk.run(&node.inner, &mut |walk| {
                    has_match = true;
                    sink(walk)
                })?;
                if has_match {
                    return Ok(flow);
                }
                walk.set_nulls(&node.inner)?;
                sink(walk)
            }
            ApplyKind::Scalar { first_row } => {
                walk.scalar(&node.inner, *first_row)?;
                sink(walk)
            }
            ApplyKind::Exists { mark } => {
                let mut exists = false;
                walk.subquery(&node.inner, &mut |_| {
                    exists = true;
                    Ok(Flow::Stop)
                })?;
                walk.mark(mark, Some(exists))?;
                sink(walk)
            }
            ApplyKind::In {
                mark,
                needle,
                haystack,
            } => {
                let found = walk.is_in(&node.inner, needle, haystack)?;
                walk.mark(mark, found)?;
                sink(walk)
            }
        })
    }

    fn mark(&mut self, mark: &PlanColumn, value: Option<bool>) -> Result<()> {
        let value = value.map_or(Scalar::Null(SqlType::Boolean), Scalar::Boolean);
        self.set(mark.id.0 as usize, value)
    }

    /// The rows of a subquery, which is not run again where it would give the same.
    fn subquery(&mut self, inner: &'p LogicalPlan, sink: Sink<'_, 'p>) -> Result<()> {
        let address = std::ptr::from_ref(inner);
        let known = self.subqueries.known.iter();
        let mut known = known.filter(|(own, _)| *own == address);
        let rows = match known.next() {
            Some((_, Some(rows))) => Rc::clone(rows),
            Some((_, None)) => return self.run(inner, sink).map(|_| ()),
            None if !inner.free_columns().is_empty() => {
                self.subqueries.known.push((address, None));
                return self.run(inner, sink).map(|_| ());
            }
            None => {
                let places = places_of(inner);
                let mut rows = Vec::new();
                self.run(inner, &mut |walk| {
                    rows.push(walk.values_at(&places)?);
                    Ok(Flow::Continue)
                })?;
                let rows = Rc::new(rows);
                let kept = Some(Rc::clone(&rows));
                self.subqueries.known.push((address, kept));
                rows
            }
        };
        let places = places_of(inner);
        for row in rows.iter() {
            self.set_all(&places, row.iter().cloned())?;
            if sink(self)? == Flow::Stop {
                break;
            }
        }
        Ok(())
    }

    /// The row of a scalar subquery; NULL for none.
    fn scalar(&mut self, inner: &'p LogicalPlan, first_row: bool) -> Result<()> {
        let places = places_of(inner);
        let mut found: Option<Key> = None;
        self.subquery(inner, &mut |walk| {
            if found.is_some() {
                return Err(ExecError::TooManyRows.into());
            }
            found = Some(walk.values_at(&places)?);
            Ok(match first_row {
                true => Flow::Stop,
                false => Flow::Continue,
            })
        })?;
        match found {
            Some(row) => self.set_all(&places, row),
            None => self.set_nulls(inner),
        }
    }

    /// `x IN (subquery)`: true for an equal row, else unknown where a comparison is.
    fn is_in(
        &mut self,
        inner: &'p LogicalPlan,
        needle: &'p [Expr],
        haystack: &'p [Expr],
    ) -> Result<Option<bool>> {
        let needle = needle.iter().map(|expr| self.evaluate(expr));
        let needle = needle.collect::<Result<Key>>()?;
        let mut found = Some(false);
        self.subquery(inner, &mut |walk| {
            match walk.is_row(&needle, haystack)? {
                Some(true) => {
                    found = Some(true);
                    return Ok(Flow::Stop);
                }
                Some(false) => {}
                None => found = None,
            }
            Ok(Flow::Continue)
        })?;
        Ok(found)
    }

    /// Whether the values are those of expressions over the row.
    fn is_row(&self, needle: &[Scalar], haystack: &[Expr]) -> Result<Option<bool>> {
        let mut same = Some(true);
        for (value, expr) in needle.iter().zip(haystack) {
            match compare_values(BinaryOp::Eq, value, &self.evaluate(expr)?)? {
                Some(true) => {}
                Some(false) => return Ok(Some(false)),
                None => same = None,
            }
        }
        Ok(same)
    }
}

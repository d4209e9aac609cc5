//! CHECK constraints of the rows that a statement writes.

use crate::row_values;
use arrow::array::{BooleanArray, RecordBatch};
use llkv_compute::PreparedExpr;
use llkv_expr::{Expr, UnaryOp};
use llkv_plan::{PlanColumn, RowCheck};
use llkv_result::{ConstraintError, Result};

/// Checks ready to run: each is true for the rows that violate it.
pub(crate) struct RowChecks<'a> {
    table: &'a str,
    violations: Vec<(&'a str, PreparedExpr)>,
}

impl<'a> RowChecks<'a> {
    /// The checks of rows with these columns.
    pub(crate) fn new(
        checks: &'a [RowCheck],
        columns: &[PlanColumn],
        table: &'a str,
    ) -> Result<Self> {
        let prepare = |check: &'a RowCheck| {
            let violated = Expr::unary(UnaryOp::IsFalse, check.expr.clone());
            let violated = row_values::prepare(&violated, columns)?;
            Ok((check.name.as_str(), violated))
        };
        Ok(Self {
            table,
            violations: checks.iter().map(prepare).collect::<Result<_>>()?,
        })
    }

    /// The rows that violate some check; absent where there is no check.
    pub(crate) fn refused(&self, batch: &RecordBatch) -> Result<Option<BooleanArray>> {
        let mut refused: Option<BooleanArray> = None;
        for (_, violated) in &self.violations {
            let violated = violated.filter(batch)?;
            refused = Some(match refused {
                Some(refused) => arrow::compute::or(&refused, &violated)?,
                None => violated,
            });
        }
        Ok(refused)
    }

    /// Checks a batch.
    ///
    /// # Errors
    /// For the first check that a row violates.
    pub(crate) fn check(&self, batch: &RecordBatch) -> Result<()> {
        for (name, violated) in &self.violations {
            if violated.filter(batch)?.true_count() > 0 {
                return Err(ConstraintError::Check {
                    table: self.table.to_owned(),
                    constraint: (*name).to_owned(),
                }
                .into());
            }
        }
        Ok(())
    }
}

//! Column ids become positions, once per statement.

use crate::batch::Batch;
use arrow::array::{ArrayRef, BooleanArray};
use llkv_compute::PreparedExpr;
use llkv_expr::{ColumnId, Expr};
use llkv_plan::PlanColumn;
use llkv_result::{Error, Result};
use llkv_types::SqlType;

/// A column of the batches between operators.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) id: ColumnId,
    pub(crate) ty: SqlType,
    /// False only where no NULL can be in it.
    pub(crate) nullable: bool,
}

impl From<&PlanColumn> for Column {
    fn from(column: &PlanColumn) -> Self {
        Self {
            id: column.id,
            ty: column.ty,
            nullable: column.nullable,
        }
    }
}

/// An expression over batches of known columns.
#[derive(Debug)]
pub(crate) enum Prepared {
    /// A column passed through: no evaluation at all.
    Column(usize),
    /// Anything else, and the positions that it reads.
    Computed(Box<PreparedExpr>, Vec<usize>),
}

impl Prepared {
    /// Prepares an expression over rows with these columns.
    pub(crate) fn new(expr: &Expr, columns: &[Column]) -> Result<Self> {
        if let Expr::Column { id, .. } = expr {
            return Ok(Self::Column(position(*id, columns)?));
        }
        let at = |id: ColumnId| columns.iter().position(|column| column.id == id);
        let prepared = Box::new(PreparedExpr::over(expr, &at)?);
        let mut read = Vec::new();
        expr.visit(&mut |part| {
            if let Expr::Column { id, .. } = part {
                read.extend(at(*id));
            }
        });
        Ok(Self::Computed(prepared, read))
    }

    /// The value for each row.
    pub(crate) fn evaluate(&self, batch: &Batch) -> Result<ArrayRef> {
        match self {
            Self::Column(position) => batch.column(*position).cloned(),
            Self::Computed(expr, _) => expr.evaluate_columns(&batch.columns, batch.rows),
        }
    }

    /// The rows for which a BOOLEAN expression is true, as a mask without NULLs.
    pub(crate) fn evaluate_predicate(&self, batch: &Batch) -> Result<BooleanArray> {
        match self {
            Self::Column(position) => {
                use arrow::array::{Array, AsArray};
                let column = batch.column(*position)?.as_boolean();
                Ok(match column.null_count() {
                    0 => column.clone(),
                    _ => arrow::compute::prep_null_mask_filter(column),
                })
            }
            Self::Computed(expr, _) => expr.filter_columns(&batch.columns, batch.rows),
        }
    }

    /// The position, where the expression is a column passed through.
    pub(crate) fn as_column(&self) -> Option<usize> {
        match self {
            Self::Column(position) => Some(*position),
            Self::Computed(..) => None,
        }
    }

    /// Whether the expression reads the column at a position.
    pub(crate) fn reads(&self, position: usize) -> bool {
        match self {
            Self::Column(column) => *column == position,
            Self::Computed(_, columns) => columns.contains(&position),
        }
    }
}

/// Where a column stands among `columns`.
pub(crate) fn position(id: ColumnId, columns: &[Column]) -> Result<usize> {
    columns.iter().position(|c| c.id == id).ok_or_else(|| {
        Error::internal(format!(
            "column #{} is not among an operator's inputs",
            id.0
        ))
    })
}

/// All expressions, prepared over the same columns.
pub(crate) fn prepare_all<'a>(
    exprs: impl IntoIterator<Item = &'a Expr>,
    columns: &[Column],
) -> Result<Vec<Prepared>> {
    exprs
        .into_iter()
        .map(|e| Prepared::new(e, columns))
        .collect()
}

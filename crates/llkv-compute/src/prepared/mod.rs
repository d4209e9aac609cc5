//! Expressions prepared for evaluation: compiled once, run on any number of batches and threads.

mod case;
mod compile;
mod eval;
mod filter;
mod frame;
mod in_list;
mod like;
mod logic;
mod node;
mod substring;

use crate::row::{RowValue, evaluate_row};
use crate::value::Value;
use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use frame::Frame;
use llkv_expr::{ColumnId, Expr};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType};
use node::Node;

pub(crate) use eval::deep;
pub use like::LikePattern;

/// An expression whose patterns are parsed, whose lists are hashed and whose constant parts are
/// computed. Columns are positions in the batch.
///
/// ```
/// use arrow::array::{ArrayRef, AsArray, Int32Array, RecordBatch};
/// use arrow::datatypes::Int32Type;
/// use llkv_compute::PreparedExpr;
/// use llkv_expr::{BinaryOp, ColumnId, Expr};
/// use llkv_types::{Scalar, SqlType};
/// use std::sync::Arc;
///
/// let a: ArrayRef = Arc::new(Int32Array::from(vec![Some(20), None, Some(22)]));
/// let batch = RecordBatch::try_from_iter([("a", a)])?;
/// let expr = Expr::binary(
///     BinaryOp::Add,
///     Expr::column(ColumnId(0), SqlType::Int32),
///     Expr::Literal(Scalar::Int32(20)),
///     SqlType::Int32,
/// );
/// let prepared = PreparedExpr::new(&expr)?;
/// let sums = prepared.evaluate(&batch)?;
/// assert_eq!(sums.as_primitive::<Int32Type>(), &Int32Array::from(vec![Some(40), None, Some(42)]));
/// # Ok::<(), llkv_result::Error>(())
/// ```
#[derive(Debug)]
pub struct PreparedExpr {
    node: Node,
    ty: SqlType,
}

impl PreparedExpr {
    /// Compiles an expression.
    ///
    /// # Errors
    /// For a parameter that was not replaced, and for types that no kernel takes.
    pub fn new(expr: &Expr) -> Result<Self> {
        Self::over(expr, &|id| Some(id.0 as usize))
    }

    /// Compiles an expression over batches in which the columns stand at `positions`.
    ///
    /// # Errors
    /// As [`PreparedExpr::new`], and for a column without a position.
    pub fn over(expr: &Expr, positions: &dyn Fn(ColumnId) -> Option<usize>) -> Result<Self> {
        Ok(Self {
            node: compile::compile(expr, positions)?,
            ty: expr.ty(),
        })
    }

    /// The type of the value.
    #[must_use]
    pub const fn ty(&self) -> SqlType {
        self.ty
    }

    /// The constant that the expression is, where it is one.
    #[must_use]
    pub fn as_constant(&self) -> Option<Scalar> {
        match &self.node {
            Node::Constant(array) => Scalar::from_array(array.as_ref(), 0).ok(),
            _ => None,
        }
    }

    /// The value for each row of `batch`.
    ///
    /// # Errors
    /// An [`llkv_result::EvalError`] of a row that is reached.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        self.evaluate_columns(batch.columns(), batch.num_rows())
    }

    /// [`PreparedExpr::evaluate`] without a schema: columns of `rows` values each.
    ///
    /// # Errors
    /// As there.
    pub fn evaluate_columns(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        self.value(columns, rows)?.into_rows(rows)
    }

    fn value(&self, columns: &[ArrayRef], rows: usize) -> Result<Value> {
        if rows == 0 {
            return Ok(Value::Rows(arrow::array::new_empty_array(
                &self.ty.to_arrow(),
            )));
        }
        self.node.eval(&Frame::batch(columns, rows))
    }

    /// The rows for which a BOOLEAN expression is TRUE, as a mask without NULLs.
    ///
    /// Parts of a conjunction are tried from the cheapest on, a part that may fail after those that
    /// cannot and only on the rows that are left.
    ///
    /// # Errors
    /// An [`llkv_result::EvalError`] of a row that is reached.
    pub fn filter(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        self.filter_columns(batch.columns(), batch.num_rows())
    }

    /// [`PreparedExpr::filter`] without a schema: columns of `rows` values each.
    ///
    /// # Errors
    /// As there.
    pub fn filter_columns(&self, columns: &[ArrayRef], rows: usize) -> Result<BooleanArray> {
        let mask = filter::filter(&self.node, &Frame::batch(columns, rows))?;
        Ok(BooleanArray::new(mask, None))
    }
}

/// The value of `expr` for each row of `batch`: [`PreparedExpr`] for a single use.
///
/// # Errors
/// As [`PreparedExpr::new`] and [`PreparedExpr::evaluate`].
pub fn evaluate(expr: &Expr, batch: &RecordBatch) -> Result<ArrayRef> {
    PreparedExpr::new(expr)?.evaluate(batch)
}

/// The value of an expression without columns: its evaluation on one row.
///
/// # Errors
/// As [`evaluate`]; an internal error for an expression with columns.
pub fn fold(expr: &Expr) -> Result<Scalar> {
    evaluate_row(expr, &[][..]).map(RowValue::into_owned)
}

/// [`fold`] by the kernels alone, over arrays of one row.
pub(crate) fn fold_arrays(expr: &Expr) -> Result<Scalar> {
    let array = PreparedExpr::new(expr)?.evaluate_columns(&[], 1)?;
    Scalar::from_array(array.as_ref(), 0)
}

/// Whether some row may give an error.
pub(crate) fn is_fallible(expr: &Expr) -> Result<bool> {
    Ok(PreparedExpr::new(expr)?.node.is_fallible())
}

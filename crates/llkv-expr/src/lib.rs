//! Bound SQL expressions as values: names are resolved, types are known, nothing is evaluated here.
//!
//! The binder builds an [`Expr`], the optimizer rewrites it, the executor replaces each
//! [`ColumnId`] by a position, and `llkv-compute` — the only place that does — evaluates it.
//!
//! ```
//! use llkv_expr::{BinaryOp, ColumnId, Expr};
//! use llkv_types::{Scalar, SqlType};
//!
//! let a = Expr::column(ColumnId(3), SqlType::Int32);
//! let e = Expr::binary(BinaryOp::Gt, a, Expr::Literal(Scalar::Int32(5)), SqlType::Boolean);
//! assert_eq!(e.to_string(), "#3 > 5");
//! assert_eq!(e.columns().collect::<Vec<_>>(), [ColumnId(3)]);
//! ```

mod aggregate;
mod display;
mod expr;
mod function;
mod sort;
mod walk;
mod window;

pub use aggregate::{AggregateExpr, AggregateFunction};
pub use expr::{BinaryOp, CastMode, ColumnId, Expr, InList, LikeCase, UnaryOp};
pub use function::{
    Dialects, FunctionArgs, Kernel, NullHandling, Resolve, ScalarFunction, Signature, Volatility,
};
pub use sort::SortKey;
pub use window::{
    FrameBound, FrameExclusion, FrameOffset, FrameUnit, RangeKey, WindowCall, WindowDocumentation,
    WindowExpr, WindowFrame, WindowFunction,
};

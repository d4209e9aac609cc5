//! Numeric functions.
use llkv_expr::ScalarFunction;
pub(super) static FUNCTIONS: &[ScalarFunction] = &[];

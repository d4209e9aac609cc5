//! Scalar functions as values of a registry. The values themselves live in `llkv-compute`.

use arrow::array::ArrayRef;
use llkv_result::Result;
use llkv_types::SqlType;
use std::fmt;

/// How a function meets NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NullHandling {
    /// NULL in any argument gives NULL; the kernel may compute anything there.
    Strict,
    /// The kernel decides.
    Custom,
}

/// When a function gives the same value again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Volatility {
    /// Always, for the same arguments: may be folded.
    Immutable,
    /// Within a statement: `now()`.
    Stable,
    /// Never: `random()`.
    Volatile,
}

/// What a function makes of the types it is called with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Types to which the arguments are cast.
    pub args: Vec<SqlType>,
    /// Type of the result.
    pub result: SqlType,
}

/// Arguments of a kernel.
#[derive(Debug)]
pub struct FunctionArgs<'a> {
    /// One array per argument, of the types of the [`Signature`]: `rows` values, or a single value
    /// that stands for all rows where `constants` says so.
    pub arrays: &'a [ArrayRef],
    /// For each argument, whether its array is a single value. When all are, `rows` is 1.
    pub constants: &'a [bool],
    /// Rows; there may be no argument to read it from.
    pub rows: usize,
    /// Type that the result must have.
    pub result: SqlType,
}

/// A scalar function: everything about it in one value, from which documentation is generated.
pub struct ScalarFunction {
    /// Name, lower case.
    pub name: &'static str,
    /// Other names, lower case.
    pub aliases: &'static [&'static str],
    /// Its call as shown to people: `substr(text, start [, length])`.
    pub usage: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// An expression and its value as text: `("lower('ABC')", "abc")`. Each is run as a test.
    pub example: (&'static str, &'static str),
    /// How it meets NULL.
    pub nulls: NullHandling,
    /// When it gives the same value again.
    pub volatility: Volatility,
    /// The signature for given argument types, or `None` where it does not take them.
    pub resolve: fn(&[SqlType]) -> Option<Signature>,
    /// Values of `rows` calls.
    pub kernel: fn(&FunctionArgs<'_>) -> Result<ArrayRef>,
}

impl PartialEq for ScalarFunction {
    /// A function is its entry in the registry.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl fmt::Debug for ScalarFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScalarFunction({})", self.name)
    }
}

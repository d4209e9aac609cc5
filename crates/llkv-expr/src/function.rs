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

/// The dialects that know a function by its name.
///
/// ```
/// use llkv_expr::Dialects;
///
/// assert!(Dialects::ALL.contains(Dialects::SQLITE));
/// assert!(!Dialects::SQLITE.or(Dialects::DUCKDB).contains(Dialects::LLKV));
/// assert_eq!(Dialects::SQLITE.or(Dialects::DUCKDB).to_string(), "sqlite, duckdb");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dialects(u8);

impl Dialects {
    /// The default dialect, which has PostgreSQL's meanings.
    pub const LLKV: Self = Self(1);
    /// SQLite's.
    pub const SQLITE: Self = Self(2);
    /// DuckDB's.
    pub const DUCKDB: Self = Self(4);
    /// Every one.
    pub const ALL: Self = Self(7);
    /// Each by itself, with its name.
    pub const EACH: [(Self, &'static str); 3] = [
        (Self::LLKV, "llkv"),
        (Self::SQLITE, "sqlite"),
        (Self::DUCKDB, "duckdb"),
    ];

    /// These and those.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// True where all of `other` are among these.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl fmt::Display for Dialects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for (dialect, name) in Self::EACH {
            if self.contains(dialect) {
                write!(f, "{}{name}", if first { "" } else { ", " })?;
                first = false;
            }
        }
        Ok(())
    }
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

/// The signature for given argument types, or `None` where a function does not take them.
pub type Resolve = fn(&[SqlType]) -> Option<Signature>;

/// Values of so many calls.
pub type Kernel = fn(&FunctionArgs<'_>) -> Result<ArrayRef>;

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
    /// An expression and its value as text: `("lower('ABC')", "abc")`. Each is run as a test, in the first of
    /// the function's dialects.
    pub example: (&'static str, &'static str),
    /// How it meets NULL.
    pub nulls: NullHandling,
    /// When it gives the same value again.
    pub volatility: Volatility,
    /// Where it goes by its name.
    pub dialects: Dialects,
    /// The signature for given argument types, or `None` where it does not take them.
    pub resolve: Resolve,
    /// Values of `rows` calls.
    pub kernel: Kernel,
}

impl ScalarFunction {
    /// A function of all dialects that is strict and immutable; the methods below say what is otherwise.
    #[must_use]
    pub const fn new(
        name: &'static str,
        usage: &'static str,
        description: &'static str,
        example: (&'static str, &'static str),
        resolve: Resolve,
        kernel: Kernel,
    ) -> Self {
        Self {
            name,
            aliases: &[],
            usage,
            description,
            example,
            nulls: NullHandling::Strict,
            volatility: Volatility::Immutable,
            dialects: Dialects::ALL,
            resolve,
            kernel,
        }
    }

    /// With other names besides.
    #[must_use]
    pub const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// With a kernel that decides about NULL.
    #[must_use]
    pub const fn taking_nulls(mut self) -> Self {
        self.nulls = NullHandling::Custom;
        self
    }

    /// The same only within a statement.
    #[must_use]
    pub const fn stable(mut self) -> Self {
        self.volatility = Volatility::Stable;
        self
    }

    /// Another value at each call.
    #[must_use]
    pub const fn volatile(mut self) -> Self {
        self.volatility = Volatility::Volatile;
        self
    }

    /// Known in some dialects only.
    #[must_use]
    pub const fn only_in(mut self, dialects: Dialects) -> Self {
        self.dialects = dialects;
        self
    }
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

//! The expression tree.

use crate::ScalarFunction;
use arrow::array::ArrayRef;
use llkv_types::{Scalar, SqlType};
use std::cmp::Ordering;
use std::sync::Arc;

/// A column of a plan. The binder hands out each id once per statement, so a rule may move an
/// expression anywhere without renumbering. In an expression prepared for evaluation the number is
/// the column's position in the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnId(pub u32);

/// Operators with one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// `-x`; an error where the result does not fit.
    Negate,
    /// `NOT x`, three-valued.
    Not,
    /// `~x`
    BitNot,
    /// `x IS NULL`
    IsNull,
    /// `x IS NOT NULL`
    IsNotNull,
    /// `x IS TRUE`
    IsTrue,
    /// `x IS NOT TRUE`
    IsNotTrue,
    /// `x IS FALSE`
    IsFalse,
    /// `x IS NOT FALSE`
    IsNotFalse,
}

/// Operators with two operands. The binder casts both sides to the types a kernel takes: equal types
/// for comparisons and arithmetic, except DECIMAL `*` and `/` (each side keeps its scale) and
/// date/time arithmetic (DATE or TIMESTAMP with INTERVAL, DATE - DATE, DATE + integer).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`: truncating for integers; dividing by zero is an error.
    Divide,
    /// `%`: sign of the dividend; zero divisor is an error.
    Modulo,
    /// `&`
    BitAnd,
    /// `|`
    BitOr,
    /// `^` or `xor`
    BitXor,
    /// `<<`
    ShiftLeft,
    /// `>>`
    ShiftRight,
    /// `||`
    Concat,
    /// `=`
    Eq,
    /// `<>`
    NotEq,
    /// `<`
    Lt,
    /// `<=`
    LtEq,
    /// `>`
    Gt,
    /// `>=`
    GtEq,
    /// `IS DISTINCT FROM`: never NULL.
    IsDistinctFrom,
    /// `IS NOT DISTINCT FROM`: never NULL.
    IsNotDistinctFrom,
}

impl BinaryOp {
    /// True for the operators that compare and give BOOLEAN.
    #[must_use]
    pub const fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Eq
                | Self::NotEq
                | Self::Lt
                | Self::LtEq
                | Self::Gt
                | Self::GtEq
                | Self::IsDistinctFrom
                | Self::IsNotDistinctFrom
        )
    }

    /// Whether a comparison holds for two values, neither NULL, that stand so; false for other operators.
    #[must_use]
    pub const fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Eq | Self::IsNotDistinctFrom => order.is_eq(),
            Self::NotEq | Self::IsDistinctFrom => order.is_ne(),
            Self::Lt => order.is_lt(),
            Self::LtEq => order.is_le(),
            Self::Gt => order.is_gt(),
            Self::GtEq => order.is_ge(),
            _ => false,
        }
    }

    /// The operator with its operands exchanged, for comparisons (`<` becomes `>`).
    #[must_use]
    pub const fn swapped(self) -> Option<Self> {
        Some(match self {
            Self::Lt => Self::Gt,
            Self::LtEq => Self::GtEq,
            Self::Gt => Self::Lt,
            Self::GtEq => Self::LtEq,
            Self::Eq | Self::NotEq | Self::IsDistinctFrom | Self::IsNotDistinctFrom => self,
            _ => return None,
        })
    }
}

/// Which letters LIKE takes for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LikeCase {
    /// Each stands for itself: LIKE.
    Matters,
    /// Capital and small letters: ILIKE.
    Ignored,
    /// Capital and small letters of ASCII: LIKE of SQLite, where a pattern that ends in its escape character matches nothing.
    IgnoredInAscii,
}

/// What a cast does with a value that has no counterpart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CastMode {
    /// `CAST`: an error.
    Strict,
    /// `TRY_CAST`: NULL.
    Try,
    /// SQLite's CAST: text gives its numeric prefix or 0, never an error.
    Sqlite,
    /// DuckDB's CAST: an integer is read from a text with a fraction or an exponent, rounded half away from zero.
    DuckDb,
    /// DuckDB's TRY_CAST.
    TryDuckDb,
}

impl CastMode {
    /// True where a value without a counterpart is an error.
    #[must_use]
    pub const fn is_strict(self) -> bool {
        matches!(self, Self::Strict | Self::DuckDb)
    }

    /// True where a value without a counterpart is NULL.
    #[must_use]
    pub const fn is_try(self) -> bool {
        matches!(self, Self::Try | Self::TryDuckDb)
    }

    /// True where integers are read from texts with a fraction.
    #[must_use]
    pub const fn rounds_text(self) -> bool {
        matches!(self, Self::DuckDb | Self::TryDuckDb)
    }
}

/// The right side of IN.
#[derive(Debug, Clone)]
pub enum InList {
    /// Expressions of the left side's type.
    Exprs(Vec<Expr>),
    /// Constants of the left side's type, NULLs among them allowed: the form that large lists have.
    Values(ArrayRef),
}

impl PartialEq for InList {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exprs(a), Self::Exprs(b)) => a == b,
            (Self::Values(a), Self::Values(b)) => Arc::ptr_eq(a, b) || a.as_ref() == b.as_ref(),
            _ => false,
        }
    }
}

/// A bound expression. Every node knows its type ([`Expr::ty`]). Equality is that of the trees: what
/// is equal has the same value, what is not may still have it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Expr {
    /// A column.
    Column {
        /// Which.
        id: ColumnId,
        /// Its type.
        ty: SqlType,
    },
    /// A constant.
    Literal(Scalar),
    /// A parameter of a prepared statement, replaced by a literal before execution.
    Parameter {
        /// Zero-based.
        index: usize,
        /// Type that the context asks for.
        ty: SqlType,
    },
    /// An operator with one operand.
    Unary {
        /// Operator.
        op: UnaryOp,
        /// Operand.
        expr: Box<Expr>,
    },
    /// An operator with two operands.
    Binary {
        /// Operator.
        op: BinaryOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
        /// Type of the result.
        ty: SqlType,
    },
    /// A conjunction of two or more, three-valued.
    And(Vec<Expr>),
    /// A disjunction of two or more, three-valued.
    Or(Vec<Expr>),
    /// A conversion.
    Cast {
        /// Operand.
        expr: Box<Expr>,
        /// Target type.
        ty: SqlType,
        /// What happens to values without a counterpart.
        mode: CastMode,
    },
    /// `CASE WHEN .. THEN .. ELSE .. END`. A branch is evaluated for the rows that reach it only.
    Case {
        /// Conditions and results.
        branches: Vec<(Expr, Expr)>,
        /// Result where no condition is true; NULL when absent.
        otherwise: Option<Box<Expr>>,
        /// Common type of the results.
        ty: SqlType,
    },
    /// `x [NOT] IN (...)`, three-valued.
    InList {
        /// Left side.
        expr: Box<Expr>,
        /// Right side.
        list: InList,
        /// NOT IN.
        negated: bool,
    },
    /// `x [NOT] LIKE pattern [ESCAPE c]`.
    Like {
        /// Left side, TEXT.
        expr: Box<Expr>,
        /// Pattern, TEXT.
        pattern: Box<Expr>,
        /// Escape character.
        escape: Option<char>,
        /// Which letters are one: ILIKE, and LIKE of SQLite.
        case: LikeCase,
        /// NOT LIKE.
        negated: bool,
    },
    /// A function of the registry.
    Function {
        /// Which.
        function: &'static ScalarFunction,
        /// Arguments, of the types that the function's signature resolved to.
        args: Vec<Expr>,
        /// Type of the result.
        ty: SqlType,
    },
}

impl Expr {
    /// A column.
    #[must_use]
    pub const fn column(id: ColumnId, ty: SqlType) -> Self {
        Self::Column { id, ty }
    }

    /// A constant truth value.
    #[must_use]
    pub const fn boolean(value: bool) -> Self {
        Self::Literal(Scalar::Boolean(value))
    }

    /// An operator with two operands.
    #[must_use]
    pub fn binary(op: BinaryOp, left: Self, right: Self, ty: SqlType) -> Self {
        Self::Binary {
            op,
            left: Box::new(left),
            right: Box::new(right),
            ty,
        }
    }

    /// A comparison: [`Expr::binary`] with a BOOLEAN result.
    #[must_use]
    pub fn compare(op: BinaryOp, left: Self, right: Self) -> Self {
        Self::binary(op, left, right, SqlType::Boolean)
    }

    /// An operator with one operand.
    #[must_use]
    pub fn unary(op: UnaryOp, expr: Self) -> Self {
        Self::Unary {
            op,
            expr: Box::new(expr),
        }
    }

    /// A strict cast, left out where the type is already right.
    #[must_use]
    pub fn cast(self, ty: SqlType) -> Self {
        if self.ty() == ty {
            return self;
        }
        match self {
            Self::Literal(Scalar::Null(_)) => Self::Literal(Scalar::Null(ty)),
            other => Self::Cast {
                expr: Box::new(other),
                ty,
                mode: CastMode::Strict,
            },
        }
    }

    /// The conjunction of `parts`, flattened; TRUE for none.
    #[must_use]
    pub fn and(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Self::And(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        match flat.len() {
            0 => Self::boolean(true),
            1 => flat.swap_remove(0),
            _ => Self::And(flat),
        }
    }

    /// The parts of a conjunction, as it has them; the expression itself where it is none.
    #[must_use]
    pub fn conjuncts(&self) -> &[Self] {
        match self {
            Self::And(parts) => parts,
            other => std::slice::from_ref(other),
        }
    }

    /// The parts of a conjunction, of those within it too; the expression itself where it is none.
    #[must_use]
    pub fn into_conjuncts(self) -> Vec<Self> {
        match self {
            Self::And(parts) => parts.into_iter().flat_map(Self::into_conjuncts).collect(),
            other => vec![other],
        }
    }

    /// The type of the value.
    #[must_use]
    pub fn ty(&self) -> SqlType {
        match self {
            Self::Column { ty, .. }
            | Self::Parameter { ty, .. }
            | Self::Binary { ty, .. }
            | Self::Cast { ty, .. }
            | Self::Case { ty, .. }
            | Self::Function { ty, .. } => *ty,
            Self::Literal(scalar) => scalar.sql_type(),
            Self::Unary { op, expr } => match op {
                UnaryOp::Negate | UnaryOp::BitNot => expr.ty(),
                _ => SqlType::Boolean,
            },
            Self::And(_) | Self::Or(_) | Self::InList { .. } | Self::Like { .. } => {
                SqlType::Boolean
            }
        }
    }

    /// The constant, where the expression is one.
    #[must_use]
    pub const fn as_literal(&self) -> Option<&Scalar> {
        match self {
            Self::Literal(scalar) => Some(scalar),
            _ => None,
        }
    }
}

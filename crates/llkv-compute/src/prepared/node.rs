//! The compiled form of an expression.

use super::in_list::InSet;
use super::like::LikePattern;
use arrow::array::ArrayRef;
use llkv_expr::{BinaryOp, CastMode, LikeCase, ScalarFunction, UnaryOp};
use llkv_types::{Clock, SqlType};
use std::sync::Arc;

/// A compiled expression.
#[derive(Debug)]
pub(super) enum Node {
    /// A column of the batch.
    Column { position: usize, ty: SqlType },
    /// One value, in an array of length 1.
    Constant(ArrayRef),
    /// An operator with one operand.
    Unary { op: UnaryOp, operand: Box<Node> },
    /// A comparison.
    Compare(Box<(BinaryOp, Node, Node)>),
    /// Any other operator with two operands, of a type.
    Binary {
        inner: Box<(BinaryOp, Node, Node)>,
        ty: SqlType,
        /// No operands give an error.
        total: bool,
    },
    /// A conjunction, or a disjunction where `any` is set.
    Logic { parts: Vec<Part>, any: bool },
    /// A conversion.
    Cast {
        operand: Box<Node>,
        ty: SqlType,
        mode: CastMode,
        /// No value gives an error.
        total: bool,
    },
    /// CASE, and the functions that are written with it.
    Case(Box<CaseNode>),
    /// The first operand that is not NULL.
    Coalesce { operands: Vec<Node>, ty: SqlType },
    /// `x [NOT] IN` a set of constants.
    InSet {
        operand: Box<Node>,
        set: InSet,
        negated: bool,
    },
    /// LIKE with a constant pattern.
    Like {
        operand: Box<Node>,
        pattern: Box<LikePattern>,
        negated: bool,
    },
    /// LIKE with a pattern per row.
    DynamicLike(Box<DynamicLike>),
    /// A function of the registry.
    Function {
        function: &'static ScalarFunction,
        args: Vec<Node>,
        ty: SqlType,
        /// What a volatile function takes for the time, where that is not the machine's.
        clock: Option<Arc<dyn Clock>>,
    },
}

/// A part of a conjunction or disjunction.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) node: Node,
    /// May give an error for some row.
    pub(super) fallible: bool,
    /// Expected nanoseconds per row, roughly: the order in which a filter tries its parts.
    pub(super) cost: u32,
}

/// Branches that are evaluated for the rows that reach them.
#[derive(Debug)]
pub(super) struct CaseNode {
    pub(super) branches: Vec<(Node, Node)>,
    pub(super) otherwise: Node,
    pub(super) ty: SqlType,
    /// No condition and no result can fail or costs much: all rows may be computed.
    pub(super) eager: bool,
}

/// A LIKE whose pattern is a column.
#[derive(Debug)]
pub(super) struct DynamicLike {
    pub(super) operand: Node,
    pub(super) pattern: Node,
    pub(super) escape: Option<char>,
    pub(super) case: LikeCase,
    pub(super) negated: bool,
}

impl Node {
    /// True where some row may give an error.
    pub(super) fn is_fallible(&self) -> bool {
        match self {
            Self::Column { .. } | Self::Constant(_) => false,
            Self::Unary { op, operand } => matches!(op, UnaryOp::Negate) || operand.is_fallible(),
            Self::Compare(inner) => inner.1.is_fallible() || inner.2.is_fallible(),
            Self::Logic { parts, .. } => parts.iter().any(|part| part.fallible),
            Self::Coalesce { operands, .. } => operands.iter().any(Self::is_fallible),
            Self::Case(case) => !case.eager,
            Self::InSet { operand, .. } | Self::Like { operand, .. } => operand.is_fallible(),
            Self::Cast { operand, total, .. } => !total || operand.is_fallible(),
            Self::Binary { inner, total, .. } => {
                !total || inner.1.is_fallible() || inner.2.is_fallible()
            }
            Self::DynamicLike(_) | Self::Function { .. } => true,
        }
    }

    /// Expected nanoseconds per row, roughly.
    pub(super) fn cost(&self) -> u32 {
        match self {
            Self::Constant(_) => 0,
            Self::Column { ty, .. } => match ty {
                SqlType::Text | SqlType::Blob => 8,
                SqlType::Decimal { precision, .. } if *precision > 18 => 3,
                _ => 1,
            },
            Self::Unary { operand, .. } => operand.cost() + 1,
            Self::Compare(inner) | Self::Binary { inner, .. } => {
                1 + inner.1.cost() + inner.2.cost()
            }
            Self::Logic { parts, .. } => parts.iter().map(|part| part.cost).sum(),
            Self::Cast { operand, .. } => 10 + operand.cost(),
            Self::Case(case) => {
                let branches = case.branches.iter();
                10 + branches
                    .map(|(when, then)| when.cost() + then.cost())
                    .sum::<u32>()
            }
            Self::Coalesce { operands, .. } => 5 + operands.iter().map(Self::cost).sum::<u32>(),
            Self::InSet { operand, .. } => 10 + operand.cost(),
            Self::Like { operand, .. } => 20 + operand.cost(),
            Self::DynamicLike(like) => 100 + like.operand.cost(),
            Self::Function { args, .. } => 50 + args.iter().map(Self::cost).sum::<u32>(),
        }
    }
}

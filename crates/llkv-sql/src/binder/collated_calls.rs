//! Calls that compare their arguments, under another collation than that of the bytes.

use super::Binder;
use super::collations::Collated;
use llkv_expr::{AggregateFunction, BinaryOp, Expr, SortKey, UnaryOp};
use llkv_result::Result;
use llkv_types::{Collation, Scalar, SqlType};
use sqlparser::ast;

/// A scalar function whose result depends on how its arguments compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ComparingCall {
    /// `min(a, b, ...)`, `least`
    Least,
    /// `max(a, b, ...)`, `greatest`
    Greatest,
    /// `nullif(a, b)`
    NullIf,
}

impl ComparingCall {
    /// The one of a name with so many arguments.
    pub(super) fn named(name: &str, args: usize) -> Option<Self> {
        match (name, args) {
            ("min" | "least", 2..) => Some(Self::Least),
            ("max" | "greatest", 2..) => Some(Self::Greatest),
            ("nullif", 2) => Some(Self::NullIf),
            _ => None,
        }
    }
}

impl Binder<'_> {
    /// A call whose arguments compare under a collation.
    pub(super) fn bind_collated_call(
        &mut self,
        call: ComparingCall,
        args: Vec<Expr>,
        collation: Collation,
        node: &ast::Function,
    ) -> Result<Expr> {
        let max = match call {
            ComparingCall::NullIf => return self.collated_nullif(args, collation, node),
            ComparingCall::Least => false,
            ComparingCall::Greatest => true,
        };
        // Elsewhere they pass over NULLs.
        if self.dialect != crate::SqlDialect::Sqlite {
            let what = "the least or the greatest of texts with a collation";
            return self.unsupported(what, node);
        }
        let meeting: Vec<&Expr> = args.iter().collect();
        let ty = self.unify(&meeting).unwrap_or(SqlType::Variant);
        let args = args.into_iter().map(|arg| {
            let arg = self.coerce(arg, ty);
            self.once(arg)
        });
        let args: Vec<Expr> = args.collect::<Result<_>>()?;
        let mut any_null = Vec::with_capacity(args.len());
        let mut keys = Vec::with_capacity(args.len());
        for arg in &args {
            any_null.push(Expr::unary(UnaryOp::IsNull, self.copy_of(arg)?));
            let own = self.copy_of(arg)?;
            keys.push(self.collated(own, collation)?);
        }
        let mut branches = vec![(Expr::Or(any_null), Expr::Literal(Scalar::Null(ty)))];
        // Of equal ones, SQLite's `max` is the first, its `min` the last.
        let mut order: Vec<usize> = (0..args.len()).collect();
        if !max {
            order.reverse();
        }
        let op = if max { BinaryOp::GtEq } else { BinaryOp::LtEq };
        for at in order {
            let (Some(arg), Some(key)) = (args.get(at), keys.get(at)) else {
                continue;
            };
            let mut tests = Vec::with_capacity(keys.len());
            for (_, other) in keys.iter().enumerate().filter(|(other, _)| *other != at) {
                tests.push(Expr::compare(op, self.copy_of(key)?, self.copy_of(other)?));
            }
            branches.push((Expr::and(tests), self.copy_of(arg)?));
        }
        self.case_of(branches, None, node)
    }

    fn collated_nullif(
        &mut self,
        args: Vec<Expr>,
        collation: Collation,
        node: &ast::Function,
    ) -> Result<Expr> {
        let mut args = args.into_iter();
        let (Some(value), Some(other)) = (args.next(), args.next()) else {
            return self.invalid("nullif takes two arguments", node);
        };
        let value = self.once(value)?;
        let again = self.copy_of(&value)?;
        let (again, other) = (
            self.collated(again, collation)?,
            self.collated(other, collation)?,
        );
        let equal = self.equal_as_they_are(again, other, node)?;
        let null = Expr::Literal(Scalar::Null(value.ty()));
        self.case_of(vec![(equal, null)], Some(value), node)
    }

    /// What an aggregate does with texts that compare under a collation: the least and the greatest become the
    /// first in an order, DISTINCT looks at keys.
    pub(super) fn collate_aggregate(
        &mut self,
        call: (AggregateFunction, &ast::Function),
        distinct: bool,
        args: &mut [Expr],
        collated: &[Collated],
        order_by: &mut Vec<SortKey>,
    ) -> Result<AggregateFunction> {
        use AggregateFunction as A;
        let (function, node) = call;
        let of = |at: usize| collated.get(at).copied().unwrap_or_default().own();
        let in_window = self.frames.last().is_some_and(|frame| frame.in_window);
        let unsupported =
            |binder: &Self| binder.unsupported("this aggregate of a text with a collation", node);
        match function {
            A::Min | A::Max if !of(0).is_binary() => {
                let Some(value) = args.first() else {
                    return Ok(function);
                };
                let value = self.copy_of(value)?;
                let key = self.collated(value, of(0))?;
                if super::collations::value_of_key(&key).is_none() {
                    return Ok(function);
                }
                if in_window {
                    return unsupported(self);
                }
                *order_by = vec![SortKey {
                    expr: key,
                    descending: function == A::Max,
                    nulls_first: false,
                }];
                Ok(A::First)
            }
            A::ArgMin | A::ArgMax if !of(1).is_binary() => unsupported(self),
            A::QuantileDisc | A::Mode if !of(0).is_binary() => unsupported(self),
            A::Count | A::Sum | A::Total | A::Avg if distinct => {
                if let Some(value) = args.first_mut() {
                    let own = std::mem::replace(value, Expr::boolean(true));
                    *value = self.collated(own, of(0))?;
                }
                Ok(function)
            }
            _ if distinct && !of(0).is_binary() => unsupported(self),
            _ => Ok(function),
        }
    }
}

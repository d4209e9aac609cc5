//! Conditions: what counts as a truth value, AND, OR, CASE.

use super::Binder;
use super::row_values::is_row;
use llkv_expr::{BinaryOp, Expr};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType};
use sqlparser::ast;

impl Binder<'_> {
    /// An expression as a condition: BOOLEAN, or in SQLite any number but 0.
    pub(super) fn condition(
        &mut self,
        expr: Expr,
        node: &impl super::place::Place,
    ) -> Result<Expr> {
        match expr.ty() {
            SqlType::Boolean => Ok(expr),
            SqlType::Null => Ok(self.coerce(expr, SqlType::Boolean)),
            SqlType::Text | SqlType::Blob | SqlType::Variant
                if self.dialect.values_carry_types() =>
            {
                Ok(self.as_variant(expr).cast(SqlType::Boolean))
            }
            ty if ty.is_numeric() && self.dialect.booleans_are_integers() => {
                Ok(self.is_not_zero(expr))
            }
            SqlType::Text if expr.as_literal().is_some() => Ok(expr.cast(SqlType::Boolean)),
            ty if ty.is_integer() && self.dialect == crate::SqlDialect::DuckDb => {
                Ok(expr.cast(SqlType::Boolean))
            }
            ty => self.mismatch(format!("a condition must be BOOLEAN, not {ty}"), node),
        }
    }

    fn is_not_zero(&mut self, expr: Expr) -> Expr {
        let ty = expr.ty();
        let zero = self.coerce(Expr::Literal(Scalar::Int64(0)), ty);
        Expr::compare(BinaryOp::NotEq, expr, zero)
    }

    pub(super) fn bind_and(
        &mut self,
        left: Expr,
        right: Expr,
        node: &impl super::place::Place,
    ) -> Result<Expr> {
        let right = self.condition(right, node)?;
        Ok(match self.condition(left, node)? {
            Expr::And(mut parts) => {
                parts.push(right);
                Expr::And(parts)
            }
            left => Expr::And(vec![left, right]),
        })
    }

    pub(super) fn bind_or(
        &mut self,
        left: Expr,
        right: Expr,
        node: &impl super::place::Place,
    ) -> Result<Expr> {
        let right = self.condition(right, node)?;
        Ok(match self.condition(left, node)? {
            Expr::Or(mut parts) => {
                parts.push(right);
                Expr::Or(parts)
            }
            left => Expr::Or(vec![left, right]),
        })
    }

    /// `CASE [x] WHEN .. THEN .. [ELSE ..] END`
    pub(super) fn bind_case(
        &mut self,
        operand: Option<&ast::Expr>,
        conditions: &[ast::CaseWhen],
        otherwise: Option<&ast::Expr>,
        node: &ast::Expr,
    ) -> Result<Expr> {
        if let Some(row) = operand
            && is_row(row)
        {
            let whens = self.bind_row_whens(row, conditions)?;
            let mut branches = Vec::with_capacity(whens.len());
            for (condition, when) in whens.into_iter().zip(conditions) {
                branches.push((condition, self.bind_expr(&when.result)?));
            }
            let otherwise = otherwise.map(|e| self.bind_expr(e)).transpose()?;
            return self.case_of(branches, otherwise, node);
        }
        let operand = operand.map(|operand| self.bind_expr(operand)).transpose()?;
        let of_operand = self.collated_last();
        let operand = operand.map(|operand| self.once(operand)).transpose()?;
        let mut branches = Vec::with_capacity(conditions.len());
        for when in conditions {
            let condition = self.bind_expr(&when.condition)?;
            let condition = match &operand {
                Some(operand) => {
                    let operand = self.copy_of(operand)?;
                    let collation = self.collation_between(of_operand, self.collated_last());
                    let node = &when.condition;
                    self.compare_collated(BinaryOp::Eq, operand, condition, collation, node)?
                }
                None => self.condition(condition, &when.condition)?,
            };
            branches.push((condition, self.bind_expr(&when.result)?));
        }
        let otherwise = otherwise.map(|e| self.bind_expr(e)).transpose()?;
        self.case_of(branches, otherwise, node)
    }

    /// A CASE whose results meet in one type.
    pub(super) fn case_of(
        &mut self,
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Expr>,
        node: &impl super::place::Place,
    ) -> Result<Expr> {
        let results: Vec<&Expr> = branches
            .iter()
            .map(|(_, result)| result)
            .chain(otherwise.as_ref())
            .collect();
        let Some(ty) = self.unify(&results) else {
            let types: Vec<String> = results.iter().map(|e| e.ty().to_string()).collect();
            return self.mismatch(
                format!(
                    "the results of CASE have no common type: {}",
                    types.join(", ")
                ),
                node,
            );
        };
        let branches = branches
            .into_iter()
            .map(|(condition, result)| (condition, self.coerce(result, ty)))
            .collect();
        let otherwise = otherwise.map(|e| Box::new(self.coerce(e, ty)));
        Ok(Expr::Case {
            branches,
            otherwise,
            ty,
        })
    }
}

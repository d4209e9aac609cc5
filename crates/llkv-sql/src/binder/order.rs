//! ORDER BY.

use super::Binder;
use super::collations::Collated;
use super::select::SelectItem;
use crate::null_order::Reading;
use llkv_expr::{Expr, SortKey};
use llkv_plan::PlanColumn;
use llkv_result::Result;
use sqlparser::ast::{self, OrderByKind, OrderByOptions, OrderBySort};

impl Binder<'_> {
    /// Keys over the rows of the innermost frame: ordinals and names of the SELECT list first, then
    /// expressions.
    pub(super) fn bind_order_by(
        &mut self,
        order_by: &ast::OrderBy,
        items: &[SelectItem],
    ) -> Result<Vec<SortKey>> {
        if order_by.interpolate.is_some() {
            return super::unsupported("ORDER BY ... INTERPOLATE");
        }
        let exprs = match &order_by.kind {
            OrderByKind::Expressions(exprs) => exprs,
            OrderByKind::All(options) => {
                let keys = items.iter().map(|item| {
                    let key = self.collated(item.expr.clone(), item.collated.own())?;
                    Ok(self.sort_key(key, options))
                });
                return keys.collect();
            }
        };
        let mut keys = Vec::with_capacity(exprs.len());
        for key in exprs {
            let expr = self.bind_order_key(&key.expr, items)?;
            keys.push(self.sort_key(expr, &key.options));
        }
        Ok(keys)
    }

    /// A key as ORDER BY and DISTINCT ON read it: an ordinal, a name of the list, an expression.
    pub(super) fn bind_order_key(
        &mut self,
        expr: &ast::Expr,
        items: &[SelectItem],
    ) -> Result<Expr> {
        let (inner, explicit) = self.without_collation(expr)?;
        let (key, collated) = self.bind_uncollated_key(inner, items)?;
        self.collated(key, explicit.unwrap_or(collated.own()))
    }

    /// The value of a key, and where its collation comes from.
    fn bind_uncollated_key(
        &mut self,
        expr: &ast::Expr,
        items: &[SelectItem],
    ) -> Result<(Expr, Collated)> {
        if self.dialect != crate::SqlDialect::Sqlite && is_other_constant(expr) {
            return self.invalid(
                "a constant in ORDER BY is the position of a value, from 1",
                expr,
            );
        }
        if let Some(position) = self.ordinal(expr) {
            return match position.checked_sub(1).and_then(|i| items.get(i)) {
                Some(item) => Ok((item.expr.clone(), item.collated)),
                None => self.invalid(
                    format!(
                        "ORDER BY {position}: the SELECT list has {} values",
                        items.len()
                    ),
                    expr,
                ),
            };
        }
        if let ast::Expr::Identifier(name) = expr {
            // A name that was given stands before one that a column brought.
            let mut same = items
                .iter()
                .filter(|item| item.name.eq_ignore_ascii_case(&name.value));
            let given = same.clone().find(|item| item.named);
            if let Some(item) = given.or_else(|| same.next()) {
                return Ok((item.expr.clone(), item.collated));
            }
        }
        let bound = self.bind_expr(expr)?;
        Ok((self.settle(bound), self.collated_last()))
    }

    /// A position in the SELECT list. To SQLite an integer of more than 32 bits is no position but a
    /// constant.
    pub(super) fn ordinal(&self, expr: &ast::Expr) -> Option<usize> {
        let position = ordinal(expr)?;
        let is_constant = self.dialect == crate::SqlDialect::Sqlite && position > LAST_POSITION;
        (!is_constant).then_some(position)
    }

    /// ORDER BY over a result of which only the columns are known: set operations, VALUES.
    pub(super) fn bind_order_of_result(
        &mut self,
        order_by: &ast::OrderBy,
        columns: &[PlanColumn],
    ) -> Result<Vec<SortKey>> {
        let items: Vec<SelectItem> = columns
            .iter()
            .map(|column| SelectItem {
                name: column.name.clone(),
                expr: Expr::column(column.id, column.ty),
                nullable: column.nullable,
                named: false,
                collated: Collated::column(self.collated_result(column.id).own()),
            })
            .collect();
        self.bind_order_by(order_by, &items)
    }

    fn nulls_first(&self, descending: bool) -> bool {
        let reading = Reading {
            dialect: self.dialect,
            null_order: self.null_order,
            wide_results: self.wide_results,
        };
        reading.nulls_first(descending)
    }

    /// A key with the directions as written, or as the dialect has them.
    pub(super) fn sort_key(&self, expr: Expr, options: &OrderByOptions) -> SortKey {
        let descending = matches!(options.sort, Some(OrderBySort::Desc));
        SortKey {
            expr,
            descending,
            nulls_first: options
                .nulls_first
                .unwrap_or_else(|| self.nulls_first(descending)),
        }
    }
}

/// The largest integer that SQLite takes for a position.
const LAST_POSITION: usize = i32::MAX as usize;

/// A constant that is no position: everybody who writes one means something else.
pub(super) fn is_other_constant(expr: &ast::Expr) -> bool {
    let literal = match expr {
        ast::Expr::UnaryOp {
            op: ast::UnaryOperator::Minus,
            expr,
        } => return ordinal(expr).is_some() || is_other_constant(expr),
        ast::Expr::Value(literal) => &literal.value,
        _ => return false,
    };
    match literal {
        ast::Value::Number(..) => ordinal(expr).is_none(),
        ast::Value::SingleQuotedString(_) | ast::Value::Boolean(_) => true,
        _ => false,
    }
}

fn ordinal(expr: &ast::Expr) -> Option<usize> {
    match expr {
        ast::Expr::Value(ast::ValueWithSpan {
            value: ast::Value::Number(digits, _),
            ..
        }) => digits.parse().ok(),
        _ => None,
    }
}

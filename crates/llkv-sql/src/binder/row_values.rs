//! Row values: `(a, b) = (c, d)`, `(a, b) IN ((1, 2), ...)`, `(a, b) = (SELECT c, d ...)`.

use super::Binder;
use super::collations::Collated;
use super::predicates::negate;
use llkv_expr::{BinaryOp, Expr, UnaryOp};
use llkv_plan::ApplyKind;
use llkv_result::Result;
use llkv_types::Collation;
use sqlparser::ast::{self, BinaryOperator};

/// A value of a row and where its collation comes from.
type RowPart = (Expr, Collated);

impl Binder<'_> {
    /// The values of a row, each bound: of a list in parentheses, or of a subquery's row.
    fn bind_row_value(&mut self, expr: &ast::Expr) -> Result<Vec<RowPart>> {
        match without_parentheses(expr) {
            ast::Expr::Tuple(values) => {
                let values = values.iter();
                let bound = values.map(|value| Ok((self.bind_expr(value)?, self.collated_last())));
                bound.collect()
            }
            ast::Expr::Subquery(query) => {
                let inner = self.bind_query(query)?;
                let columns = inner.columns();
                let kind = ApplyKind::Scalar {
                    first_row: self.dialect.scalar_subquery_first_row(),
                };
                self.apply(inner, kind, expr)?;
                let columns = columns.iter();
                Ok(columns
                    .map(|c| (Expr::column(c.id, c.ty), self.collated_result(c.id)))
                    .collect())
            }
            _ => self.mismatch("a row value is compared with row values only", expr),
        }
    }

    /// `(a, b) IN ((1, 2), ...)`
    pub(super) fn bind_row_in_list(
        &mut self,
        value: &ast::Expr,
        list: &[ast::Expr],
        negated: bool,
        node: &ast::Expr,
    ) -> Result<Expr> {
        let value = self.bind_row_value(value)?;
        let mut rows = Vec::with_capacity(list.len());
        for row in list {
            let row = self.bind_row_value(row)?;
            let value = self.copy_of_row(&value)?;
            rows.push(self.compare_rows(&BinaryOperator::Eq, value, row, node)?);
        }
        let any = match rows.len() {
            0 => Expr::boolean(false),
            1 => rows.swap_remove(0),
            _ => Expr::Or(rows),
        };
        Ok(negate(any, negated))
    }

    /// `(a, b) = (c, d)`, `(a, b) < (c, d)`, with a subquery on either side.
    pub(super) fn bind_row_comparison(
        &mut self,
        op: &BinaryOperator,
        left: &ast::Expr,
        right: &ast::Expr,
        node: &ast::Expr,
    ) -> Result<Expr> {
        let left = self.bind_row_value(left)?;
        let right = self.bind_row_value(right)?;
        self.compare_rows(op, left, right, node)
    }

    /// `(a, b) IS [NOT] (c, d)`, `(a, b) IS [NOT] DISTINCT FROM (c, d)`
    pub(super) fn bind_row_distinct(
        &mut self,
        left: &ast::Expr,
        right: &ast::Expr,
        node: &ast::Expr,
        negated: bool,
    ) -> Result<Expr> {
        let left = self.bind_row_value(left)?;
        let right = self.bind_row_value(right)?;
        let same = self.each_pair(BinaryOp::IsNotDistinctFrom, left, right, node)?;
        Ok(negate(same, !negated))
    }

    /// `(a, b) [NOT] BETWEEN (c, d) AND (e, f)`
    pub(super) fn bind_row_between(
        &mut self,
        value: &ast::Expr,
        (low, high): (&ast::Expr, &ast::Expr),
        negated: bool,
        node: &ast::Expr,
    ) -> Result<Expr> {
        let mut value = self.bind_row_value(value)?;
        self.each_once(&mut value)?;
        let low = self.bind_row_value(low)?;
        let high = self.bind_row_value(high)?;
        let again = self.copy_of_row(&value)?;
        let above = self.compare_rows(&BinaryOperator::GtEq, again, low, node)?;
        let below = self.compare_rows(&BinaryOperator::LtEq, value, high, node)?;
        Ok(negate(Expr::And(vec![above, below]), negated))
    }

    /// `CASE (a, b) WHEN (c, d) THEN ... END`: the conditions, in the place of the compared rows.
    pub(super) fn bind_row_whens(
        &mut self,
        operand: &ast::Expr,
        conditions: &[ast::CaseWhen],
    ) -> Result<Vec<Expr>> {
        let mut operand = self.bind_row_value(operand)?;
        self.each_once(&mut operand)?;
        let mut bound = Vec::with_capacity(conditions.len());
        for when in conditions {
            let row = self.bind_row_value(&when.condition)?;
            let operand = self.copy_of_row(&operand)?;
            let node = &when.condition;
            bound.push(self.compare_rows(&BinaryOperator::Eq, operand, row, node)?);
        }
        Ok(bound)
    }

    /// The values of a row that are needed more than once.
    fn each_once(&mut self, row: &mut [RowPart]) -> Result<()> {
        for (value, _) in row {
            let own = std::mem::replace(value, Expr::boolean(false));
            *value = self.once(own)?;
        }
        Ok(())
    }

    fn copy_of_row(&mut self, row: &[RowPart]) -> Result<Vec<RowPart>> {
        let copies = row.iter();
        copies
            .map(|(value, collated)| Ok((self.copy_of(value)?, *collated)))
            .collect()
    }

    /// Equality is that of all values; an order is decided by the first difference.
    fn compare_rows(
        &mut self,
        op: &BinaryOperator,
        left: Vec<RowPart>,
        right: Vec<RowPart>,
        node: &ast::Expr,
    ) -> Result<Expr> {
        let equality = match self.dialect.rows_are_values() {
            true => BinaryOp::IsNotDistinctFrom,
            false => BinaryOp::Eq,
        };
        let (strict, last) = match op {
            BinaryOperator::Eq => return self.each_pair(equality, left, right, node),
            BinaryOperator::NotEq => {
                let equal = self.each_pair(equality, left, right, node)?;
                return Ok(negate(equal, true));
            }
            BinaryOperator::Lt => (BinaryOp::Lt, BinaryOp::Lt),
            BinaryOperator::LtEq => (BinaryOp::Lt, BinaryOp::LtEq),
            BinaryOperator::Gt => (BinaryOp::Gt, BinaryOp::Gt),
            BinaryOperator::GtEq => (BinaryOp::Gt, BinaryOp::GtEq),
            other => return self.unsupported(format!("{other} on row values"), node),
        };
        self.same_length(&left, &right, node)?;
        let mut result: Option<Expr> = None;
        for ((l, of_left), (r, of_right)) in left.into_iter().zip(right).rev() {
            let collation = self.collation_between(of_left, of_right);
            result = Some(match result {
                None => self.order_parts(last, l, r, collation, node)?,
                Some(rest) => {
                    let (l, r) = (self.once(l)?, self.once(r)?);
                    let (left, right) = (self.copy_of(&l)?, self.copy_of(&r)?);
                    let decides = self.order_parts(strict, left, right, collation, node)?;
                    let equal = self.compare_collated(equality, l, r, collation, node)?;
                    Expr::Or(vec![decides, Expr::and([equal, rest])])
                }
            });
        }
        Ok(result.unwrap_or_else(|| Expr::boolean(false)))
    }

    /// `l op r` of two parts of rows, `op` one of order.
    fn order_parts(
        &mut self,
        op: BinaryOp,
        left: Expr,
        right: Expr,
        collation: Collation,
        node: &ast::Expr,
    ) -> Result<Expr> {
        if !self.dialect.rows_are_values() {
            return self.compare_collated(op, left, right, collation, node);
        }
        let (left, right) = (self.once(left)?, self.once(right)?);
        let ascends = matches!(op, BinaryOp::Lt | BinaryOp::LtEq);
        let (greater, less) = if ascends {
            (&right, &left)
        } else {
            (&left, &right)
        };
        let mut of_nulls = vec![Expr::unary(UnaryOp::IsNull, self.copy_of(greater)?)];
        if matches!(op, BinaryOp::Lt | BinaryOp::Gt) {
            of_nulls.push(Expr::unary(UnaryOp::IsNotNull, self.copy_of(less)?));
        }
        let compared = self.compare_collated(op, left, right, collation, node)?;
        // NULL where either part is: then the NULLs decide.
        let is_true = Expr::unary(UnaryOp::IsTrue, compared);
        Ok(Expr::Or(vec![is_true, Expr::and(of_nulls)]))
    }

    fn each_pair(
        &mut self,
        op: BinaryOp,
        left: Vec<RowPart>,
        right: Vec<RowPart>,
        node: &ast::Expr,
    ) -> Result<Expr> {
        self.same_length(&left, &right, node)?;
        let mut tests = Vec::with_capacity(left.len());
        for ((l, of_left), (r, of_right)) in left.into_iter().zip(right) {
            let collation = self.collation_between(of_left, of_right);
            tests.push(self.compare_collated(op, l, r, collation, node)?);
        }
        Ok(Expr::and(tests))
    }

    fn same_length(&self, left: &[RowPart], right: &[RowPart], node: &ast::Expr) -> Result<()> {
        match left.len() == right.len() {
            true => Ok(()),
            false => self.invalid("row values of different length are compared", node),
        }
    }
}

/// True for a list in parentheses.
pub(super) fn is_row(expr: &ast::Expr) -> bool {
    matches!(without_parentheses(expr), ast::Expr::Tuple(_))
}

/// True where two operands are compared as rows: one is written as a row, the other as one or as a
/// subquery, which may have several columns.
pub(super) fn are_rows(left: &ast::Expr, right: &ast::Expr) -> bool {
    let may_be = |expr| is_row(expr) || matches!(without_parentheses(expr), ast::Expr::Subquery(_));
    (is_row(left) && may_be(right)) || (is_row(right) && may_be(left))
}

fn without_parentheses(expr: &ast::Expr) -> &ast::Expr {
    let mut inner = expr;
    while let ast::Expr::Nested(next) = inner {
        inner = next;
    }
    inner
}

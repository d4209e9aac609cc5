//! Expressions: the big match, and chains of operators without recursion.

use super::literals::negative_number;
use super::row_values::are_rows;
use super::{Binder, MAX_DEPTH, too_complex};
use crate::text::stack_bytes;
use llkv_expr::{CastMode, Expr, UnaryOp};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType};
use smallvec::SmallVec;
use sqlparser::ast::{self, BinaryOperator, CastKind, UnaryOperator};

/// Stack that one level of binding may need.
const LEVEL_STACK_BYTES: usize = 128 * 1024;

impl Binder<'_> {
    /// Binds an expression in the innermost frame.
    pub(super) fn bind_expr(&mut self, expr: &ast::Expr) -> Result<Expr> {
        if self.depth >= MAX_DEPTH {
            return Err(too_complex("the nesting of an expression", MAX_DEPTH));
        }
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        let around = self.enter_collated();
        let bound = stacker::maybe_grow(LEVEL_STACK_BYTES, stack_bytes(8 * MAX_DEPTH), || {
            self.bind_node(expr)
        });
        self.depth -= 1;
        self.leave_collated(expr, around);
        bound
    }

    fn bind_node(&mut self, expr: &ast::Expr) -> Result<Expr> {
        use ast::Expr as E;
        match expr {
            E::Value(value) => self.bind_value(value),
            E::Identifier(name) => self.bind_name(std::slice::from_ref(name)),
            E::CompoundIdentifier(parts) => self.bind_name(parts),
            E::Nested(inner) => self.bind_nested(inner),
            E::BinaryOp { .. } => self.bind_chain(expr),
            E::UnaryOp { op, expr: operand } => self.bind_unary(*op, operand),
            E::IsNull(e) => self.bind_test(UnaryOp::IsNull, e),
            E::IsNotNull(e) => self.bind_test(UnaryOp::IsNotNull, e),
            E::IsUnknown(e) => self.bind_test(UnaryOp::IsNull, e),
            E::IsNotUnknown(e) => self.bind_test(UnaryOp::IsNotNull, e),
            E::IsTrue(e) => self.bind_truth(UnaryOp::IsTrue, e),
            E::IsNotTrue(e) => self.bind_truth(UnaryOp::IsNotTrue, e),
            E::IsFalse(e) => self.bind_truth(UnaryOp::IsFalse, e),
            E::IsNotFalse(e) => self.bind_truth(UnaryOp::IsNotFalse, e),
            E::IsDistinctFrom(l, r) => self.bind_distinct(l, r, expr, false),
            E::IsNotDistinctFrom(l, r) => self.bind_distinct(l, r, expr, true),
            E::Between {
                expr: value,
                negated,
                low,
                high,
            } => self.bind_between(value, low, high, *negated, expr),
            E::InList {
                expr: value,
                list,
                negated,
            } => self.bind_in_list(value, list, *negated, expr),
            E::InSubquery { .. } | E::Exists { .. } | E::Subquery(_) => self.bind_subquery(expr),
            E::AnyOp { .. } | E::AllOp { .. } => self.bind_quantified(expr),
            E::Like { .. } | E::ILike { .. } => self.bind_like(expr),
            E::Case {
                operand,
                conditions,
                else_result,
                ..
            } => self.bind_case(operand.as_deref(), conditions, else_result.as_deref(), expr),
            E::Cast {
                kind,
                expr: operand,
                data_type,
                format: None,
            } => self.bind_cast(kind, operand, data_type, expr),
            E::TypedString(typed) => self.bind_typed_string(typed, expr),
            E::Interval(interval) => self.bind_interval(interval, expr),
            E::Function(function) => self.bind_function(function),
            E::Collate {
                expr: inner,
                collation,
            } => self.bind_collate(inner, collation, expr),
            E::Wildcard(_) | E::QualifiedWildcard(..) => self.invalid(
                "* is not a value; it stands in SELECT lists and count(*)",
                expr,
            ),
            E::Tuple(_) => self.unsupported("a row value in this place", expr),
            other => match self.bind_special_call(other) {
                Some(bound) => bound,
                None => self.unsupported(kind_of(other), other),
            },
        }
    }

    /// Parentheses, any number of them at once.
    fn bind_nested(&mut self, expr: &ast::Expr) -> Result<Expr> {
        let mut inner = expr;
        while let ast::Expr::Nested(next) = inner {
            inner = next;
        }
        self.bind_expr(inner)
    }

    /// `a op b op c ...`: the parser's tree leans to the left and is as deep as the chain is long, so it
    /// is walked down its spine instead of by recursion. AND and OR come out flat.
    fn bind_chain(&mut self, expr: &ast::Expr) -> Result<Expr> {
        let mut spine: SmallVec<[(&BinaryOperator, &ast::Expr, &ast::Expr); 8]> = SmallVec::new();
        let mut node = expr;
        while let ast::Expr::BinaryOp { left, op, right } = node {
            spine.push((op, right, node));
            node = left;
        }
        let nested = self.depth;
        let (mut result, mut compared) = self.bind_operand(node, &spine)?;
        let mut of_left = self.collated_last();
        let mut levels = 0usize;
        while let Some((op, right, node)) = spine.pop() {
            let right_bound = match std::mem::take(&mut compared) {
                true => None,
                false => Some(self.bind_expr(right)?),
            };
            let of_right = self.collated_last();
            let flat = matches!(op, BinaryOperator::And | BinaryOperator::Or);
            if !flat {
                levels += 1;
            }
            let collation = self.collation_between(of_left, of_right);
            of_left = of_left.over(of_right);
            result = self.bind_operator(op, result, right_bound, collation, node)?;
            if nested + levels > MAX_DEPTH {
                if !result.is_constant() {
                    return Err(too_complex("a chain of operators", MAX_DEPTH));
                }
                result = Expr::Literal(llkv_compute::fold(&result)?);
            }
        }
        Ok(result)
    }

    /// The leftmost operand of a chain; of row values their comparison with the next operand, and true.
    fn bind_operand(
        &mut self,
        node: &ast::Expr,
        spine: &[(&BinaryOperator, &ast::Expr, &ast::Expr)],
    ) -> Result<(Expr, bool)> {
        if let Some((op, right, whole)) = spine.last()
            && are_rows(node, right)
        {
            let compared = self.bind_row_comparison(op, node, right, whole)?;
            return Ok((compared, true));
        }
        Ok((self.bind_expr(node)?, false))
    }

    fn bind_unary(&mut self, op: UnaryOperator, operand: &ast::Expr) -> Result<Expr> {
        match op {
            UnaryOperator::Not => {
                if let ast::Expr::Exists { subquery, negated } = operand {
                    return self.bind_exists(subquery, !negated);
                }
                let inner = self.bind_expr(operand)?;
                Ok(Expr::unary(UnaryOp::Not, self.condition(inner, operand)?))
            }
            UnaryOperator::Minus => self.bind_minus(operand),
            UnaryOperator::Plus => {
                let inner = self.bind_expr(operand)?;
                let fits = inner.ty().is_numeric()
                    || matches!(inner.ty(), SqlType::Interval | SqlType::Null)
                    || self.dialect.text_is_a_number();
                if !fits {
                    return self.no_operator(format!("+ does not take {}", inner.ty()), operand);
                }
                if self.dialect.values_carry_types() {
                    return Ok(self.without_affinity(inner));
                }
                Ok(inner)
            }
            UnaryOperator::BitwiseNot => {
                let inner = self.bind_expr(operand)?;
                let inner = self.integer_operand(inner, operand)?;
                Ok(Expr::unary(UnaryOp::BitNot, inner))
            }
            UnaryOperator::PGSquareRoot => self.bind_prefix_call("sqrt", operand),
            UnaryOperator::PGCubeRoot => self.bind_prefix_call("cbrt", operand),
            UnaryOperator::PGAbs => self.bind_prefix_call("abs", operand),
            other => self.unsupported(format!("the operator {other}"), operand),
        }
    }

    /// `|/ x`, `||/ x`, `@ x`
    fn bind_prefix_call(&mut self, function: &str, operand: &ast::Expr) -> Result<Expr> {
        let inner = self.bind_expr(operand)?;
        self.call(function, vec![inner], operand)
    }

    /// `-x`
    fn bind_minus(&mut self, operand: &ast::Expr) -> Result<Expr> {
        if let ast::Expr::Value(value) = operand
            && let ast::Value::Number(digits, _) = &value.value
        {
            let number = negative_number(digits, self.dialect);
            return self.literal_number(number, digits, operand);
        }
        let inner = self.bind_expr(operand)?;
        self.may_widen |= self.dialect.values_carry_types();
        let inner = match inner.ty() {
            SqlType::Boolean if self.dialect.booleans_are_integers() => inner.cast(SqlType::Int64),
            SqlType::Null if matches!(inner, Expr::Parameter { .. }) => inner.cast(SqlType::Int32),
            SqlType::Null => self.coerce(inner, SqlType::Int32),
            _ if self.dialect.values_carry_types()
                && (self.wide_results || !inner.ty().is_numeric()) =>
            {
                return self.negated_variant(inner);
            }
            ty if ty.is_numeric() || ty == SqlType::Interval => inner,
            ty => return self.no_operator(format!("- does not take {ty}"), operand),
        };
        let inner = match inner.ty() {
            SqlType::UInt8 => inner.cast(SqlType::Int16),
            SqlType::UInt16 => inner.cast(SqlType::Int32),
            SqlType::UInt32 => inner.cast(SqlType::Int64),
            _ => inner,
        };
        Ok(Expr::unary(UnaryOp::Negate, inner))
    }

    fn bind_test(&mut self, op: UnaryOp, operand: &ast::Expr) -> Result<Expr> {
        if let ast::Expr::Tuple(parts) = operand {
            if self.dialect.rows_are_values() {
                return Ok(Expr::boolean(op == UnaryOp::IsNotNull));
            }
            // Of a row: each part is NULL, or none is.
            let parts = parts.iter().map(|part| self.bind_test(op, part));
            return Ok(Expr::and(parts.collect::<Result<Vec<_>>>()?));
        }
        let inner = self.bind_expr(operand)?;
        Ok(Expr::unary(op, self.settle(inner)))
    }

    fn bind_truth(&mut self, op: UnaryOp, operand: &ast::Expr) -> Result<Expr> {
        let inner = self.bind_expr(operand)?;
        Ok(Expr::unary(op, self.condition(inner, operand)?))
    }

    fn bind_cast(
        &mut self,
        kind: &CastKind,
        operand: &ast::Expr,
        data_type: &ast::DataType,
        node: &impl super::place::Place,
    ) -> Result<Expr> {
        let inner = self.bind_expr(operand)?;
        // `nextval('s'::regclass)`, as dumps of PostgreSQL have it: the name.
        if matches!(data_type, ast::DataType::Regclass) && inner.ty() == SqlType::Text {
            return Ok(inner);
        }
        if self.dialect.values_carry_types() && super::types::has_numeric_affinity(data_type) {
            return self.cast_numeric(inner);
        }
        let ty = self.bind_type(data_type, node)?;
        let tries = matches!(kind, CastKind::TryCast | CastKind::SafeCast);
        let mode = self.dialect.cast_mode(tries);
        self.cast_to(inner, ty, mode, node)
    }

    /// An explicit cast.
    fn cast_to(
        &mut self,
        inner: Expr,
        ty: SqlType,
        mode: CastMode,
        node: &impl super::place::Place,
    ) -> Result<Expr> {
        if let Expr::Parameter {
            ty: SqlType::Null, ..
        } = inner
        {
            return Ok(self.coerce(inner, ty));
        }
        let inner = match (mode, inner.ty()) {
            (CastMode::Sqlite, SqlType::Boolean) => inner.cast(SqlType::Int64),
            (CastMode::Sqlite, SqlType::Blob) => self.as_variant(inner),
            (CastMode::Sqlite, from) if ty == SqlType::Blob && from != SqlType::Null => {
                self.as_variant(inner)
            }
            _ => inner,
        };
        let from = inner.ty();
        // SQLite compares what was cast by the type that was asked for, though it changes nothing.
        if from == ty && mode != CastMode::Sqlite {
            return Ok(inner);
        }
        if !llkv_compute::coercion::can_cast(from, ty) {
            return self.mismatch(format!("cannot cast {from} to {ty}"), node);
        }
        if let Expr::Literal(Scalar::Null(_)) = inner {
            return Ok(Expr::Literal(Scalar::Null(ty)));
        }
        Ok(Expr::Cast {
            expr: Box::new(inner),
            ty,
            mode,
        })
    }

    /// `DATE '2020-01-31'`
    fn bind_typed_string(
        &mut self,
        typed: &ast::TypedString,
        node: &impl super::place::Place,
    ) -> Result<Expr> {
        let ty = self.bind_type(&typed.data_type, node)?;
        let text = self.bind_value(&typed.value)?;
        if text.ty() != SqlType::Text {
            return self.mismatch(format!("a {ty} literal is written as text"), node);
        }
        Ok(text.cast(ty))
    }
}

/// What an expression that is not supported is called.
fn kind_of(expr: &ast::Expr) -> &'static str {
    use ast::Expr as E;
    match expr {
        E::CompoundFieldAccess { .. } | E::Struct { .. } | E::Named { .. } | E::Dictionary(_) => {
            "a struct"
        }
        E::JsonAccess { .. } | E::IsJson { .. } => "a JSON path",
        E::Array(_) | E::InUnnest { .. } => "a list",
        E::Map(_) => "a map",
        E::GroupingSets(_) | E::Cube(_) | E::Rollup(_) => "GROUPING SETS",
        E::Lambda(_) => "a lambda",
        E::Cast { .. } => "CAST with FORMAT",
        _ => "this expression",
    }
}

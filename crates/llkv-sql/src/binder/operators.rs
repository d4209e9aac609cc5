//! Operators with two operands: which types meet, and what each dialect makes of them.

use super::Binder;
use super::literals::{convert, tight_decimal};
use crate::dialect::ZeroDivision;
use llkv_compute::coercion::{binary_signature, common_type};
use llkv_expr::{BinaryOp, CastMode, Expr};
use llkv_result::Result;
use llkv_types::{Collation, Scalar, SqlType};
use sqlparser::ast::{self, BinaryOperator};

impl Binder<'_> {
    /// One step of a chain: `left op right`. No right operand: the comparison of row values `left`.
    pub(super) fn bind_operator(
        &mut self,
        op: &BinaryOperator,
        left: Expr,
        right: Option<Expr>,
        collation: Collation,
        node: &ast::Expr,
    ) -> Result<Expr> {
        let Some(right) = right else {
            return Ok(left);
        };
        if !collation.is_binary()
            && let Some(op) = comparison(op)
        {
            return self.compare_collated(op, left, right, collation, node);
        }
        let binary = match op {
            BinaryOperator::And => return self.bind_and(left, right, node),
            BinaryOperator::Or => return self.bind_or(left, right, node),
            BinaryOperator::Divide => return self.bind_division(left, right, node),
            BinaryOperator::DuckIntegerDivide | BinaryOperator::MyIntegerDivide => {
                return self.bind_integer_division(left, right, node);
            }
            BinaryOperator::Plus => BinaryOp::Add,
            BinaryOperator::Minus => BinaryOp::Subtract,
            BinaryOperator::Multiply => BinaryOp::Multiply,
            BinaryOperator::Modulo => BinaryOp::Modulo,
            BinaryOperator::StringConcat => BinaryOp::Concat,
            BinaryOperator::BitwiseAnd => BinaryOp::BitAnd,
            BinaryOperator::BitwiseOr => BinaryOp::BitOr,
            BinaryOperator::BitwiseXor | BinaryOperator::PGBitwiseXor => BinaryOp::BitXor,
            BinaryOperator::PGBitwiseShiftLeft if !self.dialect.shifts_lose_bits() => {
                return self.call("shift_left", vec![left, right], node);
            }
            BinaryOperator::PGBitwiseShiftRight if !self.dialect.shifts_lose_bits() => {
                return self.call("shift_right", vec![left, right], node);
            }
            BinaryOperator::PGBitwiseShiftLeft => BinaryOp::ShiftLeft,
            BinaryOperator::PGBitwiseShiftRight => BinaryOp::ShiftRight,
            other => match comparison(other) {
                Some(comparison) => comparison,
                None => return self.bind_operator_call(other, left, right, node),
            },
        };
        self.binary(binary, left, right, node)
    }

    /// Operators that are functions by another name.
    fn bind_operator_call(
        &mut self,
        op: &BinaryOperator,
        left: Expr,
        right: Expr,
        node: &ast::Expr,
    ) -> Result<Expr> {
        let (name, negated, args) = match op {
            BinaryOperator::PGExp => ("pow", false, vec![left, right]),
            BinaryOperator::Glob => ("glob", false, vec![right, left]),
            BinaryOperator::PGRegexMatch => ("regexp_matches", false, vec![left, right]),
            BinaryOperator::Regexp => ("regexp_matches", false, vec![left, right]),
            BinaryOperator::PGRegexNotMatch => ("regexp_matches", true, vec![left, right]),
            BinaryOperator::PGRegexIMatch | BinaryOperator::PGRegexNotIMatch => {
                let options = Expr::Literal(Scalar::Text("i".into()));
                let negated = matches!(op, BinaryOperator::PGRegexNotIMatch);
                let args = vec![left, right, options];
                ("regexp_matches", negated, args)
            }
            BinaryOperator::PGStartsWith => ("starts_with", false, vec![left, right]),
            BinaryOperator::PGLikeMatch => return self.like(left, right, None, false, false, node),
            BinaryOperator::PGNotLikeMatch => {
                return self.like(left, right, None, false, true, node);
            }
            BinaryOperator::PGILikeMatch => return self.like(left, right, None, true, false, node),
            BinaryOperator::PGNotILikeMatch => {
                return self.like(left, right, None, true, true, node);
            }
            other => return self.unsupported(format!("the operator {other}"), node),
        };
        let call = self.call(name, args, node)?;
        Ok(if negated {
            Expr::unary(llkv_expr::UnaryOp::Not, call)
        } else {
            call
        })
    }

    /// `left op right`, with the casts that the operator asks for.
    pub(super) fn binary(
        &mut self,
        op: BinaryOp,
        left: Expr,
        right: Expr,
        node: &impl super::place::Place,
    ) -> Result<Expr> {
        if op == BinaryOp::Modulo {
            return self.bind_modulo(left, right, node);
        }
        let (left, right) = self.meet(op, left, right)?;
        let result = self.binary_of(op, left, right, node)?;
        self.real_result(op, result)
    }

    pub(super) fn binary_of(
        &mut self,
        op: BinaryOp,
        left: Expr,
        right: Expr,
        node: &impl super::place::Place,
    ) -> Result<Expr> {
        let (lt, rt) = (left.ty(), right.ty());
        let Some((left_ty, right_ty, ty)) = binary_signature(op, lt, rt) else {
            return self.no_operator(format!("{op} does not take {lt} and {rt}"), node);
        };
        let left = self.coerce(left, left_ty);
        let right = self.coerce(right, right_ty);
        Ok(Expr::binary(op, left, right, ty))
    }

    /// Lets operands take each other's type before the signature is asked: literals in quotes,
    /// parameters, and what SQLite takes for a number.
    pub(super) fn meet(&mut self, op: BinaryOp, left: Expr, right: Expr) -> Result<(Expr, Expr)> {
        use BinaryOp::{BitAnd, BitOr, BitXor, Concat, ShiftLeft, ShiftRight};
        if op == Concat {
            let left = self.text_operand(left);
            return Ok((left, self.text_operand(right)));
        }
        if !self.dialect.values_carry_types() {
            return Ok(self.adapt_pair(left, right));
        }
        match op {
            _ if op.is_comparison() => self.comparison_sides(left, right),
            BitAnd | BitOr | BitXor | ShiftLeft | ShiftRight => {
                let (left, right) = self.adapt_pair(left, right);
                Ok((self.sqlite_integer(left), self.sqlite_integer(right)))
            }
            _ => self.number_sides(op, left, right),
        }
    }

    /// A literal in quotes, or a parameter, takes the type of the other operand.
    pub(super) fn adapt_pair(&mut self, left: Expr, right: Expr) -> (Expr, Expr) {
        let (lt, rt) = (left.ty(), right.ty());
        if is_open(&left) && !is_open(&right) && rt != SqlType::Null {
            return (self.adapt(left, rt), right);
        }
        if is_open(&right) && !is_open(&left) && lt != SqlType::Null {
            let right = self.adapt(right, lt);
            return (left, right);
        }
        match (&left, &right) {
            (Expr::Literal(scalar), _) if matches!(rt, SqlType::Decimal { .. }) => {
                (tight(scalar).unwrap_or(left), right)
            }
            (_, Expr::Literal(scalar)) if matches!(lt, SqlType::Decimal { .. }) => {
                let tight = tight(scalar);
                (left, tight.unwrap_or(right))
            }
            _ => (left, right),
        }
    }

    /// What is open takes a type; a text that SQLite would compare as text stays one.
    fn adapt(&mut self, expr: Expr, ty: SqlType) -> Expr {
        match &expr {
            Expr::Literal(Scalar::Text(_)) if self.dialect.values_carry_types() => expr,
            _ => self.coerce(expr, ty),
        }
    }

    /// An operand of a bit operator as SQLite takes it.
    fn sqlite_integer(&mut self, expr: Expr) -> Expr {
        match expr.ty() {
            SqlType::Boolean => expr.cast(SqlType::Int64),
            ty if ty.is_integer() || ty == SqlType::Null => expr,
            _ => {
                let expr = self.as_variant(expr);
                Expr::Cast {
                    expr: Box::new(expr),
                    ty: SqlType::Int64,
                    mode: CastMode::Sqlite,
                }
            }
        }
    }

    fn text_operand(&mut self, expr: Expr) -> Expr {
        match &expr {
            Expr::Parameter {
                ty: SqlType::Null, ..
            } => self.coerce(expr, SqlType::Text),
            _ if self.dialect.values_carry_types() => self.text_of(expr),
            _ => expr,
        }
    }

    /// `/`
    fn bind_division(
        &mut self,
        left: Expr,
        right: Expr,
        node: &impl super::place::Place,
    ) -> Result<Expr> {
        let (left, right) = self.meet(BinaryOp::Divide, left, right)?;
        let integers = left.ty().is_integer() && right.ty().is_integer();
        let (left, right) = if integers && !self.dialect.integer_division() {
            (
                self.coerce(left, SqlType::Float64),
                self.coerce(right, SqlType::Float64),
            )
        } else {
            (left, right)
        };
        let right = self.divisor(right, node)?;
        let quotient = self.binary_of(BinaryOp::Divide, left, right, node)?;
        self.real_result(BinaryOp::Divide, quotient)
    }

    /// `//`
    fn bind_integer_division(
        &mut self,
        left: Expr,
        right: Expr,
        node: &impl super::place::Place,
    ) -> Result<Expr> {
        let (left, right) = self.meet(BinaryOp::Divide, left, right)?;
        let integers = left.ty().is_integer() && right.ty().is_integer();
        let right = self.divisor(right, node)?;
        let quotient = self.binary_of(BinaryOp::Divide, left, right, node)?;
        if integers {
            Ok(quotient)
        } else {
            self.call("trunc", vec![quotient], node)
        }
    }

    fn bind_modulo(
        &mut self,
        left: Expr,
        right: Expr,
        node: &impl super::place::Place,
    ) -> Result<Expr> {
        let (left, right) = self.meet(BinaryOp::Modulo, left, right)?;
        let right = self.divisor(right, node)?;
        self.binary_of(BinaryOp::Modulo, left, right, node)
    }

    /// The divisor: NULL in place of zero where the dialect wants no error.
    fn divisor(&mut self, divisor: Expr, node: &impl super::place::Place) -> Result<Expr> {
        if self.dialect.zero_division() == ZeroDivision::Error || divisor.ty() == SqlType::Null {
            return Ok(divisor);
        }
        if !divisor.ty().is_numeric() || is_nonzero_literal(&divisor) {
            return Ok(divisor);
        }
        let ty = divisor.ty();
        let zero = self.coerce(Expr::Literal(Scalar::Int32(0)), ty);
        self.named_call("nullif", vec![divisor, zero], node)
    }

    /// An operand of `~`.
    pub(super) fn integer_operand(
        &mut self,
        expr: Expr,
        node: &impl super::place::Place,
    ) -> Result<Expr> {
        match expr.ty() {
            ty if ty.is_integer() => Ok(expr),
            SqlType::Null => Ok(self.coerce(expr, SqlType::Int64)),
            SqlType::Boolean if self.dialect.booleans_are_integers() => {
                Ok(expr.cast(SqlType::Int64))
            }
            _ if self.dialect.values_carry_types() => Ok(self.sqlite_integer(expr)),
            ty => self.no_operator(format!("~ does not take {ty}"), node),
        }
    }

    /// An implicit cast. Literals take the type at once where nothing needs computing.
    pub(super) fn coerce(&mut self, expr: Expr, ty: SqlType) -> Expr {
        match expr {
            Expr::Literal(scalar) => match convert(&scalar, ty) {
                Some(converted) => Expr::Literal(converted),
                None => Expr::Literal(scalar).cast(ty),
            },
            Expr::Parameter {
                index,
                ty: SqlType::Null,
            } => {
                self.parameters.infer(index, ty);
                Expr::Parameter { index, ty }
            }
            other => other.cast(ty),
        }
    }

    /// Gives what is still of no type one that it can have as a value: TEXT for parameters, which take the
    /// type of their value where no other place asks for one.
    pub(super) fn settle(&self, expr: Expr) -> Expr {
        match expr {
            Expr::Parameter {
                index,
                ty: SqlType::Null,
            } => Expr::Parameter {
                index,
                ty: SqlType::Text,
            },
            other => other,
        }
    }

    /// The type in which several values meet (CASE, IN, VALUES, functions), or `None`.
    pub(super) fn unify(&self, exprs: &[&Expr]) -> Option<SqlType> {
        if self.dialect.values_carry_types() {
            return Some(self.unify_types(exprs.iter().map(|expr| expr.ty())));
        }
        let closed = |expr: &&&Expr| !is_open(expr);
        let mut ty = SqlType::Null;
        let mut seen = false;
        for expr in exprs.iter().filter(closed) {
            let own = expr.ty();
            ty = common_type(ty, own)?;
            seen |= own != SqlType::Null;
        }
        if !seen && exprs.iter().any(|e| e.ty() == SqlType::Text) {
            return Some(SqlType::Text);
        }
        Some(ty)
    }
}

/// What has no type of its own yet: a literal in quotes, a parameter.
pub(super) fn is_open(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Literal(Scalar::Text(_))
            | Expr::Parameter {
                ty: SqlType::Null,
                ..
            }
    )
}

fn tight(scalar: &Scalar) -> Option<Expr> {
    convert(scalar, tight_decimal(scalar)?).map(Expr::Literal)
}

fn is_nonzero_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(Scalar::Int32(v)) => *v != 0,
        Expr::Literal(Scalar::Int64(v)) => *v != 0,
        Expr::Literal(Scalar::Float64(v)) => *v != 0.0,
        Expr::Literal(Scalar::Decimal { value, .. }) => *value != 0,
        _ => false,
    }
}

/// The operators that compare.
const fn comparison(op: &BinaryOperator) -> Option<BinaryOp> {
    Some(match op {
        BinaryOperator::Eq => BinaryOp::Eq,
        BinaryOperator::NotEq => BinaryOp::NotEq,
        BinaryOperator::Lt => BinaryOp::Lt,
        BinaryOperator::LtEq => BinaryOp::LtEq,
        BinaryOperator::Gt => BinaryOp::Gt,
        BinaryOperator::GtEq => BinaryOp::GtEq,
        BinaryOperator::Spaceship => BinaryOp::IsNotDistinctFrom,
        _ => return None,
    })
}

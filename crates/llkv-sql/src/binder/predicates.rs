//! Predicates: BETWEEN, IN, LIKE, IS DISTINCT FROM.

use super::Binder;
use super::literals::{array_of, convert};
use super::row_values::{are_rows, is_row};
use crate::text::of_symmetric;
use llkv_expr::{BinaryOp, CastMode, Expr, InList, LikeCase, UnaryOp};
use llkv_result::Result;
use llkv_types::{Collation, Scalar, SqlType};
use sqlparser::ast;

/// From this many elements on, an IN list of constants travels as an array.
const VALUES_FROM: usize = 4;

impl Binder<'_> {
    /// `x [NOT] BETWEEN low AND high`
    pub(super) fn bind_between(
        &mut self,
        value: &ast::Expr,
        low: &ast::Expr,
        high: &ast::Expr,
        negated: bool,
        node: &ast::Expr,
    ) -> Result<Expr> {
        let symmetric = of_symmetric(low);
        if is_row(value) && symmetric.is_none() {
            return self.bind_row_between(value, (low, high), negated, node);
        }
        let value = self.bind_expr(value)?;
        let own = self.collated_last();
        let value = self.once(value)?;
        let mut bounds = Vec::with_capacity(2);
        for bound in [symmetric.unwrap_or(low), high] {
            let bound = self.bind_expr(bound)?;
            let collation = self.collation_between(own, self.collated_last());
            let bound = match symmetric {
                Some(_) => self.once(bound)?,
                None => bound,
            };
            bounds.push((bound, collation));
        }
        if symmetric.is_none() {
            return Ok(negate(self.between(value, bounds, node)?, negated));
        }
        let mut reversed = Vec::with_capacity(2);
        for (bound, collation) in bounds.iter().rev() {
            reversed.push((self.copy_of(bound)?, *collation));
        }
        let again = self.copy_of(&value)?;
        let either = vec![
            self.between(again, bounds, node)?,
            self.between(value, reversed, node)?,
        ];
        Ok(negate(Expr::Or(either), negated))
    }

    /// At least the first bound and at most the second.
    fn between(
        &mut self,
        value: Expr,
        bounds: Vec<(Expr, Collation)>,
        node: &ast::Expr,
    ) -> Result<Expr> {
        let values = [self.copy_of(&value)?, value];
        let ops = [BinaryOp::GtEq, BinaryOp::LtEq];
        let sides = ops.into_iter().zip(values).zip(bounds);
        let sides = sides.map(|((op, value), (bound, collation))| {
            self.compare_collated(op, value, bound, collation, node)
        });
        Ok(Expr::And(sides.collect::<Result<_>>()?))
    }

    pub(super) fn bind_distinct(
        &mut self,
        left: &ast::Expr,
        right: &ast::Expr,
        node: &ast::Expr,
        negated: bool,
    ) -> Result<Expr> {
        if are_rows(left, right) {
            return self.bind_row_distinct(left, right, node, negated);
        }
        let left = self.bind_expr(left)?;
        let of_left = self.collated_last();
        let right = self.bind_expr(right)?;
        let collation = self.collation_between(of_left, self.collated_last());
        let op = if negated {
            BinaryOp::IsNotDistinctFrom
        } else {
            BinaryOp::IsDistinctFrom
        };
        self.compare_collated(op, left, right, collation, node)
    }

    /// `x [NOT] IN (a, b, ...)`. A list of literals becomes an array at once, however long it is.
    pub(super) fn bind_in_list(
        &mut self,
        value: &ast::Expr,
        list: &[ast::Expr],
        negated: bool,
        node: &ast::Expr,
    ) -> Result<Expr> {
        if is_row(value) {
            return self.bind_row_in_list(value, list, negated, node);
        }
        let value = self.bind_expr(value)?;
        let own = self.collated_last();
        let mut collation = own.own();
        if list.is_empty() {
            return Ok(Expr::boolean(negated));
        }
        let mut items = Vec::with_capacity(list.len());
        for item in list {
            let item = self.bind_expr(item)?;
            let of_item = self.collated_last();
            // In SQLite the left side alone decides, but for one constant, which it compares with `=`.
            if self.dialect == crate::SqlDialect::Sqlite {
                if list.len() == 1 && item.is_constant() {
                    collation = self.collation_between(own, of_item);
                }
            } else if collation.is_binary() {
                collation = self.collation_between(own, of_item);
            }
            items.push(item);
        }
        let (own, value, items) = if self.dialect.values_carry_types() {
            let (ty, value, items) = self.in_list_sides(value, items)?;
            (Some(ty), value, items)
        } else {
            (None, value, items)
        };
        let mut meeting: Vec<&Expr> = Vec::with_capacity(items.len() + 1);
        meeting.push(&value);
        meeting.extend(&items);
        let Some(ty) = own.or_else(|| self.unify(&meeting)) else {
            return self.no_operator(
                format!(
                    "the elements of the list do not compare with {}",
                    value.ty()
                ),
                node,
            );
        };
        let ty = if ty == SqlType::Null {
            SqlType::Int32
        } else {
            ty
        };
        let value = self.coerce(value, ty);
        let value = self.collated(value, collation)?;
        let list = match collation.is_binary() {
            true => self.in_list_of(ty, items),
            false => self.in_list_collated(ty, items, collation)?,
        };
        Ok(Expr::InList {
            expr: Box::new(value),
            list,
            negated,
        })
    }

    fn in_list_of(&mut self, ty: SqlType, items: Vec<Expr>) -> InList {
        if items.len() >= VALUES_FROM
            && let Some(array) = literal_array(ty, &items)
        {
            return InList::Values(array);
        }
        InList::Exprs(items.into_iter().map(|e| self.coerce(e, ty)).collect())
    }

    fn in_list_collated(
        &mut self,
        ty: SqlType,
        items: Vec<Expr>,
        collation: Collation,
    ) -> Result<InList> {
        let items = items.into_iter().map(|item| {
            let item = self.coerce(item, ty);
            self.collated(item, collation)
        });
        let items = items.collect::<Result<Vec<Expr>>>()?;
        Ok(self.in_list_of(ty, items))
    }

    /// `[NOT] LIKE`, `[NOT] ILIKE`
    pub(super) fn bind_like(&mut self, node: &ast::Expr) -> Result<Expr> {
        let (ast::Expr::Like {
            negated,
            any: false,
            expr,
            pattern,
            escape_char,
        }
        | ast::Expr::ILike {
            negated,
            any: false,
            expr,
            pattern,
            escape_char,
        }) = node
        else {
            return self.unsupported("LIKE ANY", node);
        };
        let ignore_case = matches!(node, ast::Expr::ILike { .. });
        let escape = match escape_char.as_deref() {
            None => self.dialect.default_escape(),
            Some(escape) => self.bind_escape(escape)?,
        };
        let expr = self.bind_expr(expr)?;
        let pattern = self.bind_expr(pattern)?;
        self.like(expr, pattern, escape, ignore_case, *negated, node)
    }

    fn bind_escape(&mut self, node: &ast::Expr) -> Result<Option<char>> {
        if let Expr::Literal(Scalar::Text(text)) = self.bind_expr(node)? {
            let mut chars = text.chars();
            match (chars.next(), chars.next()) {
                (None, _) => return Ok(None),
                (Some(escape), None) => return Ok(Some(escape)),
                _ => {}
            }
        }
        self.invalid("ESCAPE takes one character", node)
    }

    pub(super) fn like(
        &mut self,
        expr: Expr,
        pattern: Expr,
        escape: Option<char>,
        ignore_case: bool,
        negated: bool,
        node: &impl super::place::Place,
    ) -> Result<Expr> {
        let expr = self.like_operand(expr, node)?;
        let pattern = self.like_operand(pattern, node)?;
        Ok(Expr::Like {
            expr: Box::new(expr),
            pattern: Box::new(pattern),
            escape,
            case: match ignore_case {
                true => LikeCase::Ignored,
                false => self.dialect.like_case(),
            },
            negated,
        })
    }

    fn like_operand(&mut self, expr: Expr, node: &impl super::place::Place) -> Result<Expr> {
        match expr.ty() {
            SqlType::Text => Ok(expr),
            SqlType::Null => Ok(self.coerce(expr, SqlType::Text)),
            _ if self.dialect.text_is_a_number() => Ok(self.text_of(expr)),
            ty => self.mismatch(format!("LIKE takes text, not {ty}"), node),
        }
    }

    /// A value as SQLite shows it.
    pub(super) fn text_of(&mut self, expr: Expr) -> Expr {
        match expr.ty() {
            SqlType::Text | SqlType::Null => self.coerce(expr, SqlType::Text),
            _ if self.dialect.values_carry_types() => {
                let expr = match expr.ty() {
                    SqlType::Boolean => expr.cast(SqlType::Int64),
                    _ => expr,
                };
                Expr::Cast {
                    expr: Box::new(expr),
                    ty: SqlType::Text,
                    mode: CastMode::Sqlite,
                }
            }
            _ => self.coerce(expr, SqlType::Text),
        }
    }
}

/// Literals as one array of a type, where none needs computing.
pub(super) fn literal_array(ty: SqlType, items: &[Expr]) -> Option<arrow::array::ArrayRef> {
    let same = items
        .iter()
        .all(|item| matches!(item, Expr::Literal(s) if s.sql_type() == ty || s.is_null()));
    if same {
        return array_of(
            ty,
            items
                .iter()
                .filter_map(Expr::as_literal)
                .collect::<Vec<_>>()
                .into_iter(),
        );
    }
    let converted = items
        .iter()
        .map(|item| item.as_literal().and_then(|scalar| convert(scalar, ty)))
        .collect::<Option<Vec<Scalar>>>()?;
    array_of(ty, converted.iter())
}

pub(super) fn negate(expr: Expr, negated: bool) -> Expr {
    if negated {
        Expr::unary(UnaryOp::Not, expr)
    } else {
        expr
    }
}

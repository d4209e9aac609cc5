//! Expressions: operands, and the operators between them in the order of their precedence.

use super::{Cursor, Kind, is_name, node};
use crate::text::grammar::apart_from;
use sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, DataType, DuplicateTreatment, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArgumentList, FunctionArguments, ObjectName, UnaryOperator, Value,
    ValueWithSpan,
};
use sqlparser::keywords::Keyword;

/// The order of precedence, that of the library's with [`super::super::grammar`]'s changes.
mod precedence {
    pub(super) const LOWEST: u8 = 0;
    pub(super) const OR: u8 = 5;
    pub(super) const AND: u8 = 10;
    pub(super) const NOT: u8 = 15;
    pub(super) const IS: u8 = 17;
    pub(super) const LIKE: u8 = 19;
    pub(super) const COMPARISON: u8 = 20;
    pub(super) const OTHER: u8 = 21;
    pub(super) const BITS: u8 = 25;
    pub(super) const SUM: u8 = 30;
    pub(super) const PRODUCT: u8 = 40;
    pub(super) const CONCAT: u8 = 45;
    pub(super) const SIGN: u8 = 48;
}

/// What follows an operand.
#[derive(Clone, Copy)]
enum Follows {
    /// Nothing of the expression.
    End,
    /// An operator between two operands.
    Operator,
    IsNull,
    In,
    Between,
    Like,
}

impl Cursor<'_> {
    pub(super) fn expr(&mut self) -> Option<Box<Expr>> {
        self.operand_above(precedence::LOWEST)
    }

    /// An expression that stands in a list: most are a literal alone.
    pub(super) fn element(&mut self) -> Option<Expr> {
        match (self.peek(), self.nth(1)) {
            (Some(Kind::Number | Kind::Text), Some(Kind::Comma | Kind::RParen)) => self.literal(),
            _ => self.expr().map(|expr| *expr),
        }
    }

    /// An expression of operators that bind tighter than `above`.
    fn operand_above(&mut self, above: u8) -> Option<Box<Expr>> {
        self.descend()?;
        let mut expr = self.operand()?;
        loop {
            let (follows, precedence) = self.follows()?;
            if above >= precedence {
                self.ascend();
                return Some(expr);
            }
            expr = match follows {
                Follows::Operator => {
                    let op = self.operator()?;
                    let left = expr;
                    let right = self.operand_above(precedence)?;
                    node!(Expr::BinaryOp { left, op, right })
                }
                _ => self.test(expr, follows)?,
            };
        }
    }

    /// The operator that comes next.
    fn operator(&mut self) -> Option<BinaryOperator> {
        Some(match self.next()?.kind {
            Kind::Word(Keyword::AND) => BinaryOperator::And,
            Kind::Word(Keyword::OR) => BinaryOperator::Or,
            Kind::Eq | Kind::DoubleEq => BinaryOperator::Eq,
            Kind::Neq => BinaryOperator::NotEq,
            Kind::Lt => BinaryOperator::Lt,
            Kind::LtEq => BinaryOperator::LtEq,
            Kind::Gt => BinaryOperator::Gt,
            Kind::GtEq => BinaryOperator::GtEq,
            Kind::Plus => BinaryOperator::Plus,
            Kind::Minus => BinaryOperator::Minus,
            Kind::Mul => BinaryOperator::Multiply,
            Kind::Div => BinaryOperator::Divide,
            Kind::Mod => BinaryOperator::Modulo,
            Kind::Ampersand => BinaryOperator::BitwiseAnd,
            Kind::Pipe => BinaryOperator::BitwiseOr,
            Kind::ShiftLeft => BinaryOperator::PGBitwiseShiftLeft,
            Kind::ShiftRight => BinaryOperator::PGBitwiseShiftRight,
            Kind::StringConcat => BinaryOperator::StringConcat,
            _ => return None,
        })
    }

    /// What comes next, and how tight it binds.
    fn follows(&self) -> Option<(Follows, u8)> {
        let operator = |precedence| Some((Follows::Operator, precedence));
        match self.peek() {
            None | Some(Kind::Comma | Kind::RParen | Kind::SemiColon) => {
                Some((Follows::End, precedence::LOWEST))
            }
            // An operator of ours, which is no keyword.
            Some(Kind::Word(Keyword::NoKeyword) | Kind::QuotedName)
                if self.is_at_word("ISNULL") =>
            {
                None
            }
            Some(Kind::Word(keyword)) => self.follows_word(keyword),
            Some(Kind::QuotedName) => self.follows_word(Keyword::NoKeyword),
            Some(
                Kind::Eq
                | Kind::DoubleEq
                | Kind::Neq
                | Kind::Lt
                | Kind::LtEq
                | Kind::Gt
                | Kind::GtEq,
            ) => operator(precedence::COMPARISON),
            Some(Kind::Plus | Kind::Minus) => operator(precedence::SUM),
            Some(Kind::Mul | Kind::Div | Kind::Mod) => operator(precedence::PRODUCT),
            Some(Kind::Ampersand | Kind::Pipe | Kind::ShiftLeft | Kind::ShiftRight) => {
                operator(precedence::BITS)
            }
            Some(Kind::StringConcat) if self.is_sqlite => operator(precedence::CONCAT),
            Some(Kind::StringConcat) => operator(precedence::OTHER),
            Some(_) => None,
        }
    }

    /// As [`Self::follows`], where a word comes next.
    fn follows_word(&self, keyword: Keyword) -> Option<(Follows, u8)> {
        Some(match keyword {
            Keyword::AND => (Follows::Operator, precedence::AND),
            Keyword::OR => (Follows::Operator, precedence::OR),
            Keyword::IS => (Follows::IsNull, precedence::IS),
            Keyword::IN => (Follows::In, precedence::COMPARISON),
            Keyword::BETWEEN => (Follows::Between, precedence::COMPARISON),
            Keyword::LIKE => (Follows::Like, precedence::LIKE),
            Keyword::NOT => match self.keyword(1)? {
                Keyword::IN => (Follows::In, precedence::COMPARISON),
                Keyword::BETWEEN => (Follows::Between, precedence::COMPARISON),
                Keyword::LIKE => (Follows::Like, precedence::LIKE),
                _ => return None,
            },
            Keyword::COLLATE
            | Keyword::XOR
            | Keyword::AT
            | Keyword::NOTNULL
            | Keyword::OVERLAPS
            | Keyword::ILIKE
            | Keyword::RLIKE
            | Keyword::REGEXP
            | Keyword::MATCH
            | Keyword::GLOB
            | Keyword::SIMILAR
            | Keyword::MEMBER
            | Keyword::OPERATOR
            | Keyword::ESCAPE
            | Keyword::DIV => return None,
            _ => (Follows::End, precedence::LOWEST),
        })
    }

    /// `IS [NOT] NULL`, `[NOT] IN`, `[NOT] BETWEEN`, `[NOT] LIKE` behind an operand.
    fn test(&mut self, expr: Box<Expr>, follows: Follows) -> Option<Box<Expr>> {
        if matches!(follows, Follows::IsNull) {
            self.at += 1;
            let negated = self.takes_word(Keyword::NOT);
            self.expect_word(Keyword::NULL)?;
            return Some(match negated {
                true => node!(Expr::IsNotNull(expr)),
                false => node!(Expr::IsNull(expr)),
            });
        }
        let negated = self.takes_word(Keyword::NOT);
        self.at += 1;
        match follows {
            Follows::In => self.members(expr, negated),
            Follows::Between => {
                let low = self.operand_above(precedence::COMPARISON)?;
                self.expect_word(Keyword::AND)?;
                let high = self.operand_above(precedence::COMPARISON)?;
                Some(node!(Expr::Between {
                    expr,
                    negated,
                    low,
                    high,
                }))
            }
            Follows::Like => {
                let pattern = self.operand_above(precedence::LIKE)?;
                Some(node!(Expr::Like {
                    negated,
                    any: false,
                    expr,
                    pattern,
                    escape_char: None,
                }))
            }
            Follows::End | Follows::Operator | Follows::IsNull => None,
        }
    }

    /// `(1, 2)` or `(SELECT ...)` behind IN.
    fn members(&mut self, expr: Box<Expr>, negated: bool) -> Option<Box<Expr>> {
        self.expect(Kind::LParen)?;
        let members = if self.is_at(Keyword::SELECT) {
            let subquery = self.query()?;
            node!(Expr::InSubquery {
                expr,
                subquery,
                negated,
            })
        } else {
            let list = match self.peek()? {
                Kind::RParen => Vec::new(),
                // A query, maybe.
                Kind::LParen => return None,
                _ => self.list(Self::element)?,
            };
            node!(Expr::InList {
                expr,
                list,
                negated,
            })
        };
        self.expect(Kind::RParen)?;
        Some(members)
    }

    /// A literal, a name, a call, or anything that signs and parentheses make an operand.
    fn operand(&mut self) -> Option<Box<Expr>> {
        match self.peek()? {
            Kind::Word(keyword) => self.word(keyword),
            Kind::QuotedName => self.word(Keyword::NoKeyword),
            Kind::Number | Kind::Text | Kind::Parameter(_) => self.boxed_literal(),
            Kind::Minus => self.sign(UnaryOperator::Minus),
            Kind::Plus => self.sign(UnaryOperator::Plus),
            Kind::Tilde if self.is_sqlite => self.sign(UnaryOperator::BitwiseNot),
            Kind::LParen => self.parenthesized(),
            _ => None,
        }
    }

    fn literal(&mut self) -> Option<Expr> {
        self.literal_value().map(Expr::Value)
    }

    fn boxed_literal(&mut self) -> Option<Box<Expr>> {
        let value = self.literal_value()?;
        Some(node!(Expr::Value(value)))
    }

    #[inline]
    fn literal_value(&mut self) -> Option<ValueWithSpan> {
        let lexeme = self.next()?;
        let value = match lexeme.kind {
            Kind::Number => Value::Number(self.lexemes.written(lexeme).to_owned(), false),
            Kind::Text => Value::SingleQuotedString(self.lexemes.text_of(lexeme).into_owned()),
            Kind::Parameter(_) => Value::Placeholder(self.lexemes.parameter(lexeme).into_owned()),
            Kind::Word(Keyword::NULL) => Value::Null,
            _ => return None,
        };
        Some(value.with_span(self.lexemes.span(lexeme)))
    }

    fn sign(&mut self, op: UnaryOperator) -> Option<Box<Expr>> {
        self.at += 1;
        let above = match self.is_sqlite {
            true => precedence::SIGN,
            false => precedence::PRODUCT,
        };
        let expr = apart_from(op, self.operand_above(above)?);
        Some(node!(Expr::UnaryOp { op, expr }))
    }

    /// `(x)`, `(x, y)`, `(SELECT ...)`
    fn parenthesized(&mut self) -> Option<Box<Expr>> {
        self.at += 1;
        let expr = if self.is_at(Keyword::SELECT) {
            let query = self.query()?;
            node!(Expr::Subquery(query))
        } else {
            let first = self.expr()?;
            if self.takes(Kind::Comma) {
                let mut all = vec![*first];
                all.extend(self.list(Self::element)?);
                node!(Expr::Tuple(all))
            } else {
                node!(Expr::Nested(first))
            }
        };
        self.expect(Kind::RParen)?;
        Some(expr)
    }

    /// What begins with a word.
    fn word(&mut self, keyword: Keyword) -> Option<Box<Expr>> {
        match keyword {
            Keyword::NoKeyword if self.nth(1) == Some(Kind::LParen) => self.call(),
            name if is_name(name) && self.nth(1) != Some(Kind::LParen) => self.column(),
            Keyword::COUNT
            | Keyword::SUM
            | Keyword::AVG
            | Keyword::MIN
            | Keyword::MAX
            | Keyword::ABS
            | Keyword::COALESCE
            | Keyword::NULLIF => self.call(),
            Keyword::NULL => self.boxed_literal(),
            Keyword::CASE => self.case(),
            Keyword::CAST => self.cast(),
            Keyword::EXISTS => self.exists(false),
            Keyword::NOT if self.keyword(1) == Some(Keyword::EXISTS) => {
                self.at += 1;
                self.exists(true)
            }
            Keyword::NOT => {
                self.at += 1;
                let expr = self.operand_above(precedence::NOT)?;
                let op = UnaryOperator::Not;
                Some(node!(Expr::UnaryOp { op, expr }))
            }
            _ => None,
        }
    }

    /// `x`, `t.x`
    fn column(&mut self) -> Option<Box<Expr>> {
        let first = self.name()?;
        if self.peek() != Some(Kind::Period) {
            return Some(node!(Expr::Identifier(first)));
        }
        let mut names = vec![first];
        while self.takes(Kind::Period) {
            names.push(self.name()?);
        }
        Some(node!(Expr::CompoundIdentifier(names)))
    }

    /// `f(x, y)`, `count(DISTINCT x)`, `count(*)`
    fn call(&mut self) -> Option<Box<Expr>> {
        let name = ObjectName::from(vec![self.name()?]);
        self.expect(Kind::LParen)?;
        let mut duplicate_treatment = None;
        let args = if self.peek() == Some(Kind::RParen) {
            Vec::new()
        } else {
            duplicate_treatment = match self.keyword(0) {
                Some(Keyword::DISTINCT) => Some(DuplicateTreatment::Distinct),
                Some(Keyword::ALL) => Some(DuplicateTreatment::All),
                _ => None,
            };
            self.at += usize::from(duplicate_treatment.is_some());
            self.list(Self::argument)?
        };
        self.expect(Kind::RParen)?;
        let goes_on = [
            Keyword::FILTER,
            Keyword::OVER,
            Keyword::WITHIN,
            Keyword::RESPECT,
            Keyword::IGNORE,
        ];
        if self.keyword(0).is_some_and(|next| goes_on.contains(&next)) {
            return None;
        }
        Some(node!(Expr::Function(Function {
            name,
            uses_odbc_syntax: false,
            parameters: FunctionArguments::None,
            args: FunctionArguments::List(FunctionArgumentList {
                duplicate_treatment,
                args,
                clauses: Vec::new(),
            }),
            filter: None,
            null_treatment: None,
            over: None,
            within_group: Vec::new(),
        })))
    }

    fn argument(&mut self) -> Option<FunctionArg> {
        let argument = match self.peek()? {
            Kind::Mul if self.nth(1) == Some(Kind::RParen) => {
                self.at += 1;
                FunctionArgExpr::Wildcard
            }
            _ => FunctionArgExpr::Expr(self.element()?),
        };
        Some(FunctionArg::Unnamed(argument))
    }

    /// `EXISTS (SELECT ...)`
    fn exists(&mut self, negated: bool) -> Option<Box<Expr>> {
        self.at += 1;
        self.expect(Kind::LParen)?;
        if !self.is_at(Keyword::SELECT) {
            return None;
        }
        let subquery = self.query()?;
        self.expect(Kind::RParen)?;
        Some(node!(Expr::Exists { subquery, negated }))
    }

    /// `CAST (x AS INTEGER)`, for the types that need no more words.
    fn cast(&mut self) -> Option<Box<Expr>> {
        self.at += 1;
        self.expect(Kind::LParen)?;
        let expr = self.expr()?;
        self.expect_word(Keyword::AS)?;
        let data_type = match self.keyword(0)? {
            Keyword::INTEGER => DataType::Integer(None),
            Keyword::REAL => DataType::Real,
            Keyword::TEXT => DataType::Text,
            _ => return None,
        };
        self.at += 1;
        self.expect(Kind::RParen)?;
        Some(node!(Expr::Cast {
            kind: CastKind::Cast,
            expr,
            data_type,
            format: None,
        }))
    }

    /// `CASE [x] WHEN y THEN z ... [ELSE z] END`
    fn case(&mut self) -> Option<Box<Expr>> {
        let case_token = self.token()?;
        let operand = match self.is_at(Keyword::WHEN) {
            true => None,
            false => Some(self.expr()?),
        };
        let mut conditions = Vec::new();
        while self.takes_word(Keyword::WHEN) {
            let condition = *self.expr()?;
            self.expect_word(Keyword::THEN)?;
            let result = *self.expr()?;
            conditions.push(CaseWhen { condition, result });
        }
        if conditions.is_empty() {
            return None;
        }
        let else_result = match self.takes_word(Keyword::ELSE) {
            true => Some(self.expr()?),
            false => None,
        };
        if !self.is_at(Keyword::END) {
            return None;
        }
        let end_token = self.token()?;
        Some(node!(Expr::Case {
            case_token,
            end_token,
            operand,
            conditions,
            else_result,
        }))
    }
}

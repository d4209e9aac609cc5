//! Expressions: operands, and the operators between them in the order of their precedence.

use super::{Cursor, Kind};
use sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, DataType, DuplicateTreatment, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArgumentList, FunctionArguments, ObjectName, UnaryOperator, Value,
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
enum Follows {
    /// Nothing of the expression.
    End,
    Operator(BinaryOperator),
    IsNull,
    In,
    Between,
    Like,
}

impl Cursor<'_> {
    pub(super) fn expr(&mut self) -> Option<Expr> {
        self.operand_above(precedence::LOWEST)
    }

    /// An expression of operators that bind tighter than `above`.
    fn operand_above(&mut self, above: u8) -> Option<Expr> {
        self.descend()?;
        let mut expr = self.operand()?;
        loop {
            let (follows, precedence) = self.follows()?;
            if above >= precedence {
                self.ascend();
                return Some(expr);
            }
            let left = Box::new(expr);
            expr = match follows {
                Follows::Operator(op) => {
                    self.at += 1;
                    let right = Box::new(self.operand_above(precedence)?);
                    Expr::BinaryOp { left, op, right }
                }
                _ => self.test(left, &follows)?,
            };
        }
    }

    /// What comes next, and how tight it binds.
    fn follows(&self) -> Option<(Follows, u8)> {
        use Follows::Operator;
        Some(match self.peek() {
            None | Some(Kind::Comma | Kind::RParen | Kind::SemiColon) => {
                (Follows::End, precedence::LOWEST)
            }
            // An operator of ours, which is no keyword.
            Some(Kind::Word(Keyword::NoKeyword) | Kind::QuotedName)
                if self.is_at_word("ISNULL") =>
            {
                return None;
            }
            Some(Kind::Word(keyword)) => return self.follows_word(keyword),
            Some(Kind::QuotedName) => return self.follows_word(Keyword::NoKeyword),
            Some(Kind::Eq | Kind::DoubleEq) => {
                (Operator(BinaryOperator::Eq), precedence::COMPARISON)
            }
            Some(Kind::Neq) => (Operator(BinaryOperator::NotEq), precedence::COMPARISON),
            Some(Kind::Lt) => (Operator(BinaryOperator::Lt), precedence::COMPARISON),
            Some(Kind::LtEq) => (Operator(BinaryOperator::LtEq), precedence::COMPARISON),
            Some(Kind::Gt) => (Operator(BinaryOperator::Gt), precedence::COMPARISON),
            Some(Kind::GtEq) => (Operator(BinaryOperator::GtEq), precedence::COMPARISON),
            Some(Kind::Plus) => (Operator(BinaryOperator::Plus), precedence::SUM),
            Some(Kind::Minus) => (Operator(BinaryOperator::Minus), precedence::SUM),
            Some(Kind::Mul) => (Operator(BinaryOperator::Multiply), precedence::PRODUCT),
            Some(Kind::Div) => (Operator(BinaryOperator::Divide), precedence::PRODUCT),
            Some(Kind::Mod) => (Operator(BinaryOperator::Modulo), precedence::PRODUCT),
            Some(Kind::Ampersand) => (Operator(BinaryOperator::BitwiseAnd), precedence::BITS),
            Some(Kind::Pipe) => (Operator(BinaryOperator::BitwiseOr), precedence::BITS),
            Some(Kind::ShiftLeft) => (
                Operator(BinaryOperator::PGBitwiseShiftLeft),
                precedence::BITS,
            ),
            Some(Kind::ShiftRight) => (
                Operator(BinaryOperator::PGBitwiseShiftRight),
                precedence::BITS,
            ),
            Some(Kind::StringConcat) => {
                let precedence = match self.is_sqlite {
                    true => precedence::CONCAT,
                    false => precedence::OTHER,
                };
                (Operator(BinaryOperator::StringConcat), precedence)
            }
            Some(_) => return None,
        })
    }

    /// As [`Self::follows`], where a word comes next.
    fn follows_word(&self, keyword: Keyword) -> Option<(Follows, u8)> {
        Some(match keyword {
            Keyword::AND => (Follows::Operator(BinaryOperator::And), precedence::AND),
            Keyword::OR => (Follows::Operator(BinaryOperator::Or), precedence::OR),
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
    fn test(&mut self, expr: Box<Expr>, follows: &Follows) -> Option<Expr> {
        if matches!(follows, Follows::IsNull) {
            self.at += 1;
            let negated = self.takes_word(Keyword::NOT);
            self.expect_word(Keyword::NULL)?;
            return Some(match negated {
                true => Expr::IsNotNull(expr),
                false => Expr::IsNull(expr),
            });
        }
        let negated = self.takes_word(Keyword::NOT);
        self.at += 1;
        match follows {
            Follows::In => self.members(expr, negated),
            Follows::Between => {
                let low = Box::new(self.operand_above(precedence::COMPARISON)?);
                self.expect_word(Keyword::AND)?;
                let high = Box::new(self.operand_above(precedence::COMPARISON)?);
                Some(Expr::Between {
                    expr,
                    negated,
                    low,
                    high,
                })
            }
            Follows::Like => Some(Expr::Like {
                negated,
                any: false,
                expr,
                pattern: Box::new(self.operand_above(precedence::LIKE)?),
                escape_char: None,
            }),
            Follows::End | Follows::Operator(_) | Follows::IsNull => None,
        }
    }

    /// `(1, 2)` or `(SELECT ...)` behind IN.
    fn members(&mut self, expr: Box<Expr>, negated: bool) -> Option<Expr> {
        self.expect(Kind::LParen)?;
        let members = if self.is_at(Keyword::SELECT) {
            let subquery = self.query()?;
            Expr::InSubquery {
                expr,
                subquery,
                negated,
            }
        } else {
            let list = match self.peek()? {
                Kind::RParen => Vec::new(),
                // A query, maybe.
                Kind::LParen => return None,
                _ => self.list(Self::expr)?,
            };
            Expr::InList {
                expr,
                list,
                negated,
            }
        };
        self.expect(Kind::RParen)?;
        Some(members)
    }

    /// A literal, a name, a call, or anything that signs and parentheses make an operand.
    fn operand(&mut self) -> Option<Expr> {
        match self.peek()? {
            Kind::Word(keyword) => self.word(keyword),
            Kind::QuotedName => self.word(Keyword::NoKeyword),
            Kind::Number | Kind::Text | Kind::Parameter(_) => self.literal(),
            Kind::Minus => self.sign(UnaryOperator::Minus),
            Kind::Plus => self.sign(UnaryOperator::Plus),
            Kind::Tilde if self.is_sqlite => self.sign(UnaryOperator::BitwiseNot),
            Kind::LParen => self.parenthesized(),
            _ => None,
        }
    }

    fn literal(&mut self) -> Option<Expr> {
        let lexeme = self.next()?;
        let value = match lexeme.kind {
            Kind::Number => Value::Number(self.lexemes.written(lexeme).to_owned(), false),
            Kind::Text => Value::SingleQuotedString(self.lexemes.text_of(lexeme)),
            Kind::Parameter(_) => Value::Placeholder(self.lexemes.parameter(lexeme).into_owned()),
            Kind::Word(Keyword::NULL) => Value::Null,
            _ => return None,
        };
        Some(Expr::Value(value.with_span(self.lexemes.span(lexeme))))
    }

    fn sign(&mut self, op: UnaryOperator) -> Option<Expr> {
        self.at += 1;
        let above = match self.is_sqlite {
            true => precedence::SIGN,
            false => precedence::PRODUCT,
        };
        let expr = Box::new(self.operand_above(above)?);
        Some(Expr::UnaryOp { op, expr })
    }

    /// `(x)`, `(x, y)`, `(SELECT ...)`
    fn parenthesized(&mut self) -> Option<Expr> {
        self.at += 1;
        let expr = if self.is_at(Keyword::SELECT) {
            Expr::Subquery(self.query()?)
        } else {
            let first = self.expr()?;
            if self.takes(Kind::Comma) {
                let mut all = vec![first];
                all.extend(self.list(Self::expr)?);
                Expr::Tuple(all)
            } else {
                Expr::Nested(Box::new(first))
            }
        };
        self.expect(Kind::RParen)?;
        Some(expr)
    }

    /// What begins with a word.
    fn word(&mut self, keyword: Keyword) -> Option<Expr> {
        match keyword {
            Keyword::NoKeyword if self.nth(1) == Some(Kind::LParen) => self.call(),
            Keyword::NoKeyword => self.column(),
            Keyword::COUNT
            | Keyword::SUM
            | Keyword::AVG
            | Keyword::MIN
            | Keyword::MAX
            | Keyword::ABS
            | Keyword::COALESCE
            | Keyword::NULLIF => self.call(),
            Keyword::NULL => self.literal(),
            Keyword::CASE => self.case(),
            Keyword::CAST => self.cast(),
            Keyword::EXISTS => self.exists(false),
            Keyword::NOT if self.keyword(1) == Some(Keyword::EXISTS) => {
                self.at += 1;
                self.exists(true)
            }
            Keyword::NOT => {
                self.at += 1;
                let expr = Box::new(self.operand_above(precedence::NOT)?);
                let op = UnaryOperator::Not;
                Some(Expr::UnaryOp { op, expr })
            }
            _ => None,
        }
    }

    /// `x`, `t.x`
    fn column(&mut self) -> Option<Expr> {
        let first = self.name()?;
        if self.peek() != Some(Kind::Period) {
            return Some(Expr::Identifier(first));
        }
        let mut names = vec![first];
        while self.takes(Kind::Period) {
            names.push(self.name()?);
        }
        Some(Expr::CompoundIdentifier(names))
    }

    /// `f(x, y)`, `count(DISTINCT x)`, `count(*)`
    fn call(&mut self) -> Option<Expr> {
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
        Some(Expr::Function(Function {
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
        }))
    }

    fn argument(&mut self) -> Option<FunctionArg> {
        let argument = match self.peek()? {
            Kind::Mul if self.nth(1) == Some(Kind::RParen) => {
                self.at += 1;
                FunctionArgExpr::Wildcard
            }
            _ => FunctionArgExpr::Expr(self.expr()?),
        };
        Some(FunctionArg::Unnamed(argument))
    }

    /// `EXISTS (SELECT ...)`
    fn exists(&mut self, negated: bool) -> Option<Expr> {
        self.at += 1;
        self.expect(Kind::LParen)?;
        if !self.is_at(Keyword::SELECT) {
            return None;
        }
        let subquery = self.query()?;
        self.expect(Kind::RParen)?;
        Some(Expr::Exists { subquery, negated })
    }

    /// `CAST (x AS INTEGER)`, for the types that need no more words.
    fn cast(&mut self) -> Option<Expr> {
        self.at += 1;
        self.expect(Kind::LParen)?;
        let expr = Box::new(self.expr()?);
        self.expect_word(Keyword::AS)?;
        let data_type = match self.keyword(0)? {
            Keyword::INTEGER => DataType::Integer(None),
            Keyword::REAL => DataType::Real,
            Keyword::TEXT => DataType::Text,
            _ => return None,
        };
        self.at += 1;
        self.expect(Kind::RParen)?;
        Some(Expr::Cast {
            kind: CastKind::Cast,
            expr,
            data_type,
            format: None,
        })
    }

    /// `CASE [x] WHEN y THEN z ... [ELSE z] END`
    fn case(&mut self) -> Option<Expr> {
        let case_token = self.token()?;
        let operand = match self.is_at(Keyword::WHEN) {
            true => None,
            false => Some(Box::new(self.expr()?)),
        };
        let mut conditions = Vec::new();
        while self.takes_word(Keyword::WHEN) {
            let condition = self.expr()?;
            self.expect_word(Keyword::THEN)?;
            let result = self.expr()?;
            conditions.push(CaseWhen { condition, result });
        }
        if conditions.is_empty() {
            return None;
        }
        let else_result = match self.takes_word(Keyword::ELSE) {
            true => Some(Box::new(self.expr()?)),
            false => None,
        };
        if !self.is_at(Keyword::END) {
            return None;
        }
        let end_token = self.token()?;
        Some(Expr::Case {
            case_token,
            end_token,
            operand,
            conditions,
            else_result,
        })
    }
}

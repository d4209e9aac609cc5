//! The text of an INSERT of one row, in two: what comes before the row, and its literals.

use super::lexemes::{Kind, Lexeme, Lexemes};
use crate::SqlDialect;
use crate::binder::{negative_number, number};
use llkv_types::{Scalar, SqlType};
use sqlparser::keywords::Keyword;

/// The row that a statement inserts.
#[derive(Debug)]
pub(crate) struct GivenRow<'t> {
    /// `INSERT INTO t VALUES `
    pub(crate) head: &'t str,
    pub(crate) values: Vec<Scalar>,
}

impl<'t> GivenRow<'t> {
    /// `None` for other statements, and for values that are more than plain literals.
    pub(crate) fn of(statement: &'t str, dialect: SqlDialect) -> Option<Self> {
        let lexemes = Lexemes::read(statement, dialect);
        let list = lexemes.list.as_slice();
        let is = |lexeme: &Lexeme, keyword| lexeme.kind == Kind::Word(keyword);
        let values = list.iter().position(|word| is(word, Keyword::VALUES))?;
        let open = list.get(values + 1)?;
        if !is(list.first()?, Keyword::INSERT) || open.kind != Kind::LParen {
            return None;
        }
        let (head, row) = statement.split_at_checked(open.start as usize)?;
        Some(Self {
            head,
            values: Self::values(row, dialect)?,
        })
    }

    /// The values of `(1, 'a', NULL)`, up to the end of the statement.
    pub(crate) fn values(row: &str, dialect: SqlDialect) -> Option<Vec<Scalar>> {
        let lexemes = Lexemes::read(row, dialect);
        if !lexemes.is_all() {
            return None;
        }
        let mut list = lexemes.list.iter().copied();
        let mut next = || list.next();
        let mut values = Vec::with_capacity(lexemes.list.len() / 2);
        if next()?.kind != Kind::LParen {
            return None;
        }
        loop {
            let first = next()?;
            values.push(match first.kind {
                Kind::Minus => negative(&lexemes, next()?, dialect)?,
                _ => literal(&lexemes, first, dialect)?,
            });
            match next()?.kind {
                Kind::Comma => {}
                Kind::RParen => break,
                _ => return None,
            }
        }
        list.all(|lexeme| lexeme.kind == Kind::SemiColon)
            .then_some(values)
    }
}

fn literal(lexemes: &Lexemes<'_>, lexeme: Lexeme, dialect: SqlDialect) -> Option<Scalar> {
    match lexeme.kind {
        Kind::Number => number(lexemes.written(lexeme), dialect),
        Kind::Text => Some(Scalar::Text(lexemes.text_of(lexeme).into())),
        Kind::Word(Keyword::NULL) => Some(Scalar::Null(SqlType::Null)),
        _ => None,
    }
}

fn negative(lexemes: &Lexemes<'_>, lexeme: Lexeme, dialect: SqlDialect) -> Option<Scalar> {
    match lexeme.kind {
        Kind::Number => negative_number(lexemes.written(lexeme), dialect),
        _ => None,
    }
}

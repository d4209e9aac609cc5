//! Everyday statements, from lexemes to the syntax tree.
//!
//! Most statements are made of plain names, literals, common operators and clauses. These are read here, to the very tree
//! that the parser library gives, places included: the library looks at each token a dozen times and moves each
//! node of the tree as often. At the first word that may be anything else, the library reads the statement from its start.

mod changes;
mod definitions;
mod expr;
mod query;

use super::lexemes::{Kind, Lexeme, Lexemes};
use super::parse::Parsed;
use crate::dialect::SqlDialect;
use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{Expr, Ident, ObjectName, Query};
use sqlparser::keywords::Keyword;

/// Expressions and queries within one another; deeper ones are the library's.
const MAX_NESTING: usize = 64;

/// Stack that so many levels take at most, in bytes.
const STACK_BYTES: usize = 512 * 1024;

/// A node of the tree, made in its box. Nodes are large, and to move one takes longer than to make it: a value that is made
/// first and boxed then is moved at least once.
macro_rules! node {
    ($value:expr) => {
        Box::write(Box::new_uninit(), $value)
    };
}
use node;

/// The statement that these lexemes are, up to its semicolons; `None` where something in it may be the library's.
pub(super) fn statement(lexemes: &Lexemes<'_>, dialect: SqlDialect) -> Option<Parsed> {
    whole(lexemes, dialect, |cursor| match cursor.keyword(0)? {
        Keyword::SELECT => cursor.query().map(Parsed::Query),
        Keyword::INSERT => cursor.insert().map(Parsed::Sql),
        Keyword::UPDATE => cursor.update().map(Parsed::Sql),
        Keyword::DELETE => cursor.delete().map(Parsed::Sql),
        Keyword::CREATE => cursor.create().map(Parsed::Sql),
        Keyword::DROP => cursor.drop().map(Parsed::Sql),
        _ => None,
    })
}

/// As [`statement`], for a query.
pub(super) fn query(lexemes: &Lexemes<'_>, dialect: SqlDialect) -> Option<Box<Query>> {
    whole(lexemes, dialect, Cursor::query)
}

/// As [`statement`], for an expression.
pub(super) fn expression(lexemes: &Lexemes<'_>, dialect: SqlDialect) -> Option<Box<Expr>> {
    whole(lexemes, dialect, Cursor::expr)
}

/// What `read` reads, if that is all that there is.
fn whole<'t, T>(
    lexemes: &'t Lexemes<'t>,
    dialect: SqlDialect,
    read: impl FnOnce(&mut Cursor<'t>) -> Option<T>,
) -> Option<T> {
    let mut cursor = Cursor {
        lexemes,
        at: 0,
        is_sqlite: matches!(dialect, SqlDialect::Sqlite),
        nesting: 0,
    };
    stacker::maybe_grow(STACK_BYTES, STACK_BYTES * 2, || {
        let read = read(&mut cursor)?;
        while cursor.takes(Kind::SemiColon) {}
        cursor.peek().is_none().then_some(read)
    })
}

/// Lexemes, and how far they were read. Every function gives `None` for what is the library's, and then nothing
/// else is asked of the cursor.
struct Cursor<'t> {
    lexemes: &'t Lexemes<'t>,
    at: usize,
    is_sqlite: bool,
    nesting: usize,
}

impl<'t> Cursor<'t> {
    fn nth(&self, n: usize) -> Option<Kind> {
        self.lexemes.list.get(self.at + n).map(|lexeme| lexeme.kind)
    }

    /// The kind of the next lexeme; `None` at the end.
    fn peek(&self) -> Option<Kind> {
        self.nth(0)
    }

    /// The next lexeme, which is read with this.
    fn next(&mut self) -> Option<Lexeme> {
        let lexeme = self.lexemes.list.get(self.at)?;
        self.at += 1;
        Some(*lexeme)
    }

    /// The next lexeme as the token that a node of the tree keeps.
    fn token(&mut self) -> Option<AttachedToken> {
        let lexeme = self.next()?;
        Some(AttachedToken(super::tokens::token(self.lexemes, lexeme)))
    }

    /// The keyword that stands `n` lexemes ahead; of names none.
    fn keyword(&self, n: usize) -> Option<Keyword> {
        match self.nth(n)? {
            Kind::Word(keyword) => Some(keyword),
            Kind::QuotedName => Some(Keyword::NoKeyword),
            _ => None,
        }
    }

    /// True where the next word is this one, which is no keyword.
    fn is_at_word(&self, word: &str) -> bool {
        let next = self.lexemes.list.get(self.at);
        next.is_some_and(|next| self.lexemes.written(*next).eq_ignore_ascii_case(word))
    }

    fn is_at(&self, keyword: Keyword) -> bool {
        self.keyword(0) == Some(keyword)
    }

    fn takes(&mut self, kind: Kind) -> bool {
        let takes = self.peek() == Some(kind);
        self.at += usize::from(takes);
        takes
    }

    fn takes_word(&mut self, keyword: Keyword) -> bool {
        let takes = self.is_at(keyword);
        self.at += usize::from(takes);
        takes
    }

    /// `None` unless it comes next.
    fn expect(&mut self, kind: Kind) -> Option<()> {
        self.takes(kind).then_some(())
    }

    fn expect_word(&mut self, keyword: Keyword) -> Option<()> {
        self.takes_word(keyword).then_some(())
    }

    /// One or more of what `read` reads, between commas.
    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut all = vec![read(self)?];
        while self.takes(Kind::Comma) {
            all.push(read(self)?);
        }
        Some(all)
    }

    /// Begins one level more, which [`Self::ascend`] ends.
    fn descend(&mut self) -> Option<()> {
        self.nesting += 1;
        (self.nesting <= MAX_NESTING).then_some(())
    }

    const fn ascend(&mut self) {
        self.nesting -= 1;
    }

    /// The next lexeme as a name, whatever word it is.
    fn name(&mut self) -> Option<Ident> {
        let lexeme = self.next()?;
        let quote_style = match lexeme.kind {
            Kind::Word(_) => None,
            Kind::QuotedName => Some('"'),
            _ => return None,
        };
        Some(Ident {
            value: self.lexemes.written(lexeme).to_owned(),
            quote_style,
            span: self.lexemes.span(lexeme),
        })
    }

    /// A name that is no keyword, or one that names are.
    fn plain_name(&mut self) -> Option<Ident> {
        match is_name(self.keyword(0)?) {
            true => self.name(),
            false => None,
        }
    }

    /// `t`, `s.t`
    fn plain_names(&mut self) -> Option<ObjectName> {
        let mut names = vec![self.plain_name()?];
        if self.takes(Kind::Period) {
            names.push(self.plain_name()?);
        }
        Some(ObjectName::from(names))
    }
}

/// True for words that are no keywords, and for keywords that the library takes for names wherever one may stand: the names of
/// many columns are among them.
const fn is_name(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::NoKeyword
            | Keyword::DATA
            | Keyword::ID
            | Keyword::NAME
            | Keyword::STATUS
            | Keyword::TYPE
            | Keyword::VALUE
    )
}

#[cfg(test)]
mod tests;

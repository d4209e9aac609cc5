//! Everyday queries, from tokens to the syntax tree.
//!
//! Most queries are made of plain names, literals, common operators and clauses. These are read here, to the very tree
//! that the parser library gives, places included: the library looks at each token a dozen times and moves each
//! node of the tree as often. At the first token that may be anything else, the library reads the statement from its start.

mod expr;
mod query;

use crate::dialect::SqlDialect;
use sqlparser::ast::{Ident, Query};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// Expressions and queries within one another; deeper ones are the library's.
const MAX_NESTING: usize = 64;

/// Stack that so many levels take at most, in bytes.
const STACK_BYTES: usize = 512 * 1024;

/// The query that these tokens are, up to its semicolons; `None` where something in it may be the library's.
pub(super) fn query(tokens: &[TokenWithSpan], dialect: SqlDialect) -> Option<Box<Query>> {
    let mut cursor = Cursor {
        tokens,
        at: 0,
        is_sqlite: matches!(dialect, SqlDialect::Sqlite),
        nesting: 0,
    };
    if !cursor.is_at(Keyword::SELECT) {
        return None;
    }
    stacker::maybe_grow(STACK_BYTES, STACK_BYTES * 2, || {
        let query = cursor.query()?;
        while cursor.takes(&Token::SemiColon) {}
        cursor.peek().is_none().then_some(query)
    })
}

/// Tokens without blanks, and how far they were read. Every function gives `None` for what is the library's.
struct Cursor<'t> {
    tokens: &'t [TokenWithSpan],
    at: usize,
    is_sqlite: bool,
    nesting: usize,
}

impl<'t> Cursor<'t> {
    fn nth(&self, n: usize) -> Option<&'t Token> {
        self.tokens.get(self.at + n).map(|token| &token.token)
    }

    /// The next token; `None` at the end.
    fn peek(&self) -> Option<&'t Token> {
        self.nth(0)
    }

    /// The next token as it stands, which is read with this.
    fn next(&mut self) -> Option<&'t TokenWithSpan> {
        let token = self.tokens.get(self.at)?;
        self.at += 1;
        Some(token)
    }

    /// The keyword that stands `n` tokens ahead.
    fn keyword(&self, n: usize) -> Option<Keyword> {
        match self.nth(n)? {
            Token::Word(word) => Some(word.keyword),
            _ => None,
        }
    }

    fn is_at(&self, keyword: Keyword) -> bool {
        self.keyword(0) == Some(keyword)
    }

    fn takes(&mut self, token: &Token) -> bool {
        let takes = self.peek() == Some(token);
        self.at += usize::from(takes);
        takes
    }

    fn takes_word(&mut self, keyword: Keyword) -> bool {
        let takes = self.is_at(keyword);
        self.at += usize::from(takes);
        takes
    }

    /// `None` unless the token comes next.
    fn expect(&mut self, token: &Token) -> Option<()> {
        self.takes(token).then_some(())
    }

    fn expect_word(&mut self, keyword: Keyword) -> Option<()> {
        self.takes_word(keyword).then_some(())
    }

    /// One or more of what `read` reads, between commas.
    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut all = vec![read(self)?];
        while self.takes(&Token::Comma) {
            all.push(read(self)?);
        }
        Some(all)
    }

    /// Runs `read` one level deeper.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.nesting >= MAX_NESTING {
            return None;
        }
        self.nesting += 1;
        let result = read(self);
        self.nesting -= 1;
        result
    }

    /// The next token as a name, whatever word it is.
    fn name(&mut self) -> Option<Ident> {
        let token = self.next()?;
        match &token.token {
            Token::Word(word) => Some(ident(word, token)),
            _ => None,
        }
    }

    /// A name that is no keyword.
    fn plain_name(&mut self) -> Option<Ident> {
        match self.keyword(0)? {
            Keyword::NoKeyword => self.name(),
            _ => None,
        }
    }
}

fn ident(word: &Word, token: &TokenWithSpan) -> Ident {
    Ident {
        value: word.value.clone(),
        quote_style: word.quote_style,
        span: token.span,
    }
}

#[cfg(test)]
mod tests;

//! Hints to the planner: they say nothing about the answer, and the parser library does not know them in
//! every dialect. They are taken out of the tokens.

use crate::dialect::SqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// The tokens without `AS [NOT] MATERIALIZED (`'s last words and, in SQLite's dialect, without
/// `NOT INDEXED` and `INDEXED BY name` behind the name of a table.
pub(super) fn without_hints(tokens: Vec<TokenWithSpan>, dialect: SqlDialect) -> Vec<TokenWithSpan> {
    let is_hint = |token: &TokenWithSpan| {
        is(&token.token, Keyword::MATERIALIZED)
            || (dialect == SqlDialect::Sqlite && is_indexed(&token.token))
    };
    if !tokens.iter().any(is_hint) {
        return tokens;
    }
    // Places of the tokens that are no blanks.
    let words: Vec<usize> = (0..tokens.len())
        .filter(|at| !matches!(tokens.get(*at), Some(t) if is_blank(&t.token)))
        .collect();
    let at = |n: usize| {
        words
            .get(n)
            .and_then(|at| tokens.get(*at))
            .map(|t| &t.token)
    };
    let mut gone = vec![false; tokens.len()];
    let mut drop = |n: usize| {
        if let Some(slot) = words.get(n).and_then(|at| gone.get_mut(*at)) {
            *slot = true;
        }
    };
    for n in 1..words.len() {
        let before = |back: usize| n.checked_sub(back).and_then(at);
        let Some(token) = at(n) else { continue };
        let negated = before(1).is_some_and(|t| is(t, Keyword::NOT));
        if is(token, Keyword::MATERIALIZED) && at(n + 1) == Some(&Token::LParen) {
            let head = if negated { before(2) } else { before(1) };
            if head.is_some_and(|t| is(t, Keyword::AS)) {
                drop(n);
                if negated {
                    drop(n - 1);
                }
            }
        }
        if dialect != SqlDialect::Sqlite || !is_indexed(token) {
            continue;
        }
        if negated && before(2).is_some_and(is_name) {
            drop(n);
            drop(n - 1);
        } else if before(1).is_some_and(is_name) && at(n + 1).is_some_and(|t| is(t, Keyword::BY)) {
            drop(n);
            drop(n + 1);
            drop(n + 2);
        }
    }
    let mut gone = gone.into_iter();
    let mut tokens = tokens;
    tokens.retain(|_| gone.next() == Some(false));
    tokens
}

fn is_blank(token: &Token) -> bool {
    matches!(token, Token::Whitespace(_))
}

fn is(token: &Token, keyword: Keyword) -> bool {
    matches!(token, Token::Word(w) if w.keyword == keyword)
}

fn is_indexed(token: &Token) -> bool {
    matches!(token, Token::Word(Word { value, quote_style: None, .. })
        if value.eq_ignore_ascii_case("INDEXED"))
}

/// A word that is no keyword: the name of a table.
fn is_name(token: &Token) -> bool {
    matches!(token, Token::Word(w) if w.keyword == Keyword::NoKeyword || w.quote_style.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::parse_statement;

    fn parses(text: &str, dialect: SqlDialect) -> bool {
        parse_statement(text, dialect, |_| Ok(())).is_ok()
    }

    #[test]
    fn hints_are_taken_where_they_stand() {
        for dialect in SqlDialect::ALL {
            for hint in ["", "MATERIALIZED", "NOT MATERIALIZED"] {
                let text = format!("WITH x AS {hint} (SELECT 1) SELECT * FROM x");
                assert!(parses(&text, dialect), "{dialect}: {text}");
            }
            assert!(!parses("WITH x AS NOT (SELECT 1) SELECT 1", dialect));
        }
        let sqlite = SqlDialect::Sqlite;
        assert!(parses("SELECT x FROM t NOT INDEXED WHERE x = 1", sqlite));
        assert!(parses(
            "SELECT x FROM t AS u INDEXED BY i WHERE x = 1",
            sqlite
        ));
        assert!(parses("DELETE FROM t NOT INDEXED", sqlite));
        assert!(!parses("SELECT x FROM t NOT INDEXED", SqlDialect::Llkv));
        // A column may have the name.
        assert!(parses("SELECT indexed FROM t WHERE NOT indexed", sqlite));
    }
}

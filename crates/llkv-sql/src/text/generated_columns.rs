//! The short forms of generated columns: `g INTEGER AS (a + 1)`, and GENERATED ALWAYS AS without STORED or with VIRTUAL, of which
//! the parser library reads but `GENERATED ALWAYS AS (...) STORED` in PostgreSQL's grammar. All are stored.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// The tokens of a CREATE TABLE with the long form in the place of the short ones; other tokens as they are.
pub(super) fn in_full(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !is_create_table(&tokens) {
        return tokens;
    }
    let mut out = Vec::with_capacity(tokens.len() + 4);
    let mut depth = 0usize;
    // The parenthesis of a generated column's expression is open.
    let mut is_generated = false;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let at = token.span;
        let word = |keyword| TokenWithSpan {
            token: Token::make_keyword(keyword),
            span: at,
        };
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        let ends = is_generated && depth == 1 && token.token == Token::RParen;
        let is_open = matches!(tokens.peek(), Some(next) if next.token == Token::LParen);
        if depth == 1 && is_keyword(&token, Keyword::AS) && is_open {
            is_generated = true;
            if !out
                .last()
                .is_some_and(|last| is_keyword(last, Keyword::ALWAYS))
            {
                out.extend([word("GENERATED"), word("ALWAYS")]);
            }
        }
        out.push(token);
        if ends {
            is_generated = false;
            let kinds = [Keyword::STORED, Keyword::VIRTUAL];
            tokens.next_if(|next| kinds.iter().any(|kind| is_keyword(next, *kind)));
            out.push(word("STORED"));
        }
    }
    out
}

fn is_create_table(tokens: &[TokenWithSpan]) -> bool {
    let mut words = tokens.iter().filter_map(keyword);
    let starts = words.next() == Some(Keyword::CREATE);
    let before = [
        Keyword::OR,
        Keyword::REPLACE,
        Keyword::TEMP,
        Keyword::TEMPORARY,
    ];
    starts && words.find(|word| !before.contains(word)) == Some(Keyword::TABLE)
}

fn is_keyword(token: &TokenWithSpan, wanted: Keyword) -> bool {
    keyword(token) == Some(wanted)
}

fn keyword(token: &TokenWithSpan) -> Option<Keyword> {
    match &token.token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.keyword),
        _ => None,
    }
}

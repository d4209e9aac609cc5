//! `PRAGMA name = ON`, `PRAGMA name(word)`: `PRAGMA name = -1`: the library takes numbers without a sign and
//! texts as values, and no words.

use sqlparser::tokenizer::{Token, TokenWithSpan, Whitespace};

/// Words and negative numbers behind the sign or the parenthesis of a PRAGMA as texts.
pub(super) fn with_values(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut words = tokens
        .iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_)));
    let is_pragma = matches!(words.next().map(|token| &token.token),
        Some(Token::Word(word)) if word.quote_style.is_none()
            && word.value.eq_ignore_ascii_case("PRAGMA"));
    if !is_pragma {
        return tokens;
    }
    let begins = |token: &TokenWithSpan| matches!(token.token, Token::Eq | Token::LParen);
    let signs = tokens.iter().position(begins);
    let value = signs.and_then(|at| tokens.get_mut(at + 1..));
    let mut sign = None;
    for token in value.unwrap_or_default() {
        match &token.token {
            Token::Word(word) if word.quote_style.is_none() => {
                token.token = Token::SingleQuotedString(word.value.clone());
            }
            Token::Minus | Token::Plus => {
                let space = Token::Whitespace(Whitespace::Space);
                sign = Some(std::mem::replace(&mut token.token, space));
            }
            Token::Number(digits, _) if sign.take() == Some(Token::Minus) => {
                token.token = Token::SingleQuotedString(format!("-{digits}"));
            }
            _ => {}
        }
    }
    tokens
}

//! `x BETWEEN SYMMETRIC a AND b`, which the parser library does not know. The word becomes one before `a`, as which it is written too.

use sqlparser::ast::{Expr, Ident};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

const SYMMETRIC: &str = "SYMMETRIC";

/// The test behind `value`, where the next tokens are one; `precedence` is that of BETWEEN.
pub(super) fn symmetric(
    parser: &mut Parser<'_>,
    value: &Expr,
    precedence: u8,
) -> Option<Result<Expr, ParserError>> {
    let is_word = |at: usize, text: &str| match &parser.peek_nth_token_ref(at).token {
        Token::Word(word) => word.quote_style.is_none() && word.value.eq_ignore_ascii_case(text),
        _ => false,
    };
    let words = usize::from(is_word(0, "NOT"));
    if !is_word(words, "BETWEEN") || !is_word(words + 1, SYMMETRIC) {
        return None;
    }
    for _ in 0..words + 2 {
        parser.advance_token();
    }
    Some(bounds(parser, precedence).map(|(low, high)| Expr::Between {
        expr: Box::new(value.clone()),
        negated: words > 0,
        low: Box::new(Expr::Prefixed {
            prefix: Ident::new(SYMMETRIC),
            value: Box::new(low),
        }),
        high: Box::new(high),
    }))
}

fn bounds(parser: &mut Parser<'_>, precedence: u8) -> Result<(Expr, Expr), ParserError> {
    let low = parser.parse_subexpr(precedence)?;
    parser.expect_keyword_is(Keyword::AND)?;
    Ok((low, parser.parse_subexpr(precedence)?))
}

/// The lower bound of a symmetric BETWEEN; none for that of another.
pub(crate) fn of_symmetric(low: &Expr) -> Option<&Expr> {
    match low {
        Expr::Prefixed { prefix, value } if prefix.value == SYMMETRIC => Some(value),
        _ => None,
    }
}

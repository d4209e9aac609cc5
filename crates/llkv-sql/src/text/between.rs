//! `x BETWEEN SYMMETRIC a AND b`, which the parser library does not know: x is between them in one order or the other.

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

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
    if !is_word(words, "BETWEEN") || !is_word(words + 1, "SYMMETRIC") {
        return None;
    }
    for _ in 0..words + 2 {
        parser.advance_token();
    }
    Some(bounds(parser, precedence).map(|(low, high)| {
        let between = |low: &Expr, high: &Expr| {
            Box::new(Expr::Between {
                expr: Box::new(value.clone()),
                negated: false,
                low: Box::new(low.clone()),
                high: Box::new(high.clone()),
            })
        };
        let either = Expr::Nested(Box::new(Expr::BinaryOp {
            left: between(&low, &high),
            op: BinaryOperator::Or,
            right: between(&high, &low),
        }));
        match words {
            0 => either,
            _ => Expr::UnaryOp {
                op: UnaryOperator::Not,
                expr: Box::new(either),
            },
        }
    }))
}

fn bounds(parser: &mut Parser<'_>, precedence: u8) -> Result<(Expr, Expr), ParserError> {
    let low = parser.parse_subexpr(precedence)?;
    parser.expect_keyword_is(Keyword::AND)?;
    Ok((low, parser.parse_subexpr(precedence)?))
}

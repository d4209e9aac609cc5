//! From lexemes to the tokens of the parser library.

use super::grammar::Grammar;
use super::lexemes::{Kind, Lexeme, Lexemes};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, TokenizerError, Word};

/// The tokens of a text, without blanks and comments: those of its lexemes, and from where these end those that the
/// library reads.
///
/// # Errors
/// Those of the library, with places in the whole text.
pub(super) fn tokens(
    lexemes: &Lexemes<'_>,
    grammar: &Grammar,
) -> Result<Vec<TokenWithSpan>, TokenizerError> {
    let of_lexemes = lexemes.list.iter();
    let mut tokens: Vec<TokenWithSpan> = of_lexemes.map(|lexeme| token(lexemes, *lexeme)).collect();
    if lexemes.is_all() {
        return Ok(tokens);
    }
    let from = lexemes.location(lexemes.end);
    let mut read = Vec::new();
    Tokenizer::new(grammar, lexemes.rest())
        .tokenize_with_location_into_buf(&mut read)
        .map_err(|error| TokenizerError {
            location: beyond(from, error.location),
            ..error
        })?;
    let words = read
        .into_iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_)));
    tokens.extend(words.map(|token| TokenWithSpan {
        span: Span::new(beyond(from, token.span.start), beyond(from, token.span.end)),
        token: token.token,
    }));
    Ok(tokens)
}

/// The library's token for a lexeme.
pub(super) fn token(lexemes: &Lexemes<'_>, lexeme: Lexeme) -> TokenWithSpan {
    TokenWithSpan {
        token: bare_token(lexemes, lexeme),
        span: lexemes.span(lexeme),
    }
}

fn bare_token(lexemes: &Lexemes<'_>, lexeme: Lexeme) -> Token {
    match lexeme.kind {
        Kind::Word(keyword) => Token::Word(Word {
            value: lexemes.written(lexeme).to_owned(),
            quote_style: None,
            keyword,
        }),
        Kind::QuotedName => Token::make_word(lexemes.written(lexeme), Some('"')),
        Kind::Number => Token::Number(lexemes.written(lexeme).to_owned(), false),
        Kind::Text => Token::SingleQuotedString(lexemes.text_of(lexeme).into_owned()),
        Kind::Parameter(_) => Token::Placeholder(lexemes.parameter(lexeme).into_owned()),
        Kind::LParen => Token::LParen,
        Kind::RParen => Token::RParen,
        Kind::Comma => Token::Comma,
        Kind::SemiColon => Token::SemiColon,
        Kind::Period => Token::Period,
        Kind::Plus => Token::Plus,
        Kind::Minus => Token::Minus,
        Kind::Mul => Token::Mul,
        Kind::Div => Token::Div,
        Kind::Mod => Token::Mod,
        Kind::Eq => Token::Eq,
        Kind::DoubleEq => Token::DoubleEq,
        Kind::Neq => Token::Neq,
        Kind::Lt => Token::Lt,
        Kind::LtEq => Token::LtEq,
        Kind::Gt => Token::Gt,
        Kind::GtEq => Token::GtEq,
        Kind::ShiftLeft => Token::ShiftLeft,
        Kind::ShiftRight => Token::ShiftRight,
        Kind::StringConcat => Token::StringConcat,
        Kind::Pipe => Token::Pipe,
        Kind::Ampersand => Token::Ampersand,
        Kind::Tilde => Token::Tilde,
    }
}

/// A place in the text behind `from`, as a place in the whole.
fn beyond(from: Location, place: Location) -> Location {
    match place.line {
        0 => place,
        1 => Location::new(from.line, from.column + place.column - 1),
        line => Location::new(from.line + line - 1, place.column),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::SqlDialect;
    use crate::text::parse::number_parameters;
    use crate::text::suite::for_each_line;
    use proptest::prelude::*;

    /// What the library makes of a text, blanks left out; `None` for an error.
    fn by_library(text: &str, grammar: &Grammar) -> Option<Vec<TokenWithSpan>> {
        let mut tokens = Tokenizer::new(grammar, text)
            .tokenize_with_location()
            .ok()?;
        tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
        Some(tokens)
    }

    /// `TokenWithSpan` compares tokens alone.
    fn parts(tokens: Option<Vec<TokenWithSpan>>) -> Option<Vec<(Token, Span)>> {
        let tokens = tokens?.into_iter();
        Some(tokens.map(|token| (token.token, token.span)).collect())
    }

    fn check(text: &str) {
        for dialect in SqlDialect::ALL {
            let grammar = Grammar::new(dialect);
            let numbered = |mut tokens: Vec<TokenWithSpan>| {
                number_parameters(&mut tokens);
                tokens
            };
            let read = tokens(&Lexemes::read(text, dialect), &grammar);
            assert_eq!(
                parts(read.ok().map(numbered)),
                parts(by_library(text, &grammar).map(numbered)),
                "{dialect}: {text}"
            );
        }
    }

    #[test]
    fn tokens_are_those_of_the_library() {
        for text in [
            "SELECT a.b, _c1$ FROM t1 WHERE x<=5 AND y<>'it' OR z!=-2.50||'q'",
            "SELECT 'it''s', E'a\\n', 1e5, .5, 5., 0x1F, 1_000, t._x, $1, ?, :name, x'00'",
            "SELECT a -- comment\n, b /* more */ + c->'x' #>> d",
            "INSERT INTO \"q\" VALUES ('é', [x], `y`), (U&'d', N'e', b'01')",
            "select\r\n\t1\n;\n  select ü,\n b<-c, a<|b, a>>b<<c, d~e, f|g, h&i&&j",
            "1..2 1.a 1.e3 1L 5x a.1 ._a a..b @x {y} \\",
            "a._b, a ._b",
            "a ._b",
            "t . x",
            "'unterminated",
            "'of\ntwo ''lines''' , x",
            "\"quoted\"._a \"\" \"two\"\"\" a\"b\" \"c\nd\"",
            "? ?2 ?, $1 $2$ ?x ?99999999999 $a $ ?|'x' ?::int",
            "~a, a|b, a | ~ b, a|'x', a|-b, a~b, a ~ b, a~'x', ~-1",
        ] {
            check(text);
        }
    }

    #[test]
    fn every_line_of_our_suite_reads_as_the_library_reads_it() {
        let mut lines = 0;
        for_each_line(|line| {
            check(line);
            lines += 1;
        });
        assert!(lines > 1_000, "{lines} lines");
    }

    proptest! {
        #[test]
        fn any_text_reads_as_the_library_reads_it(text in "[a-zA-Z0-9_ \n'\".,;()<>=!|&*+/%é$?:~-]{0,24}") {
            check(&text);
        }
    }
}

//! From text to tokens.
//!
//! Most of what is written is made of plain words, numbers, texts and signs: these are read here, without looking at
//! single characters as the parser library does. At the first token that is anything else, or that is not in ASCII,
//! the library reads on to the end.

use super::grammar::Grammar;
use hashbrown::HashMap;
use sqlparser::keywords::{ALL_KEYWORDS, ALL_KEYWORDS_INDEX, Keyword};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, TokenizerError, Word};
use std::sync::LazyLock;

/// The tokens of a text, without blanks and comments.
///
/// # Errors
/// Those of the library, with places in the whole text.
pub(super) fn tokens(text: &str, grammar: &Grammar) -> Result<Vec<TokenWithSpan>, TokenizerError> {
    let mut reader = Reader {
        text,
        at: 0,
        line: 1,
        line_start: 0,
        // Most texts have more than three characters a token, its space included; to move the tokens once takes longer
        // than the memory is worth.
        tokens: Vec::with_capacity(text.len() / 3 + 8),
    };
    reader.read();
    let (from, mut tokens) = (reader.location(reader.at), reader.tokens);
    if let Some(rest) = text.get(reader.at..).filter(|rest| !rest.is_empty()) {
        let mut read = Vec::new();
        Tokenizer::new(grammar, rest)
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
    }
    Ok(tokens)
}

/// A place in the text behind `from`, as a place in the whole.
fn beyond(from: Location, place: Location) -> Location {
    match place.line {
        0 => place,
        1 => Location::new(from.line, from.column + place.column - 1),
        line => Location::new(from.line + line - 1, place.column),
    }
}

/// What was read so far; all of it in ASCII, so that bytes are columns.
struct Reader<'t> {
    text: &'t str,
    at: usize,
    line: u64,
    line_start: usize,
    tokens: Vec<TokenWithSpan>,
}

impl Reader<'_> {
    /// Reads up to the end, or to a token that is the library's.
    fn read(&mut self) {
        while let Some(byte) = self.byte(self.at) {
            match byte {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\n' => {
                    self.at += 1;
                    self.line += 1;
                    self.line_start = self.at;
                }
                _ => {
                    let Some((token, end)) = self.token(byte) else {
                        return;
                    };
                    let span = Span::new(self.location(self.at), self.location(end));
                    self.tokens.push(TokenWithSpan { token, span });
                    self.at = end;
                }
            }
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn location(&self, at: usize) -> Location {
        Location::new(self.line, (at - self.line_start) as u64 + 1)
    }

    /// The token here, and where it ends; `None` for one that is the library's.
    fn token(&self, first: u8) -> Option<(Token, usize)> {
        match first {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word(),
            b'0'..=b'9' => self.number(),
            b'\'' => self.quoted(),
            _ => self.sign(first),
        }
    }

    /// The end of the bytes from `from` on that are of a kind.
    fn end_of(&self, from: usize, is_of_kind: impl Fn(u8) -> bool) -> usize {
        let rest = self.text.as_bytes().get(from..).unwrap_or_default();
        let length = rest.iter().position(|byte| !is_of_kind(*byte));
        from + length.unwrap_or(rest.len())
    }

    fn word(&self) -> Option<(Token, usize)> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
        let end = self.end_of(self.at + 1, is_part);
        match self.byte(end) {
            Some(0x80..) => return None,
            // A letter before a quote tells how the text is written.
            Some(b'\'' | b'"' | b'&') if end == self.at + 1 => return None,
            _ => {}
        }
        let value = self.text.get(self.at..end)?;
        let word = Word {
            value: value.to_owned(),
            quote_style: None,
            keyword: keyword(value),
        };
        Some((Token::Word(word), end))
    }

    /// Digits, with a point and more of them or without.
    fn number(&self) -> Option<(Token, usize)> {
        let mut end = self.end_of(self.at, |byte| byte.is_ascii_digit());
        if self.byte(end) == Some(b'.') {
            end = self.end_of(end + 1, |byte| byte.is_ascii_digit());
        }
        let goes_on = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
        if self.byte(end).is_some_and(goes_on) {
            return None;
        }
        let digits = self.text.get(self.at..end)?.to_owned();
        Some((Token::Number(digits, false), end))
    }

    /// A text of one line without quotes in it.
    fn quoted(&self) -> Option<(Token, usize)> {
        let from = self.at + 1;
        let end = self.end_of(from, |byte| {
            byte.is_ascii() && !matches!(byte, b'\'' | b'\n')
        });
        if self.byte(end) != Some(b'\'') || self.byte(end + 1) == Some(b'\'') {
            return None;
        }
        let value = self.text.get(from..end)?.to_owned();
        Some((Token::SingleQuotedString(value), end + 1))
    }

    fn sign(&self, first: u8) -> Option<(Token, usize)> {
        let next = self.byte(self.at + 1).unwrap_or(b' ');
        let after = || self.byte(self.at + 2);
        let (token, length) = match (first, next) {
            (b'(', _) => (Token::LParen, 1),
            (b')', _) => (Token::RParen, 1),
            (b',', _) => (Token::Comma, 1),
            (b';', _) => (Token::SemiColon, 1),
            (b'*', _) => (Token::Mul, 1),
            (b'+', _) => (Token::Plus, 1),
            (b'%', _) => (Token::Mod, 1),
            (b'-', b'-' | b'>') => return None,
            (b'-', _) => (Token::Minus, 1),
            (b'/', b'*' | b'/') => return None,
            (b'/', _) => (Token::Div, 1),
            (b'=', b'>') => return None,
            (b'=', b'=') => (Token::DoubleEq, 2),
            (b'=', _) => (Token::Eq, 1),
            (b'!', b'=') => (Token::Neq, 2),
            (b'<', b'=') if after() != Some(b'>') => (Token::LtEq, 2),
            (b'<', b'>') => (Token::Neq, 2),
            (b'<', b'<') => (Token::ShiftLeft, 2),
            (b'<', b'=' | b'@') => return None,
            (b'<', _) => (Token::Lt, 1),
            (b'>', b'=') => (Token::GtEq, 2),
            (b'>', b'>') => (Token::ShiftRight, 2),
            (b'>', _) => (Token::Gt, 1),
            (b'|', b'|') if after() != Some(b'/') => (Token::StringConcat, 2),
            (b'&', b'&') => return None,
            (b'&', _) => (Token::Ampersand, 1),
            (b'.', b'0'..=b'9') => return None,
            (b'.', b'_') if !self.follows_word() => return None,
            (b'.', _) => (Token::Period, 1),
            _ => return None,
        };
        Some((token, self.at + length))
    }

    /// True at once behind a word, without a blank.
    fn follows_word(&self) -> bool {
        let last = self.tokens.last();
        last.is_some_and(|last| {
            matches!(last.token, Token::Word(_)) && last.span.end == self.location(self.at)
        })
    }
}

/// Bytes of the longest word that may be a keyword.
const LONGEST_KEYWORD: usize = 64;

/// The keyword that an unquoted word is.
fn keyword(word: &str) -> Keyword {
    static KEYWORDS: LazyLock<HashMap<&[u8], Keyword>> = LazyLock::new(|| {
        let words = ALL_KEYWORDS.iter().map(|word| word.as_bytes());
        words.zip(ALL_KEYWORDS_INDEX.iter().copied()).collect()
    });
    let mut upper = [0; LONGEST_KEYWORD];
    let Some(upper) = upper.get_mut(..word.len()) else {
        return Keyword::NoKeyword;
    };
    upper.copy_from_slice(word.as_bytes());
    upper.make_ascii_uppercase();
    let known = KEYWORDS.get(&*upper);
    known.copied().unwrap_or(Keyword::NoKeyword)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::SqlDialect;
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
            let read = tokens(text, &grammar).ok();
            assert_eq!(
                parts(read),
                parts(by_library(text, &grammar)),
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

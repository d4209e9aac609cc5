//! From text to lexemes: what stands where.
//!
//! Most of what is written is made of plain words, numbers, texts and signs. These are read here, without looking at
//! single characters as the parser library does, and without a copy of any of them: a lexeme is a kind and a place. At
//! the first one that is anything else, or that is not in ASCII, reading ends, and the library reads the rest.

use crate::dialect::SqlDialect;
use hashbrown::HashMap;
use sqlparser::keywords::{ALL_KEYWORDS, ALL_KEYWORDS_INDEX, Keyword};
use sqlparser::tokenizer::{Location, Span};
use std::borrow::Cow;
use std::sync::LazyLock;

/// What a lexeme is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word without quotes, and the keyword that it is.
    Word(Keyword),
    /// A name in double quotes.
    QuotedName,
    Number,
    /// A text in single quotes.
    Text,
    /// `?`: the parameter of this number; `?3`, `$1`: as it is written.
    Parameter(Option<u32>),
    LParen,
    RParen,
    Comma,
    SemiColon,
    Period,
    Plus,
    Minus,
    Mul,
    Div,
    Mod,
    Eq,
    DoubleEq,
    Neq,
    Lt,
    LtEq,
    Gt,
    GtEq,
    ShiftLeft,
    ShiftRight,
    StringConcat,
    Pipe,
    Ampersand,
    Tilde,
}

/// A word, a literal or a sign, in bytes of the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lexeme {
    pub(super) kind: Kind,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// The lexemes of a text; all of it up to `end` is in ASCII, so that bytes are columns.
#[derive(Debug)]
pub(super) struct Lexemes<'t> {
    text: &'t str,
    pub(super) list: Vec<Lexeme>,
    /// Where reading ended: the end of the text, or what is the library's.
    pub(super) end: usize,
    /// Where lines begin, but for the first.
    lines: Vec<usize>,
}

impl<'t> Lexemes<'t> {
    /// Reads up to the end, or to what is the library's.
    pub(super) fn read(text: &'t str, dialect: SqlDialect) -> Self {
        let mut reader = Reader {
            bytes: text.as_bytes(),
            dialect,
            at: 0,
            highest_parameter: 0,
            lines: Vec::new(),
            // Most texts have more than three characters a lexeme, its space included.
            list: Vec::with_capacity(text.len() / 3 + 8),
        };
        if u32::try_from(text.len()).is_ok() {
            reader.read();
        }
        Self {
            text,
            list: reader.list,
            end: reader.at,
            lines: reader.lines,
        }
    }

    /// True where nothing of the text is the library's.
    pub(super) const fn is_all(&self) -> bool {
        self.end == self.text.len()
    }

    /// What was not read.
    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.end..).unwrap_or_default()
    }

    /// A lexeme as it is written, without the quotes.
    pub(super) fn written(&self, lexeme: Lexeme) -> &'t str {
        let quotes = matches!(lexeme.kind, Kind::Text | Kind::QuotedName);
        let (start, end) = (lexeme.start as usize, lexeme.end as usize);
        let inner = start + usize::from(quotes)..end - usize::from(quotes);
        self.text.get(inner).unwrap_or_default()
    }

    /// The text that a literal stands for.
    pub(super) fn text_of(&self, lexeme: Lexeme) -> Cow<'t, str> {
        let written = self.written(lexeme);
        match written.contains('\'') {
            true => written.replace("''", "'").into(),
            false => written.into(),
        }
    }

    /// The name of a parameter.
    pub(super) fn parameter(&self, lexeme: Lexeme) -> Cow<'t, str> {
        match lexeme.kind {
            Kind::Parameter(Some(number)) => Cow::Owned(format!("?{number}")),
            _ => Cow::Borrowed(self.written(lexeme)),
        }
    }

    /// The line and the column of a byte.
    pub(super) fn location(&self, at: usize) -> Location {
        let lines = self.lines.partition_point(|start| *start <= at);
        let line_start = lines.checked_sub(1).and_then(|line| self.lines.get(line));
        let column = at - line_start.copied().unwrap_or(0);
        Location::new(lines as u64 + 1, column as u64 + 1)
    }

    pub(super) fn span(&self, lexeme: Lexeme) -> Span {
        let (start, end) = (lexeme.start as usize, lexeme.end as usize);
        Span::new(self.location(start), self.location(end))
    }
}

struct Reader<'t> {
    bytes: &'t [u8],
    dialect: SqlDialect,
    at: usize,
    highest_parameter: u32,
    lines: Vec<usize>,
    list: Vec<Lexeme>,
}

impl Reader<'_> {
    fn read(&mut self) {
        while let Some(byte) = self.byte(self.at) {
            match byte {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\n' => {
                    self.at += 1;
                    self.lines.push(self.at);
                }
                _ => {
                    let Some((kind, end)) = self.lexeme(byte) else {
                        return;
                    };
                    self.list.push(Lexeme {
                        kind,
                        start: self.at as u32,
                        end: end as u32,
                    });
                    self.at = end;
                }
            }
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// What stands here, and where it ends; `None` for what is the library's.
    fn lexeme(&mut self, first: u8) -> Option<(Kind, usize)> {
        match first {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word(),
            b'0'..=b'9' => self.number(),
            b'\'' => self.text(),
            b'"' => self.quoted_name(),
            b'?' | b'$' => self.parameter(first),
            _ => self.sign(first),
        }
    }

    /// The end of the bytes from `from` on that are of a kind.
    #[inline]
    fn end_of(&self, from: usize, is_of_kind: impl Fn(u8) -> bool) -> usize {
        let mut end = from;
        while self.bytes.get(end).is_some_and(|byte| is_of_kind(*byte)) {
            end += 1;
        }
        end
    }

    fn word(&self) -> Option<(Kind, usize)> {
        let end = self.end_of(self.at + 1, is_part_of_word);
        match self.byte(end) {
            Some(0x80..) => return None,
            // A letter before a quote tells how the text is written.
            Some(b'\'' | b'"' | b'&') if end == self.at + 1 => return None,
            _ => {}
        }
        let word = self.bytes.get(self.at..end)?;
        Some((Kind::Word(keyword(word)), end))
    }

    /// Digits, with a point and more of them or without.
    fn number(&self) -> Option<(Kind, usize)> {
        let mut end = self.end_of(self.at, |byte| byte.is_ascii_digit());
        if self.byte(end) == Some(b'.') {
            end = self.end_of(end + 1, |byte| byte.is_ascii_digit());
        }
        let goes_on = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
        match self.byte(end) {
            Some(next) if goes_on(next) => None,
            _ => Some((Kind::Number, end)),
        }
    }

    /// A text; a doubled quote in it is one.
    fn text(&mut self) -> Option<(Kind, usize)> {
        let mut end = self.at + 1;
        let lines = self.lines.len();
        loop {
            end = self.end_of(end, |byte| {
                byte.is_ascii() && !matches!(byte, b'\'' | b'\n')
            });
            match (self.byte(end), self.byte(end + 1)) {
                (Some(b'\n'), _) => {
                    end += 1;
                    self.lines.push(end);
                }
                (Some(b'\''), Some(b'\'')) => end += 2,
                (Some(b'\''), _) => return Some((Kind::Text, end + 1)),
                _ => {
                    self.lines.truncate(lines);
                    return None;
                }
            }
        }
    }

    /// A name of one line without quotes in it.
    fn quoted_name(&self) -> Option<(Kind, usize)> {
        let from = self.at + 1;
        let end = self.end_of(from, |byte| {
            byte.is_ascii() && !matches!(byte, b'"' | b'\n')
        });
        let is_whole =
            end > from && self.byte(end) == Some(b'"') && self.byte(end + 1) != Some(b'"');
        is_whole.then_some((Kind::QuotedName, end + 1))
    }

    /// `?`, `?2`, `$2`; in PostgreSQL's dialect question marks are operators too.
    fn parameter(&mut self, first: u8) -> Option<(Kind, usize)> {
        let from = self.at + 1;
        let end = self.end_of(from, |byte| byte.is_ascii_digit());
        let digits = self.bytes.get(from..end)?;
        if self
            .byte(end)
            .is_some_and(|next| is_part_of_word(next) || next >= 0x80)
        {
            return None;
        }
        let number = match (first, digits) {
            (b'?', _) if self.dialect == SqlDialect::Llkv => return None,
            (b'?', []) => Some(self.highest_parameter.checked_add(1)?),
            (_, []) => return None,
            _ => None,
        };
        let known = std::str::from_utf8(digits).ok();
        let own = number.or_else(|| known?.parse().ok())?;
        self.highest_parameter = self.highest_parameter.max(own);
        Some((Kind::Parameter(number), end))
    }

    fn sign(&self, first: u8) -> Option<(Kind, usize)> {
        let next = self.byte(self.at + 1).unwrap_or(b' ');
        let after = || self.byte(self.at + 2);
        // What no operator of several signs goes on with.
        let stands_alone = || matches!(next, b' ' | b'\n' | b'(' | b'\'') || is_part_of_word(next);
        let (kind, length) = match (first, next) {
            (b'(', _) => (Kind::LParen, 1),
            (b')', _) => (Kind::RParen, 1),
            (b',', _) => (Kind::Comma, 1),
            (b';', _) => (Kind::SemiColon, 1),
            (b'*', _) => (Kind::Mul, 1),
            (b'+', _) => (Kind::Plus, 1),
            (b'%', _) => (Kind::Mod, 1),
            (b'-', b'-' | b'>') => return None,
            (b'-', _) => (Kind::Minus, 1),
            (b'/', b'*' | b'/') => return None,
            (b'/', _) => (Kind::Div, 1),
            (b'=', b'>') => return None,
            (b'=', b'=') => (Kind::DoubleEq, 2),
            (b'=', _) => (Kind::Eq, 1),
            (b'!', b'=') => (Kind::Neq, 2),
            (b'<', b'=') if after() != Some(b'>') => (Kind::LtEq, 2),
            (b'<', b'>') => (Kind::Neq, 2),
            (b'<', b'<') => (Kind::ShiftLeft, 2),
            (b'<', b'=' | b'@') => return None,
            (b'<', _) => (Kind::Lt, 1),
            (b'>', b'=') => (Kind::GtEq, 2),
            (b'>', b'>') => (Kind::ShiftRight, 2),
            (b'>', _) => (Kind::Gt, 1),
            (b'|', b'|') if after() != Some(b'/') => (Kind::StringConcat, 2),
            (b'|', _) if stands_alone() => (Kind::Pipe, 1),
            (b'~', _) if stands_alone() => (Kind::Tilde, 1),
            (b'&', b'&') => return None,
            (b'&', _) => (Kind::Ampersand, 1),
            (b'.', b'0'..=b'9') => return None,
            (b'.', b'_') if !self.follows_word() => return None,
            (b'.', _) => (Kind::Period, 1),
            _ => return None,
        };
        Some((kind, self.at + length))
    }

    /// True at once behind a word, without a blank.
    fn follows_word(&self) -> bool {
        let last = self.list.last();
        last.is_some_and(|last| {
            matches!(last.kind, Kind::Word(_) | Kind::QuotedName) && last.end as usize == self.at
        })
    }
}

#[inline]
fn is_part_of_word(byte: u8) -> bool {
    const PARTS: [bool; 256] = {
        let mut parts = [false; 256];
        let mut byte = 0u8;
        while byte < 128 {
            parts[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
            byte += 1;
        }
        parts
    };
    PARTS[byte as usize]
}

/// Bytes of the longest word that may be a keyword.
const LONGEST_KEYWORD: usize = 64;

/// The keyword that an unquoted word is.
fn keyword(word: &[u8]) -> Keyword {
    static KEYWORDS: LazyLock<HashMap<&[u8], Keyword>> = LazyLock::new(|| {
        let words = ALL_KEYWORDS.iter().map(|word| word.as_bytes());
        words.zip(ALL_KEYWORDS_INDEX.iter().copied()).collect()
    });
    let mut upper = [0; LONGEST_KEYWORD];
    let Some(upper) = upper.get_mut(..word.len()) else {
        return Keyword::NoKeyword;
    };
    upper.copy_from_slice(word);
    upper.make_ascii_uppercase();
    let known = KEYWORDS.get(&*upper);
    known.copied().unwrap_or(Keyword::NoKeyword)
}

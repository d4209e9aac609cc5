//! Places: from the parser's lines and columns to bytes of the statement.

use llkv_result::Span;
use sqlparser::tokenizer::{Location, Span as ParserSpan};

/// The text that a statement was parsed from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SourceText<'a> {
    text: &'a str,
    /// False for text that the user did not write here: a view, a default, a CHECK.
    known: bool,
}

impl<'a> SourceText<'a> {
    /// The text of a statement.
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { text, known: true }
    }

    /// The whole text.
    pub(crate) const fn text(self) -> &'a str {
        self.text
    }

    /// Text from the catalog, in which no place can be shown.
    pub(crate) const fn hidden(text: &'a str) -> Self {
        Self { text, known: false }
    }

    /// The bytes of a parser's span, or `None` where it is empty or lies elsewhere.
    pub(crate) fn span(self, span: ParserSpan) -> Option<Span> {
        if !self.known || span.start.line == 0 {
            return None;
        }
        let start = self.byte(span.start)?;
        let end = self.byte(span.end).unwrap_or(self.text.len());
        Some(Span::new(
            start,
            end.max(start + 1).min(self.text.len().max(start)),
        ))
    }

    /// The token that starts at a location.
    pub(crate) fn token_at(self, location: Location) -> Option<Span> {
        if !self.known {
            return None;
        }
        let start = self.byte(location)?;
        let rest = &self.text[start..];
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let length = match rest.chars().next() {
            Some(c) if word(c) => rest.find(|c| !word(c)).unwrap_or(rest.len()),
            Some(c) => c.len_utf8(),
            None => 0,
        };
        Some(Span::new(start, start + length))
    }

    /// Lines and columns count from 1; a column is a character.
    pub(crate) fn byte(self, location: Location) -> Option<usize> {
        let mut line_start = 0;
        for _ in 1..location.line {
            line_start += self.text[line_start..].find('\n')? + 1;
        }
        let column = usize::try_from(location.column).ok()?.checked_sub(1)?;
        let line = &self.text[line_start..];
        let offset = line
            .char_indices()
            .map(|(at, _)| at)
            .chain([line.len()])
            .nth(column)?;
        Some(line_start + offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_found_behind_wide_characters_and_lines() {
        let text = "SELECT 'é',\n  ü FROM t";
        let source = SourceText::new(text);
        let span = source.token_at(Location::new(2, 3)).unwrap();
        assert_eq!(&text[span.start..span.end], "ü");
        assert_eq!(source.token_at(Location::new(9, 1)), None);
        let span = source
            .span(ParserSpan::new(Location::new(1, 8), Location::new(1, 11)))
            .unwrap();
        assert_eq!(&text[span.start..span.end], "'é'");
    }
}
